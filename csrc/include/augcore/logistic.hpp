// Binary logistic regression: sums over samples, and values of each sample.
#pragma once

#include <cstdint>
#include <vector>

#include "augcore/api.hpp"
#include "augcore/design.hpp"
#include "augcore/gram.hpp"
#include "augcore/tree_sum.hpp"

namespace augcore {

// Sums over samples of the weighted log loss, its gradient and its Hessian at given coefficients, fed block by block:
// the same bits for any blocks and any number of threads.
class AUGCORE_API LogisticSums {
 public:
  // order 0: the loss; 1: and the gradient; 2: and the Hessian, in single precision if that is wanted (see gram.hpp).
  // coef: q values, the intercept last.
  LogisticSums(std::int64_t p, bool intercept, int order, const double* coef, bool single = false);

  // The next n samples: x (n x p) of float or double, y (n) of 0 and 1, weight (n) or null (all ones).
  template <typename T>
  void add(const T* x, const double* y, const double* weight, std::int64_t n, int threads);

  // loss: 1 value; gradient: q; hessian: q x q, symmetric. What is beyond the order may be null.
  void total(double* loss, double* gradient, double* hessian, int threads) const;

 private:
  std::int64_t p_;
  std::int64_t q_;
  int order_;
  std::int64_t width_;  // of one tile's sums of loss and gradient
  std::vector<double> coef_;
  std::vector<double> tile_;  // the sums of the open tile
  std::int64_t tile_rows_ = 0;
  TreeSum tree_;
  GramSums hessian_;
};

// eta (n x b) = the design times each of b vectors coef (b x q)
AUGCORE_API void linear_predictor(const Design& rows, const double* coef, std::int64_t b, double* eta, int threads);

// sum (b x q) = factors' (n x b) times the design
AUGCORE_API void sum_of_rows(const Design& rows, const double* factors, std::int64_t b, double* sum, int threads);

// One pass over the samples: eta, and sum (q), the gradient of the weighted log loss that LogisticSums gives. weight
// (n) may be null (all ones).
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
