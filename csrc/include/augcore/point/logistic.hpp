// Binary logistic regression at one sample: eta = x'coef + intercept, y is 0 or 1, p = 1 / (1 + exp(-eta)).
//
// Everything is written in the signed margin m = (2y - 1) eta and exp(-|m|), which neither overflows nor cancels: the
// residual of a sample that is wrong by a margin of 40 is 1 - 4e-18, and of one that is right by 40 is 4e-18.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "augcore/point/macros.hpp"

namespace augcore::point {

AUGCORE_POINT double signed_margin(double eta, double y) { return y > 0.5 ? eta : -eta; }

// 2^-n for n below 1023
AUGCORE_POINT double power_of_half(std::uint64_t n) {
  const std::uint64_t bits = (1023 - n) << 52;
  double power;
  std::memcpy(&power, &bits, sizeof(power));
  return power;
}

// exp(-a) for a >= 0, to an ulp, by operations that compilers put into vector lanes and that every instruction set
// rounds alike. a = k ln 2 - r, where ln 2 is in two parts of which k times the first is exact; exp(r) by its series;
// 2^-k in two factors, as it may be below the least normal number.
AUGCORE_POINT double exp_minus(double a) {
  constexpr double kRound = 6755399441055744.0;  // 1.5 * 2^52: the last bits of a sum with it are a whole number
  a = a > 746.0 ? 746.0 : a;                     // where the result is 0
  const double shifted = a * 1.4426950408889634 + kRound;
  const double k = shifted - kRound;
  const double r = (k * 6.93147180369123816490e-01 - a) + k * 1.90821492927058770002e-10;
  double sum = 1.0 / 6227020800;
  sum = sum * r + 1.0 / 479001600;
  sum = sum * r + 1.0 / 39916800;
  sum = sum * r + 1.0 / 3628800;
  sum = sum * r + 1.0 / 362880;
  sum = sum * r + 1.0 / 40320;
  sum = sum * r + 1.0 / 5040;
  sum = sum * r + 1.0 / 720;
  sum = sum * r + 1.0 / 120;
  sum = sum * r + 1.0 / 24;
  sum = sum * r + 1.0 / 6;
  sum = sum * r + 0.5;
  sum = sum * r + 1.0;
  sum = sum * r + 1.0;
  std::uint64_t bits;
  std::memcpy(&bits, &shifted, sizeof(bits));
  const std::uint64_t power = bits & 0xfff, half = power >> 1;
  return sum * power_of_half(half) * power_of_half(power - half);
}

// -log p(y) = log(1 + exp(-m))
AUGCORE_POINT double log_loss(double eta, double y) {
  const double m = signed_margin(eta, y);
  return (m < 0.0 ? -m : 0.0) + std::log1p(exp_minus(std::fabs(m)));
}

// p - y, the derivative of the loss in eta
AUGCORE_POINT double residual(double eta, double y) {
  const double m = signed_margin(eta, y);
  const double e = exp_minus(std::fabs(m));
  const double wrong = (m < 0.0 ? 1.0 : e) / (1.0 + e);
  return y > 0.5 ? -wrong : wrong;
}

// p (1 - p), the second derivative of the loss in eta
AUGCORE_POINT double curvature(double eta) {
  const double e = exp_minus(std::fabs(eta));
  return e / ((1.0 + e) * (1.0 + e));
}

// -w g' H^-1 g with g = r x, where q = x' H^-1 x: leave-one-out influence.
AUGCORE_POINT double loo_influence(double r, double w, double q) { return -(w * (r * r * q)); }

// The rise of the sample's own loss when it is removed, by one Newton step (ALO): the loss at eta + w r q / (1 - h)
// less the loss at eta, with the leverage h = w p (1 - p) q. Infinite where h reaches 1. The margin m falls by
// d = w |r| q / (1 - h), and log(1 + e^(d - m)) - log(1 + e^-m) = log(1 + |r| (e^d - 1)), where nothing cancels.
AUGCORE_POINT double loo_loss_change(double eta, double y, double w, double q) {
  const double h = w * curvature(eta) * q;
  if (!(h < 1.0)) return INFINITY;
  const double wrong = std::fabs(residual(eta, y));
  const double d = w * wrong * q / (1.0 - h);
  if (d < 700.0) return std::log1p(wrong * std::expm1(d));
  const double m = signed_margin(eta, y);
  return log_loss(m - d, 1.0) - log_loss(m, 1.0);
}

}  // namespace augcore::point
