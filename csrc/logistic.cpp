#include "augcore/logistic.hpp"

#include <algorithm>
#include <stdexcept>

#include "augcore/point/logistic.hpp"
#include "augcore/threads.hpp"
#include "simd/levels.hpp"

namespace augcore {
namespace {

using simd::kernels;

constexpr std::int64_t kBlockRows = 4096;  // of one task where a row costs little
constexpr double kTaskOperations = 1e8;    // multiply-adds of one task: a few milliseconds
constexpr double kBandOperations = 4e7;    // multiply-adds of one tile in one band of rows of the Hessian
constexpr std::int64_t kNodeMemory = std::int64_t{1} << 28;  // bytes of the nodes that are computed at a time
constexpr int kMaxNodeLevel = 6;

double dot(const float* x, const double* y, std::int64_t n) { return kernels().linalg.dot_f32(x, y, n); }
double dot(const double* x, const double* y, std::int64_t n) { return kernels().linalg.dot_f64(x, y, n); }
void axpy(double a, const float* x, double* out, std::int64_t n) { kernels().linalg.axpy_f32(a, x, out, n); }
void axpy(double a, const double* x, double* out, std::int64_t n) { kernels().linalg.axpy_f64(a, x, out, n); }

auto gram_of(const float*) { return kernels().linalg.gram_f32; }
auto gram_of(const double*) { return kernels().linalg.gram_f64; }

template <typename T>
double predict(const T* x, const double* coef, std::int64_t p, std::int64_t q) {
  return dot(x, coef, p) + (q > p ? coef[p] : 0.0);
}

// Applies f(first, last) to blocks of rows.
template <typename F>
void for_blocks(std::int64_t n, std::int64_t block, int threads, const F& f) {
  parallel_for((n + block - 1) / block, threads,
               [&](std::int64_t task) { f(task * block, std::min(n, (task + 1) * block)); });
}

std::int64_t floor_log2(std::int64_t n) { return 63 - __builtin_clzll(static_cast<unsigned long long>(n)); }

}  // namespace

LogisticSums::LogisticSums(std::int64_t p, bool intercept, int order, const double* coef)
    : p_(p),
      q_(p + (intercept ? 1 : 0)),
      order_(order),
      width_(1 + (order >= 1 ? q_ : 0) + (order >= 2 ? q_ * q_ : 0)),
      coef_(coef, coef + q_) {
  if (p < 0 || order < 0 || order > 2) throw std::invalid_argument("LogisticSums: p or order is out of range");
}

// The sums of nodes over a block of n rows, of which only the last tile may be short. Tasks are nodes, and for the
// Hessian bands of rows of nodes: every element is the same chain of operations whatever the bands.
template <typename T>
void LogisticSums::sum_nodes(const T* x, const double* y, const double* weight, std::int64_t n,
                             std::vector<Node>& nodes, int threads) const {
  // f(tile's first row, its number of rows, sums of `width`, zero at first), summed over the tiles of a node
  const auto sum_tiles = [n](const Node& node, std::int64_t width, const auto& f) {
    TreeSum tree;
    for (std::int64_t tile = node.first; tile < node.first + (std::int64_t{1} << node.level); ++tile) {
      std::vector<double> sums(width, 0.0);
      f(tile * kTileRows, std::min(kTileRows, n - tile * kTileRows), sums.data());
      tree.push(std::move(sums), 0);
    }
    return tree.take();
  };

  const std::int64_t begin = nodes.front().first * kTileRows;
  std::vector<double> curvatures(order_ >= 2 ? n - begin : 0);
  const std::int64_t small_width = 1 + (order_ >= 1 ? q_ : 0);
  parallel_for(static_cast<std::int64_t>(nodes.size()), threads, [&](std::int64_t task) {
    Node& node = nodes[task];
    node.sums.resize(width_);
    const auto small = sum_tiles(node, small_width, [&](std::int64_t first, std::int64_t m, double* sums) {
      for (std::int64_t i = first; i < first + m; ++i) {
        const double eta = predict(x + i * p_, coef_.data(), p_, q_);
        const double w = weight == nullptr ? 1.0 : weight[i];
        sums[0] += w * point::log_loss(eta, y[i]);
        if (order_ >= 1) {
          const double r = w * point::residual(eta, y[i]);
          axpy(r, x + i * p_, sums + 1, p_);
          if (q_ > p_) sums[1 + p_] += r;
        }
        if (order_ >= 2) curvatures[i - begin] = w * point::curvature(eta);
      }
    });
    std::copy(small.begin(), small.end(), node.sums.begin());
  });
  if (order_ < 2) return;

  const std::int64_t step = kernels().linalg.columns;
  const auto wanted = static_cast<std::int64_t>(kBandOperations / (static_cast<double>(kTileRows) * q_));
  const std::int64_t band = std::max(2 * step, wanted / step * step);
  const std::int64_t bands = (q_ + band - 1) / band;
  parallel_for(bands * static_cast<std::int64_t>(nodes.size()), threads, [&](std::int64_t task) {
    Node& node = nodes[task / bands];
    // The last bands of a triangle are the longest: they come first.
    const std::int64_t row = (bands - 1 - task % bands) * band;
    const std::int64_t end = std::min(q_, row + band);
    std::vector<double> work(kernels().linalg.gram_workspace(q_));
    const auto rows = sum_tiles(node, (end - row) * q_, [&](std::int64_t first, std::int64_t m, double* sums) {
      gram_of(x)(x + first * p_, curvatures.data() + (first - begin), m, p_, q_, row, end, sums, work.data());
    });
    std::copy(rows.begin(), rows.end(), node.sums.begin() + small_width + row * q_);
  });
}

// Whole tiles, cut into nodes of the tree. Which nodes does not matter for the result.
template <typename T>
void LogisticSums::add_whole_tiles(const T* x, const double* y, const double* weight, std::int64_t n_tiles,
                                   int threads) {
  const int used_threads = threads > 0 ? threads : num_threads();
  const double tile_operations = static_cast<double>(kTileRows) * (order_ >= 2 ? 0.5 * q_ + 2 : 2) * q_;
  const std::int64_t tiles_per_task =
      std::max<std::int64_t>(1, std::min<std::int64_t>(n_tiles / (4 * used_threads),
                                                       static_cast<std::int64_t>(kTaskOperations / tile_operations)));
  const int max_level = static_cast<int>(std::min<std::int64_t>(kMaxNodeLevel, floor_log2(tiles_per_task)));
  const auto most_nodes = static_cast<std::size_t>(
      std::max<std::int64_t>(1, std::min<std::int64_t>(4 * used_threads, kNodeMemory / (8 * width_))));

  for (std::int64_t done = 0; done < n_tiles;) {
    std::vector<Node> nodes;
    while (done < n_tiles && nodes.size() < most_nodes) {
      const std::int64_t position = n_tiles_ + done;
      int level = static_cast<int>(std::min<std::int64_t>(max_level, floor_log2(n_tiles - done)));
      while (position & ((std::int64_t{1} << level) - 1)) --level;
      nodes.push_back({done, level, {}});
      done += std::int64_t{1} << level;
    }
    sum_nodes(x, y, weight, done * kTileRows, nodes, threads);
    for (Node& node : nodes) tree_.push(std::move(node.sums), node.level);
  }
  n_tiles_ += n_tiles;
}

template <typename T>
void LogisticSums::add(const T* x, const double* y, const double* weight, std::int64_t n, int threads) {
  const auto take = [&](std::int64_t m) {
    for (std::int64_t i = 0; i < m; ++i) ragged_weight_.push_back(weight == nullptr ? 1.0 : weight[i]);
    ragged_x_.insert(ragged_x_.end(), x, x + m * p_);
    ragged_y_.insert(ragged_y_.end(), y, y + m);
    x += m * p_;
    y += m;
    if (weight != nullptr) weight += m;
    n -= m;
  };
  const std::int64_t waiting = static_cast<std::int64_t>(ragged_y_.size());
  if (waiting > 0) {
    take(std::min(n, kTileRows - waiting));
    if (static_cast<std::int64_t>(ragged_y_.size()) < kTileRows) return;
    add_whole_tiles(ragged_x_.data(), ragged_y_.data(), ragged_weight_.data(), 1, threads);
    ragged_x_.clear();
    ragged_y_.clear();
    ragged_weight_.clear();
  }
  const std::int64_t n_tiles = n / kTileRows;
  if (n_tiles > 0) {
    add_whole_tiles(x, y, weight, n_tiles, threads);
    x += n_tiles * kTileRows * p_;
    y += n_tiles * kTileRows;
    if (weight != nullptr) weight += n_tiles * kTileRows;
    n -= n_tiles * kTileRows;
  }
  take(n);
}

template void LogisticSums::add<float>(const float*, const double*, const double*, std::int64_t, int);
template void LogisticSums::add<double>(const double*, const double*, const double*, std::int64_t, int);

void LogisticSums::total(double* loss, double* gradient, double* hessian, int threads) const {
  // Adding zeros changes no sum, so a tile of no rows at the right end is no tile.
  std::vector<Node> last = {{0, 0, std::vector<double>(width_, 0.0)}};
  if (!ragged_y_.empty()) {
    sum_nodes(ragged_x_.data(), ragged_y_.data(), ragged_weight_.data(), static_cast<std::int64_t>(ragged_y_.size()),
              last, threads);
  }
  const std::vector<double> sums = tree_.total(std::move(last.front().sums));
  if (loss != nullptr) *loss = sums[0];
  if (order_ >= 1 && gradient != nullptr) std::copy_n(sums.data() + 1, q_, gradient);
  if (order_ >= 2 && hessian != nullptr) {
    const double* lower = sums.data() + 1 + q_;
    for (std::int64_t i = 0; i < q_; ++i) {
      for (std::int64_t j = 0; j <= i; ++j) hessian[i * q_ + j] = hessian[j * q_ + i] = lower[i * q_ + j];
    }
  }
}

void linear_predictor(const Design& rows, const double* coef, double* eta, int threads) {
  const auto run = [&](const auto* x) {
    for_blocks(rows.n, kBlockRows, threads, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i) eta[i] = predict(x + i * rows.p, coef, rows.p, rows.q());
    });
  };
  if (rows.dtype == Dtype::float32) {
    run(static_cast<const float*>(rows.data));
  } else {
    run(static_cast<const double*>(rows.data));
  }
}

namespace {

// out[i] = f(i) for every sample.
template <typename F>
void for_each_sample(std::int64_t n, double* out, int threads, const F& f) {
  for_blocks(n, kBlockRows, threads, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) out[i] = f(i);
  });
}

}  // namespace

void log_loss(const double* eta, const double* y, std::int64_t n, double* out, int threads) {
  for_each_sample(n, out, threads, [=](std::int64_t i) { return point::log_loss(eta[i], y[i]); });
}

void residual(const double* eta, const double* y, std::int64_t n, double* out, int threads) {
  for_each_sample(n, out, threads, [=](std::int64_t i) { return point::residual(eta[i], y[i]); });
}

void curvature(const double* eta, std::int64_t n, double* out, int threads) {
  for_each_sample(n, out, threads, [=](std::int64_t i) { return point::curvature(eta[i]); });
}

void loo_influence(const double* eta, const double* y, const double* weight, const double* q, std::int64_t n,
                   double* out, int threads) {
  for_each_sample(n, out, threads, [=](std::int64_t i) {
    return point::loo_influence(point::residual(eta[i], y[i]), weight == nullptr ? 1.0 : weight[i], q[i]);
  });
}

void loo_loss_change(const double* eta, const double* y, const double* weight, const double* q, std::int64_t n,
                     double* out, int threads) {
  for_each_sample(n, out, threads, [=](std::int64_t i) {
    return point::loo_loss_change(eta[i], y[i], weight == nullptr ? 1.0 : weight[i], q[i]);
  });
}

}  // namespace augcore
