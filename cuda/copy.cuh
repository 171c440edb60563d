// Kernels that fill the output element by element: a thread makes a few words of it, one after the other.
#pragma once

#include "pixels.cuh"

namespace augcore::cuda {

constexpr int kWords = 4;  // of a thread, so that several loads are under way

struct Copy {
  std::int64_t in_h, in_w;
  Divisor image;     // elements of an output image
  Divisor row;       // and of a row of it
  Divisor channels;  // and of a pixel
  std::int64_t n;    // elements of the output
};

// An element of the output: image, row, and place in the row.
struct Place {
  std::int64_t image, y, element;
};

__device__ __forceinline__ Place place_of(const Copy& copy, std::int64_t i) {
  const std::int64_t image = copy.image.quotient(i);
  const std::int64_t inside = i - image * copy.image.value();
  const std::int64_t y = copy.row.quotient(inside);
  return {image, y, inside - y * copy.row.value()};
}

// Writes value(place) to every element of the output, and whole(place), a word, where it gives one.
template <typename T, typename Value, typename Whole>
__device__ __forceinline__ void write_all(const Copy& copy, T* out, bool aligned, const Value& value,
                                          const Whole& whole) {
  const std::int64_t step = static_cast<std::int64_t>(kBlock) * kPack<T>;
  std::int64_t first = (static_cast<std::int64_t>(blockIdx.x) * kBlock * kWords + threadIdx.x) * kPack<T>;
#pragma unroll
  for (int word = 0; word < kWords; ++word, first += step) {
    if (first >= copy.n) return;
    const Place place = place_of(copy, first);
    T values[kPack<T>];
    const bool together = first + kPack<T> <= copy.n;
    if (together && place.element + kPack<T> <= copy.row.value() && whole(place, values)) {
    } else {
      for (int i = 0; i < kPack<T>; ++i) {
        if (first + i < copy.n) values[i] = value(i == 0 ? place : place_of(copy, first + i));
      }
    }
    if (together && aligned) {
      store_pack(out + first, values);
    } else {
      for (int i = 0; i < kPack<T>; ++i) {
        if (first + i < copy.n) out[first + i] = values[i];
      }
    }
  }
}

inline Copy copy_of(const Images& in, const OutputImages& out) {
  const std::int64_t n = out.n * out.h * out.w * out.c;
  const bool wide = n >= Divisor::kNarrow;
  return {in.h, in.w, Divisor(out.h * out.w * out.c, wide), Divisor(out.w * out.c, wide), Divisor(out.c, wide), n};
}

template <typename T>
unsigned blocks_of(const Copy& copy) {
  return blocks_for(copy.n, static_cast<std::int64_t>(kBlock) * kWords * kPack<T>);
}

}  // namespace augcore::cuda
