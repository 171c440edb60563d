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
constexpr std::int64_t kMostRows = 32;     // that stay in the first-level cache from their predictions to their sums,
constexpr std::int64_t kCachedBytes = std::int64_t{1} << 14;  // and that they take there
constexpr std::int64_t kWaveMemory = std::int64_t{1} << 26;   // bytes of the sums that are computed at a time
constexpr double kTaskOperations = 1e6;  // multiply-adds of one task that sums losses and gradients

void dots(const float* x, std::int64_t m, std::int64_t p, const double* y, double* out) {
  kernels().rows.dots_f32(x, m, p, y, out);
}
void dots(const double* x, std::int64_t m, std::int64_t p, const double* y, double* out) {
  kernels().rows.dots_f64(x, m, p, y, out);
}
void add_rows(const float* x, const double* a, std::int64_t m, std::int64_t p, double* out) {
  kernels().rows.add_rows_f32(x, a, m, p, out);
}
void add_rows(const double* x, const double* a, std::int64_t m, std::int64_t p, double* out) {
  kernels().rows.add_rows_f64(x, a, m, p, out);
}

// eta of rows first ... last - 1
template <typename T>
void predict(const T* x, const double* coef, std::int64_t p, std::int64_t q, std::int64_t first, std::int64_t last,
             double* eta) {
  dots(x + first * p, last - first, p, coef, eta);
  if (q > p) {
    for (std::int64_t i = 0; i < last - first; ++i) eta[i] += coef[p];
  }
}

// Applies f(i, m) to m rows from row i on, which stay in the cache.
template <typename T, typename F>
void for_cached_rows(const T*, std::int64_t p, std::int64_t first, std::int64_t last, const F& f) {
  const std::int64_t bytes = std::max<std::int64_t>(1, p * sizeof(T));
  const std::int64_t step = std::clamp<std::int64_t>(kCachedBytes / bytes, 1, kMostRows);
  for (std::int64_t i = first; i < last; i += step) f(i, std::min(step, last - i));
}

// sum (q) += the rows of the design from row i on times values (m)
template <typename T>
void add_to_sum(const T* x, const double* values, std::int64_t i, std::int64_t m, std::int64_t p, std::int64_t q,
                double* sum) {
  add_rows(x + i * p, values, m, p, sum);
  if (q > p) {
    for (std::int64_t k = 0; k < m; ++k) sum[p] += values[k];
  }
}

// One pass over rows first ... last - 1: adds to sum (q) the rows of the design times the values that
// f(i, m, eta, values) gives m rows from row i on.
template <typename T, typename F>
void sum_rows(const T* x, const double* coef, std::int64_t p, std::int64_t q, std::int64_t first, std::int64_t last,
              double* sum, const F& f) {
  for_cached_rows(x, p, first, last, [&](std::int64_t i, std::int64_t m) {
    double eta[kMostRows], values[kMostRows];
    predict(x, coef, p, q, i, i + m, eta);
    f(i, m, eta, values);
    add_to_sum(x, values, i, m, p, q, sum);
  });
}

// values (m) = the weighted residuals of m samples from sample i on
void weighted_residuals(const double* eta, const double* y, const double* weight, std::int64_t i, std::int64_t m,
                        double* values) {
  kernels().rows.residuals(eta, y + i, m, values);
  if (weight == nullptr) return;
  for (std::int64_t k = 0; k < m; ++k) values[k] = weight[i + k] * values[k];
}

std::int64_t tiles_of_task(std::int64_t q) {
  return std::max<std::int64_t>(
      1, static_cast<std::int64_t>(kTaskOperations / static_cast<double>(2 * kTileRows * (q + 8))));
}

// Applies f(first, last) to blocks of rows.
template <typename F>
void for_blocks(std::int64_t n, std::int64_t block, int threads, const F& f) {
  parallel_for((n + block - 1) / block, threads,
               [&](std::int64_t task) { f(task * block, std::min(n, (task + 1) * block)); });
}

}  // namespace

LogisticSums::LogisticSums(std::int64_t p, bool intercept, int order, const double* coef, bool single)
    : p_(p),
      q_(p + (intercept ? 1 : 0)),
      order_(order),
      width_(1 + (order >= 1 ? q_ : 0)),
      coef_(coef, coef + q_),
      tile_(width_, 0.0),
      hessian_(p, intercept, single) {
  if (order < 0 || order > 2) throw std::invalid_argument("LogisticSums: order is out of range");
}

template <typename T>
void LogisticSums::add(const T* x, const double* y, const double* weight, std::int64_t n, int threads) {
  if (n == 0) return;
  // Tiles by absolute row number: the first goes on with the open one, and the last may stay open.
  const std::int64_t tiles = (tile_rows_ + n + kTileRows - 1) / kTileRows;
  std::vector<double> sums(tiles * width_, 0.0);
  std::copy(tile_.begin(), tile_.end(), sums.begin());
  std::vector<double> curvatures(order_ >= 2 ? n : 0);
  for_blocks(tiles, tiles_of_task(q_), threads, [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t tile = from; tile < to; ++tile) {
      double* out = sums.data() + tile * width_;
      const std::int64_t first = std::max<std::int64_t>(0, tile * kTileRows - tile_rows_);
      const std::int64_t last = std::min(n, (tile + 1) * kTileRows - tile_rows_);
      const auto add_losses = [&](std::int64_t i, std::int64_t m, const double* eta) {
        for (std::int64_t k = 0; k < m; ++k) {
          const double w = weight == nullptr ? 1.0 : weight[i + k];
          out[0] += w * point::log_loss(eta[k], y[i + k]);
          if (order_ >= 2) curvatures[i + k] = w * point::curvature(eta[k]);
        }
      };
      if (order_ >= 1) {
        const auto use = [&](std::int64_t i, std::int64_t m, const double* eta, double* values) {
          add_losses(i, m, eta);
          weighted_residuals(eta, y, weight, i, m, values);
        };
        sum_rows(x, coef_.data(), p_, q_, first, last, out + 1, use);
      } else {
        for_cached_rows(x, p_, first, last, [&](std::int64_t i, std::int64_t m) {
          double eta[kMostRows];
          predict(x, coef_.data(), p_, q_, i, i + m, eta);
          add_losses(i, m, eta);
        });
      }
    }
  });
  tile_rows_ = (tile_rows_ + n) % kTileRows;
  const std::int64_t whole = tile_rows_ == 0 ? tiles : tiles - 1;
  for (std::int64_t tile = 0; tile < whole; ++tile) {
    std::vector<double> node = tree_.zeros(width_);
    std::copy_n(sums.data() + tile * width_, width_, node.data());
    tree_.push(std::move(node), 0);
  }
  if (tile_rows_ == 0) {
    std::fill(tile_.begin(), tile_.end(), 0.0);
  } else {
    std::copy_n(sums.data() + whole * width_, width_, tile_.data());
  }
  if (order_ >= 2) hessian_.add(x, curvatures.data(), n, threads);
}

template void LogisticSums::add<float>(const float*, const double*, const double*, std::int64_t, int);
template void LogisticSums::add<double>(const double*, const double*, const double*, std::int64_t, int);

void LogisticSums::total(double* loss, double* gradient, double* hessian, int threads) const {
  // Adding zeros changes no sum, so a tile of no rows at the right end is no tile.
  const std::vector<double> sums = tree_.total(tile_);
  if (loss != nullptr) *loss = sums[0];
  if (order_ >= 1 && gradient != nullptr) std::copy_n(sums.data() + 1, q_, gradient);
  if (order_ >= 2 && hessian != nullptr) hessian_.total(hessian, threads);
}

void linear_predictor(const Design& rows, const double* coef, std::int64_t b, double* eta, int threads) {
  const std::int64_t p = rows.p, q = rows.q();
  with_elements(rows, [&](const auto* x) {
    for_blocks(rows.n, kBlockRows, threads, [&](std::int64_t first, std::int64_t last) {
      for_cached_rows(x, p, first, last, [&](std::int64_t i, std::int64_t m) {
        for (std::int64_t j = 0; j < b; ++j) {
          double values[kMostRows];
          predict(x, coef + j * q, p, q, i, i + m, values);
          for (std::int64_t k = 0; k < m; ++k) eta[(i + k) * b + j] = values[k];
        }
      });
    });
  });
}

void sum_of_rows(const Design& rows, const double* factors, std::int64_t b, double* sum, int threads) {
  const std::int64_t p = rows.p, q = rows.q(), tiles = (rows.n + kTileRows - 1) / kTileRows;
  const std::int64_t most = std::max<std::int64_t>(1, kWaveMemory / (8 * std::max<std::int64_t>(1, b * q)));
  TreeSum tree;
  for (std::int64_t done = 0; done < tiles; done += most) {
    std::vector<std::vector<double>> sums;
    for (std::int64_t tile = done; tile < std::min(tiles, done + most); ++tile) sums.push_back(tree.zeros(b * q));
    with_elements(rows, [&](const auto* x) {
      parallel_for(static_cast<std::int64_t>(sums.size()), threads, [&](std::int64_t task) {
        const std::int64_t first = (done + task) * kTileRows, last = std::min(rows.n, first + kTileRows);
        for_cached_rows(x, p, first, last, [&](std::int64_t i, std::int64_t m) {
          for (std::int64_t j = 0; j < b; ++j) {
            double values[kMostRows];
            for (std::int64_t k = 0; k < m; ++k) values[k] = factors[(i + k) * b + j];
            add_to_sum(x, values, i, m, p, q, sums[task].data() + j * q);
          }
        });
      });
    });
    for (std::vector<double>& tile : sums) tree.push(std::move(tile), 0);
  }
  const std::vector<double> total = tree.total(std::vector<double>(b * q, 0.0));
  std::copy(total.begin(), total.end(), sum);
}

void gradient(const Design& rows, const double* coef, const double* y, const double* weight, double* eta, double* sum,
              int threads) {
  const std::int64_t q = rows.q(), tiles = (rows.n + kTileRows - 1) / kTileRows;
  std::vector<std::vector<double>> sums(tiles);
  with_elements(rows, [&](const auto* x) {
    for_blocks(tiles, tiles_of_task(q), threads, [&](std::int64_t from, std::int64_t to) {
      for (std::int64_t tile = from; tile < to; ++tile) {
        sums[tile].assign(q, 0.0);
        sum_rows(x, coef, rows.p, q, tile * kTileRows, std::min(rows.n, (tile + 1) * kTileRows), sums[tile].data(),
                 [=](std::int64_t i, std::int64_t m, const double* at, double* values) {
                   std::copy_n(at, m, eta + i);
                   weighted_residuals(at, y, weight, i, m, values);
                 });
      }
    });
  });
  TreeSum tree;
  for (std::vector<double>& tile : sums) tree.push(std::move(tile), 0);
  const std::vector<double> total = tree.total(std::vector<double>(q, 0.0));
  std::copy(total.begin(), total.end(), sum);
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
  for_blocks(n, kBlockRows, threads, [=](std::int64_t first, std::int64_t last) {
    kernels().rows.residuals(eta + first, y + first, last - first, out + first);
  });
}

void curvature(const double* eta, std::int64_t n, double* out, int threads) {
  for_blocks(n, kBlockRows, threads, [=](std::int64_t first, std::int64_t last) {
    kernels().rows.curvatures(eta + first, last - first, out + first);
  });
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
