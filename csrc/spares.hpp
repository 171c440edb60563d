// What tasks need anew for each of them and hand on: its memory is asked of the system once, not in every task.
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace augcore {

template <typename T>
class Spares {
 public:
  // Calls f with a T that nobody else has, as another call left it or new.
  template <typename F>
  void with(const F& f) {
    std::unique_ptr<T> item = take();
    f(*item);
    const std::lock_guard<std::mutex> lock(mutex_);
    items_.push_back(std::move(item));
  }

 private:
  std::unique_ptr<T> take() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (items_.empty()) return std::make_unique<T>();
    std::unique_ptr<T> item = std::move(items_.back());
    items_.pop_back();
    return item;
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<T>> items_;
};

}  // namespace augcore
