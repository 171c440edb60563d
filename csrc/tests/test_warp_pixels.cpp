// Warps, bit for bit, against the definition of one pixel: every way that a batch can take, between pages that must not
// be touched.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "augcore/opencv4.hpp"
#include "augcore/point/opencv4.hpp"
#include "augcore/point/warp.hpp"
#include "augcore/threads.hpp"
#include "augcore/warp.hpp"
#include "cells.hpp"
#include "check.hpp"
#include "fenced.hpp"

using namespace augcore;
using augcore::testing::Fenced;

namespace {

constexpr Border kBorders[] = {Border::edge, Border::constant, Border::reflect, Border::symmetric, Border::wrap};
constexpr Interpolation kInterpolations[] = {Interpolation::nearest, Interpolation::bilinear, Interpolation::bicubic};

struct Shape {
  std::int64_t n, h, w, c;

  std::int64_t size() const { return n * h * w * c; }
};

template <typename T>
constexpr Dtype kDtype = sizeof(T) == 1   ? Dtype::uint8
                         : sizeof(T) == 2 ? Dtype::uint16
                         : sizeof(T) == 4 ? Dtype::float32
                                          : Dtype::float64;

template <typename T>
void fill(T* to, std::int64_t n) {
  std::minstd_rand random(static_cast<unsigned>(n));
  for (std::int64_t i = 0; i < n; ++i) {
    const auto bits = static_cast<std::uint32_t>(random());
    to[i] = point::Pixel<T>::kInteger ? static_cast<T>(bits >> 7) : static_cast<T>(bits / 1e6 - 500.0);
  }
}

template <typename T>
void expect(const T* image, const Shape& in, const double* m, const Sampling& how, const T* fills, double x, double y,
            T* out) {
  const bool projective = m[6] != 0.0 || m[7] != 0.0 || m[8] != 1.0;
  point::sample(image, in.h, in.w, in.c, point::source_position(m, projective, x, y), how.interpolation, how.border,
                fills, out);
}

void expect_opencv4(const std::uint8_t* image, const Shape& in, const double* m, std::int64_t x, std::int64_t y,
                    std::uint8_t* out) {
  namespace formula = point::opencv4;
  const auto position = [&](const double* row, std::int64_t n) {
    const std::int64_t at = formula::source_position(formula::fixed_position(row[0] * static_cast<double>(x)),
                                                     formula::fixed_position(row[1] * static_cast<double>(y) + row[2]));
    return std::min(std::max<std::int64_t>(at, 0), 32 * (n - 1));
  };
  const std::int64_t sx = position(m, in.w), sy = position(m + 3, in.h);
  const auto pixel = [&](std::int64_t j, std::int64_t i) {
    return image + (std::min(j, in.h - 1) * in.w + std::min(i, in.w - 1)) * in.c;
  };
  const std::int64_t x0 = sx / 32, y0 = sy / 32;
  for (std::int64_t k = 0; k < in.c; ++k) {
    out[k] = formula::bilinear(pixel(y0, x0)[k], pixel(y0, x0 + 1)[k], pixel(y0 + 1, x0)[k], pixel(y0 + 1, x0 + 1)[k],
                               static_cast<std::int32_t>(sx % 32), static_cast<std::int32_t>(sy % 32));
  }
}

// matrices: one, or one for each image; fills: c numbers, or as many for each image. opencv4 takes neither border nor
// interpolation from `how`.
template <typename T>
void check_warp(const Shape& in, std::int64_t h, std::int64_t w, const std::vector<double>& matrices,
                const Sampling& how, bool opencv4, int threads, bool at_end) {
  const Shape out = {in.n, h, w, in.c};
  const Fenced from(in.size() * sizeof(T), at_end), to(out.size() * sizeof(T), at_end);
  T* source = from.as<T>();
  fill(source, in.size());
  const Images images = {source, kDtype<T>, in.n, in.h, in.w, in.c};
  const OutputImages outputs = {to.data(), kDtype<T>, out.n, out.h, out.w, out.c};
  const auto n_matrices = static_cast<std::int64_t>(matrices.size()) / 9;
  if (opencv4) {
    opencv4::warp(images, matrices.data(), n_matrices, outputs, threads);
  } else {
    warp(images, matrices.data(), n_matrices, how, outputs, threads);
  }
  std::int64_t wrong = 0;
  std::vector<T> want(in.c), fills(in.c);
  for (std::int64_t i = 0; i < in.n; ++i) {
    const double* m = &matrices[n_matrices > 1 ? 9 * i : 0];
    const T* image = source + i * in.h * in.w * in.c;
    for (std::int64_t k = 0; k < in.c; ++k) fills[k] = point::to_pixel<T>(how.fill.of(i, in.c)[k]);
    for (std::int64_t y = 0; y < h; ++y) {
      for (std::int64_t x = 0; x < w; ++x) {
        if constexpr (sizeof(T) == 1) {
          if (opencv4) expect_opencv4(image, in, m, x, y, want.data());
        }
        if (!opencv4) {
          expect(image, in, m, how, fills.data(), static_cast<double>(x), static_cast<double>(y), want.data());
        }
        wrong += std::memcmp(want.data(), to.as<T>() + ((i * h + y) * w + x) * in.c, in.c * sizeof(T)) != 0;
      }
    }
  }
  CHECK_EQ(wrong, 0);
  CHECK(to.canaries_live());
}

std::vector<double> rotation(double degrees, std::int64_t h, std::int64_t w) {
  const double c = std::cos(degrees / 57.29577951308232), s = std::sin(degrees / 57.29577951308232);
  const double x = static_cast<double>(w - 1) / 2, y = static_cast<double>(h - 1) / 2;
  return {c, -s, x - c * x + s * y, s, c, y - s * x - c * y, 0, 0, 1};
}

std::vector<std::vector<double>> matrices_of(std::int64_t h, std::int64_t w) {
  return {rotation(5.0, h, w),
          rotation(-77.0, h, w),
          {0.3, 0, 0.25, 0, 0.4, 0.5, 0, 0, 1},          // enlarges: many read the last pixels
          {1, 0, 0.5, 0, 1, -0.25, 0, 0, 1},             // a shift by parts of pixels
          {2.5, 0.1, -3, -0.2, 3.5, -2, 0, 0, 1},        // far outside on all sides
          {0.9, 0.1, 0, 0.05, 1.1, 0, 0.02, 0.03, 0.9},  // a perspective
          {1, 0, 0, 0, 1, 0, 0.5, 0.25, -1.5},           // with its horizon in the picture
          {1, 0, 1e9, 0, 1, -1e15, 0, 0, 1}};
}

// Images that are warped one by one, together, and in lanes; whole rows, parts of rows, single pixels.
template <typename T>
void test_pixels() {
  const Shape shapes[] = {{1, 1, 1, 1},  {70, 1, 1, 3},   {3, 1, 2, 2},   {2, 2, 1, 4},    {40, 2, 2, 1}, {1, 3, 3, 5},
                          {1, 4, 4, 3},  {2, 4, 5, 1},    {33, 5, 7, 2},  {1, 5, 4, 4},    {1, 9, 1, 3},  {1, 1, 40, 1},
                          {1, 20, 3, 2}, {66, 12, 17, 3}, {2, 33, 70, 1}, {1, 30, 150, 3}, {1, 12, 66, 4}};
  for (const Shape& in : shapes) {
    std::vector<double> fills(in.n * in.c);
    for (std::size_t i = 0; i < fills.size(); ++i) fills[i] = static_cast<double>(i % 250);
    int turn = 0;
    for (const std::vector<double>& m : matrices_of(in.h, in.w)) {
      for (const bool of_each : {false, true}) {
        std::vector<double> matrices;
        for (std::int64_t i = 0; i < (of_each ? in.n : 1); ++i) matrices.insert(matrices.end(), m.begin(), m.end());
        // Some for themselves, and some moves by whole pixels among them.
        for (std::int64_t i = 0; of_each && i < in.n; i += 5) matrices[9 * i + 2] += static_cast<double>(i % 3);
        for (std::int64_t i = 2; of_each && i < in.n; i += 7) {
          const double move[] = {1, 0, static_cast<double>(i % 4), 0, 1, -1, 0, 0, 1};
          std::copy_n(move, 9, &matrices[9 * i]);
        }
        for (const Border border : kBorders) {
          for (const Interpolation interpolation : kInterpolations) {
            ++turn;
            const Sampling how = {interpolation, border, {fills.data(), turn % 2 == 0 ? 1 : in.n}};
            const std::int64_t h = turn % 3 == 0 ? in.h + 3 : in.h, w = turn % 3 == 0 ? in.w / 2 + 1 : in.w;
            check_warp<T>(in, h, w, matrices, how, false, 1 + turn % 3, turn % 4 != 0);
          }
        }
        if (sizeof(T) == 1 && m[8] == 1.0) {
          check_warp<T>(in, in.h, in.w, matrices, {{}, {}, {fills.data(), 1}}, true, 2, true);
        }
      }
    }
  }
}

// So many matrices that they share places of a hash table; the first are those of the last again.
void test_many_matrices() {
  for (const std::int64_t n : {2, 3, 50, 700}) {
    const Shape in = {n, 4, 5, 1};
    std::vector<double> matrices;
    for (std::int64_t i = 0; i < n; ++i) {
      const std::vector<double> m = rotation(static_cast<double>(i % (n - n / 8)), in.h, in.w);
      matrices.insert(matrices.end(), m.begin(), m.end());
    }
    const double fill = 7.0;
    check_warp<std::uint8_t>(in, 4, 5, matrices, {Interpolation::bilinear, Border::constant, {&fill, 1}}, false, 2,
                             true);
    check_warp<std::uint8_t>(in, 4, 5, matrices, {{}, {}, {&fill, 1}}, true, 2, true);
  }
}

// Offsets of pixels far outside of a wide image do not fit 32 bits; only the part of it that is read takes memory.
void test_a_wide_image() {
  const std::int64_t w = (std::int64_t{1} << 25) - 2, c = 20;
  const Shape out = {1, 8, 30, c};
  const Fenced from(w * c, true, false), to(out.size(), true);
  const std::vector<double> fills(c, 9.0);
  const double m[] = {0.5, 0, static_cast<double>(w) - 5, 0, 1, -4.5, 0, 0, 1};
  for (const Interpolation interpolation : kInterpolations) {
    warp({from.data(), Dtype::uint8, 1, 1, w, c}, m, 1, {interpolation, Border::constant, {fills.data(), 1}},
         {to.data(), Dtype::uint8, 1, out.h, out.w, c}, 1);
    CHECK_EQ(to.data()[0], 9);
    CHECK_EQ(to.data()[out.size() - 1], 9);
    CHECK(to.canaries_live());
  }
}

// Images that have more pixels along an axis than a plan counts.
void test_a_huge_image() {
  const double fill = 9.0;
  const Shape in = {1, 1, (std::int64_t{1} << 25) + 5, 1};
  const std::vector<double> m = {0.5, 0.1, static_cast<double>(in.w) - 6, 0, 0.7, -0.5, 0, 0, 1};
  for (const Interpolation interpolation : kInterpolations) {
    check_warp<std::uint8_t>(in, 3, 20, m, {interpolation, Border::reflect, {&fill, 1}}, false, 2, true);
  }
  check_warp<std::uint8_t>(in, 3, 20, m, {{}, {}, {&fill, 1}}, true, 2, true);
}

std::atomic<int> g_asked{0};

bool stop() {
  ++g_asked;
  return true;
}

// Many groups of images, each done long before the hook is due.
void test_groups_can_be_interrupted() {
  const std::int64_t n = 64000;
  const Shape in = {n, 16, 16, 1};
  std::vector<double> matrices;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::vector<double> m = rotation(static_cast<double>(i / 64) / 50.0 + 0.01, in.h, in.w);
    matrices.insert(matrices.end(), m.begin(), m.end());
  }
  const std::vector<std::uint8_t> pixels(in.size(), 5);
  std::vector<std::uint8_t> result(in.size());
  const double fill = 0.0;
  set_interrupt_hook(stop);
  bool stopped = false;
  try {
    warp({pixels.data(), Dtype::uint8, n, in.h, in.w, 1}, matrices.data(), n,
         {Interpolation::bicubic, Border::edge, {&fill, 1}}, {result.data(), Dtype::uint8, n, in.h, in.w, 1}, 1);
  } catch (const Interrupted&) {
    stopped = true;
  }
  set_interrupt_hook(nullptr);
  CHECK(stopped && g_asked == 1);
  CHECK_EQ(result.back(), 0);  // it did not come so far
}

}  // namespace

int main() {
  test_pixels<std::uint8_t>();
  test_pixels<std::uint16_t>();
  test_pixels<float>();
  test_pixels<double>();
  test_many_matrices();
  test_a_wide_image();
  test_a_huge_image();
  test_groups_can_be_interrupted();
  return augcore::testing::result();
}
