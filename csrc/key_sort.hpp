// Sorts items by random keys: of doubles that are spread over a range, nearly all of them different.
#pragma once

#include <cstdint>
#include <vector>

#include "augcore/item.hpp"

namespace augcore {

// What is sorted: items at the places 0 ... n - 1.
class Items {
 public:
  virtual ~Items() = default;

  // out[i - first] = a number for each place in [first, last), never NaN: an item with a smaller one comes first. May
  // be called by several threads at once.
  virtual void leading(std::int64_t first, std::int64_t last, double* out) const = 0;

  // Items of equal numbers are compared as these.
  virtual Item at(std::int64_t place) const = 0;
};

// order[0 ... k - 1] = the places of the k smallest of n items, in order. n < 2^32.
void sort_keys(const Items& items, std::int64_t n, std::int64_t k, std::int64_t* order, int threads);

// The k smallest of the items, in order.
std::vector<Item> smallest_items(const std::vector<Item>& items, std::int64_t k, int threads);

}  // namespace augcore
