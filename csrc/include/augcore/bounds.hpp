// Whether numbers are in a range: what input is asked before anything is computed from it.
#pragma once

#include <cstdint>

#include "augcore/api.hpp"

namespace augcore {

// Whether |x[i]| <= bound for all of x (n), and none is NaN. In one pass, on one thread.
AUGCORE_API bool within(const float* x, std::int64_t n, double bound);
AUGCORE_API bool within(const double* x, std::int64_t n, double bound);

}  // namespace augcore
