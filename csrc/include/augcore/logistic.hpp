// Binary logistic regression: sums over samples, and values of each sample.
#pragma once

#include <cstdint>
#include <vector>

#include "augcore/api.hpp"
#include "augcore/design.hpp"
#include "augcore/tree_sum.hpp"

namespace augcore {

// sum_i f_i x_i', for b numbers f_i of each sample, fed block by block: the same bits for any blocks and any number of
// threads. See tree_sum.hpp.
class AUGCORE_API RowSums : public TiledSums {
 public:
  // rows_of_tile: kTileRows times a power of two, where other sums are to share the tiles.
  RowSums(std::int64_t p, bool intercept, std::int64_t b, std::int64_t first_row = 0,
          std::int64_t rows_of_tile = kTileRows);

  // The next n samples: x (n x p) of float or double, factors (n x b).
  template <typename T>
  void add(const T* x, const double* factors, std::int64_t n, int threads);

  // The next n samples, with their weighted residuals at coef (q) for factors; eta (n) is their linear predictor. y
  // holds 0 and 1; weight may be null (all ones).
  template <typename T>
  void add_residuals(const T* x, const double* coef, const double* y, const double* weight, std::int64_t n, double* eta,
                     int threads);

  // The sums of the rows after the last whole tile, empty where there are none.
  const std::vector<double>& open() const { return tile_; }

  // out: b x q.
  void total(double* out) const;

 private:
  template <typename F>
  void add_tiles(std::int64_t n, int threads, const F& f);

  std::int64_t p_;
  std::int64_t q_;
  std::int64_t b_;
};

// eta (n x b) = the design times each of b vectors coef (b x q)
AUGCORE_API void linear_predictor(const Design& rows, const double* coef, std::int64_t b, double* eta, int threads);

// sum (b x q) = factors' (n x b) times the design
AUGCORE_API void sum_of_rows(const Design& rows, const double* factors, std::int64_t b, double* sum, int threads);

// One pass over the samples: eta, and sum (q), the gradient of the weighted log loss. weight (n) may be null (all
// ones).
AUGCORE_API void gradient(const Design& rows, const double* coef, const double* y, const double* weight, double* eta,
                          double* sum, int threads);

// Values of each sample; y holds 0 or 1. See point/logistic.hpp.
AUGCORE_API void log_loss(const double* eta, const double* y, std::int64_t n, double* out, int threads);
AUGCORE_API void residual(const double* eta, const double* y, std::int64_t n, double* out, int threads);
AUGCORE_API void curvature(const double* eta, std::int64_t n, double* out, int threads);

// Leave-one-out values of each sample, given q[i] = x_i' H^-1 x_i; weight may be null (all ones).
AUGCORE_API void loo_influence(const double* eta, const double* y, const double* weight, const double* q,
                               std::int64_t n, double* out, int threads);
AUGCORE_API void loo_loss_change(const double* eta, const double* y, const double* weight, const double* q,
                                 std::int64_t n, double* out, int threads);

}  // namespace augcore
