#include "key_sort.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <utility>

#include "augcore/threads.hpp"
#include "large_array.hpp"
#include "simd/levels.hpp"
#include "word_sort.hpp"

namespace augcore {
namespace {

constexpr std::int64_t kBlock = 16384;        // items of one task: well under a millisecond
constexpr std::int64_t kMaxBlocks = 128;      // bounds the table of counts
constexpr std::int64_t kMaxCells = 4096;      // what a core writes to at once without losing sight of it
constexpr std::int64_t kItemsPerCell = 2048;  // before there are kMaxCells
constexpr std::int64_t kCellsPerTask = 16;
constexpr std::int64_t kChunk = 1024;    // numbers that stay in the nearest cache
constexpr std::int64_t kSampleRun = 16;  // neighbours in a sample, which are cheap to draw together
constexpr std::int64_t kFewSampleRuns = 64;
constexpr std::int64_t kManySampleRuns = 4096;
constexpr std::int64_t kLongRun = 2048;  // of items that only `at` tells apart: sorted as a set of their own
constexpr int kMaxDepth = 3;             // of such sets in sets, then comparisons do it

// Within a cell an item is one word: the lower 32 bits of its position on the line, then its place.
constexpr int kPlaceBits = 32;

constexpr double kCellWidth = 0x1p32;  // positions in a cell
constexpr double kMaxFactor = 0x1p1000;
constexpr double kNearest = 0x1p30;  // positions: what is not nearer may be in cells of its own

// sort_keys of items that stand in an array. depth: how many sets they are in, each a part of the one before.
void order_of(const std::vector<Item>& items, std::int64_t k, std::int64_t* order, int threads, int depth);

// The numbers are laid on a line, from the smallest to the largest of a sample of them, which is cut into cells of
// equal length; what is beyond falls into the outermost cells. Items are distributed to their cells, and cells are
// sorted. A position on the line never falls as the number rises, so only items whose positions are equal, or near
// where there is a tolerance, are left to tell apart; and since items are strictly ordered the result does not depend
// on the cells.
class KeySort {
 public:
  KeySort(const Items& items, std::int64_t n, std::int64_t k, int threads, int depth)
      : items_(items),
        line_(items.line()),
        n_(n),
        k_(k),
        threads_(threads),
        depth_(depth),
        block_(std::max(kBlock, (n + kMaxBlocks - 1) / kMaxBlocks)),
        n_blocks_((n + block_ - 1) / block_) {
    while (n_cells_ < kMaxCells && n_cells_ * kItemsPerCell < n) n_cells_ *= 2;
  }

  void run(std::int64_t* order) {
    lay_line();
    count();
    place_cells();
    scatter();
    sort_cells(order);
    if (line_.tolerance > 0.0) join_cells(order);
  }

 private:
  std::vector<double> sample() const {
    const std::int64_t runs = std::min(std::max(kFewSampleRuns, n_ / kBlock), kManySampleRuns);
    if (n_ <= runs * kSampleRun) {
      std::vector<double> numbers(n_);
      items_.numbers(0, n_, numbers.data());
      return numbers;
    }
    std::vector<double> numbers(runs * kSampleRun);
    for (std::int64_t run = 0; run < runs; ++run) {
      const std::int64_t first = (n_ - kSampleRun) / (runs - 1) * run;
      items_.numbers(first, first + kSampleRun, numbers.data() + run * kSampleRun);
    }
    return numbers;
  }

  struct Range {
    double low = INFINITY;
    double high = -INFINITY;
    std::int64_t count = 0;
  };

  // The parts get cells by their share in the sample, one at least where there may be any.
  void lay_line() {
    Range lower, upper;
    for (const double number : sample()) {
      Range& range = number > line_.split ? upper : lower;
      ++range.count;
      if (!std::isfinite(number)) continue;
      range.low = std::min(range.low, number);
      range.high = std::max(range.high, number);
    }
    std::int64_t cells = 0;  // of the upper part
    if (std::isfinite(line_.split)) {
      cells = std::min(std::max<std::int64_t>(n_cells_ * upper.count / (lower.count + upper.count), 1), n_cells_ - 1);
    }
    scale_ = {line_.split, lay_part(lower, 0, n_cells_ - cells), lay_part(upper, n_cells_ - cells, cells)};
    // A position is rounded once and may be off by one more.
    const double factor = std::max(scale_.lower.factor, cells > 0 ? scale_.upper.factor : 0.0);
    if (line_.tolerance > 0.0) near_ = static_cast<Word>(line_.tolerance * factor) + 2;
  }

  // A cell on both sides of the range is for what is beyond, if there are enough. Where the sample has no two numbers
  // the range is one point.
  simd::Scale::Part lay_part(const Range& range, std::int64_t cell, std::int64_t cells) const {
    const double low = range.low <= range.high ? range.low : 0.0, high = std::max(low, range.high);
    const double length = std::min(high - low, std::numeric_limits<double>::max());
    const std::int64_t beyond = cells > 2 ? 1 : 0;
    double factor = length > 0.0 ? static_cast<double>(cells - 2 * beyond) * kCellWidth / length : 1.0;
    factor = std::min(factor, line_.tolerance > 0.0 ? kNearest / line_.tolerance : kMaxFactor);
    const double first = static_cast<double>(cell) * kCellWidth;
    return {low, factor, first + static_cast<double>(beyond) * kCellWidth, first,
            first + static_cast<double>(cells) * kCellWidth - 1.0};
  }

  template <typename F>
  void for_blocks(const F& f) const {
    parallel_for(n_blocks_, threads_,
                 [&](std::int64_t block) { f(block, block * block_, std::min(n_, (block + 1) * block_)); });
  }

  // positions_, and in counts_ how many items of each block are in each cell.
  void count() {
    positions_ = large_array<Word>(n_);
    counts_.assign(n_blocks_ * n_cells_, 0);
    for_blocks([&](std::int64_t block, std::int64_t first, std::int64_t last) {
      std::uint32_t* counts = counts_.data() + block * n_cells_;
      double numbers[kChunk];
      for (std::int64_t from = first; from < last; from += kChunk) {
        const std::int64_t m = std::min(kChunk, last - from);
        items_.numbers(from, from + m, numbers);
        Word* positions = positions_.get() + from;
        simd::kernels().sampling.positions(numbers, m, scale_, positions);
        for (std::int64_t i = 0; i < m; ++i) ++counts[positions[i] >> 32];
      }
    });
  }

  // starts_ of the cells that reach below k and the end of the last; counts_ becomes where each block puts its items.
  void place_cells() {
    std::vector<std::uint32_t> places(n_cells_, 0);
    for_counts([](std::uint32_t& place, std::uint32_t& count) { place += count; }, places);
    std::uint32_t end = 0;
    for (std::uint32_t& place : places) {
      if (end < k_ || end == 0) starts_.push_back(end);
      end += place;
      place = end - place;
    }
    starts_.push_back(static_cast<std::int64_t>(starts_.size()) == n_cells_ ? end : places[starts_.size()]);
    for_counts(
        [](std::uint32_t& place, std::uint32_t& count) {
          place += count;
          count = place - count;
        },
        places);
  }

  template <typename F>
  void for_counts(const F& f, std::vector<std::uint32_t>& of_cells) {
    for (std::int64_t block = 0; block < n_blocks_; ++block) {
      std::uint32_t* counts = counts_.data() + block * n_cells_;
      for (std::int64_t cell = 0; cell < n_cells_; ++cell) f(of_cells[cell], counts[cell]);
    }
  }

  std::int64_t used_cells() const { return static_cast<std::int64_t>(starts_.size()) - 1; }

  void scatter() {
    words_ = large_array<Word>(starts_.back());
    const auto used = static_cast<Word>(used_cells());
    for_blocks([&](std::int64_t block, std::int64_t first, std::int64_t last) {
      std::uint32_t* places = counts_.data() + block * n_cells_;
      for (std::int64_t i = first; i < last; ++i) {
        const Word position = positions_[i], cell = position >> 32;
        if (cell < used) words_[places[cell]++] = position << kPlaceBits | static_cast<Word>(i);
      }
    });
    positions_.reset();
  }

  void sort_cells(std::int64_t* order) {
    const std::int64_t used = used_cells();
    ends_.resize(used);
    parallel_for((used + kCellsPerTask - 1) / kCellsPerTask, threads_, [&](std::int64_t task) {
      WordSort sorter;
      for (std::int64_t cell = task * kCellsPerTask; cell < std::min(used, (task + 1) * kCellsPerTask); ++cell) {
        const std::int64_t start = starts_[cell], n = starts_[cell + 1] - start;
        const Word* sorted = sorter.sort(words_.get() + start, n);
        if (n > 0) ends_[cell] = {sorted[0], sorted[n - 1]};
        const std::int64_t wanted = std::min(n, k_ - start);
        if (wanted < n || simd::kernels().sampling.places(sorted, n, near_, order + start)) {
          sort_runs(sorted, n, wanted, order + start);
        }
      }
    });
  }

  // order[0 ... k - 1] = the first k of n places that stand in the order of their positions.
  void sort_runs(const Word* words, std::int64_t n, std::int64_t k, std::int64_t* order) const {
    for (std::int64_t i = 0, end; i < k; i = end) {
      end = i + 1;
      while (end < n && (words[end] >> kPlaceBits) - (words[end - 1] >> kPlaceBits) <= near_) ++end;
      if (end == i + 1) {
        order[i] = static_cast<std::uint32_t>(words[i]);
      } else {
        sort_run(words + i, end - i, std::min(end, k) - i, order + i);
      }
    }
  }

  // order[0 ... k - 1] = the first k of n places whose positions do not tell their order.
  void sort_run(const Word* words, std::int64_t n, std::int64_t k, std::int64_t* order) const {
    std::vector<Item> run(n);
    for (std::int64_t i = 0; i < n; ++i) run[i] = items_.at(static_cast<std::uint32_t>(words[i]));
    order_of(run, k, order, threads_, depth_ + 1);
    for (std::int64_t i = 0; i < k; ++i) order[i] = static_cast<std::uint32_t>(words[order[i]]);
  }

  // Where the last of a cell and the first of the next are too near: the latter are inserted among the former.
  void join_cells(std::int64_t* order) const {
    for (std::int64_t cell = 1; cell < used_cells(); ++cell) {
      const std::int64_t start = starts_[cell], end = starts_[cell + 1];
      if (start == end || starts_[cell - 1] == start) continue;
      const Word last = ends_[cell - 1].second >> kPlaceBits, first = ends_[cell].first >> kPlaceBits;
      if (first + (Word{1} << 32) - last > near_) continue;
      for (std::int64_t i = start; i < end; ++i) {
        std::int64_t place = i;
        const Item item = items_.at(order[i]);
        while (place > 0 && item < items_.at(order[place - 1])) --place;
        if (place == i) break;
        std::rotate(order + place, order + i, order + i + 1);
      }
    }
  }

  const Items& items_;
  const Line line_;
  const std::int64_t n_;
  const std::int64_t k_;
  const int threads_;
  const int depth_;
  const std::int64_t block_;
  const std::int64_t n_blocks_;
  std::int64_t n_cells_ = 4;
  simd::Scale scale_{};
  Word near_ = 0;  // positions that differ by no more do not tell the order
  LargeArray<Word> positions_;
  LargeArray<Word> words_;
  std::vector<std::uint32_t> counts_;
  std::vector<std::int64_t> starts_;
  std::vector<std::pair<Word, Word>> ends_;  // the first and the last word of each cell
};

// Items of an array by their high numbers, or, where those are all equal, by the low ones.
class ItemArray : public Items {
 public:
  explicit ItemArray(const std::vector<Item>& items) : items_(items) {
    const auto differs = [&](const Item& item) { return item.high != items[0].high; };
    number_ = std::any_of(items.begin(), items.end(), differs) ? &Item::high : &Item::low;
  }

  void numbers(std::int64_t first, std::int64_t last, double* out) const override {
    for (std::int64_t i = first; i < last; ++i) *out++ = items_[i].*number_;
  }
  Item at(std::int64_t place) const override { return items_[place]; }

 private:
  const std::vector<Item>& items_;
  double Item::* number_;
};

void order_of(const std::vector<Item>& items, std::int64_t k, std::int64_t* order, int threads, int depth) {
  const auto n = static_cast<std::int64_t>(items.size());
  const bool sorted = std::is_sorted(items.begin(), items.end());
  if (!sorted && n > kLongRun && n <= UINT32_MAX && depth <= kMaxDepth) {
    KeySort(ItemArray(items), n, k, threads, depth).run(order);
    return;
  }
  std::vector<std::int64_t> places(n);
  std::iota(places.begin(), places.end(), 0);
  if (!sorted) {
    std::sort(places.begin(), places.end(), [&](std::int64_t a, std::int64_t b) { return items[a] < items[b]; });
  }
  std::copy(places.begin(), places.begin() + k, order);
}

}  // namespace

void sort_keys(const Items& items, std::int64_t n, std::int64_t k, std::int64_t* order, int threads) {
  if (n > 0) KeySort(items, n, k, threads, 0).run(order);
}

std::vector<Item> smallest_items(const std::vector<Item>& items, std::int64_t k, int threads) {
  std::vector<std::int64_t> order(k);
  order_of(items, k, order.data(), threads, 0);
  std::vector<Item> smallest(k);
  for (std::int64_t i = 0; i < k; ++i) smallest[i] = items[order[i]];
  return smallest;
}

}  // namespace augcore
