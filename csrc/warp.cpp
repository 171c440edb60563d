#include "augcore/warp.hpp"

#include <stdexcept>
#include <vector>

#include "warp_batch.hpp"

namespace augcore {
namespace {

// Whether a matrix moves by whole pixels; adds the shift if it does.
bool whole_pixel_shift(const double* m, std::vector<Shift>* shifts) {
  const double x = point::limit_position(m[2]);
  const double y = point::limit_position(m[5]);
  const bool whole = m[0] == 1.0 && m[1] == 0.0 && m[3] == 0.0 && m[4] == 1.0 && point::round_half_even(x) == x &&
                     point::round_half_even(y) == y && engine::is_affine(m);
  if (whole) shifts->push_back({static_cast<std::int64_t>(x), static_cast<std::int64_t>(y)});
  return whole;
}

// Images too large for a plan: pixel by pixel.
template <typename T>
void warp_huge(const engine::Method<T, point::Real<T>>& method, const Images& in, const engine::Matrices& matrices,
               const std::vector<std::int64_t>& selection, const OutputImages& out, int threads) {
  for_cells(Cells(out.h, out.w, 4096), static_cast<std::int64_t>(selection.size()), 4096, threads,
            [&](const Cell& cell, std::int64_t first, std::int64_t last) {
              for (std::int64_t i = first; i < last; ++i) {
                const std::int64_t image = selection[i];
                const double* m = matrices.of(image);
                const T* from = static_cast<const T*>(in.data) + image * in.h * in.w * in.c;
                T* to = static_cast<T*>(out.data) + ((image * out.h + cell.y0) * out.w + cell.x0) * out.c;
                for (std::int64_t y = cell.y0; y < cell.y1; ++y) {
                  for (std::int64_t x = cell.x0; x < cell.x1; ++x, to += out.c) {
                    const point::Position at = point::source_position(m, !engine::is_affine(m), static_cast<double>(x),
                                                                      static_cast<double>(y));
                    point::sample(from, in.h, in.w, in.c, at, method.interpolation, method.border,
                                  method.fill(image, in.c), to);
                  }
                }
              }
            });
}

}  // namespace

void warp(const Images& in, const double* matrices, std::int64_t n_matrices, const Sampling& sampling,
          const OutputImages& out, int threads) {
  if (in.n == 0 || in.c == 0 || out.h == 0 || out.w == 0) return;
  if (in.h == 0 || in.w == 0) throw std::invalid_argument("images: have no pixels to read");
  const engine::Matrices all = {matrices, n_matrices};
  std::vector<Shift> shifts;
  if (n_matrices == 1 && whole_pixel_shift(matrices, &shifts)) {
    return shift(in, {nullptr, in.n}, shifts.data(), 1, sampling.border, sampling.fill, out, threads);
  }
  by_dtype(in.dtype, [&](auto pixel) {
    using T = decltype(pixel);
    const engine::Method<T, point::Real<T>> method(simd::kernels().warp.of(T{}), sampling, in.c);
    for_parts(in.n, [&](std::int64_t first, std::int64_t last) {
      shifts.clear();
      std::vector<std::int64_t> copied, mixed;
      for (std::int64_t i = first; i < last; ++i) {
        (n_matrices > 1 && whole_pixel_shift(all.of(i), &shifts) ? copied : mixed).push_back(i);
      }
      const auto n_copied = static_cast<std::int64_t>(copied.size());
      const bool all_copied = n_copied == in.n;
      shift(in, {all_copied ? nullptr : copied.data(), n_copied}, shifts.data(), n_copied, sampling.border,
            sampling.fill, out, threads);
      if (engine::has_plan(in)) {
        engine::warp_batch(method, in, all, mixed, out, threads);
      } else {
        warp_huge(method, in, all, mixed, out, threads);
      }
    });
  });
}

}  // namespace augcore
