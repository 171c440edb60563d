// Warps: a thread makes the few neighbouring pixels that fill words of the output.
//
// The arithmetic is that of point/warp.hpp, operation by operation (compiled without contraction), so that the bytes
// are those of the CPU. Floor: every byte is read once and written once; neighbouring pixels read the same lines of
// the first cache.
#include "augcore/point/warp.hpp"
#include "pixels.cuh"

namespace augcore::cuda {
namespace {

template <typename T>
struct Source {
  const T* pixels;  // of the whole batch
  std::int64_t h, w, c;
  const T* end;
};

// The two neighbours along a row, C channels each, that a bilinear pixel mixes.
template <typename T, int C>
struct Neighbours {
  T values[2 * C];

  __device__ __forceinline__ Neighbours(const T* from, const T* end) {
    if constexpr (sizeof(T) == 1 && 2 * C <= 8) {
      if (end - from >= 8) {  // two words may be read
        const std::uint32_t words[2] = {load_word(from), 2 * C > 4 ? load_word(from + 4) : 0};
        for (int k = 0; k < 2 * C; ++k) values[k] = static_cast<T>(words[k / 4] >> (8 * (k % 4)));
        return;
      }
    }
    for (int k = 0; k < 2 * C; ++k) values[k] = __ldg(from + k);
  }
};

// Where a pixel and all that it mixes lie inside of the image.
template <Interpolation interpolation>
__device__ __forceinline__ bool is_inside(double at, std::int64_t n) {
  if constexpr (interpolation == Interpolation::nearest) {
    return at >= 0.0 && at <= static_cast<double>(n - 1);
  } else if constexpr (interpolation == Interpolation::bilinear) {
    return at >= 0.0 && at < static_cast<double>(n - 1);
  } else {
    return at >= 1.0 && at < static_cast<double>(n - 2);
  }
}

// One pixel of C channels inside of an image, by the formulas that point::sample puts together.
template <typename T, int C, Interpolation interpolation>
__device__ __forceinline__ void inner_pixel(const Source<T>& source, const T* image, point::Position at, T* out) {
  using Real = point::Real<T>;
  if constexpr (interpolation == Interpolation::nearest) {
    const auto x = static_cast<std::int64_t>(point::round_half_even(at.x));
    const auto y = static_cast<std::int64_t>(point::round_half_even(at.y));
    for (int k = 0; k < C; ++k) out[k] = __ldg(image + (y * source.w + x) * C + k);
    return;
  }
  const auto x0 = static_cast<std::int64_t>(at.x), y0 = static_cast<std::int64_t>(at.y);
  const auto fx = static_cast<Real>(at.x - static_cast<double>(x0));
  const auto fy = static_cast<Real>(at.y - static_cast<double>(y0));
  const std::int64_t row = source.w * C;
  if constexpr (interpolation == Interpolation::bilinear) {
    const T* corner = image + y0 * row + x0 * C;
    const Neighbours<T, C> above(corner, source.end), below(corner + row, source.end);
    for (int k = 0; k < C; ++k) {
      out[k] = point::to_pixel<T>(
          point::bilinear<T>(above.values[k], above.values[C + k], below.values[k], below.values[C + k], fx, fy));
    }
  } else {
    Real wx[4], wy[4];
    point::cubic_weights(fx, wx);
    point::cubic_weights(fy, wy);
    const T* corner = image + (y0 - 1) * row + (x0 - 1) * C;
    for (int k = 0; k < C; ++k) {
      Real mixed[4];
      for (int j = 0; j < 4; ++j) {
        const T* v = corner + j * row + k;
        mixed[j] = point::cubic<T>(__ldg(v), __ldg(v + C), __ldg(v + 2 * C), __ldg(v + 3 * C), wx, fx);
      }
      out[k] = point::to_pixel<T>(point::cubic<T>(mixed[0], mixed[1], mixed[2], mixed[3], wy, fy));
    }
  }
}

__device__ __forceinline__ bool is_affine(const double* m) { return m[6] == 0.0 && m[7] == 0.0 && m[8] == 1.0; }

// Pixels with a few channels, their number known to the compiler.
template <typename T, int C, Interpolation interpolation>
__global__ void __launch_bounds__(kBlock) warp_kernel(Source<T> source, Target target, PerImage matrices, Border border,
                                                      PerImage fill, T* out, bool aligned) {
  write_pixels<T, C>(target, out, aligned, [&](std::int64_t image, std::int64_t x, std::int64_t y, T* values) {
    const double* m = of_image(matrices, image);
    const point::Position at = point::source_position(m, !is_affine(m), static_cast<double>(x), static_cast<double>(y));
    const T* pixels = source.pixels + image * source.h * source.w * C;
    if (is_inside<interpolation>(at.x, source.w) && is_inside<interpolation>(at.y, source.h)) {
      inner_pixel<T, C, interpolation>(source, pixels, at, values);
    } else {
      T outside[C];
      for (int k = 0; k < C; ++k) outside[k] = static_cast<T>(of_image(fill, image)[k]);
      point::sample(pixels, source.h, source.w, std::int64_t{C}, at, interpolation, border, outside, values);
    }
  });
}

// Pixels with many channels, and those at positions of the caller's own: a thread for each element. positions: (x, y)
// of each pixel of an image, or null.
template <typename T>
__global__ void __launch_bounds__(kBlock)
    warp_channel_kernel(Source<T> source, Target target, Divisor channels, PerImage matrices, const double* positions,
                        Interpolation interpolation, Border border, PerImage fill, T* out) {
  const std::int64_t element = static_cast<std::int64_t>(blockIdx.x) * kBlock + threadIdx.x;
  if (element >= target.n * source.c) return;
  const std::int64_t pixel = channels.quotient(element), channel = element - pixel * source.c;
  const std::int64_t image = target.image.quotient(pixel), inside = pixel - image * target.image.value();
  point::Position at;
  if (positions != nullptr) {
    at = {point::limit_position(__ldg(positions + 2 * inside)),
          point::limit_position(__ldg(positions + 2 * inside + 1))};
  } else {
    const std::int64_t y = target.row.quotient(inside), x = inside - y * target.row.value();
    const double* m = of_image(matrices, image);
    at = point::source_position(m, !is_affine(m), static_cast<double>(x), static_cast<double>(y));
  }
  const point::Taps taps = point::taps_at(at, source.h, source.w, interpolation, border);
  const T* pixels = source.pixels + image * source.h * source.w * source.c + channel;
  out[element] = point::sample_taps(pixels, source.w, source.c, taps, static_cast<T>(of_image(fill, image)[channel]));
}

template <typename T, int C>
void warp_few(const Source<T>& source, const Target& target, const PerImage& matrices, const Sampling& sampling, T* out,
              Stream stream) {
  const auto run = [&](auto kernel) {
    launch("warp", kernel, blocks_for(target.n, static_cast<std::int64_t>(kBlock) * kPack<T>), kBlock, 0, stream,
           source, target, matrices, sampling.border, sampling.fill, out, is_aligned(out));
  };
  switch (sampling.interpolation) {
    case Interpolation::nearest:
      return run(warp_kernel<T, C, Interpolation::nearest>);
    case Interpolation::bilinear:
      return run(warp_kernel<T, C, Interpolation::bilinear>);
    default:
      return run(warp_kernel<T, C, Interpolation::bicubic>);
  }
}

template <typename T>
void warp_channels(const Source<T>& source, const Target& target, const PerImage& matrices, const double* positions,
                   const Sampling& sampling, T* out, Stream stream) {
  const std::int64_t n = target.n * source.c;
  launch("warp", warp_channel_kernel<T>, blocks_for(n, kBlock), kBlock, 0, stream, source, target,
         Divisor(source.c, n >= Divisor::kNarrow), matrices, positions, sampling.interpolation, sampling.border,
         sampling.fill, out);
}

template <typename T>
Source<T> source_of(const Images& in) {
  const T* pixels = static_cast<const T*>(in.data);
  return {pixels, in.h, in.w, in.c, pixels + in.n * in.h * in.w * in.c};
}

}  // namespace

void warp(const Images& in, const PerImage& matrices, const Sampling& sampling, const OutputImages& out,
          Stream stream) {
  const Target target = target_of(out);
  by_dtype(in.dtype, [&](auto pixel) {
    using T = decltype(pixel);
    T* to = static_cast<T*>(out.data);
    const Source<T> source = source_of<T>(in);
    switch (in.c) {
      case 1:
        return warp_few<T, 1>(source, target, matrices, sampling, to, stream);
      case 3:
        return warp_few<T, 3>(source, target, matrices, sampling, to, stream);
      case 4:
        return warp_few<T, 4>(source, target, matrices, sampling, to, stream);
      default:
        return warp_channels<T>(source, target, matrices, nullptr, sampling, to, stream);
    }
  });
}

void warp_by_positions(const Images& in, const double* positions, const Sampling& sampling, const OutputImages& out,
                       Stream stream) {
  by_dtype(in.dtype, [&](auto pixel) {
    using T = decltype(pixel);
    warp_channels<T>(source_of<T>(in), target_of(out), PerImage{}, positions, sampling, static_cast<T*>(out.data),
                     stream);
  });
}

}  // namespace augcore::cuda
