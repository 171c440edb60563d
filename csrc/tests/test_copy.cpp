// Shifts and flips against a pixel by pixel reference, between pages that must not be touched, and the writer.
#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "augcore/copy.hpp"
#include "augcore/point/interpolate.hpp"
#include "cells.hpp"
#include "check.hpp"
#include "fenced.hpp"
#include "writer.hpp"

using namespace augcore;
using augcore::testing::Fenced;
using augcore::testing::kCanary;

namespace {

constexpr Border kBorders[] = {Border::edge, Border::constant, Border::reflect, Border::symmetric, Border::wrap};
constexpr Dtype kDtypes[] = {Dtype::uint8, Dtype::uint16, Dtype::float32, Dtype::float64};
struct Shape {
  std::int64_t n, h, w, c;

  std::int64_t size() const { return n * h * w * c; }
};

std::int64_t element(Dtype dtype) {
  std::int64_t bytes = 0;
  by_dtype(dtype, [&](auto pixel) { bytes = sizeof pixel; });
  return bytes;
}

// A batch and what shall become of it, everything per image.
struct Case {
  Shape in;
  Shape out;
  Dtype dtype;
  std::vector<Shift> shifts;
  Border border;
  std::vector<double> fill;
  bool flip_x = false, flip_y = false;

  std::int64_t bytes() const { return element(dtype); }
};

// Pixel (x, y) of image i, by the definition.
void reference_pixel(const Case& c, const std::uint8_t* in, std::int64_t i, std::int64_t y, std::int64_t x,
                     std::uint8_t* out) {
  const Shift by = c.shifts[c.shifts.size() > 1 ? i : 0];
  const std::int64_t from_x = c.flip_x ? c.in.w - 1 - x : point::border_index(x + by.x, c.in.w, c.border);
  const std::int64_t from_y = c.flip_y ? c.in.h - 1 - y : point::border_index(y + by.y, c.in.h, c.border);
  const std::int64_t pixel = c.in.c * c.bytes();
  if (from_x >= 0 && from_y >= 0) {
    std::memcpy(out, in + ((i * c.in.h + from_y) * c.in.w + from_x) * pixel, pixel);
    return;
  }
  by_dtype(c.dtype, [&](auto p) {
    const double* fill = c.fill.data() + (static_cast<std::int64_t>(c.fill.size()) > c.in.c ? i * c.in.c : 0);
    for (std::int64_t k = 0; k < c.in.c; ++k) {
      const auto value = point::to_pixel<decltype(p)>(fill[k]);
      std::memcpy(out + k * sizeof p, &value, sizeof p);
    }
  });
}

// The images of the list, or all.
void check_case(const Case& c, const std::vector<std::int64_t>& list, int threads, bool at_end) {
  const std::int64_t in_bytes = c.in.size() * c.bytes(), out_bytes = c.out.size() * c.bytes();
  const std::int64_t image_bytes = out_bytes / c.out.n, pixel = c.in.c * c.bytes();
  Fenced in(in_bytes, at_end), out(out_bytes, !at_end);
  std::minstd_rand random(static_cast<unsigned>(in_bytes));
  for (std::int64_t i = 0; i < in_bytes; ++i) in.data()[i] = static_cast<std::uint8_t>(random() >> 8);
  std::vector<std::uint8_t> want(out_bytes, kCanary);
  const std::int64_t n = list.empty() ? c.in.n : static_cast<std::int64_t>(list.size());
  Case by_image = c;  // shifts are given per selected image
  if (c.shifts.size() > 1) {
    for (std::int64_t k = 0; k < n; ++k) by_image.shifts[list.empty() ? k : list[k]] = c.shifts[k];
  }
  for (std::int64_t k = 0; k < n; ++k) {
    const std::int64_t i = list.empty() ? k : list[k];
    std::uint8_t* to = want.data() + i * image_bytes;
    for (std::int64_t y = 0; y < c.out.h; ++y) {
      for (std::int64_t x = 0; x < c.out.w; ++x, to += pixel) reference_pixel(by_image, in.data(), i, y, x, to);
    }
  }
  const Images images = {in.data(), c.dtype, c.in.n, c.in.h, c.in.w, c.in.c};
  const OutputImages outputs = {out.data(), c.dtype, c.out.n, c.out.h, c.out.w, c.out.c};
  if (c.flip_x || c.flip_y) {
    flip(images, c.flip_x, c.flip_y, outputs, threads);
  } else {
    const Fill fill = {c.fill.data(), static_cast<std::int64_t>(c.fill.size()) / c.in.c};
    shift(images, {list.empty() ? nullptr : list.data(), n}, c.shifts.data(),
          static_cast<std::int64_t>(c.shifts.size()), c.border, fill, outputs, threads);
  }
  CHECK(std::memcmp(out.data(), want.data(), out_bytes) == 0);
  CHECK(out.canaries_live());
}

std::vector<double> fills(std::int64_t n) {
  std::vector<double> values(n);
  for (std::int64_t i = 0; i < n; ++i) values[i] = 0.5 + static_cast<double>(i % 250);
  return values;
}

// Pixels of 1 to 40 bytes, rows shorter and longer than a vector, than the writer takes, and than a task.
const Shape kShapes[] = {{3, 1, 1, 1},   {40, 7, 1, 1},   {9, 5, 28, 1},   {3, 1, 33, 1},    {5, 9, 11, 3},
                         {2, 12, 32, 3}, {2, 3, 5, 5},    {2, 64, 100, 1}, {1, 3, 1700, 3},  {3, 2, 2, 4},
                         {1, 40, 31, 2}, {1, 2, 5000, 1}, {2, 2, 3, 1100}, {1, 1, 70000, 4}, {2, 150, 180, 3}};

void test_shifts() {
  const std::int64_t far = std::int64_t{1} << 50;
  const Shift shifts[] = {{-3, -3}, {1, 2},   {0, -1},     {4, 0},
                          {-2, 30}, {40, -1}, {far, -far}, {-far / 1024 - 1, far / 1024}};
  for (const Shape& in : kShapes) {
    for (const Dtype dtype : kDtypes) {
      int turn = 0;
      for (const Border border : kBorders) {
        for (const Shift& by : shifts) {
          ++turn;
          if (in.size() > 20000 && turn % 5 != 0) continue;  // the large ones take their time
          Shape out = in;
          if (turn % 3 == 1) out.h += 4, out.w = out.w * 2 + 1;
          if (turn % 3 == 2) out.h = (out.h + 1) / 2, out.w = (out.w + 1) / 2;
          const Case c = {in, out, dtype, {by}, border, fills(in.c)};
          check_case(c, {}, 1 + turn % 3, turn % 2 == 0);
        }
      }
    }
  }
}

void test_shifts_of_each_image() {
  const Shape in = {60, 9, 10, 3};
  std::vector<Shift> shifts;
  std::minstd_rand random(7);
  for (int i = 0; i < in.n; ++i) {
    const auto draw = [&] { return static_cast<std::int64_t>(random() % 25) - 12; };
    shifts.push_back({draw(), draw()});
  }
  for (const Dtype dtype : kDtypes) {
    for (const Border border : kBorders) {
      const Case all = {in, in, dtype, shifts, border, fills(in.n * in.c)};
      check_case(all, {}, 2, true);
      const std::vector<std::int64_t> list = {59, 3, 4, 5, 0, 30};
      Case some = all;
      check_case(some, list, 1, false);
      some.shifts.resize(1);
      check_case(some, list, 2, true);
      check_case(some, {}, 1, true);
    }
  }
}

void test_flips() {
  for (const Shape& in : kShapes) {
    for (const Dtype dtype : kDtypes) {
      for (int axes = 1; axes < 4; ++axes) {
        Case c = {in, in, dtype, {{0, 0}}, Border::edge, fills(in.c)};
        c.flip_x = axes != 2;
        c.flip_y = axes != 1;
        check_case(c, {}, axes, axes % 2 == 0);
        check_case(c, {}, axes, axes % 2 != 0);
      }
    }
  }
}

// A batch that goes past the cache, unless that takes too much memory here.
void test_large_batches() {
  std::int64_t images = 1;
  while (!exceeds_cache(images * 3072)) images *= 2;
  if (images * 3072 > std::int64_t{256} << 20) return;
  const Case c = {{images, 32, 32, 3}, {images, 32, 32, 3}, Dtype::uint8, {{-3, 2}}, Border::edge, fills(3)};
  check_case(c, {}, 2, true);
  Case flipped = c;
  flipped.flip_x = flipped.flip_y = true;
  check_case(flipped, {}, 2, false);
}

// Runs of bytes at odd places, written with bytes beyond what is meant.
void test_writer() {
  std::minstd_rand random(3);
  for (const bool past_cache : {false, true}) {
    for (int round = 0; round < 200; ++round) {
      const std::int64_t size = 1 + static_cast<std::int64_t>(random() % 20000);
      Fenced out(size, round % 2 == 0);
      std::vector<std::uint8_t> want(size, kCanary);
      {
        Writer writer(past_cache);
        for (std::int64_t at = 0; at < size;) {
          at += static_cast<std::int64_t>(random() % 200);
          const std::int64_t run = std::min<std::int64_t>(size - at, static_cast<std::int64_t>(random() % 9000));
          if (run <= 0) break;
          writer.go_to(out.data() + at, run);
          for (std::int64_t done = 0; done < run;) {
            const std::int64_t most = std::min(run - done, Writer::kCapacity);
            const std::int64_t bytes = 1 + static_cast<std::int64_t>(random() % most);
            const auto value = static_cast<std::uint8_t>(random() >> 8);
            std::memset(writer.room_for(bytes), value, bytes + Writer::kSlack);
            writer.added(bytes);
            std::memset(want.data() + at + done, value, bytes);
            done += bytes;
          }
          at += run;
        }
      }
      CHECK(std::memcmp(out.data(), want.data(), size) == 0);
      CHECK(out.canaries_live());
    }
  }
}

}  // namespace

int main() {
  test_shifts();
  test_shifts_of_each_image();
  test_flips();
  test_large_batches();
  test_writer();
  return augcore::testing::result();
}
