// The inner loops of resizing for one instruction set: see ResizeKernels in kernels.hpp for what each computes.
//
// Where a row ends within a vector, the last vector begins earlier and repeats some elements.
//
// Sums down columns are over neighbours in memory. Sums along rows are taken for as many rows at once as a vector has
// lanes: the rows are transposed, so that a lane is a row, and the sums transposed back.
#pragma once

#include <cstdint>

#include "augcore/point/opencv4.hpp"
#include "simd/kernels.hpp"
#include "simd/pack.hpp"
#include "simd/transpose.hpp"

namespace {

using augcore::simd::RowTaps;

constexpr std::int64_t kPieceElements = 2048;

// ---- down columns ---------------------------------------------------------------------------------------------------

// kPacks packs of sums from element j on; load_at(p, v) loads a pack. kTaps: the number of rows where it is fixed, or
// 0.
template <typename A, int kTaps, int kPacks, typename In, typename Load>
inline void sum_down(const In* const* rows, const A* weight, std::int64_t taps, std::int64_t j, const Load& load_at,
                     Pack<A>* sums) {
  for (int i = 0; i < kPacks; ++i) {
    Pack<A> v;
    load_at(rows[0] + j + i * kPack<A>, v);
    sums[i] = weight[0] * v;
  }
  for (std::int64_t k = 1; k < (kTaps > 0 ? kTaps : taps); ++k) {
    for (int i = 0; i < kPacks; ++i) {
      Pack<A> v;
      load_at(rows[k] + j + i * kPack<A>, v);
      sums[i] += weight[k] * v;
    }
  }
}

template <typename A, int kTaps, typename In, typename Out>
void down_rows(const In* const* rows, const A* weight, std::int64_t taps, std::int64_t n, Out* out) {
  constexpr std::int64_t kLanes = kPack<A>;
  Pack<A> sums[4];
  if (n < kLanes) {
    const auto some = [&](const In* p, Pack<A>& v) { load_some<A>(p, n, v); };
    sum_down<A, kTaps, 1>(rows, weight, taps, 0, some, sums);
    return store_some<A>(sums[0], n, out);
  }
  const auto whole = [](const In* p, Pack<A>& v) { load(p, v); };
  std::int64_t j = 0;
  for (; j + 4 * kLanes <= n; j += 4 * kLanes) {
    sum_down<A, kTaps, 4>(rows, weight, taps, j, whole, sums);
    store_four(sums, out + j);
  }
  for (; j < n; j += kLanes) {
    const std::int64_t at = j + kLanes <= n ? j : n - kLanes;
    sum_down<A, kTaps, 1>(rows, weight, taps, at, whole, sums);
    store(sums[0], out + at);
  }
}

template <typename In, typename A, typename Out>
void down(const In* const* rows, const A* weight, std::int64_t taps, std::int64_t n, Out* out) {
  switch (taps) {
    case 1:
      return down_rows<A, 1>(rows, weight, taps, n, out);
    case 2:
      return down_rows<A, 2>(rows, weight, taps, n, out);
    case 4:
      return down_rows<A, 4>(rows, weight, taps, n, out);
    default:
      return down_rows<A, 0>(rows, weight, taps, n, out);
  }
}

// ---- along rows -----------------------------------------------------------------------------------------------------

// Elements [n][lanes] from `lanes` rows, of each the n elements that begin at `from`.
template <typename In, typename A>
void rows_to_lanes(const In* const* rows, std::int64_t from, std::int64_t n, A* out) {
  constexpr int kLanes = kPack<A>;
  for (std::int64_t j = 0; j < n; j += kLanes) {
    const std::int64_t at = j + kLanes <= n || n < kLanes ? j : n - kLanes;
    Pack<A> square[kLanes];
    if (n < kLanes) {
      for (int i = 0; i < kLanes; ++i) load_some<A>(rows[i] + from, n, square[i]);
    } else {
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) load(rows[i] + from + at, square[i]);
    }
    transpose(square);
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) store(square[i], out + (at + i) * kLanes);
  }
}

// The way back, to element `to` of the rows.
template <typename A, typename Out>
void lanes_to_rows(const A* in, std::int64_t n, Out* const* rows, std::int64_t to) {
  constexpr int kLanes = kPack<A>;
  for (std::int64_t j = 0; j < n; j += kLanes) {
    const std::int64_t at = j + kLanes <= n || n < kLanes ? j : n - kLanes;
    Pack<A> square[kLanes];
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) load(in + (at + i) * kLanes, square[i]);
    transpose(square);
    if (n < kLanes) {
      for (int i = 0; i < kLanes; ++i) store_some<A>(square[i], n, rows[i] + to);
    } else {
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) store(square[i], rows[i] + to + at);
    }
  }
}

// Adds to the sums of kChannels neighbouring channels of one output pixel, or begins them; `in` is at the first of the
// pixels. Terms of weight zero are left out: their pixel may be NaN.
template <int kChannels, typename A>
inline void sum_along(const A* in, const A* weight, std::int64_t count, std::int64_t c, bool begin, A* out) {
  Pack<A> sums[kChannels], v;
  for (int i = 0; i < kChannels; ++i) {
    load(begin ? in + i * kPack<A> : out + i * kPack<A>, v);
    sums[i] = begin ? weight[0] * v : v;
  }
  for (std::int64_t k = begin ? 1 : 0; k < count; ++k) {
    if (weight[k] == A{0}) continue;
    for (int i = 0; i < kChannels; ++i) {
      load(in + (k * c + i) * kPack<A>, v);
      sums[i] += weight[k] * v;
    }
  }
  for (int i = 0; i < kChannels; ++i) store(sums[i], out + i * kPack<A>);
}

template <typename A>
inline void sum_pixel(const A* in, const A* weight, std::int64_t count, std::int64_t c, bool begin, A* out) {
  std::int64_t channel = 0;
  for (; channel + 4 <= c; channel += 4) {
    sum_along<4>(in + channel * kPack<A>, weight, count, c, begin, out + channel * kPack<A>);
  }
  in += channel * kPack<A>;
  out += channel * kPack<A>;
  if (c % 4 == 1) sum_along<1>(in, weight, count, c, begin, out);
  if (c % 4 == 2) sum_along<2>(in, weight, count, c, begin, out);
  if (c % 4 == 3) sum_along<3>(in, weight, count, c, begin, out);
}

// Pixels of a row that are transposed at once.
inline std::int64_t piece_of(std::int64_t c) { return c < kPieceElements ? kPieceElements / c : 1; }

// A piece, and the sums of a group of n output pixels; squares reach beyond either by less than a pack.
template <typename A>
std::int64_t across_workspace(std::int64_t n, std::int64_t c) {
  const std::int64_t group = n < kPack<A> ? n : kPack<A>;
  return (piece_of(c) * c + kPack<A> + group * c + kPack<A>)*kPack<A>;
}

// Output pixels in groups: as many as there are lanes, or fewer where their pixels would be more than a piece; one that
// alone has more is summed piece by piece.
template <typename In, typename A, typename Out>
void across(const In* const* rows, const RowTaps<A>& taps, std::int64_t c, Out* const* out, A* workspace) {
  constexpr std::int64_t kLanes = kPack<A>;
  const std::int64_t piece = piece_of(c);
  A* sums = workspace + (piece * c + kLanes) * kLanes;
  for (std::int64_t x0 = 0; x0 < taps.n;) {
    std::int64_t first = taps.first[x0];
    std::int64_t end = first + taps.count[x0];
    std::int64_t x1 = x0 + 1;
    for (; x1 < taps.n && x1 < x0 + kLanes; ++x1) {
      const std::int64_t low = taps.first[x1] < first ? taps.first[x1] : first;
      const std::int64_t high = taps.first[x1] + taps.count[x1] > end ? taps.first[x1] + taps.count[x1] : end;
      if (high - low > piece) break;
      first = low;
      end = high;
    }
    for (std::int64_t at = first; at < end; at += piece) {
      const std::int64_t stop = end - at < piece ? end : at + piece;
      rows_to_lanes(rows, at * c, (stop - at) * c, workspace);
      for (std::int64_t x = x0; x < x1; ++x) {
        const std::int64_t from = taps.first[x] > at ? taps.first[x] : at;
        const std::int64_t to = taps.first[x] + taps.count[x] < stop ? taps.first[x] + taps.count[x] : stop;
        sum_pixel(workspace + (from - at) * c * kLanes, taps.weight + x * taps.stride + (from - taps.first[x]),
                  to - from, c, at == first, sums + (x - x0) * c * kLanes);
      }
    }
    lanes_to_rows(sums, (x1 - x0) * c, out, x0 * c);
    x0 = x1;
  }
}

template <typename T, typename A>
constexpr augcore::simd::ResizeKernels<T, A> resize_kernels = {kPack<A>,        down<T, A, A>,   down<A, A, T>,
                                                               across<T, A, A>, across<A, A, T>, across_workspace<A>};

}  // namespace
