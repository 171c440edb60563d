#include "writer.hpp"

#include <algorithm>
#include <cstring>

#ifdef __SSE2__
#include <cpuid.h>
#include <emmintrin.h>
#endif

namespace augcore {
namespace {

// Where the processor does not say.
constexpr std::int64_t kUsualCache = std::int64_t{16} << 20;

#ifdef __SSE2__

// The largest cache that a core has a part in. The sizes that sysconf gives are those of the whole processor, of which
// a core may reach but a part.
std::int64_t last_level_cache() {
  unsigned a, b, c, d;
  const bool amd_leaf = __get_cpuid(0x80000001, &a, &b, &c, &d) != 0 && (c >> 22 & 1) != 0;  // TOPOEXT
  const unsigned leaf = amd_leaf ? 0x8000001D : 4;
  std::int64_t largest = 0;
  for (unsigned i = 0; i < 16 && __get_cpuid_count(leaf, i, &a, &b, &c, &d) != 0 && (a & 31) != 0; ++i) {
    const std::int64_t ways = (b >> 22) + 1, partitions = (b >> 12 & 1023) + 1, line = (b & 4095) + 1;
    largest = std::max(largest, ways * partitions * line * (std::int64_t{c} + 1));
  }
  return largest > 0 ? largest : kUsualCache;
}

// n is a multiple of 64.
void copy_past_cache(const std::uint8_t* from, std::int64_t n, std::uint8_t* to) {
  for (std::int64_t i = 0; i < n; i += 16) {
    _mm_stream_si128(reinterpret_cast<__m128i*>(to + i), _mm_load_si128(reinterpret_cast<const __m128i*>(from + i)));
  }
}

// Makes what went past the cache visible to other threads.
void fence() { _mm_sfence(); }

#else

std::int64_t last_level_cache() { return kUsualCache; }
void copy_past_cache(const std::uint8_t* from, std::int64_t n, std::uint8_t* to) { std::memcpy(to, from, n); }
void fence() {}

#endif

}  // namespace

// Up to there it is quicker to write through the cache, even though what is read shares it.
bool exceeds_cache(std::int64_t bytes) {
  static const std::int64_t size = last_level_cache();
  return bytes > size;
}

Writer::~Writer() {
  flush_all();
  if (past_cache_) fence();
}

void Writer::go_to(std::uint8_t* out, std::int64_t bytes) {
  if (out != out_ + (end_ - begin_)) {
    flush_all();
    place(out);
  }
  left_ = bytes;
}

// All whole cache lines; the rest moves to the front.
void Writer::flush() {
  const std::int64_t whole = end_ / kLine * kLine;
  if (whole == 0) return;
  const std::int64_t first = past_cache_ ? (begin_ + kLine - 1) / kLine * kLine : whole;
  std::memcpy(out_, buffer_ + begin_, first - begin_);
  if (past_cache_) copy_past_cache(buffer_ + first, whole - first, out_ + (first - begin_));
  std::memcpy(buffer_, buffer_ + whole, kLine);
  out_ += whole - begin_;
  begin_ = 0;
  end_ -= whole;
}

void Writer::flush_all() {
  flush();
  if (end_ > begin_) std::memcpy(out_, buffer_ + begin_, end_ - begin_);
  place(out_ + (end_ - begin_));
}

}  // namespace augcore
