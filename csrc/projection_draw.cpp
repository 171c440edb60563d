#include "projection_draw.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "augcore/point/exponential_key.hpp"
#include "augcore/point/philox.hpp"
#include "augcore/threads.hpp"
#include "random_counters.hpp"
#include "simd/levels.hpp"
#include "spares.hpp"

namespace augcore {
namespace {

using simd::kernels;

constexpr std::int64_t kLanes = 16;         // the rows of the basis are padded to whole vectors of any level
constexpr std::int64_t kTried = 32;         // of the basis, before it is seen whether a proposal is rejected
constexpr std::int64_t kTogether = 8;       // of the basis, that are read once for product and subtraction
constexpr std::int64_t kPanelsPerTask = 4;  // of a refresh: well under a millisecond
constexpr double kPackFirst = 8.0;          // where n is less than this times k, bounds are soon refreshed: begin so
constexpr double kTry = 64.0;               // multiply-adds that a proposal costs beside its row and products
constexpr double kProductSpeed = 3.0;       // of products of matrices, over that of products with a row
constexpr double kCancelled = 1e-4;         // of a squared row: where less is left, it is orthogonalised twice
constexpr double kLeastTotal = 1e-9;        // of the bounds of all rows: it is 1 or more where Y is of full rank

std::int64_t round_up(std::int64_t n, std::int64_t step) { return (n + step - 1) / step * step; }

double dot(const double* x, const double* y, std::int64_t n) { return kernels().linalg.dot_f64(x, y, n); }

}  // namespace

void ProjectionDraw::run(const SpectralKernel& kernel, const ProjectionColumns& columns, const std::uint64_t* key,
                         std::int64_t draw, int threads, std::int64_t* order) {
  kernel_ = &kernel;
  columns_ = &columns;
  start(kernel, columns);
  InterruptPoller poller;
  if (!columns.of_complement.empty() || static_cast<double>(kernel.n) < kPackFirst * static_cast<double>(k_)) {
    refresh(threads);
  }
  for (std::uint64_t attempt = 0; taken_ < k_; ++attempt) {
    const point::Words4 words = point::philox4x64(
        {{attempt, static_cast<std::uint64_t>(draw), counters::kItems, counters::kDpp}}, key[0], key[1]);
    double bound = 0.0;
    const index item = propose(point::unit_interval(words.word[0]), &bound);
    if (item < kernel.n && !is_taken_[item] && accept(item, point::unit_interval(words.word[1]) * bound)) {
      is_taken_[item] = 1;
      order[taken_++] = item;
    } else if (wasted_ > cost_of_refresh()) {
      refresh(threads);
    }
    poller.poll();
  }
}

void ProjectionDraw::start(const SpectralKernel& kernel, const ProjectionColumns& columns) {
  k_ = columns.count();
  stride_ = round_up(k_, kLanes);
  taken_ = current_ = 0;
  wasted_ = 0.0;
  packed_ = false;
  basis_.resize(k_ * stride_);
  row_.assign(stride_, 0.0);
  coefficients_.resize(std::max(kTried, kTogether));
  is_taken_.assign(kernel.n, 0);
}

void ProjectionDraw::row_of(index item, double* row) const {
  const index r = kernel_->r;
  const double* vector = kernel_->vectors + item * r;
  for (const index column : columns_->of_vectors) *row++ = vector[column];
  for (const index column : columns_->of_complement) {
    const double* reflector = kernel_->reflector;
    *row++ = (item == column ? 1.0 : 0.0) - dot(reflector + item * r, reflector + column * r, r);
  }
}

// An item, with probability proportional to its bound; n by a rounded sum.
std::int64_t ProjectionDraw::propose(double u, double* bound) const {
  const double* sums = packed_ ? sums_.data() : kernel_->leverage;
  const index item = std::upper_bound(sums, sums + kernel_->n, u * sums[kernel_->n - 1]) - sums;
  if (item < kernel_->n) *bound = sums[item] - (item > 0 ? sums[item - 1] : 0.0);
  return item;
}

// Whether more than `limit` is left of the squared row of an item; if so, what is left becomes part of the basis.
bool ProjectionDraw::accept(index item, double limit) {
  row_of(item, row_.data());
  const double whole = dot(row_.data(), row_.data(), stride_);
  double left = packed_ ? bounds_[item] : whole;
  limit = std::max(limit, 4.0 * static_cast<double>(k_) * std::numeric_limits<double>::epsilon() * whole);
  index known = current_;
  for (; known < taken_ && left > limit; known += kTried) {
    const index count = std::min(kTried, taken_ - known);
    kernels().rows.dots_f64(basis_.data() + known * stride_, count, stride_, row_.data(), coefficients_.data());
    for (index i = 0; i < count; ++i) left -= coefficients_[i] * coefficients_[i];
  }
  if (!(left > limit)) {
    wasted_ += static_cast<double>(k_) * static_cast<double>(1 + known - current_) + kTry;
    return false;
  }
  double rest = orthogonalise(row_.data());
  if (rest < kCancelled * whole) rest = orthogonalise(row_.data());
  const double scale = 1.0 / std::sqrt(rest);
  double* added = basis_.data() + taken_ * stride_;
  for (index j = 0; j < stride_; ++j) added[j] = scale * row_[j];
  return rest > 0.0;
}

// Subtracts the row's projection onto the basis; returns the square of what is left.
double ProjectionDraw::orthogonalise(double* row) const {
  double coefficients[kTogether];
  for (index i = 0; i < taken_; i += kTogether) {
    const index count = std::min(kTogether, taken_ - i);
    const double* some = basis_.data() + i * stride_;
    kernels().rows.dots_f64(some, count, stride_, row, coefficients);
    for (index j = 0; j < count; ++j) coefficients[j] = -coefficients[j];
    kernels().rows.add_rows_f64(some, coefficients, count, stride_, row);
  }
  return dot(row, row, stride_);
}

// In multiply-adds at the speed of products with a row.
double ProjectionDraw::cost_of_refresh() const {
  const double n = static_cast<double>(kernel_->n);
  const double products = n * static_cast<double>(k_) * static_cast<double>(taken_ - current_) / kProductSpeed;
  return products + n * static_cast<double>(packed_ ? 4 : kernel_->r);
}

void ProjectionDraw::refresh(int threads) {
  const index n = kernel_->n, width = kernels().linalg.in_double.columns;
  const bool pack = !packed_;
  const index panels = (n + width - 1) / width;
  if (pack) {
    panels_.resize(panels * width * k_);
    bounds_.resize(panels * width);
    sums_.resize(n);
  }
  pack_basis(pack ? 0 : current_);
  const index blocks = (taken_ - (pack ? 0 : current_) + kernels().linalg.rows - 1) / kernels().linalg.rows;
  Spares<AlignedVector<double>> spares;
  parallel_for((panels + kPanelsPerTask - 1) / kPanelsPerTask, threads, [&](index task) {
    for (index panel = task * kPanelsPerTask; panel < std::min(panels, (task + 1) * kPanelsPerTask); ++panel) {
      if (pack) {
        spares.with([&](AlignedVector<double>& rows) {
          rows.resize(width * k_);
          pack_rows(panel, rows.data());
        });
      }
      shorten_bounds(panel, blocks);
    }
  });
  double sum = 0.0;
  for (index i = 0; i < n; ++i) {
    if (is_taken_[i]) bounds_[i] = 0.0;
    sums_[i] = sum += bounds_[i];
  }
  if (!(sum > kLeastTotal)) throw std::invalid_argument("vectors: fewer of their rows than k are independent");
  packed_ = true;
  current_ = taken_;
  wasted_ = 0.0;
}

// Rows from ... taken_ - 1 of the basis, column by column in blocks of as many rows as a tile has, zeros behind them.
void ProjectionDraw::pack_basis(index from) {
  const index rows = kernels().linalg.rows;
  packed_basis_.assign(round_up(taken_ - from, rows) * k_, 0.0);
  for (index i = from; i < taken_; ++i) {
    double* block = packed_basis_.data() + (i - from) / rows * rows * k_ + (i - from) % rows;
    for (index j = 0; j < k_; ++j) block[j * rows] = basis_[i * stride_ + j];
  }
}

void ProjectionDraw::pack_rows(index panel, double* rows) {
  const auto& tiles = kernels().linalg.in_double;
  const index width = tiles.columns, first = panel * width, count = std::min(width, kernel_->n - first);
  for (index i = 0; i < count; ++i) {
    row_of(first + i, rows + i * k_);
    bounds_[first + i] = dot(rows + i * k_, rows + i * k_, k_);
  }
  tiles.pack_f64(rows, count, k_, k_, panels_.data() + panel * width * k_);
}

// Subtracts the squared products of the rows of a panel with the packed basis.
void ProjectionDraw::shorten_bounds(index panel, index blocks) {
  constexpr index kLargestTile = 256;
  const auto& linalg = kernels().linalg;
  const index rows = linalg.rows, width = linalg.in_double.columns;
  alignas(64) double tile[kLargestTile];
  double* bounds = bounds_.data() + panel * width;
  for (index block = 0; block < blocks; ++block) {
    std::fill_n(tile, rows * width, 0.0);
    linalg.add_product(k_, packed_basis_.data() + block * rows * k_, rows, panels_.data() + panel * width * k_, tile,
                       width);
    for (index i = 0; i < rows; ++i) {
      for (index j = 0; j < width; ++j) bounds[j] -= tile[i * width + j] * tile[i * width + j];
    }
  }
  for (index j = 0; j < width; ++j) bounds[j] = std::max(0.0, bounds[j]);
}

}  // namespace augcore
