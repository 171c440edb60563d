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
    for (std::int64_t i = 0; i < n; ++i) {
      const point::Span span = resize_taps(axis, from + i, &weight[i * stride]);
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

 private:
  static point::Span resize_taps(const point::Axis& axis, std::int64_t i, double* weights) {
    return point::resize_taps(axis, i, weights);
  }
  static point::Span resize_taps(const point::Axis& axis, std::int64_t i, float* weights) {
    double in_double[point::kMostFloatTaps + 1];
    const point::Span span = point::resize_taps(axis, i, in_double);
    std::transform(in_double, in_double + span.count, weights, [](double w) { return static_cast<float>(w); });
    return span;
  }
};

// The tables of simd::ByteKernels for rows of n outputs of up to kByteTaps taps.
class ByteTable {
 public:
  // bytes: of a row, for each tap and then each of n outputs. together: vectors that the kernel takes at once. False
  // where the level has no such kernels, or where bytes are too far apart for a window.
  bool make(std::int64_t n, std::int64_t taps, std::int64_t together, const std::vector<std::int64_t>& bytes) {
    outputs_ = simd::kernels().resize.bytes.outputs;
    if (outputs_ == 0 || taps > simd::kByteTaps) return false;
    n_ = n;
    pairs_ = (taps + 1) / 2;
    const std::int64_t step = together * outputs_;
    vectors_ = (n + step - 1) / step * together;
    window_.assign(vectors_, 0);
    word_.resize(vectors_ * pairs_ * outputs_);
    byte_.assign(vectors_ * pairs_ * outputs_ * 4, 0x80);
    order_.resize(vectors_ * outputs_);
    for (std::int64_t j = 0; j < vectors_ * outputs_; ++j) order_[j] = std::min(j, n - 1);
    reach_ = 0;
    for (std::int64_t v = 0; v < vectors_; ++v) {
      if (!make_vector(v, taps, bytes)) return false;
    }
    return true;
  }

  // For each tap and then each output; a tap that an output does not have weighs nothing.
  void set_weights(std::int64_t taps, const std::vector<float>& weights) {
    weight_.assign(vectors_ * pairs_ * outputs_ * 2, 0.0F);
    for (std::int64_t tap = 0; tap < taps; ++tap) {
      for (std::int64_t v = 0; v < vectors_; ++v) {
        float* to = &weight_[(2 * (v * pairs_ + tap / 2) + tap % 2) * outputs_];
        for (std::int64_t j = 0; j < outputs_; ++j) to[j] = weights[tap * n_ + order_[v * outputs_ + j]];
      }
    }
  }
  void set_fixed_weights(const std::vector<std::int16_t>& weights) {
    fixed_.resize(vectors_ * outputs_ * 2);
    for (std::int64_t j = 0; j < vectors_ * outputs_; ++j) {
      fixed_[2 * j] = weights[order_[j]];
      fixed_[2 * j + 1] = weights[n_ + order_[j]];
    }
  }

  simd::ByteTaps view() const {
    return {vectors_, pairs_, window_.data(), word_.data(), byte_.data(), weight_.data(), fixed_.data()};
  }
  std::int64_t width() const { return vectors_ * outputs_; }  // outputs that are written
  std::int64_t reach() const { return reach_; }               // bytes of a row that may be read

 private:
  bool make_vector(std::int64_t v, std::int64_t taps, const std::vector<std::int64_t>& bytes) {
    const std::int64_t window = simd::kernels().resize.bytes.window;
    const std::int64_t* order = &order_[v * outputs_];
    std::int64_t base = bytes[order[0]];
    for (std::int64_t tap = 0; tap < taps; ++tap) {
      for (std::int64_t j = 0; j < outputs_; ++j) base = std::min(base, bytes[tap * n_ + order[j]]);
    }
    if (base > std::numeric_limits<std::int32_t>::max()) return false;
    window_[v] = static_cast<std::int32_t>(base);
    reach_ = std::max(reach_, base + window);
    for (std::int64_t pair = 0; pair < pairs_; ++pair) {
      const std::int64_t first = 2 * pair;
      const std::int64_t second = std::min(first + 1, taps - 1);
      for (std::int64_t lane = 0; lane < outputs_; lane += 4) {
        const std::int64_t at = (v * pairs_ + pair) * outputs_ + lane;
        std::int32_t* words = &word_[at];
        int n_words = 0;
        // The place of a byte among the 16 of the lane, or none.
        const auto place = [&](std::int64_t byte) {
          const std::int64_t word = (byte - base) / 4;
          const auto i = static_cast<int>(std::find(words, words + n_words, word) - words);
          if (i == 4 || word >= window / 4) return -1;
          if (i == n_words) words[n_words++] = static_cast<std::int32_t>(word);
          return 4 * i + static_cast<int>((byte - base) % 4);
        };
        for (std::int64_t i = 0; i < 4; ++i) {
          const int byte0 = place(bytes[first * n_ + order[lane + i]]);
          const int byte1 = place(bytes[second * n_ + order[lane + i]]);
          if (byte0 < 0 || byte1 < 0) return false;
          byte_[(at + i) * 4] = static_cast<std::uint8_t>(byte0);
          byte_[(at + i) * 4 + 2] = static_cast<std::uint8_t>(byte1);
        }
        std::fill(words + n_words, words + 4, words[0]);
      }
    }
    return true;
  }

  std::int64_t n_ = 0, outputs_ = 0, vectors_ = 0, pairs_ = 1, reach_ = 0;
  std::vector<std::int64_t> order_;  // the output at each place; places past the end repeat the last
  AlignedVector<std::int32_t> window_, word_;
  AlignedVector<std::uint8_t> byte_;
  AlignedVector<float> weight_;
  AlignedVector<std::int16_t> fixed_;
};

}  // namespace augcore
