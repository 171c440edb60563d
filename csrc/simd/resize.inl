// The inner loops of resizing for one instruction set: see ResizeKernels in kernels.hpp for what each computes.
#pragma once

#include <cstdint>

#include "augcore/point/interpolate.hpp"
#include "simd/kernels.hpp"

namespace {

constexpr std::int64_t kRowChunk = 64;

template <typename T>
void to_double(const T* in, std::int64_t n, double* out) {
  for (std::int64_t j = 0; j < n; ++j) out[j] = static_cast<double>(in[j]);
}

void gather_sum(const double* in, const std::int64_t* index, const double* weight, std::int64_t taps, std::int64_t n,
                double* out) {
  for (std::int64_t j = 0; j < n; ++j) out[j] = weight[j] * in[index[j]];
  for (std::int64_t k = 1; k < taps; ++k) {
    const std::int64_t* from = index + k * n;
    const double* w = weight + k * n;
    for (std::int64_t j = 0; j < n; ++j) {
      const double sum = out[j] + w[j] * in[from[j]];
      out[j] = w[j] == 0.0 ? out[j] : sum;
    }
  }
}

template <typename T>
void row_sum(const double* const* rows, const double* weight, std::int64_t taps, std::int64_t n, T* out) {
  double sums[kRowChunk];
  for (std::int64_t first = 0; first < n; first += kRowChunk) {
    const std::int64_t m = n - first < kRowChunk ? n - first : kRowChunk;
    for (std::int64_t j = 0; j < m; ++j) sums[j] = weight[0] * rows[0][first + j];
    for (std::int64_t k = 1; k < taps; ++k) {
      for (std::int64_t j = 0; j < m; ++j) sums[j] += weight[k] * rows[k][first + j];
    }
    for (std::int64_t j = 0; j < m; ++j) out[first + j] = augcore::point::to_pixel<T>(sums[j]);
  }
}

template <typename T>
constexpr augcore::simd::ResizeKernels<T> resize_kernels = {to_double<T>, row_sum<T>};

}  // namespace
