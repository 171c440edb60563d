// Warps of many images with one matrix: one image in each lane of a vector (simd/lanes.inl).
//
// The output is cut into blocks; of each group of images the part that a block reads is brought into lanes, a tile that
// stays in the second-level cache, and what comes out of it is brought back.
#pragma once

#include "warp_engine.hpp"

namespace augcore::engine {

// Vectors of the widest instruction set, aligned for it.
struct alignas(64) Line {
  unsigned char bytes[64];
};

template <typename T, typename F>
class LaneWarp {
 public:
  LaneWarp(const Method<T, F>& method, const Images& in, const OutputImages& out, const Cell& block, const double* m)
      : method_(method), kernels_(method.kernels), in_(in), out_(out), block_(block) {
    plan_.make(method, in, block, m);
    box_ = plan_.box(method, in);
    fits_ = box_.h() * box_.w() * in.c <= tile_elements(method);
    if (fits_) {
      tile_.resize(lines(box_.h() * box_.w() * in.c + in.c));
      lanes_out_.resize(lines(std::min(kRunPixels, block.pixels()) * in.c));
    } else {
      box_ = {0, in.h, 0, in.w};
    }
    plan_.set_offsets(method, in, box_);
  }

  // A tile is at most so large. Blocks are cut so that theirs are smaller: what a turned block reads is more than it
  // writes.
  static constexpr std::int64_t kTileBytes = 655360;
  static std::int64_t tile_elements(const Method<T, F>& method) {
    return kTileBytes / (method.kernels.lanes * std::int64_t{sizeof(T)});
  }

  // The images of the given indices, `count` of them.
  void run(const std::int64_t* indices, std::int64_t count) {
    if (!fits_) {
      for (std::int64_t i = 0; i < count; ++i) run_one(indices[i]);
      return;
    }
    for (std::int64_t first = 0; first < count; first += kernels_.lanes) {
      run_group(indices + first, std::min(kernels_.lanes, count - first));
    }
  }

 private:
  static constexpr std::int64_t kRunPixels = 64;  // brought back at once

  std::int64_t lines(std::int64_t elements) const {
    return elements * kernels_.lanes * std::int64_t{sizeof(T)} / std::int64_t{sizeof(Line)} + 1;
  }

  T* tile() { return reinterpret_cast<T*>(tile_.data()); }
  T* lanes_out() { return reinterpret_cast<T*>(lanes_out_.data()); }

  // Where in the tile the fill value stands.
  std::int64_t fill_at() const { return box_.h() * box_.w() * in_.c; }

  void run_one(std::int64_t image) {
    const std::int64_t w = block_.x1 - block_.x0;
    for (std::int64_t y = block_.y0; y < block_.y1; ++y) {
      const std::int64_t first = (y - block_.y0) * w;
      run_plan(method_, plan_, in_, image, first, first + w, target(image, y));
    }
  }

  // The block's part of row y.
  T* target(std::int64_t image, std::int64_t y) const {
    return static_cast<T*>(out_.data) + ((image * out_.h + y) * out_.w + block_.x0) * out_.c;
  }

  void run_group(const std::int64_t* indices, std::int64_t count) {
    // Lanes without an image of their own repeat the last one, and write the same to the same place.
    images_.resize(kernels_.lanes);
    for (std::int64_t i = 0; i < kernels_.lanes; ++i) images_[i] = indices[std::min(i, count - 1)];
    collect();
    targets_.resize(kernels_.lanes);
    const std::int64_t w = block_.x1 - block_.x0;
    // Whole rows lie behind each other in the output.
    const std::int64_t rows = w == out_.w ? block_.y1 - block_.y0 : 1;
    for (std::int64_t y = block_.y0; y < block_.y1; y += rows) {
      const std::int64_t begin = (y - block_.y0) * w;
      for (std::int64_t first = 0; first < rows * w; first += kRunPixels) {
        const std::int64_t n = std::min(kRunPixels, rows * w - first);
        mix(begin + first, begin + first + n);
        for (std::int64_t i = 0; i < kernels_.lanes; ++i) targets_[i] = target(images_[i], y) + first * out_.c;
        kernels_.distribute(lanes_out(), n * out_.c, targets_.data());
      }
    }
  }

  void collect() {
    sources_.resize(kernels_.lanes);
    const std::int64_t rows = box_.w() == in_.w ? box_.h() : 1;
    const std::int64_t elements = rows * box_.w() * in_.c;
    for (std::int64_t y = box_.y0; y < box_.y1; y += rows) {
      for (std::int64_t i = 0; i < kernels_.lanes; ++i) {
        sources_[i] = static_cast<const T*>(in_.data) + ((images_[i] * in_.h + y) * in_.w + box_.x0) * in_.c;
      }
      kernels_.collect(sources_.data(), elements, tile() + (y - box_.y0) * box_.w() * in_.c * kernels_.lanes);
    }
    T* fill = tile() + fill_at() * kernels_.lanes;
    for (std::int64_t i = 0; i < kernels_.lanes; ++i) {
      const T* values = method_.fill(images_[i], in_.c);
      for (std::int64_t channel = 0; channel < in_.c; ++channel) fill[channel * kernels_.lanes + i] = values[channel];
    }
  }

  void mix(std::int64_t first, std::int64_t last) {
    const simd::Neighbours step = {in_.w > 1 ? in_.c : 0, in_.h > 1 ? box_.w() * in_.c : 0};
    T* out = lanes_out();
    const std::int64_t pixel = in_.c * kernels_.lanes;
    const auto mix_inside = method_.taps() == 4 ? kernels_.lanes_bicubic : kernels_.lanes_bilinear;
    plan_.walk(
        first, last,
        [&](std::int64_t i, std::int64_t n) {
          T* to = out + (i - first) * pixel;
          if (method_.taps() == 1) {
            kernels_.lanes_nearest(tile(), in_.c, &plan_.offset[i], n, to);
          } else {
            mix_inside(tile(), step, in_.c, &plan_.offset[i], &plan_.fx[i], &plan_.fy[i], n, to);
          }
        },
        [&](std::size_t i) { mix_near(i, out + (plan_.near[i] - first) * pixel); });
  }

  // Number i of the pixels near the border.
  void mix_near(std::size_t i, T* out) {
    const int count = method_.taps() * method_.taps();
    const std::int32_t* at = &plan_.taps[i * count];
    const int used = at[0] == simd::kOutside ? 1 : count;
    for (std::int64_t channel = 0; channel < in_.c; ++channel, out += kernels_.lanes) {
      const T* taps[16];
      for (int k = 0; k < used; ++k) taps[k] = tile() + ((at[k] < 0 ? fill_at() : at[k]) + channel) * kernels_.lanes;
      kernels_.lanes_of_taps(taps, used, plan_.fx[plan_.near[i]], plan_.fy[plan_.near[i]], out);
    }
  }

  const Method<T, F>& method_;
  const simd::WarpKernels<T, F>& kernels_;
  const Images& in_;
  const OutputImages& out_;
  const Cell block_;
  Plan<T, F> plan_;
  typename Plan<T, F>::Box box_;
  bool fits_ = false;
  std::vector<std::int64_t> images_;
  std::vector<const T*> sources_;
  std::vector<T*> targets_;
  std::vector<Line> tile_, lanes_out_;
};

}  // namespace augcore::engine
