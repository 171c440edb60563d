// Which points of an order are taken where there is not room for all.
#pragma once

#include <cstdint>

#include "augcore/api.hpp"

namespace augcore {

// out[0 ... k - 1] = the first item of every group in turn, then the second of every group, ...: each group gives its
// items in the order of `order` (n indices into codes, which has n_codes), as many as limits says; one that has given
// them, or has no more, is passed over. Returns how many were taken, at most k. codes are in 0 ... n_groups - 1. Throws
// std::invalid_argument for an index or a code out of range.
AUGCORE_API std::int64_t round_robin(const std::int64_t* order, std::int64_t n, const std::int64_t* codes,
                                     std::int64_t n_codes, const std::int64_t* limits, std::int64_t n_groups,
                                     std::int64_t k, std::int64_t* out);

// out = the items 0 ... n - 1 in turn, each unless it costs more than is left of the budget, which is kept to twice the
// precision of double. Returns how many. Costs are finite and not negative.
AUGCORE_API std::int64_t within_budget(const double* costs, std::int64_t n, double budget, std::int64_t* out);

}  // namespace augcore
