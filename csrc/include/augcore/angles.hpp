// Cosines and sines of angles in degrees.
#pragma once

#include <cstdint>

#include "augcore/api.hpp"

namespace augcore {

// Multiples of 90 are exact. All others are those of the C library: vectorised versions differ in the last bit between
// processors.
AUGCORE_API void cos_sin(const double* degrees, std::int64_t n, double* cosine, double* sine);

}  // namespace augcore
