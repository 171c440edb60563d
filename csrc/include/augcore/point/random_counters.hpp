// What the words of a counter stand for beside an index: see keyed_words in augcore/sampling.hpp.
#pragma once

#include <cstdint>

namespace augcore::counters {

// The last word says what draws are for, as in python/augcore/_random.py: so draws with one key do not meet.
constexpr std::uint64_t kDpp = 3;

// The word before it, of a determinantal point process: the counter is (what is counted, draw, one of these, kDpp).
enum : std::uint64_t { kEigenvalues, kItems, kComplement };

}  // namespace augcore::counters
