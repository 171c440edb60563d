// Rows of floats or doubles times a vector, and sums of rows: what a gradient is made of.
#pragma once

#include <cstdint>

#include "augcore/point/logistic.hpp"
#include "simd/kernels.hpp"
#include "simd/vec.hpp"

namespace {

using index = std::int64_t;

constexpr int kDotLanes = 16;  // partial sums of a dot product, the same at every level
constexpr int kDotVectors = kDotLanes / kLanes<double>;
constexpr int kDotRows = kLanes<double> / 2;  // rows that read the vector together: as many as there are registers for
constexpr int kStripVectors = 8;              // of a row that are summed in registers
constexpr int kCacheLine = 64;

// out[i] = x_i' y for kCount rows: element k is added to lane k % kDotLanes, and the lanes are added in halves.
template <int kCount, typename T>
inline void dot_some(const T* x, index p, const double* y, double* out) {
  Vec<double> sums[kCount][kDotVectors];
  for (int i = 0; i < kCount; ++i) {
    for (int v = 0; v < kDotVectors; ++v) sums[i][v] = broadcast(0.0);
  }
  index k = 0;
  for (; k + kDotLanes <= p; k += kDotLanes) {
    for (int v = 0; v < kDotVectors; ++v) {
      const index at = k + v * kLanes<double>;
      const Vec<double> factor = load(y + at);
      for (int i = 0; i < kCount; ++i) sums[i][v] = madd(load_as(x + i * p + at, 0.0), factor, sums[i][v]);
    }
  }
  for (int i = 0; i < kCount; ++i) {
    if (k < p) {
      double lanes[kDotLanes];
      for (int v = 0; v < kDotVectors; ++v) store(lanes + v * kLanes<double>, sums[i][v]);
      for (index at = k; at < p; ++at) lanes[at - k] = madd(static_cast<double>(x[i * p + at]), y[at], lanes[at - k]);
      for (int v = 0; v < kDotVectors; ++v) sums[i][v] = load(lanes + v * kLanes<double>);
    }
    for (int width = kDotVectors / 2; width > 0; width /= 2) {
      for (int v = 0; v < width; ++v) sums[i][v] = sums[i][v] + sums[i][v + width];
    }
    double lanes[kLanes<double>];
    store(lanes, sums[i][0]);
    for (int width = kLanes<double> / 2; width > 0; width /= 2) {
      for (int lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
    }
    out[i] = lanes[0];
  }
}

template <typename T>
void dots(const T* x, index m, index p, const double* y, double* out) {
  index i = 0;
  for (; i + kDotRows <= m; i += kDotRows) dot_some<kDotRows>(x + i * p, p, y, out + i);
  for (; i < m; ++i) dot_some<1>(x + i * p, p, y, out + i);
}

// out[k] += sum_i a_i x_ik for kCount vectors of columns. The m rows after these are called into the cache meanwhile:
// they are what is read next.
template <int kCount, typename T>
inline void add_strip(const T* x, const double* a, index m, index p, double* out) {
  constexpr int kBytes = kCount * kLanes<double> * static_cast<int>(sizeof(T));
  Vec<double> sums[kCount];
#pragma GCC unroll 8
  for (int v = 0; v < kCount; ++v) sums[v] = load(out + v * kLanes<double>);
  for (index i = 0; i < m; ++i) {
    for (int at = 0; at < kBytes; at += kCacheLine) {
      __builtin_prefetch(reinterpret_cast<const char*>(x + (i + m) * p) + at);
    }
    const Vec<double> factor = broadcast(a[i]);
#pragma GCC unroll 8
    for (int v = 0; v < kCount; ++v) sums[v] = madd(factor, load_as(x + i * p + v * kLanes<double>, 0.0), sums[v]);
  }
#pragma GCC unroll 8
  for (int v = 0; v < kCount; ++v) store(out + v * kLanes<double>, sums[v]);
}

template <typename T>
void add_rows(const T* x, const double* a, index m, index p, double* out) {
  constexpr index kWide = kStripVectors * kLanes<double>;
  index k = 0;
  for (; k + kWide <= p; k += kWide) add_strip<kStripVectors>(x + k, a, m, p, out + k);
  for (; k + kLanes<double> <= p; k += kLanes<double>) add_strip<1>(x + k, a, m, p, out + k);
  for (; k < p; ++k) {
    for (index i = 0; i < m; ++i) out[k] = madd(a[i], static_cast<double>(x[i * p + k]), out[k]);
  }
}

inline void residuals(const double* __restrict eta, const double* __restrict y, index n, double* __restrict out) {
  for (index i = 0; i < n; ++i) out[i] = augcore::point::residual(eta[i], y[i]);
}

inline void curvatures(const double* __restrict eta, index n, double* __restrict out) {
  for (index i = 0; i < n; ++i) out[i] = augcore::point::curvature(eta[i]);
}

constexpr augcore::simd::RowKernels row_kernels = {dots<float>,      dots<double>, add_rows<float>,
                                                   add_rows<double>, residuals,    curvatures};

}  // namespace
