#include <cmath>
#include <random>
#include <vector>

#include "augcore/cholesky.hpp"
#include "augcore/gram.hpp"
#include "augcore/logistic.hpp"
#include "augcore/point/logistic.hpp"
#include "augcore/tree_sum.hpp"
#include "tests/check.hpp"

namespace {

using augcore::Design;
using augcore::Dtype;

struct Problem {
  std::int64_t n, p;
  std::vector<double> x, y, weight, coef;

  Problem(std::int64_t rows, std::int64_t columns) : n(rows), p(columns) {
    std::mt19937_64 random(n * 1000 + p);
    std::normal_distribution<double> normal;
    for (std::int64_t i = 0; i < n * p; ++i) x.push_back(normal(random));
    for (std::int64_t i = 0; i < n; ++i) y.push_back(normal(random) > 0 ? 1.0 : 0.0);
    for (std::int64_t i = 0; i < n; ++i) weight.push_back(0.5 + (i % 3));
    for (std::int64_t i = 0; i <= p; ++i) coef.push_back(0.1 * normal(random));
  }
};

struct Sums {
  std::vector<double> gradient, hessian;
  bool operator==(const Sums& other) const { return gradient == other.gradient && hessian == other.hessian; }
};

// The weighted residuals and curvatures of the samples.
struct Values {
  std::vector<double> residual, curvature;

  explicit Values(const Problem& problem) : residual(problem.n), curvature(problem.n) {
    std::vector<double> eta(problem.n);
    const Design rows{problem.x.data(), Dtype::float64, problem.n, problem.p, true};
    augcore::linear_predictor(rows, problem.coef.data(), 1, eta.data(), 1);
    augcore::residual(eta.data(), problem.y.data(), problem.n, residual.data(), 1);
    augcore::curvature(eta.data(), problem.n, curvature.data(), 1);
    for (std::int64_t i = 0; i < problem.n; ++i) {
      residual[i] *= problem.weight[i];
      curvature[i] *= problem.weight[i];
    }
  }
};

// The sums of rows first ... last - 1, added block by block.
template <typename S>
void add_rows(const Problem& problem, const std::vector<double>& factors, std::int64_t first, std::int64_t last,
              std::int64_t block, int threads, S& sums) {
  for (std::int64_t i = first; i < last; i += block) {
    sums.add(problem.x.data() + i * problem.p, factors.data() + i, std::min(block, last - i), threads);
  }
}

Sums totals(const Problem& problem, const augcore::RowSums& rows, const augcore::GramSums& gram) {
  const std::int64_t q = problem.p + 1;
  Sums result{std::vector<double>(q), std::vector<double>(q * q)};
  rows.total(result.gradient.data());
  gram.total(result.hessian.data(), 1);
  return result;
}

Sums sum_in_blocks(const Problem& problem, std::int64_t block, int threads) {
  const Values values(problem);
  augcore::RowSums rows(problem.p, true, 1);
  augcore::GramSums gram(problem.p, true, false);
  add_rows(problem, values.residual, 0, problem.n, block, threads, rows);
  add_rows(problem, values.curvature, 0, problem.n, block, threads, gram);
  return totals(problem, rows, gram);
}

void sums_equal_their_definition() {
  const Problem problem(700, 9);
  const std::int64_t q = problem.p + 1;
  const Sums sums = sum_in_blocks(problem, problem.n, 1);
  std::vector<double> gradient(q, 0.0), hessian(q * q, 0.0);
  for (std::int64_t i = 0; i < problem.n; ++i) {
    std::vector<double> row(problem.x.begin() + i * problem.p, problem.x.begin() + (i + 1) * problem.p);
    row.push_back(1.0);
    double eta = 0.0;
    for (std::int64_t j = 0; j < q; ++j) eta += row[j] * problem.coef[j];
    const double probability = 1.0 / (1.0 + std::exp(-eta));
    const double w = problem.weight[i];
    for (std::int64_t j = 0; j < q; ++j) {
      gradient[j] += w * (probability - problem.y[i]) * row[j];
      for (std::int64_t k = 0; k < q; ++k) hessian[j * q + k] += w * probability * (1 - probability) * row[j] * row[k];
    }
  }
  for (std::int64_t j = 0; j < q; ++j) CHECK(std::fabs(sums.gradient[j] - gradient[j]) < 1e-9);
  for (std::int64_t j = 0; j < q * q; ++j) CHECK(std::fabs(sums.hessian[j] - hessian[j]) < 1e-9);
}

void blocks_and_threads_do_not_change_a_bit() {
  for (const std::int64_t n : {std::int64_t{1}, std::int64_t{511}, std::int64_t{512}, std::int64_t{3000}}) {
    const Problem problem(n, 5);
    const Sums whole = sum_in_blocks(problem, n, 1);
    for (const std::int64_t block : {std::int64_t{100}, std::int64_t{512}, std::int64_t{513}, std::int64_t{4096}, n}) {
      for (const int threads : {1, 2, 3, 8}) CHECK(sum_in_blocks(problem, block, threads) == whole);
    }
  }
}

// Ranges of whole tiles that are summed elsewhere, and the rest after the last of them.
void nodes_of_ranges_give_the_same_bits() {
  const std::int64_t tile = augcore::GramSums::tile_rows(6);
  const Problem problem(11 * tile + 37, 5);
  const Values values(problem);
  const Sums whole = sum_in_blocks(problem, problem.n, 1);
  for (const std::vector<std::int64_t>& cuts :
       {std::vector<std::int64_t>{1, 2, 3, 9}, std::vector<std::int64_t>{5}, std::vector<std::int64_t>{3, 4, 11}}) {
    augcore::RowSums rows(problem.p, true, 1);
    augcore::GramSums gram(problem.p, true, false);
    std::int64_t first = 0;
    for (std::size_t c = 0; c <= cuts.size(); ++c) {
      const std::int64_t last = c < cuts.size() ? cuts[c] * tile : problem.n;
      augcore::RowSums some_rows(problem.p, true, 1, first);
      augcore::GramSums some_gram(problem.p, true, false, first);
      add_rows(problem, values.residual, first, last, 700, 2, some_rows);
      add_rows(problem, values.curvature, first, last, 900, 2, some_gram);
      for (const auto& node : some_rows.nodes()) rows.push(node.values, node.level);
      for (const auto& node : some_gram.nodes()) gram.push(node.values, node.level);
      CHECK_EQ(some_gram.open(1).empty(), c < cuts.size());
      if (!some_rows.open().empty()) rows.close(some_rows.open());
      if (!some_gram.open(1).empty()) gram.close(some_gram.open(1));
      first = last;
    }
    CHECK(totals(problem, rows, gram) == whole);
  }
}

template <typename F>
bool refused(const F& f) {
  return augcore::testing::throws<std::invalid_argument>(f);
}

void nodes_that_do_not_fit_are_refused() {
  augcore::TreeSum tree(3);
  CHECK(refused([&] { tree.push({1.0}, 1); }));
  CHECK(refused([&] { tree.push({1.0}, -1); }));
  CHECK(refused([&] { tree.push({1.0}, 64); }));
  tree.push({1.0}, 0);
  tree.push({1.0}, 2);
  CHECK(refused([&] { tree.total({0.0}); }));
  CHECK(refused([] { augcore::TreeSum below(-1); }));
  CHECK(refused([] { augcore::RowSums between(2, true, 1, augcore::kTileRows + 1); }));
  augcore::RowSums rows(2, false, 1);
  CHECK(refused([&] { rows.push({1.0}, 0); }));
  CHECK(refused([&] { rows.close({1.0, 2.0, 3.0}); }));
  const double x[] = {1.0, 2.0}, factor[] = {3.0};
  rows.add(x, factor, 1, 1);
  CHECK(refused([&] { rows.push({1.0, 2.0}, 0); }));
  CHECK(refused([&] { rows.close({1.0, 2.0}); }));
  augcore::RowSums closed(2, false, 1);
  closed.push({3.0, 4.0}, 1);
  closed.close({1.0, 2.0});
  CHECK(refused([&] { closed.add(x, factor, 1, 1); }));
  CHECK(refused([&] { closed.push({1.0, 2.0}, 0); }));
  CHECK(refused([&] { closed.close({1.0, 2.0}); }));
  std::vector<double> total(2);
  closed.total(total.data());
  CHECK(total == std::vector<double>({4.0, 6.0}));
}

void one_pass_gives_the_predictors_and_the_gradient() {
  for (const std::int64_t n :
       {std::int64_t{0}, std::int64_t{1}, std::int64_t{33}, std::int64_t{512}, std::int64_t{1500}}) {
    for (const std::int64_t p : {std::int64_t{1}, std::int64_t{16}, std::int64_t{67}}) {
      const Problem problem(n, p);
      const std::int64_t q = p + 1;
      const Design rows{problem.x.data(), Dtype::float64, n, p, true};
      std::vector<double> eta(n), expected_eta(n), gradient(q), residual(n), expected(q);
      augcore::linear_predictor(rows, problem.coef.data(), 1, expected_eta.data(), 1);
      augcore::residual(expected_eta.data(), problem.y.data(), n, residual.data(), 1);
      for (std::int64_t i = 0; i < n; ++i) {
        CHECK_EQ(residual[i], augcore::point::residual(expected_eta[i], problem.y[i]));
        residual[i] *= problem.weight[i];
      }
      augcore::sum_of_rows(rows, residual.data(), 1, expected.data(), 1);
      for (const int threads : {1, 2, 5}) {
        augcore::gradient(rows, problem.coef.data(), problem.y.data(), problem.weight.data(), eta.data(),
                          gradient.data(), threads);
        CHECK(eta == expected_eta);
        CHECK(gradient == expected);
      }
      CHECK(n == 0 || gradient == sum_in_blocks(problem, n, 1).gradient);
    }
  }
}

void the_exponential_is_exact_to_an_ulp() {
  for (double a = 0.0; a < 760.0; a += 0.37) {
    const double exact = std::exp(-a), ours = augcore::point::exp_minus(a);
    CHECK(std::fabs(ours - exact) <= std::nextafter(exact, 1.0) - exact);
  }
  CHECK_EQ(augcore::point::exp_minus(0.0), 1.0);
  CHECK_EQ(augcore::point::exp_minus(1e300), 0.0);
  CHECK_EQ(augcore::point::exp_minus(INFINITY), 0.0);
  CHECK(std::isnan(augcore::point::exp_minus(NAN)));
}

void the_tree_is_the_documented_one() {
  // Five tiles: ((0 + 1) + (2 + 3)) + 4, whichever nodes they arrive in.
  const std::vector<double> t = {1.0, 1e-16, 1e-16, 1e-16, 1e16};
  const double expected = ((t[0] + t[1]) + (t[2] + t[3])) + t[4];
  augcore::TreeSum singles;
  for (const double value : t) singles.push({value}, 0);
  CHECK_EQ(singles.total({0.0})[0], expected);
  CHECK(singles.zeros(2) == std::vector<double>(2, 0.0));
  augcore::TreeSum mixed;
  mixed.push({t[0] + t[1]}, 1);
  mixed.push({t[2]}, 0);
  mixed.push({t[3]}, 0);
  CHECK_EQ(mixed.total({t[4]})[0], expected);
  CHECK_EQ(augcore::TreeSum().total({7.0})[0], 7.0);
}

void the_quadratic_form_inverts_the_factor() {
  for (const std::int64_t p : {1, 2, 7, 8, 23, 24, 25, 60}) {
    const Problem problem(53, p);
    const std::int64_t q = p + 1;
    Sums sums = sum_in_blocks(problem, problem.n, 1);
    for (std::int64_t j = 0; j < q; ++j) sums.hessian[j * q + j] += 0.5;
    std::vector<double> factor = sums.hessian;
    CHECK_EQ(augcore::cholesky(factor.data(), q, 2), -1);
    std::vector<double> quadratic(problem.n);
    const Design rows{problem.x.data(), Dtype::float64, problem.n, p, true};
    augcore::inverse_quadratic_form(rows, factor.data(), false, quadratic.data(), 2);
    for (std::int64_t i = 0; i < problem.n; ++i) {
      std::vector<double> row(problem.x.begin() + i * p, problem.x.begin() + (i + 1) * p);
      row.push_back(1.0);
      std::vector<double> solved = row;
      augcore::cholesky_solve(factor.data(), q, solved.data());
      double product = 0.0;
      for (std::int64_t j = 0; j < q; ++j) product += row[j] * solved[j];
      CHECK(std::fabs(product - quadratic[i]) < 1e-10 * product);
      // And the solve inverts the matrix itself.
      for (std::int64_t j = 0; j < q; ++j) {
        double back = 0.0;
        for (std::int64_t k = 0; k < q; ++k) back += sums.hessian[j * q + k] * solved[k];
        CHECK(std::fabs(back - row[j]) < 1e-9);
      }
    }
  }
}

void points_at_their_limits() {
  namespace point = augcore::point;
  CHECK_EQ(point::log_loss(1e6, 1.0), 0.0);
  CHECK_EQ(point::log_loss(-1e6, 1.0), 1e6);
  CHECK_EQ(point::residual(1e6, 0.0), 1.0);
  CHECK_EQ(point::residual(-1e6, 0.0), 0.0);
  CHECK(point::residual(40.0, 1.0) < 0.0);
  CHECK_EQ(point::curvature(1e6), 0.0);
  CHECK_EQ(point::curvature(0.0), 0.25);
  CHECK(std::isinf(point::loo_loss_change(0.0, 1.0, 1.0, 4.0)));
  CHECK_EQ(point::loo_loss_change(0.0, 1.0, 0.0, 4.0), 0.0);
}

}  // namespace

int main() {
  sums_equal_their_definition();
  blocks_and_threads_do_not_change_a_bit();
  nodes_of_ranges_give_the_same_bits();
  nodes_that_do_not_fit_are_refused();
  one_pass_gives_the_predictors_and_the_gradient();
  the_exponential_is_exact_to_an_ulp();
  the_tree_is_the_documented_one();
  the_quadratic_form_inverts_the_factor();
  points_at_their_limits();
  return augcore::testing::result();
}
