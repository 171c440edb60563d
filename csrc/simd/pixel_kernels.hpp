// The kernels in use for one pixel type, for code that is generic in it. The argument only says the type.
#pragma once

#include "simd/levels.hpp"

namespace augcore::simd {

inline const PixelKernels<std::uint8_t>& pixel_kernels(std::uint8_t) { return kernels().image.u8; }
inline const PixelKernels<std::uint16_t>& pixel_kernels(std::uint16_t) { return kernels().image.u16; }
inline const PixelKernels<float>& pixel_kernels(float) { return kernels().image.f32; }
inline const PixelKernels<double>& pixel_kernels(double) { return kernels().image.f64; }

}  // namespace augcore::simd
