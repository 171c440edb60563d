// Proposals of a projection's items: a thread draws one and finds it by bisection, some 25 reads of which most hit the
// caches. There are a thousand at most, so a launch is what it costs.
#include "augcore/cuda/dpp.hpp"
#include "augcore/point/exponential_key.hpp"
#include "augcore/point/philox.hpp"
#include "augcore/point/random_counters.hpp"
#include "launch.cuh"

namespace augcore::cuda {
namespace {

constexpr int kBlock = 128;

__global__ void __launch_bounds__(kBlock)
    propose_kernel(const double* sums, std::int64_t n, std::uint64_t key0, std::uint64_t key1, std::uint64_t draw,
                   std::uint64_t first, std::int64_t count, std::int64_t* items, double* limits) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kBlock + threadIdx.x;
  if (i >= count) return;
  const point::Words4 words =
      point::philox4x64({{first + static_cast<std::uint64_t>(i), draw, counters::kItems, counters::kDpp}}, key0, key1);
  const double u = point::unit_interval(words.word[0]) * sums[n - 1];
  std::int64_t low = 0, high = n;  // the first sum above u is in [low, high]
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    if (sums[middle] > u) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  items[i] = low;
  const double bound = low < n ? sums[low] - (low > 0 ? sums[low - 1] : 0.0) : 0.0;
  limits[i] = point::unit_interval(words.word[1]) * bound;
}

}  // namespace

void propose(const double* sums, std::int64_t n, const std::uint64_t* key, std::int64_t draw, std::int64_t first,
             std::int64_t count, std::int64_t* items, double* limits, Stream stream) {
  launch("propose", propose_kernel, blocks_for(count, kBlock), kBlock, 0, stream, sums, n, key[0], key[1],
         static_cast<std::uint64_t>(draw), static_cast<std::uint64_t>(first), count, items, limits);
}

}  // namespace augcore::cuda
