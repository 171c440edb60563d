// Warps and resizing of uint8 images with the arithmetic of OpenCV 4: see augcore/opencv4.hpp.
#pragma once

#include <cstdint>

#include "augcore/cuda/resize.hpp"
#include "augcore/cuda/stream.hpp"
#include "augcore/cuda/transforms.hpp"
#include "augcore/image.hpp"

namespace augcore::cuda::opencv4 {

// matrices: 9 numbers, destination -> source, affine.
AUGCORE_CUDA_API void warp(const Images& in, const PerImage& matrices, const OutputImages& out, Stream stream);

// taps: sizes.n x n_out x 4: two pixels and their weights. columns: of an axis along x.
AUGCORE_CUDA_API void resize_table(const Sizes& sizes, std::int64_t n_out, bool area, bool columns, std::int32_t* taps,
                                   Stream stream);

// The rectangles are those of all images, in order; down, across: what resize_table has made.
AUGCORE_CUDA_API void resize(const Images& in, const Rectangles& rectangles, const std::int32_t* down,
                             const std::int32_t* across, const OutputImages& out, Stream stream);

}  // namespace augcore::cuda::opencv4
