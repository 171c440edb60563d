// Whether numbers are within bounds, on the GPU.
#pragma once

#include <cstdint>

#include "augcore/cuda/stream.hpp"
#include "augcore/dtype.hpp"

namespace augcore::cuda {

// Sets *outside, which is 0, to 1 if a value of float32 or float64 is NaN or above the bound in size.
AUGCORE_CUDA_API void find_outside(const void* values, Dtype dtype, std::int64_t n, double bound, int* outside,
                                   Stream stream);

}  // namespace augcore::cuda
