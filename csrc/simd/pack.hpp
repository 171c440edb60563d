// Vectors of float or double as wide as the instruction set has, filled from pixels and rounded to pixels. Included by
// the files of csrc/simd alone; everything here has internal linkage. The arithmetic is the operators': no fused
// multiply-add, so that all levels give the same bits.
#pragma once

#include <cstdint>

#include "augcore/point/resize.hpp"

#if defined(AUGCORE_LEVEL_v3) || defined(AUGCORE_LEVEL_v4)
#include <immintrin.h>
#endif

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // gcc 12 says so of its own _mm512_undefined_epi32
#endif

namespace {

#if defined(AUGCORE_LEVEL_v4)
constexpr int kPackBytes = 64;
#elif defined(AUGCORE_LEVEL_v3)
constexpr int kPackBytes = 32;
#else
constexpr int kPackBytes = 16;
#endif

template <typename A>
struct Packed {
  typedef A type __attribute__((vector_size(kPackBytes)));
};
template <typename A>
using Pack = typename Packed<A>::type;
template <typename A>
constexpr int kPack = kPackBytes / static_cast<int>(sizeof(A));  // lanes

template <typename A>
inline void load(const A* p, Pack<A>& v) {
  __builtin_memcpy(&v, p, kPackBytes);
}

template <typename A>
inline void store(Pack<A> v, A* p) {
  __builtin_memcpy(p, &v, kPackBytes);
}

#if defined(AUGCORE_LEVEL_v4)

inline void load(const std::uint8_t* p, Pack<float>& v) {
  v = (Pack<float>)_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
inline void load(const std::uint8_t* p, Pack<double>& v) {
  v = (Pack<double>)_mm512_cvtepi32_pd(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}
inline void load(const std::uint16_t* p, Pack<double>& v) {
  v = (Pack<double>)_mm512_cvtepi32_pd(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
inline void load(const float* p, Pack<double>& v) { v = (Pack<double>)_mm512_cvtps_pd(_mm256_loadu_ps(p)); }

// Sums in float of uint8 are far below 2^31, so that rounding may come before the limits.
inline void store(Pack<float> v, std::uint8_t* p) {
  const __m512i rounded = _mm512_max_epi32(_mm512_cvtps_epi32((__m512)v), _mm512_setzero_si512());
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtusepi32_epi8(rounded));
}
inline __m256i rounded(Pack<double> v, double max) {
  const __m512d limited = _mm512_min_pd(_mm512_max_pd((__m512d)v, _mm512_setzero_pd()), _mm512_set1_pd(max));
  return _mm512_cvtpd_epi32(limited);
}
inline void store(Pack<double> v, std::uint8_t* p) {
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm256_cvtepi32_epi8(rounded(v, 255.0)));
}
inline void store(Pack<double> v, std::uint16_t* p) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtepi32_epi16(rounded(v, 65535.0)));
}
inline void store(Pack<double> v, float* p) { _mm256_storeu_ps(p, _mm512_cvtpd_ps((__m512d)v)); }

#elif defined(AUGCORE_LEVEL_v3)

inline __m128i load_int32(const std::uint8_t* p) {
  std::int32_t bytes;
  __builtin_memcpy(&bytes, p, sizeof bytes);
  return _mm_cvtsi32_si128(bytes);
}
inline void load(const std::uint8_t* p, Pack<float>& v) {
  v = (Pack<float>)_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}
inline void load(const std::uint8_t* p, Pack<double>& v) {
  v = (Pack<double>)_mm256_cvtepi32_pd(_mm_cvtepu8_epi32(load_int32(p)));
}
inline void load(const std::uint16_t* p, Pack<double>& v) {
  v = (Pack<double>)_mm256_cvtepi32_pd(_mm_cvtepu16_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}
inline void load(const float* p, Pack<double>& v) { v = (Pack<double>)_mm256_cvtps_pd(_mm_loadu_ps(p)); }

// Sums in float of uint8 are far below 2^31, so that rounding may come before the limits.
inline void store(Pack<float> v, std::uint8_t* p) {
  const __m256i rounded = _mm256_cvtps_epi32((__m256)v);
  const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(rounded), _mm256_extracti128_si256(rounded, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
}
inline __m128i rounded(Pack<double> v, double max) {
  return _mm256_cvtpd_epi32(_mm256_min_pd(_mm256_max_pd((__m256d)v, _mm256_setzero_pd()), _mm256_set1_pd(max)));
}
inline void store(Pack<double> v, std::uint8_t* p) {
  const __m128i words = rounded(v, 255.0);
  const __m128i bytes = _mm_packus_epi16(_mm_packus_epi32(words, words), words);
  const std::int32_t four = _mm_cvtsi128_si32(bytes);
  __builtin_memcpy(p, &four, sizeof four);
}
inline void store(Pack<double> v, std::uint16_t* p) {
  const __m128i words = rounded(v, 65535.0);
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi32(words, words));
}
inline void store(Pack<double> v, float* p) { _mm_storeu_ps(p, _mm256_cvtpd_ps((__m256d)v)); }

#else

template <typename A, typename T>
inline void load_each(const T* p, Pack<A>& v) {
  Pack<A> filled = {};
  for (int i = 0; i < kPack<A>; ++i) filled[i] = static_cast<A>(p[i]);
  v = filled;
}
template <typename A, typename T>
inline void store_each(Pack<A> v, T* p) {
  for (int i = 0; i < kPack<A>; ++i) p[i] = augcore::point::to_pixel<T>(v[i]);
}
inline void load(const std::uint8_t* p, Pack<float>& v) { load_each<float>(p, v); }
inline void load(const std::uint8_t* p, Pack<double>& v) { load_each<double>(p, v); }
inline void load(const std::uint16_t* p, Pack<double>& v) { load_each<double>(p, v); }
inline void load(const float* p, Pack<double>& v) { load_each<double>(p, v); }
inline void store(Pack<float> v, std::uint8_t* p) { store_each<float>(v, p); }
inline void store(Pack<double> v, std::uint8_t* p) { store_each<double>(v, p); }
inline void store(Pack<double> v, std::uint16_t* p) { store_each<double>(v, p); }
inline void store(Pack<double> v, float* p) { store_each<double>(v, p); }

#endif

// The first m lanes alone.
template <typename A, typename T>
inline void load_some(const T* p, std::int64_t m, Pack<A>& v) {
  T values[kPack<A>] = {};
  __builtin_memcpy(values, p, static_cast<std::size_t>(m) * sizeof(T));
  load(values, v);
}
template <typename A, typename T>
inline void store_some(Pack<A> v, std::int64_t m, T* p) {
  T values[kPack<A>];
  store(v, values);
  __builtin_memcpy(p, values, static_cast<std::size_t>(m) * sizeof(T));
}

// Four packs one after the other.
template <typename V, typename T>
inline void store_four(const V* v, T* p) {
  constexpr int kLanes = sizeof(V) / sizeof(v[0][0]);
  for (int i = 0; i < 4; ++i) store(v[i], p + i * kLanes);
}

#if defined(AUGCORE_LEVEL_v4)
inline void store_four(const Pack<float>* v, std::uint8_t* p) {
  const auto words = [&](int i) { return _mm512_cvtps_epi32((__m512)v[i]); };
  const __m512i bytes =
      _mm512_packus_epi16(_mm512_packs_epi32(words(0), words(1)), _mm512_packs_epi32(words(2), words(3)));
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  _mm512_storeu_si512(p, _mm512_permutexvar_epi32(order, bytes));
}
#elif defined(AUGCORE_LEVEL_v3)
inline void store_four(const Pack<float>* v, std::uint8_t* p) {
  const auto words = [&](int i) { return _mm256_cvtps_epi32((__m256)v[i]); };
  const __m256i bytes =
      _mm256_packus_epi16(_mm256_packs_epi32(words(0), words(1)), _mm256_packs_epi32(words(2), words(3)));
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permutevar8x32_epi32(bytes, order));
}
#endif

}  // namespace
