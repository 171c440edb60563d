// Tables of resizing, made once for all images of one size: which pixels are summed, and how bytes of a row are picked.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "aligned.hpp"
#include "augcore/point/resize.hpp"
#include "simd/levels.hpp"

namespace augcore {

// The taps of some output positions along one axis. Source pixels are counted from `begin`.
template <typename A>
struct AxisTaps {
  std::int64_t begin, end;  // of all pixels that are read
  std::int64_t most = 1;    // taps of one position
  std::int64_t stride;      // of the weights
  std::vector<std::int64_t> first, count;
  std::vector<A> weight;

  // Output positions from ... to - 1.
  AxisTaps(const point::Axis& axis, std::int64_t from, std::int64_t to)
      : begin(axis.n_in), end(0), stride(point::most_taps(axis) + 1) {
    const std::int64_t n = to - from;
    first.resize(n);
    count.resize(n);
    weight.resize(n * stride);
    std::vector<double> weights(stride);
    for (std::int64_t i = 0; i < n; ++i) {
      const point::Span span = point::resize_taps(axis, from + i, weights.data());
      for (std::int64_t k = 0; k < span.count; ++k) weight[i * stride + k] = static_cast<A>(weights[k]);
      first[i] = span.first;
      count[i] = span.count;
      begin = std::min(begin, span.first);
      end = std::max(end, span.first + span.count);
      most = std::max(most, span.count);
    }
    for (std::int64_t& i : first) i -= begin;
  }

  std::int64_t size() const { return static_cast<std::int64_t>(first.size()); }
  simd::RowTaps<A> view() const { return {size(), first.data(), count.data(), weight.data(), stride}; }
};

// The tables of simd::ByteKernels for rows of n outputs of up to four taps.
class ByteTable {
 public:
  // Output `index` and tap -> byte of the row. False where the level has no such kernels, or where bytes are too far
  // apart for a window. alternate: the order of outputs that across_opencv4 wants.
  template <typename Index>
  bool make(std::int64_t n, std::int64_t taps, bool alternate, const Index& index) {
    outputs_ = simd::kernels().resize.bytes.outputs;
    if (outputs_ == 0 || taps > 4) return false;
    n_ = n;
    alternate_ = alternate;
    pairs_ = (taps + 1) / 2;
    const std::int64_t step = alternate ? 2 * outputs_ : outputs_;
    vectors_ = (n + step - 1) / step * (step / outputs_);
    window_.assign(vectors_, 0);
    word_.resize(vectors_ * pairs_ * outputs_);
    byte_.assign(vectors_ * pairs_ * outputs_ * 4, 0x80);
    reach_ = 0;
    for (std::int64_t v = 0; v < vectors_; ++v) {
      if (!make_vector(v, taps, index)) return false;
    }
    return true;
  }

  // Output and tap -> weight; a tap that an output does not have weighs nothing.
  template <typename Weight>
  void set_weights(const Weight& weight) {
    weight_.resize(vectors_ * pairs_ * outputs_ * 2);
    for_each([&](std::int64_t at, std::int64_t j, std::int64_t output, std::int64_t tap) {
      weight_[2 * at * outputs_ + tap % 2 * outputs_ + j] = weight(output, tap);
    });
  }
  template <typename Weight>
  void set_fixed_weights(const Weight& weight) {
    fixed_.resize(vectors_ * pairs_ * outputs_ * 2);
    for_each([&](std::int64_t at, std::int64_t j, std::int64_t output, std::int64_t tap) {
      fixed_[2 * (at * outputs_ + j) + tap % 2] = weight(output, tap);
    });
  }

  simd::ByteTaps view() const {
    return {vectors_, pairs_, window_.data(), word_.data(), byte_.data(), weight_.data(), fixed_.data()};
  }
  std::int64_t width() const { return vectors_ * outputs_; }  // outputs that are written
  std::int64_t reach() const { return reach_; }               // bytes of a row that may be read

 private:
  // Place j of vector v; places past the end repeat the last output.
  std::int64_t output(std::int64_t v, std::int64_t j) const {
    const std::int64_t at = alternate_ ? v / 2 * 2 * outputs_ + j / 4 * 8 + v % 2 * 4 + j % 4 : v * outputs_ + j;
    return std::min(at, n_ - 1);
  }

  template <typename F>
  void for_each(const F& f) const {
    for (std::int64_t v = 0; v < vectors_; ++v) {
      for (std::int64_t tap = 0; tap < 2 * pairs_; ++tap) {
        for (std::int64_t j = 0; j < outputs_; ++j) f(v * pairs_ + tap / 2, j, output(v, j), tap);
      }
    }
  }

  template <typename Index>
  bool make_vector(std::int64_t v, std::int64_t taps, const Index& index) {
    const std::int64_t bytes = simd::kernels().resize.bytes.window;
    std::int64_t base = index(output(v, 0), 0);
    for (std::int64_t j = 0; j < outputs_; ++j) {
      for (std::int64_t tap = 0; tap < taps; ++tap) base = std::min<std::int64_t>(base, index(output(v, j), tap));
    }
    if (base > std::numeric_limits<std::int32_t>::max()) return false;
    window_[v] = static_cast<std::int32_t>(base);
    reach_ = std::max(reach_, base + bytes);
    for (std::int64_t pair = 0; pair < pairs_; ++pair) {
      const std::int64_t last_tap = std::min(taps, 2 * pair + 2);
      for (std::int64_t lane = 0; lane < outputs_; lane += 4) {
        std::int64_t low = index(output(v, lane), 2 * pair);
        for (std::int64_t j = lane; j < lane + 4; ++j) {
          for (std::int64_t tap = 2 * pair; tap < last_tap; ++tap) {
            low = std::min<std::int64_t>(low, index(output(v, j), tap));
          }
        }
        const std::int64_t word = std::min((low - base) / 4, bytes / 4 - 4);
        const std::int64_t at = (v * pairs_ + pair) * outputs_ + lane;
        for (std::int64_t i = 0; i < 4; ++i) word_[at + i] = static_cast<std::int32_t>(word + i);
        for (std::int64_t j = 0; j < 4; ++j) {
          for (std::int64_t tap = 2 * pair; tap < last_tap; ++tap) {
            const std::int64_t byte = index(output(v, lane + j), tap) - base - 4 * word;
            if (byte > 15) return false;
            byte_[(at + j) * 4 + tap % 2 * 2] = static_cast<std::uint8_t>(byte);
          }
        }
      }
    }
    return true;
  }

  std::int64_t n_ = 0, outputs_ = 0, vectors_ = 0, pairs_ = 1, reach_ = 0;
  bool alternate_ = false;
  AlignedVector<std::int32_t> window_, word_;
  AlignedVector<std::uint8_t> byte_;
  AlignedVector<float> weight_;
  AlignedVector<std::int16_t> fixed_;
};

}  // namespace augcore
