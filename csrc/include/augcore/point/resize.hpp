// One output pixel of a resized image: which pixels it sums along each axis, with which weights, in which arithmetic.
//
// A weight is computed in double. The sums are in double, but for uint8 pixels that sum few: there weights and sums are
// in float, products and sums rounded apart, which is within 1e-3 of a grey level of the sum in double.
#pragma once

#include <cmath>
#include <cstdint>

#include "augcore/point/interpolate.hpp"
#include "augcore/point/macros.hpp"

namespace augcore::point {

// n_in pixels are resized to n_out. antialias: bilinear and bicubic kernels widen with the factor of shrinking.
struct Axis {
  std::int64_t n_in;
  std::int64_t n_out;
  Interpolation interpolation;
  bool antialias;
};

// Source pixels first ... first + count - 1.
struct Span {
  std::int64_t first;
  std::int64_t count;
};

// The position of output pixel i in the source, on the half-pixel grid.
AUGCORE_POINT double resize_position(const Axis& axis, std::int64_t i) {
  return (static_cast<double>(i) + 0.5) * static_cast<double>(axis.n_in) / static_cast<double>(axis.n_out) - 0.5;
}

// At most so many pixels are summed along the axis.
AUGCORE_POINT std::int64_t most_taps(const Axis& axis) {
  const bool cubic = axis.interpolation == Interpolation::bicubic;
  const bool shrinks = axis.n_in > axis.n_out;
  std::int64_t taps = cubic ? 4 : axis.interpolation == Interpolation::nearest ? 1 : 2;
  if (shrinks && axis.interpolation == Interpolation::area) {
    taps = axis.n_in / axis.n_out + (axis.n_in % axis.n_out == 0 ? 0 : 2);
  } else if (shrinks && axis.antialias && taps > 1) {
    taps = (cubic ? 4 : 2) * (axis.n_in / axis.n_out + 1) + 3;
  }
  return taps < axis.n_in ? taps : axis.n_in;
}

// Adds a weight to those of a span that begins at `first`. Pixels past the ends stand for the first and the last.
AUGCORE_POINT void add_tap(const Axis& axis, std::int64_t i, double w, Span& span, double* weights) {
  const std::int64_t inside = i < 0 ? 0 : i < axis.n_in ? i : axis.n_in - 1;
  if (span.count == 0) span.first = inside;
  const std::int64_t k = inside - span.first;
  if (k < span.count) {
    weights[k] += w;
  } else {
    weights[k] = w;
    span.count = k + 1;
  }
}

// The kernel widened by n_in / n_out, its weights normalised; only pixels that exist take part.
AUGCORE_POINT void add_widened(const Axis& axis, double at, Span& span, double* weights) {
  const bool cubic = axis.interpolation == Interpolation::bicubic;
  const double scale = static_cast<double>(axis.n_in) / static_cast<double>(axis.n_out);
  const double support = (cubic ? 2.0 : 1.0) * scale;
  const double low = std::floor(at - support);
  const double high = std::ceil(at + support);
  std::int64_t first = low > 0.0 ? static_cast<std::int64_t>(low) : 0;
  std::int64_t last = high < static_cast<double>(axis.n_in) ? static_cast<std::int64_t>(high) : axis.n_in - 1;
  double sum = 0.0;
  for (std::int64_t i = first; i <= last; ++i) {
    const double d = std::fabs(static_cast<double>(i) - at) / scale;
    const double w = cubic ? cubic_kernel(d) : d < 1.0 ? 1.0 - d : 0.0;
    sum += w;
    if (w != 0.0 || span.count > 0) add_tap(axis, i, w, span, weights);
  }
  for (std::int64_t k = 0; k < span.count; ++k) weights[k] /= sum;
}

// The average over the part of the axis that output pixel i covers, i n_in / n_out to (i + 1) n_in / n_out. Pixels are
// counted in integers: with 2^27 of them and more a quotient of doubles may lie on the other side of one.
AUGCORE_POINT void add_average(const Axis& axis, std::int64_t i, Span& span, double* weights) {
  const double n_in = static_cast<double>(axis.n_in);
  const double n_out = static_cast<double>(axis.n_out);
  const double low = static_cast<double>(i) * n_in / n_out;
  const double high = (static_cast<double>(i) + 1.0) * n_in / n_out;
  const std::int64_t whole = axis.n_in / axis.n_out;
  const std::int64_t rest = axis.n_in % axis.n_out;
  const std::int64_t first = i * whole + i * rest / axis.n_out;
  const std::int64_t end = (i + 1) * whole + ((i + 1) * rest + axis.n_out - 1) / axis.n_out;
  for (std::int64_t k = first; k < end; ++k) {
    const double x = static_cast<double>(k);
    const double covered = (high < x + 1.0 ? high : x + 1.0) - (low > x ? low : x);
    add_tap(axis, k, covered / (high - low), span, weights);
  }
}

// OpenCV's INTER_AREA for enlarging: the next pixel shows where the output pixel reaches into it.
AUGCORE_POINT void add_enlarged_area(const Axis& axis, std::int64_t i, Span& span, double* weights) {
  const double n_in = static_cast<double>(axis.n_in);
  const double n_out = static_cast<double>(axis.n_out);
  const std::int64_t k = floor_to_int(static_cast<double>(i) * n_in / n_out);
  const double f = (static_cast<double>(i) + 1.0) - static_cast<double>(k + 1) * (n_out / n_in);
  const double weight = f <= 0.0 ? 0.0 : f - std::floor(f);
  add_tap(axis, k, 1.0 - weight, span, weights);
  add_tap(axis, k + 1, weight, span, weights);
}

// The pixels that output pixel i sums, and their weights: room for most_taps(axis) + 1. Neither the first nor the last
// weight is zero; one between them may be, and then its pixel does not count.
AUGCORE_POINT Span resize_taps(const Axis& axis, std::int64_t i, double* weights) {
  Span span = {0, 0};
  const double at = resize_position(axis, i);
  if (axis.interpolation == Interpolation::nearest) {
    add_tap(axis, static_cast<std::int64_t>(round_half_even(at)), 1.0, span, weights);
  } else if (axis.interpolation == Interpolation::area) {
    if (axis.n_in >= axis.n_out) {
      add_average(axis, i, span, weights);
    } else {
      add_enlarged_area(axis, i, span, weights);
    }
  } else if (axis.antialias && axis.n_in > axis.n_out) {
    add_widened(axis, at, span, weights);
  } else if (axis.interpolation == Interpolation::bicubic) {
    const std::int64_t k = floor_to_int(at);
    double w[4];
    cubic_weights(at - static_cast<double>(k), w);
    for (int tap = 0; tap < 4; ++tap) add_tap(axis, k - 1 + tap, w[tap], span, weights);
  } else {
    const double inside = clamp(at, 0.0, static_cast<double>(axis.n_in - 1));
    const std::int64_t k = floor_to_int(inside);
    const double f = inside - static_cast<double>(k);
    add_tap(axis, k, 1.0 - f, span, weights);
    add_tap(axis, k + 1, f, span, weights);
  }
  while (span.count > 1 && weights[span.count - 1] == 0.0) --span.count;
  std::int64_t zeros = 0;
  while (zeros < span.count - 1 && weights[zeros] == 0.0) ++zeros;
  for (std::int64_t k = zeros; zeros > 0 && k < span.count; ++k) weights[k - zeros] = weights[k];
  return {span.first + zeros, span.count - zeros};
}

// Whether uint8 images are summed in float: with so few taps its error stays under 1e-3.
constexpr std::int64_t kMostFloatTaps = 36;
AUGCORE_POINT bool resize_in_float(const Axis& down, const Axis& across) {
  return most_taps(down) <= kMostFloatTaps && most_taps(across) <= kMostFloatTaps;
}

// Columns are summed first (along x), and then rows. Where each row of the output takes in several of the source and
// sums are in float, rows come first, which is less work.
AUGCORE_POINT bool resize_rows_first(const Axis& down, const Axis& across, bool in_float) {
  const bool takes_in = down.interpolation == Interpolation::area || down.antialias;
  return in_float && takes_in && 2 * down.n_in >= 3 * down.n_out && most_taps(across) > 2;
}

// sum_k weights[k] * value(k), in this order, without the terms of weight zero.
template <typename A, typename Value>
AUGCORE_POINT A weighted_sum(const A* weights, std::int64_t count, const Value& value) {
  A sum = weights[0] * value(0);
  for (std::int64_t k = 1; k < count; ++k) {
    if (weights[k] != A{0}) sum += weights[k] * value(k);
  }
  return sum;
}

// One element of an output pixel. pixels: one channel of the source; steps: elements from row to row, column to column.
template <typename T, typename A>
AUGCORE_POINT T resize_pixel(const T* pixels, std::int64_t row_step, std::int64_t column_step, Span rows,
                             const A* row_weights, Span columns, const A* column_weights, bool rows_first) {
  const auto source = [&](std::int64_t y, std::int64_t x) {
    return static_cast<A>(pixels[(rows.first + y) * row_step + (columns.first + x) * column_step]);
  };
  A value;
  if (rows_first) {
    value = weighted_sum(column_weights, columns.count, [&](std::int64_t x) {
      return weighted_sum(row_weights, rows.count, [&](std::int64_t y) { return source(y, x); });
    });
  } else {
    value = weighted_sum(row_weights, rows.count, [&](std::int64_t y) {
      return weighted_sum(column_weights, columns.count, [&](std::int64_t x) { return source(y, x); });
    });
  }
  return to_pixel<T>(value);
}

}  // namespace augcore::point
