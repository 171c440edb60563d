// The sort key of one item in weighted sampling without replacement.
//
// Items in the order of E_i / w_i, E_i independent standard exponentials, are in Plackett-Luce order: each next item is
// drawn with probability w_i over the sum of the weights left (Efraimidis and Spirakis, "Weighted random sampling with
// a reservoir", 2006). Keys are compared as log E_i - log w_i, so weights of any scale neither overflow nor vanish.
#pragma once

#include <cstdint>

#include "augcore/point/log.hpp"
#include "augcore/point/macros.hpp"

namespace augcore::point {

// An odd multiple of 2^-53 in (0, 1), from the upper 52 bits of a random word.
AUGCORE_POINT double unit_interval(std::uint64_t word) { return (static_cast<double>(word >> 12) + 0.5) * 0x1p-52; }

// high + low is log E - log w exactly, high being the rounded value; where log w is infinite, low is log E. So equal
// weights compare by E alone, however large log w is.
struct ExponentialKey {
  double high;
  double low;
};

AUGCORE_POINT ExponentialKey exponential_key(double u, double log_weight) {
  const double log_e = stable_log(-stable_log(u));
  const double high = log_e - log_weight;
  if (log_weight - log_weight != 0.0) return {high, log_e};
  const double part = high - log_e;
  return {high, (log_e - (high - part)) - (log_weight + part)};
}

}  // namespace augcore::point
