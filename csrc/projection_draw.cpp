#include "projection_draw.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "augcore/point/exponential_key.hpp"
#include "augcore/point/philox.hpp"
#include "augcore/point/random_counters.hpp"
#include "augcore/threads.hpp"
#include "simd/levels.hpp"

namespace augcore {
namespace {

using simd::kernels;

constexpr std::int64_t kPadding = 48;      // rows are whole vectors and whole tiles, at every level
constexpr std::int64_t kMostTried = 1000;  // proposals of a batch
constexpr std::int64_t kRowsPerTask = 128;
constexpr double kPatience = 1000.0;  // times the proposals that an item is expected to take

std::int64_t round_up(std::int64_t n, std::int64_t step) { return (n + step - 1) / step * step; }

double dot(const double* x, const double* y, std::int64_t n) { return kernels().linalg.dot_f64(x, y, n); }

}  // namespace

void ProjectionDraw::run(const SpectralKernel& kernel, const ProjectionColumns& columns, const std::uint64_t* key,
                         std::int64_t draw, int threads, std::int64_t* order) {
  start(kernel, columns, threads);
  InterruptPoller poller;
  double tried = 0.0;
  for (index attempt = 0; taken_ < k_;) {
    const index before = taken_;
    likely_.clear();
    pack(basis_.data() + taken_ * stride_, k_ - taken_, &basis_panels_);
    for (const index last = attempt + batch_size(); attempt < last; ++attempt, ++tried) {
      const point::Words4 words = point::philox4x64(
          {{static_cast<std::uint64_t>(attempt), static_cast<std::uint64_t>(draw), counters::kItems, counters::kDpp}},
          key[0], key[1]);
      const double u = point::unit_interval(words.word[0]) * sums_[kernel.n - 1];
      propose(std::upper_bound(sums_, sums_ + kernel.n, u) - sums_, point::unit_interval(words.word[1]));
    }
    sift();
    decide(order);
    if (taken_ > before) tried = 0.0;
    if (tried > kPatience * (1.0 + sums_[kernel.n - 1])) {
      throw std::invalid_argument("vectors: fewer of their rows than k are independent");
    }
    poller.poll();
  }
}

void ProjectionDraw::start(const SpectralKernel& kernel, const ProjectionColumns& columns, int threads) {
  kernel_ = &kernel;
  columns_ = &columns;
  k_ = columns.count();
  stride_ = round_up(k_, kPadding);
  taken_ = 0;
  is_taken_.assign(kernel.n, 0);
  basis_.assign((k_ + kPadding) * stride_, 0.0);
  for (index i = 0; i < k_; ++i) basis_[i * stride_ + i] = 1.0;
  tried_.clear();
  tried_rows_.assign(kBatch * stride_, 0.0);
  coordinates_.resize(kBatch * stride_);
  likely_rows_.assign(kBatch * stride_, 0.0);
  reflections_.resize(kBatch * stride_);
  triangle_.resize(kBatch * kBatch);
  products_.resize(kBatch * stride_);

  // The rows of all of V bound those of some of its columns. They cost nothing here, but that of r proposals only k are
  // of those columns: a look at all rows soon costs less.
  sums_ = kernel.leverage;
  const double proposals = static_cast<double>(kernel.r) * (1.0 + std::log(static_cast<double>(k_)));
  if (!columns.of_complement.empty() || static_cast<double>(kernel.n) < proposals) find_bounds(threads);
}

void ProjectionDraw::find_bounds(int threads) {
  rows_.resize(kernel_->n * k_);
  own_sums_.resize(kernel_->n);
  parallel_for((kernel_->n + kRowsPerTask - 1) / kRowsPerTask, threads, [&](index task) {
    for (index i = task * kRowsPerTask; i < std::min(kernel_->n, (task + 1) * kRowsPerTask); ++i) {
      double* row = rows_.data() + i * k_;
      compute_row(i, row);
      own_sums_[i] = dot(row, row, k_);
    }
  });
  for (index i = 1; i < kernel_->n; ++i) own_sums_[i] += own_sums_[i - 1];
  sums_ = own_sums_.data();
}

// As many proposals as give a batch of accepted ones, or all that are still wanted, if what is expected comes true. It
// is often a quotient of integers but for rounding: they are all far from where it is rounded up.
std::int64_t ProjectionDraw::batch_size() const {
  constexpr double kRoundedUp = 0.6180339887498949;      // the golden ratio is hardest to come near
  const double left = static_cast<double>(k_ - taken_);  // the sum of what is left of all squared rows
  const double wanted = std::min(left, static_cast<double>(kBatch)) * sums_[kernel_->n - 1] / left;
  return std::clamp(static_cast<index>(wanted + kRoundedUp), index{1}, kMostTried);
}

void ProjectionDraw::compute_row(index item, double* __restrict row) const {
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
  const double bound = sums_[item] - (item > 0 ? sums_[item - 1] : 0.0);
  double* row = tried_rows_.data() + static_cast<index>(tried_.size()) * stride_;
  if (sums_ == own_sums_.data()) {
    std::copy_n(rows_.data() + item * k_, k_, row);
  } else {
    compute_row(item, row);
  }
  const double whole = dot(row, row, stride_);
  const double rounding = 4.0 * static_cast<double>(k_) * std::numeric_limits<double>::epsilon();
  const double limit = std::max(u * bound, rounding * whole);
  if (!(whole > limit)) return;
  tried_.push_back({item, limit});
  if (static_cast<index>(tried_.size()) == kBatch) sift();
}

// Rows (count x stride_) as panels, one behind the other.
void ProjectionDraw::pack(const double* rows, index count, AlignedVector<double>* panels) const {
  const auto& tiles = kernels().linalg.in_double;
  panels->resize(round_up(count, tiles.columns) * stride_);
  for (index i = 0; i < count; i += tiles.columns) {
    tiles.pack_f64(rows + i * stride_, std::min(tiles.columns, count - i), stride_, stride_,
                   panels->data() + i * stride_);
  }
}

// out (rows of stride ld) := left' right, of panels of `height` and `columns` vectors of which the first `depth`
// elements are multiplied.
void ProjectionDraw::multiply(const AlignedVector<double>& left, index height, const AlignedVector<double>& right,
                              index columns, index depth, double* out, index ld) const {
  const auto& linalg = kernels().linalg;
  const index rows = linalg.rows, width = linalg.in_double.columns;
  for (index i = 0; i < height; i += rows) {
    for (index j = 0; j < columns; j += width) {
      double* tile = out + i * ld + j;
      for (index l = 0; l < rows; ++l) std::fill_n(tile + l * ld, width, 0.0);
      linalg.add_product(depth, left.data() + i / width * width * stride_ + i % width, width,
                         right.data() + j * stride_, tile, ld);
    }
  }
}

// Of the items that are tried, those of which enough is left so far are likely to be taken.
void ProjectionDraw::sift() {
  const index left = k_ - taken_, count = static_cast<index>(tried_.size());
  if (static_cast<index>(likely_.size()) < kBatch) {
    pack(tried_rows_.data(), count, &tried_panels_);
    multiply(tried_panels_, count, basis_panels_, left, k_, coordinates_.data(), stride_);
  }
  for (index i = 0; i < count && static_cast<index>(likely_.size()) < kBatch; ++i) {
    const double* row = coordinates_.data() + i * stride_;
    if (!(dot(row, row, left) > tried_[i].limit)) continue;
    std::copy_n(row, left, likely_rows_.data() + static_cast<index>(likely_.size()) * stride_);
    likely_.push_back(tried_[i]);
  }
  tried_.clear();
}

// Takes items of the batch, one after the other, each where enough is left of it beside those before: a Cholesky factor
// of their products, of which rows are left out.
void ProjectionDraw::decide(index* order) {
  const index left = k_ - taken_, count = static_cast<index>(likely_.size());
  alignas(64) double gram[kBatch * kBatch];
  pack(likely_rows_.data(), count, &tried_panels_);
  multiply(tried_panels_, count, tried_panels_, count, left, gram, kBatch);
  std::vector<index> lanes;
  for (index i = 0; i < count && static_cast<index>(lanes.size()) < left; ++i) {
    double* factor = gram + i * kBatch;
    if (is_taken_[likely_[i].item] || !(factor[i] > likely_[i].limit)) continue;
    const double root = std::sqrt(factor[i]);
    for (index j = i; j < count; ++j) factor[j] /= root;
    for (index j = i + 1; j < count; ++j) {
      for (index l = j; l < count; ++l) gram[j * kBatch + l] -= factor[j] * factor[l];
    }
    is_taken_[likely_[i].item] = 1;
    order[taken_ + static_cast<index>(lanes.size())] = likely_[i].item;
    lanes.push_back(i);
  }
  const index accepted = static_cast<index>(lanes.size());
  if (accepted < left) {
    reflect(lanes);
    apply_reflections(accepted);
  }
  taken_ += accepted;
}

// Householder reflections I - u u' that bring the coordinates of some lanes into the first coordinates; together, in
// this order, I - U' T U (Schreiber and Van Loan, "A storage-efficient WY representation for products of Householder
// transformations", 1989).
void ProjectionDraw::reflect(const std::vector<index>& lanes) {
  const index left = k_ - taken_, count = static_cast<index>(lanes.size());
  const auto& linalg = kernels().linalg;
  for (index j = 0; j < count; ++j) {
    double* u = reflections_.data() + j * stride_;
    std::copy_n(likely_rows_.data() + lanes[j] * stride_, left, u);
    std::fill(u + left, u + stride_, 0.0);
    for (index l = 0; l < j; ++l) {
      const double* before = reflections_.data() + l * stride_;
      linalg.axpy_f64(-dot(before, u, left), before, u, left);
    }
    std::fill_n(u, j, 0.0);
    u[j] += std::copysign(std::sqrt(dot(u, u, left)), u[j]);
    const double scale = std::sqrt(2.0 / dot(u, u, left));
    for (index i = j; i < left; ++i) u[i] *= scale;

    // Column j of T is -T U u, and 1 on the diagonal.
    double* triangle = triangle_.data();
    double coefficients[kBatch];
    for (index l = 0; l < j; ++l) coefficients[l] = dot(reflections_.data() + l * stride_, u, left);
    for (index l = 0; l < j; ++l) {
      triangle[l * kBatch + j] = -dot(triangle + l * kBatch + l, coefficients + l, j - l);
    }
    triangle[j * kBatch + j] = 1.0;
  }
}

// basis := (I - U' T' U) basis, of which the first `count` rows are those of what is taken now.
void ProjectionDraw::apply_reflections(index count) {
  const auto& linalg = kernels().linalg;
  const index rows = linalg.rows, width = linalg.in_double.columns, left = k_ - taken_;
  double* basis = basis_.data() + taken_ * stride_;
  alignas(64) double tile[kBatch * kBatch];
  pack(reflections_.data(), count, &tried_panels_);
  for (index k = 0; k < k_; k += rows) {
    for (index first = 0; first < count; first += width) {
      std::fill_n(tile, rows * width, 0.0);
      linalg.add_product(left, basis + k, stride_, tried_panels_.data() + first * stride_, tile, width);
      for (index j = first; j < std::min(count, first + width); ++j) {
        for (index i = 0; i < rows; ++i) products_[j * stride_ + k + i] = tile[i * width + j - first];
      }
    }
  }
  for (index j = count - 1; j > 0; --j) {
    double coefficients[kBatch];
    for (index l = 0; l < j; ++l) coefficients[l] = triangle_[l * kBatch + j];
    kernels().rows.add_rows_f64(products_.data(), coefficients, j, stride_, products_.data() + j * stride_);
  }
  for (index k = 0; k < k_; k += width) {
    for (index j = 0; j < count; ++j) std::copy_n(products_.data() + j * stride_ + k, width, tile + j * width);
    for (index i = count; i < left; i += rows) {
      linalg.subtract_product(count, reflections_.data() + i, stride_, tile, basis + i * stride_ + k, stride_);
    }
  }
}

}  // namespace augcore
