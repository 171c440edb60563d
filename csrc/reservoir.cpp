#include "augcore/reservoir.hpp"

#include <algorithm>
#include <mutex>
#include <stdexcept>

#include "key_sort.hpp"
#include "smallest.hpp"

namespace augcore {

class Reservoir::Impl {
 public:
  Impl(const Draw& draw, std::int64_t k) : k_(k), smallest_(draw, k) {}

  template <typename T>
  void add(const T* scores, std::int64_t n, std::int64_t first_index, int threads) {
    check_indices(first_index, n);
    change([&] { smallest_.add(scores, n, first_index, threads); });
  }

  void absorb(const std::vector<Item>& items) {
    change([&] { smallest_.append(items); });
  }

  std::vector<Item> chosen(int threads) {
    std::vector<Item> items;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      check();
      items = smallest_.items();
    }
    return smallest_items(items, std::min(k_, static_cast<std::int64_t>(items.size())), threads);
  }

 private:
  template <typename F>
  void change(const F& f) {
    const std::lock_guard<std::mutex> lock(mutex_);
    check();
    broken_ = true;
    f();
    broken_ = false;
  }

  void check() const {
    if (broken_) throw std::logic_error("the reservoir was interrupted while points were added; start a new one");
  }

  const std::int64_t k_;
  std::mutex mutex_;
  bool broken_ = false;
  Smallest smallest_;
};

namespace {

// More than there can be is as good as what leaves room for sums.
std::int64_t checked_count(std::int64_t k) {
  if (k < 0) throw std::invalid_argument("k: must not be negative");
  return std::min(k, INT64_MAX / 4);
}

}  // namespace

Reservoir::Reservoir(Policy policy, const std::uint64_t* key, std::int64_t k)
    : impl_(std::make_unique<Impl>(Draw(policy, key), checked_count(k))) {}

Reservoir::~Reservoir() = default;

void Reservoir::add(const float* scores, std::int64_t n, std::int64_t first_index, int threads) {
  impl_->add(scores, n, first_index, threads);
}

void Reservoir::add(const double* scores, std::int64_t n, std::int64_t first_index, int threads) {
  impl_->add(scores, n, first_index, threads);
}

void Reservoir::absorb(const double* high, const double* low, const std::int64_t* indices, std::int64_t n) {
  std::vector<Item> items(n);
  for (std::int64_t i = 0; i < n; ++i) {
    if (high[i] != high[i] || low[i] != low[i]) throw std::invalid_argument("high, low: contain NaN");
    if (indices[i] < 0) throw std::invalid_argument("index: must not be negative");
    items[i] = {high[i], low[i], indices[i]};
  }
  impl_->absorb(items);
}

std::vector<Item> Reservoir::chosen(int threads) const { return impl_->chosen(threads); }

}  // namespace augcore
