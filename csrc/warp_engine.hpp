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

  // With edge borders, and but for bicubic interpolation, positions are moved into the image, and then every pixel has
  // its neighbours inside.
  simd::Axis axis(std::int64_t n) const {
    const bool clamped = border == Border::edge && taps() < 4;
    const std::int32_t right = clamped && n == 1 ? 0 : after();
    return {static_cast<std::int32_t>(n), before(), right, taps() == 1, clamped};
  }

  point::Taps taps_at(const Images& in, point::Position at) const {
    return point::taps_at(at, in.h, in.w, interpolation, border);
  }
};

template <typename T>
void copy_pixels(const T* image, std::int64_t c, const std::int32_t* offset, std::int64_t n, T* out) {
  for (std::int64_t i = 0; i < n; ++i, out += c) {
    for (std::int64_t channel = 0; channel < c; ++channel) out[channel] = image[offset[i] + channel];
  }
}

// Where the pixels of one cell come from. Pixels are counted within the cell.
template <typename T, typename F>
class Plan {
 public:
  // A pixel that mixes some from outside of the image.
  struct Near {
    std::int64_t pixel;
    point::Position at;
  };

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
  std::vector<Near> near;
  std::vector<std::int32_t> column, row;  // the first pixel to mix
  std::vector<std::int32_t> offset;       // of it, in elements from the first of a box
  std::vector<F> fx, fy;

  // The sources under a matrix.
  void make(const Method<T, F>& method, const Images& in, const Cell& cell, const double* m) {
    resize(cell);
    const bool projective = !is_affine(m);
    const std::int64_t w = cell.x1 - cell.x0;
    scratch_.resize(3 * (w + simd::kPlanStep));
    const simd::Axis across = method.axis(in.w);
    method.kernels.locate(m, projective, {cell.y0, cell.y1, cell.x0, cell.x1}, across, method.axis(in.h),
                          scratch_.data(), column.data(), row.data(), fx.data(), fy.data(), inside_.data());
    if (across.clamped) return;
    find_near([&](std::int64_t i) {
      const double x = static_cast<double>(cell.x0 + i % w);
      const double y = static_cast<double>(cell.y0 + i / w);
      return point::source_position(m, projective, x, y);
    });
  }

  // Offsets count from the first pixel of the box, rows of box_w pixels, c elements each.
  void set_offsets(const Method<T, F>& method, std::int64_t box_y, std::int64_t box_x, std::int64_t box_w,
                   std::int64_t c) {
    const std::int64_t from = (box_y + method.before()) * box_w + box_x + method.before();
    method.kernels.offsets(column.data(), row.data(), pixels, static_cast<std::int32_t>(box_w),
                           static_cast<std::int32_t>(from), static_cast<std::int32_t>(c), offset.data());
  }

  // Calls inside(first, n) for runs of pixels and outside(near pixel) for the others, in order, of first ... last - 1.
  template <typename Inside, typename Outside>
  void walk(std::int64_t first, std::int64_t last, const Inside& inside, const Outside& outside) const {
    auto next = std::lower_bound(near.begin(), near.end(), first,
                                 [](const Near& pixel, std::int64_t i) { return pixel.pixel < i; });
    while (first < last) {
      const std::int64_t stop = next == near.end() ? last : std::min(last, next->pixel);
      if (stop > first) inside(first, stop - first);
      if (stop < last) outside(*next++);
      first = stop + 1;
    }
  }

 private:
  static constexpr std::int64_t kRoom = 128;  // what kernels may read and write behind the last pixel

  void resize(const Cell& cell) {
    pixels = cell.pixels();
    const std::size_t room = static_cast<std::size_t>(pixels) + kRoom;
    for (auto* array : {&column, &row, &offset}) array->resize(room);
    for (auto* array : {&fx, &fy}) array->resize(room);
    inside_.resize(room);
    near.clear();
  }

  template <typename Position>
  void find_near(const Position& position) {
    for (std::int64_t i = 0; i < pixels; ++i) {
      if (inside_[i] == 0) near.push_back({i, position(i)});
    }
  }

  std::vector<std::uint8_t> inside_;
  std::vector<double> scratch_;
};

// Runs a plan with offsets from the image's first pixel: pixels first ... last - 1 of the cell.
template <typename T, typename F>
void run_plan(const Method<T, F>& method, const Plan<T, F>& plan, const Images& in, std::int64_t image,
              std::int64_t first, std::int64_t last, T* out) {
  const simd::Neighbours step = {in.w > 1 ? in.c : 0, in.h > 1 ? in.w * in.c : 0};
  const std::int64_t size = in.h * in.w * in.c;
  const T* from = static_cast<const T*>(in.data) + image * size;
  const T* end = static_cast<const T*>(in.data) + in.n * size;
  const auto mix = method.taps() == 4 ? method.kernels.bicubic : method.kernels.bilinear;
  plan.walk(
      first, last,
      [&](std::int64_t i, std::int64_t n) {
        T* to = out + (i - first) * in.c;
        if (method.taps() == 1) {
          copy_pixels(from, in.c, &plan.offset[i], n, to);
        } else {
          mix(from, end, step, in.c, &plan.offset[i], &plan.fx[i], &plan.fy[i], n, to);
        }
      },
      [&](const auto& near) {
        point::sample(from, in.h, in.w, in.c, near.at, method.interpolation, method.border, method.fill(image, in.c),
                      out + (near.pixel - first) * in.c);
      });
}

}  // namespace augcore::engine
