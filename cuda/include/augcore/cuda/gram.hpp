// What stands before and after the products of matrices on the GPU, which are the library's (cuBLAS).
//
// Arrays are row-major in device memory. Nothing here waits for the card.
#pragma once

#include <cstdint>

#include "augcore/cuda/stream.hpp"
#include "augcore/design.hpp"

namespace augcore::cuda {

// A matrix of float32 or float64, its rows `stride` elements apart.
struct Matrix {
  void* data;
  Dtype dtype;
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t stride;
};

// out (n x q) = weight_i (x_i, 1), and 0 in the rest of its rows; weight may be null (all ones).
AUGCORE_CUDA_API void weighted_rows(const Design& rows, const double* weight, const Matrix& out, Stream stream);

// Adds the sum of `count` matrices like `first`, `distance` elements apart, to total, where column >= row.
AUGCORE_CUDA_API void add_tiles(const Matrix& first, std::int64_t count, std::int64_t distance, double* total,
                                std::int64_t total_stride, Stream stream);

// out[i * out_stride] = the squares of row i of y, summed; shift, if not null, is added to the last column first.
AUGCORE_CUDA_API void row_squares(const Matrix& y, const double* shift, double* out, std::int64_t out_stride,
                                  Stream stream);

// out[i * out_stride] = row i of y times (x_i, 1); shift as there.
AUGCORE_CUDA_API void row_dots(const Matrix& y, const Design& rows, const double* shift, double* out,
                               std::int64_t out_stride, Stream stream);

}  // namespace augcore::cuda
