#include "augcore/sampling.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <stdexcept>
#include <vector>

#include "augcore/point/exponential_key.hpp"
#include "augcore/point/philox.hpp"
#include "augcore/threads.hpp"

namespace augcore {
namespace {

constexpr std::int64_t kBlock = 16384;        // items of one task: under a millisecond
constexpr std::int64_t kSerial = 2 * kBlock;  // items that are sorted at once
constexpr std::int64_t kMaxBlocks = 1024;     // bounds the table of counts in BucketSort
constexpr std::int64_t kMaxBuckets = 4096;
constexpr std::int64_t kSamplesPerBucket = 32;

struct Item {
  double high;
  double low;
  std::int64_t index;

  bool operator<(const Item& other) const {
    if (high == other.high) return low != other.low ? low < other.low : index < other.index;
    return high < other.high;
  }
};

Item item_of(std::int64_t index, std::uint64_t word, double log_weight) {
  if (std::isnan(log_weight)) throw std::invalid_argument("log_weights: contains NaN");
  const point::ExponentialKey key = point::exponential_key(point::unit_interval(word), log_weight);
  return {key.high, key.low, index};
}

// f(index, word of the stream) for every index in [first, last).
template <typename F>
void for_words(const std::uint64_t* key, std::int64_t first, std::int64_t last, const F& f) {
  for (std::int64_t index = first; index < last;) {
    const point::Words4 words = point::stream_block(static_cast<std::uint64_t>(index) / 4, key[0], key[1]);
    do {
      f(index, words.word[index % 4]);
      ++index;
    } while (index < last && index % 4 != 0);
  }
}

template <typename F>
void for_blocks(std::int64_t n, std::int64_t block, int threads, const F& f) {
  parallel_for((n + block - 1) / block, threads,
               [&](std::int64_t task) { f(task, task * block, std::min(n, (task + 1) * block)); });
}

void check_range(std::int64_t first_index, std::int64_t n) {
  if (first_index < 0 || n < 0 || first_index > INT64_MAX - n) {
    throw std::invalid_argument("first_index: must be between 0 and 2^63 - 1 less the number of items");
  }
}

// Puts the smallest `wanted` of the items first, in order.
void sort_front(Item* first, Item* last, std::int64_t wanted) {
  if (wanted < last - first) std::nth_element(first, first + wanted, last);
  std::sort(first, first + std::min<std::int64_t>(wanted, last - first));
}

// An array whose pages are first touched by the tasks that fill it: clearing a large one would be slow and deaf to
// Ctrl-C.
template <typename T>
std::unique_ptr<T[]> uninitialised(std::int64_t n) {
  return std::unique_ptr<T[]>(new T[static_cast<std::size_t>(n)]);
}

// Cuts the items into buckets of rising keys, at keys of a small sample, and sorts each bucket that reaches below k.
// Keys are a strict total order, so the result does not depend on the cuts.
class BucketSort {
 public:
  BucketSort(const double* log_weights, std::int64_t n, const std::uint64_t* key, std::int64_t k, int threads)
      : log_weights_(log_weights),
        n_(n),
        key_(key),
        k_(k),
        threads_(threads),
        block_(std::max(kBlock, (n + kMaxBlocks - 1) / kMaxBlocks)),
        n_blocks_((n + block_ - 1) / block_),
        n_buckets_(std::min(kMaxBuckets, n / kBlock + 1)) {}

  void run(std::int64_t* order) {
    choose_splitters();
    count();
    scatter();
    sort(order);
  }

 private:
  void choose_splitters() {
    std::vector<Item> sample(n_buckets_ * kSamplesPerBucket);
    const std::int64_t stride = n_ / static_cast<std::int64_t>(sample.size());
    for (std::size_t i = 0; i < sample.size(); ++i) {
      const std::int64_t index = static_cast<std::int64_t>(i) * stride;
      for_words(key_, index, index + 1,
                [&](std::int64_t at, std::uint64_t word) { sample[i] = item_of(at, word, log_weights_[at]); });
    }
    std::sort(sample.begin(), sample.end());
    for (std::int64_t b = 1; b < n_buckets_; ++b) {
      const Item& item = sample[b * kSamplesPerBucket];
      splitters_.push_back({item.high, item.low});
    }
  }

  // The number of splitters that are not above the item. Keys are random, so a branch would be mispredicted half of the
  // time: this has none.
  std::int64_t bucket_of(const Item& item) const {
    std::int64_t below = 0;
    for (std::int64_t length = n_buckets_ - 1; length > 0;) {
      const std::int64_t half = (length + 1) / 2;
      const point::ExponentialKey& s = splitters_[below + half - 1];
      const bool passed = (s.high < item.high) | ((s.high == item.high) & (s.low <= item.low));
      below += static_cast<std::int64_t>(passed) * half;
      length -= half;
    }
    return below;
  }

  // keys_, buckets_, and where in items_ each block puts its items of each bucket.
  void count() {
    keys_ = uninitialised<point::ExponentialKey>(n_);
    buckets_ = uninitialised<std::uint16_t>(n_);
    places_.assign(n_blocks_ * n_buckets_, 0);
    for_blocks(n_, block_, threads_, [&](std::int64_t block, std::int64_t first, std::int64_t last) {
      std::int64_t* counts = places_.data() + block * n_buckets_;
      for_words(key_, first, last, [&](std::int64_t index, std::uint64_t word) {
        const Item item = item_of(index, word, log_weights_[index]);
        const std::int64_t bucket = bucket_of(item);
        keys_[index] = {item.high, item.low};
        buckets_[index] = static_cast<std::uint16_t>(bucket);
        ++counts[bucket];
      });
    });
    std::int64_t place = 0;
    for (std::int64_t bucket = 0; bucket < n_buckets_ && place < k_; ++bucket) {
      starts_.push_back(place);
      for (std::int64_t block = 0; block < n_blocks_; ++block) {
        const std::int64_t count = places_[block * n_buckets_ + bucket];
        places_[block * n_buckets_ + bucket] = place;
        place += count;
      }
    }
    starts_.push_back(place);
  }

  std::int64_t used_buckets() const { return static_cast<std::int64_t>(starts_.size()) - 1; }

  void scatter() {
    items_ = uninitialised<Item>(starts_.back());
    for_blocks(n_, block_, threads_, [&](std::int64_t block, std::int64_t first, std::int64_t last) {
      std::int64_t* places = places_.data() + block * n_buckets_;
      for (std::int64_t i = first; i < last; ++i) {
        if (buckets_[i] < used_buckets()) items_[places[buckets_[i]]++] = {keys_[i].high, keys_[i].low, i};
      }
    });
  }

  void sort(std::int64_t* order) {
    parallel_for(used_buckets(), threads_, [&](std::int64_t bucket) {
      const std::int64_t start = starts_[bucket];
      const std::int64_t wanted = std::min(k_, starts_[bucket + 1]) - start;
      sort_front(items_.get() + start, items_.get() + starts_[bucket + 1], wanted);
      for (std::int64_t i = start; i < start + wanted; ++i) order[i] = items_[i].index;
    });
  }

  const double* log_weights_;
  std::int64_t n_;
  const std::uint64_t* key_;
  std::int64_t k_;
  int threads_;
  std::int64_t block_;
  std::int64_t n_blocks_;
  std::int64_t n_buckets_;
  std::vector<point::ExponentialKey> splitters_;
  std::unique_ptr<point::ExponentialKey[]> keys_;
  std::unique_ptr<std::uint16_t[]> buckets_;
  std::vector<std::int64_t> places_;
  std::vector<std::int64_t> starts_;
  std::unique_ptr<Item[]> items_;
};

}  // namespace

void uniforms(const std::uint64_t* key, std::int64_t first_index, std::int64_t n, double* out, int threads) {
  check_range(first_index, n);
  for_blocks(n, kBlock, threads, [&](std::int64_t, std::int64_t first, std::int64_t last) {
    for_words(key, first_index + first, first_index + last,
              [&](std::int64_t index, std::uint64_t word) { out[index - first_index] = point::unit_interval(word); });
  });
}

void keyed_words(const std::uint64_t* key, const std::int64_t* indices, std::int64_t n, const std::uint64_t* counter,
                 std::uint64_t* out, int threads) {
  for_blocks(n, kBlock, threads, [&](std::int64_t, std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      const point::Words4 start = {{static_cast<std::uint64_t>(indices[i]), counter[0], counter[1], counter[2]}};
      out[i] = point::philox4x64(start, key[0], key[1]).word[0];
    }
  });
}

void log_magnitudes(const double* values, std::int64_t n, double* out, int threads) {
  for_blocks(n, kBlock, threads, [&](std::int64_t, std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) out[i] = point::stable_log(std::fabs(values[i]));
  });
}

void exponential_keys(const double* log_weights, std::int64_t n, const std::uint64_t* key, std::int64_t first_index,
                      double* high, double* low, int threads) {
  check_range(first_index, n);
  for_blocks(n, kBlock, threads, [&](std::int64_t, std::int64_t first, std::int64_t last) {
    for_words(key, first_index + first, first_index + last, [&](std::int64_t index, std::uint64_t word) {
      const std::int64_t i = index - first_index;
      const Item item = item_of(index, word, log_weights[i]);
      high[i] = item.high;
      low[i] = item.low;
    });
  });
}

void weighted_order(const double* log_weights, std::int64_t n, const std::uint64_t* key, std::int64_t k,
                    std::int64_t* order, int threads) {
  check_range(0, n);
  if (k < 0 || k > n) throw std::invalid_argument("k: must be between 0 and the number of items");
  if (n > kSerial) {
    BucketSort(log_weights, n, key, k, threads).run(order);
    return;
  }
  std::vector<Item> items(n);
  for_words(key, 0, n,
            [&](std::int64_t index, std::uint64_t word) { items[index] = item_of(index, word, log_weights[index]); });
  sort_front(items.data(), items.data() + n, k);
  for (std::int64_t i = 0; i < k; ++i) order[i] = items[i].index;
}

}  // namespace augcore
