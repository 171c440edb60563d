// One pixel of a warped image: where it comes from, and its value there. Pixel centres are at integer coordinates.
#pragma once

#include <cstdint>

#include "augcore/point/border.hpp"
#include "augcore/point/interpolate.hpp"
#include "augcore/point/macros.hpp"

namespace augcore::point {

struct Position {
  double x;
  double y;
};

// The source of destination pixel (x, y) under m (3 x 3, row-major, destination -> source).
AUGCORE_POINT Position source_position(const double* m, bool projective, double x, double y) {
  double sx = m[0] * x + (m[1] * y + m[2]);
  double sy = m[3] * x + (m[4] * y + m[5]);
  if (projective) {
    const double sw = m[6] * x + (m[7] * y + m[8]);
    sx /= sw;
    sy /= sw;
  }
  return {limit_position(sx), limit_position(sy)};
}

// Largest whole number not above x, |x| <= 2^51.
AUGCORE_POINT double round_down(double x) {
  const double r = round_half_even(x);
  return r - (r > x ? 1.0 : 0.0);
}

// Where a position along an axis of n pixels is seen in the image that the border repeats: for reflect and wrap in
// [0, n - 1] and [0, n), for symmetric, whose mirrors stand at the outer edges of pixels, in [-0.5, n - 0.5].
AUGCORE_POINT double fold_reflect(double s, double n) {
  const double period = n > 1.0 ? 2.0 * (n - 1.0) : 1.0;
  const double t = s - period * round_down(s / period);
  return s >= 0.0 && s <= n - 1.0 ? s : n > 1.0 ? (t <= n - 1.0 ? t : period - t) : 0.0;
}
AUGCORE_POINT double fold_symmetric(double s, double n) {
  const double period = 2.0 * n;
  const double t = (s + 0.5) - period * round_down((s + 0.5) / period);
  return s >= -0.5 && s <= n - 0.5 ? s : (t <= n ? t : period - t) - 0.5;
}
AUGCORE_POINT double fold_wrap(double s, double n) {
  const double t = s - n * round_down(s / n);
  return s >= 0.0 && s < n ? s : t < n ? t : 0.0;
}
AUGCORE_POINT double fold(double s, double n, Border border) {
  return border == Border::reflect     ? fold_reflect(s, n)
         : border == Border::symmetric ? fold_symmetric(s, n)
         : border == Border::wrap      ? fold_wrap(s, n)
                                       : s;
}

// The pixels that are mixed for a position: rows x columns, `per_axis` (1, 2 or 4) of each; -1 is outside of the image,
// where the fill value stands.
struct Taps {
  int per_axis;
  bool outside;  // all of them
  std::int64_t columns[4];
  std::int64_t rows[4];
  double fx;
  double fy;
};

AUGCORE_POINT Taps taps_at(Position at, std::int64_t h, std::int64_t w, Interpolation interpolation, Border border) {
  Taps taps = {};
  taps.per_axis = interpolation == Interpolation::nearest ? 1 : interpolation == Interpolation::bilinear ? 2 : 4;
  if (taps.per_axis == 1) {
    at = {round_half_even(at.x), round_half_even(at.y)};
  } else {
    at = {fold(at.x, static_cast<double>(w), border), fold(at.y, static_cast<double>(h), border)};
  }
  // Between the edge and its repetition there is nothing to mix.
  if (taps.per_axis == 2 && (border == Border::edge || border == Border::symmetric)) {
    at = {clamp(at.x, 0.0, static_cast<double>(w - 1)), clamp(at.y, 0.0, static_cast<double>(h - 1))};
  }
  const std::int64_t x0 = floor_to_int(at.x);
  const std::int64_t y0 = floor_to_int(at.y);
  taps.fx = at.x - static_cast<double>(x0);
  taps.fy = at.y - static_cast<double>(y0);
  const int first = taps.per_axis == 4 ? -1 : 0;
  bool any_column = false;
  bool any_row = false;
  for (int k = 0; k < taps.per_axis; ++k) {
    taps.columns[k] = border_index(x0 + first + k, w, border);
    taps.rows[k] = border_index(y0 + first + k, h, border);
    any_column = any_column || taps.columns[k] >= 0;
    any_row = any_row || taps.rows[k] >= 0;
  }
  taps.outside = !any_column || !any_row;
  return taps;
}

// The value of one channel of an image at a position. pixels: the first element of the channel; step: elements from
// pixel to pixel; fill: its fill value. This is the whole definition; the kernels have faster ways where no border is
// near.
template <typename T>
AUGCORE_POINT T sample_taps(const T* pixels, std::int64_t w, std::int64_t step, const Taps& taps, T fill) {
  if (taps.outside) return fill;
  const Real<T> fx = static_cast<Real<T>>(taps.fx);
  const Real<T> fy = static_cast<Real<T>>(taps.fy);
  const auto value = [&](int j, int i) {
    const bool inside = taps.rows[j] >= 0 && taps.columns[i] >= 0;
    return static_cast<Real<T>>(inside ? pixels[(taps.rows[j] * w + taps.columns[i]) * step] : fill);
  };
  if (taps.per_axis == 1) return pixels[(taps.rows[0] * w + taps.columns[0]) * step];
  if (taps.per_axis == 2) {
    return to_pixel<T>(bilinear<T>(value(0, 0), value(0, 1), value(1, 0), value(1, 1), fx, fy));
  }
  Real<T> wx[4];
  Real<T> wy[4];
  cubic_weights(fx, wx);
  cubic_weights(fy, wy);
  Real<T> row[4];
  for (int j = 0; j < 4; ++j) row[j] = cubic<T>(value(j, 0), value(j, 1), value(j, 2), value(j, 3), wx, fx);
  return to_pixel<T>(cubic<T>(row[0], row[1], row[2], row[3], wy, fy));
}

// The value of an image (h x w x c) at a position: c elements. fill: c of them.
template <typename T>
AUGCORE_POINT void sample(const T* image, std::int64_t h, std::int64_t w, std::int64_t c, Position at,
                          Interpolation interpolation, Border border, const T* fill, T* out) {
  const Taps taps = taps_at(at, h, w, interpolation, border);
  for (std::int64_t channel = 0; channel < c; ++channel) {
    out[channel] = sample_taps(image + channel, w, c, taps, fill[channel]);
  }
}

}  // namespace augcore::point
