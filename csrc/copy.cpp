#include "augcore/copy.hpp"

#include <cstring>
#include <stdexcept>

#include "augcore/point/interpolate.hpp"
#include "cells.hpp"

namespace augcore {
namespace {

constexpr std::int64_t kTaskElements = 262144;  // about a millisecond

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

}  // namespace

void shift(const Images& in, const Selection& selection, const Shift* shifts, std::int64_t n_shifts, Border border,
           const Fill& fill, const OutputImages& out, int threads) {
  if (selection.count == 0 || in.c == 0 || out.h == 0 || out.w == 0) return;
  if (in.h == 0 || in.w == 0) throw std::invalid_argument("images: have no pixels to read");
  by_dtype(in.dtype, [&](auto pixel) {
    using T = decltype(pixel);
    const std::int64_t pixels = std::max<std::int64_t>(1, kTaskElements / in.c);
    for_cells(Cells(out.h, out.w, pixels), selection.count, pixels, threads,
              [&](const Cell& cell, std::int64_t first, std::int64_t last) {
                for (std::int64_t i = first; i < last; ++i) {
                  const std::int64_t image = selection[i];
                  const T* from = static_cast<const T*>(in.data) + image * in.h * in.w * in.c;
                  T* to = static_cast<T*>(out.data) + (image * out.h * out.w + cell.y0 * out.w + cell.x0) * out.c;
                  copy_shifted(from, in, shifts[n_shifts > 1 ? i : 0], border, fill.of(image, in.c), cell, to);
                }
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
