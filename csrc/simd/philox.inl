// Words of the random stream, of one instruction set: see SamplingKernels in sampling.hpp.
//
// AVX-512 takes sixteen blocks of four words at once, their 128-bit products made of 32-bit ones. Below it the scalar
// multiplier is faster.
#pragma once

#include <cstdint>

#include "augcore/point/philox.hpp"
#include "simd/vec.hpp"

namespace {

#if defined(AUGCORE_LEVEL_v4)

constexpr int kPhiloxGroups = 2;  // of eight blocks: what hides the latency of the products
constexpr std::int64_t kPhiloxWords = kPhiloxGroups * 32;

struct WideProduct {
  __m512i high;
  __m512i low;
};

// a times (high 32 bits, low 32 bits) of a constant, eight times.
inline __m512i low_halves(__m512i a) { return _mm512_and_si512(a, _mm512_set1_epi64(0xFFFFFFFF)); }

inline WideProduct multiply_wide(__m512i a, __m512i high, __m512i low) {
  const __m512i a_high = _mm512_srli_epi64(a, 32);
  const __m512i low_low = _mm512_mul_epu32(a, low);
  const __m512i middle = _mm512_add_epi64(_mm512_mul_epu32(a_high, low), _mm512_srli_epi64(low_low, 32));
  const __m512i other = _mm512_add_epi64(_mm512_mul_epu32(a, high), low_halves(middle));
  const __m512i top = _mm512_add_epi64(_mm512_mul_epu32(a_high, high), _mm512_srli_epi64(middle, 32));
  return {_mm512_add_epi64(top, _mm512_srli_epi64(other, 32)),
          _mm512_mask_blend_epi32(0xAAAA, low_low, _mm512_slli_epi64(other, 32))};
}

// Words 4 block ... 4 block + kPhiloxWords - 1.
inline void philox_group(std::uint64_t block, std::uint64_t key0, std::uint64_t key1, std::uint64_t* out) {
  const __m512i high0 = _mm512_set1_epi64(0xD2E7470E), low0 = _mm512_set1_epi64(0xE14C6C93);
  const __m512i high1 = _mm512_set1_epi64(0xCA5A8263), low1 = _mm512_set1_epi64(0x95121157);
  __m512i c[kPhiloxGroups][4];
  for (int g = 0; g < kPhiloxGroups; ++g) {
    const auto first = static_cast<long long>(block + 1 + 8 * g);
    c[g][0] = _mm512_add_epi64(_mm512_set1_epi64(first), _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0));
    c[g][1] = c[g][2] = c[g][3] = _mm512_setzero_si512();
  }
  for (int round = 0; round < 10; ++round) {
    const __m512i k0 = _mm512_set1_epi64(static_cast<long long>(key0));
    const __m512i k1 = _mm512_set1_epi64(static_cast<long long>(key1));
    for (int g = 0; g < kPhiloxGroups; ++g) {
      const WideProduct first = multiply_wide(c[g][0], high0, low0);
      const WideProduct second = multiply_wide(c[g][2], high1, low1);
      c[g][0] = _mm512_ternarylogic_epi64(second.high, c[g][1], k0, 0x96);  // exclusive or of three
      c[g][1] = second.low;
      c[g][2] = _mm512_ternarylogic_epi64(first.high, c[g][3], k1, 0x96);
      c[g][3] = first.low;
    }
    key0 += 0x9E3779B97F4A7C15u;
    key1 += 0xBB67AE8584CAA73Bu;
  }
  const __m512i lower = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0),
                upper = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);
  for (int g = 0; g < kPhiloxGroups; ++g) {
    // Lanes of 128 bits: words 0 and 1, or 2 and 3, of blocks 0, 2, 4, 6 and 1, 3, 5, 7; then whole blocks.
    const __m512i even01 = _mm512_unpacklo_epi64(c[g][0], c[g][1]), odd01 = _mm512_unpackhi_epi64(c[g][0], c[g][1]);
    const __m512i even23 = _mm512_unpacklo_epi64(c[g][2], c[g][3]), odd23 = _mm512_unpackhi_epi64(c[g][2], c[g][3]);
    for (int half = 0; half < 2; ++half) {
      const __m512i even = _mm512_permutex2var_epi64(even01, half == 0 ? lower : upper, even23);
      const __m512i odd = _mm512_permutex2var_epi64(odd01, half == 0 ? lower : upper, odd23);
      std::uint64_t* to = out + 32 * g + 16 * half;
      _mm512_storeu_si512(to, _mm512_shuffle_i64x2(even, odd, 0x44));
      _mm512_storeu_si512(to + 8, _mm512_shuffle_i64x2(even, odd, 0xEE));
    }
  }
}

#else

constexpr std::int64_t kPhiloxWords = 8;

inline void philox_group(std::uint64_t block, std::uint64_t key0, std::uint64_t key1, std::uint64_t* out) {
  for (std::uint64_t b = 0; b < kPhiloxWords / 4; ++b) {
    const augcore::point::Words4 words = augcore::point::stream_block(block + b, key0, key1);
    for (int w = 0; w < 4; ++w) out[4 * b + w] = words.word[w];
  }
}

#endif

inline void random_words(const std::uint64_t* key, std::uint64_t first, std::int64_t n, std::uint64_t* out) {
  const auto end = first + static_cast<std::uint64_t>(n);
  while (first < end) {
    const std::uint64_t block = first / 4, skipped = first % 4;
    if (skipped == 0 && end - first >= kPhiloxWords) {
      philox_group(block, key[0], key[1], out);
      first += kPhiloxWords;
      out += kPhiloxWords;
      continue;
    }
    const augcore::point::Words4 words = augcore::point::stream_block(block, key[0], key[1]);
    for (std::uint64_t w = skipped; w < 4 && first < end; ++w, ++first) *out++ = words.word[w];
  }
}

}  // namespace
