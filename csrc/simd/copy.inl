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

void rows_exact(const Piece* pieces, std::int64_t n_pieces, const PixelBytes& pixel, const std::uint8_t* image,
                const std::int64_t* rows, std::int64_t n_rows, const std::uint8_t* fill, std::uint8_t* out) {
  for (std::int64_t r = 0; r < n_rows; ++r) {
    const std::uint8_t* row = image + rows[r];
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

inline __m256i load32(const std::uint8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
inline void store32(std::uint8_t* p, __m256i a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a); }

constexpr std::uint8_t kPlaces[32] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                      16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};

// The constants of a pixel size, kept apart from the memory that is written, which could be any.
struct Constants {
  __m128i repeated, reversed;
  std::int64_t step, to_last;
  const std::uint8_t* fill;
};

template <Piece::Kind kKind>
inline void piece_loose(const Constants& constants, const std::uint8_t* from, std::int64_t bytes, std::uint8_t* to) {
  if constexpr (kKind == Piece::copy || kKind == Piece::fill) {
    if constexpr (kKind == Piece::fill) from = constants.fill;
    for (std::int64_t i = 0; i < bytes; i += 32) store32(to + i, load32(from + i));
  } else if constexpr (kKind == Piece::reverse) {
    from -= constants.to_last;
    for (std::int64_t i = 0; i < bytes; i += constants.step) {
      store16(to + i, _mm_shuffle_epi8(load16(from - i), constants.reversed));
    }
  } else {
    const __m128i pixels = _mm_shuffle_epi8(load16(from), constants.repeated);
    for (std::int64_t i = 0; i < bytes; i += constants.step) store16(to + i, pixels);
  }
}

// Rows of pieces of known kinds.
template <Piece::Kind... kKinds>
void rows_of(const Piece* pieces, const Constants& of_pixel, const std::uint8_t* image, const std::int64_t* rows,
             std::int64_t n_rows, std::uint8_t* out) {
  const Constants constants = of_pixel;
  Piece mine[sizeof...(kKinds)];
  for (unsigned k = 0; k < sizeof...(kKinds); ++k) mine[k] = pieces[k];
  for (std::int64_t r = 0; r < n_rows; ++r) {
    const std::uint8_t* row = image + rows[r];
    const Piece* piece = mine;
    ((piece_loose<kKinds>(constants, row + piece->from, piece->bytes, out), out += piece->bytes, ++piece), ...);
  }
}

// Rows of a copied piece beside repeated pixels, all of which are in the first vector: on the left, or in rows of one
// vector on whichever side. They are laid over a row that is copied as if it went on beyond the image, so that stores
// begin where the row does.
void edged_rows(const Piece* pieces, const PixelBytes& pixel, const std::uint8_t* image, const std::int64_t* rows,
                std::int64_t n_rows, std::uint8_t* out) {
  const bool left = pieces[0].kind == Piece::repeat;
  const std::int64_t split = pieces[0].bytes, bytes = split + pieces[1].bytes;
  const std::uint8_t* edge = image + pieces[left ? 0 : 1].from;
  const std::uint8_t* middle = image + (left ? pieces[1].from - split : pieces[0].from);
  const __m256i behind = _mm256_cmpgt_epi8(load32(kPlaces), _mm256_set1_epi8(static_cast<char>(split - 1)));
  const __m256i copied = _mm256_xor_si256(behind, _mm256_set1_epi8(left ? 0 : -1));
  const __m256i repeated = load32(pixel.repeated);
  for (std::int64_t r = 0; r < n_rows; ++r, out += bytes) {
    const __m256i repeats = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(load16(edge + rows[r])), repeated);
    const std::uint8_t* from = middle + rows[r];
    store32(out, _mm256_blendv_epi8(repeats, load32(from), copied));
    for (std::int64_t i = 32; i < bytes; i += 32) store32(out + i, load32(from + i));
  }
}

void rows_of_any(const Piece* pieces, std::int64_t n_pieces, const Constants& constants, const std::uint8_t* image,
                 const std::int64_t* rows, std::int64_t n_rows, std::uint8_t* out) {
  for (std::int64_t r = 0; r < n_rows; ++r) {
    for (const Piece* piece = pieces; piece != pieces + n_pieces; out += piece->bytes, ++piece) {
      const std::uint8_t* from = image + rows[r] + piece->from;
      switch (piece->kind) {
        case Piece::copy:
          piece_loose<Piece::copy>(constants, from, piece->bytes, out);
          break;
        case Piece::fill:
          piece_loose<Piece::fill>(constants, from, piece->bytes, out);
          break;
        case Piece::reverse:
          piece_loose<Piece::reverse>(constants, from, piece->bytes, out);
          break;
        case Piece::repeat:
          piece_loose<Piece::repeat>(constants, from, piece->bytes, out);
          break;
      }
    }
  }
}

void rows_loose(const Piece* pieces, std::int64_t n_pieces, const PixelBytes& pixel, const std::uint8_t* image,
                const std::int64_t* rows, std::int64_t n_rows, const std::uint8_t* fill, std::uint8_t* out) {
  const Constants constants = {load16(pixel.repeated), load16(pixel.reversed), pixel.step, 16 - pixel.size, fill};
  const auto are = [&](Piece::Kind first, Piece::Kind second) {
    return n_pieces == 2 && pieces[0].kind == first && pieces[1].kind == second;
  };
  if (n_pieces == 1 && pieces[0].kind == Piece::copy) {
    rows_of<Piece::copy>(pieces, constants, image, rows, n_rows, out);
  } else if (n_pieces == 1 && pieces[0].kind == Piece::reverse) {
    rows_of<Piece::reverse>(pieces, constants, image, rows, n_rows, out);
  } else if (are(Piece::repeat, Piece::copy) && pieces[0].bytes <= 32) {
    edged_rows(pieces, pixel, image, rows, n_rows, out);
  } else if (are(Piece::copy, Piece::repeat) && pieces[0].bytes + pieces[1].bytes <= 32) {
    edged_rows(pieces, pixel, image, rows, n_rows, out);
  } else if (are(Piece::copy, Piece::repeat)) {
    rows_of<Piece::copy, Piece::repeat>(pieces, constants, image, rows, n_rows, out);
  } else if (are(Piece::fill, Piece::copy)) {
    rows_of<Piece::fill, Piece::copy>(pieces, constants, image, rows, n_rows, out);
  } else if (are(Piece::copy, Piece::fill)) {
    rows_of<Piece::copy, Piece::fill>(pieces, constants, image, rows, n_rows, out);
  } else {
    rows_of_any(pieces, n_pieces, constants, image, rows, n_rows, out);
  }
}

constexpr augcore::simd::CopyKernels copy_kernels = {rows_loose, rows_exact};

#else

constexpr augcore::simd::CopyKernels copy_kernels = {rows_exact, rows_exact};

#endif

}  // namespace
