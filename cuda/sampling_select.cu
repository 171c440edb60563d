// The few points that come first, of many: a radix select of positions, and a stable collection of what it lets pass.
//
// Floor: positions are read three times to find the threshold, by 12, 10 and 10 bits, and twice to collect: 20 bytes of
// a point, of which those that do not belong to the prefix found so far cost nothing else.
#include "sampling.cuh"

namespace augcore::cuda {
namespace {

constexpr int kWarps = kBlock / kWarp;
constexpr int kRounds = kSelectTile / kBlock;
constexpr int kMostBlocks = 2048;

// Counts `bits` bits at `shift` of the positions whose upper bits are the prefix.
__global__ void __launch_bounds__(kBlock) count_bits_kernel(const std::uint32_t* positions, std::int64_t n, int shift,
                                                            int bits, const State* state, std::uint32_t* counts) {
  __shared__ std::uint32_t mine[kThresholdCounts];
  const int bins = 1 << bits;
  for (int bin = threadIdx.x; bin < bins; bin += kBlock) mine[bin] = 0;
  __syncthreads();
  const Word prefix = state->prefix;
  const auto add = [&](std::uint32_t position) {
    if (static_cast<Word>(position) >> (shift + bits) == prefix) {
      atomicAdd(&mine[position >> shift & static_cast<unsigned>(bins - 1)], 1U);
    }
  };
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * kBlock;
  const std::int64_t thread = static_cast<std::int64_t>(blockIdx.x) * kBlock + threadIdx.x;
  const auto* fours = reinterpret_cast<const uint4*>(positions);
  for (std::int64_t i = thread; i < n / 4; i += step) {
    const uint4 four = fours[i];
    add(four.x), add(four.y), add(four.z), add(four.w);
  }
  if (thread < n % 4) add(positions[n / 4 * 4 + thread]);
  __syncthreads();
  for (int bin = threadIdx.x; bin < bins; bin += kBlock) {
    if (mine[bin] > 0) atomicAdd(&counts[bin], mine[bin]);
  }
}

// One block: adds the bits that the k-th position has to the prefix. Leaves the counts at 0.
__global__ void __launch_bounds__(kBlock) descend_kernel(std::uint32_t* counts, int bits, Word k, State* state) {
  __shared__ Word sums[kBlock];
  const int each = (1 << bits) / kBlock, first = static_cast<int>(threadIdx.x) * each;
  Word sum = 0;
  for (int i = 0; i < each; ++i) sum += counts[first + i];
  sums[threadIdx.x] = sum;
  const Word prefix = state->prefix;
  Word below = state->below;
  __syncthreads();
  for (unsigned thread = 0; thread < threadIdx.x; ++thread) below += sums[thread];
  const bool is_here = below < k && k <= below + sum;
  for (int i = 0; i < each; ++i) {
    const std::uint32_t count = counts[first + i];
    counts[first + i] = 0;
    if (is_here && below < k && k <= below + count) {
      state->prefix = prefix << bits | static_cast<Word>(first + i);
      state->below = below;
    }
    below += count;
  }
}

// The positions of a tile, those of a warp side by side.
struct Tile {
  std::uint32_t positions[kRounds];
  std::int64_t first;  // the place of the first of this thread

  __device__ __forceinline__ Tile(const std::uint32_t* all, std::int64_t n)
      : first(static_cast<std::int64_t>(blockIdx.x) * kSelectTile + threadIdx.x / kWarp * (kRounds * kWarp) +
              threadIdx.x % kWarp) {
#pragma unroll
    for (int i = 0; i < kRounds; ++i) {
      positions[i] = first + i * kWarp < n ? all[first + i * kWarp] : kPadding;
    }
  }
};

__global__ void __launch_bounds__(kBlock)
    count_chosen_kernel(const std::uint32_t* positions, std::int64_t n, const State* state, std::uint64_t* counts) {
  __shared__ Word of_warps[kWarps];
  const auto limit = static_cast<std::uint32_t>(state->prefix);
  const Tile tile(positions, n);
  Word count = 0;
#pragma unroll
  for (int i = 0; i < kRounds; ++i) {
    count += (tile.positions[i] < limit ? Word{1} << 32 : 0) + (tile.positions[i] == limit ? 1 : 0);
  }
  for (int lane = kWarp / 2; lane > 0; lane /= 2) count += __shfl_xor_sync(kEveryLane, count, lane);
  if (threadIdx.x % kWarp == 0) of_warps[threadIdx.x / kWarp] = count;
  __syncthreads();
  if (threadIdx.x != 0) return;
  Word all = 0;
  for (int warp = 0; warp < kWarps; ++warp) all += of_warps[warp];
  counts[blockIdx.x] = all;
}

__global__ void __launch_bounds__(kBlock, 3)
    compact_kernel(const std::uint32_t* positions, std::int64_t n, const std::uint64_t* summed, Word capacity,
                   State* state, std::uint64_t* words) {
  __shared__ Word of_warps[kWarps];
  const unsigned warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp, before_me = (1U << lane) - 1U;
  const auto limit = static_cast<std::uint32_t>(state->prefix);
  const Word all_below = state->below, room = capacity - all_below;
  const Tile tile(positions, n);
  Word count = 0;
  for (int i = 0; i < kRounds; ++i) {
    const unsigned below = __ballot_sync(kEveryLane, tile.positions[i] < limit);
    const unsigned equal = __ballot_sync(kEveryLane, tile.positions[i] == limit);
    count += static_cast<Word>(__popc(below)) << 32 | static_cast<Word>(__popc(equal));
  }
  if (lane == 0) of_warps[warp] = count;
  __syncthreads();
  Word start = blockIdx.x == 0 ? 0 : summed[blockIdx.x - 1];
  for (unsigned other = 0; other < warp; ++other) start += of_warps[other];
  Word rank = start >> 32, tie = start & 0xffffffffU;
  for (int i = 0; i < kRounds; ++i) {
    const bool is_below = tile.positions[i] < limit, is_equal = tile.positions[i] == limit;
    const unsigned below = __ballot_sync(kEveryLane, is_below);
    const unsigned equal = __ballot_sync(kEveryLane, is_equal);
    const Word word = static_cast<Word>(tile.positions[i]) << 32 | static_cast<Word>(tile.first + i * kWarp);
    if (is_below) words[rank + __popc(below & before_me)] = word;
    const Word own = tie + __popc(equal & before_me);
    if (is_equal && own < room) words[all_below + own] = word;
    rank += __popc(below);
    tie += __popc(equal);
  }
  const bool is_last = blockIdx.x == gridDim.x - 1 && threadIdx.x == kBlock - 1;
  if (is_last && state->exact == 0 && tie > room) state->failed = 1;
}

}  // namespace

void threshold(const std::uint32_t* positions, std::int64_t n, std::int64_t k, std::uint32_t* counts,
               std::uint64_t* state, Stream stream) {
  const unsigned blocks = std::min(blocks_for(n, 4 * kBlock), static_cast<unsigned>(kMostBlocks));
  check(cudaMemsetAsync(counts, 0, kThresholdCounts * sizeof *counts, reinterpret_cast<cudaStream_t>(stream)),
        "threshold");
  int shift = 32;
  for (const int bits : {12, 10, 10}) {
    shift -= bits;
    launch("count_bits", count_bits_kernel, blocks, kBlock, 0, stream, positions, n, shift, bits, state_of(state),
           counts);
    launch("descend", descend_kernel, 1, kBlock, 0, stream, counts, bits, static_cast<Word>(k), state_of(state));
  }
}

void count_chosen(const std::uint32_t* positions, std::int64_t n, const std::uint64_t* state, std::uint64_t* counts,
                  Stream stream) {
  launch("count_chosen", count_chosen_kernel, blocks_for(n, kSelectTile), kBlock, 0, stream, positions, n,
         state_of(state), counts);
}

void compact(const std::uint32_t* positions, std::int64_t n, const std::uint64_t* summed_counts, std::int64_t capacity,
             std::uint64_t* state, std::uint64_t* words, Stream stream) {
  check(cudaMemsetAsync(words, 0xff, static_cast<std::size_t>(capacity) * sizeof *words,
                        reinterpret_cast<cudaStream_t>(stream)),
        "compact");
  launch("compact", compact_kernel, blocks_for(n, kSelectTile), kBlock, 0, stream, positions, n, summed_counts,
         static_cast<Word>(capacity), state_of(state), words);
}

}  // namespace augcore::cuda
