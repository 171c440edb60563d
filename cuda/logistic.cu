// Sums over the rows of a design: logits, sums of rows with factors, and the gradient, which is both.
//
// Floor: X is read once, at the bandwidth of the memory. A multiply-add in double for every element (two in the
// gradient) is a fraction of what a data-centre card does in that time: 0.6 TFLOP/s for each TB/s of float32. The
// gradient keeps the rows of a tile in shared memory between their logits and their sums where 8 rows fit; longer rows
// are read twice. Logits and sums for b vectors read X once for every 4 of them.
#include <algorithm>
#include <cmath>

#include "augcore/cuda/logistic.hpp"
#include "augcore/point/logistic.hpp"
#include "vectors.cuh"

namespace augcore::cuda {
namespace {

constexpr int kBlock = 256;
constexpr int kWarps = kBlock / kWarp;
constexpr int kRows = 4;  // of a warp at a time: as many words are under way
constexpr std::int64_t kTileRows = kWarps * kRows;
constexpr std::int64_t kMostParts = 528;        // four blocks for each of 132 multiprocessors
constexpr int kTogether = 4;                    // vectors whose products are made in one pass
constexpr std::size_t kUsualShared = 72 << 10;  // bytes of a block, where two or three are to run side by side

// ---- logits ---------------------------------------------------------------------------------------------------------

// Of R rows from `first` on, for C vectors: in all lanes. Rows after the last are the last.
template <int V, int R, int C, typename T, typename Keep>
__device__ __forceinline__ void warp_logits(const T* x, std::int64_t first, std::int64_t n, std::int64_t p,
                                            const double* coef, std::int64_t q, double (&sums)[R][C],
                                            const Keep& keep) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const T* row[R];
#pragma unroll
  for (int r = 0; r < R; ++r) {
    row[r] = x + (first + r < n ? first + r : n - 1) * p;
#pragma unroll
    for (int c = 0; c < C; ++c) sums[r][c] = 0.0;
  }
  for (std::int64_t j = lane * V; j < p; j += kWarp * V) {
    T values[R][V];
#pragma unroll
    for (int r = 0; r < R; ++r) {
      load<V>(row[r] + j, values[r]);
      keep(r, j, values[r]);
    }
#pragma unroll
    for (int v = 0; v < V; ++v) {
#pragma unroll
      for (int c = 0; c < C; ++c) {
        const double factor = __ldg(coef + c * q + j + v);
#pragma unroll
        for (int r = 0; r < R; ++r) sums[r][c] = std::fma(static_cast<double>(values[r][v]), factor, sums[r][c]);
      }
    }
  }
#pragma unroll
  for (int r = 0; r < R; ++r) {
#pragma unroll
    for (int c = 0; c < C; ++c) sums[r][c] = warp_sum(sums[r][c]) + (q > p ? __ldg(coef + c * q + p) : 0.0);
  }
}

template <typename T, int V, int C>
__global__ void __launch_bounds__(kBlock) logits_kernel(const T* x, std::int64_t n, std::int64_t p, const double* coef,
                                                        std::int64_t q, double* eta, std::int64_t b) {
  const std::int64_t warp = static_cast<std::int64_t>(blockIdx.x) * kWarps + threadIdx.x / kWarp;
  const std::int64_t first = warp * kRows;
  if (first >= n) return;
  double sums[kRows][C];
  warp_logits<V>(x, first, n, p, coef, q, sums, [](int, std::int64_t, const T*) {});
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
#pragma unroll
    for (int c = 0; c < C; ++c) {
      if (lane == r * C + c && first + r < n) eta[(first + r) * b + c] = sums[r][c];
    }
  }
}

// Calls f(C, first) for groups of C = 4 or 1 of b vectors.
template <typename F>
void by_groups(std::int64_t b, const F& f) {
  std::int64_t first = 0;
  for (; first + kTogether <= b; first += kTogether) f(std::integral_constant<int, kTogether>{}, first);
  for (; first < b; ++first) f(std::integral_constant<int, 1>{}, first);
}

// Calls f(V) with the elements that are loaded at a time.
template <typename T, typename F>
void by_words(const T* x, std::int64_t p, const F& f) {
  if (rows_are_words(x, p)) {
    f(std::integral_constant<int, kWord<T>>{});
  } else {
    f(std::integral_constant<int, 1>{});
  }
}

// ---- sums of rows ---------------------------------------------------------------------------------------------------

// The rows of part i of so many, whole tiles but for the last.
struct Part {
  std::int64_t first, last;
};

__host__ __device__ inline Part part_of_rows(std::int64_t n, std::int64_t parts, std::int64_t i) {
  const std::int64_t tiles = (n + kTileRows - 1) / kTileRows, each = (tiles + parts - 1) / parts * kTileRows;
  const std::int64_t first = i * each < n ? i * each : n;
  return {first, n - first < each ? n : first + each};
}

// A block sums kBlock columns of a part.
template <typename T, int C>
__global__ void __launch_bounds__(kBlock) part_sums_kernel(const T* x, std::int64_t n, std::int64_t p, std::int64_t q,
                                                           const double* factors, std::int64_t b, double* sums) {
  constexpr int kUnrolled = 8;
  const std::int64_t column = static_cast<std::int64_t>(blockIdx.y) * kBlock + threadIdx.x;
  if (column >= q) return;
  const Part part = part_of_rows(n, gridDim.x, blockIdx.x);
  double total[C] = {};
  const auto add = [&](double value, std::int64_t row) {
#pragma unroll
    for (int c = 0; c < C; ++c) total[c] = std::fma(__ldg(factors + row * b + c), value, total[c]);
  };
  std::int64_t row = part.first;
  if (column == p) {
    for (; row < part.last; ++row) add(1.0, row);
  } else {
    for (; row + kUnrolled <= part.last; row += kUnrolled) {
      T values[kUnrolled];
#pragma unroll
      for (int r = 0; r < kUnrolled; ++r) values[r] = __ldg(x + (row + r) * p + column);
#pragma unroll
      for (int r = 0; r < kUnrolled; ++r) add(static_cast<double>(values[r]), row + r);
    }
    for (; row < part.last; ++row) add(static_cast<double>(__ldg(x + row * p + column)), row);
  }
#pragma unroll
  for (int c = 0; c < C; ++c) sums[(static_cast<std::int64_t>(blockIdx.x) * b + c) * q + column] = total[c];
}

// sum[j] = the sum of sums[i * width + j] over the parts i: kWarps threads share a column.
__global__ void __launch_bounds__(kBlock)
    add_parts_kernel(const double* sums, std::int64_t parts, std::int64_t width, double* sum) {
  __shared__ double of_warp[kWarps][kWarp];
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  const std::int64_t column = static_cast<std::int64_t>(blockIdx.x) * kWarp + lane;
  double total = 0.0;
  if (column < width) {
    for (std::int64_t i = warp; i < parts; i += kWarps) total += sums[i * width + column];
  }
  of_warp[warp][lane] = total;
  __syncthreads();
  if (warp == 0 && column < width) {
    for (int w = 1; w < kWarps; ++w) total += of_warp[w][lane];
    sum[column] = total;
  }
}

void add_parts(const double* sums, std::int64_t parts, std::int64_t width, double* sum, Stream stream) {
  launch("add_parts", add_parts_kernel, blocks_for(width, kWarp), kBlock, 0, stream, sums, parts, width, sum);
}

// ---- the gradient
// -----------------------------------------------------------------------------------------------------

__device__ __forceinline__ double weighted_residual(double eta, std::int64_t i, const double* y, const double* weight) {
  return point::residual(eta, y[i]) * (weight == nullptr ? 1.0 : weight[i]);
}

// A block goes over the tiles of a part: logits and residuals of R rows a warp, then the sums of the columns.
template <typename T, int V, int R>
__global__ void __launch_bounds__(kBlock)
    gradient_kernel(const T* x, std::int64_t n, std::int64_t p, const double* coef, std::int64_t q, const double* y,
                    const double* weight, double* eta, double* sums) {
  __shared__ double factors[kWarps * R];
  double* total = dynamic_shared<double>();  // q, with one more where q is odd: the tile begins at a word
  T* tile = reinterpret_cast<T*>(total + q + q % 2);
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  for (std::int64_t j = threadIdx.x; j < q; j += kBlock) total[j] = 0.0;
  const Part part = part_of_rows(n, gridDim.x, blockIdx.x);
  for (std::int64_t top = part.first; top < part.last; top += kWarps * R) {
    const std::int64_t first = top + warp * R;
    T* kept = tile + static_cast<std::int64_t>(warp) * R * p;
    double sum[R][1];
    warp_logits<V>(x, first, n, p, coef, q, sum,
                   [=](int r, std::int64_t j, const T* values) { store<V>(kept + r * p + j, values); });
#pragma unroll
    for (int r = 0; r < R; ++r) {
      if (lane != r) continue;
      const bool there = first + r < part.last;
      if (there) eta[first + r] = sum[r][0];
      factors[warp * R + r] = there ? weighted_residual(sum[r][0], first + r, y, weight) : 0.0;
    }
    __syncthreads();
    for (std::int64_t j = threadIdx.x; j < q; j += kBlock) {
      double column = total[j];
#pragma unroll
      for (int r = 0; r < kWarps * R; ++r) {
        column = std::fma(factors[r], j < p ? static_cast<double>(tile[r * p + j]) : 1.0, column);
      }
      total[j] = column;
    }
    __syncthreads();
  }
  for (std::int64_t j = threadIdx.x; j < q; j += kBlock) sums[blockIdx.x * q + j] = total[j];
}

__global__ void __launch_bounds__(kBlock)
    weighted_residual_kernel(const double* eta, const double* y, const double* weight, std::int64_t n, double* out) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kBlock + threadIdx.x;
  if (i < n) out[i] = weighted_residual(eta[i], i, y, weight);
}

// Bytes that a block of this card can have, those that have names aside.
std::size_t most_shared() {
  int device = 0, bytes = 0;
  check(cudaGetDevice(&device), "cudaGetDevice");
  check(cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device), "cudaDeviceGetAttribute");
  return static_cast<std::size_t>(bytes) - 1024;
}

// Of the gradient with R rows a warp. Sums are of the same rows in the same order whatever R is.
template <typename T>
std::size_t shared_bytes(std::int64_t p, std::int64_t q, int R) {
  return static_cast<std::size_t>(q + q % 2) * sizeof(double) + static_cast<std::size_t>(kWarps * R * p) * sizeof(T);
}

}  // namespace

std::int64_t parts_of_rows(std::int64_t n) {
  const std::int64_t tiles = (n + kTileRows - 1) / kTileRows;
  return std::max<std::int64_t>(1, std::min(tiles, kMostParts));
}

void linear_predictor(const Design& rows, const double* coef, std::int64_t b, double* eta, Stream stream) {
  if (rows.n == 0) return;
  with_elements(rows, [&](const auto* x) {
    using T = std::decay_t<decltype(*x)>;
    by_words(x, rows.p, [&](auto v) {
      by_groups(b, [&](auto c, std::int64_t first) {
        launch("linear_predictor", logits_kernel<T, v.value, c.value>, blocks_for(rows.n, kTileRows), kBlock, 0, stream,
               x, rows.n, rows.p, coef + first * rows.q(), rows.q(), eta + first, b);
      });
    });
  });
}

void sum_of_rows(const Design& rows, const double* factors, std::int64_t b, double* sums, double* sum, Stream stream) {
  const std::int64_t q = rows.q(), parts = parts_of_rows(rows.n);
  if (q == 0 || b == 0) return;
  const dim3 grid(static_cast<unsigned>(parts), blocks_for(q, kBlock));
  with_elements(rows, [&](const auto* x) {
    using T = std::decay_t<decltype(*x)>;
    by_groups(b, [&](auto c, std::int64_t first) {
      launch("sum_of_rows", part_sums_kernel<T, c.value>, grid, kBlock, 0, stream, x, rows.n, rows.p, q,
             factors + first, b, sums + first * q);
    });
  });
  add_parts(sums, parts, b * q, sum, stream);
}

void gradient(const Design& rows, const double* coef, const double* y, const double* weight, double* eta,
              double* residual, double* sums, double* sum, Stream stream) {
  const std::int64_t n = rows.n, p = rows.p, q = rows.q(), parts = parts_of_rows(n);
  with_elements(rows, [&](const auto* x) {
    using T = std::decay_t<decltype(*x)>;
    const auto run = [&](auto r) {
      by_words(x, p, [&](auto v) {
        launch("gradient", gradient_kernel<T, v.value, r.value>, static_cast<unsigned>(parts), kBlock,
               shared_bytes<T>(p, q, r.value), stream, x, n, p, coef, q, y, weight, eta, sums);
      });
      add_parts(sums, parts, q, sum, stream);
    };
    if (shared_bytes<T>(p, q, 4) <= kUsualShared) {
      run(std::integral_constant<int, 4>{});
    } else if (shared_bytes<T>(p, q, 2) <= kUsualShared) {
      run(std::integral_constant<int, 2>{});
    } else if (shared_bytes<T>(p, q, 1) <= most_shared()) {
      run(std::integral_constant<int, 1>{});
    } else {
      linear_predictor(rows, coef, 1, eta, stream);
      launch("residual", weighted_residual_kernel, blocks_for(std::max<std::int64_t>(n, 1), kBlock), kBlock, 0, stream,
             eta, y, weight, n, residual);
      sum_of_rows(rows, residual, 1, sums, sum, stream);
    }
  });
}

}  // namespace augcore::cuda
