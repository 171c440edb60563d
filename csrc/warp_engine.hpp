// How a batch is warped: for a part of the output it is planned once where every pixel comes from; then the plan is run
// for each image with the same matrix, one image at a time or, where there are many, one image in each lane of a
// vector.
//
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "augcore/point/warp.hpp"
#include "augcore/warp.hpp"
#include "cells.hpp"
#include "simd/levels.hpp"

namespace augcore::engine {

// Plans count pixels and elements of an image in 32 bits, and OpenCV's positions have five bits below a pixel.
constexpr std::int64_t kMaxSide = std::int64_t{1} << 25;
constexpr std::int64_t kMaxElements = (std::int64_t{1} << 31) - 1;

inline bool is_affine(const double* m) { return m[6] == 0.0 && m[7] == 0.0 && m[8] == 1.0; }

inline bool has_plan(const Images& in) {
  return in.h <= kMaxSide && in.w <= kMaxSide && in.c <= kMaxElements && (in.h + 2) * (in.w + 2) <= kMaxElements / in.c;
}

// What is done with pixels of type T: the sampling, and the kernels of an arithmetic, whose fractions are of type F.
template <typename T, typename F>
struct Method {
  using Kernels = simd::WarpKernels<T, F>;

  const Kernels& kernels;
  Interpolation interpolation;
  Border border;
  std::vector<T> fills;
  std::int64_t n_fills;

  Method(const Kernels& kernels_, const Sampling& sampling, std::int64_t c)
      : kernels(kernels_),
        interpolation(sampling.interpolation),
        border(sampling.border),
        fills(sampling.fill.n * c),
        n_fills(sampling.fill.n) {
    for (std::size_t i = 0; i < fills.size(); ++i) fills[i] = point::to_pixel<T>(sampling.fill.values[i]);
  }

  const T* fill(std::int64_t image, std::int64_t c) const { return fills.data() + (n_fills > 1 ? image * c : 0); }

  // Pixels that are mixed along an axis, and how many of them are before and after the one at or left of the position.
  int taps() const {
    return interpolation == Interpolation::nearest ? 1 : interpolation == Interpolation::bilinear ? 2 : 4;
  }
  std::int32_t before() const { return taps() == 4 ? 1 : 0; }
  std::int32_t after() const { return taps() / 2; }

  // Positions are clamped to the edge, or folded into the image as the border repeats it. What they mix is then inside,
  // but for the seam of wrap, the wide bicubic kernel, and where the fill value stands.
  simd::Axis axis(std::int64_t n) const {
    const bool seam = border == Border::wrap && taps() > 1;
    const bool inside = taps() < 4 && border != Border::constant && !seam;
    const std::int32_t right = inside && n == 1 ? 0 : after();
    return {static_cast<std::int32_t>(n), before(), right, taps() == 1, inside, border};
  }
};

// Where the pixels of one cell come from. Pixels are counted within the cell.
template <typename T, typename F>
class Plan {
 public:
  // The pixels that are mixed, all images alike.
  struct Box {
    std::int64_t y0 = 0, y1 = 0, x0 = 0, x1 = 0;

    std::int64_t h() const { return y1 - y0; }
    std::int64_t w() const { return x1 - x0; }
    void include(std::int64_t y, std::int64_t x) {
      if (y1 == y0) {
        *this = {y, y + 1, x, x + 1};
      } else {
        *this = {std::min(y0, y), std::max(y1, y + 1), std::min(x0, x), std::max(x1, x + 1)};
      }
    }
  };

  std::int64_t pixels = 0;
  std::vector<std::int32_t> offset;  // of the first pixel to mix, in elements from the first of a box
  std::vector<F> fx, fy;
  // Pixels that mix some from outside of the image, and for each of them all that it mixes: see WarpKernels::of_taps.
  std::vector<std::int32_t> near, taps;

  // The sources under a matrix.
  void make(const Method<T, F>& method, const Images& in, const Cell& cell, const double* m) {
    resize(cell);
    const bool projective = !is_affine(m);
    const std::int64_t w = cell.x1 - cell.x0;
    scratch_.resize(3 * (w + simd::kPlanStep));
    const simd::Axis across = method.axis(in.w);
    method.kernels.locate(m, projective, {cell.y0, cell.y1, cell.x0, cell.x1}, across, method.axis(in.h),
                          scratch_.data(), column_.data(), row_.data(), fx.data(), fy.data(), inside_.data());
    if (across.inside) return;
    find_near(method, [&](std::int64_t i) {
      const double x = static_cast<double>(cell.x0 + i % w);
      const double y = static_cast<double>(cell.y0 + i / w);
      return point::source_position(m, projective, x, y);
    });
  }

  // Sources that are given; sx and sy have room for kPlanStep more.
  void make(const Method<T, F>& method, const Images& in, const Cell& cell, const double* sx, const double* sy) {
    resize(cell);
    const simd::Axis across = method.axis(in.w);
    method.kernels.split(sx, sy, pixels, across, method.axis(in.h), column_.data(), row_.data(), fx.data(), fy.data(),
                         inside_.data());
    if (across.inside) return;
    find_near(method, [&](std::int64_t i) { return point::Position{sx[i], sy[i]}; });
  }

  // What the plan reads.
  Box box(const Method<T, F>& method, const Images& in) const {
    Box box;
    walk(
        0, pixels,
        [&](std::int64_t first, std::int64_t n) {
          const auto [x0, x1] = std::minmax_element(&column_[first], &column_[first] + n);
          const auto [y0, y1] = std::minmax_element(&row_[first], &row_[first] + n);
          box.include(*y0 - method.before(), *x0 - method.before());
          // A pair at the last pixel of an axis of one pixel is that pixel twice.
          box.include(std::min<std::int64_t>(*y1 + method.after(), in.h - 1),
                      std::min<std::int64_t>(*x1 + method.after(), in.w - 1));
        },
        [&](std::size_t i) {
          if (outside_[i]) return;
          const point::Taps source = point::taps_at(positions_[i], in.h, in.w, method.interpolation, method.border);
          for (int j = 0; j < source.per_axis; ++j) {
            for (int k = 0; k < source.per_axis; ++k) {
              if (source.rows[j] >= 0 && source.columns[k] >= 0) box.include(source.rows[j], source.columns[k]);
            }
          }
        });
    return box;
  }

  // Offsets count from the first pixel of the box, in elements.
  void set_offsets(const Method<T, F>& method, const Images& in, const Box& box) {
    const std::int64_t from = (box.y0 + method.before()) * box.w() + box.x0 + method.before();
    method.kernels.offsets(column_.data(), row_.data(), pixels, static_cast<std::int32_t>(box.w()),
                           static_cast<std::int32_t>(from), static_cast<std::int32_t>(in.c), offset.data());
    const std::size_t count = static_cast<std::size_t>(method.taps() * method.taps());
    taps.resize(near.size() * count);
    for (std::size_t i = 0; i < near.size(); ++i) {
      std::int32_t* to = &taps[i * count];
      if (outside_[i]) {
        std::fill_n(to, count, simd::kOutside);
        continue;
      }
      const point::Taps source = point::taps_at(positions_[i], in.h, in.w, method.interpolation, method.border);
      fx[near[i]] = static_cast<F>(source.fx);
      fy[near[i]] = static_cast<F>(source.fy);
      for (int j = 0; j < source.per_axis; ++j) {
        const std::int64_t row = (source.rows[j] - box.y0) * box.w() - box.x0;
        for (int k = 0; k < source.per_axis; ++k) {
          const bool inside = source.rows[j] >= 0 && source.columns[k] >= 0;
          *to++ = inside ? static_cast<std::int32_t>((row + source.columns[k]) * in.c) : simd::kFill;
        }
      }
      if (source.outside) taps[i * count] = simd::kOutside;
    }
  }

  // Calls inside(first, n) for runs of the pixels first ... last - 1, and outside(i) for those in near[i], in order.
  template <typename Inside, typename Outside>
  void walk(std::int64_t first, std::int64_t last, const Inside& inside, const Outside& outside) const {
    std::size_t next = std::lower_bound(near.begin(), near.end(), first) - near.begin();
    while (first < last) {
      const std::int64_t stop = next == near.size() ? last : std::min<std::int64_t>(last, near[next]);
      if (stop > first) inside(first, stop - first);
      if (stop < last) outside(next++);
      first = stop + 1;
    }
  }

 private:
  static constexpr std::uint8_t kNone = 0, kAll = 2;  // of the pixels to mix are inside
  static constexpr std::int64_t kRoom = 128;          // what kernels may read and write behind the last pixel

  void resize(const Cell& cell) {
    pixels = cell.pixels();
    const std::size_t room = static_cast<std::size_t>(pixels) + kRoom;
    for (auto* array : {&column_, &row_, &offset}) array->resize(room);
    for (auto* array : {&fx, &fy}) array->resize(room);
    inside_.resize(room);
    near.clear();
    positions_.clear();
    outside_.clear();
  }

  template <typename Position>
  void find_near(const Method<T, F>& method, const Position& position) {
    for (std::int64_t i = 0; i < pixels; ++i) {
      if (inside_[i] == kAll) continue;
      near.push_back(static_cast<std::int32_t>(i));
      outside_.push_back(inside_[i] == kNone && method.border == Border::constant ? 1 : 0);
      positions_.push_back(position(i));
    }
  }

  std::vector<std::int32_t> column_, row_;  // the pixel at or left of, and above, the position
  std::vector<std::uint8_t> inside_;
  std::vector<point::Position> positions_;  // of the near pixels,
  std::vector<std::uint8_t> outside_;       // and whether they mix nothing but the fill value
  std::vector<double> scratch_;
};

// Runs a plan with offsets from the image's first pixel, for pixels first ... last - 1 of the cell.
template <typename T, typename F>
void run_plan(const Method<T, F>& method, const Plan<T, F>& plan, const Images& in, std::int64_t image,
              std::int64_t first, std::int64_t last, T* out) {
  const simd::WarpKernels<T, F>& kernels = method.kernels;
  const simd::Neighbours step = {in.w > 1 ? in.c : 0, in.h > 1 ? in.w * in.c : 0};
  const std::int64_t size = in.h * in.w * in.c;
  const T* from = static_cast<const T*>(in.data) + image * size;
  const T* end = static_cast<const T*>(in.data) + in.n * size;
  const auto mix = method.taps() == 4 ? kernels.bicubic : kernels.bilinear;
  const auto inside = [&](std::int64_t i, std::int64_t n) {
    T* to = out + (i - first) * in.c;
    if (method.taps() == 1) {
      kernels.nearest(from, in.c, &plan.offset[i], n, to);
    } else {
      mix(from, end, step, in.c, &plan.offset[i], &plan.fx[i], &plan.fy[i], n, to);
    }
  };
  // Neighbours near the border are few: they are mixed together.
  std::size_t first_near = plan.near.size(), n_near = 0;
  plan.walk(first, last, inside, [&](std::size_t i) {
    first_near = std::min(first_near, i);
    ++n_near;
  });
  if (n_near == 0) return;
  const int count = method.taps() * method.taps();
  kernels.of_taps(from, method.fill(image, in.c), in.c, count, &plan.taps[first_near * count], plan.fx.data(),
                  plan.fy.data(), &plan.near[first_near], static_cast<std::int64_t>(n_near), out - first * in.c);
}

}  // namespace augcore::engine
