// A lower triangle in the layout that the kernels of simd/kernels.hpp read.
#pragma once

#include <algorithm>
#include <cstdint>

#include "aligned.hpp"
#include "augcore/threads.hpp"
#include "simd/levels.hpp"

namespace augcore {

// By blocks of `rows` rows: for block b its columns 0 ... b * rows - 1, column by column, and then its diagonal block.
// Rows past q are those of the identity (of a factor) or zero.
template <typename S>
class PackedTriangle {
 public:
  explicit PackedTriangle(std::int64_t q) : q_(q), rows_(simd::kernels().linalg.rows) {
    const std::int64_t blocks = (q + rows_ - 1) / rows_;
    values_.resize(rows_ * rows_ * (blocks * (blocks + 1) / 2));
  }

  const S* data() const { return values_.data(); }

  // Packs rows first ... last - 1 of a factor, at(i, j) being its elements; first is a multiple of `rows`. The diagonal
  // block is packed row by row, with the reciprocals of the diagonal.
  template <typename At>
  void pack_factor(std::int64_t first, std::int64_t last, int threads, const At& at) {
    for_blocks(first, last, threads, [&](std::int64_t row, std::int64_t height, S* out) {
      pack_left(row, height, row, out, at);
      S* diagonal = out + row * rows_;
      for (std::int64_t i = 0; i < rows_; ++i) {
        for (std::int64_t j = 0; j < rows_; ++j) {
          const bool inside = i < height && j <= i;
          const double value = inside ? at(row + i, row + j) : (i == j ? 1.0 : 0.0);
          diagonal[i * rows_ + j] = static_cast<S>(i == j ? 1.0 / value : value);
        }
      }
    });
  }

  // Packs the lower triangle of a symmetric matrix M with its diagonal halved: T with x'Mx = 2 x'Tx.
  template <typename At>
  void pack_half(int threads, const At& at) {
    for_blocks(0, q_, threads, [&](std::int64_t row, std::int64_t height, S* out) {
      const auto half = [&](std::int64_t i, std::int64_t j) {
        return j < i ? at(i, j) : (i == j ? 0.5 * at(i, j) : 0.0);
      };
      pack_left(row, height, std::min(q_, row + rows_), out, half);
      for (std::int64_t k = q_; k < row + rows_; ++k) std::fill_n(out + k * rows_, rows_, S{0});
    });
  }

 private:
  template <typename F>
  void for_blocks(std::int64_t first, std::int64_t last, int threads, const F& f) {
    constexpr std::int64_t kBlocks = 64;  // of one task: fewer are done before a helper comes
    const std::int64_t begin = first / rows_, end = (last + rows_ - 1) / rows_;
    parallel_for((end - begin + kBlocks - 1) / kBlocks, threads, [&](std::int64_t task) {
      for (std::int64_t b = begin + task * kBlocks; b < std::min(end, begin + (task + 1) * kBlocks); ++b) {
        f(b * rows_, std::min(rows_, last - b * rows_), values_.data() + rows_ * rows_ * (b * (b + 1) / 2));
      }
    });
  }

  template <typename At>
  void pack_left(std::int64_t row, std::int64_t height, std::int64_t columns, S* out, const At& at) const {
    for (std::int64_t k = 0; k < columns; ++k) {
      for (std::int64_t i = 0; i < rows_; ++i) {
        out[k * rows_ + i] = i < height ? static_cast<S>(at(row + i, k)) : S{0};
      }
    }
  }

  std::int64_t q_;
  std::int64_t rows_;
  AlignedVector<S> values_;
};

}  // namespace augcore
