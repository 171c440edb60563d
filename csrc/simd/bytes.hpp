// A vector of bytes of the instruction set that this file is compiled for, and its parts of 128 bits. Included by the
// files of csrc/simd alone; everything here has internal linkage.
#pragma once

#include <cstdint>

#if defined(AUGCORE_LEVEL_v3) || defined(AUGCORE_LEVEL_v4)
#include <immintrin.h>
#endif

namespace {

constexpr int kPartBytes = 16;

// interleave<size>(a, b, low, high): within each part, low takes turns with the elements (of `size` bytes) of the lower
// halves of a and b, high with those of the upper halves.
// exchange_parts(rows): part j of row i goes to part i of row j; there are as many rows as parts.

#if defined(AUGCORE_LEVEL_v4)

using Bytes = __m512i;
constexpr int kParts = 4;
inline Bytes load_bytes(const void* p) { return _mm512_loadu_si512(p); }
inline void store_bytes(void* p, Bytes a) { _mm512_storeu_si512(p, a); }
template <int size>
inline void interleave(Bytes a, Bytes b, Bytes& low, Bytes& high) {
  if constexpr (size == 1) {
    low = _mm512_unpacklo_epi8(a, b);
    high = _mm512_unpackhi_epi8(a, b);
  } else if constexpr (size == 2) {
    low = _mm512_unpacklo_epi16(a, b);
    high = _mm512_unpackhi_epi16(a, b);
  } else if constexpr (size == 4) {
    low = _mm512_unpacklo_epi32(a, b);
    high = _mm512_unpackhi_epi32(a, b);
  } else {
    low = _mm512_unpacklo_epi64(a, b);
    high = _mm512_unpackhi_epi64(a, b);
  }
}
inline void exchange_parts(Bytes* rows) {
  const Bytes a = _mm512_shuffle_i32x4(rows[0], rows[1], 0x44);  // 00 01 10 11
  const Bytes b = _mm512_shuffle_i32x4(rows[2], rows[3], 0x44);
  const Bytes c = _mm512_shuffle_i32x4(rows[0], rows[1], 0xEE);  // 02 03 12 13
  const Bytes d = _mm512_shuffle_i32x4(rows[2], rows[3], 0xEE);
  rows[0] = _mm512_shuffle_i32x4(a, b, 0x88);
  rows[1] = _mm512_shuffle_i32x4(a, b, 0xDD);
  rows[2] = _mm512_shuffle_i32x4(c, d, 0x88);
  rows[3] = _mm512_shuffle_i32x4(c, d, 0xDD);
}

#elif defined(AUGCORE_LEVEL_v3)

using Bytes = __m256i;
constexpr int kParts = 2;
inline Bytes load_bytes(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
inline void store_bytes(void* p, Bytes a) { _mm256_storeu_si256(static_cast<__m256i*>(p), a); }
template <int size>
inline void interleave(Bytes a, Bytes b, Bytes& low, Bytes& high) {
  if constexpr (size == 1) {
    low = _mm256_unpacklo_epi8(a, b);
    high = _mm256_unpackhi_epi8(a, b);
  } else if constexpr (size == 2) {
    low = _mm256_unpacklo_epi16(a, b);
    high = _mm256_unpackhi_epi16(a, b);
  } else if constexpr (size == 4) {
    low = _mm256_unpacklo_epi32(a, b);
    high = _mm256_unpackhi_epi32(a, b);
  } else {
    low = _mm256_unpacklo_epi64(a, b);
    high = _mm256_unpackhi_epi64(a, b);
  }
}
inline void exchange_parts(Bytes* rows) {
  const Bytes first = _mm256_permute2x128_si256(rows[0], rows[1], 0x20);
  rows[1] = _mm256_permute2x128_si256(rows[0], rows[1], 0x31);
  rows[0] = first;
}

#else

// The compiler maps the vector type onto what every processor of its family has (SSE2, NEON).
typedef std::uint8_t Bytes __attribute__((vector_size(16), aligned(1), may_alias));
constexpr int kParts = 1;
inline Bytes load_bytes(const void* p) { return *static_cast<const Bytes*>(p); }
inline void store_bytes(void* p, Bytes a) { *static_cast<Bytes*>(p) = a; }
template <int size>
inline void interleave(Bytes a, Bytes b, Bytes& low, Bytes& high) {
  typedef std::uint8_t Mask __attribute__((vector_size(16)));
  if constexpr (size == 1) {
    low = __builtin_shuffle(a, b, Mask{0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23});
    high = __builtin_shuffle(a, b, Mask{8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31});
  } else if constexpr (size == 2) {
    low = __builtin_shuffle(a, b, Mask{0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23});
    high = __builtin_shuffle(a, b, Mask{8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31});
  } else if constexpr (size == 4) {
    low = __builtin_shuffle(a, b, Mask{0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23});
    high = __builtin_shuffle(a, b, Mask{8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31});
  } else {
    low = __builtin_shuffle(a, b, Mask{0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23});
    high = __builtin_shuffle(a, b, Mask{8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31});
  }
}
inline void exchange_parts(Bytes*) {}

#endif

constexpr int kBytes = kParts * kPartBytes;

}  // namespace
