// Bicubic interpolation of 8-bit pixels at places without a pattern: one load for the four pixels of a row. See
// gather.inl for the rest.
#pragma once

#include "simd/gather.inl"

namespace {

template <typename T, typename R, std::int64_t m>
inline bool gathered_bicubic(const T*, const T*, Neighbours, std::int64_t, const std::int32_t*, const R (&)[4][m],
                             const R (&)[4][m], std::int64_t, T*) {
  return false;
}

#if defined(AUGCORE_LEVEL_v3) || defined(AUGCORE_LEVEL_v4)

// Four neighbouring pixels, in the low bytes of each Row, from four rows.
template <typename Row>
struct Rows {
  alignas(64) Row of[4][kGather];
};

// Zeros up to the next multiple of `step`. Loads of a whole Row may reach beyond the bytes of four pixels, not to
// `end`.
template <typename Row>
inline void load_rows(const std::uint8_t* image, const std::uint8_t* end, std::int64_t down, int bytes,
                      const std::int32_t* offset, int n, int step, Rows<Row>& rows) {
  std::int32_t last = 0;
  for (int i = 0; i < n; ++i) last = offset[i] > last ? offset[i] : last;
  const bool room = end - image >= last + 3 * down + static_cast<std::int64_t>(sizeof(Row));
  for (int k = 0; k < 4; ++k) {
    const std::uint8_t* row = image + k * down;
    Row* to = rows.of[k];
    if (room) {
      for (int i = 0; i < n; ++i) std::memcpy(to + i, row + offset[i], sizeof(Row));
    } else {
      for (int i = 0; i < n; ++i) {
        to[i] = {};
        std::memcpy(to + i, row + offset[i], bytes);
      }
    }
    for (int i = n; i % step != 0; ++i) to[i] = {};
  }
}

struct SixteenBytes {
  std::uint8_t bytes[16];
};

// tap(k, j): pixel j of row k; x(j), y(k): their weights.
template <typename Tap, typename X, typename Y>
inline Floats mix_rows(const Tap& tap, const X& x, const Y& y) {
  const auto sum = [](const auto& term) { return add(add(add(term(0), term(1)), term(2)), term(3)); };
  const auto row = [&](int k) { return sum([&](int j) { return multiply(x(j), tap(k, j)); }); };
  return sum([&](int k) { return multiply(y(k), row(k)); });
}

template <std::int64_t m>
inline void mix_one_channel(const Rows<std::uint32_t>& rows, const float (&wx)[4][m], const float (&wy)[4][m], int n,
                            std::uint8_t* out) {
  for (int i = 0; i < n; i += kFloats) {
    const auto tap = [&](int k, int j) { return to_floats(byte_of_32(load_bytes(rows.of[k] + i), j)); };
    const auto x = [&](int j) { return load_floats(wx[j] + i); };
    const auto y = [&](int k) { return load_floats(wy[k] + i); };
    store_rounded(out + i, limit_to_bytes(mix_rows(tap, x, y)));
  }
}

template <std::int64_t m>
inline void mix_channels(const Rows<SixteenBytes>& rows, int c, const float (&wx)[4][m], const float (&wy)[4][m], int n,
                         std::uint8_t* out) {
  const Bytes turns[4] = {widen_channels(0), widen_channels(c), widen_channels(2 * c), widen_channels(3 * c)};
  for (int i = 0; i < n; i += kParts) {
    const auto tap = [&](int k, int j) { return to_floats(shuffle_bytes(load_bytes(rows.of[k] + i), turns[j])); };
    const auto x = [&](int j) { return spread_to_floats(wx[j] + i); };
    const auto y = [&](int k) { return spread_to_floats(wy[k] + i); };
    store_rounded(out + 4 * i, limit_to_bytes(mix_rows(tap, x, y)));
  }
}

// At most kGather pixels. wx, wy: the weights of each.
template <std::int64_t m>
inline bool gathered_bicubic(const std::uint8_t* image, const std::uint8_t* end, Neighbours step, std::int64_t channels,
                             const std::int32_t* offset, const float (&wx)[4][m], const float (&wy)[4][m],
                             std::int64_t n, std::uint8_t* out) {
  if (channels > kGatheredChannels<std::uint8_t>) return false;
  const int c = static_cast<int>(channels), count = static_cast<int>(n);
  alignas(64) std::uint8_t room[4 * kGather + kBytes];
  alignas(64) std::uint8_t pixels[4 * kGather];
  if (c == 1) {
    Rows<std::uint32_t> rows;
    load_rows(image, end, step.down, 4, offset, count, kFloats, rows);
    mix_one_channel(rows, wx, wy, count, room);
  } else {
    Rows<SixteenBytes> rows;
    load_rows(image, end, step.down, 4 * c, offset, count, kParts, rows);
    mix_channels(rows, c, wx, wy, count, c == 4 ? room : pixels);
    if (c < 4) drop_bytes(pixels, c, count, room);
  }
  std::memcpy(out, room, n * c);
  return true;
}

#endif

}  // namespace
