// Warps by functions and by tables of positions: who is called how often, failures, borders of tasks, odd sizes.
#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "augcore/own_warp.hpp"
#include "check.hpp"

using namespace augcore;

namespace {

std::atomic<int> g_calls{0};

// Moves left by params[0]; fails at the pixel (params[1], 1).
int move(double x, double y, const double* params, std::int64_t n_params, double* source) {
  ++g_calls;
  source[0] = x + params[0];
  source[1] = y;
  return !(n_params > 1 && x == params[1] && y == 1.0);
}

int nowhere(double x, double y, const double*, std::int64_t, double* source) {
  const double values[] = {std::nan(""), INFINITY, -INFINITY, 1e300, -1e300};
  const auto i = static_cast<int>(x + y);
  if (i % 6 < 5) source[0] = source[1] = values[i % 6];  // otherwise left as it is
  return 1;
}

struct Batch {
  std::int64_t n, h, w, c;
  std::vector<std::uint8_t> pixels;
  std::vector<std::uint8_t> result;

  Batch(std::int64_t n_, std::int64_t h_, std::int64_t w_, std::int64_t c_)
      : n(n_), h(h_), w(w_), c(c_), pixels(n_ * h_ * w_ * c_), result(pixels.size()) {
    std::iota(pixels.begin(), pixels.end(), std::uint8_t{0});
  }
  Images in() const { return {pixels.data(), Dtype::uint8, n, h, w, c}; }
  OutputImages out() { return {result.data(), Dtype::uint8, n, h, w, c}; }
  std::uint8_t from(std::int64_t i, std::int64_t y, std::int64_t x, std::int64_t k) const {
    return pixels[((i * h + y) * w + std::min(x, w - 1)) * c + k];
  }
};

constexpr double kFill = 7.0;

Sampling edge() { return {Interpolation::bilinear, Border::edge, {nullptr, 1}}; }

void test_a_row_of_parameters_for_neighbours() {
  for (const std::int64_t rows : {1, 2, 6}) {
    for (const int threads : {1, 4}) {
      Batch batch(6, 40, 50, 1);  // 2000 pixels: two cells
      std::vector<double> params(rows);
      std::iota(params.begin(), params.end(), 0.0);
      WarpFailure failure{};
      g_calls = 0;
      CHECK(warp_by_function(batch.in(), move, {params.data(), rows, 1}, edge(), batch.out(), &failure, threads));
      CHECK_EQ(g_calls.load(), static_cast<int>(rows) * 2000);
      for (std::int64_t i = 0; i < 6; ++i) {
        const std::int64_t shift = i / (6 / rows);
        for (std::int64_t x = 0; x < 50; ++x) {
          CHECK_EQ(batch.result[(i * 40 + 39) * 50 + x], batch.from(i, 39, x + shift, 0));
        }
      }
    }
  }
}

void test_a_failure_is_told() {
  for (const int threads : {1, 4}) {
    Batch batch(8, 5, 6, 3);
    const double params[] = {0.0, -1.0, 0.0, -1.0, 0.0, 4.0, 0.0, -1.0};  // the third of four rows fails at x = 4
    WarpFailure failure{};
    CHECK(!warp_by_function(batch.in(), move, {params, 4, 2}, edge(), batch.out(), &failure, threads));
    CHECK_EQ(failure.row, 2);
    CHECK_EQ(failure.x, 4);
    CHECK_EQ(failure.y, 1);
  }
}

void test_positions_without_meaning() {
  for (const Interpolation interpolation : {Interpolation::nearest, Interpolation::bilinear, Interpolation::bicubic}) {
    for (const Border border : {Border::edge, Border::constant, Border::reflect, Border::symmetric, Border::wrap}) {
      Batch batch(3, 1, 9, 1);
      WarpFailure failure{};
      const Sampling sampling = {interpolation, border, {&kFill, 1}};
      CHECK(warp_by_function(batch.in(), nowhere, {nullptr, 1, 0}, sampling, batch.out(), &failure, 1));
      if (border == Border::constant) {
        for (const std::uint8_t value : batch.result) CHECK_EQ(value, 7);
      }
    }
  }
}

void test_a_table_of_positions() {
  Batch batch(2, 3, 1500, 2);
  std::vector<double> positions;
  for (int y = 0; y < 3; ++y) {
    for (int x = 0; x < 1500; ++x) {
      positions.push_back(x == 5 ? std::numeric_limits<double>::infinity() : x + 1.0);
      positions.push_back(y);
    }
  }
  warp_by_positions(batch.in(), positions.data(), edge(), batch.out(), 2);
  for (std::int64_t x = 0; x < 1500; ++x) {
    CHECK_EQ(batch.result[((3 + 2) * 1500 + x) * 2 + 1], batch.from(1, 2, x == 5 ? 1499 : x + 1, 1));
  }
}

void test_sizes() {
  WarpFailure failure{};
  const double shift = 1.0;
  Batch none(0, 3, 3, 1), flat(2, 0, 3, 1), thin(2, 3, 3, 0);
  for (Batch* batch : {&none, &flat, &thin}) {
    CHECK(warp_by_function(batch->in(), move, {&shift, 1, 1}, edge(), batch->out(), &failure, 1));
  }
  Batch batch(4, 2, 2, 1);
  const auto is_refused = [&](const Images& in, std::int64_t rows) {
    try {
      warp_by_function(in, move, {&shift, rows, 1}, edge(), batch.out(), &failure, 1);
    } catch (const std::invalid_argument&) {
      return true;
    }
    return false;
  };
  for (const std::int64_t rows : {0, 3, 8}) CHECK(is_refused(batch.in(), rows));
  CHECK(is_refused(Batch(4, 0, 2, 1).in(), 1));
}

}  // namespace

int main() {
  test_a_row_of_parameters_for_neighbours();
  test_a_failure_is_told();
  test_positions_without_meaning();
  test_a_table_of_positions();
  test_sizes();
  return augcore::testing::result();
}
