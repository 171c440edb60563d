// The table of functions that one instruction set provides. csrc/simd/kernels.cpp fills it, once per level.
#pragma once

#include <cstdint>

#include "augcore/point/border.hpp"
#include "augcore/point/interpolate.hpp"
#include "simd/sampling.hpp"

namespace augcore::simd {

// Dense linear algebra on register tiles of `rows` x `columns` elements of type S, double or float; `columns` is a
// multiple of `rows`. Every element of a result is one chain of multiply-adds in the order of the summed index (in
// float: chains of kDepth of them at most, which are then summed in double), so it does not depend on how loops are
// tiled. A panel (q x columns) has one vector of q values in each column.
template <typename S>
struct TileKernels {
  std::int64_t columns;

  // Adds sum_i w[i] x_i x_i' to row tiles first ... last - 1 of `tiles`, x_i being row i of x (m x p) followed by a one
  // when q == p + 1. `tiles` holds the lower triangle in tiles (each rows x columns, one behind the other): of row tile
  // r the tiles from the left to the diagonal, the first behind the last of row tile r - 1; `tiles` begins at row tile
  // `first`. What is beyond q or above the diagonal has no meaning. workspace: gram_workspace(rows of the row tiles).
  void (*gram_f32)(const float* x, const double* w, std::int64_t m, std::int64_t p, std::int64_t q, std::int64_t first,
                   std::int64_t last, double* tiles, S* workspace);
  void (*gram_f64)(const double* x, const double* w, std::int64_t m, std::int64_t p, std::int64_t q, std::int64_t first,
                   std::int64_t last, double* tiles, S* workspace);
  std::int64_t (*gram_workspace)(std::int64_t height);

  // Columns of the panel := rows of x (m x p, m <= columns), then a one where q == p + 1; columns past m are zero.
  void (*pack_f32)(const float* x, std::int64_t m, std::int64_t p, std::int64_t q, S* panel);
  void (*pack_f64)(const double* x, std::int64_t m, std::int64_t p, std::int64_t q, S* panel);

  // Rows first ... last - 1 of the panel := those of L^-1 panel, in place, those before being solved (or zero, and then
  // may be left out: from is their number). L is packed, see PackedTriangle. Returned in `squares`, if it is not null:
  // the sum of squares of these rows of each column. from and first are multiples of `rows`.
  void (*forward_substitute)(const S* packed, std::int64_t from, std::int64_t first, std::int64_t last, S* panel,
                             double* squares);

  // out[j] = y_j' T y_j for the columns y_j of a panel, T being packed as L is, but with its diagonal blocks column by
  // column as the rest is.
  void (*quadratic_form)(const S* packed, std::int64_t q, const S* panel, double* out);
};

// Dense linear algebra.
struct LinearAlgebraKernels {
  static constexpr std::int64_t kDepth = 256;         // rows that are summed in float before double takes over
  static constexpr std::int64_t kBlockColumns = 192;  // of a factor, found before the rows below take them

  std::int64_t rows;
  TileKernels<double> in_double;
  TileKernels<float> in_float;

  // The argument only says the type.
  const TileKernels<double>& of(double) const { return in_double; }
  const TileKernels<float>& of(float) const { return in_float; }

  // sum_k x[k] * y[k], in a fixed order of its own.
  double (*dot_f64)(const double* x, const double* y, std::int64_t n);

  // out[k] += a * x[k]
  void (*axpy_f64)(double a, const double* x, double* out, std::int64_t n);

  // c (rows x columns, leading dimension ldc) += or -= a' b with a (k x rows, leading dimension lda), b (k x columns,
  // dense), all of double.
  void (*add_product)(std::int64_t k, const double* a, std::int64_t lda, const double* b, double* c, std::int64_t ldc);
  void (*subtract_product)(std::int64_t k, const double* a, std::int64_t lda, const double* b, double* c,
                           std::int64_t ldc);

  // The upper Cholesky factor of the n x n corner of a symmetric block (columns x columns of double), in place; the
  // elements below the diagonal have no meaning. Returns -1, or the first column whose pivot is not above pivots[i].
  std::int64_t (*factor_block)(double* block, std::int64_t n, const double* pivots);
};

// Rows of x (m x p), one behind the other. The order of summation depends on p alone.
struct RowKernels {
  // out[i] = sum_k x[i][k] * y[k]
  void (*dots_f32)(const float* x, std::int64_t m, std::int64_t p, const double* y, double* out);
  void (*dots_f64)(const double* x, std::int64_t m, std::int64_t p, const double* y, double* out);

  // out[k] += sum_i a[i] * x[i][k], row after row
  void (*add_rows_f32)(const float* x, const double* a, std::int64_t m, std::int64_t p, double* out);
  void (*add_rows_f64)(const double* x, const double* a, std::int64_t m, std::int64_t p, double* out);

  // point::residual and point::curvature of n samples; out is apart from what is read.
  void (*residuals)(const double* eta, const double* y, std::int64_t n, double* out);
  void (*curvatures)(const double* eta, std::int64_t n, double* out);
};

// Distances in elements from a pixel to its neighbours. Zero along an axis of one pixel.
struct Neighbours {
  std::int64_t right;
  std::int64_t down;
};

// One axis of the images that a warp reads: how a position becomes the first of the pixels that are mixed.
struct Axis {
  std::int32_t n;       // pixels
  std::int32_t before;  // pixels that are mixed before the one at or left of the position,
  std::int32_t after;   // and after it
  bool nearest;         // the position is rounded, half to even
  bool inside;          // all pixels that are mixed are inside the image, wherever the position is
  Border border;
};

// Pixels of an output image.
struct Rectangle {
  std::int64_t y0;
  std::int64_t y1;
  std::int64_t x0;
  std::int64_t x1;
};

// The arrays of a plan, and positions, are read and written up to the next multiple of this behind their end.
constexpr std::int64_t kPlanStep = 16;

constexpr std::int32_t kFill = -1;
constexpr std::int32_t kOutside = -2;

// The inner loops of warps: pixels of type T, fractions of type F. F is point::Real<T>, or std::int32_t for the
// arithmetic of OpenCV 4, which counts positions and fractions in 1/32 pixel and has no bicubic interpolation.
template <typename T, typename F>
struct WarpKernels {
  // The sources of the pixels of a rectangle under m (3 x 3), see point::source_position. column, row: the pixel at or
  // left of (above) the position; fx, fy: the fractions from there; inside: 0, 1, 2 where none, some, all of the
  // pixels to mix are inside the image, left alone where that is said by the axes. Where it is, a position at the last
  // pixel is the second of a pair, at fraction 1. scratch: room for 3 * (width + kPlanStep).
  void (*locate)(const double* m, bool projective, const Rectangle& out, const Axis& across, const Axis& down,
                 double* scratch, std::int32_t* column, std::int32_t* row, F* fx, F* fy, std::uint8_t* inside);

  // The same for n positions that are given.
  void (*split)(const double* sx, const double* sy, std::int64_t n, const Axis& across, const Axis& down,
                std::int32_t* column, std::int32_t* row, F* fx, F* fy, std::uint8_t* inside);

  // offset[i] = (row[i] * width + column[i] - from) * c
  void (*offsets)(const std::int32_t* column, const std::int32_t* row, std::int64_t n, std::int32_t width,
                  std::int32_t from, std::int32_t c, std::int32_t* offset);

  // n pixels of c channels; pixel i interpolates between the 2 x 2 (4 x 4) pixels of which the first is at
  // image + offset[i], at the fractions fx[i], fy[i] in [0, 1]. Nothing at or behind `end` is read.
  void (*bilinear)(const T* image, const T* end, Neighbours step, std::int64_t c, const std::int32_t* offset,
                   const F* fx, const F* fy, std::int64_t n, T* out);
  void (*bicubic)(const T* image, const T* end, Neighbours step, std::int64_t c, const std::int32_t* offset,
                  const F* fx, const F* fy, std::int64_t n, T* out);

  void (*nearest)(const T* image, std::int64_t c, const std::int32_t* offset, std::int64_t n, T* out);
  // n pixels that mix some from outside of the image, each 1, 2 x 2 or 4 x 4 of them that are anywhere: taps[i *
  // n_taps] and on are their offsets, kFill where the fill value stands, all of them kOutside where nothing else does.
  // They are pixels[i] of out, fx and fy.
  void (*of_taps)(const T* image, const T* fill, std::int64_t c, int n_taps, const std::int32_t* taps, const F* fx,
                  const F* fy, const std::int32_t* pixels, std::int64_t n, T* out);

  // Up to how many channels `bilinear` costs about the same for each pixel.
  std::int64_t gathered_channels;

  // The same for `lanes` images at once. In lanes, element j of image i is at [j * lanes + i].
  std::int64_t lanes;
  void (*collect)(const T* const* images, std::int64_t elements, T* out);
  void (*distribute)(const T* in, std::int64_t elements, T* const* images);
  void (*lanes_bilinear)(const T* tile, Neighbours step, std::int64_t c, const std::int32_t* offset, const F* fx,
                         const F* fy, std::int64_t n, T* out);
  void (*lanes_bicubic)(const T* tile, Neighbours step, std::int64_t c, const std::int32_t* offset, const F* fx,
                        const F* fy, std::int64_t n, T* out);
  void (*lanes_nearest)(const T* tile, std::int64_t c, const std::int32_t* offset, std::int64_t n, T* out);
  // One pixel, one channel, of 1, 2 x 2 or 4 x 4 pixels that are anywhere.
  void (*lanes_of_taps)(const T* const* taps, int n_taps, F fx, F fy, T* out);
};

template <typename T>
using ExactWarpKernels = WarpKernels<T, point::Real<T>>;

// The pixels that each of n output pixels of a row sums: first[i] ... first[i] + count[i] - 1, with the weights from
// weight + i * stride.
template <typename A>
struct RowTaps {
  std::int64_t n;
  const std::int64_t* first;
  const std::int64_t* count;
  const A* weight;
  std::int64_t stride;
};

// The inner loops of resizing for pixels T that are summed in A: see point/resize.hpp for the formula. `first` kernels
// read pixels and leave sums; `last` ones read such sums and round the result to pixels.
template <typename T, typename A>
struct ResizeKernels {
  std::int64_t rows;  // that `across` takes and gives at once

  // out[j] = sum_k weight[k] * rows[k][j], j < n, taps >= 1; no weight is zero.
  void (*down_first)(const T* const* rows, const A* weight, std::int64_t taps, std::int64_t n, A* out);
  void (*down_last)(const A* const* rows, const A* weight, std::int64_t taps, std::int64_t n, T* out);

  // Sums along rows of pixels of c channels. workspace: across_workspace(taps.n, c) elements.
  void (*across_first)(const T* const* rows, const RowTaps<A>& taps, std::int64_t c, A* const* out, A* workspace);
  void (*across_last)(const A* const* rows, const RowTaps<A>& taps, std::int64_t c, T* const* out, A* workspace);
  std::int64_t (*across_workspace)(std::int64_t n, std::int64_t c);
};

// Sums of 1 to kByteTaps bytes of a row, as 32-bit words of two taps. One vector of outputs (`outputs` of ByteKernels)
// reads one window of the row, of which 32-bit words and then bytes are permuted; the tables of a vector hold those of
// each pair of taps one after the other.
struct ByteTaps {
  std::int64_t vectors;
  std::int64_t pairs;          // of taps
  const std::int32_t* window;  // of each vector: where its window begins
  const std::int32_t* word;    // for each 32-bit word of a vector, the word of the window
  const std::uint8_t* byte;    // for each byte of a vector, the byte within its 16; 0x80 is zero
  const float* weight;         // of the first taps of a vector, then of the second
  const std::int16_t* fixed;   // of both taps of each output: of opencv4, instead of `weight`
};

constexpr std::int64_t kByteTaps = 8;
constexpr std::int64_t kByteRows = 4;  // that ByteKernels take at once

struct ByteKernels {
  std::int64_t outputs;  // of a vector; 0 at a level that has no such kernels
  std::int64_t window;   // bytes
  void (*across)(const std::uint8_t* const* rows, const ByteTaps& taps, float* const* out);

  // With the weights of OpenCV 4, sums >> 4; an even number of vectors.
  void (*across_opencv4)(const std::uint8_t* const* rows, const ByteTaps& taps, std::int16_t* const* out);
};

// point::opencv4::resize_column of n pairs of sums >> 4, of which 64 more may be read.
using OpenCV4Column = void (*)(const std::int16_t* h0, const std::int16_t* h1, std::int32_t b0, std::int32_t b1,
                               std::int64_t n, std::uint8_t* out);

struct AllResizeKernels {
  ResizeKernels<std::uint8_t, float> u8_in_float;
  ResizeKernels<std::uint8_t, double> u8;
  ResizeKernels<std::uint16_t, double> u16;
  ResizeKernels<float, double> f32;
  ResizeKernels<double, double> f64;
  ByteKernels bytes;
  OpenCV4Column opencv4_column;

  // The arguments only say the types.
  const ResizeKernels<std::uint8_t, float>& of(std::uint8_t, float) const { return u8_in_float; }
  const ResizeKernels<std::uint8_t, double>& of(std::uint8_t, double) const { return u8; }
  const ResizeKernels<std::uint16_t, double>& of(std::uint16_t, double) const { return u16; }
  const ResizeKernels<float, double>& of(float, double) const { return f32; }
  const ResizeKernels<double, double>& of(double, double) const { return f64; }
};

// A part of a row of moved pixels: `bytes` of them, whole pixels.
struct Piece {
  enum Kind {
    copy,     // the bytes at `from`
    reverse,  // the pixel at `from`, then the one before it, and so on
    repeat,   // the pixel at `from`, again and again
    fill,     // the first bytes of the row of fill values
  };

  Kind kind;
  std::int64_t from;  // in bytes, counted from the beginning of the row that is read
  std::int64_t bytes;
};

// How many bytes a pixel has, and the shuffles of sixteen bytes that repeat and reverse pixels. Larger pixels are
// copied one by one instead.
struct PixelBytes {
  static constexpr std::int64_t kLargest = 16;

  std::int64_t size;
  std::int64_t step = 0;      // bytes of the whole pixels in sixteen bytes
  std::uint8_t repeated[32];  // the pixel at the first byte, again and again; for two vectors
  std::uint8_t reversed[16];  // the pixels that end at the last byte, the last one first

  explicit PixelBytes(std::int64_t bytes) : size(bytes) {
    while (step + size <= kLargest) step += size;
    for (std::int64_t i = 0; i < 32; ++i) repeated[i] = static_cast<std::uint8_t>(i < size ? i : repeated[i - size]);
    for (std::int64_t i = 0; i < 16; ++i) {
      reversed[i] = static_cast<std::uint8_t>(i >= step ? 0 : i < size ? 16 - size + i : reversed[i - size] - size);
    }
  }
};

// Makes n_rows rows of pieces, one behind the other, at `out`; row i reads the row that begins at image + rows[i].
using CopyRows = void (*)(const Piece* pieces, std::int64_t n_pieces, const PixelBytes& pixel,
                          const std::uint8_t* image, const std::int64_t* rows, std::int64_t n_rows,
                          const std::uint8_t* fill, std::uint8_t* out);

struct CopyKernels {
  // How far `loose`, which moves whole vectors, may read before and behind what the pieces name, and write behind
  // the end.
  static constexpr std::int64_t kSlack = 32;

  CopyRows loose;
  CopyRows exact;
};

// One table of kernels for each pixel type.
template <template <typename> class Table>
struct ByPixel {
  Table<std::uint8_t> u8;
  Table<std::uint16_t> u16;
  Table<float> f32;
  Table<double> f64;

  // The argument only says the type.
  const Table<std::uint8_t>& of(std::uint8_t) const { return u8; }
  const Table<std::uint16_t>& of(std::uint16_t) const { return u16; }
  const Table<float>& of(float) const { return f32; }
  const Table<double>& of(double) const { return f64; }
};

struct BoundsKernels {
  // Whether |x[i]| <= bound for all of x (n), and none is NaN.
  bool (*within_f32)(const float* x, std::int64_t n, float bound);
  bool (*within_f64)(const double* x, std::int64_t n, double bound);
};

struct Kernels {
  const char* level;
  BoundsKernels bounds;
  LinearAlgebraKernels linalg;
  RowKernels rows;
  ByPixel<ExactWarpKernels> warp;
  WarpKernels<std::uint8_t, std::int32_t> opencv4_warp;
  AllResizeKernels resize;
  CopyKernels copy;
  SamplingKernels sampling;
};

}  // namespace augcore::simd
