// Keys of points, block by block: what orders and reservoirs are made of.
#pragma once

#include <algorithm>
#include <cstdint>
#include <stdexcept>

#include "augcore/point/philox.hpp"
#include "augcore/point/policy.hpp"
#include "augcore/threads.hpp"
#include "key_sort.hpp"
#include "simd/levels.hpp"

namespace augcore {

constexpr std::int64_t kDrawBlock = 16384;  // points of one task: well under a millisecond
constexpr std::int64_t kDrawChunk = 1024;   // points whose words and keys stay in the nearest cache

inline void check_indices(std::int64_t first_index, std::int64_t n) {
  if (first_index < 0 || n < 0 || first_index > INT64_MAX - n) {
    throw std::invalid_argument("first_index: must be between 0 and 2^63 - 1 less the number of items");
  }
}

// f(first, last) of blocks of 0 ... n - 1.
template <typename F>
void for_draw_blocks(std::int64_t n, int threads, const F& f) {
  parallel_for((n + kDrawBlock - 1) / kDrawBlock, threads,
               [&](std::int64_t task) { f(task * kDrawBlock, std::min(n, (task + 1) * kDrawBlock)); });
}

// How the points of a draw get their keys. Scores are of type float or double.
struct Draw {
  Policy policy;
  std::uint64_t key[2];

  Draw(Policy p, const std::uint64_t* k) : policy(p), key{k[0], k[1]} {}

  [[noreturn]] void refuse() const {
    throw std::invalid_argument(policy == Policy::log_weights ? "log_weights: contains NaN"
                                                              : "scores: contains NaN or infinity");
  }

  // The words of n points, n <= kDrawChunk; not written where none are drawn.
  void words(std::int64_t first_index, std::int64_t n, std::uint64_t* out) const {
    if (point::is_random(policy)) simd::kernels().sampling.words(key, static_cast<std::uint64_t>(first_index), n, out);
  }

  // The keys of n points, of which the first has this index. low may be null.
  template <typename T>
  void keys(const T* scores, std::int64_t n, std::int64_t first_index, double* high, double* low) const {
    std::uint64_t drawn[kDrawChunk];
    for (std::int64_t i = 0; i < n; i += kDrawChunk) {
      const std::int64_t m = std::min(kDrawChunk, n - i);
      words(first_index + i, m, drawn);
      const auto& kernels = simd::kernels().sampling.of(T{});
      if (!kernels.keys(policy, scores + i, drawn, m, high + i, low == nullptr ? low : low + i)) refuse();
    }
  }

  template <typename T>
  void rough_keys(const T* scores, std::int64_t n, std::int64_t first_index, double* out) const {
    std::uint64_t drawn[kDrawChunk];
    for (std::int64_t i = 0; i < n; i += kDrawChunk) {
      const std::int64_t m = std::min(kDrawChunk, n - i);
      words(first_index + i, m, drawn);
      if (!simd::kernels().sampling.of(T{}).rough_keys(policy, scores + i, drawn, m, out + i)) refuse();
    }
  }

  Item item(double score, std::int64_t index) const {
    const point::Words4 drawn = point::stream_block(static_cast<std::uint64_t>(index) / 4, key[0], key[1]);
    const point::ExponentialKey at = point::policy_key(policy, drawn.word[index % 4], score);
    return {at.high, at.low, index};
  }
};

}  // namespace augcore
