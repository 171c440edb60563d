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

// Some bytes from each of as many places as there are parts, and back.
inline Bytes load_parts(const void* const* from) {
  const auto part = [&](int i) { return _mm_loadu_si128(static_cast<const __m128i*>(from[i])); };
  Bytes a = _mm512_castsi128_si512(part(0));
  a = _mm512_inserti32x4(a, part(1), 1);
  a = _mm512_inserti32x4(a, part(2), 2);
  return _mm512_inserti32x4(a, part(3), 3);
}
inline void store_parts(void* const* to, Bytes a) {
  const auto part = [&](int i) { return static_cast<__m128i*>(to[i]); };
  _mm_storeu_si128(part(0), _mm512_castsi512_si128(a));
  _mm_storeu_si128(part(1), _mm512_extracti32x4_epi32(a, 1));
  _mm_storeu_si128(part(2), _mm512_extracti32x4_epi32(a, 2));
  _mm_storeu_si128(part(3), _mm512_extracti32x4_epi32(a, 3));
}

inline Bytes shuffle_bytes(Bytes a, Bytes turn) { return _mm512_shuffle_epi8(a, turn); }
inline Bytes every_part(__m128i part) { return _mm512_broadcast_i32x4(part); }

// 16-bit numbers
inline Bytes all_words(short a) { return _mm512_set1_epi16(a); }
inline Bytes add_words(Bytes a, Bytes b) { return _mm512_add_epi16(a, b); }
inline Bytes subtract_words(Bytes a, Bytes b) { return _mm512_sub_epi16(a, b); }
inline Bytes multiply_high(Bytes a, Bytes b) { return _mm512_mulhi_epi16(a, b); }
inline Bytes multiply_add_pairs(Bytes a, Bytes b) { return _mm512_maddubs_epi16(a, b); }  // unsigned a, signed b
template <int n>
inline Bytes shift_left(Bytes a) {
  return _mm512_slli_epi16(a, n);
}
template <int n>
inline Bytes shift_right(Bytes a) {
  return _mm512_srli_epi16(a, n);
}
// As many 32-bit numbers as a vector has words, in order; words below 256 as bytes, in order.
inline Bytes narrow_to_words(const std::int32_t* p) {
  const __m256i low = _mm512_cvtepi32_epi16(load_bytes(p));
  return _mm512_inserti64x4(_mm512_castsi256_si512(low), _mm512_cvtepi32_epi16(load_bytes(p + 16)), 1);
}
inline Bytes narrow_to_bytes(Bytes a, Bytes b) {
  return _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), _mm512_packus_epi16(a, b));
}
// Each number in four words of its own.
inline Bytes spread_to_words(const std::int32_t* p) {
  const Bytes wide = _mm512_cvtepi32_epi64(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  return shuffle_bytes(wide, every_part(_mm_setr_epi8(0, 1, 0, 1, 0, 1, 0, 1, 8, 9, 8, 9, 8, 9, 8, 9)));
}

// 32-bit numbers
using Floats = __m512;
constexpr int kFloats = 16;
inline Floats load_floats(const float* p) { return _mm512_loadu_ps(p); }
inline Floats to_floats(Bytes a) { return _mm512_cvtepi32_ps(a); }
inline Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
inline Floats subtract(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
inline Floats multiply(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
inline Bytes low_bytes(Bytes a) { return _mm512_and_si512(a, _mm512_set1_epi32(255)); }
// Byte i of each.
inline Bytes byte_of_32(Bytes a, int i) { return low_bytes(_mm512_srli_epi32(a, 8 * i)); }
inline Floats limit_to_bytes(Floats a) {
  return _mm512_min_ps(_mm512_max_ps(a, _mm512_setzero_ps()), _mm512_set1_ps(255.0F));
}
inline Bytes widen_words(const std::uint16_t* p) {
  return _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
// Each number four times.
inline Floats spread_to_floats(const float* p) {
  const Bytes each = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
  return _mm512_permutexvar_ps(each, _mm512_castps128_ps512(_mm_loadu_ps(p)));
}
// Each 64-bit number in the lower half of a part.
inline Bytes load_quads(const std::uint64_t* p) {
  const Bytes low = _mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  return _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 0, 1, 1, 2, 2, 3, 3), low);
}
// Rounded half to even, 0 to 255.
inline void store_rounded(std::uint8_t* p, Floats a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(a)));
}
// Without the last byte of every four (c == 3), or the last two.
inline Bytes pack_pixels(Bytes a, int c) {
  if (c == 2) {
    const __m128i turn = _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, -1, -1, -1, -1, -1, -1, -1, -1);
    return _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 1, 1, 1), shuffle_bytes(a, every_part(turn)));
  }
  const __m128i turn = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
  return _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 3, 3, 3, 3),
                                  shuffle_bytes(a, every_part(turn)));
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

inline Bytes load_parts(const void* const* from) {
  const auto part = [&](int i) { return _mm_loadu_si128(static_cast<const __m128i*>(from[i])); };
  return _mm256_inserti128_si256(_mm256_castsi128_si256(part(0)), part(1), 1);
}
inline void store_parts(void* const* to, Bytes a) {
  _mm_storeu_si128(static_cast<__m128i*>(to[0]), _mm256_castsi256_si128(a));
  _mm_storeu_si128(static_cast<__m128i*>(to[1]), _mm256_extracti128_si256(a, 1));
}

inline Bytes shuffle_bytes(Bytes a, Bytes turn) { return _mm256_shuffle_epi8(a, turn); }
inline Bytes every_part(__m128i part) { return _mm256_broadcastsi128_si256(part); }

inline Bytes all_words(short a) { return _mm256_set1_epi16(a); }
inline Bytes add_words(Bytes a, Bytes b) { return _mm256_add_epi16(a, b); }
inline Bytes subtract_words(Bytes a, Bytes b) { return _mm256_sub_epi16(a, b); }
inline Bytes multiply_high(Bytes a, Bytes b) { return _mm256_mulhi_epi16(a, b); }
inline Bytes multiply_add_pairs(Bytes a, Bytes b) { return _mm256_maddubs_epi16(a, b); }
template <int n>
inline Bytes shift_left(Bytes a) {
  return _mm256_slli_epi16(a, n);
}
template <int n>
inline Bytes shift_right(Bytes a) {
  return _mm256_srli_epi16(a, n);
}
inline Bytes narrow_to_words(const std::int32_t* p) {
  return _mm256_permute4x64_epi64(_mm256_packus_epi32(load_bytes(p), load_bytes(p + 8)), 0xD8);
}
inline Bytes narrow_to_bytes(Bytes a, Bytes b) { return _mm256_permute4x64_epi64(_mm256_packus_epi16(a, b), 0xD8); }
inline Bytes spread_to_words(const std::int32_t* p) {
  const Bytes wide = _mm256_cvtepi32_epi64(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  return shuffle_bytes(wide, every_part(_mm_setr_epi8(0, 1, 0, 1, 0, 1, 0, 1, 8, 9, 8, 9, 8, 9, 8, 9)));
}

using Floats = __m256;
constexpr int kFloats = 8;
inline Floats load_floats(const float* p) { return _mm256_loadu_ps(p); }
inline Floats to_floats(Bytes a) { return _mm256_cvtepi32_ps(a); }
inline Floats add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
inline Floats subtract(Floats a, Floats b) { return _mm256_sub_ps(a, b); }
inline Floats multiply(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
inline Bytes low_bytes(Bytes a) { return _mm256_and_si256(a, _mm256_set1_epi32(255)); }
inline Bytes byte_of_32(Bytes a, int i) { return low_bytes(_mm256_srli_epi32(a, 8 * i)); }
inline Floats limit_to_bytes(Floats a) {
  return _mm256_min_ps(_mm256_max_ps(a, _mm256_setzero_ps()), _mm256_set1_ps(255.0F));
}
inline Bytes widen_words(const std::uint16_t* p) {
  return _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline Floats spread_to_floats(const float* p) {
  const __m128i low = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  const __m256 two = _mm256_castsi256_ps(_mm256_castsi128_si256(low));
  return _mm256_permutevar8x32_ps(two, _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1));
}
inline Bytes load_quads(const std::uint64_t* p) {
  const Bytes low = _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  return _mm256_permute4x64_epi64(low, 0x50);
}
inline void store_rounded(std::uint8_t* p, Floats a) {
  const __m128i turn = _mm_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
  const Bytes bytes = shuffle_bytes(_mm256_cvtps_epi32(a), every_part(turn));
  const Bytes low = _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 1, 1, 1, 1, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(low));
}
inline Bytes pack_pixels(Bytes a, int c) {
  if (c == 2) {
    const __m128i turn = _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, -1, -1, -1, -1, -1, -1, -1, -1);
    return _mm256_permute4x64_epi64(shuffle_bytes(a, every_part(turn)), 0x58);
  }
  const __m128i turn = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
  return _mm256_permutevar8x32_epi32(shuffle_bytes(a, every_part(turn)), _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 3));
}

#else

// The compiler maps the vector type onto what every processor of its family has (SSE2, NEON).
typedef std::uint8_t Bytes __attribute__((vector_size(16), aligned(1), may_alias));
constexpr int kParts = 1;
inline Bytes load_bytes(const void* p) { return *static_cast<const Bytes*>(p); }
inline void store_bytes(void* p, Bytes a) { *static_cast<Bytes*>(p) = a; }
template <int size>
inline void interleave(Bytes a, Bytes b, Bytes& low, Bytes& high) {
  if constexpr (size == 1) {
    low = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    high = __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  } else if constexpr (size == 2) {
    low = __builtin_shufflevector(a, b, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23);
    high = __builtin_shufflevector(a, b, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31);
  } else if constexpr (size == 4) {
    low = __builtin_shufflevector(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
    high = __builtin_shufflevector(a, b, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  } else {
    low = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
    high = __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
  }
}
inline void exchange_parts(Bytes*) {}
inline Bytes load_parts(const void* const* from) { return load_bytes(from[0]); }
inline void store_parts(void* const* to, Bytes a) { store_bytes(to[0], a); }

#endif

#if defined(AUGCORE_LEVEL_v3) || defined(AUGCORE_LEVEL_v4)

// Four floats as doubles, (1 - f) * a + f * b, and back.
using Four = __m256d;
inline Four widen_four(const float* p) { return _mm256_cvtps_pd(_mm_loadu_ps(p)); }
inline Four mix_four(Four a, Four b, double f) {
  return _mm256_add_pd(_mm256_mul_pd(_mm256_set1_pd(1.0 - f), a), _mm256_mul_pd(_mm256_set1_pd(f), b));
}
inline void store_four(float* p, Four a) { _mm_storeu_ps(p, _mm256_cvtpd_ps(a)); }

// Turns that go with shuffle_bytes, for two pixels of c bytes in each half of a part: byte k of the first beside byte k
// of the second; and, for the lower half only, bytes `first` ... `first` + 3 as 32-bit numbers.
inline Bytes pair_channels(int c) {
  const char d = static_cast<char>(c);
  const char second = static_cast<char>(c > 2 ? 2 : 0), third = static_cast<char>(c > 3 ? 3 : 0);
  return every_part(_mm_setr_epi8(
      0, d, 1, static_cast<char>(d + 1), second, static_cast<char>(d + second), third, static_cast<char>(d + third), 8,
      static_cast<char>(d + 8), 9, static_cast<char>(d + 9), static_cast<char>(second + 8),
      static_cast<char>(d + second + 8), static_cast<char>(third + 8), static_cast<char>(d + third + 8)));
}
inline Bytes widen_channels(int first) {
  const char d = static_cast<char>(first);
  return every_part(_mm_setr_epi8(d, -1, -1, -1, static_cast<char>(d + 1), -1, -1, -1, static_cast<char>(d + 2), -1, -1,
                                  -1, static_cast<char>(d + 3), -1, -1, -1));
}

#endif

constexpr int kBytes = kParts * kPartBytes;

}  // namespace
