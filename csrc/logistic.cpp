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
constexpr int kMaxNodeLevel = 6;

double dot(const float* x, const double* y, std::int64_t n) { return kernels().linalg.dot_f32(x, y, n); }
double dot(const double* x, const double* y, std::int64_t n) { return kernels().linalg.dot_f64(x, y, n); }
void axpy(double a, const float* x, double* out, std::int64_t n) { kernels().linalg.axpy_f32(a, x, out, n); }
void axpy(double a, const double* x, double* out, std::int64_t n) { kernels().linalg.axpy_f64(a, x, out, n); }

void gram(const float* x, const double* w, std::int64_t m, std::int64_t p, std::int64_t q, double* out, double* work) {
  kernels().linalg.gram_f32(x, w, m, p, q, out, work);
}
void gram(const double* x, const double* w, std::int64_t m, std::int64_t p, std::int64_t q, double* out, double* work) {
  kernels().linalg.gram_f64(x, w, m, p, q, out, work);
}

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

// sums += the sums over m <= kTileRows rows, in the order of the rows.
template <typename T>
void LogisticSums::add_tile(const T* x, const double* y, const double* weight, std::int64_t m, double* sums) const {
  double curvatures[kTileRows];
  double* gradient = sums + 1;
  for (std::int64_t i = 0; i < m; ++i) {
    const double eta = predict(x + i * p_, coef_.data(), p_, q_);
    const double w = weight == nullptr ? 1.0 : weight[i];
    sums[0] += w * point::log_loss(eta, y[i]);
    if (order_ >= 1) {
      const double r = w * point::residual(eta, y[i]);
      axpy(r, x + i * p_, gradient, p_);
      if (q_ > p_) gradient[p_] += r;
    }
    curvatures[i] = w * point::curvature(eta);
  }
  if (order_ >= 2) {
    std::vector<double> work(kernels().linalg.gram_workspace(q_));
    gram(x, curvatures, m, p_, q_, gradient + q_, work.data());
  }
}

// Whole tiles, cut into nodes of the tree that are computed in parallel. Which nodes does not matter for the result.
template <typename T>
void LogisticSums::add_whole_tiles(const T* x, const double* y, const double* weight, std::int64_t n_tiles,
                                   int threads) {
  struct Node {
    std::int64_t first;  // tile, counted from x
    int level;
    std::vector<double> sums;
  };
  const int used_threads = threads > 0 ? threads : num_threads();
  const double tile_operations = static_cast<double>(kTileRows) * (order_ >= 2 ? 0.5 * q_ + 2 : 2) * q_;
  const std::int64_t tiles_per_task =
      std::max<std::int64_t>(1, std::min<std::int64_t>(n_tiles / (4 * used_threads),
                                                       static_cast<std::int64_t>(kTaskOperations / tile_operations)));
  const int max_level = static_cast<int>(std::min<std::int64_t>(kMaxNodeLevel, floor_log2(tiles_per_task)));

  for (std::int64_t done = 0; done < n_tiles;) {
    std::vector<Node> nodes;
    while (done < n_tiles && nodes.size() < static_cast<std::size_t>(4 * used_threads)) {
      const std::int64_t position = n_tiles_ + done;
      int level = static_cast<int>(std::min<std::int64_t>(max_level, floor_log2(n_tiles - done)));
      while (position & ((std::int64_t{1} << level) - 1)) --level;
      nodes.push_back({done, level, {}});
      done += std::int64_t{1} << level;
    }
    parallel_for(static_cast<std::int64_t>(nodes.size()), threads, [&](std::int64_t task) {
      Node& node = nodes[task];
      TreeSum tree;
      for (std::int64_t tile = node.first; tile < node.first + (std::int64_t{1} << node.level); ++tile) {
        std::vector<double> sums(width_, 0.0);
        const std::int64_t row = tile * kTileRows;
        add_tile(x + row * p_, y + row, weight == nullptr ? nullptr : weight + row, kTileRows, sums.data());
        tree.push(std::move(sums), 0);
      }
      node.sums = tree.take();
    });
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

void LogisticSums::total(double* loss, double* gradient, double* hessian) const {
  // Adding zeros changes no sum, so a tile of no rows at the right end is no tile.
  std::vector<double> last(width_, 0.0);
  if (!ragged_y_.empty()) {
    add_tile(ragged_x_.data(), ragged_y_.data(), ragged_weight_.data(), static_cast<std::int64_t>(ragged_y_.size()),
             last.data());
  }
  const std::vector<double> sums = tree_.total(std::move(last));
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
