// A point with its key.
#pragma once

#include <cstdint>

namespace augcore {

// Items are in the order of (high, low, index): a strict total order where indices differ. No number is NaN.
struct Item {
  double high;
  double low;
  std::int64_t index;

  bool operator<(const Item& other) const {
    if (high == other.high) return low != other.low ? low < other.low : index < other.index;
    return high < other.high;
  }
};

}  // namespace augcore
