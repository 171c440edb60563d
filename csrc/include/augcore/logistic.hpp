// Binary logistic regression: sums over samples, and values of each sample.
//
// The design matrix has rows (x_i, 1), the one being there with an intercept: q = p + 1 columns with it, p without.
#pragma once

#include <cstdint>
#include <vector>

#include "augcore/api.hpp"
#include "augcore/dtype.hpp"
#include "augcore/tree_sum.hpp"

namespace augcore {

struct Design {
  const void* data;  // n x p, row-major
  Dtype dtype;       // float32 or float64
  std::int64_t n;
  std::int64_t p;
  bool intercept;

  std::int64_t q() const { return p + (intercept ? 1 : 0); }
};

// Sums over samples of the weighted log loss, its gradient and its Hessian at given coefficients, fed block by block:
// the same bits for any blocks and any number of threads.
class AUGCORE_API LogisticSums {
 public:
  // order 0: the loss; 1: and the gradient; 2: and the Hessian. coef: q values, the intercept last.
  LogisticSums(std::int64_t p, bool intercept, int order, const double* coef);

  // The next n samples: x (n x p) of float or double, y (n) of 0 and 1, weight (n) or null (all ones).
  template <typename T>
  void add(const T* x, const double* y, const double* weight, std::int64_t n, int threads);

  // loss: 1 value; gradient: q; hessian: q x q, symmetric. What is beyond the order may be null.
  void total(double* loss, double* gradient, double* hessian, int threads) const;

 private:
  // A node of the tree: 2^level tiles from tile `first` of a block on, and their sums: loss, gradient, Hessian.
  struct Node {
    std::int64_t first;
    int level;
    std::vector<double> sums;
  };

  template <typename T>
  void sum_nodes(const T* x, const double* y, const double* weight, std::int64_t n, std::vector<Node>& nodes,
                 int threads) const;
  template <typename T>
  void add_whole_tiles(const T* x, const double* y, const double* weight, std::int64_t n_tiles, int threads);

  std::int64_t p_;
  std::int64_t q_;
  int order_;
  std::int64_t width_;  // of one set of sums: loss, gradient, Hessian
  std::vector<double> coef_;
  std::int64_t n_tiles_ = 0;
  TreeSum tree_;
  // The rows since the last whole tile.
  std::vector<double> ragged_x_;
  std::vector<double> ragged_y_;
  std::vector<double> ragged_weight_;
};

// eta (n) = X coef + intercept
AUGCORE_API void linear_predictor(const Design& rows, const double* coef, double* eta, int threads);

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
