#include "augcore/own_warp.hpp"

#include <limits>
#include <stdexcept>
#include <vector>

#include "augcore/point/warp.hpp"
#include "cells.hpp"
#include "warp_engine.hpp"

namespace augcore {
namespace {

constexpr std::int64_t kCellPixels = 1024;      // positions that are found once and used for the images of a task
constexpr std::int64_t kTaskElements = 131072;  // a few milliseconds

// Where the pixels of one cell come from.
struct Sources {
  std::vector<double> x, y;

  explicit Sources(std::int64_t pixels) : x(pixels + simd::kPlanStep), y(pixels + simd::kPlanStep) {}

  void set(std::int64_t i, const double* source) {
    x[i] = point::limit_position(source[0]);
    y[i] = point::limit_position(source[1]);
  }
};

// Images too large for a plan: pixel by pixel.
template <typename T, typename F>
void sample_cell(const engine::Method<T, F>& method, const Images& in, std::int64_t image, const Sources& sources,
                 const Cell& cell, T* to) {
  const T* from = static_cast<const T*>(in.data) + image * in.h * in.w * in.c;
  for (std::int64_t i = 0; i < cell.pixels(); ++i, to += in.c) {
    point::sample(from, in.h, in.w, in.c, {sources.x[i], sources.y[i]}, method.interpolation, method.border,
                  method.fill(image, in.c), to);
  }
}

// locate(row, cell, sources) finds the sources of a cell; a row of parameters stands for in.n / n_rows neighbours.
template <typename Locate>
void warp_cells(const Images& in, std::int64_t n_rows, const Sampling& sampling, const OutputImages& out, int threads,
                const Locate& locate) {
  if (in.n == 0 || in.c == 0 || out.h == 0 || out.w == 0) return;
  if (in.h == 0 || in.w == 0) throw std::invalid_argument("images: have no pixels to read");
  if (n_rows < 1 || in.n % n_rows != 0) throw std::invalid_argument("params: do not fit the number of images");
  const std::int64_t per_row = in.n / n_rows;
  // A function may take microseconds for a position, and Ctrl-C waits for a task: it finds those of about one cell.
  const std::int64_t pixels = std::max<std::int64_t>(1, kTaskElements / in.c);
  const std::int64_t task_pixels = std::min(pixels, kCellPixels * per_row);
  by_dtype(in.dtype, [&](auto pixel) {
    using T = decltype(pixel);
    const engine::Method<T, point::Real<T>> method(simd::kernels().warp.of(T{}), sampling, in.c);
    for_cells(Cells(out.h, out.w, std::min(pixels, kCellPixels)), in.n, task_pixels, threads,
              [&](const Cell& cell, std::int64_t first, std::int64_t last) {
                Sources sources(cell.pixels());
                engine::Plan<T, point::Real<T>> plan;
                for (std::int64_t image = first; image < last; ++image) {
                  const bool is_new = image == first || image % per_row == 0;
                  if (is_new) locate(image / per_row, cell, sources);
                  T* to = static_cast<T*>(out.data) + (image * out.h * out.w + cell.y0 * out.w + cell.x0) * out.c;
                  if (!engine::has_plan(in)) {
                    sample_cell(method, in, image, sources, cell, to);
                    continue;
                  }
                  if (is_new) {
                    plan.make(method, in, cell, sources.x.data(), sources.y.data());
                    plan.set_offsets(method, in, {0, in.h, 0, in.w});
                  }
                  engine::run_plan(method, plan, in, image, 0, cell.pixels(), to);
                }
              });
  });
}

}  // namespace

bool warp_by_function(const Images& in, WarpFunction function, const WarpParams& params, const Sampling& sampling,
                      const OutputImages& out, WarpFailure* failure, int threads) {
  struct Failed {
    WarpFailure where;
  };
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  const auto locate = [&](std::int64_t row, const Cell& cell, Sources& sources) {
    const double* values = params.values + row * params.n_columns;
    std::int64_t i = 0;
    for (std::int64_t y = cell.y0; y < cell.y1; ++y) {
      for (std::int64_t x = cell.x0; x < cell.x1; ++x, ++i) {
        double source[2] = {kNaN, kNaN};
        const bool found =
            function(static_cast<double>(x), static_cast<double>(y), values, params.n_columns, source) != 0;
        if (!found) throw Failed{{row, x, y}};
        sources.set(i, source);
      }
    }
  };
  try {
    warp_cells(in, params.n_rows, sampling, out, threads, locate);
  } catch (const Failed& failed) {
    *failure = failed.where;
    return false;
  }
  return true;
}

void warp_by_positions(const Images& in, const double* positions, const Sampling& sampling, const OutputImages& out,
                       int threads) {
  warp_cells(in, 1, sampling, out, threads, [&](std::int64_t, const Cell& cell, Sources& sources) {
    const double* source = positions + 2 * (cell.y0 * out.w + cell.x0);
    for (std::int64_t i = 0; i < cell.pixels(); ++i) sources.set(i, source + 2 * i);
  });
}

}  // namespace augcore
