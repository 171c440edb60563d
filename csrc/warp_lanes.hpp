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
    find_box();
    fits_ = box_.h() * box_.w() * in.c <= tile_elements(method);
    if (fits_) {
      plan_.set_offsets(method, box_.y0, box_.x0, box_.w(), in.c);
      find_taps();
      tile_.resize(lines(box_.h() * box_.w() * in.c + in.c));
      lanes_out_.resize(lines(kRunPixels * in.c));
    } else {
      plan_.set_offsets(method, 0, 0, in.w, in.c);
    }
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

  void find_box() {
    plan_.walk(
        0, plan_.pixels,
        [&](std::int64_t first, std::int64_t count) {
          const auto [x0, x1] = std::minmax_element(&plan_.column[first], &plan_.column[first] + count);
          const auto [y0, y1] = std::minmax_element(&plan_.row[first], &plan_.row[first] + count);
          const std::int64_t before = method_.before();
          // A pair at the last pixel of an axis of one pixel is that pixel twice.
          box_.include(*y0 - before, *x0 - before);
          box_.include(std::min<std::int64_t>(*y1 + method_.after(), in_.h - 1),
                       std::min<std::int64_t>(*x1 + method_.after(), in_.w - 1));
        },
        [&](const auto& near) {
          const point::Taps taps = method_.taps_at(in_, near.at);
          for (int j = 0; j < taps.per_axis; ++j) {
            for (int i = 0; i < taps.per_axis; ++i) {
              if (taps.rows[j] >= 0 && taps.columns[i] >= 0) box_.include(taps.rows[j], taps.columns[i]);
            }
          }
        });
  }

  // Of the pixels near a border: where in the tile their taps are. The fill value stands behind the box.
  void find_taps() {
    for (const auto& near : plan_.near) {
      const point::Taps taps = method_.taps_at(in_, near.at);
      plan_.fx[near.pixel] = static_cast<F>(taps.fx);
      plan_.fy[near.pixel] = static_cast<F>(taps.fy);
      for (int j = 0; j < taps.per_axis; ++j) {
        for (int i = 0; i < taps.per_axis; ++i) {
          const bool inside = taps.rows[j] >= 0 && taps.columns[i] >= 0;
          const std::int64_t at = ((taps.rows[j] - box_.y0) * box_.w() + taps.columns[i] - box_.x0) * in_.c;
          taps_.push_back(taps.outside ? kOutside : static_cast<std::int32_t>(inside ? at : fill_at()));
        }
      }
    }
  }

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
        [&](const auto& near) { mix_near(near.pixel, &near - plan_.near.data(), out + (near.pixel - first) * pixel); });
  }

  // A pixel that mixes some from outside of the image: number `number` of them.
  void mix_near(std::int64_t pixel, std::int64_t number, T* out) {
    const int count = method_.taps() * method_.taps();
    const std::int32_t* at = &taps_[number * count];
    const bool outside = at[0] == kOutside;
    for (std::int64_t channel = 0; channel < in_.c; ++channel, out += kernels_.lanes) {
      const T* taps[16];
      for (int k = 0; k < count; ++k) taps[k] = tile() + ((outside ? fill_at() : at[k]) + channel) * kernels_.lanes;
      kernels_.lanes_of_taps(taps, outside ? 1 : count, plan_.fx[pixel], plan_.fy[pixel], out);
    }
  }

  static constexpr std::int32_t kOutside = -1;

  const Method<T, F>& method_;
  const simd::WarpKernels<T, F>& kernels_;
  const Images& in_;
  const OutputImages& out_;
  const Cell block_;
  Plan<T, F> plan_;
  typename Plan<T, F>::Box box_;
  bool fits_ = false;
  std::vector<std::int32_t> taps_;
  std::vector<std::int64_t> images_;
  std::vector<const T*> sources_;
  std::vector<T*> targets_;
  std::vector<Line> tile_, lanes_out_;
};

}  // namespace augcore::engine
