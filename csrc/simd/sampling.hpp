// The functions of one instruction set that draw: part of the table in kernels.hpp.
#pragma once

#include <cstdint>

#include "augcore/point/policy.hpp"

namespace augcore::simd {

// Scores of type T, n of them, and the word of the random stream for each; `words` is not read where a policy draws
// nothing.
template <typename T>
struct ScoreKernels {
  // point::policy_key of every score, the bits of that formula; low may be null. False where a score is NaN, or is
  // infinite and not a log weight: then the keys have no meaning.
  bool (*keys)(Policy policy, const T* scores, const std::uint64_t* words, std::int64_t n, double* high, double* low);

  // positions[0 ... result - 1] := those, rising, whose key may be at or below (limit, anything): all of them, and a few
  // that are not. -1 where a score is NaN, or is infinite and not a log weight. `positions` has room for n.
  std::int64_t (*candidates)(Policy policy, const T* scores, const std::uint64_t* words, std::int64_t n, double limit,
                             std::int32_t* positions);
};

// A line of numbers: where `origin` is, how many positions a unit has, and which is the last.
struct Line {
  double origin;
  double scale;
  double offset;
  double last;
};

struct SamplingKernels {
  // out[i] = word first + i of the stream of a key, see point::stream_block.
  void (*words)(const std::uint64_t* key, std::uint64_t first, std::int64_t n, std::uint64_t* out);

  // out[i] = point::unit_interval(words[i]); point::stable_log(|x[i]|), the same bits. In place is allowed.
  void (*unit_intervals)(const std::uint64_t* words, std::int64_t n, double* out);
  void (*log_magnitudes)(const double* x, std::int64_t n, double* out);

  // out[i] = (numbers[i] - origin) * scale + offset as a whole number between 0 and last < 2^51, which never falls where
  // the number rises. Numbers may be infinite.
  void (*positions)(const double* numbers, std::int64_t n, const Line& line, std::uint64_t* out);

  ScoreKernels<float> f32;
  ScoreKernels<double> f64;

  // The argument only says the type.
  const ScoreKernels<float>& of(float) const { return f32; }
  const ScoreKernels<double>& of(double) const { return f64; }
};

}  // namespace augcore::simd
