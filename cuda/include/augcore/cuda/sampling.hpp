// Orders of points under a policy, for scores in device memory: the meaning is that of
// csrc/include/augcore/sampling.hpp.
//
// An order is made in steps, each queued on the stream: survey; then `words` of all points, or, where few are wanted,
// `positions`, `threshold`, `count_chosen` and `compact`; then the words are sorted, by `count_digits` and `scatter`
// for each of their four upper bytes, and `finish` gives the order. The caller holds all memory; between the counts and
// their use he sums them up, each with all before it. All pointers are to device memory. Nothing here waits for the
// card.
#pragma once

#include <cstdint>

#include "augcore/cuda/stream.hpp"
#include "augcore/dtype.hpp"
#include "augcore/point/policy.hpp"

namespace augcore::cuda {

struct Scores {
  const void* data;
  Dtype dtype;  // float32 or float64
  std::int64_t n;
};

// How points get their keys; first_index is the index of the first score.
struct Draw {
  Policy policy;
  std::uint64_t key[2];
  std::int64_t first_index;
};

// What the steps tell each other: so many words of 64 bits. After the last of them two are for the caller: the bits of
// the largest |score|, which are above those of all numbers where one is NaN or infinite, and 1 where the order is not
// found, since too many points have keys that are alike; and then it is whatever.
constexpr int kStateWords = 16;
constexpr int kLargestWord = 0;
constexpr int kFailedWord = 1;

constexpr std::int64_t kSelectTile = 4096;  // positions that count_chosen counts together
constexpr std::int64_t kSortTile = 4096;    // words that count_digits counts together
constexpr int kDigits = 256;
constexpr int kThresholdCounts = 4096;

// point::policy_key of the points at m places (counted from the first score), or of all n, where places is null.
AUGCORE_CUDA_API void policy_keys(const Draw& draw, const Scores& scores, const std::int64_t* places, std::int64_t m,
                                  double* high, double* low, Stream stream);

// out[i] = log |values[i]|, -inf for 0.
AUGCORE_CUDA_API void log_magnitudes(const double* values, std::int64_t n, double* out, Stream stream);

AUGCORE_CUDA_API void survey(const Draw& draw, const Scores& scores, std::uint64_t* state, Stream stream);

// A position for each point, which never falls as the key rises; and as words: position 2^32 + place. n < 2^32 - 1.
AUGCORE_CUDA_API void positions(const Draw& draw, const Scores& scores, const std::uint64_t* state, std::uint32_t* out,
                                Stream stream);
AUGCORE_CUDA_API void words(const Draw& draw, const Scores& scores, const std::uint64_t* state, std::uint64_t* out,
                            Stream stream);

// Finds the position that the k-th of n has, 1 <= k <= n. counts: kThresholdCounts.
AUGCORE_CUDA_API void threshold(const std::uint32_t* positions, std::int64_t n, std::int64_t k, std::uint32_t* counts,
                                std::uint64_t* state, Stream stream);

// For each tile, how many positions are below that of the k-th (upper half of the number) and how many are equal.
AUGCORE_CUDA_API void count_chosen(const std::uint32_t* positions, std::int64_t n, const std::uint64_t* state,
                                   std::uint64_t* counts, Stream stream);

// The words of the k first and of those that may be among them, in at least k places; what is left of these comes last
// when sorted.
AUGCORE_CUDA_API void compact(const std::uint32_t* positions, std::int64_t n, const std::uint64_t* summed_counts,
                              std::int64_t capacity, std::uint64_t* state, std::uint64_t* words, Stream stream);

// counts[d * tiles + t]: words in tile t whose byte at `shift` is d; and the stable sort by this byte.
AUGCORE_CUDA_API void count_digits(const std::uint64_t* words, std::int64_t n, int shift, std::uint32_t* counts,
                                   Stream stream);
AUGCORE_CUDA_API void scatter(const std::uint64_t* words, std::int64_t n, int shift, const std::uint32_t* summed_counts,
                              std::uint64_t* out, Stream stream);

// order[0 ... k - 1]: the places of the first k, of sorted words.
AUGCORE_CUDA_API void finish(const Draw& draw, const Scores& scores, const std::uint64_t* words, std::int64_t n,
                             std::int64_t k, std::uint64_t* state, std::int64_t* order, Stream stream);

}  // namespace augcore::cuda
