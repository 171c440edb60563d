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

RowSums::RowSums(std::int64_t p, bool intercept, std::int64_t b, std::int64_t first_row, std::int64_t rows_of_tile)
    : TiledSums(b * (p + intercept), rows_of_tile, first_row), p_(p), q_(p + intercept), b_(b) {
  if (p < 0 || b < 0) throw std::invalid_argument("RowSums: p or b is negative");
}

// Applies f(first, last, sums) to the rows of every tile among the next n.
template <typename F>
void RowSums::add_tiles(std::int64_t n, int threads, const F& f) {
  struct Tile {
    std::int64_t first, last;
    std::vector<double> sums;
  };
  check_open();
  const std::int64_t most = std::max<std::int64_t>(1, kWaveMemory / (8 * std::max<std::int64_t>(1, width_)));
  for (std::int64_t done = 0; done < n;) {
    std::vector<Tile> tiles;
    while (done < n && static_cast<std::int64_t>(tiles.size()) < most) {
      const std::int64_t open = tiles.empty() ? open_rows_ : 0, rows = std::min(n - done, tile_rows_ - open);
      tiles.push_back({done, done + rows, open > 0 ? std::move(tile_) : tree_.zeros(width_)});
      done += rows;
    }
    const auto n_tiles = static_cast<std::int64_t>(tiles.size());
    for_blocks(n_tiles, tiles_of_task(width_), threads, [&](std::int64_t from, std::int64_t to) {
      for (std::int64_t t = from; t < to; ++t) f(tiles[t].first, tiles[t].last, tiles[t].sums.data());
    });
    for (Tile& tile : tiles) end_tile(std::move(tile.sums), tile.last - tile.first);
  }
}

template <typename T>
void RowSums::add(const T* x, const double* factors, std::int64_t n, int threads) {
  add_tiles(n, threads, [&](std::int64_t first, std::int64_t last, double* sums) {
    for_cached_rows(x, p_, first, last, [&](std::int64_t i, std::int64_t m) {
      for (std::int64_t j = 0; j < b_; ++j) {
        double values[kMostRows];
        for (std::int64_t k = 0; k < m; ++k) values[k] = factors[(i + k) * b_ + j];
        add_to_sum(x, values, i, m, p_, q_, sums + j * q_);
      }
    });
  });
}

template <typename T>
void RowSums::add_residuals(const T* x, const double* coef, const double* y, const double* weight, std::int64_t n,
                            double* eta, int threads) {
  add_tiles(n, threads, [&](std::int64_t first, std::int64_t last, double* sums) {
    for_cached_rows(x, p_, first, last, [&](std::int64_t i, std::int64_t m) {
      double values[kMostRows];
      predict(x, coef, p_, q_, i, i + m, eta + i);
      weighted_residuals(eta + i, y, weight, i, m, values);
      add_to_sum(x, values, i, m, p_, q_, sums);
    });
  });
}

template void RowSums::add<float>(const float*, const double*, std::int64_t, int);
template void RowSums::add<double>(const double*, const double*, std::int64_t, int);

void RowSums::total(double* out) const {
  std::vector<double> last = tile_;
  last.resize(width_, 0.0);
  const std::vector<double> sums = tree_.total(std::move(last));
  std::copy(sums.begin(), sums.end(), out);
}

void sum_of_rows(const Design& rows, const double* factors, std::int64_t b, double* sum, int threads) {
  RowSums sums(rows.p, rows.intercept, b);
  with_elements(rows, [&](const auto* x) { sums.add(x, factors, rows.n, threads); });
  sums.total(sum);
}

void gradient(const Design& rows, const double* coef, const double* y, const double* weight, double* eta, double* sum,
              int threads) {
  RowSums sums(rows.p, rows.intercept, 1);
  with_elements(rows, [&](const auto* x) { sums.add_residuals(x, coef, y, weight, rows.n, eta, threads); });
  sums.total(sum);
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
