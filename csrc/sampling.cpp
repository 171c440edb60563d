#include "augcore/sampling.hpp"

#include <cmath>
#include <vector>

#include "draws.hpp"
#include "key_sort.hpp"
#include "large_array.hpp"
#include "smallest.hpp"

namespace augcore {
namespace {

// A small part of many items is not found by sorting.
constexpr std::int64_t kPart = 8;
constexpr std::int64_t kMany = 4096;

constexpr std::int64_t kSampleRun = 256;  // neighbours in a sample: they lie in few pages of a file
constexpr std::int64_t kMaxSampleRuns = 256;

// Points by their keys, or by rough keys, and then all must be sorted.
template <typename T>
class Points : public Items {
 public:
  Points(const Draw& draw, const T* scores, bool rough) : draw_(draw), scores_(scores), rough_(rough) {}

  void numbers(std::int64_t first, std::int64_t last, double* out) const override {
    if (rough_) {
      draw_.rough_keys(scores_ + first, last - first, first, out);
    } else {
      draw_.keys(scores_ + first, last - first, first, out, nullptr);
    }
  }
  Line line() const override {
    if (!rough_) return {};
    switch (draw_.policy) {
      case Policy::proportional:
        return {simd::kRoughness, simd::kRoughInfinity};
      case Policy::inverse_proportional:
        return {simd::kRoughness, -simd::kRoughInfinity / 2};
      default:
        return {simd::kRoughness};
    }
  }
  Item at(std::int64_t place) const override { return draw_.item(scores_[place], place); }

 private:
  const Draw& draw_;
  const T* scores_;
  const bool rough_;
};

template <typename T>
void keys_of(const Draw& draw, const T* scores, std::int64_t n, std::int64_t first_index, double* high, double* low,
             int threads) {
  check_indices(first_index, n);
  for_draw_blocks(n, threads, [&](std::int64_t first, std::int64_t last) {
    draw.keys(scores + first, last - first, first_index + first, high + first, low + first);
  });
}

// An item that k of the n items are very likely not above, and few more: of a sample the one that so many are not above
// as ought to be, and four standard deviations more. False where there is none.
template <typename T>
bool guess_limit(const Draw& draw, const T* scores, std::int64_t n, std::int64_t k, Item* limit) {
  const std::int64_t runs = std::min(kMaxSampleRuns, n / (64 * kSampleRun) + 2);
  Smallest sample(draw, runs * kSampleRun);
  for (std::int64_t run = 0; run < runs; ++run) {
    const std::int64_t first = (n - kSampleRun) / (runs - 1) * run;
    sample.add(scores + first, kSampleRun, first, 1);
  }
  std::vector<Item> items = sample.take();
  const double expected = static_cast<double>(k) / static_cast<double>(n) * static_cast<double>(items.size());
  const auto rank = static_cast<std::int64_t>(expected + 4.0 * std::sqrt(expected) + 4.0);
  if (rank >= static_cast<std::int64_t>(items.size())) return false;
  std::nth_element(items.begin(), items.begin() + rank, items.end());
  *limit = items[rank];
  return true;
}

// The k smallest items and maybe more, in no order.
template <typename T>
std::vector<Item> find_smallest(const Draw& draw, const T* scores, std::int64_t n, std::int64_t k, int threads) {
  Smallest smallest(draw, k);
  Item limit;
  const bool guessed = guess_limit(draw, scores, n, k, &limit);
  if (guessed) smallest.limit(limit);
  smallest.add(scores, n, 0, threads);
  if (guessed && static_cast<std::int64_t>(smallest.items().size()) < k) {
    smallest = Smallest(draw, k);
    smallest.add(scores, n, 0, threads);
  }
  return smallest.take();
}

template <typename T>
void order_of(const Draw& draw, const T* scores, std::int64_t n, std::int64_t k, std::int64_t* order, int threads) {
  check_indices(0, n);
  if (k < 0 || k > n) throw std::invalid_argument("k: must be between 0 and the number of items");
  if (n <= UINT32_MAX && (n <= kMany || k > n / kPart)) {
    const bool rough = simd::has_rough_keys(draw.policy);
    const Points<T> points(draw, scores, rough);
    if (k == n || !rough) return sort_keys(points, n, k, order, threads);
    const LargeArray<std::int64_t> whole = large_array<std::int64_t>(n);  // rough keys give no less, and sooner
    sort_keys(points, n, n, whole.get(), threads);
    std::copy(whole.get(), whole.get() + k, order);
    return;
  }
  const std::vector<Item> items = smallest_items(find_smallest(draw, scores, n, k, threads), k, threads);
  for (std::int64_t i = 0; i < k; ++i) order[i] = items[i].index;
}

}  // namespace

void uniforms(const std::uint64_t* key, std::int64_t first_index, std::int64_t n, double* out, int threads) {
  check_indices(first_index, n);
  const simd::SamplingKernels& kernels = simd::kernels().sampling;
  for_draw_blocks(n, threads, [&](std::int64_t first, std::int64_t last) {
    std::uint64_t words[kDrawChunk];
    for (std::int64_t i = first; i < last; i += kDrawChunk) {
      const std::int64_t m = std::min(kDrawChunk, last - i);
      kernels.words(key, static_cast<std::uint64_t>(first_index + i), m, words);
      kernels.unit_intervals(words, m, out + i);
    }
  });
}

void keyed_words(const std::uint64_t* key, const std::int64_t* indices, std::int64_t n, const std::uint64_t* counter,
                 std::uint64_t* out, int threads) {
  for_draw_blocks(n, threads, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      const point::Words4 start = {{static_cast<std::uint64_t>(indices[i]), counter[0], counter[1], counter[2]}};
      out[i] = point::philox4x64(start, key[0], key[1]).word[0];
    }
  });
}

void log_magnitudes(const double* values, std::int64_t n, double* out, int threads) {
  for_draw_blocks(n, threads, [&](std::int64_t first, std::int64_t last) {
    simd::kernels().sampling.log_magnitudes(values + first, last - first, out + first);
  });
}

void policy_keys(Policy policy, const float* scores, std::int64_t n, const std::uint64_t* key, std::int64_t first_index,
                 double* high, double* low, int threads) {
  keys_of(Draw(policy, key), scores, n, first_index, high, low, threads);
}

void policy_keys(Policy policy, const double* scores, std::int64_t n, const std::uint64_t* key,
                 std::int64_t first_index, double* high, double* low, int threads) {
  keys_of(Draw(policy, key), scores, n, first_index, high, low, threads);
}

void policy_order(Policy policy, const float* scores, std::int64_t n, const std::uint64_t* key, std::int64_t k,
                  std::int64_t* order, int threads) {
  order_of(Draw(policy, key), scores, n, k, order, threads);
}

void policy_order(Policy policy, const double* scores, std::int64_t n, const std::uint64_t* key, std::int64_t k,
                  std::int64_t* order, int threads) {
  order_of(Draw(policy, key), scores, n, k, order, threads);
}

}  // namespace augcore
