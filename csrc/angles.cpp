#include "augcore/angles.hpp"

#include "augcore/point/angles.hpp"

namespace augcore {

void cos_sin(const double* degrees, std::int64_t n, double* cosine, double* sine) {
  for (std::int64_t i = 0; i < n; ++i) point::cos_sin(degrees[i], cosine + i, sine + i);
}

}  // namespace augcore
