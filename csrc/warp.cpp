#include "augcore/warp.hpp"

#include <cstring>
#include <stdexcept>
#include <vector>

#include "augcore/point/warp.hpp"
#include "cells.hpp"
#include "simd/pixel_kernels.hpp"

namespace augcore {
namespace {

using point::Position;
using simd::Neighbours;
using simd::PixelKernels;

constexpr std::int64_t kCellPixels = 4096;      // a plan of so many pixels stays in the second-level cache
constexpr std::int64_t kTaskElements = 262144;  // about a millisecond

bool is_affine(const double* m) { return m[6] == 0.0 && m[7] == 0.0 && m[8] == 1.0; }

// ---- whole-pixel translations ---------------------------------------------------------------------------------------

struct Shift {
  bool whole;
  std::int64_t x;
  std::int64_t y;
};

Shift whole_pixel_shift(const double* m) {
  const double x = point::limit_position(m[2]);
  const double y = point::limit_position(m[5]);
  const bool whole = m[0] == 1.0 && m[1] == 0.0 && m[3] == 0.0 && m[4] == 1.0 && point::round_half_even(x) == x &&
                     point::round_half_even(y) == y && is_affine(m);
  return {whole, whole ? static_cast<std::int64_t>(x) : 0, whole ? static_cast<std::int64_t>(y) : 0};
}

template <typename T>
void fill_pixels(const double* fill, std::int64_t c, std::int64_t n, T* out) {
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t channel = 0; channel < c; ++channel) out[i * c + channel] = point::to_pixel<T>(fill[channel]);
  }
}

// out (the cell's pixels) := pixel (x + shift.x, y + shift.y) of the image.
template <typename T>
void copy_shifted(const T* image, const Images& in, Shift shift, Border border, const double* fill, const Cell& cell,
                  T* out) {
  const std::int64_t c = in.c;
  // Columns inside ... end - 1 of the cell come from inside the image.
  const std::int64_t inside = std::min(std::max(cell.x0, -shift.x), cell.x1);
  const std::int64_t end = std::max(std::min(cell.x1, in.w - shift.x), inside);
  const auto border_pixels = [&](const T* row, std::int64_t x0, std::int64_t x1, T* to) {
    for (std::int64_t x = x0; x < x1; ++x, to += c) {
      const std::int64_t from = point::border_index(x + shift.x, in.w, border);
      if (from < 0) {
        fill_pixels(fill, c, 1, to);
      } else {
        for (std::int64_t channel = 0; channel < c; ++channel) to[channel] = row[from * c + channel];
      }
    }
  };
  for (std::int64_t y = cell.y0; y < cell.y1; ++y, out += (cell.x1 - cell.x0) * c) {
    const std::int64_t from = point::border_index(y + shift.y, in.h, border);
    if (from < 0) {
      fill_pixels(fill, c, cell.x1 - cell.x0, out);
      continue;
    }
    const T* row = image + from * in.w * c;
    border_pixels(row, cell.x0, inside, out);
    if (end > inside) {
      std::memcpy(out + (inside - cell.x0) * c, row + (inside + shift.x) * c, (end - inside) * c * sizeof(T));
    }
    border_pixels(row, end, cell.x1, out + (end - cell.x0) * c);
  }
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
  const PixelKernels<T>& kernels = simd::pixel_kernels(T{});
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
  Shift shift = {};
  for (std::int64_t image = first; image < last; ++image) {
    const double* m = matrices + (n_matrices > 1 ? image * 9 : 0);
    if (n_matrices > 1 || image == first) {
      shift = whole_pixel_shift(m);
      if (!shift.whole) make_plan(in, m, sampling, cell, plan);
    }
    const T* from = static_cast<const T*>(in.data) + image * in.h * in.w * in.c;
    T* to = static_cast<T*>(out.data) + (image * out.h * out.w + cell.y0 * out.w + cell.x0) * out.c;
    const double* fill = sampling.fill + (sampling.n_fills > 1 ? image * in.c : 0);
    if (shift.whole) {
      copy_shifted(from, in, shift, sampling.border, fill, cell, to);
    } else {
      run_plan(plan, from, in, sampling, fill, to);
    }
  }
}

}  // namespace

void warp(const Images& in, const double* matrices, std::int64_t n_matrices, const Sampling& sampling,
          const OutputImages& out, int threads) {
  if (in.n == 0 || in.c == 0 || out.h == 0 || out.w == 0) return;
  if (in.h == 0 || in.w == 0) throw std::invalid_argument("images: have no pixels to read");
  by_dtype(in.dtype, [&](auto pixel) {
    using T = decltype(pixel);
    const std::int64_t pixels = std::max<std::int64_t>(1, kTaskElements / in.c);
    for_cells(Cells(out.h, out.w, std::min(pixels, kCellPixels)), in.n, pixels, threads,
              [&](const Cell& cell, std::int64_t first, std::int64_t last) {
                warp_cell<T>(in, matrices, n_matrices, sampling, out, cell, first, last);
              });
  });
}

void flip(const Images& in, bool horizontal, bool vertical, const OutputImages& out, int threads) {
  if (in.n == 0 || in.c == 0 || in.h == 0 || in.w == 0) return;
  by_dtype(in.dtype, [&](auto pixel) {
    using T = decltype(pixel);
    const auto flip_row = [&](const T* row, const Cell& cell, T* to) {
      if (!horizontal) {
        std::memcpy(to, row + cell.x0 * in.c, (cell.x1 - cell.x0) * in.c * sizeof(T));
        return;
      }
      for (std::int64_t x = cell.x0; x < cell.x1; ++x, to += in.c) {
        const T* from = row + (in.w - 1 - x) * in.c;
        for (std::int64_t channel = 0; channel < in.c; ++channel) to[channel] = from[channel];
      }
    };
    const std::int64_t pixels = std::max<std::int64_t>(1, kTaskElements / in.c);
    for_cells(Cells(in.h, in.w, pixels), in.n, pixels, threads,
              [&](const Cell& cell, std::int64_t first, std::int64_t last) {
                for (std::int64_t image = first; image < last; ++image) {
                  const T* from = static_cast<const T*>(in.data) + image * in.h * in.w * in.c;
                  T* to = static_cast<T*>(out.data) + image * in.h * in.w * in.c;
                  for (std::int64_t y = cell.y0; y < cell.y1; ++y) {
                    const std::int64_t row = vertical ? in.h - 1 - y : y;
                    flip_row(from + row * in.w * in.c, cell, to + (y * in.w + cell.x0) * in.c);
                  }
                }
              });
  });
}

}  // namespace augcore
