// Transforms that move whole pixels and compute nothing: translation by whole pixels, flips.
#pragma once

#include <cstdint>

#include "augcore/api.hpp"
#include "augcore/image.hpp"
#include "augcore/point/border.hpp"

namespace augcore {

// Output pixel (x, y) is pixel (x + shift.x, y + shift.y) of the image.
struct Shift {
  std::int64_t x;
  std::int64_t y;
};

// Some images of a batch: those of the listed indices, or the first `count` where there is no list.
struct Selection {
  const std::int64_t* indices;
  std::int64_t count;

  std::int64_t operator[](std::int64_t i) const { return indices == nullptr ? i : indices[i]; }
};

// What Border::constant shows outside of an image: n (1, or one per image of the batch) x c values.
struct Fill {
  const double* values;
  std::int64_t n;

  const double* of(std::int64_t image, std::int64_t c) const { return values + (n > 1 ? image * c : 0); }
};

// shifts: n_shifts, 1 or one for each selected image.
AUGCORE_API void shift(const Images& in, const Selection& selection, const Shift* shifts, std::int64_t n_shifts,
                       Border border, const Fill& fill, const OutputImages& out, int threads);

AUGCORE_API void flip(const Images& in, bool horizontal, bool vertical, const OutputImages& out, int threads);

}  // namespace augcore
