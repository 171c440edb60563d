// The inner loops of warps of one image: see WarpKernels in kernels.hpp for what each computes.
//
// Pixels are handled in chunks, in separate loops for loading, arithmetic and storing: the compiler vectorises the
// arithmetic, and the loads, which have no pattern, do not hold it up.
#pragma once

#include <cstdint>

#include "augcore/point/interpolate.hpp"
#include "augcore/point/opencv4.hpp"
#include "augcore/point/warp.hpp"
#include "simd/gather.inl"
#include "simd/kernels.hpp"
#include "simd/lanes.inl"

namespace {

namespace point = augcore::point;
using augcore::simd::Axis;
using augcore::simd::Neighbours;

// ---- where pixels come from
// ------------------------------------------------------------------------------------------

void exact_positions(const double* m, bool projective, double y, std::int64_t x, std::int64_t n, double* sx,
                     double* sy) {
  const double first = static_cast<double>(x);
  if (projective) {
    for (std::int64_t i = 0; i < n; ++i) {
      const point::Position at = point::source_position(m, true, first + static_cast<std::int32_t>(i), y);
      sx[i] = at.x;
      sy[i] = at.y;
    }
  } else {
    for (std::int64_t i = 0; i < n; ++i) {
      const point::Position at = point::source_position(m, false, first + static_cast<std::int32_t>(i), y);
      sx[i] = at.x;
      sy[i] = at.y;
    }
  }
}

// In 1/32 pixel, before rounding down: a multiple of 1/32. point::opencv4::source_position in doubles, whose 53 bits
// hold all sums.
void opencv4_positions(const double* m, bool, double y, std::int64_t x, std::int64_t n, double* sx, double* sy) {
  const auto fixed = [](double v) { return point::round_half_even(point::limit_position(v * 1024.0)); };
  const double first = static_cast<double>(x);
  const double row_x = fixed(m[1] * y + m[2]) + 16.0;
  const double row_y = fixed(m[4] * y + m[5]) + 16.0;
  for (std::int64_t i = 0; i < n; ++i) {
    const double column = first + static_cast<std::int32_t>(i);
    sx[i] = (fixed(m[0] * column) + row_x) * 0.03125;
    sy[i] = (fixed(m[3] * column) + row_y) * 0.03125;
  }
}

template <typename F>
void exact_split(const double* position, std::int64_t n, const Axis& axis, std::int32_t* first, F* fraction,
                 std::uint8_t* inside) {
  // Far enough outside to be seen as outside, near enough to be an int32.
  const double low = axis.clamped ? 0.0 : -2.0;
  const double high = axis.clamped ? axis.n - 1.0 : axis.n + 1.0;
  const std::int32_t most = axis.clamped ? axis.n - 1 - axis.after : axis.n + 1;
  const std::int32_t begin = axis.before;
  const std::int32_t end = axis.n - axis.after;
  const bool nearest = axis.nearest;
  for (std::int64_t i = 0; i < n; ++i) {
    const double s = point::clamp(nearest ? point::round_half_even(position[i]) : position[i], low, high);
    const std::int32_t whole = static_cast<std::int32_t>(s);
    const std::int32_t down = whole - (s < whole ? 1 : 0);
    const std::int32_t at = down < most ? down : most;
    first[i] = at;
    fraction[i] = static_cast<F>(s - at);
  }
  for (std::int64_t i = 0; i < n; ++i) {
    inside[i] = static_cast<std::uint8_t>(inside[i] & (first[i] >= begin ? 1 : 0) & (first[i] < end ? 1 : 0));
  }
}

void opencv4_split(const double* position, std::int64_t n, const Axis& axis, std::int32_t* first,
                   std::int32_t* fraction, std::uint8_t*) {
  const double high = (axis.n - 1.0) * point::opencv4::kPositionOne;
  const std::int32_t most = axis.n - 1 - axis.after;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int32_t s = static_cast<std::int32_t>(point::clamp(position[i], 0.0, high));
    const std::int32_t down = s >> point::opencv4::kPositionBits;
    const std::int32_t at = down < most ? down : most;
    first[i] = at;
    fraction[i] = s - at * point::opencv4::kPositionOne;
  }
}

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
    exact_positions,
    exact_split<point::Real<T>>,
    bilinear_run<T, point::Real<T>>,
    bicubic_run<T>,
    kImages<T>,
    collect_lanes<T>,
    distribute_lanes<T>,
    lanes_bilinear<T, point::Real<T>>,
    lanes_bicubic<T>,
    lanes_nearest<T>,
    lanes_of_taps<T>,
};

constexpr augcore::simd::WarpKernels<std::uint8_t, std::int32_t> opencv4_warp_kernels = {
    opencv4_positions,
    opencv4_split,
    bilinear_run<std::uint8_t, std::int32_t>,
    nullptr,
    kImages<std::uint8_t>,
    collect_lanes<std::uint8_t>,
    distribute_lanes<std::uint8_t>,
    lanes_bilinear<std::uint8_t, std::int32_t>,
    nullptr,
    nullptr,
    nullptr,
};

}  // namespace
