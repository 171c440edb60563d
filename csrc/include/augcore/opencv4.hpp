// Warps and resizing of uint8 images with the arithmetic of OpenCV 4: positions in steps of 1/32 pixel, resize weights
// of 11 bits. The results equal those of cv2.warpAffine (bilinear, replicated border) and cv2.resize bit for bit.
#pragma once

#include <cstdint>

#include "augcore/api.hpp"
#include "augcore/image.hpp"
#include "augcore/resize.hpp"

namespace augcore::opencv4 {

// matrices: n_matrices (1, or one per image) x 3 x 3, destination -> source, affine.
AUGCORE_API void warp(const Images& in, const double* matrices, std::int64_t n_matrices, const OutputImages& out,
                      int threads);

// interpolation: bilinear, or area where at least one side does not shrink.
AUGCORE_API void resize(const Images& in, const Rectangle* rectangles, std::int64_t n_rectangles,
                        Interpolation interpolation, const OutputImages& out, int threads);

}  // namespace augcore::opencv4
