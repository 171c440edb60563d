// Binary logistic regression at one sample: eta = x'coef + intercept, y is 0 or 1, p = 1 / (1 + exp(-eta)).
//
// Everything is written in the signed margin m = (2y - 1) eta and exp(-|m|), which neither overflows nor cancels: the
// residual of a sample that is wrong by a margin of 40 is 1 - 4e-18, and of one that is right by 40 is 4e-18.
#pragma once

#include <cmath>

#include "augcore/point/macros.hpp"

namespace augcore::point {

AUGCORE_POINT double signed_margin(double eta, double y) { return y > 0.5 ? eta : -eta; }

// -log p(y) = log(1 + exp(-m))
AUGCORE_POINT double log_loss(double eta, double y) {
  const double m = signed_margin(eta, y);
  return (m < 0.0 ? -m : 0.0) + std::log1p(std::exp(-std::fabs(m)));
}

// p - y, the derivative of the loss in eta
AUGCORE_POINT double residual(double eta, double y) {
  const double m = signed_margin(eta, y);
  const double e = std::exp(-std::fabs(m));
  const double wrong = (m < 0.0 ? 1.0 : e) / (1.0 + e);
  return y > 0.5 ? -wrong : wrong;
}

// p (1 - p), the second derivative of the loss in eta
AUGCORE_POINT double curvature(double eta) {
  const double e = std::exp(-std::fabs(eta));
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
