// The two passes of exact resizing: sums along rows, and down columns, in either order.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "cells.hpp"
#include "resize_rows.hpp"
#include "resize_tables.hpp"

namespace augcore {

// Rows of some columns of the output, from rows of the source.
template <typename T, typename A>
class Columns {
 public:
  Columns(const point::Axis& axis, const Cell& cell, std::int64_t c, bool rows_first)
      : width_in(axis.n_in), rows_first(rows_first), c_(c), taps_(axis, cell.x0, cell.x1) {
    if constexpr (std::is_same_v<A, float>) {
      by_bytes_ = !rows_first && make_table();
      if (by_bytes_) {
        guard_.emplace((taps_.end - taps_.begin) * c, table_.reach(), simd::kByteRows);
        return;
      }
    }
    workspace_.resize(kernels.across_workspace(taps_.size(), c));
  }

  const std::int64_t width_in;
  const bool rows_first;
  const simd::ResizeKernels<T, A>& kernels = simd::kernels().resize.of(T{}, A{});

  std::int64_t block() const { return by_bytes_ ? simd::kByteRows : kernels.rows; }
  std::int64_t width() const { return by_bytes_ ? table_.width() : taps_.size() * c_; }
  std::int64_t elements() const { return taps_.size() * c_; }
  std::int64_t first_element() const { return taps_.begin * c_; }
  std::int64_t elements_in() const { return (taps_.end - taps_.begin) * c_; }

  // rows: block() of them, from first_element() on; may be changed. end: of the batch.
  void sum(const T** rows, const T* end, A* const* out) {
    if constexpr (std::is_same_v<A, float>) {
      if (by_bytes_) {
        for (std::int64_t i = 0; i < simd::kByteRows; ++i) rows[i] = guard_->row(rows[i], end, i);
        return simd::kernels().resize.bytes.across(rows, table_.view(), out);
      }
    }
    kernels.across_first(rows, taps_.view(), c_, out, workspace_.data());
  }

  void finish(const A* const* rows, T* const* out) {
    kernels.across_last(rows, taps_.view(), c_, out, workspace_.data());
  }

 private:
  // Bytes and weights of all outputs, tap by tap.
  bool make_table() {
    if (taps_.most > simd::kByteTaps) return false;
    const std::int64_t n = elements();
    std::vector<std::int64_t> bytes(taps_.most * n);
    std::vector<A> weights(taps_.most * n);
    for (std::int64_t tap = 0, at = 0; tap < taps_.most; ++tap) {
      for (std::int64_t x = 0; x < taps_.size(); ++x) {
        const std::int64_t k = std::min(tap, taps_.count[x] - 1);
        const A weight = tap == k ? taps_.weight[x * taps_.stride + k] : A{0};
        for (std::int64_t channel = 0; channel < c_; ++channel, ++at) {
          bytes[at] = (taps_.first[x] + k) * c_ + channel;
          weights[at] = weight;
        }
      }
    }
    if (!table_.make(n, taps_.most, 1, bytes)) return false;
    table_.set_weights(taps_.most, weights);
    return true;
  }

  std::int64_t c_;
  AxisTaps<A> taps_;
  bool by_bytes_ = false;
  ByteTable table_;
  std::optional<RowGuard> guard_;
  AlignedVector<A> workspace_;
};

// Which rows each output row sums, and their weights, those of weight zero left out.
template <typename A>
struct RowSums {
  std::vector<std::int64_t> start{0};  // of each output row in the lists below, and the end
  std::vector<std::int64_t> row;
  std::vector<A> weight;

  // begin: the first row of each output row, however rows are counted.
  RowSums(const AxisTaps<A>& taps, const std::vector<std::int64_t>& begin) {
    for (std::int64_t y = 0; y < taps.size(); ++y) {
      for (std::int64_t k = 0; k < taps.count[y]; ++k) {
        const A w = taps.weight[y * taps.stride + k];
        if (w == A{0}) continue;
        row.push_back(begin[y] + k);
        weight.push_back(w);
      }
      start.push_back(static_cast<std::int64_t>(row.size()));
    }
  }

  std::int64_t count(std::int64_t y) const { return start[y + 1] - start[y]; }
};

// Where a cell of an image is read and written. source: the first pixel of the rectangle; end: of the batch; out: the
// first element of the cell; strides: elements from row to row.
template <typename T>
struct Place {
  const T* source;
  std::int64_t stride;
  const T* end;
  T* out;
  std::int64_t out_stride;
};

// Columns first: source rows are summed along x and kept while output rows sum them.
template <typename T, typename A>
class RowsAfterColumns {
 public:
  RowsAfterColumns(const point::Axis& axis, const Cell& cell, const Columns<T, A>& columns)
      : height_in(axis.n_in),
        taps_(axis, cell.y0, cell.y1),
        needed_(taps_.first, taps_.count),
        sums_(taps_, needed_.begin),
        cache_(needed_, taps_.count, columns.block(), columns.width()),
        from_(columns.block()) {
    for (const std::int64_t k : sums_.row) rows_.push_back(cache_.row(k));
  }

  const std::int64_t height_in;

  void run(Columns<T, A>& columns, const Place<T>& at) {
    const T* first = at.source + taps_.begin * at.stride + columns.first_element();
    const std::int64_t block = columns.block();
    const std::int64_t last = static_cast<std::int64_t>(needed_.source.size()) - 1;
    const auto source = [&](std::int64_t k) { return first + needed_.source[std::min(k, last)] * at.stride; };
    const auto make = [&](std::int64_t k, A* const* rows) {
      for (std::int64_t i = 0; i < block; ++i) from_[i] = source(k + i);
      for (std::int64_t i = block; i < 2 * block; ++i) prefetch_read(source(k + i), columns.elements_in());
      columns.sum(from_.data(), at.end, rows);
    };
    cache_.clear();
    T* out = at.out;
    for (std::int64_t y = 0; y < taps_.size(); ++y, out += at.out_stride) {
      cache_.require(needed_.begin[y] + taps_.count[y], make);
      if (y + kRowsAhead < taps_.size()) prefetch_write(out + kRowsAhead * at.out_stride, columns.elements());
      const std::int64_t start = sums_.start[y];
      columns.kernels.down_last(&rows_[start], &sums_.weight[start], sums_.count(y), columns.elements(), out);
    }
  }

 private:
  AxisTaps<A> taps_;
  NeededRows needed_;
  RowSums<A> sums_;
  RowCache<A> cache_;
  std::vector<const T*> from_;
  std::vector<const A*> rows_;  // of sums_, in the cache
};

// Columns first, where an output row sums so many source rows that they are not kept: piece by piece, of which each has
// the sums so far as a row of weight one.
template <typename T, typename A>
class RowsInPieces {
 public:
  RowsInPieces(const point::Axis& axis, const Cell& cell, const Columns<T, A>& columns)
      : height_in(axis.n_in), taps_(axis, cell.y0, cell.y1), width_((columns.width() + 63) / 64 * 64) {
    block_.resize((kRows + columns.block()) * width_);
    for (AlignedVector<A>& sums : sums_) sums.resize(width_);
    from_.resize(columns.block());
    made_.resize(columns.block());
  }

  static bool suits(const point::Axis& axis) { return point::most_taps(axis) > kMostKept; }

  const std::int64_t height_in;

  void run(Columns<T, A>& columns, const Place<T>& at) {
    const T* source = at.source + taps_.begin * at.stride + columns.first_element();
    const auto& sums_to_sums = simd::kernels().resize.of(A{}, A{});
    InterruptPoller poller;
    T* out = at.out;
    for (std::int64_t y = 0; y < taps_.size(); ++y, out += at.out_stride) {
      rows_.clear();
      weights_.clear();
      for (std::int64_t k = 0; k < taps_.count[y]; k += kRows) {
        const std::int64_t n = std::min(kRows, taps_.count[y] - k);
        add_piece(columns, source + (taps_.first[y] + k) * at.stride, at, n, &taps_.weight[y * taps_.stride + k]);
        const auto count = static_cast<std::int64_t>(rows_.size());
        if (k + n == taps_.count[y]) {
          columns.kernels.down_last(rows_.data(), weights_.data(), count, columns.elements(), out);
        } else {
          std::swap(sums_[0], sums_[1]);
          sums_to_sums.down_first(rows_.data(), weights_.data(), count, columns.elements(), sums_[0].data());
          rows_.assign(1, sums_[0].data());
          weights_.assign(1, A{1});
        }
        poller.poll();
      }
    }
  }

 private:
  static constexpr std::int64_t kMostKept = 4096;
  static constexpr std::int64_t kRows = 64;

  // n source rows from `source` on.
  void add_piece(Columns<T, A>& columns, const T* source, const Place<T>& at, std::int64_t n, const A* weights) {
    const std::int64_t block = columns.block();
    for (std::int64_t k = 0; k < n; k += block) {
      for (std::int64_t i = 0; i < block; ++i) {
        from_[i] = source + std::min(k + i, n - 1) * at.stride;
        made_[i] = block_.data() + (k + i) * width_;
      }
      columns.sum(from_.data(), at.end, made_.data());
    }
    for (std::int64_t k = 0; k < n; ++k) {
      if (weights[k] == A{0}) continue;
      rows_.push_back(block_.data() + k * width_);
      weights_.push_back(weights[k]);
    }
  }

  AxisTaps<A> taps_;
  std::int64_t width_;
  AlignedVector<A> block_, sums_[2];
  std::vector<const T*> from_;
  std::vector<A*> made_;
  std::vector<const A*> rows_;  // that are summed, and their weights
  std::vector<A> weights_;
};

// Rows first: blocks of output rows are summed down the columns of the source, and then along x.
template <typename T, typename A>
class RowsBeforeColumns {
 public:
  RowsBeforeColumns(const point::Axis& axis, const Cell& cell, const Columns<T, A>& columns)
      : height_in(axis.n_in),
        taps_(axis, cell.y0, cell.y1),
        sums_(taps_, taps_.first),
        width_((columns.elements_in() + 63) / 64 * 64),
        from_(taps_.most),
        block_(columns.block() * width_),
        unused_(columns.elements()) {
    for (std::int64_t i = 0; i < columns.block(); ++i) rows_.push_back(block_.data() + i * width_);
    out_.resize(columns.block());
  }

  const std::int64_t height_in;

  void run(Columns<T, A>& columns, const Place<T>& at) {
    const T* first = at.source + taps_.begin * at.stride + columns.first_element();
    const std::int64_t block = columns.block();
    for (std::int64_t y0 = 0; y0 < taps_.size(); y0 += block) {
      for (std::int64_t i = 0; i < block; ++i) {
        const std::int64_t y = y0 + i;
        out_[i] = y < taps_.size() ? at.out + y * at.out_stride : unused_.data();
        if (y >= taps_.size()) continue;
        prefetch(y + kOutputRowsAhead, first, at.stride, columns.elements_in());
        const std::int64_t start = sums_.start[y];
        for (std::int64_t k = 0; k < sums_.count(y); ++k) from_[k] = first + sums_.row[start + k] * at.stride;
        columns.kernels.down_first(from_.data(), &sums_.weight[start], sums_.count(y), columns.elements_in(),
                                   block_.data() + i * width_);
      }
      columns.finish(rows_.data(), out_.data());
    }
  }

 private:
  static constexpr std::int64_t kOutputRowsAhead = 2;

  // The source rows that output row y sums and the one before does not.
  void prefetch(std::int64_t y, const T* first, std::int64_t stride, std::int64_t n) const {
    if (y >= taps_.size()) return;
    for (std::int64_t i = taps_.first[y - 1] + taps_.count[y - 1]; i < taps_.first[y] + taps_.count[y]; ++i) {
      prefetch_read(first + i * stride, n);
    }
  }

  AxisTaps<A> taps_;
  RowSums<A> sums_;
  std::int64_t width_;
  std::vector<const T*> from_;
  AlignedVector<A> block_;
  std::vector<T> unused_;  // where rows past the last go
  std::vector<const A*> rows_;
  std::vector<T*> out_;
};

}  // namespace augcore
