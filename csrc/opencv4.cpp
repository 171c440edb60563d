#include "augcore/opencv4.hpp"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "augcore/point/opencv4.hpp"
#include "cells.hpp"
#include "simd/levels.hpp"

namespace augcore::opencv4 {
namespace {

namespace formula = point::opencv4;

constexpr std::int64_t kCellPixels = 4096;
constexpr std::int64_t kTaskElements = 262144;

void require_uint8(const Images& in) {
  if (in.dtype != Dtype::uint8) throw std::invalid_argument("the arithmetic of OpenCV 4 is for uint8 images");
}

// Where the pixels of one cell come from: the first of 2 x 2 neighbours, which are always inside (see warp.cpp).
struct Plan {
  std::vector<std::int64_t> offset;
  std::vector<std::int32_t> fx, fy;

  // The first of a pair of neighbours in [0, n) and the fraction, for a position in 1/32 pixel.
  static std::int64_t neighbour(std::int64_t position, std::int64_t n, std::int32_t& fraction) {
    const std::int64_t inside =
        std::min(std::max<std::int64_t>(position, 0), (n - 1) * std::int64_t{formula::kPositionOne});
    const std::int64_t first = std::min(inside >> formula::kPositionBits, std::max<std::int64_t>(n - 2, 0));
    fraction = static_cast<std::int32_t>(inside - first * formula::kPositionOne);
    return first;
  }

  void make(const Images& in, const double* m, const Cell& cell) {
    offset.resize(cell.pixels());
    fx.resize(cell.pixels());
    fy.resize(cell.pixels());
    std::int64_t i = 0;
    for (std::int64_t y = cell.y0; y < cell.y1; ++y) {
      const std::int64_t row_x = formula::fixed_position(m[1] * static_cast<double>(y) + m[2]);
      const std::int64_t row_y = formula::fixed_position(m[4] * static_cast<double>(y) + m[5]);
      for (std::int64_t x = cell.x0; x < cell.x1; ++x, ++i) {
        const double column = static_cast<double>(x);
        const std::int64_t sx = formula::source_position(formula::fixed_position(m[0] * column), row_x);
        const std::int64_t sy = formula::source_position(formula::fixed_position(m[3] * column), row_y);
        const std::int64_t x0 = neighbour(sx, in.w, fx[i]);
        const std::int64_t y0 = neighbour(sy, in.h, fy[i]);
        offset[i] = (y0 * in.w + x0) * in.c;
      }
    }
  }
};

}  // namespace

void warp(const Images& in, const double* matrices, std::int64_t n_matrices, const OutputImages& out, int threads) {
  require_uint8(in);
  if (in.n == 0 || in.c == 0 || out.h == 0 || out.w == 0) return;
  if (in.h == 0 || in.w == 0) throw std::invalid_argument("images: have no pixels to read");
  const simd::Neighbours step = {in.w > 1 ? in.c : 0, in.h > 1 ? in.w * in.c : 0};
  const std::int64_t pixels = std::max<std::int64_t>(1, kTaskElements / in.c);
  for_cells(Cells(out.h, out.w, std::min(pixels, kCellPixels)), in.n, pixels, threads,
            [&](const Cell& cell, std::int64_t first, std::int64_t last) {
              Plan plan;
              for (std::int64_t image = first; image < last; ++image) {
                if (n_matrices > 1 || image == first) {
                  plan.make(in, matrices + (n_matrices > 1 ? image * 9 : 0), cell);
                }
                const std::uint8_t* from = static_cast<const std::uint8_t*>(in.data) + image * in.h * in.w * in.c;
                std::uint8_t* to =
                    static_cast<std::uint8_t*>(out.data) + ((image * out.h + cell.y0) * out.w + cell.x0) * out.c;
                simd::kernels().opencv4_bilinear(from, step, in.c, plan.offset.data(), plan.fx.data(), plan.fy.data(),
                                                 cell.pixels(), to);
              }
            });
}

}  // namespace augcore::opencv4
