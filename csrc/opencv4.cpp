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

constexpr std::int64_t kTaskElements = 262144;

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

// Taps along one axis: pixels `first` and `second` with weights that sum to 2048.
struct Taps {
  std::vector<std::int64_t> first, second;
  std::vector<std::int32_t> weight_first, weight_second;

  Taps(std::int64_t n_in, std::int64_t n_out, bool area, bool columns) {
    for (std::int64_t i = 0; i < n_out; ++i) {
      formula::Tap tap = area ? formula::area_tap(i, n_in, n_out) : formula::bilinear_tap(i, n_in, n_out);
      // OpenCV gives columns past the ends the whole weight, rows two weights on the same row, which may round apart.
      if (columns && (tap.index < 0 || tap.index >= n_in - 1)) tap.f = 0.0F;
      first.push_back(std::min(std::max<std::int64_t>(tap.index, 0), n_in - 1));
      second.push_back(std::min(std::max<std::int64_t>(tap.index + 1, 0), n_in - 1));
      weight_first.push_back(formula::fixed_weight(1.0F - tap.f));
      weight_second.push_back(formula::fixed_weight(tap.f));
    }
  }
};

// Resizes whole images of one size of rectangle.
class Resizer {
 public:
  Resizer(const Rectangle& size, const OutputImages& out, bool area)
      : c_(out.c),
        w_out_(out.w),
        rows_(size.h, out.h, area, false),
        columns_(size.w, out.w, area, true),
        cache_{std::vector<std::int32_t>(out.w * out.c), std::vector<std::int32_t>(out.w * out.c)} {}

  // Rows y0 ... y1 - 1 of the output.
  void run(const std::uint8_t* rectangle, std::int64_t stride, std::int64_t y0, std::int64_t y1, std::uint8_t* out) {
    cached_[0] = cached_[1] = -1;
    for (std::int64_t y = y0; y < y1; ++y) {
      const std::int32_t* h0 = row(rectangle, stride, rows_.first[y]);
      const std::int32_t* h1 = row(rectangle, stride, rows_.second[y]);
      const std::int32_t b0 = rows_.weight_first[y];
      const std::int32_t b1 = rows_.weight_second[y];
      for (std::int64_t j = 0; j < w_out_ * c_; ++j) *out++ = formula::resize_column(h0[j], h1[j], b0, b1);
    }
  }

 private:
  // Row i of the rectangle, resized along x. The rows of a pair differ by one, so they never share a slot.
  const std::int32_t* row(const std::uint8_t* rectangle, std::int64_t stride, std::int64_t i) {
    std::vector<std::int32_t>& values = cache_[i % 2];
    if (cached_[i % 2] != i) {
      const std::uint8_t* from = rectangle + i * stride;
      std::int32_t* to = values.data();
      for (std::int64_t x = 0; x < w_out_; ++x) {
        const std::uint8_t* v0 = from + columns_.first[x] * c_;
        const std::uint8_t* v1 = from + columns_.second[x] * c_;
        const std::int32_t a0 = columns_.weight_first[x];
        const std::int32_t a1 = columns_.weight_second[x];
        for (std::int64_t channel = 0; channel < c_; ++channel) *to++ = a0 * v0[channel] + a1 * v1[channel];
      }
      cached_[i % 2] = i;
    }
    return values.data();
  }

  std::int64_t c_, w_out_;
  Taps rows_, columns_;
  std::vector<std::int32_t> cache_[2];
  std::int64_t cached_[2] = {-1, -1};
};

}  // namespace

void warp(const Images& in, const double* matrices, std::int64_t n_matrices, const OutputImages& out, int threads) {
  require_uint8(in);
  if (in.n == 0 || in.c == 0 || out.h == 0 || out.w == 0) return;
  if (in.h == 0 || in.w == 0) throw std::invalid_argument("images: have no pixels to read");
  const engine::Matrices all = {matrices, n_matrices};
  if (!engine::has_plan(in)) return warp_huge(in, all, out, threads);
  std::vector<std::int64_t> images(in.n);
  std::iota(images.begin(), images.end(), std::int64_t{0});
  const std::vector<double> no_fill(in.c);
  const engine::Method<std::uint8_t, std::int32_t> method(
      simd::kernels().opencv4_warp, {Interpolation::bilinear, Border::edge, {no_fill.data(), 1}}, in.c);
  engine::warp_batch(method, in, all, images, out, threads);
}

void resize(const Images& in, const Rectangle* rectangles, std::int64_t n_rectangles, Interpolation interpolation,
            const OutputImages& out, int threads) {
  require_uint8(in);
  if (in.n == 0 || in.c == 0 || out.h == 0 || out.w == 0) return;
  check_rectangles(in, rectangles, n_rectangles);
  const std::int64_t pixels = std::max<std::int64_t>(1, kTaskElements / in.c);
  // Bands of whole rows: OpenCV 4 has no images of more than 2^31 - 1 columns, and few are wider than a task.
  const std::int64_t band = std::min(out.h, std::max<std::int64_t>(1, pixels / out.w));
  for_cells(Cells(out.h, 1, band), in.n, std::max<std::int64_t>(1, pixels / out.w), threads,
            [&](const Cell& cell, std::int64_t first, std::int64_t last) {
              const auto rectangle_of = [&](std::int64_t i) { return rectangles[n_rectangles > 1 ? i : 0]; };
              std::int64_t image = first;
              while (image < last) {
                const Rectangle size = rectangle_of(image);
                Resizer resizer(size, out, interpolation == Interpolation::area);
                for (; image < last; ++image) {
                  const Rectangle r = rectangle_of(image);
                  if (r.h != size.h || r.w != size.w) break;
                  const std::uint8_t* from =
                      static_cast<const std::uint8_t*>(in.data) + ((image * in.h + r.top) * in.w + r.left) * in.c;
                  std::uint8_t* to = static_cast<std::uint8_t*>(out.data) + (image * out.h + cell.y0) * out.w * out.c;
                  resizer.run(from, in.w * in.c, cell.y0, cell.y1, to);
                }
              }
            });
}

}  // namespace augcore::opencv4
