// The inner loops of warps of one image: see WarpKernels in kernels.hpp for what each computes.
//
// Pixels are handled in chunks, in separate loops for loading, arithmetic and storing: the compiler vectorises the
// arithmetic, and the loads, which have no pattern, do not hold it up.
#pragma once

#include <cstdint>

#include "augcore/point/interpolate.hpp"
#include "augcore/point/opencv4.hpp"
#include "simd/gather_bicubic.inl"
#include "simd/kernels.hpp"
#include "simd/lanes.inl"
#include "simd/locate.inl"

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
inline std::uint8_t mixed_pixel(std::int32_t v00, std::int32_t v01, std::int32_t v10, std::int32_t v11, std::int32_t fx,
                                std::int32_t fy) {
  return point::opencv4::bilinear(v00, v01, v10, v11, fx, fy);
}
template <typename T>
inline T mixed_pixel(point::Real<T> v00, point::Real<T> v01, point::Real<T> v10, point::Real<T> v11, point::Real<T> fx,
                     point::Real<T> fy) {
  return point::to_pixel<T>(point::bilinear<T>(v00, v01, v10, v11, fx, fy));
}

// A chunk of pixels, one channel: tap k of pixel j is v[k][j].
template <typename T, typename F>
inline void mix_bilinear_chunk(const typename Staged<T>::type (*v)[kChunk], const F* fx, const F* fy, std::int64_t m,
                               T* values) {
  const auto real = [](auto tap) { return static_cast<F>(tap); };
  for (std::int64_t j = 0; j < m; ++j) {
    values[j] = mixed_pixel<T>(real(v[0][j]), real(v[1][j]), real(v[2][j]), real(v[3][j]), fx[j], fy[j]);
  }
}

// The weights along one axis of a chunk.
template <typename R>
struct CubicWeights {
  R of[4][kChunk];

  CubicWeights(const R* f, std::int64_t m) {
    for (std::int64_t j = 0; j < m; ++j) of[0][j] = static_cast<R>(point::cubic_weight<0>(f[j]));
    for (std::int64_t j = 0; j < m; ++j) of[1][j] = static_cast<R>(point::cubic_weight<1>(f[j]));
    for (std::int64_t j = 0; j < m; ++j) of[2][j] = static_cast<R>(point::cubic_weight<2>(f[j]));
    for (std::int64_t j = 0; j < m; ++j) of[3][j] = static_cast<R>(point::cubic_weight<3>(f[j]));
  }
};

template <typename T>
inline void mix_bicubic_chunk(const typename Staged<T>::type (*v)[kChunk], const CubicWeights<point::Real<T>>& wx,
                              const CubicWeights<point::Real<T>>& wy, const point::Real<T>* fx,
                              const point::Real<T>* fy, std::int64_t m, T* values) {
  using R = point::Real<T>;
  const auto cubic = [](R a, R b, R c, R d, const CubicWeights<R>& w, R f, std::int64_t j) {
    const R weights[4] = {w.of[0][j], w.of[1][j], w.of[2][j], w.of[3][j]};
    return point::cubic<T>(a, b, c, d, weights, f);
  };
  R rows[4][kChunk];
  for (int k = 0; k < 4; ++k) {
    const auto* row = v + 4 * k;
    for (std::int64_t j = 0; j < m; ++j) {
      rows[k][j] = cubic(static_cast<R>(row[0][j]), static_cast<R>(row[1][j]), static_cast<R>(row[2][j]),
                         static_cast<R>(row[3][j]), wx, fx[j], j);
    }
  }
  for (std::int64_t j = 0; j < m; ++j) {
    values[j] = point::to_pixel<T>(cubic(rows[0][j], rows[1][j], rows[2][j], rows[3][j], wy, fy[j], j));
  }
}

// Two, or four, neighbours along each axis.
template <int per_axis, typename T>
inline void load_chunk(const T* image, Neighbours step, const std::int32_t* offset, std::int64_t m,
                       typename Staged<T>::type (*v)[kChunk]) {
  for (std::int64_t j = 0; j < m; ++j) {
    const T* pixel = image + offset[j];
    for (int k = 0; k < per_axis * per_axis; ++k) v[k][j] = pixel[k / per_axis * step.down + k % per_axis * step.right];
  }
}

template <typename T, typename F>
void bilinear_run(const T* image, const T* end, Neighbours step, std::int64_t c, const std::int32_t* offset,
                  const F* fx, const F* fy, std::int64_t n, T* out) {
  if (gathered_bilinear(image, end, step, c, offset, fx, fy, n, out)) return;
  typename Staged<T>::type v[4][kChunk];
  T values[kChunk];
  for (std::int64_t first = 0; first < n; first += kChunk) {
    const std::int64_t m = n - first < kChunk ? n - first : kChunk;
    for (std::int64_t channel = 0; channel < c; ++channel) {
      load_chunk<2>(image + channel, step, offset + first, m, v);
      mix_bilinear_chunk<T, F>(v, fx + first, fy + first, m, values);
      for (std::int64_t j = 0; j < m; ++j) out[(first + j) * c + channel] = values[j];
    }
  }
}

template <typename T>
void bicubic_run(const T* image, const T* end, Neighbours step, std::int64_t c, const std::int32_t* offset,
                 const point::Real<T>* fx, const point::Real<T>* fy, std::int64_t n, T* out) {
  typename Staged<T>::type v[16][kChunk];
  T values[kChunk];
  for (std::int64_t first = 0; first < n; first += kChunk) {
    const std::int64_t m = n - first < kChunk ? n - first : kChunk;
    const CubicWeights<point::Real<T>> wx(fx + first, m), wy(fy + first, m);
    if (gathered_bicubic(image, end, step, c, offset + first, wx.of, wy.of, m, out + first * c)) continue;
    for (std::int64_t channel = 0; channel < c; ++channel) {
      load_chunk<4>(image + channel, step, offset + first, m, v);
      mix_bicubic_chunk<T>(v, wx, wy, fx + first, fy + first, m, values);
      for (std::int64_t j = 0; j < m; ++j) out[(first + j) * c + channel] = values[j];
    }
  }
}

template <int channels, typename T>
inline void copy_pixels(const T* image, const std::int32_t* offset, std::int64_t n, T* out) {
  for (std::int64_t i = 0; i < n; ++i) __builtin_memcpy(out + i * channels, image + offset[i], channels * sizeof(T));
}

template <typename T>
void nearest_run(const T* image, std::int64_t c, const std::int32_t* offset, std::int64_t n, T* out) {
  if (c == 1) return copy_pixels<1>(image, offset, n, out);
  if (c == 3) return copy_pixels<3>(image, offset, n, out);
  if (c == 4) return copy_pixels<4>(image, offset, n, out);
  for (std::int64_t i = 0; i < n; ++i, out += c) {
    for (std::int64_t channel = 0; channel < c; ++channel) out[channel] = image[offset[i] + channel];
  }
}

template <typename T>
void of_taps(const T* image, const T* fill, std::int64_t c, int n_taps, const std::int32_t* taps,
             const point::Real<T>* fx, const point::Real<T>* fy, const std::int32_t* pixels, std::int64_t n, T* out) {
  using R = point::Real<T>;
  typename Staged<T>::type v[16][kChunk];
  T values[kChunk];
  R x[kChunk], y[kChunk];
  for (std::int64_t first = 0; first < n; first += kChunk) {
    const std::int64_t m = n - first < kChunk ? n - first : kChunk;
    const std::int32_t* at = taps + first * n_taps;
    const std::int32_t* pixel = pixels + first;
    for (std::int64_t j = 0; j < m; ++j) {
      x[j] = fx[pixel[j]];
      y[j] = fy[pixel[j]];
    }
    for (std::int64_t channel = 0; channel < c; ++channel) {
      for (std::int64_t j = 0; j < m; ++j) {
        for (int k = 0; k < n_taps; ++k) {
          const std::int32_t from = at[j * n_taps + k];
          v[k][j] = from < 0 ? fill[channel] : image[from + channel];
        }
      }
      if (n_taps == 1) {
        for (std::int64_t j = 0; j < m; ++j) values[j] = static_cast<T>(v[0][j]);
      } else if (n_taps == 4) {
        mix_bilinear_chunk<T, R>(v, x, y, m, values);
      } else {
        mix_bicubic_chunk<T>(v, {x, m}, {y, m}, x, y, m, values);
      }
      for (std::int64_t j = 0; j < m; ++j) {
        out[pixel[j] * c + channel] = at[j * n_taps] == augcore::simd::kOutside ? fill[channel] : values[j];
      }
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
    nearest_run<T>,
    of_taps<T>,
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
    nullptr,
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
