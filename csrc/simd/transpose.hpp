// Squares of vectors, transposed in registers. Included by the files of csrc/simd alone.
#pragma once

namespace {

// The first (kHigh: the second) halves of a and b, lane by lane in turn.
template <bool kHigh, typename V>
inline V zip(V a, V b) {
  constexpr int n = sizeof(V) / sizeof(a[0]);
  constexpr int h = kHigh ? n / 2 : 0;
  if constexpr (n == 16) {
    return __builtin_shufflevector(a, b, h, h + 16, h + 1, h + 17, h + 2, h + 18, h + 3, h + 19, h + 4, h + 20, h + 5,
                                   h + 21, h + 6, h + 22, h + 7, h + 23);
  } else if constexpr (n == 8) {
    return __builtin_shufflevector(a, b, h, h + 8, h + 1, h + 9, h + 2, h + 10, h + 3, h + 11);
  } else if constexpr (n == 4) {
    return __builtin_shufflevector(a, b, h, h + 4, h + 1, h + 5);
  } else {
    return __builtin_shufflevector(a, b, h, h + 2);
  }
}

// A square of as many vectors as a vector has lanes. A step moves the highest bit of (row, lane) to the lowest place;
// as many steps as a lane's number has bits exchange row and lane.
template <typename V, int n>
inline void transpose(V (&square)[n]) {
  static_assert(n * sizeof(square[0][0]) == sizeof(V), "as many vectors as lanes");
  V other[n];
#pragma GCC unroll 4
  for (int step = 1; step < n; step *= 2) {
#pragma GCC unroll 16
    for (int i = 0; i < n / 2; ++i) {
      other[2 * i] = zip<false>(square[i], square[i + n / 2]);
      other[2 * i + 1] = zip<true>(square[i], square[i + n / 2]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < n; ++i) square[i] = other[i];
  }
}

}  // namespace
