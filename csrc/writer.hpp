// Writes contiguous results at the speed of the memory.
//
// Whoever makes them may work carelessly, in whole vectors, and touch a little more than is meant. What follows is
// written later and covers it; near the end, and for results too large for the cache, bytes are gathered in a small
// buffer first. Large results leave it as whole cache lines that go past the cache, as they do in a large memcpy: so
// the processor need not read what it overwrites.
#pragma once

#include <cstdint>

#include "augcore/api.hpp"

namespace augcore {

// Whether an array of so many bytes should go past the cache.
AUGCORE_API bool exceeds_cache(std::int64_t bytes);

class AUGCORE_API Writer {
 public:
  static constexpr std::int64_t kCapacity = 4096;  // of the buffer, which stays in the first-level cache
  static constexpr std::int64_t kSlack = 64;       // bytes that may be touched behind those that are asked for

  explicit Writer(bool past_cache) : past_cache_(past_cache) {}
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // The next `bytes` bytes are written in order from `out` on, before anything is written elsewhere.
  void go_to(std::uint8_t* out, std::int64_t bytes);

  // Where to put the next bytes: 1 to kCapacity of them.
  std::uint8_t* room_for(std::int64_t bytes) {
    direct_ = !past_cache_ && begin_ == end_ && bytes + kSlack <= left_;
    if (direct_) return out_;
    if (bytes > kSize - end_) flush();
    return buffer_ + end_;
  }

  // They are there, so many.
  void added(std::int64_t bytes) {
    left_ -= bytes;
    if (direct_) {
      place(out_ + bytes);
    } else {
      end_ += bytes;
    }
  }

  bool past_cache() const { return past_cache_; }

 private:
  static constexpr std::int64_t kLine = 64;
  static constexpr std::int64_t kSize = kCapacity + kLine;

  void place(std::uint8_t* out) {
    out_ = out;
    begin_ = end_ = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(out) % kLine);
  }
  void flush();
  void flush_all();

  const bool past_cache_;
  bool direct_ = false;
  std::uint8_t* out_ = nullptr;  // where buffer_[begin_] belongs; both stand at the same place of a cache line
  std::int64_t begin_ = 0;
  std::int64_t end_ = 0;   // of what the buffer holds
  std::int64_t left_ = 0;  // bytes still to come before go_to
  alignas(kLine) std::uint8_t buffer_[kSize + kSlack];
};

}  // namespace augcore
