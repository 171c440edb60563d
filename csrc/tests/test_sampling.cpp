#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

#include "augcore/budgets.hpp"
#include "augcore/point/philox.hpp"
#include "augcore/point/policy.hpp"
#include "augcore/reservoir.hpp"
#include "augcore/sampling.hpp"
#include "augcore/threads.hpp"
#include "check.hpp"

namespace {

using augcore::testing::throws;

using augcore::Policy;
using augcore::point::Words4;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::uint64_t kOnes = ~std::uint64_t{0};
constexpr std::uint64_t kKey[2] = {1, 2};

void check_words(const Words4& got, const Words4& expected) {
  for (int i = 0; i < 4; ++i) CHECK_EQ(got.word[i], expected.word[i]);
}

// Known answers of Philox4x64-10: counter and key all zeros, all ones, the digits of pi.
void test_philox() {
  check_words(augcore::point::philox4x64({{0, 0, 0, 0}}, 0, 0),
              {{0x16554d9eca36314c, 0xdb20fe9d672d0fdc, 0xd7e772cee186176b, 0x7e68b68aec7ba23b}});
  check_words(augcore::point::philox4x64({{kOnes, kOnes, kOnes, kOnes}}, kOnes, kOnes),
              {{0x87b092c3013fe90b, 0x438c3c67be8d0224, 0x9cc7d7c69cd777b6, 0xa09caebf594f0ba0}});
  check_words(
      augcore::point::philox4x64({{0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0, 0x082efa98ec4e6c89}},
                                 0x452821e638d01377, 0xbe5466cf34e90c6c),
      {{0xa528f45403e61d95, 0x38c72dbd566e9788, 0xa5a1610e72fd18b5, 0x57bd43b5e52b7fe6}});
}

void test_unit_interval_is_open() {
  CHECK_EQ(augcore::point::unit_interval(0), 0x1p-53);
  CHECK_EQ(augcore::point::unit_interval(kOnes), 1.0 - 0x1p-53);
}

void test_keys_at_the_ends() {
  using augcore::point::exponential_key;
  for (const double u : {0x1p-53, 0.5, 1.0 - 0x1p-53}) {
    for (const double log_weight : {0.0, 1e300, -1e300, 1.7e308, -1.7e308}) {
      const auto key = exponential_key(u, log_weight);
      CHECK(std::isfinite(key.high) && std::isfinite(key.low));
    }
    CHECK_EQ(exponential_key(u, kInfinity).high, -kInfinity);
    CHECK_EQ(exponential_key(u, -kInfinity).high, kInfinity);
    CHECK_EQ(exponential_key(u, kInfinity).low, exponential_key(u, 0.0).high);
  }
}

std::vector<double> some_scores(std::int64_t n) {
  std::vector<double> scores(n);
  augcore::uniforms(kKey, 0, n, scores.data(), 1);
  for (std::int64_t i = 0; i < n; ++i) scores[i] = i % 97 == 0 ? 0.0 : std::round(1000.0 * std::log(scores[i])) / 100.0;
  return scores;
}

std::vector<std::int64_t> order_of(Policy policy, const std::vector<double>& scores, std::int64_t k, int threads) {
  std::vector<std::int64_t> order(k);
  augcore::policy_order(policy, scores.data(), static_cast<std::int64_t>(scores.size()), kKey, k, order.data(),
                        threads);
  return order;
}

std::vector<std::int64_t> reservoir_order(Policy policy, const std::vector<double>& scores, std::int64_t k,
                                          std::int64_t block, int threads) {
  const auto n = static_cast<std::int64_t>(scores.size());
  augcore::Reservoir reservoir(policy, kKey, k);
  for (std::int64_t first = (n - 1) / block * block; first >= 0; first -= block) {
    reservoir.add(scores.data() + first, std::min(block, n - first), first, threads);
  }
  std::vector<std::int64_t> order;
  for (const augcore::Item& item : reservoir.chosen(threads)) order.push_back(item.index);
  return order;
}

// Keys and orders of every policy are those of the formula of one point; shorter ones, other numbers of threads and
// reservoirs give the beginning.
void test_order() {
  for (int p = 0; p <= static_cast<int>(Policy::smallest_first); ++p) {
    const auto policy = static_cast<Policy>(p);
    for (const std::int64_t n : {0, 1, 2, 5, 63, 1000, 4097, 32769, 100000}) {
      const std::vector<double> scores = some_scores(n);
      std::vector<double> high(n), low(n);
      augcore::policy_keys(policy, scores.data(), n, kKey, 0, high.data(), low.data(), 3);
      for (std::int64_t i = 0; i < n; ++i) {
        const std::uint64_t word = augcore::point::stream_block(i / 4, kKey[0], kKey[1]).word[i % 4];
        const auto key = augcore::point::policy_key(policy, word, scores[i]);
        CHECK(key.high == high[i] && key.low == low[i]);
      }
      std::vector<std::int64_t> expected(n);
      std::iota(expected.begin(), expected.end(), 0);
      std::stable_sort(expected.begin(), expected.end(), [&](std::int64_t a, std::int64_t b) {
        return high[a] != high[b] ? high[a] < high[b] : low[a] < low[b];
      });
      for (const int threads : {1, 3}) {
        for (const std::int64_t k : {std::int64_t{0}, n / 100, n / 10, n / 2, n}) {
          const std::vector<std::int64_t> first(expected.begin(), expected.begin() + k);
          CHECK(order_of(policy, scores, k, threads) == first);
          CHECK(n == 0 || reservoir_order(policy, scores, k, n / 3 + 1, threads) == first);
        }
      }
    }
  }
}

void test_refusals() {
  const std::vector<double> nan(40000, std::nan("")), infinite(40000, kInfinity);
  const std::vector<double> zeros(3, 0.0);
  double out[3];
  std::int64_t order[3];
  const auto refused = [](const auto& f) { return throws<std::invalid_argument>(f); };
  for (const std::int64_t k : {0, 1, 40000}) {
    CHECK(refused([&] { order_of(Policy::log_weights, nan, k, 2); }));
    CHECK(refused([&] { order_of(Policy::proportional, nan, k, 2); }));
    CHECK(refused([&] { order_of(Policy::proportional, infinite, k, 2); }));
    CHECK(refused([&] { reservoir_order(Policy::largest_first, infinite, k, 30000, 2); }));
  }
  CHECK_EQ(order_of(Policy::log_weights, infinite, 1, 2).size(), std::size_t{1});
  const auto bad_k = [&](std::int64_t k) {
    augcore::policy_order(Policy::uniform, zeros.data(), 3, kKey, k, order, 1);
  };
  CHECK(refused([&] { bad_k(4); }));
  CHECK(refused([&] { bad_k(-1); }));
  CHECK(refused([&] { augcore::uniforms(kKey, -1, 3, out, 1); }));
  CHECK(refused([&] { augcore::uniforms(kKey, INT64_MAX, 3, out, 1); }));
  CHECK(refused([&] { augcore::Reservoir(Policy::uniform, kKey, -1); }));
  augcore::Reservoir reservoir(Policy::uniform, kKey, 2);
  CHECK(refused([&] { reservoir.add(zeros.data(), 3, INT64_MAX - 2, 1); }));
  const std::int64_t indices[] = {3, -1};
  CHECK(refused([&] { reservoir.absorb(zeros.data(), zeros.data(), indices, 2); }));
  CHECK(refused([&] { reservoir.absorb(nan.data(), zeros.data(), indices, 1); }));
  CHECK(reservoir.chosen(1).empty());
}

// After an exception in the middle a reservoir says so, rather than choose from a part.
void test_broken_reservoir() {
  std::vector<double> scores(1000, 1.0);
  scores[900] = kInfinity;
  augcore::Reservoir reservoir(Policy::uniform, kKey, 2);
  CHECK(throws<std::invalid_argument>([&] { reservoir.add(scores.data(), 1000, 0, 1); }));
  CHECK(throws<std::logic_error>([&] { reservoir.chosen(1); }));
  CHECK(throws<std::logic_error>([&] { reservoir.add(scores.data(), 1, 0, 1); }));
}

void test_reservoir_of_two_threads() {
  const std::vector<double> scores = some_scores(60000);
  augcore::Reservoir reservoir(Policy::proportional, kKey, 500);
  std::thread other([&] {
    for (std::int64_t first = 0; first < 30000; first += 1000) reservoir.add(scores.data() + first, 1000, first, 1);
  });
  for (std::int64_t first = 30000; first < 60000; first += 1000) reservoir.add(scores.data() + first, 1000, first, 1);
  other.join();
  const std::vector<std::int64_t> expected = order_of(Policy::proportional, scores, 500, 1);
  const std::vector<augcore::Item> chosen = reservoir.chosen(1);
  CHECK_EQ(chosen.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK_EQ(chosen[i].index, expected[i]);
}

// A large draw stops soon after the hook asks for it, and the next one is right.
void test_interrupt() {
  constexpr std::int64_t kMany = 16000000;
  const std::vector<double> scores(kMany, 1.0);
  augcore::set_interrupt_hook([] { return true; });
  for (const std::int64_t k : {std::int64_t{10}, kMany}) {
    CHECK(throws<augcore::Interrupted>([&] { order_of(Policy::proportional, scores, k, 2); }));
  }
  augcore::set_interrupt_hook(nullptr);
  CHECK_EQ(order_of(Policy::proportional, scores, 10, 2).size(), std::size_t{10});
}

void test_round_robin() {
  const std::vector<std::int64_t> order = {4, 0, 2, 3, 1, 5}, codes = {0, 0, 1, 0, 2, 1}, limits = {2, 2, 1, 0};
  const auto robin = [&](std::int64_t k) {
    std::vector<std::int64_t> out(k);
    out.resize(augcore::round_robin(order.data(), 6, codes.data(), 6, limits.data(), 4, k, out.data()));
    return out;
  };
  CHECK(robin(6) == (std::vector<std::int64_t>{0, 2, 4, 3, 5}));
  CHECK(robin(2) == (std::vector<std::int64_t>{0, 2}));
  CHECK(robin(0).empty());
  const std::int64_t outside[] = {6, -1};
  std::int64_t out[2];
  for (const std::int64_t& index : outside) {
    CHECK(throws<std::invalid_argument>(
        [&] { augcore::round_robin(&index, 1, codes.data(), 6, limits.data(), 4, 1, out); }));
  }
  CHECK(throws<std::invalid_argument>(
      [&] { augcore::round_robin(order.data(), 6, codes.data(), 6, limits.data(), 2, 2, out); }));
}

void test_within_budget() {
  const auto taken = [](const std::vector<double>& costs, double budget) {
    std::vector<std::int64_t> out(costs.size());
    out.resize(augcore::within_budget(costs.data(), static_cast<std::int64_t>(costs.size()), budget, out.data()));
    return out;
  };
  using Places = std::vector<std::int64_t>;
  CHECK(taken({5, 3, 4, 0, 2, 1}, 7.0) == (Places{0, 3, 4}));
  CHECK(taken({}, 7.0).empty());
  CHECK(taken({1}, 0.0).empty());
  // In double, 1 - 2^-60 is 1: its sum with the same costs would never reach the budget.
  const std::vector<double> tiny(5, 0x1p-60);
  CHECK_EQ(taken(tiny, 0x1p-60 * 4).size(), std::size_t{4});
  std::vector<double> mixed = {0x1p-60, 1.0, 0x1p-61};
  CHECK(taken(mixed, 1.0) == (Places{0, 2}));
}

}  // namespace

int main() {
  test_philox();
  test_unit_interval_is_open();
  test_keys_at_the_ends();
  test_order();
  test_refusals();
  test_broken_reservoir();
  test_reservoir_of_two_threads();
  test_interrupt();
  test_round_robin();
  test_within_budget();
  return augcore::testing::result();
}
