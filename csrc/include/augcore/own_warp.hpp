// Warps by maps of the caller's own: a function of the pixel, or a table of positions.
#pragma once

#include <cstdint>

#include "augcore/api.hpp"
#include "augcore/image.hpp"
#include "augcore/warp.hpp"

namespace augcore {

// Writes the source position (x, y) of the destination pixel (x, y) to source[0] and source[1]. 0: something went
// wrong. It is called from many threads at once, and must not throw.
using WarpFunction = int (*)(double x, double y, const double* params, std::int64_t n_params, double* source);

// What a function gets: one row of n_columns numbers for each n / n_rows neighbours of a batch of n images.
struct WarpParams {
  const double* values;
  std::int64_t n_rows;
  std::int64_t n_columns;
};

// A call of a function that went wrong; row is that of the parameters.
struct WarpFailure {
  std::int64_t row;
  std::int64_t x;
  std::int64_t y;
};

// False, and what is in `out` has no meaning, when the function failed at *failure.
AUGCORE_API bool warp_by_function(const Images& in, WarpFunction function, const WarpParams& params,
                                  const Sampling& sampling, const OutputImages& out, WarpFailure* failure, int threads);

// positions: out.h x out.w x 2 (x, y), for all images.
AUGCORE_API void warp_by_positions(const Images& in, const double* positions, const Sampling& sampling,
                                   const OutputImages& out, int threads);

}  // namespace augcore
