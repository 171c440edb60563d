// The Cholesky factor of a Hessian, and what is done with it.
#pragma once

#include <cstdint>

#include "augcore/api.hpp"
#include "augcore/design.hpp"

namespace augcore {

// Replaces the symmetric a (q x q, row-major; the lower triangle is read) by L with a = L L', zeros above the diagonal.
// Returns -1, or the first column whose pivot is not above q eps times its diagonal element: the matrix is singular to
// working precision whatever its scaling, and a is then partly overwritten.
AUGCORE_API std::int64_t cholesky(double* a, std::int64_t q, int threads);

// b (q) := (L L')^-1 b
AUGCORE_API void cholesky_solve(const double* l, std::int64_t q, double* b);

// b (q x k) := (L L')^-1 b
AUGCORE_API void cholesky_solve_many(const double* l, std::int64_t q, double* b, std::int64_t k, int threads);

// out (q x q) := (L L')^-1, symmetric to the last bit.
AUGCORE_API void cholesky_inverse(const double* l, std::int64_t q, double* out, int threads);

// An estimate of 1 / cond_1(D H D) where H = L L' and D = diag(H)^-1/2, from a few products with L and its inverse; 1
// where q is 0. The scaling takes the units of the features out: what is left is what makes solutions uncertain, about
// eps / reciprocal_condition of them. Both norms are lower bounds by Hager's iteration, as Higham (ACM Trans. Math.
// Softw. 14, 1988, Algorithm 4.1) completes it: each within a factor of 3 but for contrived matrices.
AUGCORE_API double reciprocal_condition(const double* l, std::int64_t q);

// out[i] = x_i' (L L')^-1 x_i for every row (x_i, 1) of the design; in single precision L and x_i are rounded to float
// and solved for in float, and the squares are summed in double.
AUGCORE_API void inverse_quadratic_form(const Design& rows, const double* l, bool single, double* out, int threads);

}  // namespace augcore
