// The instruction sets that the inner loops are compiled for, and the one in use.
//
// csrc/simd/kernels.cpp is compiled once per level; each compilation fills one table of function pointers. The table in
// use is chosen once, by what the processor can do and by AUGCORE_SIMD (baseline, v3, v4), which can only lower it.
#pragma once

#include "simd/kernels.hpp"

namespace augcore::simd {

extern const Kernels kernels_baseline;
#ifdef AUGCORE_X86_LEVELS
extern const Kernels kernels_v3;
extern const Kernels kernels_v4;
#endif

const Kernels& kernels();

}  // namespace augcore::simd
