// Compiled once per instruction set: CMake defines AUGCORE_LEVEL (baseline, v3, v4) and AUGCORE_LEVEL_<level>.
//
// No std:: templates here or in what is included: the linker could pick this unit's copy, compiled for a newer
// processor, for the whole library.
#include "simd/kernels.hpp"

#include "simd/bounds.inl"
#include "simd/copy.inl"
#include "simd/linalg.inl"
#include "simd/resize.inl"
#include "simd/resize_bytes.inl"
#include "simd/rows.inl"
#include "simd/sampling.inl"
#include "simd/warp.inl"

#define AUGCORE_JOIN_(a, b) a##b
#define AUGCORE_JOIN(a, b) AUGCORE_JOIN_(a, b)
#define AUGCORE_STRING_(a) #a
#define AUGCORE_STRING(a) AUGCORE_STRING_(a)

namespace augcore::simd {

extern const Kernels AUGCORE_JOIN(kernels_, AUGCORE_LEVEL);
const Kernels AUGCORE_JOIN(kernels_, AUGCORE_LEVEL) = {
    AUGCORE_STRING(AUGCORE_LEVEL),
    bounds_kernels,
    linear_algebra_kernels,
    row_kernels,
    {exact_warp_kernels<std::uint8_t>, exact_warp_kernels<std::uint16_t>, exact_warp_kernels<float>,
     exact_warp_kernels<double>},
    opencv4_warp_kernels,
    {resize_kernels<std::uint8_t, float>, resize_kernels<std::uint8_t, double>, resize_kernels<std::uint16_t, double>,
     resize_kernels<float, double>, resize_kernels<double, double>, byte_kernels, opencv4_column},
    copy_kernels,
    sampling_kernels,
};

}  // namespace augcore::simd
