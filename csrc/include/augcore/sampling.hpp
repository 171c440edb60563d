// Orders of points under a policy, weighted sampling without replacement by exponential keys among them: see
// point/policy.hpp and point/exponential_key.hpp.
//
// All randomness is a function of a 128-bit key (two words) and the index of an item, so results are the same bits for
// any number of threads, any split into blocks and any machine.
#pragma once

#include <cstdint>

#include "augcore/api.hpp"
#include "augcore/point/policy.hpp"

namespace augcore {

// out[i] = u of item first_index + i, in (0, 1): word first_index + i of numpy.random.Philox(key=key), see
// point::unit_interval.
AUGCORE_API void uniforms(const std::uint64_t* key, std::int64_t first_index, std::int64_t n, double* out, int threads);

// out[i] = the first word of Philox for the counter (indices[i], counter[0], counter[1], counter[2]). The stream above
// has a counter that ends in 0; a purpose of its own ends in another word.
AUGCORE_API void keyed_words(const std::uint64_t* key, const std::int64_t* indices, std::int64_t n,
                             const std::uint64_t* counter, std::uint64_t* out, int threads);

// out[i] = log |values[i]|, -inf for 0; NaN stays NaN.
AUGCORE_API void log_magnitudes(const double* values, std::int64_t n, double* out, int threads);

// point::policy_key of items first_index ... first_index + n - 1. Throws std::invalid_argument for a NaN, or an
// infinity that is no log weight.
AUGCORE_API void policy_keys(Policy policy, const float* scores, std::int64_t n, const std::uint64_t* key,
                             std::int64_t first_index, double* high, double* low, int threads);
AUGCORE_API void policy_keys(Policy policy, const double* scores, std::int64_t n, const std::uint64_t* key,
                             std::int64_t first_index, double* high, double* low, int threads);

// order[0 ... k - 1] = the items 0 ... n - 1 with the k smallest keys, smallest first: the first k of the order of all.
// Items of equal keys stand in the order of their index. Throws as policy_keys, and for a k not in 0 ... n.
AUGCORE_API void policy_order(Policy policy, const float* scores, std::int64_t n, const std::uint64_t* key,
                              std::int64_t k, std::int64_t* order, int threads);
AUGCORE_API void policy_order(Policy policy, const double* scores, std::int64_t n, const std::uint64_t* key,
                              std::int64_t k, std::int64_t* order, int threads);

}  // namespace augcore
