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
  if (taps.per_axis == 1) at = {round_half_even(at.x), round_half_even(at.y)};
  if (taps.per_axis == 2 && border == Border::edge) {
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

// The value of an image (h x w x c) at a position: c elements. fill: c of them. This is the whole definition; the
// kernels have faster ways where no border is near.
template <typename T>
AUGCORE_POINT void sample(const T* image, std::int64_t h, std::int64_t w, std::int64_t c, Position at,
                          Interpolation interpolation, Border border, const T* fill, T* out) {
  const Taps taps = taps_at(at, h, w, interpolation, border);
  if (taps.outside) {
    for (std::int64_t channel = 0; channel < c; ++channel) out[channel] = fill[channel];
    return;
  }
  const Real<T> fx = static_cast<Real<T>>(taps.fx);
  const Real<T> fy = static_cast<Real<T>>(taps.fy);
  Real<T> wx[4] = {};
  Real<T> wy[4] = {};
  if (taps.per_axis == 4) {
    cubic_weights(fx, wx);
    cubic_weights(fy, wy);
  }
  for (std::int64_t channel = 0; channel < c; ++channel) {
    const auto value = [&](int j, int i) {
      const bool inside = taps.rows[j] >= 0 && taps.columns[i] >= 0;
      return static_cast<Real<T>>(inside ? image[(taps.rows[j] * w + taps.columns[i]) * c + channel] : fill[channel]);
    };
    if (taps.per_axis == 1) {
      out[channel] = image[(taps.rows[0] * w + taps.columns[0]) * c + channel];
    } else if (taps.per_axis == 2) {
      out[channel] = to_pixel<T>(bilinear<T>(value(0, 0), value(0, 1), value(1, 0), value(1, 1), fx, fy));
    } else {
      Real<T> row[4];
      for (int j = 0; j < 4; ++j) row[j] = cubic<T>(value(j, 0), value(j, 1), value(j, 2), value(j, 3), wx, fx);
      out[channel] = to_pixel<T>(cubic<T>(row[0], row[1], row[2], row[3], wy, fy));
    }
  }
}

}  // namespace augcore::point
