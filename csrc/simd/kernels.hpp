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

  // The lower triangle of out (q x q, row-major) += sum_i w[i] x_i x_i', x_i being row i of x (m x p) followed by a one
  // when q == p + 1. workspace: gram_workspace(q) doubles.
  void (*gram_f32)(const float* x, const double* w, std::int64_t m, std::int64_t p, std::int64_t q, double* out,
                   double* workspace);
  void (*gram_f64)(const double* x, const double* w, std::int64_t m, std::int64_t p, std::int64_t q, double* out,
                   double* workspace);
  std::int64_t (*gram_workspace)(std::int64_t q);

  // y (q x columns, one column per right-hand side) := L^-1 y, in place, for the packed L below; squares[j] := the
  // squared norm of column j of the result.
  void (*forward_substitute)(const double* packed, std::int64_t q, double* y, double* squares);

  // c (rows x columns, leading dimension ldc) -= a' b with a (k x rows, leading dimension lda), b (k x columns, dense).
  void (*subtract_product)(std::int64_t k, const double* a, std::int64_t lda, const double* b, double* c,
                           std::int64_t ldc);
};

struct Kernels {
  const char* level;
  LinearAlgebraKernels linalg;
};

}  // namespace augcore::simd
