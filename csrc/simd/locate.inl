// Where the pixels of a warped image come from: see WarpKernels in kernels.hpp for what each function computes.
#pragma once

#include <cstdint>

#include "augcore/point/opencv4.hpp"
#include "augcore/point/warp.hpp"
#include "simd/kernels.hpp"

namespace {

namespace point = augcore::point;
using augcore::simd::Axis;
using augcore::simd::Rectangle;

constexpr std::int64_t kStep = augcore::simd::kPlanStep;

// Loops over pixels in steps of constant length, which compilers unroll into whole vectors.
template <typename Body>
inline void for_steps(std::int64_t n, const Body& body) {
  for (std::int64_t first = 0; first < n; first += kStep) {
    for (std::int64_t i = first; i < first + kStep; ++i) body(i);
  }
}

// ---- exact
// -----------------------------------------------------------------------------------------------------------

// position(i), i < n, along one axis: the pixel at or left of it, and the fraction from there.
template <typename F, typename Position>
inline void split_axis(const Axis& axis, std::int64_t n, std::int32_t* first, F* fraction, const Position& position) {
  if (axis.nearest) {
    const double low = axis.clamped ? 0.0 : -2.0;
    const double high = axis.clamped ? axis.n - 1.0 : axis.n + 1.0;
    for_steps(n, [&](std::int64_t i) {
      const double s = point::clamp(point::round_half_even(point::limit_position(position(i))), low, high);
      first[i] = static_cast<std::int32_t>(s);
      fraction[i] = 0;
    });
  } else if (axis.clamped) {
    const double high = axis.n - 1.0;
    const std::int32_t most = axis.n - 1 - axis.after;
    for_steps(n, [&](std::int64_t i) {
      const double s = point::clamp(position(i), 0.0, high);
      const std::int32_t whole = static_cast<std::int32_t>(s);
      const std::int32_t at = whole < most ? whole : most;
      first[i] = at;
      fraction[i] = static_cast<F>(s - at);
    });
  } else {
    // Far enough outside to be seen as outside, near enough to be an int32.
    const double high = axis.n + 1.0;
    for_steps(n, [&](std::int64_t i) {
      const double s = point::clamp(position(i), -2.0, high);
      const std::int32_t whole = static_cast<std::int32_t>(s);
      const std::int32_t at = whole - (s < whole ? 1 : 0);
      first[i] = at;
      fraction[i] = static_cast<F>(s - at);
    });
  }
}

inline void find_inside(const std::int32_t* column, const std::int32_t* row, std::int64_t n, const Axis& across,
                        const Axis& down, std::uint8_t* inside) {
  // Unsigned: what is before the first pixel is far behind the last one.
  const auto room = [](const Axis& axis) {
    const std::int32_t pixels = axis.n - axis.before - axis.after;
    return static_cast<std::uint32_t>(pixels > 0 ? pixels : 0);
  };
  const std::uint32_t width = room(across);
  const std::uint32_t height = room(down);
  for_steps(n, [&](std::int64_t i) {
    const std::uint32_t x = static_cast<std::uint32_t>(column[i] - across.before);
    const std::uint32_t y = static_cast<std::uint32_t>(row[i] - down.before);
    inside[i] = static_cast<std::uint8_t>((x < width ? 1 : 0) & (y < height ? 1 : 0));
  });
}

template <typename F>
void split(const double* sx, const double* sy, std::int64_t n, const Axis& across, const Axis& down,
           std::int32_t* column, std::int32_t* row, F* fx, F* fy, std::uint8_t* inside) {
  split_axis(across, n, column, fx, [&](std::int64_t i) { return sx[i]; });
  split_axis(down, n, row, fy, [&](std::int64_t i) { return sy[i]; });
  find_inside(column, row, n, across, down, inside);
}

// point::source_position, with the products of the columns taken once.
template <typename F>
void locate(const double* m, bool projective, const Rectangle& out, const Axis& across, const Axis& down,
            double* scratch, std::int32_t* column, std::int32_t* row, F* fx, F* fy, std::uint8_t* inside) {
  const std::int64_t w = out.x1 - out.x0;
  const std::int64_t stride = w + kStep;
  double* products[3] = {scratch, scratch + stride, scratch + 2 * stride};
  for (int k = 0; k < 3; ++k) {
    for_steps(w, [&](std::int64_t i) { products[k][i] = m[3 * k] * static_cast<double>(out.x0 + i); });
  }
  for (std::int64_t y = out.y0; y < out.y1; ++y) {
    const std::int64_t at = (y - out.y0) * w;
    double terms[3];
    for (int k = 0; k < 3; ++k) terms[k] = m[3 * k + 1] * static_cast<double>(y) + m[3 * k + 2];
    if (projective) {
      const auto divided = [&](int k) {
        return [&, k](std::int64_t i) { return (products[k][i] + terms[k]) / (products[2][i] + terms[2]); };
      };
      split_axis(across, w, column + at, fx + at, divided(0));
      split_axis(down, w, row + at, fy + at, divided(1));
    } else {
      split_axis(across, w, column + at, fx + at, [&](std::int64_t i) { return products[0][i] + terms[0]; });
      split_axis(down, w, row + at, fy + at, [&](std::int64_t i) { return products[1][i] + terms[1]; });
    }
    if (!across.clamped) find_inside(column + at, row + at, w, across, down, inside + at);
  }
}

// ---- the arithmetic of OpenCV 4
// --------------------------------------------------------------------------------------

// point::opencv4::source_position in doubles, whose 53 bits hold all sums.
void locate(const double* m, bool, const Rectangle& out, const Axis& across, const Axis& down, double* scratch,
            std::int32_t* column, std::int32_t* row, std::int32_t* fx, std::int32_t* fy, std::uint8_t*) {
  const auto fixed = [](double v) { return point::round_half_even(point::limit_position(v * 1024.0)); };
  const std::int64_t w = out.x1 - out.x0;
  double* products[2] = {scratch, scratch + w + kStep};
  for (int k = 0; k < 2; ++k) {
    for_steps(w, [&](std::int64_t i) { products[k][i] = fixed(m[3 * k] * static_cast<double>(out.x0 + i)); });
  }
  const auto split_axis = [&](const Axis& axis, const double* product, double term, std::int32_t* first,
                              std::int32_t* fraction) {
    const double high = (axis.n - 1.0) * point::opencv4::kPositionOne;
    const std::int32_t most = axis.n - 1 - axis.after;
    for_steps(w, [&](std::int64_t i) {
      const std::int32_t s = static_cast<std::int32_t>(point::clamp((product[i] + term) * 0.03125, 0.0, high));
      const std::int32_t whole = s >> point::opencv4::kPositionBits;
      const std::int32_t at = whole < most ? whole : most;
      first[i] = at;
      fraction[i] = s - at * point::opencv4::kPositionOne;
    });
  };
  for (std::int64_t y = out.y0; y < out.y1; ++y) {
    const std::int64_t at = (y - out.y0) * w;
    const auto term = [&](int k) { return fixed(m[3 * k + 1] * static_cast<double>(y) + m[3 * k + 2]) + 16.0; };
    split_axis(across, products[0], term(0), column + at, fx + at);
    split_axis(down, products[1], term(1), row + at, fy + at);
  }
}

// ----------------------------------------------------------------------------------------------------------------------

void find_offsets(const std::int32_t* column, const std::int32_t* row, std::int64_t n, std::int32_t width,
                  std::int32_t from, std::int32_t c, std::int32_t* offset) {
  for_steps(n, [&](std::int64_t i) { offset[i] = (row[i] * width + column[i] - from) * c; });
}

}  // namespace
