// Source rows on their way to output rows: which are needed, and those that are resampled along x, kept while they are.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "aligned.hpp"

namespace augcore {

// The source rows that are needed, in order, and the row where each output row begins among them. An output row needs
// neighbours.
struct NeededRows {
  std::vector<std::int64_t> source;
  std::vector<std::int64_t> begin;

  // first, count: of each output row.
  NeededRows(const std::vector<std::int64_t>& first, const std::vector<std::int64_t>& count) {
    std::int64_t end = 0;
    for (std::size_t y = 0; y < first.size(); ++y) end = std::max(end, first[y] + count[y]);
    std::vector<std::int64_t> place(end, -1);
    for (std::size_t y = 0; y < first.size(); ++y) {
      std::fill_n(place.begin() + first[y], count[y], 0);
    }
    for (std::int64_t i = 0; i < end; ++i) {
      if (place[i] < 0) continue;
      place[i] = static_cast<std::int64_t>(source.size());
      source.push_back(i);
    }
    for (const std::int64_t i : first) begin.push_back(place[i]);
  }
};

// Rows of A, made in blocks in order and kept in a ring.
template <typename A>
class RowCache {
 public:
  // The rows begin[y] ... begin[y] + count[y] - 1 are there together for every y in turn.
  RowCache(const NeededRows& needed, const std::vector<std::int64_t>& count, std::int64_t block, std::int64_t width)
      : block_(block), width_((width + 63) / 64 * 64), pointers_(block) {
    std::int64_t made = 0;
    std::int64_t slots = block;
    for (std::size_t y = 0; y < count.size(); ++y) {
      made = std::max(made, (needed.begin[y] + count[y] + block - 1) / block * block);
      slots = std::max(slots, made - needed.begin[y]);
    }
    while (slots_ < slots) slots_ *= 2;
    values_.resize(slots_ * width_);
  }

  void clear() { made_ = 0; }

  // Makes the rows before `end`; make(k, rows) makes rows k ... k + block - 1.
  template <typename Make>
  void require(std::int64_t end, const Make& make) {
    for (; made_ < end; made_ += block_) {
      for (std::int64_t i = 0; i < block_; ++i) pointers_[i] = row(made_ + i);
      make(made_, pointers_.data());
    }
  }

  A* row(std::int64_t k) { return values_.data() + (k & (slots_ - 1)) * width_; }

 private:
  std::int64_t block_, width_;
  std::int64_t slots_ = 1;
  std::int64_t made_ = 0;
  AlignedVector<A> values_;
  std::vector<A*> pointers_;
};

// The rows of an image are short and their order is no processor's guess: what comes next is fetched ahead, which
// made batches in memory a third faster.
constexpr std::int64_t kRowsAhead = 4;

template <typename T>
void prefetch_read(const T* p, std::int64_t n) {
  for (std::int64_t j = 0; j < n; j += 64 / sizeof(T)) __builtin_prefetch(p + j, 0);
}
template <typename T>
void prefetch_write(T* p, std::int64_t n) {
  for (std::int64_t j = 0; j < n; j += 64 / sizeof(T)) __builtin_prefetch(p + j, 1);
}

// Wide loads read past the end of a row. Where that would be past the end of the batch, the row is copied first.
class RowGuard {
 public:
  // row_bytes: of a row that mean something; reach: bytes that may be read.
  RowGuard(std::int64_t row_bytes, std::int64_t reach, std::int64_t rows)
      : row_bytes_(row_bytes), reach_(reach), stride_((std::max(row_bytes, reach) + 63) / 64 * 64) {
    copies_.resize(stride_ * rows);
  }

  // end: of the batch. i: which of the rows of a block.
  const std::uint8_t* row(const std::uint8_t* from, const std::uint8_t* end, std::int64_t i) {
    if (end - from >= reach_) return from;
    std::uint8_t* copy = copies_.data() + i * stride_;
    std::memcpy(copy, from, row_bytes_);
    return copy;
  }

 private:
  std::int64_t row_bytes_, reach_, stride_;
  AlignedVector<std::uint8_t> copies_;
};

}  // namespace augcore
