// Keys of points in vectors, of one instruction set.
//
// The formulas of point/log.hpp, exponential_key.hpp and policy.hpp stand here once more, for vectors and without
// branches, operation by operation: bits must be the same.
#pragma once

#include <cstdint>
#include <limits>

#include "augcore/point/policy.hpp"
#include "simd/sampling.hpp"
#include "simd/vec.hpp"

namespace {

using augcore::Policy;

typedef Vec<double> Doubles;
typedef std::int64_t Longs __attribute__((vector_size(kVectorBytes), aligned(8), may_alias));

constexpr int kDoubles = kLanes<double>;
constexpr double kLargest = std::numeric_limits<double>::max();
constexpr double kSmallestNormal = std::numeric_limits<double>::min();
constexpr double kInfinite = std::numeric_limits<double>::infinity();

inline Longs all_longs(std::int64_t a) { return Longs{} + a; }
inline Longs bits_of(Doubles x) { return reinterpret_cast<Longs>(x); }
inline Doubles of_bits(Longs x) { return reinterpret_cast<Doubles>(x); }
inline Doubles magnitude(Doubles x) { return of_bits(bits_of(x) & all_longs(INT64_MAX)); }
inline Longs is_normal_number(Doubles x) { return (Longs)(magnitude(x) <= broadcast(kLargest)); }

// Whole numbers of less than 51 bits.
inline Doubles as_doubles(Longs x) {
  const Doubles magic = broadcast(0x1.8p52);
  return of_bits(bits_of(magic) + x) - magic;
}

// The upper bits of words are not those of a sign.
inline Longs shifted_right(Longs x, int by) {
  typedef std::uint64_t Unsigned __attribute__((vector_size(kVectorBytes), aligned(8), may_alias));
  return (Longs)((Unsigned)x >> by);
}

// point::stable_log; kAny: of whatever is not negative, else of normal numbers above 0.
template <bool kAny>
inline Doubles log_of(Doubles given) {
  Doubles x = given;
  Longs exponent = all_longs(-1023);
  if constexpr (kAny) {
    const Longs tiny = (Longs)(x < broadcast(kSmallestNormal));
    x = tiny ? x * broadcast(0x1p54) : x;
    exponent += tiny & all_longs(-54);
  }
  const Longs bits = bits_of(x);
  exponent += shifted_right(bits, 52);
  Doubles m = of_bits((bits & all_longs(0x000FFFFFFFFFFFFF)) | all_longs(0x3FF0000000000000));
  const Longs upper = (Longs)(m > broadcast(0x1.6a09e667f3bcdp+0));
  m = upper ? m * broadcast(0.5) : m;
  exponent -= upper;
  const Doubles e = as_doubles(exponent);
  const Doubles f = m - broadcast(1.0);
  const Doubles s = f / (broadcast(2.0) + f);
  const Doubles z = s * s;
  Doubles r = broadcast(2.0 / 21.0);
  r = r * z + broadcast(2.0 / 19.0);
  r = r * z + broadcast(2.0 / 17.0);
  r = r * z + broadcast(2.0 / 15.0);
  r = r * z + broadcast(2.0 / 13.0);
  r = r * z + broadcast(2.0 / 11.0);
  r = r * z + broadcast(2.0 / 9.0);
  r = r * z + broadcast(2.0 / 7.0);
  r = r * z + broadcast(2.0 / 5.0);
  r = r * z + broadcast(2.0 / 3.0);
  r = r * z;
  const Doubles result =
      e * broadcast(0x1.62e42fefa0000p-1) + (f - (s * (f - r) - e * broadcast(0x1.cf79abc9e3b3ap-40)));
  if constexpr (!kAny) return result;
  const Doubles ends = (Longs)(given == broadcast(0.0)) ? broadcast(-kInfinite) : given;  // NaN and infinity stay
  return (Longs)((given > broadcast(0.0)) & (given < broadcast(kInfinite))) ? result : ends;
}

// point::unit_interval
inline Doubles unit_intervals_of(Longs words) {
  const Doubles whole = of_bits(shifted_right(words, 12) | bits_of(broadcast(0x1p52))) - broadcast(0x1p52);
  return (whole + broadcast(0.5)) * broadcast(0x1p-52);
}

inline Doubles negated(Doubles x) { return of_bits(bits_of(x) ^ all_longs(INT64_MIN)); }

// point::log_weight
template <Policy kPolicy>
inline Doubles log_weights_of(Doubles scores) {
  if constexpr (kPolicy == Policy::proportional) return log_of<true>(magnitude(scores));
  if constexpr (kPolicy == Policy::inverse_proportional) return negated(log_of<true>(magnitude(scores)));
  if constexpr (kPolicy == Policy::softmax) return magnitude(scores);
  if constexpr (kPolicy == Policy::inverse_softmax) return negated(magnitude(scores));
  if constexpr (kPolicy == Policy::log_weights) return scores;
  return broadcast(0.0);
}

template <Policy kPolicy>
inline Longs acceptable(Doubles scores) {
  if constexpr (kPolicy == Policy::log_weights) return (Longs)(scores == scores);
  return is_normal_number(scores);
}

// point::policy_key
template <Policy kPolicy>
inline void keys_of(Doubles scores, Longs words, Doubles* high, Doubles* low) {
  if constexpr (!augcore::point::is_random(kPolicy)) {
    *high = kPolicy == Policy::largest_first ? negated(magnitude(scores)) : magnitude(scores);
    *low = broadcast(0.0);
  } else {
    const Doubles log_e = log_of<false>(negated(log_of<false>(unit_intervals_of(words))));
    const Doubles log_weight = log_weights_of<kPolicy>(scores);
    *high = log_e - log_weight;
    const Doubles part = *high - log_e;
    const Doubles rest = (log_e - (*high - part)) - (log_weight + part);
    *low = (Longs)(log_weight - log_weight == broadcast(0.0)) ? rest : log_e;
  }
}

// ---- rough keys -----------------------------------------------------------------------------------------------------

// The bits of a number above 0, taken as a whole number, rise with it nearly as its logarithm does. 52 of them are left
// here, where one is 2^-41 of a logarithm to base 2.
inline Doubles rough_log2(Doubles x) {
  const Doubles whole = of_bits(shifted_right(bits_of(x), 11) | bits_of(broadcast(0x1p52))) - broadcast(0x1p52);
  return whole * broadcast(0x1p-41);
}

// A key is log(E / w).
template <Policy kPolicy>
inline Doubles rough_key_of(Doubles scores, Longs words) {
  const Doubles e = negated(log_of<false>(unit_intervals_of(words)));
  if constexpr (kPolicy == Policy::uniform) return rough_log2(e);
  const Doubles size = magnitude(scores);
  constexpr bool kInverse = kPolicy == Policy::inverse_proportional;
  constexpr double kBeyond = kInverse ? -augcore::simd::kRoughInfinity : augcore::simd::kRoughInfinity;
  const Longs none = (Longs)(size == broadcast(0.0));
  const Doubles ratio = none ? e : kInverse ? e * size : e / size;
  return rough_log2(ratio) + (none ? broadcast(kBeyond) : broadcast(0.0));
}

}  // namespace
