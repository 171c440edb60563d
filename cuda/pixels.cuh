// Where the threads of the image kernels write, and how: words of 32 bits, each of which several pixels may share.
#pragma once

#include <cstdint>

#include "augcore/cuda/transforms.hpp"
#include "augcore/dtype.hpp"
#include "divide.cuh"

namespace augcore::cuda {

constexpr int kBlock = 256;

// Calls f with an element of the type, as csrc does.
template <typename F>
void by_dtype(Dtype dtype, const F& f) {
  switch (dtype) {
    case Dtype::uint8:
      return f(std::uint8_t{});
    case Dtype::uint16:
      return f(std::uint16_t{});
    case Dtype::float32:
      return f(float{});
    case Dtype::float64:
      return f(double{});
  }
}

__device__ __forceinline__ const double* of_image(const PerImage& numbers, std::int64_t image) {
  return numbers.values == nullptr ? numbers.first : numbers.values + image * numbers.stride;
}

template <typename T>
inline bool is_aligned(const T* p) {
  return reinterpret_cast<std::uintptr_t>(p) % 4 == 0;
}

// Elements that make a word.
template <typename T>
constexpr int kPack = sizeof(T) >= 4 ? 1 : 4 / static_cast<int>(sizeof(T));

// The elements at a word-aligned place of the output: one store.
template <typename T>
__device__ __forceinline__ void store_pack(T* to, const T* values) {
  if constexpr (kPack<T> == 1) {
    *to = *values;
  } else {
    std::uint32_t word = 0;
    for (int i = 0; i < kPack<T>; ++i) word |= static_cast<std::uint32_t>(values[i]) << (8 * sizeof(T) * i);
    auto* place = reinterpret_cast<std::uint32_t*>(to);
#ifdef AUGCORE_CUDA_EMULATED
    emulator::aligned(place);
#endif
    *place = word;
  }
}

// A word from any place, by the one or two aligned words that hold its elements.
template <typename T>
__device__ __forceinline__ std::uint32_t load_word(const T* from) {
  const auto address = reinterpret_cast<std::uintptr_t>(from);
  const auto* words = reinterpret_cast<const std::uint32_t*>(address & ~std::uintptr_t{3});
  const unsigned offset = static_cast<unsigned>(address & 3U);
  const std::uint32_t low = __ldg(words);
  return offset == 0 ? low : __funnelshift_r(low, __ldg(words + 1), 8 * offset);
}

// The pixels of an output.
struct Target {
  Divisor image;   // pixels of an image
  Divisor row;     // and of a row
  std::int64_t n;  // pixels of the batch
};

inline Target target_of(const OutputImages& out) {
  const std::int64_t n = out.n * out.h * out.w;
  const bool wide = n * out.c >= Divisor::kNarrow;
  return {Divisor(out.h * out.w, wide), Divisor(out.w, wide), n};
}

// Writes pixel(image, x, y, C values) to the few neighbouring pixels of this thread, which fill words of the output.
template <typename T, int C, typename Pixel>
__device__ __forceinline__ void write_pixels(const Target& target, T* out, bool aligned, const Pixel& pixel) {
  constexpr int kPixels = kPack<T>;
  const std::int64_t first = (static_cast<std::int64_t>(blockIdx.x) * kBlock + threadIdx.x) * kPixels;
  if (first >= target.n) return;
  std::int64_t image = target.image.quotient(first);
  const std::int64_t inside = first - image * target.image.value();
  std::int64_t y = target.row.quotient(inside), x = inside - y * target.row.value();
  T values[kPixels * C];
#pragma unroll
  for (int i = 0; i < kPixels; ++i) {
    if (first + i >= target.n) break;
    pixel(image, x, y, values + i * C);
    if (++x == target.row.value()) {
      x = 0;
      if (++y * target.row.value() == target.image.value()) y = 0, ++image;
    }
  }
  if (aligned && first + kPixels <= target.n) {
    for (int word = 0; word < C; ++word) store_pack(out + first * C + word * kPixels, values + word * kPixels);
  } else {
    for (int k = 0; k < kPixels * C && first * C + k < target.n * C; ++k) out[first * C + k] = values[k];
  }
}

}  // namespace augcore::cuda
