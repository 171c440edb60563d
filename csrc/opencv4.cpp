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
  for_cells(Cells(out.h, out.w, 4096), in.n, 4096, threads,
            [&](const Cell& cell, std::int64_t first, std::int64_t last) {
              for (std::int64_t image = first; image < last; ++image) {
                const double* m = matrices.of(image);
                const std::uint8_t* from = static_cast<const std::uint8_t*>(in.data) + image * in.h * in.w * in.c;
                std::uint8_t* to =
                    static_cast<std::uint8_t*>(out.data) + ((image * out.h + cell.y0) * out.w + cell.x0) * out.c;
                for (std::int64_t y = cell.y0; y < cell.y1; ++y) {
                  for (std::int64_t x = cell.x0; x < cell.x1; ++x) {
                    const formula::Source source =
                        formula::source_of(m, static_cast<double>(x), static_cast<double>(y), in.h, in.w);
                    for (std::int64_t k = 0; k < in.c; ++k) *to++ = formula::sample(from + k, in.w, in.c, source);
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
