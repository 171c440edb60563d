// The matrix kernels of one instruction set: see TileKernels and LinearAlgebraKernels in kernels.hpp for what each
// computes.
//
// The weighted Gram matrix packs up to kDepth rows of X at a time into panels of kRows columns (X) and kColumns columns
// (w X), so that a register tile of the result reads both with unit stride. Forward substitution keeps kColumns
// right-hand sides side by side in vector lanes and solves kRows unknowns at a time.
#pragma once

#include <cstdint>

#include "simd/kernels.hpp"
#include "simd/rows.inl"
#include "simd/vec.hpp"

namespace {

using index = std::int64_t;
using augcore::simd::LinearAlgebraKernels;

constexpr index kDepth = LinearAlgebraKernels::kDepth;

inline index round_up(index n, index step) { return (n + step - 1) / step * step; }
inline index lesser(index a, index b) { return a < b ? a : b; }

// ---- dot and axpy ---------------------------------------------------------------------------------------------------

inline double dot(const double* x, const double* y, index n) {
  double product;
  dot_some<1>(x, n, y, &product);
  return product;
}

inline void axpy(double a, const double* x, double* out, index n) {
  for (index k = 0; k < n; ++k) out[k] = madd(a, x[k], out[k]);
}

// ---- register tiles -------------------------------------------------------------------------------------------------

// acc +- a' b over depth: a (depth x kRows, leading dimension lda), b (depth x kColumns, dense).
template <bool kSubtract, typename S>
inline void multiply_accumulate(index depth, const S* a, index lda, const S* b, Vec<S> (&acc)[kRows][kVectors]) {
  for (index k = 0; k < depth; ++k) {
    Vec<S> row[kVectors];
    for (int v = 0; v < kVectors; ++v) row[v] = load(b + k * kColumns<S> + v * kLanes<S>);
    for (int i = 0; i < kRows; ++i) {
      const Vec<S> factor = broadcast(a[k * lda + i]);
      for (int v = 0; v < kVectors; ++v) {
        acc[i][v] = kSubtract ? nmadd(factor, row[v], acc[i][v]) : madd(factor, row[v], acc[i][v]);
      }
    }
  }
}

template <typename S>
inline void clear_tile(Vec<S> (&acc)[kRows][kVectors]) {
  for (int i = 0; i < kRows; ++i) {
    for (int v = 0; v < kVectors; ++v) acc[i][v] = broadcast(S{0});
  }
}

template <typename S>
inline void load_tile(const S* c, index ldc, Vec<S> (&acc)[kRows][kVectors]) {
  for (int i = 0; i < kRows; ++i) {
    for (int v = 0; v < kVectors; ++v) acc[i][v] = load(c + i * ldc + v * kLanes<S>);
  }
}

template <typename S>
inline void store_tile(S* c, index ldc, const Vec<S> (&acc)[kRows][kVectors]) {
  for (int i = 0; i < kRows; ++i) {
    for (int v = 0; v < kVectors; ++v) store(c + i * ldc + v * kLanes<S>, acc[i][v]);
  }
}

// sums[j] += column j of one row of a tile
template <typename S>
inline void add_row(const Vec<S> (&row)[kVectors], double* sums) {
  S values[kColumns<S>];
  for (int v = 0; v < kVectors; ++v) store(values + v * kLanes<S>, row[v]);
  for (int j = 0; j < kColumns<S>; ++j) sums[j] += static_cast<double>(values[j]);
}

template <bool kSubtract>
void update_tile(index depth, const double* a, index lda, const double* b, double* c, index ldc) {
  Vec<double> acc[kRows][kVectors];
  load_tile(c, ldc, acc);
  multiply_accumulate<kSubtract>(depth, a, lda, b, acc);
  store_tile(c, ldc, acc);
}

// Adds the product of two packed panels to a dense tile of double: in double the chain goes on from what is there, in
// float the panels' own sum is added.
inline void add_panels(index depth, const double* a, const double* b, double* tile) {
  update_tile<false>(depth, a, kRows, b, tile, kColumns<double>);
}

inline void add_panels(index depth, const float* a, const float* b, double* tile) {
  Vec<float> acc[kRows][kVectors];
  clear_tile<float>(acc);
  multiply_accumulate<false>(depth, a, kRows, b, acc);
  for (int i = 0; i < kRows; ++i) add_row<float>(acc[i], tile + i * kColumns<float>);
}

// ---- the weighted Gram matrix ---------------------------------------------------------------------------------------

// x is rounded before it is scaled, so that x given in float and in double are the same.
template <typename S, typename T>
inline S scaled(double scale, T x) {
  return static_cast<S>(scale * static_cast<double>(static_cast<S>(x)));
}

// Columns first ... first + kWidth - 1 of m rows of (x, 1), scaled by w where it is given; columns past q are zero.
template <int kWidth, typename S, typename T>
inline void pack_columns(const T* x, const double* w, index m, index p, index q, index first, S* out) {
  if (first + kWidth <= p) {
    for (index k = 0; k < m; ++k) {
      const T* row = x + k * p + first;
      if (w == nullptr) {
        for (int j = 0; j < kWidth; ++j) out[k * kWidth + j] = static_cast<S>(row[j]);
      } else {
        const double scale = w[k];
        for (int j = 0; j < kWidth; ++j) out[k * kWidth + j] = scaled<S>(scale, row[j]);
      }
    }
    return;
  }
  for (index k = 0; k < m; ++k) {
    const double scale = w == nullptr ? 1.0 : w[k];
    for (index j = 0; j < kWidth; ++j) {
      const index column = first + j;
      const T value = column < p ? x[k * p + column] : static_cast<T>(column < q ? 1 : 0);
      out[k * kWidth + j] = scaled<S>(scale, value);
    }
  }
}

template <typename S>
index gram_workspace(index height) {
  return kDepth * (height + kColumns<S>);
}

template <typename S, typename T>
void gram(const T* x, const double* w, index m, index p, index q, index first, index last, double* tiles,
          S* workspace) {
  constexpr index kTile = kRows * kColumns<S>;
  // In float a panel takes half of a 48 KB first-level cache at the depth that is wanted; in double at half of it.
  constexpr index kStep = sizeof(S) == sizeof(float) ? kDepth : kDepth / 2;
  S* panels_a = workspace;
  S* panel_b = workspace + kDepth * (last - first) * kRows;
  for (index sample = 0; sample < m; sample += kStep) {
    const index depth = lesser(kStep, m - sample);
    const T* rows = x + sample * p;
    for (index r = first; r < last; ++r) {
      pack_columns<kRows>(rows, nullptr, depth, p, q, r * kRows, panels_a + (r - first) * kRows * depth);
    }
    for (index column = 0; column < last * kRows; column += kColumns<S>) {
      pack_columns<kColumns<S>>(rows, w + sample, depth, p, q, column, panel_b);
      const index panel = column / kColumns<S>;
      double* row_tiles = tiles;  // of row tile r
      for (index r = first; r < last; ++r) {
        const index diagonal = r * kRows / kColumns<S>;
        if (diagonal >= panel)
          add_panels(depth, panels_a + (r - first) * kRows * depth, panel_b, row_tiles + panel * kTile);
        row_tiles += (diagonal + 1) * kTile;
      }
    }
  }
}

// ---- panels ---------------------------------------------------------------------------------------------------------

template <typename S, typename T>
void pack(const T* x, index m, index p, index q, S* panel) {
  constexpr index kBlock = 16;  // a few cache lines of each row stay at hand while their elements are spread
  for (index first = 0; first < p; first += kBlock) {
    const index last = lesser(first + kBlock, p);
    for (index k = first; k < last; ++k) {
      S* out = panel + k * kColumns<S>;
      if (m == kColumns<S>) {
        for (index i = 0; i < kColumns<S>; ++i) out[i] = static_cast<S>(x[i * p + k]);
      } else {
        for (index i = 0; i < kColumns<S>; ++i) out[i] = i < m ? static_cast<S>(x[i * p + k]) : S{0};
      }
    }
  }
  if (q > p) {
    for (index i = 0; i < kColumns<S>; ++i) panel[p * kColumns<S> + i] = i < m ? S{1} : S{0};
  }
}

template <typename S>
void forward_substitute(const S* packed, index from, index first, index last, S* panel, double* squares) {
  if (squares != nullptr) {
    for (int j = 0; j < kColumns<S>; ++j) squares[j] = 0.0;
  }
  const index block = first / kRows;
  packed += kRows * kRows * (block * (block + 1) / 2);
  for (; first < last; first += kRows) {
    const S* diagonal = packed + first * kRows;
    Vec<S> acc[kRows][kVectors];
    load_tile(panel + first * kColumns<S>, kColumns<S>, acc);
    multiply_accumulate<true>(first - from, packed + from * kRows, kRows, panel + from * kColumns<S>, acc);
    Vec<S> sum[kVectors];
    for (int v = 0; v < kVectors; ++v) sum[v] = broadcast(S{0});
    for (int i = 0; i < kRows; ++i) {
      for (int j = 0; j < i; ++j) {
        const Vec<S> factor = broadcast(diagonal[i * kRows + j]);
        for (int v = 0; v < kVectors; ++v) acc[i][v] = nmadd(factor, acc[j][v], acc[i][v]);
      }
      const Vec<S> reciprocal = broadcast(diagonal[i * kRows + i]);
      for (int v = 0; v < kVectors; ++v) {
        acc[i][v] = mul(acc[i][v], reciprocal);
        sum[v] = madd(acc[i][v], acc[i][v], sum[v]);
      }
    }
    store_tile(panel + first * kColumns<S>, kColumns<S>, acc);
    if (squares != nullptr) add_row<S>(sum, squares);
    packed = diagonal + kRows * kRows;
  }
}

template <typename S>
void quadratic_form(const S* packed, index q, const S* panel, double* out) {
  for (int j = 0; j < kColumns<S>; ++j) out[j] = 0.0;
  for (index first = 0; first < q; first += kRows) {
    const index depth = first + kRows;
    for (index k = 0; k < depth; k += kDepth) {
      Vec<S> acc[kRows][kVectors];
      clear_tile<S>(acc);
      multiply_accumulate<false>(lesser(kDepth, depth - k), packed + k * kRows, kRows, panel + k * kColumns<S>, acc);
      Vec<S> sum[kVectors];
      for (int v = 0; v < kVectors; ++v) sum[v] = broadcast(S{0});
      for (int i = 0; i < kRows; ++i) {
        for (int v = 0; v < kVectors; ++v) {
          sum[v] = madd(acc[i][v], load(panel + (first + i) * kColumns<S> + v * kLanes<S>), sum[v]);
        }
      }
      add_row<S>(sum, out);
    }
    packed += depth * kRows;
  }
}

// ---- a block of a Cholesky factor -----------------------------------------------------------------------------------

index factor_block(double* block, index n, const double* pivots) {
  constexpr int kWidth = kColumns<double>;
  for (index k = 0; k < n; ++k) {
    double* row = block + k * kWidth;
    if (!(row[k] > pivots[k])) return k;
    const double root = __builtin_sqrt(row[k]);
    for (int j = 0; j < kWidth; ++j) row[j] /= root;
    row[k] = root;
    for (index i = k + 1; i < n; ++i) {
      const double factor = row[i];
      double* to = block + i * kWidth;
      for (int j = 0; j < kWidth; ++j) to[j] = madd(-factor, row[j], to[j]);
    }
  }
  return -1;
}

template <typename S>
constexpr augcore::simd::TileKernels<S> tile_kernels = {
    kColumns<S>,    gram<S, float>,  gram<S, double>,       gram_workspace<S>,
    pack<S, float>, pack<S, double>, forward_substitute<S>, quadratic_form<S>,
};

constexpr LinearAlgebraKernels linear_algebra_kernels = {
    kRows, tile_kernels<double>, tile_kernels<float>, dot, axpy, update_tile<false>, update_tile<true>, factor_block,
};

}  // namespace
