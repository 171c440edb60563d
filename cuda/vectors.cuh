// Rows of float32 or float64 as words of 16 bytes, and sums over a warp.
#pragma once

#include <cstdint>
#include <cstring>

#include "launch.cuh"

namespace augcore::cuda {

// Elements of a word.
template <typename T>
constexpr int kWord = 16 / static_cast<int>(sizeof(T));

// Whether all rows of p elements begin at words.
template <typename T>
inline bool rows_are_words(const T* x, std::int64_t p) {
  return p % kWord<T> == 0 && reinterpret_cast<std::uintptr_t>(x) % 16 == 0;
}

// V elements: a whole word, or one.
template <int V, typename T>
__device__ __forceinline__ void load(const T* from, T* values) {
  if constexpr (V == 1) {
    *values = __ldg(from);
  } else {
    static_assert(V == kWord<T>);
    const uint4 word = __ldg(reinterpret_cast<const uint4*>(from));
    std::memcpy(values, &word, sizeof(word));
  }
}

template <int V, typename T>
__device__ __forceinline__ void store(T* to, const T* values) {
  if constexpr (V == 1) {
    *to = *values;
  } else {
    static_assert(V == kWord<T>);
    uint4 word;
    std::memcpy(&word, values, sizeof(word));
    *reinterpret_cast<uint4*>(to) = word;
  }
}

// The sum over the lanes of a warp, in all of them.
__device__ __forceinline__ double warp_sum(double value) {
#pragma unroll
  for (int distance = kWarp / 2; distance > 0; distance /= 2) value += __shfl_xor_sync(kEveryLane, value, distance);
  return value;
}

}  // namespace augcore::cuda
