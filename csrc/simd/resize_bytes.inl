// Resizing of bytes by table lookups within registers, and the arithmetic of OpenCV 4: see ByteKernels in kernels.hpp.
#pragma once

#include <cstdint>

#include "augcore/point/opencv4.hpp"
#include "simd/kernels.hpp"
#include "simd/pack.hpp"

namespace {

using augcore::simd::ByteTaps;
using augcore::simd::kByteRows;

#if defined(AUGCORE_LEVEL_v4)

using Words = __m512i;
inline Words load_words(const void* p) { return _mm512_loadu_si512(p); }
inline void store_words(void* p, Words a) { _mm512_storeu_si512(p, a); }
inline Words pick_words(Words window, Words word) { return _mm512_permutexvar_epi32(word, window); }
inline Words pick_bytes(Words window, Words byte) { return _mm512_shuffle_epi8(window, byte); }
inline Pack<float> first_taps(Words pairs) {
  return (Pack<float>)_mm512_cvtepi32_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(0xFFFF)));
}
inline Pack<float> second_taps(Words pairs) { return (Pack<float>)_mm512_cvtepi32_ps(_mm512_srli_epi32(pairs, 16)); }
inline Words sum_pairs(Words pairs, Words weight) { return _mm512_srai_epi32(_mm512_madd_epi16(pairs, weight), 4); }
inline Words in_order(Words packed) {  // what a pack of two vectors has put in turn
  return _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), packed);
}
inline Words narrow(Words a, Words b) { return in_order(_mm512_packs_epi32(a, b)); }
inline Words broadcast_word(std::int32_t a) { return _mm512_set1_epi16(static_cast<std::int16_t>(a)); }
inline Words column(Words h0, Words h1, Words b0, Words b1) {
  const Words sum = _mm512_add_epi16(_mm512_mulhi_epi16(h0, b0), _mm512_mulhi_epi16(h1, b1));
  return _mm512_srai_epi16(_mm512_add_epi16(sum, _mm512_set1_epi16(2)), 2);
}
inline void store_some_bytes(std::uint8_t* p, std::int64_t n, Words a) {
  _mm512_mask_storeu_epi8(p, (__mmask64{1} << n) - 1, a);
}
inline Words to_bytes(Words a, Words b) { return in_order(_mm512_packus_epi16(a, b)); }

#elif defined(AUGCORE_LEVEL_v3)

using Words = __m256i;
inline Words load_words(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
inline void store_words(void* p, Words a) { _mm256_storeu_si256(static_cast<__m256i*>(p), a); }
inline Words pick_words(Words window, Words word) { return _mm256_permutevar8x32_epi32(window, word); }
inline Words pick_bytes(Words window, Words byte) { return _mm256_shuffle_epi8(window, byte); }
inline Pack<float> first_taps(Words pairs) {
  return (Pack<float>)_mm256_cvtepi32_ps(_mm256_and_si256(pairs, _mm256_set1_epi32(0xFFFF)));
}
inline Pack<float> second_taps(Words pairs) { return (Pack<float>)_mm256_cvtepi32_ps(_mm256_srli_epi32(pairs, 16)); }
inline Words sum_pairs(Words pairs, Words weight) { return _mm256_srai_epi32(_mm256_madd_epi16(pairs, weight), 4); }
inline Words in_order(Words packed) { return _mm256_permute4x64_epi64(packed, 0xD8); }
inline Words narrow(Words a, Words b) { return in_order(_mm256_packs_epi32(a, b)); }
inline Words broadcast_word(std::int32_t a) { return _mm256_set1_epi16(static_cast<std::int16_t>(a)); }
inline Words column(Words h0, Words h1, Words b0, Words b1) {
  const Words sum = _mm256_add_epi16(_mm256_mulhi_epi16(h0, b0), _mm256_mulhi_epi16(h1, b1));
  return _mm256_srai_epi16(_mm256_add_epi16(sum, _mm256_set1_epi16(2)), 2);
}
inline void store_some_bytes(std::uint8_t* p, std::int64_t n, Words a) {
  std::uint8_t bytes[kPackBytes];
  store_words(bytes, a);
  __builtin_memcpy(p, bytes, static_cast<std::size_t>(n));
}
inline Words to_bytes(Words a, Words b) { return in_order(_mm256_packus_epi16(a, b)); }

#endif

#if defined(AUGCORE_LEVEL_v3) || defined(AUGCORE_LEVEL_v4)

constexpr std::int64_t kOutputs = kPack<float>;

template <int kPairs>
void across_pairs(const std::uint8_t* const* rows, const ByteTaps& taps, float* const* out) {
  for (std::int64_t v = 0; v < taps.vectors; ++v) {
    Words word[kPairs], byte[kPairs];
    Pack<float> first[kPairs], second[kPairs];
    for (int p = 0; p < kPairs; ++p) {
      const std::int64_t at = (v * kPairs + p) * kOutputs;
      word[p] = load_words(taps.word + at);
      byte[p] = load_words(taps.byte + 4 * at);
      load(taps.weight + 2 * at, first[p]);
      load(taps.weight + 2 * at + kOutputs, second[p]);
    }
    for (std::int64_t row = 0; row < kByteRows; ++row) {
      const Words window = load_words(rows[row] + taps.window[v]);
      Words pairs = pick_bytes(pick_words(window, word[0]), byte[0]);
      Pack<float> sum = first[0] * first_taps(pairs);
      sum += second[0] * second_taps(pairs);
      for (int p = 1; p < kPairs; ++p) {
        pairs = pick_bytes(pick_words(window, word[p]), byte[p]);
        sum += first[p] * first_taps(pairs);
        sum += second[p] * second_taps(pairs);
      }
      store(sum, out[row] + v * kOutputs);
    }
  }
}

void across_bytes(const std::uint8_t* const* rows, const ByteTaps& taps, float* const* out) {
  switch (taps.pairs) {
    case 1:
      return across_pairs<1>(rows, taps, out);
    case 2:
      return across_pairs<2>(rows, taps, out);
    case 3:
      return across_pairs<3>(rows, taps, out);
    default:
      return across_pairs<4>(rows, taps, out);
  }
}

void across_opencv4(const std::uint8_t* const* rows, const ByteTaps& taps, std::int16_t* const* out) {
  for (std::int64_t v = 0; v < taps.vectors; v += 2) {
    Words word[2], byte[2], weight[2];
    for (int i = 0; i < 2; ++i) {
      const std::int64_t at = (v + i) * kOutputs;
      word[i] = load_words(taps.word + at);
      byte[i] = load_words(taps.byte + 4 * at);
      weight[i] = load_words(taps.fixed + 2 * at);
    }
    for (std::int64_t row = 0; row < kByteRows; ++row) {
      Words sums[2];
      for (int i = 0; i < 2; ++i) {
        const Words window = load_words(rows[row] + taps.window[v + i]);
        sums[i] = sum_pairs(pick_bytes(pick_words(window, word[i]), byte[i]), weight[i]);
      }
      store_words(out[row] + v * kOutputs, narrow(sums[0], sums[1]));
    }
  }
}

constexpr augcore::simd::ByteKernels byte_kernels = {kOutputs, kPackBytes, across_bytes, across_opencv4};

#else

constexpr augcore::simd::ByteKernels byte_kernels = {0, 0, nullptr, nullptr};

#endif

#if defined(AUGCORE_LEVEL_v3) || defined(AUGCORE_LEVEL_v4)

void opencv4_column(const std::int16_t* h0, const std::int16_t* h1, std::int32_t b0, std::int32_t b1, std::int64_t n,
                    std::uint8_t* out) {
  constexpr std::int64_t kHalf = kPackBytes / 2;
  const Words weight0 = broadcast_word(b0);
  const Words weight1 = broadcast_word(b1);
  for (std::int64_t j = 0; j < n; j += kPackBytes) {
    const Words low = column(load_words(h0 + j), load_words(h1 + j), weight0, weight1);
    const Words high = column(load_words(h0 + j + kHalf), load_words(h1 + j + kHalf), weight0, weight1);
    const Words bytes = to_bytes(low, high);
    if (n - j >= kPackBytes) {
      store_words(out + j, bytes);
    } else {
      store_some_bytes(out + j, n - j, bytes);
    }
  }
}

#else

void opencv4_column(const std::int16_t* h0, const std::int16_t* h1, std::int32_t b0, std::int32_t b1, std::int64_t n,
                    std::uint8_t* out) {
  for (std::int64_t j = 0; j < n; ++j) out[j] = augcore::point::opencv4::resize_column(h0[j], h1[j], b0, b1);
}

#endif

}  // namespace
