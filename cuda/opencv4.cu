// Warps with the arithmetic of OpenCV 4: a thread makes the few neighbouring pixels that fill words of the output.
//
// Integers but for the positions. Floor: every byte is read once and written once; neighbouring pixels read the same
// lines of the first cache.
#include "augcore/cuda/opencv4.hpp"
#include "augcore/point/opencv4.hpp"
#include "copy.cuh"

namespace augcore::cuda::opencv4 {
namespace {

namespace formula = point::opencv4;

struct Source {
  const std::uint8_t* pixels;  // of the whole batch
  std::int64_t h, w;
};

template <int C>
__global__ void __launch_bounds__(kBlock)
    warp_kernel(Source in, Target target, PerImage matrices, std::uint8_t* out, bool aligned) {
  write_pixels<std::uint8_t, C>(
      target, out, aligned, [&](std::int64_t image, std::int64_t x, std::int64_t y, std::uint8_t* values) {
        const formula::Source source =
            formula::source_of(of_image(matrices, image), static_cast<double>(x), static_cast<double>(y), in.h, in.w);
        const std::uint8_t* pixels = in.pixels + image * in.h * in.w * C;
        for (int k = 0; k < C; ++k) values[k] = formula::sample(pixels + k, in.w, C, source);
      });
}

// Pixels with many channels: element by element.
__global__ void __launch_bounds__(kBlock)
    warp_channel_kernel(const std::uint8_t* in, Copy copy, PerImage matrices, std::uint8_t* out, bool aligned) {
  const std::int64_t c = copy.channels.value();
  const auto value = [&](const Place& place) {
    const std::int64_t x = copy.channels.quotient(place.element), channel = place.element - x * c;
    const formula::Source source = formula::source_of(of_image(matrices, place.image), static_cast<double>(x),
                                                      static_cast<double>(place.y), copy.in_h, copy.in_w);
    return formula::sample(in + place.image * copy.in_h * copy.in_w * c + channel, copy.in_w, c, source);
  };
  write_all(copy, out, aligned, value, [](const Place&, std::uint8_t*) { return false; });
}

}  // namespace

void warp(const Images& in, const PerImage& matrices, const OutputImages& out, Stream stream) {
  const auto* pixels = static_cast<const std::uint8_t*>(in.data);
  auto* to = static_cast<std::uint8_t*>(out.data);
  const Target target = target_of(out);
  const auto run = [&](auto kernel) {
    launch("warp", kernel, blocks_for(target.n, static_cast<std::int64_t>(kBlock) * kPack<std::uint8_t>), kBlock, 0,
           stream, Source{pixels, in.h, in.w}, target, matrices, to, is_aligned(to));
  };
  switch (in.c) {
    case 1:
      return run(warp_kernel<1>);
    case 3:
      return run(warp_kernel<3>);
    case 4:
      return run(warp_kernel<4>);
    default: {
      const Copy copy = copy_of(in, out);
      launch("warp", warp_channel_kernel, blocks_of<std::uint8_t>(copy), kBlock, 0, stream, pixels, copy, matrices, to,
             is_aligned(to));
    }
  }
}

}  // namespace augcore::cuda::opencv4
