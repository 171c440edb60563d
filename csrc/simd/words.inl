// Sorting words, of one instruction set: see SamplingKernels in sampling.hpp.
#pragma once

#include <cstdint>

#include "simd/vec.hpp"

namespace {

// counts[i] := the sum of those before it; returns the largest. n is a multiple of 16.
inline std::uint32_t to_starts(std::uint32_t* counts, std::int64_t n) {
#if defined(AUGCORE_LEVEL_v4)
  __m512i before = _mm512_setzero_si512(), most = _mm512_setzero_si512();
  const __m512i zero = _mm512_setzero_si512(), last = _mm512_set1_epi32(15);
  for (std::int64_t i = 0; i < n; i += 16) {
    const __m512i count = _mm512_loadu_si512(counts + i);
    most = _mm512_max_epu32(most, count);
    __m512i sum = _mm512_add_epi32(count, _mm512_alignr_epi32(count, zero, 15));
    sum = _mm512_add_epi32(sum, _mm512_alignr_epi32(sum, zero, 14));
    sum = _mm512_add_epi32(sum, _mm512_alignr_epi32(sum, zero, 12));
    sum = _mm512_add_epi32(sum, _mm512_alignr_epi32(sum, zero, 8));
    _mm512_storeu_si512(counts + i, _mm512_add_epi32(before, _mm512_sub_epi32(sum, count)));
    before = _mm512_add_epi32(before, _mm512_permutexvar_epi32(last, sum));
  }
  return _mm512_reduce_max_epu32(most);
#else
  std::uint32_t before = 0, most = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::uint32_t count = counts[i];
    most = most < count ? count : most;
    counts[i] = before;
    before += count;
  }
  return most;
#endif
}

inline std::uint32_t distribute(const std::uint64_t* __restrict words, std::int64_t n, int bits,
                                std::uint32_t* __restrict counts, std::uint64_t* __restrict out) {
  const int shift = 64 - bits;
  for (std::int64_t i = 0; i < std::int64_t{1} << bits; ++i) counts[i] = 0;
  for (std::int64_t i = 0; i < n; ++i) ++counts[words[i] >> shift];
  const std::uint32_t most = to_starts(counts, std::int64_t{1} << bits);
  for (std::int64_t i = 0; i < n; ++i) out[counts[words[i] >> shift]++] = words[i];
  return most;
}

inline void insert(std::uint64_t* words, std::int64_t n) {
  for (std::int64_t i = 1; i < n; ++i) {
    const std::uint64_t word = words[i];
    std::int64_t j = i;
    for (; j > 0 && words[j - 1] > word; --j) words[j] = words[j - 1];
    words[j] = word;
  }
}

inline bool places(const std::uint64_t* __restrict words, std::int64_t n, std::uint64_t near,
                   std::int64_t* __restrict out) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = static_cast<std::int64_t>(words[i] & 0xFFFFFFFF);
  std::uint64_t found = 0;
  for (std::int64_t i = 0; i + 1 < n; ++i) found |= (words[i + 1] >> 32) - (words[i] >> 32) <= near;
  return found != 0;
}

}  // namespace
