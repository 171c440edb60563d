// The inner loops of warps for one instruction set: see WarpKernels in kernels.hpp for what each computes.
//
// Pixels are handled in chunks, one channel at a time, in separate loops for loading, arithmetic and storing: the
// compiler vectorises the arithmetic, and the loads, which have no pattern, do not hold it up.
#pragma once

#include <cstdint>

#include "augcore/point/interpolate.hpp"
#include "augcore/point/opencv4.hpp"
#include "simd/kernels.hpp"

namespace {

namespace point = augcore::point;
using augcore::simd::Neighbours;

constexpr std::int64_t kChunk = 64;

// What a pixel waits in between loading and arithmetic: 32 bits for integers, which vectors convert quickly.
template <typename T>
struct Staged {
  using type = std::int32_t;
};
template <>
struct Staged<float> {
  using type = float;
};
template <>
struct Staged<double> {
  using type = double;
};

template <typename T>
inline void store_pixels(const double* values, std::int64_t m, T* out, std::int64_t step) {
  T pixels[kChunk];
  for (std::int64_t j = 0; j < m; ++j) pixels[j] = point::to_pixel<T>(values[j]);
  for (std::int64_t j = 0; j < m; ++j) out[j * step] = pixels[j];
}

template <typename T>
void bilinear_run(const T* image, Neighbours step, std::int64_t c, const std::int64_t* offset, const double* fx,
                  const double* fy, std::int64_t n, T* out) {
  typename Staged<T>::type v00[kChunk], v01[kChunk], v10[kChunk], v11[kChunk];
  double values[kChunk];
  for (std::int64_t first = 0; first < n; first += kChunk) {
    const std::int64_t m = n - first < kChunk ? n - first : kChunk;
    for (std::int64_t channel = 0; channel < c; ++channel) {
      for (std::int64_t j = 0; j < m; ++j) {
        const T* pixel = image + offset[first + j] + channel;
        v00[j] = pixel[0];
        v01[j] = pixel[step.right];
        v10[j] = pixel[step.down];
        v11[j] = pixel[step.down + step.right];
      }
      for (std::int64_t j = 0; j < m; ++j) {
        values[j] = point::bilinear<T>(v00[j], v01[j], v10[j], v11[j], fx[first + j], fy[first + j]);
      }
      store_pixels(values, m, out + first * c + channel, c);
    }
  }
}

template <typename T>
void bicubic_run(const T* image, Neighbours step, std::int64_t c, const std::int64_t* offset, const double* fx,
                 const double* fy, std::int64_t n, T* out) {
  double rows[4][kChunk], values[kChunk];
  double wx[kChunk][4], wy[kChunk][4];
  for (std::int64_t first = 0; first < n; first += kChunk) {
    const std::int64_t m = n - first < kChunk ? n - first : kChunk;
    for (std::int64_t j = 0; j < m; ++j) {
      point::cubic_weights(fx[first + j], wx[j]);
      point::cubic_weights(fy[first + j], wy[j]);
    }
    for (std::int64_t channel = 0; channel < c; ++channel) {
      for (int k = 0; k < 4; ++k) {
        for (std::int64_t j = 0; j < m; ++j) {
          const T* pixel = image + offset[first + j] + channel + k * step.down;
          rows[k][j] = point::cubic<T>(pixel[0], pixel[step.right], pixel[2 * step.right], pixel[3 * step.right], wx[j],
                                       fx[first + j]);
        }
      }
      for (std::int64_t j = 0; j < m; ++j) {
        values[j] = point::cubic<T>(rows[0][j], rows[1][j], rows[2][j], rows[3][j], wy[j], fy[first + j]);
      }
      store_pixels(values, m, out + first * c + channel, c);
    }
  }
}

void opencv4_run(const std::uint8_t* image, Neighbours step, std::int64_t c, const std::int64_t* offset,
                 const std::int32_t* fx, const std::int32_t* fy, std::int64_t n, std::uint8_t* out) {
  std::int32_t v00[kChunk], v01[kChunk], v10[kChunk], v11[kChunk];
  std::uint8_t values[kChunk];
  for (std::int64_t first = 0; first < n; first += kChunk) {
    const std::int64_t m = n - first < kChunk ? n - first : kChunk;
    for (std::int64_t channel = 0; channel < c; ++channel) {
      for (std::int64_t j = 0; j < m; ++j) {
        const std::uint8_t* pixel = image + offset[first + j] + channel;
        v00[j] = pixel[0];
        v01[j] = pixel[step.right];
        v10[j] = pixel[step.down];
        v11[j] = pixel[step.down + step.right];
      }
      for (std::int64_t j = 0; j < m; ++j) {
        values[j] = point::opencv4::bilinear(v00[j], v01[j], v10[j], v11[j], fx[first + j], fy[first + j]);
      }
      for (std::int64_t j = 0; j < m; ++j) out[(first + j) * c + channel] = values[j];
    }
  }
}

template <typename T>
constexpr augcore::simd::WarpKernels<T> warp_kernels = {bilinear_run<T>, bicubic_run<T>};

}  // namespace
