// The parts of CUDA that the kernels use, on one thread of the processor: for tests on machines without a card.
//
// A kernel is compiled as C++ and its threads run as fibers, one after the other, from one meeting point
// (__syncthreads,
// __syncwarp, a shuffle, a vote) to the next. Device memory is the memory of the process. What is undefined on a card
// is an error here where it is seen: a meeting that some of its threads never come to throws.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <type_traits>

#define AUGCORE_CUDA_EMULATED
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __shared__ static  // blocks run one after the other

struct dim3 {
  unsigned x, y, z;
  dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
struct uint3 {
  unsigned x, y, z;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};

namespace augcore::emulator {

struct Thread {
  uint3 index;
  uint3 block;
  dim3 block_size;
  dim3 grid_size;
  int lane;
};

extern Thread thread;  // the one that runs

// Runs body() for every thread of every block of a grid.
void run(dim3 grid, dim3 block, std::size_t shared_bytes, const std::function<void()>& body);

void* shared_memory();
void meet_block();

// Exchanges a value with the lanes of the mask: of all 32, those of lanes that are not in it are 0.
const std::uint64_t* meet_warp(unsigned mask, std::uint64_t value);

extern bool misaligned;  // something was read or written that a card cannot: the launch throws

template <typename T>
T* aligned(T* address) {
  misaligned = misaligned || reinterpret_cast<std::uintptr_t>(address) % sizeof(T) != 0;
  return address;
}

template <typename T>
std::uint64_t to_bits(T value) {
  static_assert(sizeof(T) <= sizeof(std::uint64_t) && std::is_trivially_copyable_v<T>);
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  return bits;
}

template <typename T>
T from_bits(std::uint64_t bits) {
  T value;
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

template <typename T>
T value_of(unsigned mask, T value, int lane) {
  return from_bits<T>(meet_warp(mask, to_bits(value))[lane & 31]);
}

}  // namespace augcore::emulator

#define threadIdx (augcore::emulator::thread.index)
#define blockIdx (augcore::emulator::thread.block)
#define blockDim (augcore::emulator::thread.block_size)
#define gridDim (augcore::emulator::thread.grid_size)

inline void __syncthreads() { augcore::emulator::meet_block(); }
inline void __syncwarp(unsigned mask = 0xffffffffU) { augcore::emulator::meet_warp(mask, 0); }
inline void __threadfence() {}

template <typename T>
T __shfl_sync(unsigned mask, T value, int lane) {
  return augcore::emulator::value_of(mask, value, lane);
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int flipped) {
  return augcore::emulator::value_of(mask, value, augcore::emulator::thread.lane ^ flipped);
}
template <typename T>
T __shfl_down_sync(unsigned mask, T value, unsigned distance) {
  const int own = augcore::emulator::thread.lane;
  const int from = own + static_cast<int>(distance);
  return augcore::emulator::value_of(mask, value, from < 32 ? from : own);
}
template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned distance) {
  const int own = augcore::emulator::thread.lane;
  const int from = own - static_cast<int>(distance);
  return augcore::emulator::value_of(mask, value, from >= 0 ? from : own);
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  const std::uint64_t* votes = augcore::emulator::meet_warp(mask, predicate != 0);
  unsigned ballot = 0;
  for (int lane = 0; lane < 32; ++lane) ballot |= votes[lane] != 0 ? 1U << lane : 0U;
  return ballot;
}
template <typename T>
unsigned __match_any_sync(unsigned mask, T value) {
  const std::uint64_t own = augcore::emulator::to_bits(value);
  const std::uint64_t* values = augcore::emulator::meet_warp(mask, own);
  unsigned alike = 0;
  for (int lane = 0; lane < 32; ++lane) alike |= values[lane] == own ? 1U << lane : 0U;
  return alike & mask;
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return (__ballot_sync(mask, predicate) & mask) == mask; }

template <typename T>
T atomicAdd(T* to, T value) {
  const T before = *to;
  *to = before + value;
  return before;
}
template <typename T>
T atomicMax(T* to, T value) {
  const T before = *to;
  *to = before < value ? value : before;
  return before;
}
template <typename T>
T atomicMin(T* to, T value) {
  const T before = *to;
  *to = value < before ? value : before;
  return before;
}
template <typename T>
T atomicOr(T* to, T value) {
  const T before = *to;
  *to = before | value;
  return before;
}

template <typename T>
T __ldg(const T* from) {
  return *augcore::emulator::aligned(from);
}
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>((static_cast<std::uint64_t>(a) * b) >> 32);
}
inline std::uint64_t __umul64hi(std::uint64_t a, std::uint64_t b) {
  return static_cast<std::uint64_t>((static_cast<unsigned __int128>(a) * b) >> 64);
}
inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
inline int __clz(int bits) { return bits == 0 ? 32 : __builtin_clz(static_cast<unsigned>(bits)); }
inline int __ffs(int bits) { return __builtin_ffs(bits); }
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
  return static_cast<unsigned>(((static_cast<std::uint64_t>(high) << 32) | low) >> (shift & 31U));
}
inline unsigned __byte_perm(unsigned a, unsigned b, unsigned selector) {
  const std::uint64_t bytes = (static_cast<std::uint64_t>(b) << 32) | a;
  unsigned result = 0;
  for (int i = 0; i < 4; ++i) {
    result |= static_cast<unsigned>((bytes >> (8 * ((selector >> (4 * i)) & 7U))) & 255U) << (8 * i);
  }
  return result;
}

// ---- the runtime library
// ---------------------------------------------------------------------------------------------

using cudaStream_t = struct CUstream_st*;
enum cudaError_t { cudaSuccess = 0, cudaErrorInvalidValue = 1, cudaErrorMemoryAllocation = 2, cudaErrorNoDevice = 100 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
enum cudaDeviceAttr { cudaDevAttrMaxSharedMemoryPerBlockOptin = 97, cudaDevAttrMultiProcessorCount = 16 };

inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline const char* cudaGetErrorString(cudaError_t) { return "no error"; }
inline const char* cudaGetErrorName(cudaError_t) { return "cudaSuccess"; }
inline cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
inline cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  *value = attribute == cudaDevAttrMultiProcessorCount ? 2 : 101376;
  return cudaSuccess;
}
template <typename F>
cudaError_t cudaFuncSetAttribute(F*, cudaFuncAttribute, int) {
  return cudaSuccess;
}
inline cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t) {
  std::memset(to, value, bytes);
  return cudaSuccess;
}
