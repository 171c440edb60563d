// Memory in which no access out of bounds goes unseen.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>

namespace augcore::testing {

constexpr std::uint8_t kCanary = 0xA5;

// Bytes between two pages that nobody may touch, at the one or at the other, and canaries in the rest of their pages.
// Where they are not written at first they are zero, and take no memory until they are.
class Fenced {
 public:
  Fenced(std::int64_t bytes, bool at_end, bool written = true) : page_(sysconf(_SC_PAGESIZE)), bytes_(bytes) {
    const std::int64_t inner = (bytes + page_ - 1) / page_ * page_ + page_;
    size_ = inner + 2 * page_;
    void* all = mmap(nullptr, size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED) throw std::bad_alloc();
    begin_ = static_cast<std::uint8_t*>(all);
    if (mprotect(begin_ + page_, inner, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
    if (written) std::memset(begin_ + page_, kCanary, inner);
    data_ = begin_ + page_ + (at_end ? inner - bytes : 0);
  }
  ~Fenced() { munmap(begin_, size_); }
  Fenced(const Fenced&) = delete;
  Fenced& operator=(const Fenced&) = delete;

  std::uint8_t* data() const { return data_; }

  template <typename T>
  T* as() const {
    return reinterpret_cast<T*>(data_);
  }

  bool canaries_live() const {
    const auto live = [](std::uint8_t byte) { return byte == kCanary; };
    return std::all_of(begin_ + page_, data_, live) && std::all_of(data_ + bytes_, begin_ + size_ - page_, live);
  }

 private:
  const std::int64_t page_;
  const std::int64_t bytes_;
  std::int64_t size_;
  std::uint8_t* begin_;
  std::uint8_t* data_;
};

}  // namespace augcore::testing
