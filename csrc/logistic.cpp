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
constexpr double kTaskOperations = 1e6;    // multiply-adds of one task that sums losses and gradients

double dot(const float* x, const double* y, std::int64_t n) { return kernels().linalg.dot_f32(x, y, n); }
double dot(const double* x, const double* y, std::int64_t n) { return kernels().linalg.dot_f64(x, y, n); }
void axpy(double a, const float* x, double* out, std::int64_t n) { kernels().linalg.axpy_f32(a, x, out, n); }
void axpy(double a, const double* x, double* out, std::int64_t n) { kernels().linalg.axpy_f64(a, x, out, n); }

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
  const auto per_task = std::max<std::int64_t>(
      1, static_cast<std::int64_t>(kTaskOperations / static_cast<double>(2 * kTileRows * (q_ + 8))));
  for_blocks(tiles, per_task, threads, [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t tile = from; tile < to; ++tile) {
      double* out = sums.data() + tile * width_;
      const std::int64_t first = std::max<std::int64_t>(0, tile * kTileRows - tile_rows_);
      const std::int64_t last = std::min(n, (tile + 1) * kTileRows - tile_rows_);
      for (std::int64_t i = first; i < last; ++i) {
        const double eta = predict(x + i * p_, coef_.data(), p_, q_);
        const double w = weight == nullptr ? 1.0 : weight[i];
        out[0] += w * point::log_loss(eta, y[i]);
        if (order_ >= 1) {
          const double r = w * point::residual(eta, y[i]);
          axpy(r, x + i * p_, out + 1, p_);
          if (q_ > p_) out[1 + p_] += r;
        }
        if (order_ >= 2) curvatures[i] = w * point::curvature(eta);
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

void linear_predictor(const Design& rows, const double* coef, double* eta, int threads) {
  with_elements(rows, [&](const auto* x) {
    for_blocks(rows.n, kBlockRows, threads, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i) eta[i] = predict(x + i * rows.p, coef, rows.p, rows.q());
    });
  });
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
