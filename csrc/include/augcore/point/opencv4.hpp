// The fixed-point arithmetic of OpenCV 4's warpAffine and resize for 8-bit images.
#pragma once

#include <cstdint>

#include "augcore/point/interpolate.hpp"
#include "augcore/point/macros.hpp"

namespace augcore::point::opencv4 {

constexpr int kPositionBits = 5;  // a position has steps of 1/32 pixel
constexpr std::int32_t kPositionOne = 1 << kPositionBits;
constexpr std::int32_t kWeightOne = 2048;  // of resize

// Multiples of 1/1024 pixel. Limited so that sums stay far from the ends of int64.
AUGCORE_POINT std::int64_t fixed_position(double x) {
  return static_cast<std::int64_t>(round_half_even(limit_position(x * 1024.0)));
}

// A source coordinate in 1/32 pixel, from the term of the column and the term of the row: (m0 x) and (m1 y + m2).
AUGCORE_POINT std::int64_t source_position(std::int64_t column_term, std::int64_t row_term) {
  return (row_term + 16 + column_term) >> kPositionBits;
}

// fx and fy in 1/32 pixel
AUGCORE_POINT std::uint8_t bilinear(std::int32_t v00, std::int32_t v01, std::int32_t v10, std::int32_t v11,
                                    std::int32_t fx, std::int32_t fy) {
  const std::int32_t gx = kPositionOne - fx;
  const std::int32_t gy = kPositionOne - fy;
  return static_cast<std::uint8_t>((v00 * gx * gy + v01 * fx * gy + v10 * gx * fy + v11 * fx * fy + 512) >> 10);
}

// Where output pixel i of n_out reads: pixel `index` (which may be -1 or n_in - 1) with weight 1 - f, the next with f.
struct Tap {
  std::int64_t index;
  float f;
};

AUGCORE_POINT Tap bilinear_tap(std::int64_t i, std::int64_t n_in, std::int64_t n_out) {
  const double scale = 1.0 / (static_cast<double>(n_out) / static_cast<double>(n_in));
  const float position = static_cast<float>((static_cast<double>(i) + 0.5) * scale - 0.5);
  const std::int64_t index = floor_to_int(static_cast<double>(position));
  return {index, position - static_cast<float>(index)};
}

AUGCORE_POINT Tap area_tap(std::int64_t i, std::int64_t n_in, std::int64_t n_out) {
  const double inverse = static_cast<double>(n_out) / static_cast<double>(n_in);
  const std::int64_t index = floor_to_int(static_cast<double>(i) * (1.0 / inverse));
  const float f = static_cast<float>(static_cast<double>(i + 1) - static_cast<double>(index + 1) * inverse);
  return {index, f <= 0.0F ? 0.0F : f - static_cast<float>(floor_to_int(static_cast<double>(f)))};
}

AUGCORE_POINT std::int32_t fixed_weight(float w) {
  return static_cast<std::int32_t>(round_half_even(static_cast<double>(w * static_cast<float>(kWeightOne))));
}

// Two pixels of a row with the weights a0 and a1: 11 extra bits, of which 4 are dropped.
AUGCORE_POINT std::int16_t resize_row(std::int32_t v0, std::int32_t v1, std::int32_t a0, std::int32_t a1) {
  return static_cast<std::int16_t>((a0 * v0 + a1 * v1) >> 4);
}

// Two such rows with the weights b0 and b1.
AUGCORE_POINT std::uint8_t resize_column(std::int32_t h0, std::int32_t h1, std::int32_t b0, std::int32_t b1) {
  const std::int32_t v = (((b0 * h0) >> 16) + ((b1 * h1) >> 16) + 2) >> 2;
  return static_cast<std::uint8_t>(v < 0 ? 0 : v > 255 ? 255 : v);
}

}  // namespace augcore::point::opencv4
