// The natural logarithm with the same bits on every machine, CPU or GPU: library versions differ in the last bit from
// one processor to the next, and an order of random keys must not. Within 1 ulp of the true value.
#pragma once

#include <cstdint>
#include <cstring>

#include "augcore/point/macros.hpp"

namespace augcore::point {

// x = 2^e m with m in [sqrt(1/2), sqrt(2)). With f = m - 1 (exact) and s = f / (2 + f), log m = 2 atanh(s); as
// 2 s = f - s f, that is f - s (f - r) with r = 2 s^2 / 3 + 2 s^4 / 5 + ..., cut where s < 0.172 leaves under 2^-60.
AUGCORE_POINT double stable_log(double x) {
  constexpr double kLn2High = 0x1.62e42fefa0000p-1;  // ln 2 without its last bits, so that e times it is exact
  constexpr double kLn2Low = 0x1.cf79abc9e3b3ap-40;
  constexpr double kInfinity = __builtin_huge_val();  // std::numeric_limits is for the host alone
  if (!(x > 0.0)) return x == 0.0 ? -kInfinity : __builtin_nan("");
  if (x == kInfinity) return x;
  int e = 0;
  if (x < 0x1p-1022) {
    x *= 0x1p54;
    e = -54;
  }
  std::uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  e += static_cast<int>(bits >> 52) - 1023;
  bits = (bits & 0x000FFFFFFFFFFFFFu) | 0x3FF0000000000000u;
  double m;
  std::memcpy(&m, &bits, sizeof m);
  if (m > 0x1.6a09e667f3bcdp+0) {
    m *= 0.5;
    e += 1;
  }
  const double f = m - 1.0;
  const double s = f / (2.0 + f);
  const double z = s * s;
  double r = 2.0 / 21.0;
  r = r * z + 2.0 / 19.0;
  r = r * z + 2.0 / 17.0;
  r = r * z + 2.0 / 15.0;
  r = r * z + 2.0 / 13.0;
  r = r * z + 2.0 / 11.0;
  r = r * z + 2.0 / 9.0;
  r = r * z + 2.0 / 7.0;
  r = r * z + 2.0 / 5.0;
  r = r * z + 2.0 / 3.0;
  r *= z;
  return e * kLn2High + (f - (s * (f - r) - e * kLn2Low));
}

}  // namespace augcore::point
