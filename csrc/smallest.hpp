// Collects the k smallest of a stream of items: the inside of a reservoir.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "draws.hpp"

namespace augcore {

class Smallest {
 public:
  Smallest(const Draw& draw, std::int64_t k) : draw_(draw), k_(k) {}

  // Items above `item` are passed over from now on: the caller has seen k that are not, or takes the risk.
  void limit(const Item& item) {
    if (!limited_ || item < limit_) limit_ = item;
    limited_ = true;
  }

  // Blocks are looked at in waves, between which the limit falls; after few items it falls fast, so the first waves are
  // small.
  template <typename T>
  void add(const T* scores, std::int64_t n, std::int64_t first_index, int threads) {
    InterruptPoller poller;  // a wave is too short to ask
    std::int64_t from = 0;
    while (from < n) {
      poller.poll();
      const std::int64_t wave = std::min(n - from, limited_ ? std::max(kWave, k_ / 2) : std::max(kFirstWave, k_));
      std::vector<std::vector<Item>> found((wave + kDrawBlock - 1) / kDrawBlock);
      for_draw_blocks(wave, threads, [&](std::int64_t first, std::int64_t last) {
        filter(scores + from + first, last - first, first_index + from + first, found[first / kDrawBlock]);
      });
      for (const std::vector<Item>& items : found) append(items);
      from += wave;
    }
  }

  void append(const std::vector<Item>& items) {
    items_.insert(items_.end(), items.begin(), items.end());
    if (static_cast<std::int64_t>(items_.size()) >= k_ + std::max(k_ / 2, kSpare)) drop_others();
  }

  const std::vector<Item>& items() const { return items_; }
  std::vector<Item> take() { return std::move(items_); }

 private:
  static constexpr std::int64_t kWave = 16 * kDrawBlock;
  static constexpr std::int64_t kFirstWave = 4096;
  static constexpr std::int64_t kSpare = 1024;

  void drop_others() {
    if (k_ == 0) {
      items_.clear();
      return limit({-std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(), -1});
    }
    std::nth_element(items_.begin(), items_.begin() + (k_ - 1), items_.end());
    items_.resize(k_);
    limit(items_.back());
  }

  // Those of a block that are not above the limit.
  template <typename T>
  void filter(const T* scores, std::int64_t n, std::int64_t first_index, std::vector<Item>& found) const {
    std::uint64_t words[kDrawChunk];
    double high[kDrawChunk], low[kDrawChunk];
    std::int32_t places[kDrawChunk];
    T chosen[kDrawChunk];
    const simd::SamplingKernels& kernels = simd::kernels().sampling;
    for (std::int64_t from = 0; from < n; from += kDrawChunk) {
      const T* part = scores + from;
      const std::int64_t m = std::min(kDrawChunk, n - from), first = first_index + from;
      draw_.words(first, m, words);
      if (!limited_) {
        if (!kernels.of(T{}).keys(draw_.policy, part, words, m, high, low)) draw_.refuse();
        for (std::int64_t i = 0; i < m; ++i) found.push_back({high[i], low[i], first + i});
        continue;
      }
      const std::int64_t count = kernels.of(T{}).candidates(draw_.policy, part, words, m, limit_.high, places);
      if (count < 0) draw_.refuse();
      for (std::int64_t i = 0; i < count; ++i) {
        chosen[i] = part[places[i]];
        words[i] = words[places[i]];  // places rise, so what is read is not overwritten yet
      }
      kernels.of(T{}).keys(draw_.policy, chosen, words, count, high, low);
      for (std::int64_t i = 0; i < count; ++i) {
        const Item item = {high[i], low[i], first + places[i]};
        if (!(limit_ < item)) found.push_back(item);
      }
    }
  }

  Draw draw_;
  std::int64_t k_;
  std::vector<Item> items_;
  bool limited_ = false;
  Item limit_{};
};

}  // namespace augcore
