// Whole-pixel moves: shifts and flips. A thread makes a few words of the output, one after the other.
//
// Floor: every byte is read once and written once, at the bandwidth of a copy.
#include "copy.cuh"

namespace augcore::cuda {
namespace {

template <typename T>
__global__ void __launch_bounds__(kBlock)
    shift_kernel(const T* in, Copy copy, PerImage shifts, Border border, PerImage fill, T* out, bool aligned) {
  const std::int64_t c = copy.channels.value(), in_row = copy.in_w * c;
  const auto by = [&](std::int64_t image, int axis) {
    return static_cast<std::int64_t>(point::limit_position(of_image(shifts, image)[axis]));
  };
  const auto value = [&](const Place& place) {
    const std::int64_t column = copy.channels.quotient(place.element), channel = place.element - column * c;
    const std::int64_t x = point::border_index(column + by(place.image, 0), copy.in_w, border);
    const std::int64_t y = point::border_index(place.y + by(place.image, 1), copy.in_h, border);
    if (x < 0 || y < 0) return static_cast<T>(of_image(fill, place.image)[channel]);
    return __ldg(in + ((place.image * copy.in_h + y) * copy.in_w + x) * c + channel);
  };
  const auto whole = [&](const Place& place, T* values) {
    if constexpr (kPack<T> == 1) return false;
    const std::int64_t dx = by(place.image, 0);
    const std::int64_t y = point::border_index(place.y + by(place.image, 1), copy.in_h, border);
    if (y < 0 || dx <= -copy.in_w || dx >= copy.in_w) return false;  // dx c does not overflow
    const std::int64_t element = place.element + dx * c;
    if (element < 0 || element + kPack<T> > in_row) return false;
    const std::uint32_t word = load_word(in + (place.image * copy.in_h + y) * in_row + element);
    for (int i = 0; i < kPack<T>; ++i) values[i] = static_cast<T>(word >> (8 * sizeof(T) * i));
    return true;
  };
  write_all(copy, out, aligned, value, whole);
}

template <typename T>
__global__ void __launch_bounds__(kBlock)
    flip_kernel(const T* in, Copy copy, bool horizontal, bool vertical, T* out, bool aligned) {
  const std::int64_t c = copy.channels.value();
  const auto value = [&](const Place& place) {
    const std::int64_t column = copy.channels.quotient(place.element), channel = place.element - column * c;
    const std::int64_t x = horizontal ? copy.in_w - 1 - column : column;
    const std::int64_t y = vertical ? copy.in_h - 1 - place.y : place.y;
    return __ldg(in + ((place.image * copy.in_h + y) * copy.in_w + x) * c + channel);
  };
  const auto whole = [&](const Place& place, T* values) {
    if (kPack<T> == 1 || horizontal) return false;
    const std::int64_t row = (place.image * copy.in_h + copy.in_h - 1 - place.y) * copy.row.value();
    const std::uint32_t word = load_word(in + row + place.element);
    for (int i = 0; i < kPack<T>; ++i) values[i] = static_cast<T>(word >> (8 * sizeof(T) * i));
    return true;
  };
  write_all(copy, out, aligned, value, whole);
}

}  // namespace

void shift(const Images& in, const PerImage& shifts, Border border, const PerImage& fill, const OutputImages& out,
           Stream stream) {
  const Copy copy = copy_of(in, out);
  by_dtype(in.dtype, [&](auto pixel) {
    using T = decltype(pixel);
    T* to = static_cast<T*>(out.data);
    launch("shift", shift_kernel<T>, blocks_of<T>(copy), kBlock, 0, stream, static_cast<const T*>(in.data), copy,
           shifts, border, fill, to, is_aligned(to));
  });
}

void flip(const Images& in, bool horizontal, bool vertical, const OutputImages& out, Stream stream) {
  const Copy copy = copy_of(in, out);
  by_dtype(in.dtype, [&](auto pixel) {
    using T = decltype(pixel);
    T* to = static_cast<T*>(out.data);
    launch("flip", flip_kernel<T>, blocks_of<T>(copy), kBlock, 0, stream, static_cast<const T*>(in.data), copy,
           horizontal, vertical, to, is_aligned(to));
  });
}

}  // namespace augcore::cuda
