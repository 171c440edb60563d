// The CUDA stream that a kernel is queued on: a cudaStream_t as a number, 0 for the default stream.
#pragma once

#include <cstdint>

#define AUGCORE_CUDA_API __attribute__((visibility("default")))

namespace augcore::cuda {

using Stream = std::uintptr_t;

}  // namespace augcore::cuda
