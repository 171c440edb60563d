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
#include "simd/transpose.hpp"
#include "simd/vec.hpp"

namespace {

using index = std::int64_t;
using augcore::simd::LinearAlgebraKernels;

constexpr index kDepth = LinearAlgebraKernels::kDepth;

// What the callers of these kernels count on.
static_assert(kColumns<double> % kRows == 0 && kColumns<float> % kRows == 0, "tiles are cut by rows and by columns");
static_assert(LinearAlgebraKernels::kBlockColumns % kColumns<double> == 0, "blocks of a factor are whole tiles");

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

// acc +- a' b over depth: a (depth x kHeight, leading dimension lda), b (depth x kColumns, dense), of which the first
// kWide vectors are read.
template <bool kSubtract, typename S, int kHeight, int kWide>
inline void multiply_accumulate(index depth, const S* a, index lda, const S* b, Vec<S> (&acc)[kHeight][kWide]) {
  for (index k = 0; k < depth; ++k) {
    Vec<S> row[kWide];
    for (int v = 0; v < kWide; ++v) row[v] = load(b + k * kColumns<S> + v * kLanes<S>);
    for (int i = 0; i < kHeight; ++i) {
      const Vec<S> factor = broadcast(a[k * lda + i]);
      for (int v = 0; v < kWide; ++v) {
        acc[i][v] = kSubtract ? nmadd(factor, row[v], acc[i][v]) : madd(factor, row[v], acc[i][v]);
      }
    }
  }
}

template <typename S, int kHeight, int kWide>
inline void clear_tile(Vec<S> (&acc)[kHeight][kWide]) {
  for (int i = 0; i < kHeight; ++i) {
    for (int v = 0; v < kWide; ++v) acc[i][v] = broadcast(S{0});
  }
}

template <typename S, int kHeight, int kWide>
inline void load_tile(const S* c, index ldc, Vec<S> (&acc)[kHeight][kWide]) {
  for (int i = 0; i < kHeight; ++i) {
    for (int v = 0; v < kWide; ++v) acc[i][v] = load(c + i * ldc + v * kLanes<S>);
  }
}

template <typename S, int kHeight, int kWide>
inline void store_tile(S* c, index ldc, const Vec<S> (&acc)[kHeight][kWide]) {
  for (int i = 0; i < kHeight; ++i) {
    for (int v = 0; v < kWide; ++v) store(c + i * ldc + v * kLanes<S>, acc[i][v]);
  }
}

// sums[j] += column j of one row of a tile
template <typename S, int kWide>
inline void add_row(const Vec<S> (&row)[kWide], double* sums) {
  for (int v = 0; v < kWide; ++v) add_to(sums + v * kLanes<S>, row[v]);
}

template <bool kSubtract>
void update_tile(index depth, const double* a, index lda, const double* b, double* c, index ldc) {
  Vec<double> acc[kRows][kVectors];
  load_tile<double>(c, ldc, acc);
  multiply_accumulate<kSubtract, double>(depth, a, lda, b, acc);
  store_tile<double>(c, ldc, acc);
}

// Adds the product of two packed panels, kHeight rows of its first kWide vectors, to a dense tile of double: in double
// the chain goes on from what is there, in float the panels' own sum is added.
template <int kHeight, int kWide>
inline void add_panels(index depth, const double* a, const double* b, double* tile) {
  Vec<double> acc[kHeight][kWide];
  load_tile<double>(tile, kColumns<double>, acc);
  multiply_accumulate<false, double>(depth, a, kRows, b, acc);
  store_tile<double>(tile, kColumns<double>, acc);
}

template <int kHeight, int kWide>
inline void add_panels(index depth, const float* a, const float* b, double* tile) {
  Vec<float> acc[kHeight][kWide];
  clear_tile<float>(acc);
  multiply_accumulate<false, float>(depth, a, kRows, b, acc);
  for (int i = 0; i < kHeight; ++i) add_row<float>(acc[i], tile + i * kColumns<float>);
}

// The same for at least the given rows and columns of the tile: one row is that of an intercept.
template <int kWide = kVectors, typename S>
inline void add_part(index height, index width, index depth, const S* a, const S* b, double* tile) {
  if constexpr (kWide > 1) {
    if (width <= (kWide - 1) * kLanes<S>) return add_part<kWide - 1>(height, width, depth, a, b, tile);
  }
  if (height == 1) return add_panels<1, kWide>(depth, a, b, tile);
  add_panels<kRows, kWide>(depth, a, b, tile);
}

// ---- the weighted Gram matrix ---------------------------------------------------------------------------------------

// Columns first ... first + kWidth - 1 of m rows of (x, 1), scaled by w where it is given; columns past q are zero. In
// float each factor is rounded, so that x given in float and in double are the same.
template <int kWidth, bool kScaled, typename S, typename T>
inline void pack_columns(const T* x, const double* w, index m, index p, index q, index first, S* out) {
  const index in_x = lesser(kWidth, p - first);
  for (index k = 0; k < m; ++k, out += kWidth) {
    const T* row = x + k * p + first;
    const S scale = kScaled ? static_cast<S>(w[k]) : S{1};
    if (in_x == kWidth) {
      for (int j = 0; j < kWidth; ++j) out[j] = scale * static_cast<S>(row[j]);
      continue;
    }
    for (int j = 0; j < kWidth; ++j) out[j] = S{0};
    for (index j = 0; j < in_x; ++j) out[j] = scale * static_cast<S>(row[j]);
    if (p < q && first <= p && p < first + kWidth) out[p - first] = scale;
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
  constexpr index kStep = kDepth / 2;  // half of a 48 KB first-level cache for a panel of double
  constexpr index kTogether = 8;       // rows whose lines are read side by side
  S* panels_a = workspace;
  S* panel_b = workspace + kDepth * (last - first) * kRows;
  index n_tiles = 0;
  for (index r = first; r < last; ++r) n_tiles += r * kRows / kColumns<S> + 1;
  for (index sample = 0; sample < m; sample += kStep) {
    const index depth = lesser(kStep, m - sample);
    const T* rows = x + sample * p;
    for (index k = 0; k < depth; k += kTogether) {
      const index together = lesser(kTogether, depth - k);
      for (index r = first; r < last; ++r) {
        pack_columns<kRows, false>(rows + k * p, nullptr, together, p, q, r * kRows,
                                   panels_a + ((r - first) * depth + k) * kRows);
      }
    }
    // The next rows, a few lines with each tile: they come from memory while this is computed.
    const char* ahead = reinterpret_cast<const char*>(rows + depth * p);
    const index bytes = round_up(depth * p * static_cast<index>(sizeof(T)) / n_tiles + 1, 64);
    for (index column = 0; column < last * kRows; column += kColumns<S>) {
      pack_columns<kColumns<S>, true>(rows, w + sample, depth, p, q, column, panel_b);
      const index panel = column / kColumns<S>;
      double* row_tiles = tiles;  // of row tile r
      for (index r = first; r < last; ++r) {
        const index height = lesser(kRows, q - r * kRows), right = r * kRows + height;
        const index diagonal = r * kRows / kColumns<S>;
        if (column < right) {
          for (index at = 0; at < bytes; at += 64) __builtin_prefetch(ahead + at, 0, 2);
          ahead += bytes;
          add_part(height, right - column, depth, panels_a + (r - first) * kRows * depth, panel_b,
                   row_tiles + panel * kTile);
        }
        row_tiles += (diagonal + 1) * kTile;
      }
    }
  }
}

// ---- panels ---------------------------------------------------------------------------------------------------------

// Rows i ... i + kLanes - 1 of columns first ... first + kLanes - 1, while those of the next panel are on their way.
template <typename S, typename T>
inline void pack_square(const T* x, index p, index i, index first, S* panel) {
  Vec<S> rows[kLanes<S>];
  for (int lane = 0; lane < kLanes<S>; ++lane) {
    const T* row = x + (i + lane) * p + first;
    __builtin_prefetch(row + kColumns<S> * p);
    rows[lane] = load_as(row, S{});
  }
  transpose(rows);
  for (int lane = 0; lane < kLanes<S>; ++lane) store(panel + (first + lane) * kColumns<S> + i, rows[lane]);
}

template <typename S, typename T>
void pack(const T* x, index m, index p, index q, S* panel) {
  const index squares = m == kColumns<S> ? p / kLanes<S> * kLanes<S> : 0;  // the columns that are packed by squares
  for (index first = 0; first < squares; first += kLanes<S>) {
    for (index i = 0; i < kColumns<S>; i += kLanes<S>) pack_square<S>(x, p, i, first, panel);
  }
  for (index k = squares; k < q; ++k) {
    S* out = panel + k * kColumns<S>;
    for (index i = 0; i < kColumns<S>; ++i) out[i] = i >= m ? S{0} : k < p ? static_cast<S>(x[i * p + k]) : S{1};
  }
}

// Rows first ... first + kHeight - 1 of a panel, from those before; `packed` is their block.
template <int kHeight, typename S>
inline void substitute_rows(const S* packed, index from, index first, S* panel, double* squares) {
  const S* diagonal = packed + first * kRows;
  Vec<S> acc[kHeight][kVectors];
  load_tile<S>(panel + first * kColumns<S>, kColumns<S>, acc);
  multiply_accumulate<true, S>(first - from, packed + from * kRows, kRows, panel + from * kColumns<S>, acc);
  Vec<S> sum[kVectors];
  for (int v = 0; v < kVectors; ++v) sum[v] = broadcast(S{0});
  for (int i = 0; i < kHeight; ++i) {
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
  store_tile<S>(panel + first * kColumns<S>, kColumns<S>, acc);
  if (squares != nullptr) add_row<S>(sum, squares);
}

template <typename S>
void forward_substitute(const S* packed, index from, index first, index last, S* panel, double* squares) {
  if (squares != nullptr) {
    for (int j = 0; j < kColumns<S>; ++j) squares[j] = 0.0;
  }
  const index block = first / kRows;
  packed += kRows * kRows * (block * (block + 1) / 2);
  for (; first < last; first += kRows) {
    if (last - first == 1) {
      substitute_rows<1>(packed, from, first, panel, squares);
    } else {
      substitute_rows<kRows>(packed, from, first, panel, squares);
    }
    packed += (first + kRows) * kRows;
  }
}

// The part of y' T y that rows first ... first + kHeight - 1 of T give; `packed` is their block.
template <int kHeight, typename S>
inline void add_form_of_rows(const S* packed, index first, const S* panel, double* out) {
  const index depth = first + kHeight;
  for (index k = 0; k < depth; k += kDepth) {
    Vec<S> acc[kHeight][kVectors];
    clear_tile<S>(acc);
    multiply_accumulate<false, S>(lesser(kDepth, depth - k), packed + k * kRows, kRows, panel + k * kColumns<S>, acc);
    Vec<S> sum[kVectors];
    for (int v = 0; v < kVectors; ++v) sum[v] = broadcast(S{0});
    for (int i = 0; i < kHeight; ++i) {
      for (int v = 0; v < kVectors; ++v) {
        sum[v] = madd(acc[i][v], load(panel + (first + i) * kColumns<S> + v * kLanes<S>), sum[v]);
      }
    }
    add_row<S>(sum, out);
  }
}

template <typename S>
void quadratic_form(const S* packed, index q, const S* panel, double* out) {
  for (int j = 0; j < kColumns<S>; ++j) out[j] = 0.0;
  for (index first = 0; first < q; first += kRows) {
    if (q - first == 1) {
      add_form_of_rows<1>(packed, first, panel, out);
    } else {
      add_form_of_rows<kRows>(packed, first, panel, out);
    }
    packed += (first + kRows) * kRows;
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
