// The functions of one instruction set that draw: part of the table in kernels.hpp.
#pragma once

#include <cstdint>

#include "augcore/point/policy.hpp"

namespace augcore::simd {

// Keys of points are taken with errors that together are below 1e-12; rough ones add as much.
constexpr double kRoughness = 4e-12;
constexpr double kRoughInfinity = 3000.0;  // beyond all of points that have a weight, and not an infinite one

constexpr bool has_rough_keys(Policy policy) {
  return policy == Policy::uniform || policy == Policy::proportional || policy == Policy::inverse_proportional;
}

// Scores of type T, n of them, and the word of the random stream for each; `words` is not read where a policy draws
// nothing.
template <typename T>
struct ScoreKernels {
  // point::policy_key of every score, the bits of that formula; low may be null. False where a score is NaN, or is
  // infinite and not a log weight: then the keys have no meaning.
  bool (*keys)(Policy policy, const T* scores, const std::uint64_t* words, std::int64_t n, double* high, double* low);

  // Numbers in the order of the keys, but for those that are nearer to each other than kRoughness. Where the weight is
  // 1, |score| or 1 / |score| they cost one logarithm: they are nearly those of E / w to base 2, from 0 for 0 to 2047
  // for infinity; where |score| is 0, those of E and kRoughInfinity more, or less. Else they are the high parts of
  // keys. False as `keys`.
  bool (*rough_keys)(Policy policy, const T* scores, const std::uint64_t* words, std::int64_t n, double* out);

  // positions[0 ... result - 1] := those, rising, whose key may be at or below (limit, anything): all of them, and a
  // few that are not. -1 where a score is NaN, or is infinite and not a log weight. `positions` has room for n.
  std::int64_t (*candidates)(Policy policy, const T* scores, const std::uint64_t* words, std::int64_t n, double limit,
                             std::int32_t* positions);
};

// Positions on a line of numbers that is cut in two, behind `split`. Of each part: the number that is at `offset`, how
// many positions a unit has, and the first and the last position.
struct Scale {
  struct Part {
    double origin;
    double factor;
    double offset;
    double first;
    double last;
  };
  double split;
  Part lower;
  Part upper;
};

struct SamplingKernels {
  // out[i] = word first + i of the stream of a key, see point::stream_block.
  void (*words)(const std::uint64_t* key, std::uint64_t first, std::int64_t n, std::uint64_t* out);

  // out[i] = point::unit_interval(words[i]); point::stable_log(|x[i]|), the same bits. In place is allowed.
  void (*unit_intervals)(const std::uint64_t* words, std::int64_t n, double* out);
  void (*log_magnitudes)(const double* x, std::int64_t n, double* out);

  // out[i] = (numbers[i] - origin) * factor + offset of its part as a whole number between first and last < 2^51, which
  // never falls where the number rises. Numbers may be infinite.
  void (*positions)(const double* numbers, std::int64_t n, const Scale& scale, std::uint64_t* out);

  ScoreKernels<float> f32;
  ScoreKernels<double> f64;

  // Sorting words, n of them, that are spread over the range of 64 bits: `distribute` puts them into `out` in the order
  // of their upper `bits` bits (counts has room for 1 << bits), and returns how many agree in those at most; `insert`
  // sorts words that are nearly in order. `places`: out[i] = the lower 32 bits of words[i]; returns whether the upper
  // 32 bits of some rise by no more than `near` to the next one.
  std::uint32_t (*distribute)(const std::uint64_t* words, std::int64_t n, int bits, std::uint32_t* counts,
                              std::uint64_t* out);
  void (*insert)(std::uint64_t* words, std::int64_t n);
  bool (*places)(const std::uint64_t* words, std::int64_t n, std::uint64_t near, std::int64_t* out);

  // The argument only says the type.
  const ScoreKernels<float>& of(float) const { return f32; }
  const ScoreKernels<double>& of(double) const { return f64; }
};

}  // namespace augcore::simd
