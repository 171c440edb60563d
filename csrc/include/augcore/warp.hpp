// Warps: every output pixel is read at its own source position. Translation, rotation, affine and projective maps.
#pragma once

#include <cstdint>

#include "augcore/api.hpp"
#include "augcore/copy.hpp"
#include "augcore/image.hpp"
#include "augcore/point/interpolate.hpp"

namespace augcore {

struct Sampling {
  Interpolation interpolation;  // nearest, bilinear or bicubic
  Border border;
  Fill fill;  // read with Border::constant
};

// matrices: n_matrices (1, or one per image) x 3 x 3, destination -> source; a last row of (0, 0, 1) makes it affine.
// Whole-pixel translations copy pixels.
AUGCORE_API void warp(const Images& in, const double* matrices, std::int64_t n_matrices, const Sampling& sampling,
                      const OutputImages& out, int threads);

}  // namespace augcore
