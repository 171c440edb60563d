// What the CUDA library can do here.
#pragma once

#include "augcore/cuda/stream.hpp"

namespace augcore::cuda {

// Cards that this process sees: 0 also without a driver.
AUGCORE_CUDA_API int device_count();

// The version of the CUDA toolkit that this was compiled with, as 1000 major + 10 minor; 0 for the emulator.
AUGCORE_CUDA_API int toolkit_version();

}  // namespace augcore::cuda
