// Where the pixels of a warped image come from: see WarpKernels in kernels.hpp for what each function computes.
#pragma once

#include <cstdint>

#include "augcore/point/opencv4.hpp"
#include "augcore/point/warp.hpp"
#include "simd/kernels.hpp"

namespace {

namespace point = augcore::point;
using augcore::Border;
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

// ---- exact ----------------------------------------------------------------------------------------------------------

// Calls use(folded), where folded(s) brings a position into the image as the border repeats it.
template <typename Use>
inline void with_fold(const Axis& axis, const Use& use) {
  const double n = axis.n;
  if (axis.border == Border::reflect) {
    use([n](double s) { return point::fold_reflect(point::limit_position(s), n); });
  } else if (axis.border == Border::symmetric) {
    use([n](double s) { return point::fold_symmetric(point::limit_position(s), n); });
  } else {
    use([n](double s) { return point::fold_wrap(point::limit_position(s), n); });
  }
}

// position(i), first <= i < first + kStep, along one axis: the pixel at or left of it, and the fraction from there.
template <typename F, typename Position>
inline void split_step(const Axis& axis, std::int64_t begin, std::int32_t* first, F* fraction,
                       const Position& position) {
  const std::int64_t end = begin + kStep;
  if (axis.inside) {
    const double high = axis.n - 1.0;
    const std::int32_t most = axis.n - 1 - axis.after;
    for (std::int64_t i = begin; i < end; ++i) {
      const double s = point::clamp(position(i), 0.0, high);
      const std::int32_t whole = static_cast<std::int32_t>(s);
      const std::int32_t at = whole < most ? whole : most;
      first[i] = at;
      fraction[i] = static_cast<F>(s - at);
    }
  } else {
    // Far enough outside to be seen as outside, near enough to be an int32.
    const double high = axis.n + 1.0;
    for (std::int64_t i = begin; i < end; ++i) {
      const double s = point::clamp(position(i), -4.0, high);
      const std::int32_t whole = static_cast<std::int32_t>(s);
      const std::int32_t at = whole - (s < whole ? 1 : 0);
      first[i] = at;
      fraction[i] = static_cast<F>(s - at);
    }
  }
}

// monotone: positions rise, or fall, all along; where both ends of a step are inside the image, nothing is folded then.
template <bool monotone, typename F, typename Position>
inline void split_axis(const Axis& axis, std::int64_t n, std::int32_t* first, F* fraction, const Position& position) {
  const double low = -4.0, high = axis.n + 1.0;
  const auto rounded = [&](double s) { return axis.nearest ? point::round_half_even(s) : s; };
  const bool folds = axis.border == Border::reflect || axis.border == Border::symmetric || axis.border == Border::wrap;
  const auto is_inside = [&](double s) { return s >= 0.0 && s <= axis.n - 1.0; };
  for (std::int64_t begin = 0; begin < n; begin += kStep) {
    const bool plain = !folds || (monotone && is_inside(position(begin)) && is_inside(position(begin + kStep - 1)));
    if (!plain) {
      with_fold(axis, [&](const auto& folded) {
        split_step(axis, begin, first, fraction,
                   [&](std::int64_t i) { return folded(rounded(point::limit_position(position(i)))); });
      });
    } else if (axis.nearest) {
      split_step(axis, begin, first, fraction,
                 [&](std::int64_t i) { return point::round_half_even(point::clamp(position(i), low, high)); });
    } else {
      split_step(axis, begin, first, fraction, position);
    }
  }
}

inline void find_inside(const std::int32_t* column, const std::int32_t* row, std::int64_t n, const Axis& across,
                        const Axis& down, std::uint8_t* inside) {
  // 0, 1, 2: none, some, all of the pixels to mix are inside.
  const auto along = [](const Axis& axis, std::int32_t at) {
    const std::int32_t low = at - axis.before;
    const std::int32_t high = at + axis.after;
    const std::int32_t all = (low >= 0 ? 1 : 0) & (high < axis.n ? 1 : 0);
    const std::int32_t some = (low < axis.n ? 1 : 0) & (high >= 0 ? 1 : 0);
    return some + all;
  };
  for_steps(n, [&](std::int64_t i) {
    const std::int32_t x = along(across, column[i]);
    const std::int32_t y = along(down, row[i]);
    inside[i] = static_cast<std::uint8_t>(x < y ? x : y);
  });
}

template <typename F>
void split(const double* sx, const double* sy, std::int64_t n, const Axis& across, const Axis& down,
           std::int32_t* column, std::int32_t* row, F* fx, F* fy, std::uint8_t* inside) {
  split_axis<false>(across, n, column, fx, [&](std::int64_t i) { return sx[i]; });
  split_axis<false>(down, n, row, fy, [&](std::int64_t i) { return sy[i]; });
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
      split_axis<false>(across, w, column + at, fx + at, divided(0));
      split_axis<false>(down, w, row + at, fy + at, divided(1));
    } else {
      split_axis<true>(across, w, column + at, fx + at, [&](std::int64_t i) { return products[0][i] + terms[0]; });
      split_axis<true>(down, w, row + at, fy + at, [&](std::int64_t i) { return products[1][i] + terms[1]; });
    }
    if (!across.inside) find_inside(column + at, row + at, w, across, down, inside + at);
  }
}

// ---- the arithmetic of OpenCV 4 -------------------------------------------------------------------------------------

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
  // Far outside of an image they have no meaning, and may be too large for 32 bits: unsigned numbers may.
  const auto low = [](std::int32_t a) { return static_cast<std::uint32_t>(a); };
  for_steps(n, [&](std::int64_t i) {
    offset[i] = static_cast<std::int32_t>((low(row[i]) * low(width) + low(column[i]) - low(from)) * low(c));
  });
}

}  // namespace
