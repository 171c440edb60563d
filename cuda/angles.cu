#include "augcore/cuda/transforms.hpp"
#include "augcore/point/angles.hpp"
#include "launch.cuh"

namespace augcore::cuda {
namespace {

constexpr int kBlock = 256;

__global__ void __launch_bounds__(kBlock)
    cos_sin_kernel(const double* degrees, std::int64_t n, double* cosine, double* sine) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kBlock + threadIdx.x;
  if (i < n) point::cos_sin(degrees[i], cosine + i, sine + i);
}

}  // namespace

void cos_sin(const double* degrees, std::int64_t n, double* cosine, double* sine, Stream stream) {
  launch("cos_sin", cos_sin_kernel, blocks_for(n, kBlock), kBlock, 0, stream, degrees, n, cosine, sine);
}

}  // namespace augcore::cuda
