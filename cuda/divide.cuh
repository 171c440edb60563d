// Division of indices by a number that all threads share: a multiplication and a shift where 32 bits hold the indices.
//
// Granlund and Montgomery, "Division by invariant integers using multiplication", 1994: for 0 <= n < 2^31 and
// 2^(s - 1) < d <= 2^s, n / d = (n m) >> (31 + s) with m = ceil(2^(31 + s) / d), which is below 2^32.
#pragma once

#include <cstdint>

#include "augcore/point/macros.hpp"
#include "launch.cuh"

namespace augcore::cuda {

class Divisor {
 public:
  // wide: indices of 2^31 and more are divided.
  Divisor(std::int64_t d, bool wide) : d_(d), multiplier_(0), shift_(0) {
    if (wide || d >= kNarrow) return;
    while ((std::int64_t{1} << shift_) < d) ++shift_;
    const std::uint64_t power = std::uint64_t{1} << (31 + shift_);
    multiplier_ =
        static_cast<std::uint32_t>((power + static_cast<std::uint64_t>(d) - 1) / static_cast<std::uint64_t>(d));
  }

  __host__ __device__ std::int64_t value() const { return d_; }

  __device__ __forceinline__ std::int64_t quotient(std::int64_t n) const {
    if (multiplier_ == 0) return n / d_;
    const std::uint64_t product = static_cast<std::uint64_t>(static_cast<std::uint32_t>(n)) * multiplier_;
    return static_cast<std::int64_t>(product >> (31 + shift_));
  }

  static constexpr std::int64_t kNarrow = std::int64_t{1} << 31;

 private:
  std::int64_t d_;
  std::uint32_t multiplier_;  // 0: divide
  int shift_;
};

}  // namespace augcore::cuda
