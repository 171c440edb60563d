// Writes contiguous results at the speed of the memory.
//
// Bytes are gathered in a small buffer and leave it as whole cache lines. So whoever makes them may write carelessly,
// in whole vectors, a little past what is meant; and results too large for the cache can go past it, as they do in a
// large memcpy: the processor need not read lines that it overwrites.
#pragma once

#include <cstdint>

namespace augcore {

// Whether an array of so many bytes should go past the caches.
bool exceeds_cache(std::int64_t bytes);

class Writer {
 public:
  static constexpr std::int64_t kCapacity = 4096;  // of the buffer, which stays in the first-level cache
  static constexpr std::int64_t kSlack = 64;       // bytes that may be touched behind those that are asked for

  explicit Writer(bool past_cache) : past_cache_(past_cache) {}
  ~Writer() { finish(); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // What is added next belongs at `out`.
  void go_to(std::uint8_t* out);

  // Where to write the next bytes: 1 to kCapacity of them.
  std::uint8_t* room_for(std::int64_t bytes) {
    if (bytes > room()) flush();
    return buffer_ + end_;
  }

  // How many bytes fit before the buffer has to be emptied.
  std::int64_t room() const { return kSize - end_; }

  void added(std::int64_t bytes) { end_ += bytes; }

 private:
  static constexpr std::int64_t kLine = 64;
  static constexpr std::int64_t kSize = kCapacity + kLine;

  void flush();
  void finish();

  const bool past_cache_;
  // buffer_[i] belongs at lines_[i], begin_ <= i < end_; lines_ is where a cache line begins.
  std::uint8_t* lines_ = nullptr;
  std::int64_t begin_ = 0;
  std::int64_t end_ = 0;
  alignas(kLine) std::uint8_t buffer_[kSize + kSlack];
};

}  // namespace augcore
