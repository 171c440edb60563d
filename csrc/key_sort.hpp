// Sorts items by random keys: of doubles that are spread over a range, nearly all of them different.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "augcore/item.hpp"

namespace augcore {

// Numbers that tell the order of items: those that differ by `tolerance` or more are in it. Above `split` begins a part
// that may be far from the rest.
struct Line {
  double tolerance = 0.0;
  double split = std::numeric_limits<double>::infinity();
};

// What is sorted: items at the places 0 ... n - 1.
class Items {
 public:
  virtual ~Items() = default;

  // out[i - first] = the number, never NaN, of each place in [first, last). May be called by several threads at once.
  virtual void numbers(std::int64_t first, std::int64_t last, double* out) const = 0;
  virtual Line line() const { return {}; }

  // What items are compared as where numbers do not tell.
  virtual Item at(std::int64_t place) const = 0;
};

// order[0 ... k - 1] = the places of the k smallest of n items, in order. n < 2^32; k == n where there is a tolerance.
void sort_keys(const Items& items, std::int64_t n, std::int64_t k, std::int64_t* order, int threads);

// The k smallest of the items, in order.
std::vector<Item> smallest_items(const std::vector<Item>& items, std::int64_t k, int threads);

}  // namespace augcore
