// Resizing, bit for bit, against the formulas of point/resize.hpp and point/opencv4.hpp; images that end with a page.
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "augcore/opencv4.hpp"
#include "augcore/point/opencv4.hpp"
#include "augcore/point/resize.hpp"
#include "augcore/resize.hpp"
#include "cells.hpp"
#include "check.hpp"
#include "fenced.hpp"
#include "resize_tables.hpp"

using namespace augcore;
using augcore::testing::Fenced;

namespace {

constexpr Interpolation kInterpolations[] = {Interpolation::nearest, Interpolation::bilinear, Interpolation::bicubic,
                                             Interpolation::area};

struct Shape {
  std::int64_t n, h, w, c;
  std::int64_t count() const { return n * h * w * c; }
};

template <typename T>
Dtype dtype_of() {
  return sizeof(T) == 1   ? Dtype::uint8
         : sizeof(T) == 2 ? Dtype::uint16
         : sizeof(T) == 4 ? Dtype::float32
                          : Dtype::float64;
}

template <typename T>
void fill(T* to, std::int64_t n) {
  std::uint32_t state = 12345;
  for (std::int64_t i = 0; i < n; ++i) {
    state = state * 1664525u + 1013904223u;
    to[i] = static_cast<T>(point::Pixel<T>::kInteger ? state >> (32 - 8 * sizeof(T) % 32) : state / 4.0e7);
  }
}

template <typename A>
std::vector<A> cast(const std::vector<double>& from) {
  return std::vector<A>(from.begin(), from.end());
}

template <typename T, typename A>
T expected(const T* pixels, const Shape& in, const point::Axis& down, const point::Axis& across, std::int64_t y,
           std::int64_t x) {
  std::vector<double> wy(point::most_taps(down) + 1), wx(point::most_taps(across) + 1);
  const point::Span rows = point::resize_taps(down, y, wy.data());
  const point::Span columns = point::resize_taps(across, x, wx.data());
  CHECK(rows.count <= point::most_taps(down) && columns.count <= point::most_taps(across));
  return point::resize_pixel(pixels, in.w * in.c, in.c, rows, cast<A>(wy).data(), columns, cast<A>(wx).data(),
                             point::resize_rows_first(down, across, sizeof(A) == 4));
}

// How many elements of the result are not what the formula says.
template <typename T>
std::int64_t wrong(const Shape& in, std::int64_t h, std::int64_t w, const Rectangle* rectangles, std::int64_t n,
                   Interpolation how, bool antialias) {
  const Fenced from(in.count() * sizeof(T), true), to(in.n * h * w * in.c * sizeof(T), true);
  T* source = from.as<T>();
  T* result = to.as<T>();
  fill(source, in.count());
  resize({source, dtype_of<T>(), in.n, in.h, in.w, in.c}, rectangles, n, how, antialias,
         {result, dtype_of<T>(), in.n, h, w, in.c}, 1);
  std::int64_t bad = 0;
  for (std::int64_t i = 0; i < in.n; ++i) {
    const Rectangle& r = rectangles[n > 1 ? i : 0];
    const point::Axis down = {r.h, h, how, antialias}, across = {r.w, w, how, antialias};
    const bool in_float = sizeof(T) == 1 && point::resize_in_float(down, across);
    for (std::int64_t j = 0; j < h * w * in.c; ++j) {
      const T* pixels = source + ((i * in.h + r.top) * in.w + r.left) * in.c + j % in.c;
      const std::int64_t y = j / in.c / w, x = j / in.c % w;
      const T want = in_float ? expected<T, float>(pixels, in, down, across, y, x)
                              : expected<T, double>(pixels, in, down, across, y, x);
      bad += std::memcmp(&want, &result[i * h * w * in.c + j], sizeof(T)) != 0;
    }
  }
  CHECK(to.canaries_live());
  return bad;
}

void test_equals_the_formula() {
  struct Case {
    Shape in;
    std::int64_t h, w;
  };
  const Case cases[] = {{{1, 1, 1, 1}, 1, 1},    {{2, 1, 1, 3}, 4, 5},     {{1, 28, 28, 3}, 32, 32},
                        {{2, 7, 5, 4}, 9, 40},   {{1, 24, 24, 1}, 28, 28}, {{1, 9, 30, 2}, 20, 11},
                        {{1, 40, 9, 3}, 13, 12}, {{3, 33, 31, 3}, 16, 15}, {{1, 6, 5, 7}, 8, 11},
                        {{1, 5, 6, 19}, 4, 9},   {{1, 90, 70, 1}, 2, 3},   {{1, 12, 16, 2}, 6, 4},
                        {{2, 2, 2, 700}, 3, 1}};
  for (const Case& k : cases) {
    const Rectangle whole = {0, 0, k.in.h, k.in.w};
    for (const Interpolation how : kInterpolations) {
      for (const bool antialias : {true, false}) {
        CHECK_EQ(wrong<std::uint8_t>(k.in, k.h, k.w, &whole, 1, how, antialias), 0);
        CHECK_EQ(wrong<std::uint16_t>(k.in, k.h, k.w, &whole, 1, how, antialias), 0);
        CHECK_EQ(wrong<float>(k.in, k.h, k.w, &whole, 1, how, antialias), 0);
        CHECK_EQ(wrong<double>(k.in, k.h, k.w, &whole, 1, how, antialias), 0);
      }
    }
  }
}

void test_rectangles_of_many_sizes() {
  const Shape in = {9, 31, 33, 3};
  std::vector<Rectangle> rectangles;
  for (std::int64_t i = 0; i < in.n; ++i) rectangles.push_back({i % 4, i % 3, in.h - i % 4 - i % 2, in.w - i % 3});
  rectangles[4] = {30, 32, 1, 1};
  rectangles[7] = {0, 0, 31, 33};
  for (const Interpolation how : kInterpolations) {
    CHECK_EQ(wrong<std::uint8_t>(in, 31, 33, rectangles.data(), in.n, how, true), 0);
    CHECK_EQ(wrong<float>(in, 31, 33, rectangles.data(), in.n, how, true), 0);
  }
}

// Cells of parts of rows; sums along a row that are longer than a transposed piece, and down more rows than are kept.
void test_wide_and_tall() {
  const struct {
    Shape in;
    std::int64_t h, w;
  } cases[] = {{{1, 2, 20000, 1}, 3, 40001},
               {{1, 1, 9000, 2}, 1, 1},
               {{1, 9000, 1, 1}, 3, 2},
               {{1, 3, 500, 300}, 2, 501},
               {{2, 9001, 3, 5}, 2, 4}};
  for (const auto& k : cases) {
    const Rectangle whole = {0, 0, k.in.h, k.in.w};
    for (const Interpolation how : {Interpolation::bilinear, Interpolation::bicubic, Interpolation::area}) {
      CHECK_EQ(wrong<std::uint8_t>(k.in, k.h, k.w, &whole, 1, how, true), 0);
      CHECK_EQ(wrong<std::uint16_t>(k.in, k.h, k.w, &whole, 1, how, true), 0);
    }
  }
}

void test_opencv4_equals_the_formula() {
  const struct {
    Shape in;
    std::int64_t h, w;
  } cases[] = {{{3, 28, 28, 3}, 32, 32}, {{1, 1, 1, 1}, 3, 2},   {{1, 24, 24, 1}, 28, 28},    {{1, 20, 50, 3}, 9, 12},
               {{1, 7, 6, 6}, 9, 9},     {{1, 5, 3, 4}, 11, 70}, {{1, 3, 9000, 1}, 2, 17001}, {{1, 40, 3, 2}, 7, 4}};
  for (const auto& k : cases) {
    for (const bool area : {false, true}) {
      const Fenced from(k.in.count(), true), to(k.in.n * k.h * k.w * k.in.c, true);
      const std::uint8_t* source = from.as<std::uint8_t>();
      const std::uint8_t* result = to.as<std::uint8_t>();
      fill(from.as<std::uint8_t>(), k.in.count());
      const Rectangle whole = {0, 0, k.in.h, k.in.w};
      opencv4::resize({source, Dtype::uint8, k.in.n, k.in.h, k.in.w, k.in.c}, &whole, 1,
                      area ? Interpolation::area : Interpolation::bilinear,
                      {to.as<void>(), Dtype::uint8, k.in.n, k.h, k.w, k.in.c}, 1);
      std::int64_t bad = 0;
      for (std::int64_t j = 0; j < k.in.n * k.h * k.w * k.in.c; ++j) {
        namespace formula = point::opencv4;
        const std::int64_t channel = j % k.in.c, x = j / k.in.c % k.w, y = j / k.in.c / k.w % k.h;
        const auto tap = [&](std::int64_t i, std::int64_t n_in, std::int64_t n_out) {
          return area ? formula::area_tap(i, n_in, n_out) : formula::bilinear_tap(i, n_in, n_out);
        };
        formula::Tap across = tap(x, k.in.w, k.w);
        const formula::Tap down = tap(y, k.in.h, k.h);
        if (across.index < 0 || across.index >= k.in.w - 1) across.f = 0.0F;
        const auto sum = [&](std::int64_t row) {
          const std::uint8_t* pixels =
              source + (j / (k.in.c * k.w * k.h) * k.in.h + std::min(std::max<std::int64_t>(row, 0), k.in.h - 1)) *
                           k.in.w * k.in.c;
          const auto value = [&](std::int64_t column) {
            return pixels[std::min(std::max<std::int64_t>(column, 0), k.in.w - 1) * k.in.c + channel];
          };
          return formula::resize_row(value(across.index), value(across.index + 1),
                                     formula::fixed_weight(1.0F - across.f), formula::fixed_weight(across.f));
        };
        bad += result[j] != formula::resize_column(sum(down.index), sum(down.index + 1),
                                                   formula::fixed_weight(1.0F - down.f), formula::fixed_weight(down.f));
      }
      CHECK_EQ(bad, 0);
    }
  }
}

// The weights of an output pixel: as many as promised, none zero at the ends, one in all.
void test_taps() {
  for (const std::int64_t n_in : {1, 2, 3, 7, 28, 100, 1000}) {
    for (const std::int64_t n_out : {1, 2, 3, 8, 32, 99, 1000}) {
      for (const Interpolation how : kInterpolations) {
        for (const bool antialias : {true, false}) {
          const point::Axis axis = {n_in, n_out, how, antialias};
          const AxisTaps<double> taps(axis, 0, n_out);
          CHECK(taps.begin >= 0 && taps.end <= n_in && taps.most <= point::most_taps(axis));
          for (std::int64_t i = 0; i < n_out; ++i) {
            const double* w = &taps.weight[i * taps.stride];
            double sum = 0.0;
            for (std::int64_t k = 0; k < taps.count[i]; ++k) sum += w[k];
            CHECK(std::fabs(sum - 1.0) < 1e-12);
            CHECK(w[0] != 0.0 && w[taps.count[i] - 1] != 0.0);
          }
        }
      }
    }
  }
}

// A quotient of doubles is not exact here: the last pixels cover two of the source each, no sliver of a third.
void test_taps_of_a_huge_axis() {
  const std::int64_t n_out = 800000001;
  const point::Axis axis = {2 * n_out, n_out, Interpolation::area, true};
  double weights[8];
  for (std::int64_t i = n_out - 100000; i < n_out; ++i) {
    const point::Span span = point::resize_taps(axis, i, weights);
    CHECK(span.first == 2 * i && span.count == 2 && std::fabs(weights[0] - 0.5) < 1e-6);
  }
}

}  // namespace

int main() {
  test_taps();
  test_taps_of_a_huge_axis();
  test_equals_the_formula();
  test_rectangles_of_many_sizes();
  test_wide_and_tall();
  test_opencv4_equals_the_formula();
  return augcore::testing::result();
}
