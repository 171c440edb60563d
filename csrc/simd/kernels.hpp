// The table of functions that one instruction set provides. csrc/simd/kernels.cpp fills it, once per level.
#pragma once

#include <cstdint>

namespace augcore::simd {

// Dense linear algebra in double. A register tile has `rows` x `columns` elements; `columns` is a multiple of `rows`.
// Every element of a result is one chain of multiply-adds in the order of the summed index, so it does not depend on
// how the loops are tiled.
struct LinearAlgebraKernels {
  std::int64_t rows;
  std::int64_t columns;

  // sum_k x[k] * y[k], in a fixed order of its own.
  double (*dot_f32)(const float* x, const double* y, std::int64_t n);
  double (*dot_f64)(const double* x, const double* y, std::int64_t n);

  // out[k] += a * x[k]
  void (*axpy_f32)(double a, const float* x, double* out, std::int64_t n);
  void (*axpy_f64)(double a, const double* x, double* out, std::int64_t n);

  // Rows first ... last - 1 of the lower triangle of sum_i w[i] x_i x_i', added to out ((last - first) x q, row-major),
  // x_i being row i of x (m x p) followed by a one when q == p + 1. first is a multiple of `columns`. What is added
  // above the diagonal has no meaning. workspace: gram_workspace(q) doubles.
  void (*gram_f32)(const float* x, const double* w, std::int64_t m, std::int64_t p, std::int64_t q, std::int64_t first,
                   std::int64_t last, double* out, double* workspace);
  void (*gram_f64)(const double* x, const double* w, std::int64_t m, std::int64_t p, std::int64_t q, std::int64_t first,
                   std::int64_t last, double* out, double* workspace);
  std::int64_t (*gram_workspace)(std::int64_t q);

  // y (q x columns, one column per right-hand side) := L^-1 y, in place, for the packed L below; squares[j] := the
  // squared norm of column j of the result.
  void (*forward_substitute)(const double* packed, std::int64_t q, double* y, double* squares);

  // c (rows x columns, leading dimension ldc) -= a' b with a (k x rows, leading dimension lda), b (k x columns, dense).
  void (*subtract_product)(std::int64_t k, const double* a, std::int64_t lda, const double* b, double* c,
                           std::int64_t ldc);
};

// Distances in elements from a pixel to its neighbours. Zero along an axis of one pixel.
struct Neighbours {
  std::int64_t right;
  std::int64_t down;
};

// The inner loops of warps for one pixel type. See point/interpolate.hpp for the formulas.
template <typename T>
struct WarpKernels {
  // n pixels of c channels; pixel i interpolates between the 2 x 2 (4 x 4) pixels of which the first is at
  // image + offset[i], at the fractions fx[i], fy[i] in [0, 1] ([0, 1)).
  void (*bilinear)(const T* image, Neighbours step, std::int64_t c, const std::int64_t* offset, const double* fx,
                   const double* fy, std::int64_t n, T* out);
  void (*bicubic)(const T* image, Neighbours step, std::int64_t c, const std::int64_t* offset, const double* fx,
                  const double* fy, std::int64_t n, T* out);
};

// As WarpKernels::bilinear, in OpenCV 4's arithmetic: fx and fy from 0 to 32.
using OpenCV4Bilinear = void (*)(const std::uint8_t* image, Neighbours step, std::int64_t c, const std::int64_t* offset,
                                 const std::int32_t* fx, const std::int32_t* fy, std::int64_t n, std::uint8_t* out);

// The inner loops of resizing for one pixel type.
template <typename T>
struct ResizeKernels {
  void (*to_double)(const T* in, std::int64_t n, double* out);

  // out[j] = sum_k weight[k] * rows[k][j], rounded to pixels; taps >= 1.
  void (*row_sum)(const double* const* rows, const double* weight, std::int64_t taps, std::int64_t n, T* out);
};

// out[j] = sum_k weight[k * n + j] * in[index[k * n + j]], k < taps, those of weight zero but the first left out.
using GatherSum = void (*)(const double* in, const std::int64_t* index, const double* weight, std::int64_t taps,
                           std::int64_t n, double* out);

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

struct Kernels {
  const char* level;
  LinearAlgebraKernels linalg;
  ByPixel<WarpKernels> warp;
  OpenCV4Bilinear opencv4_bilinear;
  ByPixel<ResizeKernels> resize;
  GatherSum gather_sum;
  CopyKernels copy;
};

}  // namespace augcore::simd
