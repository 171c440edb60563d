// A libFuzzer target for all transforms: the input says the shapes, the parameters and the pixels. What is looked for
// are reports of the sanitizers; the batch and the result have memory of just their size.
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "augcore/copy.hpp"
#include "augcore/opencv4.hpp"
#include "augcore/own_warp.hpp"
#include "augcore/resize.hpp"
#include "augcore/warp.hpp"
#include "cells.hpp"

using namespace augcore;

namespace {

// Numbers from the bytes of the input; zeros behind its end.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}

  template <typename T>
  T take() {
    T value{};
    const std::size_t n = size_ < sizeof value ? size_ : sizeof value;
    std::memcpy(&value, data_, n);
    data_ += n;
    size_ -= n;
    return value;
  }

  std::int64_t up_to(std::int64_t most) { return take<std::uint8_t>() % (most + 1); }
  std::int64_t from_one(std::int64_t most) { return 1 + up_to(most - 1); }

  // Numbers as users have them, and any others.
  double number() {
    const std::int64_t kind = up_to(7);
    if (kind == 0) return take<double>();
    if (kind == 1) return static_cast<double>(take<std::int64_t>());
    const auto small = static_cast<double>(take<std::int16_t>());
    return kind < 4 ? small / 16.0 : kind < 6 ? small / 32768.0 : static_cast<double>(up_to(5)) - 2.0;
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
};

struct Shape {
  std::int64_t n, h, w, c;

  std::int64_t size() const { return n * h * w * c; }
};

// Small, or one of its sides longer than a vector, a row that is copied at once, a cell or a table.
Shape shape_of(Input& input) {
  Shape s = {input.from_one(4), input.from_one(20), input.from_one(20), input.from_one(5)};
  switch (input.up_to(15)) {
    case 0:
      s.n = input.from_one(140);
      break;
    case 1:
      s.h = input.from_one(250) * 20;
      s.w = input.from_one(2);
      break;
    case 2:
      s.w = input.from_one(250) * 20;
      s.h = input.from_one(2);
      break;
    case 3:
      s.c = input.from_one(200);
      break;
    default:
      break;
  }
  return s;
}

void run(Input& input) {
  const auto dtype = static_cast<Dtype>(input.up_to(3));
  const Shape in = shape_of(input);
  Shape out = in;
  if (input.up_to(1) == 1) {
    const Shape other = shape_of(input);
    out.h = other.h;
    out.w = other.w;
  }
  constexpr std::int64_t kMost = 100000;  // elements
  if (in.size() > kMost || out.size() > kMost) return;
  std::int64_t element = 0;
  by_dtype(dtype, [&](auto pixel) { element = sizeof pixel; });
  const std::unique_ptr<std::uint8_t[]> from(new std::uint8_t[in.size() * element]);
  const std::unique_ptr<std::uint8_t[]> to(new std::uint8_t[out.size() * element]);
  std::uint64_t pixels = input.take<std::uint64_t>();  // any bits: NaN and infinity among floats
  for (std::int64_t i = 0; i < in.size() * element; ++i) {
    pixels = pixels * 6364136223846793005u + 1442695040888963407u;
    from[i] = static_cast<std::uint8_t>(pixels >> 56);
  }
  const Images images = {from.get(), dtype, in.n, in.h, in.w, in.c};
  const OutputImages outputs = {to.get(), dtype, out.n, out.h, out.w, out.c};
  const int threads = 1;
  const auto interpolation = static_cast<Interpolation>(input.up_to(3));
  const auto border = static_cast<Border>(input.up_to(4));
  const bool of_each = input.up_to(1) == 1;
  const std::int64_t many = of_each ? in.n : 1;

  std::vector<double> fills(many * in.c);
  for (double& fill : fills) fill = input.number();
  const Interpolation warping = interpolation == Interpolation::area ? Interpolation::bilinear : interpolation;
  const Sampling sampling = {warping, border, {fills.data(), many}};
  std::vector<Rectangle> rectangles(many);
  std::vector<double> matrices(9 * many);
  std::vector<Shift> shifts(many);

  const auto draw_matrices = [&](bool affine) {
    for (std::int64_t i = 0; i < many; ++i) {
      double* m = &matrices[9 * i];
      if (i > 0 && input.up_to(1) == 1) {
        std::memcpy(m, m - 9, 9 * sizeof(double));
        continue;
      }
      for (int k = 0; k < 9; ++k) m[k] = k < 6 || !affine ? input.number() : k == 8 ? 1.0 : 0.0;
    }
  };
  const auto draw_rectangles = [&] {
    for (Rectangle& r : rectangles) {
      r.h = 1 + input.take<std::uint16_t>() % in.h;
      r.w = 1 + input.take<std::uint16_t>() % in.w;
      r.top = input.take<std::uint16_t>() % (in.h - r.h + 1);
      r.left = input.take<std::uint16_t>() % (in.w - r.w + 1);
    }
  };
  switch (input.up_to(7)) {
    case 0:
    case 1:
      draw_matrices(input.up_to(3) > 0);
      return warp(images, matrices.data(), many, sampling, outputs, threads);
    case 2:
      if (dtype != Dtype::uint8) return;
      draw_matrices(true);
      return opencv4::warp(images, matrices.data(), many, outputs, threads);
    case 3:
      draw_rectangles();
      return resize(images, rectangles.data(), many, interpolation, input.up_to(1) == 1, outputs, threads);
    case 4:
      if (dtype != Dtype::uint8) return;
      draw_rectangles();
      return opencv4::resize(images, rectangles.data(), many,
                             input.up_to(1) == 1 ? Interpolation::area : Interpolation::bilinear, outputs, threads);
    case 5: {
      for (Shift& shift : shifts) {
        const auto draw = [&] {
          return input.up_to(7) == 0 ? input.take<std::int64_t>() >> 13 : std::int64_t{input.take<std::int8_t>()};
        };
        shift = {draw(), draw()};
      }
      return shift(images, {nullptr, in.n}, shifts.data(), many, border, sampling.fill, outputs, threads);
    }
    case 6:
      if (out.h != in.h || out.w != in.w) return;
      return flip(images, input.up_to(1) == 1, input.up_to(1) == 1, outputs, threads);
    default: {
      std::vector<double> positions(2 * out.h * out.w);
      for (double& position : positions) position = input.number();
      return warp_by_positions(images, positions.data(), sampling, outputs, threads);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  run(input);
  return 0;
}
