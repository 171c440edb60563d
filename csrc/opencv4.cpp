#include "augcore/opencv4.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "augcore/point/opencv4.hpp"
#include "warp_batch.hpp"

namespace augcore::opencv4 {
namespace {

namespace formula = point::opencv4;

void require_uint8(const Images& in) {
  if (in.dtype != Dtype::uint8) throw std::invalid_argument("the arithmetic of OpenCV 4 is for uint8 images");
}

// Images too large for a plan: pixel by pixel.
void warp_huge(const Images& in, const engine::Matrices& matrices, const OutputImages& out, int threads) {
  // The pixel at or before a position in 1/32 pixel, limited to the image, and the fraction from there.
  const auto limited = [](std::int64_t position, std::int64_t n, std::int32_t* fraction) {
    const std::int64_t inside =
        std::min(std::max<std::int64_t>(position, 0), (n - 1) * std::int64_t{formula::kPositionOne});
    *fraction = static_cast<std::int32_t>(inside % formula::kPositionOne);
    return inside / formula::kPositionOne;
  };
  for_cells(
      Cells(out.h, out.w, 4096), in.n, 4096, threads, [&](const Cell& cell, std::int64_t first, std::int64_t last) {
        for (std::int64_t image = first; image < last; ++image) {
          const double* m = matrices.of(image);
          const std::uint8_t* from = static_cast<const std::uint8_t*>(in.data) + image * in.h * in.w * in.c;
          std::uint8_t* to =
              static_cast<std::uint8_t*>(out.data) + ((image * out.h + cell.y0) * out.w + cell.x0) * out.c;
          for (std::int64_t y = cell.y0; y < cell.y1; ++y) {
            for (std::int64_t x = cell.x0; x < cell.x1; ++x) {
              const auto source = [&](const double* row) {
                return formula::source_position(formula::fixed_position(row[0] * static_cast<double>(x)),
                                                formula::fixed_position(row[1] * static_cast<double>(y) + row[2]));
              };
              std::int32_t fx, fy;
              const std::int64_t x0 = limited(source(m), in.w, &fx);
              const std::int64_t y0 = limited(source(m + 3), in.h, &fy);
              const std::int64_t x1 = std::min(x0 + 1, in.w - 1);
              const std::int64_t y1 = std::min(y0 + 1, in.h - 1);
              for (std::int64_t k = 0; k < in.c; ++k) {
                const auto at = [&](std::int64_t j, std::int64_t i) { return from[(j * in.w + i) * in.c + k]; };
                *to++ = formula::bilinear(at(y0, x0), at(y0, x1), at(y1, x0), at(y1, x1), fx, fy);
              }
            }
          }
        }
      });
}

}  // namespace

void warp(const Images& in, const double* matrices, std::int64_t n_matrices, const OutputImages& out, int threads) {
  require_uint8(in);
  if (in.n == 0 || in.c == 0 || out.h == 0 || out.w == 0) return;
  if (in.h == 0 || in.w == 0) throw std::invalid_argument("images: have no pixels to read");
  const engine::Matrices all = {matrices, n_matrices};
  if (!engine::has_plan(in)) return warp_huge(in, all, out, threads);
  const std::vector<double> no_fill(in.c);
  const engine::Method<std::uint8_t, std::int32_t> method(
      simd::kernels().opencv4_warp, {Interpolation::bilinear, Border::edge, {no_fill.data(), 1}}, in.c);
  for_parts(in.n, [&](std::int64_t first, std::int64_t last) {
    std::vector<std::int64_t> images(last - first);
    std::iota(images.begin(), images.end(), first);
    engine::warp_batch(method, in, all, images, out, threads);
  });
}

}  // namespace augcore::opencv4
