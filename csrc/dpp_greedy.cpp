// Greedy choice by an incremental Cholesky factor (Chen, Zhang and Zhou, "Fast greedy MAP inference for determinantal
// point processes to improve recommendation diversity", 2018). What is left of the variance of an item never rises, so
// an old value bounds the new one, and an item is brought up to date only when its bound is the largest.
#include <algorithm>
#include <cmath>
#include <memory>
#include <stdexcept>
#include <vector>

#include "augcore/dpp.hpp"
#include "augcore/threads.hpp"
#include "simd/levels.hpp"

namespace augcore {
namespace {

using index = std::int64_t;

double dot(const double* x, const double* y, index n) { return simd::kernels().linalg.dot_f64(x, y, n); }

double variance(const PointKernel& kernel, index i) {
  if (kernel.matrix != nullptr) return kernel.matrix[i * kernel.n + i];
  const double* row = kernel.rows + i * kernel.p;
  return dot(row, row, kernel.p) + kernel.jitter;
}

// Of two different items.
double covariance(const PointKernel& kernel, index i, index j) {
  if (kernel.matrix != nullptr) return kernel.matrix[i * kernel.n + j];
  return dot(kernel.rows + i * kernel.p, kernel.rows + j * kernel.p, kernel.p);
}

struct Bound {
  double value;
  index item;

  // The heap has its largest element on top: of equal values that of the first item.
  bool operator<(const Bound& other) const { return value != other.value ? value < other.value : item > other.item; }
};

class GreedyChoice {
 public:
  GreedyChoice(const PointKernel& kernel, index k, double tolerance)
      : kernel_(kernel), k_(k), tolerance_(tolerance), variances_(kernel.n), known_(kernel.n, 0) {
    factor_.reset(new double[static_cast<std::size_t>(kernel.n * k)]);  // untouched where an item is never looked at
    for (index i = 0; i < kernel.n; ++i) {
      variances_[i] = variance(kernel, i);
      offer({variances_[i], i});
    }
  }

  index run(index* order) {
    InterruptPoller poller;
    for (index step = 0; step < k_; ++step) {
      while (!heap_.empty() && known_[heap_.front().item] < step) {
        offer(brought_up_to_date(taken_from_heap(), order, step));
        poller.poll();
      }
      if (heap_.empty()) return step;
      const Bound best = taken_from_heap();
      order[step] = best.item;
      roots_.push_back(std::sqrt(best.value));
    }
    return k_;
  }

 private:
  void offer(Bound bound) {
    const double whole = variances_[bound.item];
    bound.value = std::max(bound.value, kernel_.jitter > 0.0 ? kernel_.jitter : bound.value);
    if (bound.value < -std::sqrt(tolerance_) * std::fabs(whole)) {
      throw std::invalid_argument("L: is indefinite: a principal minor is negative");
    }
    if (!(bound.value > tolerance_ * whole)) return;
    heap_.push_back(bound);
    std::push_heap(heap_.begin(), heap_.end());
  }

  Bound taken_from_heap() {
    std::pop_heap(heap_.begin(), heap_.end());
    const Bound bound = heap_.back();
    heap_.pop_back();
    return bound;
  }

  // Adds to the item's row of the factor what the items order[0 ... step - 1] are to it.
  Bound brought_up_to_date(Bound bound, const index* order, index step) {
    double* row = factor_.get() + bound.item * k_;
    for (index& s = known_[bound.item]; s < step; ++s) {
      const double* other = factor_.get() + order[s] * k_;
      row[s] = (covariance(kernel_, bound.item, order[s]) - dot(row, other, s)) / roots_[s];
      bound.value -= row[s] * row[s];
    }
    return bound;
  }

  const PointKernel& kernel_;
  const index k_;
  const double tolerance_;
  std::vector<double> variances_;
  std::vector<index> known_;  // of the steps, to each item
  std::unique_ptr<double[]> factor_;
  std::vector<double> roots_;  // what was left of the items taken, square roots
  std::vector<Bound> heap_;
};

}  // namespace

std::int64_t greedy_map(const PointKernel& kernel, std::int64_t k, double tolerance, std::int64_t* order) {
  if (k < 0 || k > kernel.n) throw std::invalid_argument("k: must be between 0 and the number of items");
  if (k == 0) return 0;
  return GreedyChoice(kernel, k, tolerance).run(order);
}

}  // namespace augcore
