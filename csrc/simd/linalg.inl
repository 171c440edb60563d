// The matrix kernels of one instruction set: see LinearAlgebraKernels in kernels.hpp for what each computes.
//
// The weighted Gram matrix packs kDepth rows of X at a time into panels of kRows columns (X) and kColumns columns
// (w X), so that a register tile of the result reads both with unit stride. Forward substitution keeps kColumns
// right-hand sides side by side in vector lanes and solves kRows unknowns at a time.
#pragma once

#include <cstdint>

#include "simd/kernels.hpp"
#include "simd/vec.hpp"

namespace {

using index = std::int64_t;

constexpr index kDepth = 128;  // rows packed at a time: a kColumns panel then takes half of a 48 KB first-level cache

inline index round_up(index n, index step) { return (n + step - 1) / step * step; }

// ---- dot and axpy ---------------------------------------------------------------------------------------------------

constexpr int kDotLanes = 16;  // partial sums, the same at every level

template <typename T>
double dot(const T* x, const double* y, index n) {
  double sums[kDotLanes] = {};
  index k = 0;
  for (; k + kDotLanes <= n; k += kDotLanes) {
    for (int lane = 0; lane < kDotLanes; ++lane) {
      sums[lane] = madd(static_cast<double>(x[k + lane]), y[k + lane], sums[lane]);
    }
  }
  for (int lane = 0; k < n; ++k, ++lane) sums[lane] = madd(static_cast<double>(x[k]), y[k], sums[lane]);
  for (int width = kDotLanes / 2; width > 0; width /= 2) {
    for (int lane = 0; lane < width; ++lane) sums[lane] += sums[lane + width];
  }
  return sums[0];
}

template <typename T>
void axpy(double a, const T* x, double* out, index n) {
  for (index k = 0; k < n; ++k) out[k] = madd(a, static_cast<double>(x[k]), out[k]);
}

// ---- register tiles -------------------------------------------------------------------------------------------------

// acc +- a' b over depth: a (depth x kRows, leading dimension lda), b (depth x kColumns, dense).
template <bool kSubtract>
inline void multiply_accumulate(index depth, const double* a, index lda, const double* b, vec (&acc)[kRows][kVectors]) {
  for (index k = 0; k < depth; ++k) {
    vec row[kVectors];
    for (int v = 0; v < kVectors; ++v) row[v] = load(b + k * kColumns + v * kLanes);
    for (int i = 0; i < kRows; ++i) {
      const vec factor = broadcast(a[k * lda + i]);
      for (int v = 0; v < kVectors; ++v) {
        acc[i][v] = kSubtract ? nmadd(factor, row[v], acc[i][v]) : madd(factor, row[v], acc[i][v]);
      }
    }
  }
}

inline void load_tile(const double* c, index ldc, vec (&acc)[kRows][kVectors]) {
  for (int i = 0; i < kRows; ++i) {
    for (int v = 0; v < kVectors; ++v) acc[i][v] = load(c + i * ldc + v * kLanes);
  }
}

inline void store_tile(double* c, index ldc, const vec (&acc)[kRows][kVectors]) {
  for (int i = 0; i < kRows; ++i) {
    for (int v = 0; v < kVectors; ++v) store(c + i * ldc + v * kLanes, acc[i][v]);
  }
}

void subtract_product(index depth, const double* a, index lda, const double* b, double* c, index ldc) {
  vec acc[kRows][kVectors];
  load_tile(c, ldc, acc);
  multiply_accumulate<true>(depth, a, lda, b, acc);
  store_tile(c, ldc, acc);
}

// ---- the weighted Gram matrix ---------------------------------------------------------------------------------------

// Columns first ... last - 1 of (x, 1), rows scaled by w where it is given, in panels of `width` columns: panel j
// holds, for each row k, columns first + j * width ...; columns past `last` are zero.
template <typename T>
void pack_panels(const T* x, const double* w, index m, index p, index first, index last, index width, double* out) {
  for (index column = first; column < last; column += width, out += m * width) {
    const index in_panel = last - column < width ? last - column : width;
    const index from_x = p - column < in_panel ? (p > column ? p - column : 0) : in_panel;
    for (index k = 0; k < m; ++k) {
      const double scale = w == nullptr ? 1.0 : w[k];
      const T* row = x + k * p + column;
      double* to = out + k * width;
      for (index j = 0; j < from_x; ++j) to[j] = scale * static_cast<double>(row[j]);
      for (index j = from_x; j < width; ++j) to[j] = j < in_panel ? scale : 0.0;
    }
  }
}

index gram_workspace(index q) { return kDepth * (round_up(q, kRows) + round_up(q, kColumns)); }

template <typename T>
void gram(const T* x, const double* w, index m, index p, index q, index first, index last, double* out,
          double* workspace) {
  double* panels_a = workspace;
  double* panels_b = workspace + kDepth * round_up(q, kRows);
  for (index sample = 0; sample < m; sample += kDepth) {
    const index depth = m - sample < kDepth ? m - sample : kDepth;
    pack_panels(x + sample * p, nullptr, depth, p, first, last, kRows, panels_a);
    pack_panels(x + sample * p, w + sample, depth, p, index{0}, last, kColumns, panels_b);
    for (index column = 0; column < last; column += kColumns) {
      const double* b = panels_b + column * depth;
      for (index row = column > first ? column : first; row < last; row += kRows) {
        const double* a = panels_a + (row - first) * depth;
        double* c = out + (row - first) * q + column;
        vec acc[kRows][kVectors];
        if (row + kRows <= last && column + kColumns <= q) {
          load_tile(c, q, acc);
          multiply_accumulate<false>(depth, a, kRows, b, acc);
          store_tile(c, q, acc);
          continue;
        }
        // A tile over the edge goes through a buffer.
        double edge[kRows * kColumns] = {};
        const index height = last - row < kRows ? last - row : kRows;
        const index width = q - column < kColumns ? q - column : kColumns;
        for (index i = 0; i < height; ++i) {
          for (index j = 0; j < width; ++j) edge[i * kColumns + j] = c[i * q + j];
        }
        load_tile(edge, kColumns, acc);
        multiply_accumulate<false>(depth, a, kRows, b, acc);
        store_tile(edge, kColumns, acc);
        for (index i = 0; i < height; ++i) {
          for (index j = 0; j < width; ++j) c[i * q + j] = edge[i * kColumns + j];
        }
      }
    }
  }
}

// ---- forward substitution -------------------------------------------------------------------------------------------

// `packed` holds L by blocks of kRows rows: for block b its columns 0 ... b * kRows - 1, column by column, and then its
// diagonal block, row by row, with the reciprocals of the diagonal. Rows past q are those of the identity.
void forward_substitute(const double* packed, index q, double* y, double* squares) {
  vec sum[kVectors];
  for (int v = 0; v < kVectors; ++v) sum[v] = broadcast(0.0);
  for (index first = 0; first < q; first += kRows) {
    const double* diagonal = packed + first * kRows;
    vec acc[kRows][kVectors];
    load_tile(y + first * kColumns, kColumns, acc);
    multiply_accumulate<true>(first, packed, kRows, y, acc);
    for (int i = 0; i < kRows; ++i) {
      for (int j = 0; j < i; ++j) {
        const vec factor = broadcast(diagonal[i * kRows + j]);
        for (int v = 0; v < kVectors; ++v) acc[i][v] = nmadd(factor, acc[j][v], acc[i][v]);
      }
      const vec reciprocal = broadcast(diagonal[i * kRows + i]);
      for (int v = 0; v < kVectors; ++v) {
        acc[i][v] = mul(acc[i][v], reciprocal);
        sum[v] = madd(acc[i][v], acc[i][v], sum[v]);
      }
    }
    store_tile(y + first * kColumns, kColumns, acc);
    packed = diagonal + kRows * kRows;
  }
  for (int v = 0; v < kVectors; ++v) store(squares + v * kLanes, sum[v]);
}

constexpr augcore::simd::LinearAlgebraKernels linear_algebra_kernels = {
    kRows,       kColumns,     dot<float>,     dot<double>,        axpy<float>,      axpy<double>,
    gram<float>, gram<double>, gram_workspace, forward_substitute, subtract_product,
};

}  // namespace
