// Rows of moved pixels for one instruction set: see CopyKernels in kernels.hpp for what each computes.
//
// Everything is bytes: a pixel of any type and any number of channels is so many bytes that stay together, and is
// copied bit for bit.
#pragma once

#include <cstdint>

#include "simd/kernels.hpp"
#include "simd/vec.hpp"

namespace {

using augcore::simd::Piece;
using augcore::simd::PixelBytes;

template <std::int64_t kPixel>
void reverse_pixels(const std::uint8_t* from, std::int64_t bytes, std::uint8_t* to) {
  for (std::int64_t i = 0; i < bytes; i += kPixel) __builtin_memcpy(to + i, from - i, kPixel);
}

void reverse_exact(const std::uint8_t* from, std::int64_t bytes, std::int64_t pixel, std::uint8_t* to) {
  switch (pixel) {
    case 1:
      return reverse_pixels<1>(from, bytes, to);
    case 2:
      return reverse_pixels<2>(from, bytes, to);
    case 3:
      return reverse_pixels<3>(from, bytes, to);
    case 4:
      return reverse_pixels<4>(from, bytes, to);
    case 6:
      return reverse_pixels<6>(from, bytes, to);
    case 8:
      return reverse_pixels<8>(from, bytes, to);
    case 12:
      return reverse_pixels<12>(from, bytes, to);
    case 16:
      return reverse_pixels<16>(from, bytes, to);
    default:
      for (std::int64_t i = 0; i < bytes; i += pixel) __builtin_memcpy(to + i, from - i, pixel);
  }
}

// Doubles what is there until there is enough.
void repeat_exact(const std::uint8_t* from, std::int64_t bytes, std::int64_t pixel, std::uint8_t* to) {
  __builtin_memcpy(to, from, pixel);
  for (std::int64_t done = pixel; done < bytes; done *= 2) {
    __builtin_memcpy(to + done, to, done < bytes - done ? done : bytes - done);
  }
}

void rows_exact(const Piece* pieces, std::int64_t n_pieces, const PixelBytes& pixel, const std::uint8_t* row,
                std::int64_t stride, std::int64_t n_rows, const std::uint8_t* fill, std::uint8_t* out) {
  for (std::int64_t r = 0; r < n_rows; ++r, row += stride) {
    for (const Piece* piece = pieces; piece != pieces + n_pieces; out += piece->bytes, ++piece) {
      switch (piece->kind) {
        case Piece::copy:
          __builtin_memcpy(out, row + piece->from, piece->bytes);
          break;
        case Piece::fill:
          __builtin_memcpy(out, fill, piece->bytes);
          break;
        case Piece::reverse:
          reverse_exact(row + piece->from, piece->bytes, pixel.size, out);
          break;
        case Piece::repeat:
          repeat_exact(row + piece->from, piece->bytes, pixel.size, out);
          break;
      }
    }
  }
}

#if defined(AUGCORE_LEVEL_v3) || defined(AUGCORE_LEVEL_v4)

inline __m128i load16(const std::uint8_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
inline void store16(std::uint8_t* p, __m128i a) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), a); }

inline void copy_loose(const std::uint8_t* from, std::int64_t bytes, std::uint8_t* to) {
  for (std::int64_t i = 0; i < bytes; i += 32) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i),
                        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i)));
  }
}

void rows_loose(const Piece* pieces, std::int64_t n_pieces, const PixelBytes& pixel, const std::uint8_t* row,
                std::int64_t stride, std::int64_t n_rows, const std::uint8_t* fill, std::uint8_t* out) {
  const __m128i repeated = load16(pixel.repeated), reversed = load16(pixel.reversed);
  for (std::int64_t r = 0; r < n_rows; ++r, row += stride) {
    for (const Piece* piece = pieces; piece != pieces + n_pieces; out += piece->bytes, ++piece) {
      const std::uint8_t* from = row + piece->from;
      switch (piece->kind) {
        case Piece::copy:
          copy_loose(from, piece->bytes, out);
          break;
        case Piece::fill:
          copy_loose(fill, piece->bytes, out);
          break;
        case Piece::reverse:
          from += pixel.size - 16;
          for (std::int64_t i = 0; i < piece->bytes; i += pixel.step) {
            store16(out + i, _mm_shuffle_epi8(load16(from - i), reversed));
          }
          break;
        case Piece::repeat: {
          const __m128i pixels = _mm_shuffle_epi8(load16(from), repeated);
          for (std::int64_t i = 0; i < piece->bytes; i += pixel.step) store16(out + i, pixels);
          break;
        }
      }
    }
  }
}

constexpr augcore::simd::CopyKernels copy_kernels = {rows_loose, rows_exact};

#else

constexpr augcore::simd::CopyKernels copy_kernels = {rows_exact, rows_exact};

#endif

}  // namespace
