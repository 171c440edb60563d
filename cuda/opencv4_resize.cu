// Resizing with the arithmetic of OpenCV 4: two pixels of each of two rows for an element, which words of the output
// hold four of.
//
// Floor: every byte is read once and written once. What limits it is the first cache: two taps of 16 bytes and four
// pixels for each element, most of them those of its neighbours.
#include "augcore/cuda/opencv4.hpp"
#include "augcore/point/opencv4.hpp"
#include "copy.cuh"
#include "resize.cuh"

namespace augcore::cuda::opencv4 {
namespace {

namespace formula = point::opencv4;

__global__ void __launch_bounds__(kBlock)
    table_kernel(Sizes sizes, std::int64_t n_out, bool area, bool columns, std::int32_t* taps) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * kBlock + threadIdx.x;
  if (row >= sizes.n * n_out) return;
  const std::int64_t size = row / n_out;
  const formula::FixedTap tap = formula::fixed_tap(row - size * n_out, size_of(sizes, size), n_out, area, columns);
  std::int32_t* own = taps + 4 * row;
  own[0] = static_cast<std::int32_t>(tap.first);
  own[1] = static_cast<std::int32_t>(tap.second);
  own[2] = tap.weight_first;
  own[3] = tap.weight_second;
}

__global__ void __launch_bounds__(kBlock)
    resize_kernel(const std::uint8_t* in, Copy copy, Rectangles rectangles, const std::int32_t* down,
                  const std::int32_t* across, std::int64_t n_rows, std::int64_t n_columns, std::uint8_t* out,
                  bool aligned) {
  const std::int64_t c = copy.channels.value();
  const auto value = [&](const Place& place) {
    const Window window = window_of(rectangles, place.image);
    const std::int64_t column = copy.channels.quotient(place.element), channel = place.element - column * c;
    const std::int32_t* x = across + 4 * (window.width * n_columns + column);
    const std::int32_t* y = down + 4 * (window.height * n_rows + place.y);
    const std::uint8_t* corner = in + ((window.image * copy.in_h + window.top) * copy.in_w + window.left) * c + channel;
    const auto row = [&](std::int64_t number) {
      const std::uint8_t* line = corner + number * copy.in_w * c;
      return formula::resize_row(__ldg(line + x[0] * c), __ldg(line + x[1] * c), x[2], x[3]);
    };
    return formula::resize_column(row(y[0]), row(y[1]), y[2], y[3]);
  };
  write_all(copy, out, aligned, value, [](const Place&, std::uint8_t*) { return false; });
}

}  // namespace

void resize_table(const Sizes& sizes, std::int64_t n_out, bool area, bool columns, std::int32_t* taps, Stream stream) {
  launch("resize table", table_kernel, blocks_for(sizes.n * n_out, kBlock), kBlock, 0, stream, sizes, n_out, area,
         columns, taps);
}

void resize(const Images& in, const Rectangles& rectangles, const std::int32_t* down, const std::int32_t* across,
            const OutputImages& out, Stream stream) {
  const Copy copy = copy_of(in, out);
  auto* to = static_cast<std::uint8_t*>(out.data);
  launch("resize", resize_kernel, blocks_of<std::uint8_t>(copy), kBlock, 0, stream,
         static_cast<const std::uint8_t*>(in.data), copy, rectangles, down, across, out.h, out.w, to, is_aligned(to));
}

}  // namespace augcore::cuda::opencv4
