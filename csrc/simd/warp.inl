// The inner loops of warps of one image: see WarpKernels in kernels.hpp for what each computes.
//
// Pixels are handled in chunks, in separate loops for loading, arithmetic and storing: the compiler vectorises the
// arithmetic, and the loads, which have no pattern, do not hold it up.
#pragma once

#include <cstdint>

#include "augcore/point/interpolate.hpp"
#include "augcore/point/opencv4.hpp"
#include "simd/gather.inl"
#include "simd/kernels.hpp"
#include "simd/lanes.inl"
#include "simd/locate.inl"

namespace {

namespace point = augcore::point;
using augcore::simd::Neighbours;

// ---- mixing pixels
// ---------------------------------------------------------------------------------------------------

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
inline std::uint8_t mixed_pixel(std::int32_t v00, std::int32_t v01, std::int32_t v10, std::int32_t v11, std::int32_t fx,
                                std::int32_t fy) {
  return point::opencv4::bilinear(v00, v01, v10, v11, fx, fy);
}
template <typename T>
inline T mixed_pixel(point::Real<T> v00, point::Real<T> v01, point::Real<T> v10, point::Real<T> v11, point::Real<T> fx,
                     point::Real<T> fy) {
  return point::to_pixel<T>(point::bilinear<T>(v00, v01, v10, v11, fx, fy));
}

template <typename T, typename F>
void bilinear_run(const T* image, const T* end, Neighbours step, std::int64_t c, const std::int32_t* offset,
                  const F* fx, const F* fy, std::int64_t n, T* out) {
  if (gathered_bilinear(image, end, step, c, offset, fx, fy, n, out)) return;
  typename Staged<T>::type v00[kChunk], v01[kChunk], v10[kChunk], v11[kChunk];
  T values[kChunk];
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
        const auto real = [](auto v) { return static_cast<F>(v); };
        values[j] =
            mixed_pixel<T>(real(v00[j]), real(v01[j]), real(v10[j]), real(v11[j]), fx[first + j], fy[first + j]);
      }
      for (std::int64_t j = 0; j < m; ++j) out[(first + j) * c + channel] = values[j];
    }
  }
}

template <typename T>
void bicubic_run(const T* image, const T*, Neighbours step, std::int64_t c, const std::int32_t* offset,
                 const point::Real<T>* fx, const point::Real<T>* fy, std::int64_t n, T* out) {
  using R = point::Real<T>;
  R rows[4][kChunk];
  T values[kChunk];
  R wx[kChunk][4], wy[kChunk][4];
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
          const auto tap = [&](int i) { return static_cast<R>(pixel[i * step.right]); };
          rows[k][j] = point::cubic<T>(tap(0), tap(1), tap(2), tap(3), wx[j], fx[first + j]);
        }
      }
      for (std::int64_t j = 0; j < m; ++j) {
        values[j] =
            point::to_pixel<T>(point::cubic<T>(rows[0][j], rows[1][j], rows[2][j], rows[3][j], wy[j], fy[first + j]));
      }
      for (std::int64_t j = 0; j < m; ++j) out[(first + j) * c + channel] = values[j];
    }
  }
}

template <typename T>
constexpr augcore::simd::ExactWarpKernels<T> exact_warp_kernels = {
    locate<point::Real<T>>,
    split<point::Real<T>>,
    find_offsets,
    bilinear_run<T, point::Real<T>>,
    bicubic_run<T>,
    kGatheredChannels<T>,
    kImages<T>,
    collect_lanes<T>,
    distribute_lanes<T>,
    lanes_bilinear<T, point::Real<T>>,
    lanes_bicubic<T>,
    lanes_nearest<T>,
    lanes_of_taps<T>,
};

constexpr augcore::simd::WarpKernels<std::uint8_t, std::int32_t> opencv4_warp_kernels = {
    locate,
    nullptr,
    find_offsets,
    bilinear_run<std::uint8_t, std::int32_t>,
    nullptr,
    kGatheredChannels<std::uint8_t>,
    kImages<std::uint8_t>,
    collect_lanes<std::uint8_t>,
    distribute_lanes<std::uint8_t>,
    lanes_bilinear<std::uint8_t, std::int32_t>,
    nullptr,
    nullptr,
    nullptr,
};

}  // namespace
