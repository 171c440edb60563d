// A design matrix: rows (x_i, 1), the one being there with an intercept: q = p + 1 columns with it, p without.
#pragma once

#include <cstdint>

#include "augcore/dtype.hpp"

namespace augcore {

struct Design {
  const void* data;  // n x p, row-major
  Dtype dtype;       // float32 or float64
  std::int64_t n;
  std::int64_t p;
  bool intercept;

  std::int64_t q() const { return p + (intercept ? 1 : 0); }
};

// Calls f with the design's elements as a pointer of their type.
template <typename F>
void with_elements(const Design& rows, const F& f) {
  if (rows.dtype == Dtype::float32) {
    f(static_cast<const float*>(rows.data));
  } else {
    f(static_cast<const double*>(rows.data));
  }
}

}  // namespace augcore
