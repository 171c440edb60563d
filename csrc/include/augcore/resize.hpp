// Separable resampling of rectangles: resizing, and cropping with resizing back.
#pragma once

#include <cstdint>

#include "augcore/api.hpp"
#include "augcore/image.hpp"
#include "augcore/point/interpolate.hpp"

namespace augcore {

struct Rectangle {
  std::int64_t top;
  std::int64_t left;
  std::int64_t h;
  std::int64_t w;
};

// Throws std::invalid_argument when a rectangle is empty or reaches out of the images.
void check_rectangles(const Images& in, const Rectangle* rectangles, std::int64_t n_rectangles);

// rectangles: n_rectangles (1, or one per image), each inside the image; pixels outside it do not count. antialias:
// bilinear and bicubic kernels widen with the factor of shrinking.
AUGCORE_API void resize(const Images& in, const Rectangle* rectangles, std::int64_t n_rectangles,
                        Interpolation interpolation, bool antialias, const OutputImages& out, int threads);

}  // namespace augcore
