// Weighted rows, sums of tiles, and the last step of quadratic forms: passes before and after products of matrices.
//
// Floor: every element is read once and written once (weighted_rows), or read once, at the bandwidth of the memory. A
// product of matrices with q columns does q operations for each element that is read here: 100 times as long, or more.
#include <cmath>

#include "augcore/cuda/gram.hpp"
#include "vectors.cuh"

namespace augcore::cuda {
namespace {

constexpr int kBlock = 256;
constexpr int kWarps = kBlock / kWarp;

// A warp writes a row.
template <typename T, typename D>
__global__ void __launch_bounds__(kBlock)
    weighted_rows_kernel(const T* x, std::int64_t n, std::int64_t p, std::int64_t q, const double* weight, D* out,
                         std::int64_t stride) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kWarps + threadIdx.x / kWarp;
  if (i >= n) return;
  const double w = weight == nullptr ? 1.0 : weight[i];
#pragma unroll 4
  for (std::int64_t j = threadIdx.x % kWarp; j < stride; j += kWarp) {
    const double value = j < p ? static_cast<double>(__ldg(x + i * p + j)) : (j < q ? 1.0 : 0.0);
    out[i * stride + j] = static_cast<D>(w * value);
  }
}

template <typename D>
__global__ void __launch_bounds__(kBlock)
    add_tiles_kernel(const D* first, std::int64_t columns, std::int64_t stride, std::int64_t count,
                     std::int64_t distance, double* total, std::int64_t total_stride) {
  const std::int64_t row = blockIdx.y, column = static_cast<std::int64_t>(blockIdx.x) * kBlock + threadIdx.x;
  if (column < row || column >= columns) return;
  const D* tile = first + row * stride + column;
  double sum = total[row * total_stride + column];
#pragma unroll 8
  for (std::int64_t i = 0; i < count; ++i) sum += static_cast<double>(tile[i * distance]);
  total[row * total_stride + column] = sum;
}

// A warp reads a row of y, and one of x unless it is null, in which case y stands for both.
template <typename D, typename T>
__global__ void __launch_bounds__(kBlock)
    row_products_kernel(const D* y, std::int64_t rows, std::int64_t columns, std::int64_t stride, const T* x,
                        std::int64_t p, const double* shift, double* out, std::int64_t out_stride) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kWarps + threadIdx.x / kWarp;
  if (i >= rows) return;
  double sum = 0.0;
#pragma unroll 4
  for (std::int64_t j = threadIdx.x % kWarp; j < columns; j += kWarp) {
    double value = static_cast<double>(y[i * stride + j]);
    if (shift != nullptr && j == columns - 1) value += *shift;
    const double other = x == nullptr ? value : (j < p ? static_cast<double>(__ldg(x + i * p + j)) : 1.0);
    sum = std::fma(value, other, sum);
  }
  sum = warp_sum(sum);
  if (threadIdx.x % kWarp == 0) out[i * out_stride] = sum;
}

template <typename F>
void with_matrix(const Matrix& matrix, const F& f) {
  if (matrix.dtype == Dtype::float32) {
    f(static_cast<float*>(matrix.data));
  } else {
    f(static_cast<double*>(matrix.data));
  }
}

}  // namespace

void weighted_rows(const Design& rows, const double* weight, const Matrix& out, Stream stream) {
  if (rows.n == 0) return;
  with_elements(rows, [&](const auto* x) {
    with_matrix(out, [&](auto* to) {
      using T = std::decay_t<decltype(*x)>;
      using D = std::decay_t<decltype(*to)>;
      launch("weighted_rows", weighted_rows_kernel<T, D>, blocks_for(rows.n, kWarps), kBlock, 0, stream, x, rows.n,
             rows.p, rows.q(), weight, to, out.stride);
    });
  });
}

void add_tiles(const Matrix& first, std::int64_t count, std::int64_t distance, double* total, std::int64_t total_stride,
               Stream stream) {
  constexpr std::int64_t kMostRows = 65535;  // of a grid
  for (std::int64_t row = 0; row < first.rows; row += kMostRows) {
    // Columns are counted from `row` on, as the diagonal is where both are equal.
    const std::int64_t height = first.rows - row < kMostRows ? first.rows - row : kMostRows;
    const std::int64_t columns = first.columns - row;
    const dim3 grid(blocks_for(columns, kBlock), static_cast<unsigned>(height));
    with_matrix(first, [&](auto* tile) {
      using D = std::decay_t<decltype(*tile)>;
      launch("add_tiles", add_tiles_kernel<D>, grid, kBlock, 0, stream,
             static_cast<const D*>(tile + row * first.stride + row), columns, first.stride, count, distance,
             total + row * total_stride + row, total_stride);
    });
  }
}

void row_squares(const Matrix& y, const double* shift, double* out, std::int64_t out_stride, Stream stream) {
  if (y.rows == 0) return;
  with_matrix(y, [&](const auto* from) {
    using D = std::decay_t<decltype(*from)>;
    launch("row_squares", row_products_kernel<D, float>, blocks_for(y.rows, kWarps), kBlock, 0, stream, from, y.rows,
           y.columns, y.stride, nullptr, std::int64_t{0}, shift, out, out_stride);
  });
}

void row_dots(const Matrix& y, const Design& rows, const double* shift, double* out, std::int64_t out_stride,
              Stream stream) {
  if (y.rows == 0) return;
  with_elements(rows, [&](const auto* x) {
    with_matrix(y, [&](const auto* from) {
      using T = std::decay_t<decltype(*x)>;
      using D = std::decay_t<decltype(*from)>;
      launch("row_dots", row_products_kernel<D, T>, blocks_for(y.rows, kWarps), kBlock, 0, stream, from, y.rows,
             y.columns, y.stride, x, rows.p, shift, out, out_stride);
    });
  });
}

}  // namespace augcore::cuda
