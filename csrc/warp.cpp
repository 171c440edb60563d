#include "augcore/warp.hpp"

#include <cstring>
#include <stdexcept>
#include <vector>

#include "augcore/point/warp.hpp"
#include "cells.hpp"
#include "simd/levels.hpp"

namespace augcore {
namespace {

using point::Position;
using simd::Neighbours;

constexpr std::int64_t kCellPixels = 4096;      // a plan of so many pixels stays in the second-level cache
constexpr std::int64_t kTaskElements = 262144;  // about a millisecond

bool is_affine(const double* m) { return m[6] == 0.0 && m[7] == 0.0 && m[8] == 1.0; }

// Whether a matrix moves by whole pixels; adds the shift if it does.
bool whole_pixel_shift(const double* m, std::vector<Shift>* shifts) {
  const double x = point::limit_position(m[2]);
  const double y = point::limit_position(m[5]);
  const bool whole = m[0] == 1.0 && m[1] == 0.0 && m[3] == 0.0 && m[4] == 1.0 && point::round_half_even(x) == x &&
                     point::round_half_even(y) == y && is_affine(m);
  if (whole) shifts->push_back({static_cast<std::int64_t>(x), static_cast<std::int64_t>(y)});
  return whole;
}

// ---- all other matrices ---------------------------------------------------------------------------------------------

// Where the pixels of one cell come from, for all images that share a matrix. Pixels are counted within the cell.
struct Plan {
  struct Run {
    std::int64_t first;
    std::int64_t last;
  };
  std::vector<Run> inside;           // pixels whose taps are all inside the image
  std::vector<std::int64_t> near;    // all others
  std::vector<std::int64_t> offset;  // inside: of the first tap, in elements
  std::vector<double> fx, fy;        // inside: fractions; near: the position

  void clear(std::int64_t pixels) {
    inside.clear();
    near.clear();
    offset.resize(pixels);
    fx.resize(pixels);
    fy.resize(pixels);
  }

  void add_inside(std::int64_t i, std::int64_t at, double x_fraction, double y_fraction) {
    if (inside.empty() || inside.back().last != i) inside.push_back({i, i});
    inside.back().last = i + 1;
    offset[i] = at;
    fx[i] = x_fraction;
    fy[i] = y_fraction;
  }

  void add_near(std::int64_t i, Position at) {
    near.push_back(i);
    fx[i] = at.x;
    fy[i] = at.y;
  }
};

// A pixel of the image stands at the position, or the fill value.
void plan_nearest(const Images& in, Border border, std::int64_t i, Position at, Plan& plan) {
  const auto nearest = [](double x) { return static_cast<std::int64_t>(point::round_half_even(x)); };
  const std::int64_t x = point::border_index(nearest(at.x), in.w, border);
  const std::int64_t y = point::border_index(nearest(at.y), in.h, border);
  if (x < 0 || y < 0) return plan.add_near(i, at);
  plan.add_inside(i, (y * in.w + x) * in.c, 0.0, 0.0);
}

// With edge borders a bilinear position is clamped, and then every pixel has its 2 x 2 neighbours inside: the last
// column is the second of a pair, at fraction 1.
void plan_edge_bilinear(const Images& in, std::int64_t i, Position at, Plan& plan) {
  const double x = point::clamp(at.x, 0.0, static_cast<double>(in.w - 1));
  const double y = point::clamp(at.y, 0.0, static_cast<double>(in.h - 1));
  const std::int64_t x0 = std::min(point::floor_to_int(x), std::max<std::int64_t>(in.w - 2, 0));
  const std::int64_t y0 = std::min(point::floor_to_int(y), std::max<std::int64_t>(in.h - 2, 0));
  plan.add_inside(i, (y0 * in.w + x0) * in.c, x - static_cast<double>(x0), y - static_cast<double>(y0));
}

// `before` taps left of the position's pixel and `after` right of it.
void plan_inside(const Images& in, std::int64_t before, std::int64_t after, std::int64_t i, Position at, Plan& plan) {
  const std::int64_t x0 = point::floor_to_int(at.x);
  const std::int64_t y0 = point::floor_to_int(at.y);
  if (x0 - before < 0 || x0 + after >= in.w || y0 - before < 0 || y0 + after >= in.h) return plan.add_near(i, at);
  plan.add_inside(i, ((y0 - before) * in.w + x0 - before) * in.c, at.x - static_cast<double>(x0),
                  at.y - static_cast<double>(y0));
}

void make_plan(const Images& in, const double* m, const Sampling& sampling, const Cell& cell, Plan& plan) {
  const bool projective = !is_affine(m);
  plan.clear(cell.pixels());
  std::int64_t i = 0;
  for (std::int64_t y = cell.y0; y < cell.y1; ++y) {
    for (std::int64_t x = cell.x0; x < cell.x1; ++x, ++i) {
      const Position at = point::source_position(m, projective, static_cast<double>(x), static_cast<double>(y));
      if (sampling.interpolation == Interpolation::nearest) {
        plan_nearest(in, sampling.border, i, at, plan);
      } else if (sampling.interpolation == Interpolation::bicubic) {
        plan_inside(in, 1, 2, i, at, plan);
      } else if (sampling.border == Border::edge) {
        plan_edge_bilinear(in, i, at, plan);
      } else {
        plan_inside(in, 0, 1, i, at, plan);
      }
    }
  }
}

template <typename T>
void copy_pixels(const T* image, std::int64_t c, const std::int64_t* offset, std::int64_t n, T* out) {
  for (std::int64_t i = 0; i < n; ++i, out += c) {
    for (std::int64_t channel = 0; channel < c; ++channel) out[channel] = image[offset[i] + channel];
  }
}

template <typename T>
void run_plan(const Plan& plan, const T* image, const Images& in, const Sampling& sampling, const double* fill,
              T* out) {
  const simd::WarpKernels<T>& kernels = simd::kernels().warp.of(T{});
  const auto run = sampling.interpolation == Interpolation::bicubic ? kernels.bicubic : kernels.bilinear;
  const Neighbours step = {in.w > 1 ? in.c : 0, in.h > 1 ? in.w * in.c : 0};
  for (const Plan::Run& r : plan.inside) {
    const std::int64_t n = r.last - r.first;
    T* to = out + r.first * in.c;
    if (sampling.interpolation == Interpolation::nearest) {
      copy_pixels(image, in.c, &plan.offset[r.first], n, to);
    } else {
      run(image, step, in.c, &plan.offset[r.first], &plan.fx[r.first], &plan.fy[r.first], n, to);
    }
  }
  for (const std::int64_t i : plan.near) {
    point::sample(image, in.h, in.w, in.c, Position{plan.fx[i], plan.fy[i]}, sampling.interpolation, sampling.border,
                  fill, out + i * in.c);
  }
}

template <typename T>
void warp_cell(const Images& in, const double* matrices, std::int64_t n_matrices, const Sampling& sampling,
               const OutputImages& out, const Cell& cell, std::int64_t first, std::int64_t last) {
  Plan plan;
  for (std::int64_t image = first; image < last; ++image) {
    const double* m = matrices + (n_matrices > 1 ? image * 9 : 0);
    if (n_matrices > 1 || image == first) make_plan(in, m, sampling, cell, plan);
    const T* from = static_cast<const T*>(in.data) + image * in.h * in.w * in.c;
    T* to = static_cast<T*>(out.data) + (image * out.h * out.w + cell.y0 * out.w + cell.x0) * out.c;
    run_plan(plan, from, in, sampling, sampling.fill.of(image, in.c), to);
  }
}

}  // namespace

void warp(const Images& in, const double* matrices, std::int64_t n_matrices, const Sampling& sampling,
          const OutputImages& out, int threads) {
  if (in.n == 0 || in.c == 0 || out.h == 0 || out.w == 0) return;
  if (in.h == 0 || in.w == 0) throw std::invalid_argument("images: have no pixels to read");
  std::vector<Shift> shifts;
  for (std::int64_t i = 0; i < n_matrices && whole_pixel_shift(matrices + i * 9, &shifts); ++i) {
  }
  if (static_cast<std::int64_t>(shifts.size()) == n_matrices) {
    return shift(in, {nullptr, in.n}, shifts.data(), n_matrices, sampling.border, sampling.fill, out, threads);
  }
  by_dtype(in.dtype, [&](auto pixel) {
    using T = decltype(pixel);
    const std::int64_t pixels = std::max<std::int64_t>(1, kTaskElements / in.c);
    for_cells(Cells(out.h, out.w, std::min(pixels, kCellPixels)), in.n, pixels, threads,
              [&](const Cell& cell, std::int64_t first, std::int64_t last) {
                warp_cell<T>(in, matrices, n_matrices, sampling, out, cell, first, last);
              });
  });
}

}  // namespace augcore
