// Who may be chosen, and the loops over points, of one instruction set: see SamplingKernels in sampling.hpp.
#pragma once

#include <cstdint>
#include <limits>

#include "simd/keys.inl"
#include "simd/philox.inl"
#include "simd/sampling.hpp"
#include "simd/words.inl"

namespace {

// log2 x of x = 2^e (1 + m) is between e + m and e + m + 0.08608, which is nearly what the bits of x say as a number.
constexpr double kLog2Gap = 0.08608;
constexpr double kRoundingOfLogs = 1e-9;  // far more than that of log_of
constexpr double kLn2 = 0x1.62e42fefa39efp-1;

// e + m, and up to 2^-20 less; x is not negative.
inline Doubles bits_as_log2(Doubles x) {
  return as_doubles(shifted_right(bits_of(x), 32)) * broadcast(0x1p-20) - broadcast(1023.0);
}

// Not above the logarithm of the exponential number of a word: -log u >= 1 - u.
inline Doubles least_log_e(Longs words) {
  const Doubles distance = broadcast(1.0) - unit_intervals_of(words);
  return bits_as_log2(distance) * broadcast(kLn2) - broadcast(kRoundingOfLogs);
}

// Not below the logarithm of the weight. The bits of denormal numbers say too much, never too little.
template <Policy kPolicy>
inline Doubles greatest_log_weight(Doubles scores) {
  if constexpr (kPolicy == Policy::proportional) {
    const Doubles greatest = bits_as_log2(magnitude(scores)) + broadcast(kLog2Gap);
    return greatest * broadcast(kLn2) + broadcast(kRoundingOfLogs);
  } else if constexpr (kPolicy == Policy::inverse_proportional) {
    const Doubles size = magnitude(scores);
    const Doubles least = bits_as_log2(size) * broadcast(kLn2) - broadcast(kRoundingOfLogs);
    return (Longs)(size < broadcast(kSmallestNormal)) ? broadcast(kInfinite) : negated(least);
  } else {
    return log_weights_of<kPolicy>(scores);
  }
}

// Not above the high part of the key: subtraction rounds greater numbers to greater ones.
template <Policy kPolicy>
inline Doubles least_key(Doubles scores, Longs words) {
  if constexpr (!augcore::point::is_random(kPolicy)) {
    Doubles high, low;
    keys_of<kPolicy>(scores, words, &high, &low);
    return high;
  } else {
    return least_log_e(words) - greatest_log_weight<kPolicy>(scores);
  }
}

// ---- loops ----------------------------------------------------------------------------------------------------------

inline bool all_of(Longs mask) {
#if defined(AUGCORE_LEVEL_v4)
  return _mm512_movepi64_mask((__m512i)mask) == 0xFF;
#elif defined(AUGCORE_LEVEL_v3)
  return _mm256_movemask_pd((__m256d)mask) == 0xF;
#else
  return (mask[0] & mask[1]) != 0;
#endif
}

template <Policy kPolicy>
inline Longs load_words(const std::uint64_t* words) {
  if constexpr (!augcore::point::is_random(kPolicy)) return Longs{};
  return *reinterpret_cast<const Longs*>(words);
}

// body(i, scores, words) for whole vectors, then, where n is no multiple of them, rest(i, m, scores, words) for the m
// that are left, with zeros behind them.
template <Policy kPolicy, typename T, typename Body, typename Rest>
inline void for_vectors(const T* scores, const std::uint64_t* words, std::int64_t n, const Body& body,
                        const Rest& rest) {
  std::int64_t i = 0;
  for (; i + kDoubles <= n; i += kDoubles) body(i, load_as(scores + i, 0.0), load_words<kPolicy>(words + i));
  if (i == n) return;
  T last_scores[kDoubles] = {};
  std::uint64_t last_words[kDoubles] = {};
  for (std::int64_t j = i; j < n; ++j) {
    last_scores[j - i] = scores[j];
    if constexpr (augcore::point::is_random(kPolicy)) last_words[j - i] = words[j];
  }
  rest(i, n - i, load_as(last_scores, 0.0), load_words<kPolicy>(last_words));
}

template <Policy kPolicy, typename T>
bool keys_under(const T* scores, const std::uint64_t* words, std::int64_t n, double* high, double* low) {
  Longs fine = all_longs(-1);
  for_vectors<kPolicy>(
      scores, words, n,
      [&](std::int64_t i, Doubles s, Longs w) {
        Doubles h, l;
        keys_of<kPolicy>(s, w, &h, &l);
        fine &= acceptable<kPolicy>(s);
        store(high + i, h);
        if (low != nullptr) store(low + i, l);
      },
      [&](std::int64_t i, std::int64_t m, Doubles s, Longs w) {
        Doubles h, l;
        keys_of<kPolicy>(s, w, &h, &l);
        fine &= acceptable<kPolicy>(s);
        for (std::int64_t j = 0; j < m; ++j) {
          high[i + j] = h[j];
          if (low != nullptr) low[i + j] = l[j];
        }
      });
  return all_of(fine);
}

template <Policy kPolicy, typename T>
bool rough_keys_under(const T* scores, const std::uint64_t* words, std::int64_t n, double* out) {
  Longs fine = all_longs(-1);
  for_vectors<kPolicy>(
      scores, words, n,
      [&](std::int64_t i, Doubles s, Longs w) {
        fine &= acceptable<kPolicy>(s);
        store(out + i, rough_key_of<kPolicy>(s, w));
      },
      [&](std::int64_t i, std::int64_t m, Doubles s, Longs w) {
        fine &= acceptable<kPolicy>(s);
        const Doubles numbers = rough_key_of<kPolicy>(s, w);
        for (std::int64_t j = 0; j < m; ++j) out[i + j] = numbers[j];
      });
  return all_of(fine);
}

template <Policy kPolicy, typename T>
std::int64_t candidates_under(const T* scores, const std::uint64_t* words, std::int64_t n, double limit,
                              std::int32_t* positions) {
  Longs fine = all_longs(-1);
  std::int64_t count = 0;
  const auto add = [&](std::int64_t i, std::int64_t m, Doubles s, Longs w) {
    fine &= acceptable<kPolicy>(s);
    const Longs above = (Longs)(least_key<kPolicy>(s, w) > broadcast(limit));
    if (all_of(above)) return;
    for (std::int64_t j = 0; j < m; ++j) {
      positions[count] = static_cast<std::int32_t>(i + j);
      count += above[j] == 0;
    }
  };
  for_vectors<kPolicy>(scores, words, n, [&](std::int64_t i, Doubles s, Longs w) { add(i, kDoubles, s, w); }, add);
  return all_of(fine) ? count : -1;
}

template <typename T>
bool keys(Policy policy, const T* scores, const std::uint64_t* words, std::int64_t n, double* high, double* low) {
  switch (policy) {
    case Policy::uniform:
      return keys_under<Policy::uniform>(scores, words, n, high, low);
    case Policy::proportional:
      return keys_under<Policy::proportional>(scores, words, n, high, low);
    case Policy::inverse_proportional:
      return keys_under<Policy::inverse_proportional>(scores, words, n, high, low);
    case Policy::softmax:
      return keys_under<Policy::softmax>(scores, words, n, high, low);
    case Policy::inverse_softmax:
      return keys_under<Policy::inverse_softmax>(scores, words, n, high, low);
    case Policy::log_weights:
      return keys_under<Policy::log_weights>(scores, words, n, high, low);
    case Policy::largest_first:
      return keys_under<Policy::largest_first>(scores, words, n, high, low);
    default:
      return keys_under<Policy::smallest_first>(scores, words, n, high, low);
  }
}

template <typename T>
bool rough_keys(Policy policy, const T* scores, const std::uint64_t* words, std::int64_t n, double* out) {
  switch (policy) {
    case Policy::uniform:
      return rough_keys_under<Policy::uniform>(scores, words, n, out);
    case Policy::proportional:
      return rough_keys_under<Policy::proportional>(scores, words, n, out);
    case Policy::inverse_proportional:
      return rough_keys_under<Policy::inverse_proportional>(scores, words, n, out);
    default:
      return keys(policy, scores, words, n, out, nullptr);
  }
}

template <typename T>
std::int64_t candidates(Policy policy, const T* scores, const std::uint64_t* words, std::int64_t n, double limit,
                        std::int32_t* positions) {
  switch (policy) {
    case Policy::uniform:
      return candidates_under<Policy::uniform>(scores, words, n, limit, positions);
    case Policy::proportional:
      return candidates_under<Policy::proportional>(scores, words, n, limit, positions);
    case Policy::inverse_proportional:
      return candidates_under<Policy::inverse_proportional>(scores, words, n, limit, positions);
    case Policy::softmax:
      return candidates_under<Policy::softmax>(scores, words, n, limit, positions);
    case Policy::inverse_softmax:
      return candidates_under<Policy::inverse_softmax>(scores, words, n, limit, positions);
    case Policy::log_weights:
      return candidates_under<Policy::log_weights>(scores, words, n, limit, positions);
    case Policy::largest_first:
      return candidates_under<Policy::largest_first>(scores, words, n, limit, positions);
    default:
      return candidates_under<Policy::smallest_first>(scores, words, n, limit, positions);
  }
}

inline void unit_intervals(const std::uint64_t* words, std::int64_t n, double* out) {
  std::int64_t i = 0;
  for (; i + kDoubles <= n; i += kDoubles) {
    store(out + i, unit_intervals_of(*reinterpret_cast<const Longs*>(words + i)));
  }
  for (; i < n; ++i) out[i] = augcore::point::unit_interval(words[i]);
}

inline void log_magnitudes(const double* x, std::int64_t n, double* out) {
  std::int64_t i = 0;
  for (; i + kDoubles <= n; i += kDoubles) store(out + i, log_of<true>(magnitude(load(x + i))));
  for (; i < n; ++i) out[i] = augcore::point::stable_log(augcore::point::absolute(x[i]));
}

inline void positions(const double* __restrict numbers, std::int64_t n, const augcore::simd::Scale& scale,
                      std::uint64_t* __restrict out) {
  const double split = scale.split;
  const augcore::simd::Scale::Part lower = scale.lower, upper = scale.upper;
  for (std::int64_t i = 0; i < n; ++i) {
    const double number = numbers[i];
    const bool above = number > split;
    const double first = above ? upper.first : lower.first, last = above ? upper.last : lower.last;
    double position = (number - (above ? upper.origin : lower.origin)) * (above ? upper.factor : lower.factor) +
                      (above ? upper.offset : lower.offset);
    position = position < first ? first : position;
    position = (position > last ? last : position) + 0x1p52;  // so that the lower bits are the whole number
    std::uint64_t bits;
    __builtin_memcpy(&bits, &position, sizeof bits);
    out[i] = bits & 0x000FFFFFFFFFFFFFu;
  }
}

constexpr augcore::simd::SamplingKernels sampling_kernels = {random_words,
                                                             unit_intervals,
                                                             log_magnitudes,
                                                             positions,
                                                             {keys<float>, rough_keys<float>, candidates<float>},
                                                             {keys<double>, rough_keys<double>, candidates<double>},
                                                             distribute,
                                                             insert,
                                                             places};

}  // namespace
