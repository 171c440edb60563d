// What the kernels of resizing share: where rectangles are, and one axis of all of them.
#pragma once

#include "augcore/cuda/resize.hpp"
#include "pixels.cuh"

namespace augcore::cuda {

// A rectangle: its image, its corner, and which of the sizes its height and width are.
struct Window {
  std::int64_t image, top, left, height, width;
};

__device__ __forceinline__ Window window_of(const Rectangles& rectangles, std::int64_t i) {
  if (rectangles.values == nullptr) return {i, rectangles.top, rectangles.left, 0, 0};
  const std::int64_t* own = rectangles.values + 5 * i;
  return {__ldg(own), __ldg(own + 1), __ldg(own + 2), __ldg(own + 3), __ldg(own + 4)};
}

__device__ __forceinline__ std::int64_t size_of(const Sizes& sizes, std::int64_t i) {
  return sizes.values == nullptr ? sizes.first : __ldg(sizes.values + i);
}

}  // namespace augcore::cuda
