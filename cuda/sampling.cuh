// Keys of points, and their positions: 32 bits that tell the order of nearly all keys.
#pragma once

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "augcore/cuda/sampling.hpp"
#include "augcore/point/philox.hpp"
#include "launch.cuh"

namespace augcore::cuda {

using Word = unsigned long long;  // what atomic functions take
constexpr int kBlock = 256;

constexpr std::uint32_t kLastPosition = 0xfffffffeU;
constexpr std::uint32_t kPadding = 0xffffffffU;  // the position, and the place, of what is no point

// Random keys that are finite lie on a line from `low`, of 2^31 positions, between those of infinite ones, which are
// told apart by their lower part, 2^30 on each side. Scores of a deterministic policy are told apart by their bits.
struct State {
  Word largest;  // the bits of the largest |score|
  Word failed;
  Word smallest;        // and of the smallest
  Word smallest_above;  // that is not 0
  Word every;           // all bits that any score has
  double low, scale;
  Word shift;   // bits of scores that positions do not have,
  Word exact;   // and whether no score has any
  Word prefix;  // of the position of the k-th point, as far as it is known
  Word below;   // points with a smaller one
};
static_assert(sizeof(State) <= sizeof(Word) * kStateWords);

inline State* state_of(std::uint64_t* words) { return reinterpret_cast<State*>(words); }
inline const State* state_of(const std::uint64_t* words) { return reinterpret_cast<const State*>(words); }

__device__ __forceinline__ Word bits_of(double x) {
  Word bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

__device__ __forceinline__ double number_of(Word bits) {
  double x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

__device__ __forceinline__ point::ExponentialKey key_of(const Draw& draw, double score, std::int64_t place) {
  if (!point::is_random(draw.policy)) return point::policy_key(draw.policy, 0, score);
  const auto index = static_cast<std::uint64_t>(draw.first_index + place);
  const point::Words4 drawn = point::stream_block(index / 4, draw.key[0], draw.key[1]);
  const unsigned word = static_cast<unsigned>(index & 3U);  // no array in local memory
  return point::policy_key(
      draw.policy, word < 2 ? (word == 0 ? drawn.word[0] : drawn.word[1]) : (word == 2 ? drawn.word[2] : drawn.word[3]),
      score);
}

// 0 ... last; also of a NaN.
__device__ __forceinline__ std::uint32_t on_line(double x, double scale, std::uint32_t last) {
  const double at = x * scale;
  return at > 0.0 ? (at < static_cast<double>(last) ? static_cast<std::uint32_t>(at) : last) : 0U;
}

constexpr double kLeastLogE = -36.8;  // log E of exponential_key.hpp is between them
constexpr double kMostLogE = 3.7;
constexpr std::uint32_t kQuarter = 1U << 30;

__device__ __forceinline__ std::uint32_t position_of(const Draw& draw, const State& state,
                                                     const point::ExponentialKey& key) {
  if (!point::is_random(draw.policy)) {
    const Word bits = bits_of(point::absolute(key.high));
    const Word rank = bits == 0 ? 0 : ((bits - state.smallest_above) >> state.shift) + 1;
    const std::uint32_t position = rank < kLastPosition ? static_cast<std::uint32_t>(rank) : kLastPosition;
    return draw.policy == Policy::largest_first ? kLastPosition - position : position;
  }
  if (key.high - key.high == 0.0) return kQuarter + on_line(key.high - state.low, state.scale, 2 * kQuarter - 1);
  const std::uint32_t first = key.high > 0.0 ? 3 * kQuarter : 0;
  return first + on_line(key.low - kLeastLogE, (kQuarter - 2) / (kMostLogE - kLeastLogE), kQuarter - 2);
}

// f(scores as what they are).
template <typename F>
void by_precision(const Scores& scores, const F& f) {
  if (scores.dtype == Dtype::float32) {
    f(static_cast<const float*>(scores.data));
  } else if (scores.dtype == Dtype::float64) {
    f(static_cast<const double*>(scores.data));
  } else {
    throw std::invalid_argument("scores: expected float32 or float64");
  }
}

}  // namespace augcore::cuda
