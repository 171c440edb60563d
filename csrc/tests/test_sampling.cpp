#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "augcore/point/exponential_key.hpp"
#include "augcore/point/philox.hpp"
#include "augcore/sampling.hpp"
#include "augcore/threads.hpp"
#include "check.hpp"

namespace {

using augcore::point::Words4;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::uint64_t kOnes = ~std::uint64_t{0};
constexpr std::uint64_t kKey[2] = {1, 2};

template <typename Exception, typename F>
bool throws(const F& f) {
  try {
    f();
  } catch (const Exception&) {
    return true;
  }
  return false;
}

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

std::vector<double> some_log_weights(std::int64_t n) {
  std::vector<double> log_weights(n);
  augcore::uniforms(kKey, 0, n, log_weights.data(), 1);
  for (double& value : log_weights) value = std::log(value);
  return log_weights;
}

std::vector<std::int64_t> order_of(const std::vector<double>& log_weights, std::int64_t k, int threads) {
  std::vector<std::int64_t> order(k);
  augcore::weighted_order(log_weights.data(), static_cast<std::int64_t>(log_weights.size()), kKey, k, order.data(),
                          threads);
  return order;
}

// The order of all is a permutation by rising keys; shorter ones and other numbers of threads give its beginning.
void test_order() {
  for (const std::int64_t n : {0, 1, 2, 5, 1000, 32768, 32769, 200000}) {
    const std::vector<double> log_weights = some_log_weights(n);
    const std::vector<std::int64_t> full = order_of(log_weights, n, 1);
    std::vector<double> high(n), low(n);
    augcore::exponential_keys(log_weights.data(), n, kKey, 0, high.data(), low.data(), 3);
    std::vector<std::int64_t> expected(n);
    std::iota(expected.begin(), expected.end(), 0);
    std::stable_sort(expected.begin(), expected.end(), [&](std::int64_t a, std::int64_t b) {
      return high[a] != high[b] ? high[a] < high[b] : low[a] < low[b];
    });
    CHECK(full == expected);
    for (const int threads : {1, 2, 3, 8}) {
      for (const std::int64_t k : {std::int64_t{0}, n / 10, n / 2, n}) {
        CHECK(order_of(log_weights, k, threads) == std::vector<std::int64_t>(full.begin(), full.begin() + k));
      }
    }
  }
}

void test_refusals() {
  const std::vector<double> nan(40000, std::nan(""));
  const std::vector<double> zeros(3, 0.0);
  double out[3];
  std::int64_t order[3];
  const auto refused = [](const auto& f) { return throws<std::invalid_argument>(f); };
  CHECK(refused([&] { order_of(nan, 1, 2); }));
  CHECK(refused([&] { augcore::weighted_order(zeros.data(), 3, kKey, 4, order, 1); }));
  CHECK(refused([&] { augcore::weighted_order(zeros.data(), 3, kKey, -1, order, 1); }));
  CHECK(refused([&] { augcore::uniforms(kKey, -1, 3, out, 1); }));
  CHECK(refused([&] { augcore::uniforms(kKey, INT64_MAX, 3, out, 1); }));
}

// A large draw stops soon after the hook asks for it, and the next one is right.
void test_interrupt() {
  const std::vector<double> log_weights = some_log_weights(4000000);
  augcore::set_interrupt_hook([] { return true; });
  CHECK(throws<augcore::Interrupted>([&] { order_of(log_weights, 4000000, 2); }));
  augcore::set_interrupt_hook(nullptr);
  CHECK_EQ(order_of(log_weights, 10, 2).size(), std::size_t{10});
}

}  // namespace

int main() {
  test_philox();
  test_unit_interval_is_open();
  test_keys_at_the_ends();
  test_order();
  test_refusals();
  test_interrupt();
  return augcore::testing::result();
}
