// Borders, rounding and cells; warps and resizing on hostile input, under any number of threads.
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <vector>

#include "augcore/opencv4.hpp"
#include "augcore/point/opencv4.hpp"
#include "augcore/point/warp.hpp"
#include "augcore/resize.hpp"
#include "augcore/warp.hpp"
#include "cells.hpp"
#include "check.hpp"

using namespace augcore;

namespace {

constexpr Border kBorders[] = {Border::edge, Border::constant, Border::reflect, Border::symmetric, Border::wrap};
constexpr Dtype kDtypes[] = {Dtype::uint8, Dtype::uint16, Dtype::float32, Dtype::float64};
constexpr Interpolation kInterpolations[] = {Interpolation::nearest, Interpolation::bilinear, Interpolation::bicubic,
                                             Interpolation::area};

void test_border_index() {
  const int expected[5][7] = {{0, 0, 0, 1, 2, 2, 2},
                              {-1, -1, 0, 1, 2, -1, -1},
                              {2, 1, 0, 1, 2, 1, 0},
                              {1, 0, 0, 1, 2, 2, 1},
                              {1, 2, 0, 1, 2, 0, 1}};
  for (int b = 0; b < 5; ++b) {
    for (int i = -2; i < 5; ++i) CHECK_EQ(point::border_index(i, 3, kBorders[b]), expected[b][i + 2]);
  }
  for (const Border border : kBorders) {
    for (const std::int64_t i : {std::int64_t{1} << 50, -(std::int64_t{1} << 50)}) {
      const std::int64_t at = point::border_index(i, 1, border);
      CHECK(at == 0 || (border == Border::constant && at == -1));
    }
  }
}

void test_rounding() {
  CHECK_EQ(point::to_pixel<std::uint8_t>(0.5), 0);
  CHECK_EQ(point::to_pixel<std::uint8_t>(1.5), 2);
  CHECK_EQ(point::to_pixel<std::uint8_t>(-1e308), 0);
  CHECK_EQ(point::to_pixel<std::uint8_t>(1e308), 255);
  CHECK_EQ(point::to_pixel<std::uint16_t>(65534.5), 65534);
  CHECK_EQ(point::round_half_even(-2.5), -2.0);
  CHECK_EQ(point::floor_to_int(-0.25), -1);
  CHECK_EQ(point::floor_to_int(-3.0), -3);
  CHECK_EQ(point::limit_position(std::nan("")), -point::kMaxPosition);
  CHECK_EQ(point::limit_position(INFINITY), point::kMaxPosition);
}

void test_cubic_weights() {
  for (int i = 0; i < 64; ++i) {
    double w[4];
    point::cubic_weights(i / 64.0, w);
    CHECK(std::fabs(w[0] + w[1] + w[2] + w[3] - 1.0) < 1e-15);
  }
  CHECK_EQ(point::cubic_kernel(0.0), 1.0);
  CHECK_EQ(point::cubic_kernel(1.0), 0.0);
  CHECK_EQ(point::cubic_kernel(1.0 + 1e-16), 0.0);
  CHECK_EQ(point::cubic_kernel(2.0), 0.0);
}

// Every pixel is in one cell, and no cell is too large.
void test_cells() {
  for (const std::int64_t h : {1, 2, 7, 100}) {
    for (const std::int64_t w : {1, 3, 64, 65, 1000}) {
      const Cells cells(h, w, 64);
      std::vector<int> seen(h * w, 0);
      for (std::int64_t i = 0; i < cells.count(); ++i) {
        const Cell cell = cells[i];
        CHECK(cell.pixels() > 0 && cell.pixels() <= 64);
        CHECK(cell.y1 - cell.y0 == 1 || cell.x1 - cell.x0 == w);
        for (std::int64_t y = cell.y0; y < cell.y1; ++y) {
          for (std::int64_t x = cell.x0; x < cell.x1; ++x) ++seen[y * w + x];
        }
      }
      bool once = true;
      for (const int count : seen) once = once && count == 1;
      CHECK(once);
    }
  }
}

struct Batch {
  std::int64_t n, h, w, c;
  Dtype dtype;
  std::vector<double> data;  // aligned for, and large enough for, any type

  Batch(std::int64_t n_, std::int64_t h_, std::int64_t w_, std::int64_t c_, Dtype dtype_)
      : n(n_), h(h_), w(w_), c(c_), dtype(dtype_), data(n_ * h_ * w_ * c_) {
    by_dtype(dtype, [&](auto pixel) {
      auto* to = reinterpret_cast<decltype(pixel)*>(data.data());
      for (std::size_t i = 0; i < data.size(); ++i) to[i] = static_cast<decltype(pixel)>(i * 7919 % 251);
    });
  }
  Images in() const { return {data.data(), dtype, n, h, w, c}; }
  OutputImages out() { return {data.data(), dtype, n, h, w, c}; }
};

bool same(const Batch& a, const Batch& b) {
  return std::memcmp(a.data.data(), b.data.data(), a.data.size() * sizeof(double)) == 0;
}

void test_hostile_matrices() {
  const double big = 1e308, inf = INFINITY, nan = std::nan(""), far = 1099511627776.0;
  const double matrices[][9] = {
      {1, 0, far, 0, 1, -far, 0, 0, 1},          {1, 0, -1e6, 0, 1, 1e6, 0, 0, 1},     {1, 0, big, 0, 1, -big, 0, 0, 1},
      {big, -big, big, big, big, big, 0, 0, 1},  {0, 0, 0, 0, 0, 0, 0, 0, 1},          {1, 0, 0, 0, 1, 0, 0, 0, 0},
      {big, big, -big, 1, 1, 1, big, -big, 1},   {inf, nan, 1, -inf, 1, nan, 0, 0, 1}, {1, 0, nan, 0, 1, inf, 0, 0, 1},
      {1e-308, 0, 0.5, 0, 1e-308, 0.5, 0, 0, 1},
  };
  const double fill[] = {1.0, 2.0, 3.0};
  for (const Dtype dtype : kDtypes) {
    for (const std::int64_t side : {1, 2, 9}) {
      const Batch in(2, side, side, 3, dtype);
      for (const auto& m : matrices) {
        for (const Border border : kBorders) {
          for (const Interpolation how : {Interpolation::nearest, Interpolation::bilinear, Interpolation::bicubic}) {
            Batch out(2, 5, 4, 3, dtype);
            warp(in.in(), m, 1, {how, border, {fill, 1}}, out.out(), 1);
          }
        }
        Batch out(2, 5, 4, 3, Dtype::uint8);
        if (dtype == Dtype::uint8) opencv4::warp(in.in(), m, 1, out.out(), 1);
      }
    }
  }
  CHECK(true);  // reached without a report of the sanitizers
}

void test_sizes_and_threads() {
  const double m[] = {0.9, 0.2, -1.0, -0.2, 1.1, 0.5, 0, 0, 1};
  const double fill[] = {0.0, 0.0};
  for (const Dtype dtype : kDtypes) {
    const Batch in(300, 17, 19, 2, dtype);
    for (const Interpolation how : kInterpolations) {
      for (const Rectangle& r : {Rectangle{0, 0, 17, 19}, Rectangle{3, 4, 1, 1}, Rectangle{0, 18, 17, 1}}) {
        Batch one(300, 23, 5, 2, dtype), four(300, 23, 5, 2, dtype);
        resize(in.in(), &r, 1, how, true, one.out(), 1);
        resize(in.in(), &r, 1, how, true, four.out(), 4);
        CHECK(same(one, four));
      }
      if (how == Interpolation::area) continue;
      Batch one(300, 23, 5, 2, dtype), four(300, 23, 5, 2, dtype);
      warp(in.in(), m, 1, {how, Border::reflect, {fill, 1}}, one.out(), 1);
      warp(in.in(), m, 1, {how, Border::reflect, {fill, 1}}, four.out(), 4);
      CHECK(same(one, four));
    }
    Batch there(300, 17, 19, 2, dtype), back(300, 17, 19, 2, dtype);
    flip(in.in(), true, true, there.out(), 3);
    CHECK(!same(in, there));
    flip(there.in(), true, true, back.out(), 2);
    CHECK(same(in, back));
  }
}

// Many images with one matrix are warped in the lanes of vectors, one image alone is not: the results are the same.
void test_batches_equal_single_images() {
  struct Shape {
    std::int64_t n, h, w, c, h_out, w_out;
  };
  const Shape shapes[] = {{100, 17, 19, 2, 17, 19}, {65, 70, 90, 3, 80, 75}, {64, 1, 1, 1, 3, 2}, {33, 5, 1, 1, 4, 7},
                          {70, 32, 32, 3, 32, 32},  {40, 28, 28, 1, 28, 28}, {64, 3, 3, 40, 4, 4}};
  const double matrices[][9] = {{0.9, 0.2, -1.0, -0.2, 1.1, 0.5, 0, 0, 1},
                                {5.0, 0.2, -20.0, -0.2, 6.1, 0.5, 0, 0, 1},
                                {0.9, 0.3, 1, 0.1, 1.1, -1, 0.03, -0.02, 1},
                                {1, 0, 0.5, 0, 1, 1e6, 0, 0, 1}};
  for (const Dtype dtype : kDtypes) {
    for (const Shape& s : shapes) {
      const Batch in(s.n, s.h, s.w, s.c, dtype);
      std::vector<double> fill(s.n * s.c);
      for (std::size_t i = 0; i < fill.size(); ++i) fill[i] = static_cast<double>(i % 200);
      for (const auto& m : matrices) {
        const std::int64_t size = s.h * s.w * s.c, size_out = s.h_out * s.w_out * s.c;
        const auto each = [&](const auto& run) {
          Batch together(s.n, s.h_out, s.w_out, s.c, dtype), apart(s.n, s.h_out, s.w_out, s.c, dtype);
          run(in.in(), Fill{fill.data(), s.n}, together.out());
          by_dtype(dtype, [&](auto pixel) {
            using T = decltype(pixel);
            for (std::int64_t i = 0; i < s.n; ++i) {
              Images one = in.in();
              OutputImages to = apart.out();
              one.data = static_cast<const T*>(one.data) + i * size;
              to.data = static_cast<T*>(to.data) + i * size_out;
              one.n = to.n = 1;
              run(one, Fill{fill.data() + i * s.c, 1}, to);
            }
          });
          CHECK(same(together, apart));
        };
        for (const Border border : kBorders) {
          for (const Interpolation how : {Interpolation::nearest, Interpolation::bilinear, Interpolation::bicubic}) {
            each([&](const Images& from, const Fill& f, const OutputImages& to) {
              warp(from, m, 1, {how, border, f}, to, 1);
            });
          }
        }
        if (dtype == Dtype::uint8 && m[6] == 0.0) {
          each([&](const Images& from, const Fill&, const OutputImages& to) { opencv4::warp(from, m, 1, to, 1); });
        }
      }
    }
  }
}

void test_rectangles_are_checked() {
  const Batch in(1, 4, 5, 1, Dtype::uint8);
  Batch out(1, 4, 5, 1, Dtype::uint8);
  for (const Rectangle& r : {Rectangle{-1, 0, 2, 2}, Rectangle{0, 0, 5, 5}, Rectangle{0, 3, 1, 3},
                             Rectangle{0, 0, 0, 1}, Rectangle{0, std::numeric_limits<std::int64_t>::max(), 1, 1}}) {
    int refused = 0;
    try {
      resize(in.in(), &r, 1, Interpolation::area, true, out.out(), 1);
    } catch (const std::invalid_argument&) {
      ++refused;
    }
    try {
      opencv4::resize(in.in(), &r, 1, Interpolation::area, out.out(), 1);
    } catch (const std::invalid_argument&) {
      ++refused;
    }
    CHECK_EQ(refused, 2);
  }
}

}  // namespace

int main() {
  test_border_index();
  test_rounding();
  test_cubic_weights();
  test_cells();
  test_hostile_matrices();
  test_sizes_and_threads();
  test_batches_equal_single_images();
  test_rectangles_are_checked();
  return augcore::testing::result();
}
