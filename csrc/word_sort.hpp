// Sorts a few thousand words.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "simd/levels.hpp"

namespace augcore {

using Word = std::uint64_t;

// By one distribution and then insertion: it is made for words that are spread over the range of all words.
class WordSort {
 public:
  // The words in order, somewhere.
  const Word* sort(Word* words, std::int64_t n) {
    const simd::SamplingKernels& kernels = simd::kernels().sampling;
    if (n <= kFew) {
      kernels.insert(words, n);
      return words;
    }
    int bits = kMinBits;
    while (bits < kMaxBits && (std::int64_t{1} << bits) < 2 * n) ++bits;
    if (counts_.size() < std::size_t{1} << bits) counts_.resize(std::size_t{1} << bits);
    if (static_cast<std::int64_t>(sorted_.size()) < n) sorted_.resize(n);
    if (kernels.distribute(words, n, bits, counts_.data(), sorted_.data()) <= kFew) {
      kernels.insert(sorted_.data(), n);
    } else if (!std::is_sorted(sorted_.begin(), sorted_.begin() + n)) {
      std::sort(sorted_.begin(), sorted_.begin() + n);
    }
    return sorted_.data();
  }

 private:
  static constexpr std::int64_t kFew = 16;
  static constexpr int kMinBits = 5;
  static constexpr int kMaxBits = 17;

  std::vector<std::uint32_t> counts_;
  std::vector<Word> sorted_;
};

}  // namespace augcore
