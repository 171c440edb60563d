// Warps of many images at once: one image in each lane of a vector. See LaneKernels in kernels.hpp for what each
// computes.
//
// With one matrix for all images, positions and weights are the same in every lane, and the four pixels that one output
// pixel mixes are four vectors: no gathering, no unpacking. What it costs is to bring the images into this order and
// back, which takes two shuffles for sixteen bytes and each stage of a transposition.
#pragma once

#include <cstdint>

#include "augcore/point/interpolate.hpp"
#include "augcore/point/opencv4.hpp"
#include "simd/bytes.hpp"
#include "simd/kernels.hpp"

namespace {

namespace point = augcore::point;
using augcore::simd::Neighbours;

template <typename T>
constexpr int kImages = kBytes / static_cast<int>(sizeof(T));  // lanes of a vector: images of a group
template <typename T>
constexpr int kPartElements = kPartBytes / static_cast<int>(sizeof(T));

// ---- bringing images into lanes and back ----------------------------------------------------------------------------

// Within each part, element j of row i goes to element i of row j; as many rows as a part has elements. Each stage
// interleaves row i with row i + half: after log2(rows) of them every index bit of a row has become one of an element.
template <typename T>
inline void transpose_parts(Bytes* rows) {
  constexpr int n = kPartElements<T>;
  for (int stage = 1; stage < n; stage *= 2) {
    Bytes next[n];
    for (int i = 0; i < n / 2; ++i) interleave<sizeof(T)>(rows[i], rows[i + n / 2], next[2 * i], next[2 * i + 1]);
    for (int i = 0; i < n; ++i) rows[i] = next[i];
  }
}

// A square: as many elements of as many images as a vector has lanes. Whole vectors are read from and written to each
// image, so that a cache line is touched once.
template <typename T>
inline void collect_square(const T* const* images, std::int64_t at, T* out) {
  constexpr int n = kPartElements<T>;
  Bytes parts[kParts][n];
  for (int i = 0; i < n; ++i) {
    Bytes rows[kParts];
    for (int part = 0; part < kParts; ++part) rows[part] = load_bytes(images[part * n + i] + at);
    exchange_parts(rows);
    for (int part = 0; part < kParts; ++part) parts[part][i] = rows[part];
  }
  for (int part = 0; part < kParts; ++part) {
    transpose_parts<T>(parts[part]);
    for (int i = 0; i < n; ++i) store_bytes(out + (part * n + i) * kImages<T>, parts[part][i]);
  }
}

template <typename T>
inline void distribute_square(const T* in, T* const* images, std::int64_t at) {
  constexpr int n = kPartElements<T>;
  Bytes parts[kParts][n];
  for (int part = 0; part < kParts; ++part) {
    for (int i = 0; i < n; ++i) parts[part][i] = load_bytes(in + (part * n + i) * kImages<T>);
    transpose_parts<T>(parts[part]);
  }
  for (int i = 0; i < n; ++i) {
    Bytes rows[kParts];
    for (int part = 0; part < kParts; ++part) rows[part] = parts[part][i];
    exchange_parts(rows);
    for (int part = 0; part < kParts; ++part) store_bytes(images[part * n + i] + at, rows[part]);
  }
}

// The same for as many elements as a part has.
template <typename T>
inline void collect_strip(const T* const* images, std::int64_t at, T* out) {
  constexpr int n = kPartElements<T>;
  Bytes rows[n];
  for (int i = 0; i < n; ++i) {
    const void* from[kParts];
    for (int part = 0; part < kParts; ++part) from[part] = images[part * n + i] + at;
    rows[i] = load_parts(from);
  }
  transpose_parts<T>(rows);
  for (int i = 0; i < n; ++i) store_bytes(out + i * kImages<T>, rows[i]);
}

template <typename T>
inline void distribute_strip(const T* in, T* const* images, std::int64_t at) {
  constexpr int n = kPartElements<T>;
  Bytes rows[n];
  for (int i = 0; i < n; ++i) rows[i] = load_bytes(in + i * kImages<T>);
  transpose_parts<T>(rows);
  for (int i = 0; i < n; ++i) {
    void* to[kParts];
    for (int part = 0; part < kParts; ++part) to[part] = images[part * n + i] + at;
    store_parts(to, rows[i]);
  }
}

// Squares, then strips, cover m elements; the last strip overlaps what is before it.
template <typename T>
void collect_lanes(const T* const* images, std::int64_t m, T* out) {
  constexpr std::int64_t n = kImages<T>, strip = kPartElements<T>;
  std::int64_t j = 0;
  for (; j + n <= m; j += n) collect_square(images, j, out + j * n);
  if (m < strip) {
    for (; j < m; ++j) {
      for (std::int64_t i = 0; i < n; ++i) out[j * n + i] = images[i][j];
    }
  }
  for (; j < m; j += strip) {
    const std::int64_t at = j < m - strip ? j : m - strip;
    collect_strip(images, at, out + at * n);
  }
}

template <typename T>
void distribute_lanes(const T* in, std::int64_t m, T* const* images) {
  constexpr std::int64_t n = kImages<T>, strip = kPartElements<T>;
  std::int64_t j = 0;
  for (; j + n <= m; j += n) distribute_square(in + j * n, images, j);
  if (m < strip) {
    for (; j < m; ++j) {
      for (std::int64_t i = 0; i < n; ++i) images[i][j] = in[j * n + i];
    }
  }
  for (; j < m; j += strip) {
    const std::int64_t at = j < m - strip ? j : m - strip;
    distribute_strip(in + at * n, images, at);
  }
}

// ---- mixing lanes ---------------------------------------------------------------------------------------------------

template <typename T>
inline void mix_along(const T* a, const T* b, point::Real<T> f, T* out) {
  for (int i = 0; i < kImages<T>; ++i) out[i] = static_cast<T>((1.0 - f) * a[i] + f * b[i]);
}

template <typename T>
inline void copy_lanes(const T* from, T* out) {
  store_bytes(out, load_bytes(from));
}

// point::bilinear in every lane. The fractions are the same in all, so what depends on them is decided once.
template <typename T>
inline void mix_bilinear(const T* v00, const T* v01, const T* v10, const T* v11, point::Real<T> fx, point::Real<T> fy,
                         T* out) {
  using R = point::Real<T>;
  if constexpr (point::Pixel<T>::kInteger) {
    // Between the least and the greatest of the four, so nothing saturates.
    for (int i = 0; i < kImages<T>; ++i) {
      const R v = point::bilinear<T>(static_cast<R>(v00[i]), static_cast<R>(v01[i]), static_cast<R>(v10[i]),
                                     static_cast<R>(v11[i]), fx, fy);
      out[i] = static_cast<T>(static_cast<std::int32_t>(point::round_half_even(v)));
    }
  } else {
    const bool along_x = fx != 0.0 && fx != 1.0;
    const bool along_y = fy != 0.0 && fy != 1.0;
    if (along_x && along_y) {
      for (int i = 0; i < kImages<T>; ++i) {
        const R upper = (1.0 - fx) * v00[i] + fx * v01[i];
        const R lower = (1.0 - fx) * v10[i] + fx * v11[i];
        out[i] = static_cast<T>((1.0 - fy) * upper + fy * lower);
      }
    } else if (along_x) {
      mix_along(fy == 0.0 ? v00 : v10, fy == 0.0 ? v01 : v11, fx, out);
    } else if (along_y) {
      mix_along(fx == 0.0 ? v00 : v01, fx == 0.0 ? v10 : v11, fy, out);
    } else {
      copy_lanes(fy == 0.0 ? (fx == 0.0 ? v00 : v01) : (fx == 0.0 ? v10 : v11), out);
    }
  }
}

// point::opencv4::bilinear in every lane, in 16 bits: the sum over y, shifted by 10, is taken in two steps of 5.
inline void mix_bilinear(const std::uint8_t* v00, const std::uint8_t* v01, const std::uint8_t* v10,
                         const std::uint8_t* v11, std::int32_t fx, std::int32_t fy, std::uint8_t* out) {
  const std::int16_t right = static_cast<std::int16_t>(fx);
  const std::int16_t left = static_cast<std::int16_t>(32 - fx);
  const std::int16_t down = static_cast<std::int16_t>(fy * 512);
  for (int i = 0; i < kImages<std::uint8_t>; ++i) {
    const std::int16_t upper = static_cast<std::int16_t>(v00[i] * left + v01[i] * right);
    const std::int16_t lower = static_cast<std::int16_t>(v10[i] * left + v11[i] * right);
    const std::int16_t apart = static_cast<std::int16_t>((lower - upper) * 4);
    const std::int16_t risen = static_cast<std::int16_t>((static_cast<std::int32_t>(apart) * down) >> 16);
    out[i] = static_cast<std::uint8_t>(static_cast<std::uint16_t>(upper + 16 + risen) >> 5);
  }
}

// point::cubic of four rows and of the four results, in every lane. taps: 4 x 4 vectors.
template <typename T>
inline void mix_bicubic(const T* const* taps, point::Real<T> fx, point::Real<T> fy, T* out) {
  using R = point::Real<T>;
  R wx[4], wy[4];
  point::cubic_weights(fx, wx);
  point::cubic_weights(fy, wy);
  R rows[4][kImages<T>];
  for (int k = 0; k < 4; ++k) {
    const T* const* row = taps + 4 * k;
    if (!point::Pixel<T>::kInteger && fx == 0.0) {
      for (int i = 0; i < kImages<T>; ++i) rows[k][i] = static_cast<R>(row[1][i]);
    } else {
      for (int i = 0; i < kImages<T>; ++i) {
        rows[k][i] = wx[0] * row[0][i] + wx[1] * row[1][i] + wx[2] * row[2][i] + wx[3] * row[3][i];
      }
    }
  }
  if (!point::Pixel<T>::kInteger && fy == 0.0) {
    for (int i = 0; i < kImages<T>; ++i) out[i] = static_cast<T>(rows[1][i]);
  } else {
    for (int i = 0; i < kImages<T>; ++i) {
      const R v = wy[0] * rows[0][i] + wy[1] * rows[1][i] + wy[2] * rows[2][i] + wy[3] * rows[3][i];
      out[i] = point::to_pixel<T>(v);
    }
  }
}

template <typename T, typename F>
void lanes_bilinear(const T* tile, Neighbours step, std::int64_t c, const std::int32_t* offset, const F* fx,
                    const F* fy, std::int64_t n, T* out) {
  constexpr std::int64_t lanes = kImages<T>;
  for (std::int64_t i = 0; i < n; ++i) {
    const T* pixel = tile + offset[i] * lanes;
    for (std::int64_t channel = 0; channel < c; ++channel, pixel += lanes, out += lanes) {
      mix_bilinear(pixel, pixel + step.right * lanes, pixel + step.down * lanes,
                   pixel + (step.down + step.right) * lanes, fx[i], fy[i], out);
    }
  }
}

template <typename T>
void lanes_bicubic(const T* tile, Neighbours step, std::int64_t c, const std::int32_t* offset, const point::Real<T>* fx,
                   const point::Real<T>* fy, std::int64_t n, T* out) {
  constexpr std::int64_t lanes = kImages<T>;
  for (std::int64_t i = 0; i < n; ++i) {
    const T* pixel = tile + offset[i] * lanes;
    for (std::int64_t channel = 0; channel < c; ++channel, pixel += lanes, out += lanes) {
      const T* taps[16];
      for (int k = 0; k < 16; ++k) taps[k] = pixel + (k / 4 * step.down + k % 4 * step.right) * lanes;
      mix_bicubic(taps, fx[i], fy[i], out);
    }
  }
}

template <typename T>
void lanes_nearest(const T* tile, std::int64_t c, const std::int32_t* offset, std::int64_t n, T* out) {
  constexpr std::int64_t lanes = kImages<T>;
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t channel = 0; channel < c; ++channel, out += lanes) {
      copy_lanes(tile + (offset[i] + channel) * lanes, out);
    }
  }
}

template <typename T>
void lanes_of_taps(const T* const* taps, int n_taps, point::Real<T> fx, point::Real<T> fy, T* out) {
  if (n_taps == 1) {
    copy_lanes(taps[0], out);
  } else if (n_taps == 4) {
    mix_bilinear(taps[0], taps[1], taps[2], taps[3], fx, fy, out);
  } else {
    mix_bicubic(taps, fx, fy, out);
  }
}

}  // namespace
