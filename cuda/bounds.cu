// Floor: every value is read once, at the bandwidth of the memory; 8 words of 16 bytes a thread are under way.
#include <cmath>

#include "augcore/cuda/bounds.hpp"
#include "vectors.cuh"

namespace augcore::cuda {
namespace {

constexpr int kBlock = 256;
constexpr int kWords = 8;

template <typename T, int V>
__global__ void __launch_bounds__(kBlock)
    find_outside_kernel(const T* values, std::int64_t n, double bound, int* outside) {
  const std::int64_t i = (static_cast<std::int64_t>(blockIdx.x) * kBlock * kWords + threadIdx.x) * V;
  T found[kWords][V] = {};
#pragma unroll
  for (int word = 0; word < kWords; ++word) {
    if (i + word * kBlock * V < n) load<V>(values + i + word * kBlock * V, found[word]);
  }
  bool within = true;
#pragma unroll
  for (int word = 0; word < kWords; ++word) {
#pragma unroll
    for (int v = 0; v < V; ++v) within = within && std::fabs(static_cast<double>(found[word][v])) <= bound;
  }
  if (!within) *outside = 1;  // whoever is last: all write the same
}

template <typename T>
void find(const T* values, std::int64_t n, double bound, int* outside, Stream stream) {
  const auto run = [&](auto kernel, int v) {
    launch("find_outside", kernel, blocks_for(n, std::int64_t{kBlock} * kWords * v), kBlock, 0, stream, values, n,
           bound, outside);
  };
  if (rows_are_words(values, n)) {
    run(find_outside_kernel<T, kWord<T>>, kWord<T>);
  } else {
    run(find_outside_kernel<T, 1>, 1);
  }
}

}  // namespace

void find_outside(const void* values, Dtype dtype, std::int64_t n, double bound, int* outside, Stream stream) {
  if (n == 0) return;
  if (dtype == Dtype::float32) {
    find(static_cast<const float*>(values), n, bound, outside, stream);
  } else {
    find(static_cast<const double*>(values), n, bound, outside, stream);
  }
}

}  // namespace augcore::cuda
