// The cosine and the sine of an angle in degrees: exact for multiples of 90, else those of the mathematical library.
#pragma once

#include <cmath>

#include "augcore/point/macros.hpp"

namespace augcore::point {

AUGCORE_POINT void cos_sin(double degrees, double* cosine, double* sine) {
  constexpr double kRadians = 3.14159265358979323846 / 180.0;
  const double turn = std::fmod(degrees, 360.0);
  if (std::fmod(turn, 90.0) == 0.0) {
    const int quarters = (static_cast<int>(turn / 90.0) + 4) % 4;
    *sine = quarters == 1 ? 1.0 : quarters == 3 ? -1.0 : 0.0;
    *cosine = quarters == 0 ? 1.0 : quarters == 2 ? -1.0 : 0.0;
  } else {
    *cosine = std::cos(turn * kRadians);
    *sine = std::sin(turn * kRadians);
  }
}

}  // namespace augcore::point
