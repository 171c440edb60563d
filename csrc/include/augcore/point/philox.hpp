// Philox4x64-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011): a random function of
// a 128-bit key and a 256-bit counter. There is no state, so any thread can draw for any index.
#pragma once

#include <cstdint>

#include "augcore/point/macros.hpp"

namespace augcore::point {

struct Words4 {
  std::uint64_t word[4];
};

AUGCORE_POINT std::uint64_t multiply_high(std::uint64_t a, std::uint64_t b) {
#ifdef __CUDA_ARCH__
  return __umul64hi(a, b);
#else
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>((static_cast<Wide>(a) * b) >> 64);
#endif
}

AUGCORE_POINT Words4 philox4x64(Words4 counter, std::uint64_t key0, std::uint64_t key1) {
  constexpr std::uint64_t kMultiplier0 = 0xD2E7470EE14C6C93u;
  constexpr std::uint64_t kMultiplier1 = 0xCA5A826395121157u;
  constexpr std::uint64_t kWeyl0 = 0x9E3779B97F4A7C15u;  // golden ratio
  constexpr std::uint64_t kWeyl1 = 0xBB67AE8584CAA73Bu;  // sqrt(3) - 1
  std::uint64_t* c = counter.word;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t high0 = multiply_high(kMultiplier0, c[0]);
    const std::uint64_t high1 = multiply_high(kMultiplier1, c[2]);
    const std::uint64_t low0 = kMultiplier0 * c[0];
    const std::uint64_t low1 = kMultiplier1 * c[2];
    c[0] = high1 ^ c[1] ^ key0;
    c[1] = low1;
    c[2] = high0 ^ c[3] ^ key1;
    c[3] = low0;
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
  return counter;
}

// Words 4 block ... 4 block + 3 of the stream that numpy.random.Philox(key=[key0, key1]) gives: it counts from 1.
AUGCORE_POINT Words4 stream_block(std::uint64_t block, std::uint64_t key0, std::uint64_t key1) {
  return philox4x64({{block + 1, 0, 0, 0}}, key0, key1);
}

}  // namespace augcore::point
