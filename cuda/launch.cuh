// Starting kernels: on a card, or on the emulator (emulator/cuda_runtime.h), which has no <<< >>>.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <new>
#include <stdexcept>
#include <string>

#include "augcore/cuda/stream.hpp"

namespace augcore::cuda {

constexpr int kWarp = 32;
constexpr unsigned kEveryLane = 0xffffffffU;

// Throws what the runtime library reports: std::bad_alloc where memory is short.
inline void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  if (error == cudaErrorMemoryAllocation) throw std::bad_alloc();
  throw std::runtime_error(std::string("CUDA: ") + what + ": " + cudaGetErrorString(error) + " (" +
                           cudaGetErrorName(error) + ")");
}

template <typename T>
__device__ __forceinline__ T* dynamic_shared() {
#ifdef AUGCORE_CUDA_EMULATED
  return static_cast<T*>(emulator::shared_memory());
#else
  extern __shared__ __align__(16) unsigned char augcore_dynamic_shared[];
  return reinterpret_cast<T*>(augcore_dynamic_shared);
#endif
}

// Queues kernel(arguments...) on a stream. Errors of kernels that run are reported by a later call, as always.
template <typename... Parameters, typename... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes,
            Stream stream, Arguments... arguments) {
#ifdef AUGCORE_CUDA_EMULATED
  (void)name, (void)stream;
  emulator::run(grid, block, shared_bytes, [&] { kernel(arguments...); });
#else
  if (shared_bytes > 48 * 1024) {
    check(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(shared_bytes)),
          name);
  }
  kernel<<<grid, block, shared_bytes, reinterpret_cast<cudaStream_t>(stream)>>>(arguments...);
  check(cudaGetLastError(), name);
#endif
}

// The blocks that n items fill. A grid has at most 2^31 - 1 of them.
inline unsigned blocks_for(std::int64_t n, std::int64_t per_block) {
  const std::int64_t blocks = (n + per_block - 1) / per_block;
  if (blocks > 2147483647) throw std::overflow_error("CUDA: too many elements for one kernel; pass fewer at a time");
  return static_cast<unsigned>(blocks);
}

}  // namespace augcore::cuda
