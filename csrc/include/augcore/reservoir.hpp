// The first k points of an order, chosen in one pass and in memory for O(k).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "augcore/api.hpp"
#include "augcore/item.hpp"
#include "augcore/point/policy.hpp"

namespace augcore {

// Keeps the k points of the smallest keys among all that were added, and some more. As soon as there are k, no point
// above the largest key of the best k can be chosen any more; for nearly all points a bound of the key that costs no
// logarithm shows that they are above it. Several threads may call at once: one waits for another.
class AUGCORE_API Reservoir {
 public:
  // Throws std::invalid_argument for a negative k.
  Reservoir(Policy policy, const std::uint64_t* key, std::int64_t k);
  ~Reservoir();

  // Points first_index ... first_index + n - 1. Throws as policy_keys. After an exception the reservoir has seen only
  // some of them: further calls throw std::logic_error.
  void add(const float* scores, std::int64_t n, std::int64_t first_index, int threads);
  void add(const double* scores, std::int64_t n, std::int64_t first_index, int threads);

  // Points with their keys. Throws std::invalid_argument for a NaN or a negative index, and then nothing is added.
  void absorb(const double* high, const double* low, const std::int64_t* indices, std::int64_t n);

  // The chosen points, the smallest key first: k, or all where fewer were added.
  std::vector<Item> chosen(int threads) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace augcore
