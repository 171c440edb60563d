// Elementary symmetric polynomials e_j of eigenvalues, by the ratios r_j = e_j / e_(j-1): the numbers themselves leave
// the range of a double long before a kernel is large.
//
// One more eigenvalue x makes e_j + x e_(j-1) of e_j, a sum of two terms that are not negative. Over e_(j-1) + x
// e_(j-2) that is r_(j-1) (r_j + x) / (r_(j-1) + x). Nothing cancels; and as r_j <= r_(j-1), the quotient is at most 1,
// so what is computed stays between the smallest eigenvalue over their number and their sum.
//
// Of the sets of j eigenvalues, weighted by their products, those that have x in them are x e_(j-1) / (e_j + x e_(j-1))
// (Kulesza and Taskar, "Determinantal point processes for machine learning", 2012, section 5.2).
#pragma once

#include "augcore/point/macros.hpp"

namespace augcore::point {

// r_j with the eigenvalue x, from r_(j-1) and r_j without it; j >= 2, x > 0.
AUGCORE_POINT double next_ratio(double before, double ratio, double x) { return before * ((ratio + x) / (before + x)); }

// The probability that x is among j of the eigenvalues, from r_j of the others.
AUGCORE_POINT double chosen_probability(double ratio, double x) { return x / (x + ratio); }

}  // namespace augcore::point
