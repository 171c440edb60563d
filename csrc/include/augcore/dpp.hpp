// Determinantal point processes of a fixed size k: a set S of k of n items has probability det L_S / e_k(eigenvalues).
//
// A draw chooses k eigenvectors of L and then a set of the projection onto them (Kulesza and Taskar, "Determinantal
// point processes for machine learning", 2012, algorithms 1 and 8). All randomness is a function of a 128-bit key and
// the number of the draw, so a draw does not depend on threads or on what is drawn beside it.
#pragma once

#include <cstdint>

#include "augcore/api.hpp"

namespace augcore {

// L = V diag(eigenvalues) V' + rest (I - V V').
struct SpectralKernel {
  std::int64_t n;
  std::int64_t r;
  const double* vectors;      // V (n x r): orthonormal columns
  const double* eigenvalues;  // r, all above 0
  double rest;                // the eigenvalue of all that is orthogonal to V; 0 where L has rank r
  const double* leverage;     // n: sums of the squared rows of V up to and with each
  const double* reflector;    // W (n x r), where rest > 0: the last n - r columns of I - W W' are orthogonal to V

  std::int64_t rank() const { return rest > 0.0 ? n : r; }
};

// ratios ((r + 1) x k): e_j / e_(j-1) of the complement's eigenvalues and the first m others, j = 1 ... k, in row m.
// See point/elementary.hpp. Reads n, r, eigenvalues and rest of the kernel.
AUGCORE_API void elementary_ratios(const SpectralKernel& kernel, std::int64_t k, double* ratios);

// The k eigenvectors of a draw, in rising order: those below r are columns of V, the others columns of I - W W'. Reads
// n, r, eigenvalues and rest of the kernel.
AUGCORE_API void chosen_columns(const SpectralKernel& kernel, const double* ratios, std::int64_t columns,
                                std::int64_t k, const std::uint64_t* key, std::int64_t draw, std::int64_t* out);

// Row i of out (draws x k): the set of draw first_draw + i, in rising order. `ratios` has at least k columns. Throws
// std::invalid_argument where k is above the rank or the columns of V are not independent.
AUGCORE_API void k_dpp(const SpectralKernel& kernel, const double* ratios, std::int64_t columns, std::int64_t k,
                       const std::uint64_t* key, std::int64_t first_draw, std::int64_t draws, std::int64_t* out,
                       int threads);

// What a greedy choice asks of a kernel: L (n x n), or L = B B' + jitter I by B (n x p).
struct PointKernel {
  std::int64_t n;
  const double* matrix;  // L, or null
  const double* rows;    // B, where L is null
  std::int64_t p;
  double jitter;
};

// order[0 ... k - 1]: each next item is the one that makes det L_S largest, of equal ones the first. Items that are
// dependent on the chosen ones (what is left of their variance is at most `tolerance` of it) are not taken; returns how
// many there are, k or fewer. Throws std::invalid_argument for a variance that is far below zero.
AUGCORE_API std::int64_t greedy_map(const PointKernel& kernel, std::int64_t k, double tolerance, std::int64_t* order);

}  // namespace augcore
