// A stable radix sort of words by their upper halves, eight bits at a time. Nothing depends on which block runs when.
//
// Floor: each of four passes reads the words to count, reads them again and writes them: 96 bytes of a word, at the
// bandwidth of a copy. A tile is put in order in shared memory, so that its words of one digit, 16 on average, leave
// side by side.
#include "sampling.cuh"

namespace augcore::cuda {
namespace {

constexpr int kWarps = kBlock / kWarp;
constexpr int kRounds = kSortTile / kBlock;
static_assert(kDigits == kBlock, "a thread has a digit");

__device__ __forceinline__ unsigned digit_of(Word word, int shift) {
  return static_cast<unsigned>(word >> shift) & (kDigits - 1);
}

__global__ void __launch_bounds__(kBlock)
    count_digits_kernel(const std::uint64_t* words, std::int64_t n, int shift, std::uint32_t* counts) {
  __shared__ std::uint32_t mine[kWarps][kDigits];  // one for each warp, so that fewer meet
  const unsigned warp = threadIdx.x / kWarp;
  for (int other = 0; other < kWarps; ++other) mine[other][threadIdx.x] = 0;
  __syncthreads();
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * kSortTile + threadIdx.x;
#pragma unroll
  for (int i = 0; i < kRounds; ++i) {
    if (first + i * kBlock < n) atomicAdd(&mine[warp][digit_of(words[first + i * kBlock], shift)], 1U);
  }
  __syncthreads();
  std::uint32_t count = 0;
  for (int other = 0; other < kWarps; ++other) count += mine[other][threadIdx.x];
  counts[static_cast<std::int64_t>(threadIdx.x) * gridDim.x + blockIdx.x] = count;
}

// The sum of the values of all threads before this one.
__device__ __forceinline__ std::uint32_t sum_before(std::uint32_t value, std::uint32_t* of_warps) {
  const unsigned warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  std::uint32_t sum = value;
  for (unsigned distance = 1; distance < kWarp; distance *= 2) {
    const std::uint32_t other = __shfl_up_sync(kEveryLane, sum, distance);
    if (lane >= distance) sum += other;
  }
  if (lane == kWarp - 1) of_warps[warp] = sum;
  __syncthreads();
  for (unsigned other = 0; other < warp; ++other) sum += of_warps[other];
  return sum - value;
}

__global__ void __launch_bounds__(kBlock, 3) scatter_kernel(const std::uint64_t* words, std::int64_t n, int shift,
                                                            const std::uint32_t* summed, std::uint64_t* out) {
  __shared__ Word sorted[kSortTile];
  __shared__ std::uint32_t counts[kWarps][kDigits];
  __shared__ std::uint32_t to[kDigits];  // where in `out` a digit goes, less where in the tile it is
  __shared__ std::uint32_t of_warps[kWarps];
  const unsigned warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  for (int other = 0; other < kWarps; ++other) counts[other][threadIdx.x] = 0;
  __syncthreads();

  // What is beyond the end has the last digit and comes behind all others of it.
  const std::int64_t tile = static_cast<std::int64_t>(blockIdx.x) * kSortTile;
  const std::int64_t first = tile + warp * (kRounds * kWarp) + lane;
  Word mine[kRounds];
#pragma unroll
  for (int i = 0; i < kRounds; ++i) {
    mine[i] = first + i * kWarp < n ? static_cast<Word>(words[first + i * kWarp]) : ~Word{0};
  }
  std::uint32_t ranks[kRounds / 2] = {};  // among the words of the digit in this warp, two in a register
#pragma unroll
  for (int i = 0; i < kRounds; ++i) {
    const unsigned digit = digit_of(mine[i], shift), alike = __match_any_sync(kEveryLane, digit);
    const std::uint32_t before = counts[warp][digit];
    const auto among = static_cast<std::uint32_t>(__popc(alike & ((1U << lane) - 1U)));
    ranks[i / 2] |= (before + among) << (16 * (i % 2));
    __syncwarp();
    if (among == 0) counts[warp][digit] = before + static_cast<std::uint32_t>(__popc(alike));
    __syncwarp();
  }
  __syncthreads();

  std::uint32_t count = 0;  // of this thread's digit; what the warps have becomes where they put it
  for (int other = 0; other < kWarps; ++other) {
    const std::uint32_t of_warp = counts[other][threadIdx.x];
    counts[other][threadIdx.x] = count;
    count += of_warp;
  }
  const std::uint32_t start = sum_before(count, of_warps);
  for (int other = 0; other < kWarps; ++other) counts[other][threadIdx.x] += start;
  const std::int64_t entry = static_cast<std::int64_t>(threadIdx.x) * gridDim.x + blockIdx.x;
  to[threadIdx.x] = (entry == 0 ? 0U : summed[entry - 1]) - start;  // modulo 2^32, as n is below it
  __syncthreads();

#pragma unroll
  for (int i = 0; i < kRounds; ++i) {
    const std::uint32_t rank = ranks[i / 2] >> (16 * (i % 2)) & 0xffffU;
    sorted[counts[warp][digit_of(mine[i], shift)] + rank] = mine[i];
  }
  __syncthreads();
  for (int i = threadIdx.x; i < kSortTile && tile + i < n; i += kBlock) {
    const Word word = sorted[i];
    out[to[digit_of(word, shift)] + static_cast<std::uint32_t>(i)] = word;
  }
}

}  // namespace

void count_digits(const std::uint64_t* words, std::int64_t n, int shift, std::uint32_t* counts, Stream stream) {
  launch("count_digits", count_digits_kernel, blocks_for(n, kSortTile), kBlock, 0, stream, words, n, shift, counts);
}

void scatter(const std::uint64_t* words, std::int64_t n, int shift, const std::uint32_t* summed_counts,
             std::uint64_t* out, Stream stream) {
  launch("scatter", scatter_kernel, blocks_for(n, kSortTile), kBlock, 0, stream, words, n, shift, summed_counts, out);
}

}  // namespace augcore::cuda
