// Interpolation between pixels: in float for 8-bit pixels, whose 8 bits leave 16 for the weights, in double for all
// others.
//
// A pixel of weight zero does not count, so that NaN and infinity in float images stay where they are seen; integer
// pixels need no test for that, and their results round half to even and saturate.
#pragma once

#include <cstdint>

#include "augcore/point/macros.hpp"

namespace augcore {

enum class Interpolation { nearest, bilinear, bicubic, area };

namespace point {

// Real: the type that fractions, weights and sums have.
template <typename T>
struct Pixel {  // float and double
  using Real = double;
  static constexpr bool kInteger = false;
  static constexpr double kMax = 0.0;
};
template <>
struct Pixel<std::uint8_t> {
  using Real = float;
  static constexpr bool kInteger = true;
  static constexpr double kMax = 255.0;
};
template <>
struct Pixel<std::uint16_t> {
  using Real = double;
  static constexpr bool kInteger = true;
  static constexpr double kMax = 65535.0;
};
template <typename T>
using Real = typename Pixel<T>::Real;

// Positions are limited to this before they become integers. NaN (a projective horizon) becomes the lower limit.
constexpr double kMaxPosition = 1125899906842624.0;  // 2^50

AUGCORE_POINT double limit_position(double x) {
  const double above = x > -kMaxPosition ? x : -kMaxPosition;
  return above < kMaxPosition ? above : kMaxPosition;
}

template <typename R>
AUGCORE_POINT R clamp(R x, R low, R high) {
  const R above = x > low ? x : low;
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

// |x| <= 2^22
AUGCORE_POINT float round_half_even(float x) {
  constexpr float kNoFraction = 12582912.0F;  // 1.5 * 2^23
  return (x + kNoFraction) - kNoFraction;
}

template <typename T, typename R>
AUGCORE_POINT T to_pixel(R v) {
  if constexpr (Pixel<T>::kInteger) {
    return static_cast<T>(static_cast<std::int32_t>(round_half_even(clamp(v, R{0}, static_cast<R>(Pixel<T>::kMax)))));
  } else {
    return static_cast<T>(v);
  }
}

// The value a fraction f, 0 <= f <= 1, of the way from a to b.
template <typename T>
AUGCORE_POINT Real<T> blend(Real<T> a, Real<T> b, Real<T> f) {
  if constexpr (sizeof(Real<T>) == sizeof(float)) {
    return a + f * (b - a);  // b - a is exact
  } else {
    const Real<T> mixed = (1.0 - f) * a + f * b;
    if constexpr (Pixel<T>::kInteger) {
      return mixed;
    } else {
      return f == 0.0 ? a : f == 1.0 ? b : mixed;
    }
  }
}

template <typename T>
AUGCORE_POINT Real<T> bilinear(Real<T> v00, Real<T> v01, Real<T> v10, Real<T> v11, Real<T> fx, Real<T> fy) {
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
template <typename R>
AUGCORE_POINT void cubic_weights(double f, R* weights) {
  weights[0] = static_cast<R>(cubic_kernel(1.0 + f));
  weights[1] = static_cast<R>(cubic_kernel(f));
  weights[2] = static_cast<R>(cubic_kernel(1.0 - f));
  weights[3] = static_cast<R>(cubic_kernel(2.0 - f));
}

template <typename T>
AUGCORE_POINT Real<T> cubic(Real<T> v0, Real<T> v1, Real<T> v2, Real<T> v3, const Real<T>* weights, double f) {
  const Real<T> mixed = weights[0] * v0 + weights[1] * v1 + weights[2] * v2 + weights[3] * v3;
  if constexpr (Pixel<T>::kInteger) {
    return mixed;
  } else {
    return f == 0.0 ? v1 : mixed;
  }
}

}  // namespace point
}  // namespace augcore
