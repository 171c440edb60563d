// Proposals of items for the projections of csrc/projection_draw.hpp, whose rows are in device memory.
#pragma once

#include <cstdint>

#include "augcore/cuda/stream.hpp"

namespace augcore::cuda {

// Items with probability proportional to their bounds, of which sums (n) has those up to and with each: items[i] is
// that of the proposal `first + i` of a draw, n where a sum was rounded, and limits[i] a uniform part of its bound. All
// pointers but that of the key, two words, are to device memory.
AUGCORE_CUDA_API void propose(const double* sums, std::int64_t n, const std::uint64_t* key, std::int64_t draw,
                              std::int64_t first, std::int64_t count, std::int64_t* items, double* limits,
                              Stream stream);

}  // namespace augcore::cuda
