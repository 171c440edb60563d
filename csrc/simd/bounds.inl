// Comparisons of one instruction set: see BoundsKernels in kernels.hpp.
#pragma once

#include <cstdint>

#include "simd/kernels.hpp"
#include "simd/vec.hpp"

namespace {

template <typename S>
bool within(const S* x, std::int64_t n, S bound) {
  constexpr std::int64_t kBlock = 2048;  // between two branches
  const Vec<S> high = broadcast(bound), low = broadcast(-bound);
  std::int64_t i = 0;
  while (i + kLanes<S> <= n) {
    const std::int64_t end = n - i < kBlock ? n : i + kBlock;
    auto inside = low <= high;
    for (; i + kLanes<S> <= end; i += kLanes<S>) {
      const Vec<S> values = load(x + i);
      inside &= (values <= high) & (values >= low);
    }
    for (int lane = 0; lane < kLanes<S>; ++lane) {
      if (inside[lane] == 0) return false;
    }
  }
  for (; i < n; ++i) {
    if (!(x[i] <= bound && x[i] >= -bound)) return false;
  }
  return true;
}

constexpr augcore::simd::BoundsKernels bounds_kernels = {within<float>, within<double>};

}  // namespace
