#include "key_sort.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>

#include "augcore/threads.hpp"
#include "simd/levels.hpp"

namespace augcore {
namespace {

constexpr std::int64_t kFew = 64;             // items that are sorted by comparisons at once
constexpr std::int64_t kBlock = 16384;        // items of one task: well under a millisecond
constexpr std::int64_t kMaxBlocks = 128;      // bounds the table of counts
constexpr std::int64_t kMaxCells = 4096;      // what a core writes to at once without losing sight of it
constexpr std::int64_t kItemsPerCell = 128;   // before there are kMaxCells
constexpr std::int64_t kCellsPerTask = 16;
constexpr std::int64_t kChunk = 1024;         // numbers that stay in the nearest cache
constexpr std::int64_t kSampleRun = 16;       // neighbours in a sample, which are cheap to draw together
constexpr std::int64_t kSampleRuns = 64;
constexpr std::int64_t kLongRun = 2048;       // of items that only `at` tells apart: sorted as a set of their own
constexpr int kMaxDepth = 3;                  // of such sets in sets, then comparisons do it

// Within a cell an item is one word: the lower 32 bits of its position on the line, then its place.
using Word = std::uint64_t;
constexpr int kPlaceBits = 32;

constexpr double kCellWidth = 0x1p32;  // positions in a cell
constexpr double kMaxScale = 0x1p1000;  // times a difference of doubles of that scale it is finite

// An array whose pages are first touched by the tasks that fill it: clearing a large one would be slow and deaf to
// Ctrl-C.
template <typename T>
std::unique_ptr<T[]> uninitialised(std::int64_t n) {
  return std::unique_ptr<T[]>(new T[static_cast<std::size_t>(n)]);
}

// sort_keys of items that stand in an array. depth: how many sets they are in, each a part of the one before.
void order_of(const std::vector<Item>& items, std::int64_t k, std::int64_t* order, int threads, int depth);

// Sorts words, spread evenly over a range as long as most cells are, by one distribution and then insertion.
class WordSort {
 public:
  // The words in order, somewhere.
  const Word* sort(Word* words, std::int64_t n) {
    if (n <= kFew / 4) {
      insert(words, n);
      return words;
    }
    int bits = 4;
    while (bits < kMaxBits && (std::int64_t{1} << bits) < n) ++bits;
    counts_.assign(std::size_t{1} << bits, 0);
    if (static_cast<std::int64_t>(sorted_.size()) < n) sorted_.resize(n);
    const int shift = 64 - bits;
    for (std::int64_t i = 0; i < n; ++i) ++counts_[words[i] >> shift];
    std::uint32_t place = 0, most = 0;
    for (std::uint32_t& count : counts_) {
      most = std::max(most, count);
      place += count;
      count = place - count;
    }
    for (std::int64_t i = 0; i < n; ++i) sorted_[counts_[words[i] >> shift]++] = words[i];
    if (most <= kFew) {
      insert(sorted_.data(), n);
    } else if (!std::is_sorted(sorted_.begin(), sorted_.begin() + n)) {
      std::sort(sorted_.begin(), sorted_.begin() + n);
    }
    return sorted_.data();
  }

 private:
  static constexpr int kMaxBits = 16;

  static void insert(Word* words, std::int64_t n) {
    for (std::int64_t i = 1; i < n; ++i) {
      const Word word = words[i];
      std::int64_t j = i;
      for (; j > 0 && words[j - 1] > word; --j) words[j] = words[j - 1];
      words[j] = word;
    }
  }

  std::vector<std::uint32_t> counts_;
  std::vector<Word> sorted_;
};

// The leading numbers are laid on a line, from the smallest to the largest of a sample of them, which is cut into cells
// of equal length; what is beyond falls into the outermost cells. Items are distributed to their cells, and cells are
// sorted. A position on the line never falls as the number rises, so only items at the same position are left to tell
// apart; and since keys are strictly ordered the result does not depend on where the line is cut.
class KeySort {
 public:
  KeySort(const Items& items, std::int64_t n, std::int64_t k, int threads, int depth)
      : items_(items),
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
  }

 private:
  std::vector<double> sample() const {
    const std::int64_t runs = n_ <= kSampleRuns * kSampleRun ? 1 : kSampleRuns;
    const std::int64_t length = runs == 1 ? n_ : kSampleRun;
    std::vector<double> numbers(runs * length);
    for (std::int64_t run = 0; run < runs; ++run) {
      const std::int64_t first = runs == 1 ? 0 : (n_ - length) / (runs - 1) * run;
      items_.leading(first, first + length, numbers.data() + run * length);
    }
    return numbers;
  }

  // Where the sample has no two finite numbers the line is one point, with room on both sides.
  void lay_line() {
    double low = INFINITY, high = -INFINITY;
    for (const double number : sample()) {
      if (!std::isfinite(number)) continue;
      low = std::min(low, number);
      high = std::max(high, number);
    }
    if (low > high) low = high = 0.0;
    origin_ = low;
    const double length = std::min(high - low, std::numeric_limits<double>::max());
    scale_ = length > 0.0 ? std::min(static_cast<double>(n_cells_ - 2) * kCellWidth / length, kMaxScale) : 1.0;
  }

  template <typename F>
  void for_blocks(const F& f) const {
    parallel_for(n_blocks_, threads_,
                 [&](std::int64_t block) { f(block, block * block_, std::min(n_, (block + 1) * block_)); });
  }

  // positions_, and in counts_ how many items of each block are in each cell.
  void count() {
    positions_ = uninitialised<Word>(n_);
    counts_.assign(n_blocks_ * n_cells_, 0);
    for_blocks([&](std::int64_t block, std::int64_t first, std::int64_t last) {
      std::int64_t* counts = counts_.data() + block * n_cells_;
      const double end = static_cast<double>(n_cells_) * kCellWidth - 1.0;
      double numbers[kChunk];
      for (std::int64_t from = first; from < last; from += kChunk) {
        const std::int64_t m = std::min(kChunk, last - from);
        items_.leading(from, from + m, numbers);
        Word* positions = positions_.get() + from;
        simd::kernels().sampling.positions(numbers, m, {origin_, scale_, kCellWidth, end}, positions);
        for (std::int64_t i = 0; i < m; ++i) ++counts[positions[i] >> 32];
      }
    });
  }

  // Of the cells that reach below k: starts_, and counts_ becomes where each block puts its items.
  void place_cells() {
    std::int64_t place = 0;
    for (std::int64_t cell = 0; cell < n_cells_ && place < k_; ++cell) {
      starts_.push_back(place);
      for (std::int64_t block = 0; block < n_blocks_; ++block) {
        std::int64_t& count = counts_[block * n_cells_ + cell];
        place += count;
        count = place - count;
      }
    }
    starts_.push_back(place);
  }

  std::int64_t used_cells() const { return static_cast<std::int64_t>(starts_.size()) - 1; }

  void scatter() {
    words_ = uninitialised<Word>(starts_.back());
    const auto used = static_cast<Word>(used_cells());
    for_blocks([&](std::int64_t block, std::int64_t first, std::int64_t last) {
      std::int64_t* places = counts_.data() + block * n_cells_;
      for (std::int64_t i = first; i < last; ++i) {
        const Word position = positions_[i], cell = position >> 32;
        if (cell < used) words_[places[cell]++] = position << kPlaceBits | static_cast<Word>(i);
      }
    });
    positions_.reset();
  }

  void sort_cells(std::int64_t* order) {
    const std::int64_t used = used_cells();
    parallel_for((used + kCellsPerTask - 1) / kCellsPerTask, threads_, [&](std::int64_t task) {
      WordSort sorter;
      for (std::int64_t cell = task * kCellsPerTask; cell < std::min(used, (task + 1) * kCellsPerTask); ++cell) {
        const std::int64_t start = starts_[cell], n = starts_[cell + 1] - start;
        const Word* sorted = sorter.sort(words_.get() + start, n);
        const std::int64_t wanted = std::min(n, k_ - start);
        for (std::int64_t i = 0; i < wanted; ++i) order[start + i] = static_cast<std::uint32_t>(sorted[i]);
        for (std::int64_t i = 0; i < wanted; ++i) {
          if (i + 1 == n || (sorted[i] ^ sorted[i + 1]) >> kPlaceBits != 0) continue;
          std::int64_t end = i + 2;
          while (end < n && (sorted[i] ^ sorted[end]) >> kPlaceBits == 0) ++end;
          sort_run(sorted + i, end - i, std::min(end, wanted) - i, order + start + i);
          i = end - 1;
        }
      }
    });
  }

  // order[0 ... k - 1] = the first k of n places that stand at the same position.
  void sort_run(const Word* words, std::int64_t n, std::int64_t k, std::int64_t* order) const {
    std::vector<Item> run(n);
    for (std::int64_t i = 0; i < n; ++i) run[i] = items_.at(static_cast<std::uint32_t>(words[i]));
    order_of(run, k, order, threads_, depth_ + 1);
    for (std::int64_t i = 0; i < k; ++i) order[i] = static_cast<std::uint32_t>(words[order[i]]);
  }

  const Items& items_;
  const std::int64_t n_;
  const std::int64_t k_;
  const int threads_;
  const int depth_;
  const std::int64_t block_;
  const std::int64_t n_blocks_;
  std::int64_t n_cells_ = 4;
  double origin_ = 0.0;
  double scale_ = 0.0;
  std::unique_ptr<Word[]> positions_;
  std::unique_ptr<Word[]> words_;
  std::vector<std::int64_t> counts_;
  std::vector<std::int64_t> starts_;
};

// Items of an array by their high numbers, or, where those are all equal, by the low ones.
class ItemArray : public Items {
 public:
  explicit ItemArray(const std::vector<Item>& items) : items_(items) {
    const auto differs = [&](const Item& item) { return item.high != items[0].high; };
    number_ = std::any_of(items.begin(), items.end(), differs) ? &Item::high : &Item::low;
  }

  void leading(std::int64_t first, std::int64_t last, double* out) const override {
    for (std::int64_t i = first; i < last; ++i) *out++ = items_[i].*number_;
  }
  Item at(std::int64_t place) const override { return items_[place]; }

 private:
  const std::vector<Item>& items_;
  double Item::*number_;
};

void order_of(const std::vector<Item>& items, std::int64_t k, std::int64_t* order, int threads, int depth) {
  const auto n = static_cast<std::int64_t>(items.size());
  const bool sorted = std::is_sorted(items.begin(), items.end());
  if (!sorted && n > kLongRun && depth <= kMaxDepth) {
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
