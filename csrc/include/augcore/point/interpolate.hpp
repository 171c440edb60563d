// Interpolation between pixels, in double for every pixel type.
//
// A pixel of weight zero does not count, so that NaN and infinity in float images stay where they are seen; integer
// pixels need no test for that, and their results round half to even and saturate.
#pragma once

#include <cstdint>

#include "augcore/point/macros.hpp"

namespace augcore {

enum class Interpolation { nearest, bilinear, bicubic, area };

namespace point {

template <typename T>
struct Pixel {  // float and double
  static constexpr bool kInteger = false;
  static constexpr double kMax = 0.0;
};
template <>
struct Pixel<std::uint8_t> {
  static constexpr bool kInteger = true;
  static constexpr double kMax = 255.0;
};
template <>
struct Pixel<std::uint16_t> {
  static constexpr bool kInteger = true;
  static constexpr double kMax = 65535.0;
};

// Positions are limited to this before they become integers. NaN (a projective horizon) becomes the lower limit.
constexpr double kMaxPosition = 1125899906842624.0;  // 2^50

AUGCORE_POINT double limit_position(double x) {
  const double above = x > -kMaxPosition ? x : -kMaxPosition;
  return above < kMaxPosition ? above : kMaxPosition;
}

AUGCORE_POINT double clamp(double x, double low, double high) {
  const double above = x > low ? x : low;
  return above < high ? above : high;
}

// Largest integer not above x, |x| <= kMaxPosition.
AUGCORE_POINT std::int64_t floor_to_int(double x) {
  const std::int64_t i = static_cast<std::int64_t>(x);
  return i - (x < static_cast<double>(i) ? 1 : 0);
}

// x rounded half to even, |x| <= 2^51: the sum has no bits left for a fraction.
AUGCORE_POINT double round_half_even(double x) {
  constexpr double kNoFraction = 6755399441055744.0;  // 1.5 * 2^52
  return (x + kNoFraction) - kNoFraction;
}

template <typename T>
AUGCORE_POINT T to_pixel(double v) {
  if constexpr (Pixel<T>::kInteger) {
    return static_cast<T>(static_cast<std::int32_t>(round_half_even(clamp(v, 0.0, Pixel<T>::kMax))));
  } else {
    return static_cast<T>(v);
  }
}

// The value a fraction f, 0 <= f <= 1, of the way from a to b.
template <typename T>
AUGCORE_POINT double blend(double a, double b, double f) {
  const double mixed = (1.0 - f) * a + f * b;
  if constexpr (Pixel<T>::kInteger) {
    return mixed;
  } else {
    return f == 0.0 ? a : f == 1.0 ? b : mixed;
  }
}

template <typename T>
AUGCORE_POINT double bilinear(double v00, double v01, double v10, double v11, double fx, double fy) {
  return blend<T>(blend<T>(v00, v01, fx), blend<T>(v10, v11, fx), fy);
}

// Keys' cubic convolution kernel with a = -0.75, at distance d >= 0.
AUGCORE_POINT double cubic_kernel(double d) {
  constexpr double a = -0.75;
  if (d <= 1.0) return ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0;
  if (d < 2.0) return ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a;
  return 0.0;
}

// Weights of the pixels at -1, 0, 1, 2 for the position f, 0 <= f < 1.
AUGCORE_POINT void cubic_weights(double f, double* weights) {
  weights[0] = cubic_kernel(1.0 + f);
  weights[1] = cubic_kernel(f);
  weights[2] = cubic_kernel(1.0 - f);
  weights[3] = cubic_kernel(2.0 - f);
}

template <typename T>
AUGCORE_POINT double cubic(double v0, double v1, double v2, double v3, const double* weights, double f) {
  const double mixed = weights[0] * v0 + weights[1] * v1 + weights[2] * v2 + weights[3] * v3;
  if constexpr (Pixel<T>::kInteger) {
    return mixed;
  } else {
    return f == 0.0 ? v1 : mixed;
  }
}

}  // namespace point
}  // namespace augcore
