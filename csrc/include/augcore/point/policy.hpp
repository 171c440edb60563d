// The sort key of one point under a policy: points are taken in the order of rising keys, equal keys by index.
#pragma once

#include <cstdint>

#include "augcore/point/exponential_key.hpp"
#include "augcore/point/macros.hpp"

namespace augcore {

enum class Policy : int {
  uniform,
  proportional,          // weight |score|
  inverse_proportional,  // 1 / |score|
  softmax,               // exp |score|
  inverse_softmax,       // exp -|score|
  log_weights,           // scores are logarithms of weights, of either sign, also infinite
  largest_first,         // |score|; these two draw nothing
  smallest_first,
};

}  // namespace augcore

namespace augcore::point {

AUGCORE_POINT constexpr bool is_random(Policy policy) { return policy < Policy::largest_first; }

AUGCORE_POINT double absolute(double x) { return x <= 0.0 ? 0.0 - x : x; }

AUGCORE_POINT double log_weight(Policy policy, double score) {
  switch (policy) {
    case Policy::proportional:
      return stable_log(absolute(score));
    case Policy::inverse_proportional:
      return -stable_log(absolute(score));
    case Policy::softmax:
      return absolute(score);
    case Policy::inverse_softmax:
      return -absolute(score);
    case Policy::log_weights:
      return score;
    default:
      return 0.0;
  }
}

// word: of the stream of random words, at the index of the point.
AUGCORE_POINT ExponentialKey policy_key(Policy policy, std::uint64_t word, double score) {
  if (policy == Policy::largest_first) return {-absolute(score), 0.0};
  if (policy == Policy::smallest_first) return {absolute(score), 0.0};
  return exponential_key(unit_interval(word), log_weight(policy, score));
}

}  // namespace augcore::point
