// Bilinear interpolation of 8-bit pixels at places without a pattern: one load for the two pixels of a row, vectors for
// all that follows. Falls back where pixels have more than four channels and where there are no byte shuffles.
#pragma once

#include <cstdint>
#include <cstring>

#include "augcore/point/opencv4.hpp"
#include "simd/bytes.hpp"
#include "simd/kernels.hpp"

namespace {

using augcore::simd::Neighbours;

template <typename T>
constexpr std::int64_t kGatheredChannels = 0;

template <typename T, typename F>
inline bool gathered_bilinear(const T*, const T*, Neighbours, std::int64_t, const std::int32_t*, const F*, const F*,
                              std::int64_t, T*) {
  return false;
}

#if defined(AUGCORE_LEVEL_v3) || defined(AUGCORE_LEVEL_v4)

template <>
constexpr std::int64_t kGatheredChannels<std::uint8_t> = 4;

constexpr int kGather = 128;         // pixels handled at once
constexpr int kWords = kBytes / 2;   // 16-bit numbers of a vector
constexpr int kPixels = kBytes / 8;  // pixels of four 16-bit numbers in a vector

// Two neighbouring pixels in the low bytes of each Pair, from the upper and the lower row.
template <typename Pair>
struct Pairs {
  alignas(64) Pair upper[kGather];
  alignas(64) Pair lower[kGather];
};

template <typename Pair>
inline Pair load_pair(const std::uint8_t* at) {
  Pair pair;
  std::memcpy(&pair, at, sizeof(Pair));
  return pair;
}

// n pairs, and zeros up to the next multiple of `step`. bytes: of a pair. Loads of a whole Pair may reach beyond them,
// but not to `end`.
template <typename Pair>
inline void load_pairs(const std::uint8_t* image, const std::uint8_t* end, std::int64_t down, int bytes,
                       const std::int32_t* offset, int n, int step, Pairs<Pair>& pairs) {
  std::int32_t last = 0;
  for (int i = 0; i < n; ++i) last = offset[i] > last ? offset[i] : last;
  if (end - image >= last + down + static_cast<std::int64_t>(sizeof(Pair))) {
    const std::uint8_t* below = image + down;
    for (int i = 0; i < n; ++i) {
      const std::int64_t at = offset[i];
      pairs.upper[i] = load_pair<Pair>(image + at);
      pairs.lower[i] = load_pair<Pair>(below + at);
    }
  } else {
    for (int i = 0; i < n; ++i) {
      pairs.upper[i] = pairs.lower[i] = 0;
      std::memcpy(&pairs.upper[i], image + offset[i], bytes);
      std::memcpy(&pairs.lower[i], image + offset[i] + down, bytes);
    }
  }
  for (int i = n; i % step != 0; ++i) pairs.upper[i] = pairs.lower[i] = 0;
}

// ---- the arithmetic of OpenCV 4, in 16 bits: see mix_bilinear in lanes.inl ------------------------------------------

// mixed: 16-bit numbers a * (32 - fx) + b * fx of pairs of bytes a, b; x_weight: the pairs (32 - fx, fx); y_weight: fy.
inline Bytes mix_words(Bytes upper, Bytes lower, Bytes x_weight, Bytes y_weight) {
  const Bytes a = multiply_add_pairs(upper, x_weight);
  const Bytes b = multiply_add_pairs(lower, x_weight);
  const Bytes risen = multiply_high(shift_left<2>(subtract_words(b, a)), shift_left<9>(y_weight));
  return shift_right<5>(add_words(add_words(a, all_words(16)), risen));
}

inline Bytes pair_weights(Bytes fraction) {
  return add_words(shift_left<8>(fraction), subtract_words(all_words(32), fraction));
}

inline void mix_one_channel(const Pairs<std::uint16_t>& pairs, const std::int32_t* fx, const std::int32_t* fy, int n,
                            std::uint8_t* out) {
  for (int i = 0; i < n; i += kBytes) {
    Bytes words[2];
    for (int half = 0; half < 2; ++half) {
      const int at = i + half * kWords;
      words[half] = mix_words(load_bytes(pairs.upper + at), load_bytes(pairs.lower + at),
                              pair_weights(narrow_to_words(fx + at)), narrow_to_words(fy + at));
    }
    store_bytes(out + i, narrow_to_bytes(words[0], words[1]));
  }
}

// Each pixel is four bytes in `out`; `turn` brings the bytes of two pixels side by side, channel by channel.
inline void mix_channels(const Pairs<std::uint64_t>& pairs, int c, const std::int32_t* fx, const std::int32_t* fy,
                         int n, std::uint8_t* out) {
  const Bytes turn = pair_channels(c);
  for (int i = 0; i < n; i += 2 * kPixels) {
    Bytes words[2];
    for (int half = 0; half < 2; ++half) {
      const int at = i + half * kPixels;
      words[half] = mix_words(shuffle_bytes(load_bytes(pairs.upper + at), turn),
                              shuffle_bytes(load_bytes(pairs.lower + at), turn), pair_weights(spread_to_words(fx + at)),
                              spread_to_words(fy + at));
    }
    store_bytes(out + 4 * i, narrow_to_bytes(words[0], words[1]));
  }
}

// ---- exact, in float: point::bilinear -------------------------------------------------------------------------------

inline Floats mix_floats(Floats a, Floats b, Floats f) { return add(a, multiply(f, subtract(b, a))); }

inline void mix_one_channel(const Pairs<std::uint16_t>& pairs, const float* fx, const float* fy, int n,
                            std::uint8_t* out) {
  for (int i = 0; i < n; i += kFloats) {
    const Floats x = load_floats(fx + i);
    const auto row = [&](const std::uint16_t* pair) {
      const Bytes both = widen_words(pair + i);
      return mix_floats(to_floats(byte_of_32(both, 0)), to_floats(byte_of_32(both, 1)), x);
    };
    store_rounded(out + i, mix_floats(row(pairs.upper), row(pairs.lower), load_floats(fy + i)));
  }
}

inline void mix_channels(const Pairs<std::uint64_t>& pairs, int c, const float* fx, const float* fy, int n,
                         std::uint8_t* out) {
  const Bytes first = widen_channels(0);
  const Bytes second = widen_channels(c);
  for (int i = 0; i < n; i += kFloats / 4) {
    const Floats x = spread_to_floats(fx + i);
    const auto row = [&](const std::uint64_t* pair) {
      const Bytes both = load_quads(pair + i);
      return mix_floats(to_floats(shuffle_bytes(both, first)), to_floats(shuffle_bytes(both, second)), x);
    };
    store_rounded(out + 4 * i, mix_floats(row(pairs.upper), row(pairs.lower), spread_to_floats(fy + i)));
  }
}

// ----------------------------------------------------------------------------------------------------------------------

// Pixels of four bytes become pixels of c.
inline void drop_bytes(const std::uint8_t* pixels, int c, int n, std::uint8_t* out) {
  for (int i = 0; i < n; i += kBytes / 4) store_bytes(out + i * c, pack_pixels(load_bytes(pixels + 4 * i), c));
}

// What is computed beyond the n pixels, to fill vectors, stays in room.
template <typename F>
inline bool gathered_bilinear(const std::uint8_t* image, const std::uint8_t* end, Neighbours step,
                              std::int64_t channels, const std::int32_t* offset, const F* fx, const F* fy,
                              std::int64_t n, std::uint8_t* out) {
  if (channels > kGatheredChannels<std::uint8_t> || step.right != channels) return false;
  const int c = static_cast<int>(channels);
  alignas(64) std::uint8_t room[4 * kGather + kBytes];
  alignas(64) std::uint8_t pixels[4 * kGather];
  for (std::int64_t i = 0; i < n; i += kGather) {
    const int m = static_cast<int>(n - i < kGather ? n - i : kGather);
    if (c == 1) {
      Pairs<std::uint16_t> pairs;
      load_pairs(image, end, step.down, 2, offset + i, m, kBytes, pairs);
      mix_one_channel(pairs, fx + i, fy + i, m, room);
    } else {
      Pairs<std::uint64_t> pairs;
      load_pairs(image, end, step.down, 2 * c, offset + i, m, kBytes / 4, pairs);
      mix_channels(pairs, c, fx + i, fy + i, m, c == 4 ? room : pixels);
      if (c < 4) drop_bytes(pixels, c, m, room);
    }
    std::memcpy(out + i * c, room, m * c);
  }
  return true;
}

// ---- float pixels, in double, their channels in lanes ---------------------------------------------------------------

template <>
constexpr std::int64_t kGatheredChannels<float> = 4;

inline bool gathered_bilinear(const float* image, const float* end, Neighbours step, std::int64_t c,
                              const std::int32_t* offset, const double* fx, const double* fy, std::int64_t n,
                              float* out) {
  if (c > kGatheredChannels<float> || step.right != c) return false;
  const auto along = [](const float* a, const float* b, double f) {
    if (f == 0.0) return widen_four(a);
    if (f == 1.0) return widen_four(b);
    return mix_four(widen_four(a), widen_four(b), f);
  };
  for (std::int64_t i = 0; i < n; ++i) {
    const float* at = image + offset[i];
    const float* below = at + step.down;
    float upper_pixels[8], lower_pixels[8];
    if (end - below < c + 4) {
      for (std::int64_t k = 0; k < 2 * c; ++k) {
        upper_pixels[k] = at[k];
        lower_pixels[k] = below[k];
      }
      for (std::int64_t k = 2 * c; k < 8; ++k) upper_pixels[k] = lower_pixels[k] = 0.0F;
      at = upper_pixels;
      below = lower_pixels;
    }
    Four mixed;
    if (fy[i] == 0.0) {
      mixed = along(at, at + c, fx[i]);
    } else if (fy[i] == 1.0) {
      mixed = along(below, below + c, fx[i]);
    } else {
      mixed = mix_four(along(at, at + c, fx[i]), along(below, below + c, fx[i]), fy[i]);
    }
    // What is written behind the pixel is overwritten by the next ones.
    if (i * c + 4 <= n * c) {
      store_four(out + i * c, mixed);
    } else {
      float last[4];
      store_four(last, mixed);
      std::memcpy(out + i * c, last, c * sizeof(float));
    }
  }
  return true;
}

#endif

}  // namespace
