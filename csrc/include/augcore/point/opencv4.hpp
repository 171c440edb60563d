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

// A source coordinate in the image: two neighbours, and how far from the first, in 1/32 pixel.
struct Neighbours {
  std::int64_t first;
  std::int64_t second;
  std::int32_t f;
};

// Of a position in 1/32 pixel along an axis of n pixels, limited to the image.
AUGCORE_POINT Neighbours neighbours_at(std::int64_t position, std::int64_t n) {
  const std::int64_t last = (n - 1) * std::int64_t{kPositionOne};
  const std::int64_t inside = position < 0 ? 0 : position < last ? position : last;
  const std::int64_t first = inside / kPositionOne;
  return {first, first + 1 < n ? first + 1 : first, static_cast<std::int32_t>(inside % kPositionOne)};
}

// The source of destination pixel (x, y) under m (3 x 3, row-major, destination -> source, affine) in h x w pixels.
struct Source {
  Neighbours x;
  Neighbours y;
};
AUGCORE_POINT Source source_of(const double* m, double x, double y, std::int64_t h, std::int64_t w) {
  const auto position = [&](const double* row) {
    return source_position(fixed_position(row[0] * x), fixed_position(row[1] * y + row[2]));
  };
  return {neighbours_at(position(m), w), neighbours_at(position(m + 3), h)};
}

// pixels: one channel of an image; step: elements from pixel to pixel.
AUGCORE_POINT std::uint8_t sample(const std::uint8_t* pixels, std::int64_t w, std::int64_t step, const Source& source) {
  const auto at = [&](std::int64_t y, std::int64_t x) { return static_cast<std::int32_t>(pixels[(y * w + x) * step]); };
  const Neighbours &x = source.x, &y = source.y;
  return bilinear(at(y.first, x.first), at(y.first, x.second), at(y.second, x.first), at(y.second, x.second), x.f, y.f);
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

// Two pixels, and their weights in 1/2048. columns: of an axis along x.
struct FixedTap {
  std::int64_t first;
  std::int64_t second;
  std::int32_t weight_first;
  std::int32_t weight_second;
};

AUGCORE_POINT FixedTap fixed_tap(std::int64_t i, std::int64_t n_in, std::int64_t n_out, bool area, bool columns) {
  Tap tap = area ? area_tap(i, n_in, n_out) : bilinear_tap(i, n_in, n_out);
  // OpenCV gives columns past the ends the whole weight, rows two weights on the same row, which may round apart.
  if (columns && (tap.index < 0 || tap.index >= n_in - 1)) tap.f = 0.0F;
  const auto inside = [&](std::int64_t k) { return k < 0 ? 0 : k < n_in ? k : n_in - 1; };
  return {inside(tap.index), inside(tap.index + 1), fixed_weight(1.0F - tap.f), fixed_weight(tap.f)};
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
