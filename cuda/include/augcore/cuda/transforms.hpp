// The transforms of batches in device memory: the meaning of each is that of the header of the same name in csrc/.
//
// All pointers are to device memory. Nothing here waits for the card.
#pragma once

#include <cstdint>

#include "augcore/cuda/stream.hpp"
#include "augcore/image.hpp"
#include "augcore/point/border.hpp"
#include "augcore/point/interpolate.hpp"

namespace augcore::cuda {

// Numbers of every image: those of image i are at values + i * stride in device memory, stride being 0 where all images
// share them. A few shared ones may stand in `first` instead, and values is null.
struct PerImage {
  static constexpr int kFirst = 16;

  const double* values;
  std::int64_t stride;
  double first[kFirst];
};

struct Sampling {
  Interpolation interpolation;  // nearest, bilinear or bicubic
  Border border;
  PerImage fill;  // c numbers, read with Border::constant
};

// matrices: 9 numbers, destination -> source.
AUGCORE_CUDA_API void warp(const Images& in, const PerImage& matrices, const Sampling& sampling,
                           const OutputImages& out, Stream stream);

// shifts: x and y, whole numbers: output pixel (x, y) is pixel (x + shift x, y + shift y) of the image.
AUGCORE_CUDA_API void shift(const Images& in, const PerImage& shifts, Border border, const PerImage& fill,
                            const OutputImages& out, Stream stream);

// positions: out.h x out.w x 2 (x, y), for all images.
AUGCORE_CUDA_API void warp_by_positions(const Images& in, const double* positions, const Sampling& sampling,
                                        const OutputImages& out, Stream stream);

// Of n angles in degrees; the last digit may differ from that of the CPU's library.
AUGCORE_CUDA_API void cos_sin(const double* degrees, std::int64_t n, double* cosine, double* sine, Stream stream);

AUGCORE_CUDA_API void flip(const Images& in, bool horizontal, bool vertical, const OutputImages& out, Stream stream);

}  // namespace augcore::cuda
