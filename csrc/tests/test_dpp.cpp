#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <stdexcept>
#include <vector>

#include "augcore/dpp.hpp"
#include "augcore/sampling.hpp"
#include "augcore/threads.hpp"
#include "check.hpp"

namespace {

using augcore::testing::throws;

constexpr std::uint64_t kKey[2] = {3, 4};

// r orthonormal columns of n elements, by Gram-Schmidt of random ones, and eigenvalues 1 ... r.
struct Kernel {
  std::int64_t n, r;
  std::vector<double> vectors, eigenvalues, leverage;

  Kernel(std::int64_t n_items, std::int64_t rank) : n(n_items), r(rank), vectors(n * r), eigenvalues(r), leverage(n) {
    augcore::uniforms(kKey, 0, n * r, vectors.data(), 1);
    for (std::int64_t c = 0; c < r; ++c) {
      eigenvalues[c] = static_cast<double>(c + 1);
      for (int pass = 0; pass < 2; ++pass) {
        for (std::int64_t b = 0; b < c; ++b) subtract(b, c, product(b, c));
      }
      const double length = std::sqrt(product(c, c));
      for (std::int64_t i = 0; i < n; ++i) vectors[i * r + c] /= length;
    }
    double sum = 0.0;
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t c = 0; c < r; ++c) sum += vectors[i * r + c] * vectors[i * r + c];
      leverage[i] = sum;
    }
  }

  double product(std::int64_t a, std::int64_t b) const {
    double sum = 0.0;
    for (std::int64_t i = 0; i < n; ++i) sum += vectors[i * r + a] * vectors[i * r + b];
    return sum;
  }
  void subtract(std::int64_t from, std::int64_t to, double factor) {
    for (std::int64_t i = 0; i < n; ++i) vectors[i * r + to] -= factor * vectors[i * r + from];
  }

  augcore::SpectralKernel view() const {
    return {n, r, vectors.data(), eigenvalues.data(), 0.0, leverage.data(), nullptr};
  }

  std::vector<double> ratios(std::int64_t k) const {
    std::vector<double> found((r + 1) * k);
    augcore::elementary_ratios(view(), k, found.data());
    return found;
  }

  std::vector<std::int64_t> draws(std::int64_t k, std::int64_t first, std::int64_t count, int threads) const {
    std::vector<std::int64_t> items(count * k);
    augcore::k_dpp(view(), ratios(k).data(), k, k, kKey, first, count, items.data(), threads);
    return items;
  }
};

// e_j of 1, 2, 3 are 6, 11, 6.
void test_ratios() {
  const Kernel kernel(5, 3);
  const std::vector<double> ratios = kernel.ratios(4);
  const double expected[] = {6.0, 11.0 / 6.0, 6.0 / 11.0, 0.0};
  for (int j = 0; j < 4; ++j) CHECK(std::fabs(ratios[3 * 4 + j] - expected[j]) < 1e-15);
  for (int j = 0; j < 4; ++j) CHECK_EQ(ratios[j], 0.0);
}

// With the complement: 1, 2, 3 and twice 0.5.
void test_ratios_of_a_complement() {
  const Kernel kernel(5, 3);
  augcore::SpectralKernel view = kernel.view();
  view.rest = 0.5;
  std::vector<double> ratios(4 * 5);
  augcore::elementary_ratios(view, 5, ratios.data());
  CHECK(std::fabs(ratios[15] - 7.0) < 1e-14);
  CHECK(std::fabs(ratios[19] - 1.5 / 8.75) < 1e-14);
  CHECK_EQ(ratios[0], 1.0);
  CHECK_EQ(ratios[1], 0.25);
  CHECK_EQ(ratios[2], 0.0);
}

// Sets are distinct items in rising order; the same for any number of threads, and alone or among others.
void test_draws() {
  for (const std::int64_t n : {1, 7, 24, 25, 100, 700}) {
    const Kernel kernel(n, std::min<std::int64_t>(n, 60));
    for (const std::int64_t k : {std::int64_t{1}, kernel.r / 2, kernel.r}) {
      const std::vector<std::int64_t> all = kernel.draws(k, 0, 6, 1);
      for (const int threads : {2, 3, 8}) CHECK(kernel.draws(k, 0, 6, threads) == all);
      for (std::int64_t draw = 0; draw < 6; ++draw) {
        const std::vector<std::int64_t> set(all.begin() + draw * k, all.begin() + (draw + 1) * k);
        CHECK(kernel.draws(k, draw, 1, 2) == set);
        CHECK(std::set<std::int64_t>(set.begin(), set.end()).size() == static_cast<std::size_t>(k));
        CHECK(std::is_sorted(set.begin(), set.end()));
        if (k > 0) CHECK(set.front() >= 0 && set.back() < n);
      }
    }
  }
}

void test_nothing_to_draw() {
  const Kernel kernel(4, 2);
  CHECK(kernel.draws(0, 0, 3, 1).empty());
  CHECK(kernel.draws(2, 0, 0, 1).empty());
}

void test_refusals() {
  const Kernel kernel(4, 2);
  const std::vector<double> ratios = kernel.ratios(3);
  std::int64_t out[4];
  const auto draw = [&](const augcore::SpectralKernel& view, std::int64_t columns, std::int64_t k) {
    augcore::k_dpp(view, ratios.data(), columns, k, kKey, 0, 1, out, 1);
  };
  const auto refused = [](const auto& f) { return throws<std::invalid_argument>(f); };
  CHECK(refused([&] { draw(kernel.view(), 3, 3); }));
  CHECK(refused([&] { draw(kernel.view(), 3, -1); }));
  CHECK(refused([&] { draw(kernel.view(), 1, 2); }));

  // Two columns that are the same: no second item is left.
  std::vector<double> twice(8, 0.5), leverage = {0.5, 1.0, 1.5, 2.0};
  augcore::SpectralKernel view = kernel.view();
  view.vectors = twice.data();
  view.leverage = leverage.data();
  CHECK(refused([&] { draw(view, 3, 2); }));
}

void test_greedy() {
  // 0 and 1 are nearly the same, 2 and 3 are equal to each other and apart from those.
  const double matrix[] = {4.0, 3.9, 0.0, 0.0, 3.9, 4.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0};
  std::int64_t order[4];
  CHECK_EQ(augcore::greedy_map({4, matrix, nullptr, 0, 0.0}, 4, 1e-14, order), 3);
  CHECK(order[0] == 0 && order[1] == 2 && order[2] == 1);

  const double rows[] = {1.0, 2.0, 2.0, 0.5};  // (4 x 1): all depend on each other but for the jitter
  CHECK_EQ(augcore::greedy_map({4, nullptr, rows, 1, 0.0}, 4, 1e-14, order), 1);
  CHECK_EQ(order[0], 1);
  CHECK_EQ(augcore::greedy_map({4, nullptr, rows, 1, 0.1}, 4, 0.0, order), 4);
  CHECK(order[0] == 1 && order[1] == 2 && order[2] == 0 && order[3] == 3);

  const double indefinite[] = {1.0, 2.0, 2.0, 1.0};
  CHECK(throws<std::invalid_argument>([&] { augcore::greedy_map({2, indefinite, nullptr, 0, 0.0}, 2, 1e-15, order); }));
  CHECK(throws<std::invalid_argument>([&] { augcore::greedy_map({2, indefinite, nullptr, 0, 0.0}, 3, 1e-15, order); }));
}

// A large draw stops soon after the hook asks for it, and the next one is right.
void test_interrupt() {
  const Kernel kernel(3000, 160);
  const std::vector<std::int64_t> expected = kernel.draws(150, 0, 1, 2);
  augcore::set_interrupt_hook([] { return true; });
  CHECK(throws<augcore::Interrupted>([&] { kernel.draws(150, 0, 400, 2); }));
  augcore::set_interrupt_hook(nullptr);
  CHECK(kernel.draws(150, 0, 1, 2) == expected);
}

}  // namespace

int main() {
  test_ratios();
  test_ratios_of_a_complement();
  test_draws();
  test_nothing_to_draw();
  test_refusals();
  test_greedy();
  test_interrupt();
  return augcore::testing::result();
}
