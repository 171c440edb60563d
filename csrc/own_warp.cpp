#include "augcore/own_warp.hpp"

#include <limits>
#include <stdexcept>
#include <vector>

#include "augcore/point/warp.hpp"
#include "cells.hpp"

namespace augcore {
namespace {

using point::Position;

constexpr std::int64_t kCellPixels = 1024;      // positions that are found once and used for the images of a task
constexpr std::int64_t kTaskElements = 131072;  // a few milliseconds

// The pixels of one cell of one image, from their positions.
template <typename T>
void sample_cell(const Images& in, std::int64_t image, const Position* at, const Sampling& sampling,
                 const OutputImages& out, const Cell& cell) {
  const T* from = static_cast<const T*>(in.data) + image * in.h * in.w * in.c;
  T* to = static_cast<T*>(out.data) + (image * out.h * out.w + cell.y0 * out.w + cell.x0) * out.c;
  const double* fill = sampling.fill.of(image, in.c);
  for (std::int64_t i = 0; i < cell.pixels(); ++i, to += in.c) {
    point::sample(from, in.h, in.w, in.c, at[i], sampling.interpolation, sampling.border, fill, to);
  }
}

// locate(row, cell, at) finds the positions of a cell; each row of parameters stands for in.n / n_rows neighbours.
template <typename Locate>
void warp_cells(const Images& in, std::int64_t n_rows, const Sampling& sampling, const OutputImages& out, int threads,
                const Locate& locate) {
  if (in.n == 0 || in.c == 0 || out.h == 0 || out.w == 0) return;
  if (in.h == 0 || in.w == 0) throw std::invalid_argument("images: have no pixels to read");
  if (n_rows < 1 || in.n % n_rows != 0) throw std::invalid_argument("params: do not fit the number of images");
  const std::int64_t images_per_row = in.n / n_rows;
  // A function may take microseconds for a position, and Ctrl-C waits for a task: it finds those of about one cell.
  const std::int64_t pixels = std::max<std::int64_t>(1, kTaskElements / in.c);
  const std::int64_t task_pixels = std::min(pixels, kCellPixels * images_per_row);
  by_dtype(in.dtype, [&](auto pixel) {
    using T = decltype(pixel);
    for_cells(Cells(out.h, out.w, std::min(pixels, kCellPixels)), in.n, task_pixels, threads,
              [&](const Cell& cell, std::int64_t first, std::int64_t last) {
                std::vector<Position> at(cell.pixels());
                for (std::int64_t image = first; image < last; ++image) {
                  if (image == first || image % images_per_row == 0) locate(image / images_per_row, cell, at.data());
                  sample_cell<T>(in, image, at.data(), sampling, out, cell);
                }
              });
  });
}

Position limited(const double* source) { return {point::limit_position(source[0]), point::limit_position(source[1])}; }

}  // namespace

bool warp_by_function(const Images& in, WarpFunction function, const WarpParams& params, const Sampling& sampling,
                      const OutputImages& out, WarpFailure* failure, int threads) {
  struct Failed {
    WarpFailure where;
  };
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  const auto locate = [&](std::int64_t row, const Cell& cell, Position* at) {
    const double* values = params.values + row * params.n_columns;
    for (std::int64_t y = cell.y0; y < cell.y1; ++y) {
      for (std::int64_t x = cell.x0; x < cell.x1; ++x) {
        double source[2] = {kNaN, kNaN};
        const bool found =
            function(static_cast<double>(x), static_cast<double>(y), values, params.n_columns, source) != 0;
        if (!found) throw Failed{{row, x, y}};
        *at++ = limited(source);
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
  warp_cells(in, 1, sampling, out, threads, [&](std::int64_t, const Cell& cell, Position* at) {
    const double* source = positions + 2 * (cell.y0 * out.w + cell.x0);
    for (std::int64_t i = 0; i < cell.pixels(); ++i, source += 2) at[i] = limited(source);
  });
}

}  // namespace augcore
