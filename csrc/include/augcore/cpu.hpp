// What the processor can do.
#pragma once

#include "augcore/api.hpp"

namespace augcore {

// "baseline", "v3" (AVX2 and FMA) or "v4" (AVX-512): the x86-64 level of the kernels in use. Throws
// std::invalid_argument when the environment variable AUGCORE_SIMD names no level this processor can run.
AUGCORE_API const char* simd_level();

}  // namespace augcore
