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

constexpr std::int64_t kPadding = 16;       // rows are whole vectors, and whole tiles, at every level
constexpr std::int64_t kMostTried = 192;    // proposals of a batch, most of which are rejected at once
constexpr std::int64_t kPanelsPerTask = 4;  // of a refresh: well under a millisecond
constexpr double kPackFirst = 8.0;          // where n is less than this times k, bounds are soon refreshed: begin so
constexpr double kReadElement = 16.0;       // multiply-adds that reading an element of Y costs
constexpr double kTry = 1000.0;             // and a proposal, beside its row and its products
constexpr double kCancelled = 1e-2;         // of a squared row: where less is left, it is orthogonalised again
constexpr double kLeastTotal = 1e-9;        // of the bounds of all rows: it is 1 or more where Y is of full rank

std::int64_t round_up(std::int64_t n, std::int64_t step) { return (n + step - 1) / step * step; }

double dot(const double* x, const double* y, std::int64_t n) { return kernels().linalg.dot_f64(x, y, n); }

}  // namespace

void ProjectionDraw::run(const SpectralKernel& kernel, const ProjectionColumns& columns, const std::uint64_t* key,
                         std::int64_t draw, int threads, std::int64_t* order) {
  start(kernel, columns);
  InterruptPoller poller;
  if (!columns.of_complement.empty() || static_cast<double>(kernel.n) < kPackFirst * static_cast<double>(k_)) {
    refresh(threads);
  }
  for (index attempt = 0; taken_ < k_;) {
    if (wasted_ > cost_of_refresh()) refresh(threads);
    const index tried = batch_size(), before = taken_;
    likely_.clear();
    for (const index last = attempt + tried; attempt < last; ++attempt) {
      const point::Words4 words = point::philox4x64(
          {{static_cast<std::uint64_t>(attempt), static_cast<std::uint64_t>(draw), counters::kItems, counters::kDpp}},
          key[0], key[1]);
      const double u = point::unit_interval(words.word[0]) * sums()[kernel.n - 1];
      propose(std::upper_bound(sums(), sums() + kernel.n, u) - sums(), point::unit_interval(words.word[1]));
    }
    sift();
    wasted_ +=
        static_cast<double>(tried) * (static_cast<double>(k_) * (static_cast<double>(taken_) + kReadElement) + kTry);
    decide(order);
    wasted_ *= 1.0 - static_cast<double>(taken_ - before) / static_cast<double>(tried);
    poller.poll();
  }
}

void ProjectionDraw::start(const SpectralKernel& kernel, const ProjectionColumns& columns) {
  const index rows = kernels().linalg.rows, width = kernels().linalg.in_double.columns;
  kernel_ = &kernel;
  columns_ = &columns;
  k_ = columns.count();
  stride_ = round_up(k_, kPadding);
  taken_ = current_ = 0;
  wasted_ = 0.0;
  packed_ = false;
  basis_.resize(k_ * stride_);
  basis_blocks_.resize(round_up(k_, rows) * stride_);
  is_taken_.assign(kernel.n, 0);
  tried_.clear();
  tried_rows_.assign(width * stride_, 0.0);
  tried_panel_.resize(width * stride_);
  products_.resize(width * round_up(k_, rows));
  likely_rows_.resize(kBatch * stride_);
  likely_products_.resize(kBatch * k_);
}

// As many proposals as give a batch of accepted ones, or all that are still wanted, if what is expected comes true. It
// is often a quotient of integers but for rounding: they are all far from where it is rounded up.
std::int64_t ProjectionDraw::batch_size() const {
  constexpr double kRoundedUp = 0.6180339887498949;      // the golden ratio is hardest to come near
  const double left = static_cast<double>(k_ - taken_);  // the sum of what is left of all squared rows
  const double wanted = std::min(left, static_cast<double>(kBatch)) * sums()[kernel_->n - 1] / left;
  return std::clamp(static_cast<index>(wanted + kRoundedUp), index{1}, kMostTried);
}

void ProjectionDraw::row_of(index item, double* __restrict row) const {
  const index r = kernel_->r;
  const double* __restrict vector = kernel_->vectors + item * r;
  const index* __restrict columns = columns_->of_vectors.data();
  const index count = static_cast<index>(columns_->of_vectors.size());
  for (index j = 0; j < count; ++j) row[j] = vector[columns[j]];
  row += count;
  for (const index column : columns_->of_complement) {
    const double* reflector = kernel_->reflector;
    *row++ = (item == column ? 1.0 : 0.0) - dot(reflector + item * r, reflector + column * r, r);
  }
}

// Tries an item, or n where a sum was rounded; it will be accepted where u times its bound is below what is left.
void ProjectionDraw::propose(index item, double u) {
  if (item == kernel_->n || is_taken_[item]) return;
  const double bound = sums()[item] - (item > 0 ? sums()[item - 1] : 0.0);
  double* row = tried_rows_.data() + static_cast<index>(tried_.size()) * stride_;
  row_of(item, row);
  const double whole = dot(row, row, stride_);
  const double rounding = 4.0 * static_cast<double>(k_) * std::numeric_limits<double>::epsilon();
  tried_.push_back({item, std::max(u * bound, rounding * whole), whole});
  if (static_cast<index>(tried_.size()) == kernels().linalg.in_double.columns) sift();
}

// Of the items that are tried, those of which enough is left so far are likely to be taken.
void ProjectionDraw::sift() {
  const auto& linalg = kernels().linalg;
  const index rows = linalg.rows, width = linalg.in_double.columns, count = static_cast<index>(tried_.size());
  if (count == 0 || static_cast<index>(likely_.size()) == kBatch) return tried_.clear();
  linalg.in_double.pack_f64(tried_rows_.data(), count, stride_, stride_, tried_panel_.data());
  double left[kBatch] = {};
  for (index lane = 0; lane < count; ++lane) left[lane] = tried_[lane].whole;
  for (index first = 0; first < taken_; first += rows) {
    double* tile = products_.data() + first * width;
    std::fill_n(tile, rows * width, 0.0);
    linalg.add_product(stride_, basis_blocks_.data() + first * stride_, rows, tried_panel_.data(), tile, width);
    for (index i = 0; i < rows; ++i, tile += width) {
      for (index lane = 0; lane < width; ++lane) left[lane] -= tile[lane] * tile[lane];
    }
  }
  for (index lane = 0; lane < count && static_cast<index>(likely_.size()) < kBatch; ++lane) {
    if (!(left[lane] > tried_[lane].limit)) continue;
    const index place = static_cast<index>(likely_.size()), panel = place / width, column = place % width;
    double* left_of_row = likely_rows_.data() + panel * width * stride_ + column;
    double* products = likely_products_.data() + panel * width * k_ + column;
    for (index j = 0; j < stride_; ++j) left_of_row[j * width] = tried_rows_[lane * stride_ + j];
    for (index i = 0; i < taken_; ++i) products[i * width] = products_[i * width + lane];
    likely_.push_back(tried_[lane]);
  }
  tried_.clear();
}

// Makes likely_rows_ what is left of them, and gram (kBatch x kBatch, the upper triangle) their products.
void ProjectionDraw::reduce(double* gram) {
  const auto& linalg = kernels().linalg;
  const index rows = linalg.rows, width = linalg.in_double.columns;
  const index panels = (static_cast<index>(likely_.size()) + width - 1) / width;
  for (index panel = 0; panel < panels; ++panel) {
    double* left = likely_rows_.data() + panel * width * stride_;
    const double* products = likely_products_.data() + panel * width * k_;
    for (index j = 0; j < stride_; j += rows) {
      linalg.subtract_product(taken_, basis_.data() + j, stride_, products, left + j * width, width);
    }
    for (index i = 0; i < (panel + 1) * width; i += rows) {
      const double* others = likely_rows_.data() + i / width * width * stride_ + i % width;
      linalg.add_product(stride_, others, width, left, gram + i * kBatch + panel * width, kBatch);
    }
  }
}

// Takes items of the batch, one after the other, each where enough is left of it beside those before: a Cholesky factor
// of their products, of which rows are left out.
void ProjectionDraw::decide(index* order) {
  alignas(64) double gram[kBatch * kBatch] = {};
  reduce(gram);
  const index count = static_cast<index>(likely_.size());
  std::vector<index> lanes;
  for (index i = 0; i < count && taken_ < k_; ++i) {
    const Proposal& proposal = likely_[i];
    double* factor = gram + i * kBatch;
    if (is_taken_[proposal.item] || !(factor[i] > proposal.limit)) continue;
    const double root = std::sqrt(factor[i]);
    for (index j = i; j < count; ++j) factor[j] /= root;
    for (index j = i + 1; j < count; ++j) {
      for (index l = j; l < count; ++l) gram[j * kBatch + l] -= factor[j] * factor[l];
    }
    double coefficients[kBatch];
    for (std::size_t j = 0; j < lanes.size(); ++j) coefficients[j] = -gram[lanes[j] * kBatch + i];
    append_to_basis(i, coefficients, static_cast<index>(lanes.size()));
    lanes.push_back(i);
    is_taken_[proposal.item] = 1;
    order[taken_ - 1] = proposal.item;
  }
}

// Appends what is left of the row in a lane of the batch, with coefficients of the last `count` vectors of the basis.
void ProjectionDraw::append_to_basis(index lane, const double* coefficients, index count) {
  const index rows = kernels().linalg.rows, width = kernels().linalg.in_double.columns;
  const double* left = likely_rows_.data() + lane / width * width * stride_ + lane % width;
  double* added = basis_.data() + taken_ * stride_;
  for (index j = 0; j < stride_; ++j) added[j] = left[j * width];
  kernels().rows.add_rows_f64(added - count * stride_, coefficients, count, stride_, added);
  double rest = dot(added, added, stride_);
  if (rest < kCancelled * likely_[lane].whole) rest = orthogonalise(added);
  const double scale = 1.0 / std::sqrt(rest);
  double* block = basis_blocks_.data() + taken_ / rows * rows * stride_;
  if (taken_ % rows == 0) std::fill_n(block, rows * stride_, 0.0);
  for (index j = 0; j < stride_; ++j) {
    added[j] *= scale;
    block[j * rows + taken_ % rows] = added[j];
  }
  ++taken_;
}

// Subtracts the row's projection onto the basis; returns the square of what is left.
double ProjectionDraw::orthogonalise(double* row) const {
  constexpr index kTogether = 8;  // of the basis, that are read once for product and subtraction
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

// In multiply-adds.
double ProjectionDraw::cost_of_refresh() const {
  const double n = static_cast<double>(kernel_->n), k = static_cast<double>(k_);
  return n * k * (static_cast<double>(taken_ - current_) + (packed_ ? 0.0 : kReadElement));
}

// Brings the bounds of all items up to date.
void ProjectionDraw::refresh(int threads) {
  const index n = kernel_->n, width = kernels().linalg.in_double.columns, panels = (n + width - 1) / width;
  const bool pack = !packed_;
  if (pack) {
    panels_.resize(panels * width * stride_);
    bounds_.resize(panels * width);
    sums_.resize(n);
    current_ = 0;
  }
  Spares<AlignedVector<double>> spares;
  parallel_for((panels + kPanelsPerTask - 1) / kPanelsPerTask, threads, [&](index task) {
    for (index panel = task * kPanelsPerTask; panel < std::min(panels, (task + 1) * kPanelsPerTask); ++panel) {
      if (pack) {
        spares.with([&](AlignedVector<double>& rows) {
          rows.resize(width * stride_);
          pack_rows(panel, rows.data());
        });
      }
      shorten_bounds(panel);
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

void ProjectionDraw::pack_rows(index panel, double* rows) {
  const auto& tiles = kernels().linalg.in_double;
  const index width = tiles.columns, first = panel * width, count = std::min(width, kernel_->n - first);
  for (index i = 0; i < count; ++i) {
    row_of(first + i, rows + i * stride_);
    bounds_[first + i] = dot(rows + i * stride_, rows + i * stride_, stride_);
  }
  tiles.pack_f64(rows, count, stride_, stride_, panels_.data() + panel * width * stride_);
}

// Subtracts the squared products of the rows of a panel with what is new in the basis.
void ProjectionDraw::shorten_bounds(index panel) {
  constexpr index kLargestTile = 256;
  const auto& linalg = kernels().linalg;
  const index rows = linalg.rows, width = linalg.in_double.columns;
  alignas(64) double tile[kLargestTile];
  double* bounds = bounds_.data() + panel * width;
  for (index first = current_ / rows * rows; first < taken_; first += rows) {
    std::fill_n(tile, rows * width, 0.0);
    linalg.add_product(stride_, basis_blocks_.data() + first * stride_, rows, panels_.data() + panel * width * stride_,
                       tile, width);
    for (index i = std::max<index>(0, current_ - first); i < rows; ++i) {
      for (index j = 0; j < width; ++j) bounds[j] -= tile[i * width + j] * tile[i * width + j];
    }
  }
  for (index j = 0; j < width; ++j) bounds[j] = std::max(0.0, bounds[j]);
}

}  // namespace augcore
