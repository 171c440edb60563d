#include "augcore/angles.hpp"

#include <cmath>

namespace augcore {

void cos_sin(const double* degrees, std::int64_t n, double* cosine, double* sine) {
  constexpr double kRadians = 3.14159265358979323846 / 180.0;
  constexpr double kQuarters[] = {0.0, 1.0, 0.0, -1.0};  // sines of multiples of 90
  for (std::int64_t i = 0; i < n; ++i) {
    const double turn = std::fmod(degrees[i], 360.0);
    if (std::fmod(turn, 90.0) == 0.0) {
      const int k = static_cast<int>(turn / 90.0) + 4;
      sine[i] = kQuarters[k % 4];
      cosine[i] = kQuarters[(k + 1) % 4];
    } else {
      cosine[i] = std::cos(turn * kRadians);
      sine[i] = std::sin(turn * kRadians);
    }
  }
}

}  // namespace augcore
