#include "augcore/copy.hpp"

#include <cstring>
#include <stdexcept>
#include <vector>

#include "augcore/point/interpolate.hpp"
#include "axis.hpp"
#include "cells.hpp"
#include "simd/levels.hpp"
#include "writer.hpp"

namespace augcore {
namespace {

using simd::CopyKernels;
using simd::Piece;
using simd::PixelBytes;

constexpr std::int64_t kTaskBytes = 262144;  // well below a millisecond
constexpr std::int64_t kSmallImage = 32768;  // bytes; of smaller ones the next image is fetched, not the next rows
constexpr std::int64_t kFetchAhead = 8192;   // bytes, more than the writer takes in one go
constexpr std::int64_t kFillBytes = 256;     // of a row of fill values
constexpr std::int64_t kOutside = -1;        // stands for a row that shows fill values

static_assert(CopyKernels::kSlack <= Writer::kSlack);

std::int64_t pixel_bytes(Dtype dtype, std::int64_t c) {
  std::int64_t bytes = 0;
  by_dtype(dtype, [&](auto pixel) { bytes = c * static_cast<std::int64_t>(sizeof pixel); });
  return bytes;
}

// How the cells of some neighbouring images are put together; the same wherever images move alike.
class Plan {
 public:
  Plan(const Images& in, const Cell& cell)
      : cell_(cell),
        pixel_(pixel_bytes(in.dtype, in.c)),
        row_bytes_(in.w * pixel_.size),
        image_bytes_(in.h * row_bytes_),
        small_ahead_((kFetchAhead / image_bytes_ + 1) * image_bytes_),
        begin_(static_cast<const std::uint8_t*>(in.data)),
        end_(begin_ + in.n * image_bytes_),
        bytes_((cell.x1 - cell.x0) * pixel_.size),
        rows_at_once_(Writer::kCapacity / bytes_),
        fill_bytes_(std::max<std::int64_t>(1, kFillBytes / pixel_.size) * pixel_.size),
        kernels_(simd::kernels().copy) {}

  // How many cells are made in one go.
  std::int64_t images_at_once() const { return std::max<std::int64_t>(1, rows_at_once_ / (cell_.y1 - cell_.y0)); }

  std::int64_t fill_bytes() const { return fill_bytes_; }

  void set(const Axis& x, const Axis& y, std::int64_t n_images) {
    set_columns(x);
    rows_.resize(n_images * (cell_.y1 - cell_.y0));
    for (std::int64_t image = 0, *to = rows_.data(); image < n_images; ++image) {
      to = add_rows(y, image * image_bytes_, to);
    }
    backward_ = y.flipped;
  }

  // Writes the cells of n_images images, no more than set() was told, of which the first is image `first`.
  void run(std::int64_t first, std::int64_t n_images, const std::uint8_t* fill, Writer& writer) const {
    const std::uint8_t* image = begin_ + first * image_bytes_;
    const std::int64_t n_rows = n_images * (cell_.y1 - cell_.y0);
    std::int64_t n = 1;
    for (std::int64_t i = 0; i < n_rows; i += n) {
      const std::int64_t* rows = &rows_[i];
      const bool outside = rows[0] == kOutside;
      n = std::min(n_rows - i, std::max<std::int64_t>(1, rows_at_once_));
      for (std::int64_t k = 1; !outside_.empty() && k < n; ++k) {
        if ((rows[k] == kOutside) != outside) n = k;
      }
      if (!outside) fetch(image, rows, n, n_images);
      const std::vector<Piece>& pieces = outside ? outside_ : pieces_;
      const simd::CopyRows kernel = outside || has_slack(image, rows, n, n_images) ? kernels_.loose : kernels_.exact;
      if (rows_at_once_ > 0) {
        std::uint8_t* to = writer.room_for(n * bytes_);
        kernel(pieces.data(), pieces.size(), pixel_, image, rows, n, fill, to);
        writer.added(n * bytes_);
      } else {
        write_long_row(pieces, kernel, image, rows, fill, writer);
      }
    }
  }

 private:
  void set_columns(const Axis& x) {
    pieces_.clear();
    outside_.clear();
    low_ = row_bytes_;
    high_ = 0;
    for (std::int64_t i = cell_.x0; i < cell_.x1;) {
      const Run run = x.at(i, cell_.x1 - i);
      add_piece(run);
      i += run.count;
    }
    if (x.border == Border::constant) add_fill(bytes_, outside_);
  }

  void add_piece(const Run& run) {
    const std::int64_t size = pixel_.size, bytes = run.count * size;
    if (run.first < 0) return add_fill(bytes, pieces_);
    const std::int64_t last = run.first + run.step * (run.count - 1);
    low_ = std::min(low_, std::min(run.first, last) * size);
    high_ = std::max(high_, (std::max(run.first, last) + 1) * size);
    if (run.step == 1 || run.count == 1) {
      pieces_.push_back({Piece::copy, run.first * size, bytes});
    } else if (size <= PixelBytes::kLargest) {
      pieces_.push_back({run.step == 0 ? Piece::repeat : Piece::reverse, run.first * size, bytes});
    } else {
      for (std::int64_t i = 0; i < run.count; ++i) {
        pieces_.push_back({Piece::copy, (run.first + i * run.step) * size, size});
      }
    }
  }

  void add_fill(std::int64_t bytes, std::vector<Piece>& pieces) const {
    for (; bytes > 0; bytes -= fill_bytes_) pieces.push_back({Piece::fill, 0, std::min(bytes, fill_bytes_)});
  }

  // The rows of the image that begins so many bytes behind the first one.
  std::int64_t* add_rows(const Axis& y, std::int64_t image, std::int64_t* to) const {
    for (std::int64_t i = cell_.y0; i < cell_.y1;) {
      const Run run = y.at(i, cell_.y1 - i);
      const std::int64_t first = run.first < 0 ? kOutside : image + run.first * row_bytes_;
      const std::int64_t step = run.step * row_bytes_;
      for (std::int64_t k = 0; k < run.count; ++k) to[k] = first + k * step;
      to += run.count;
      i += run.count;
    }
    return to;
  }

  // Whether vectors that reach beyond the pieces stay inside the batch. That is plain for all but the outermost images.
  bool has_slack(const std::uint8_t* image, const std::int64_t* rows, std::int64_t n, std::int64_t n_images) const {
    const std::int64_t before = image - begin_ - CopyKernels::kSlack;
    const std::int64_t behind = end_ - image - CopyKernels::kSlack;
    if (before >= 0 && behind >= n_images * image_bytes_) return true;
    const auto [lowest, highest] = std::minmax_element(rows, rows + n);
    return before + *lowest + low_ >= 0 && behind >= *highest + high_;
  }

  // Asks for what is read next but one: processors do not foresee a walk that jumps back from row to row. Inline, as
  // gcc drops calls of functions that do nothing but this.
  __attribute__((always_inline)) void fetch(const std::uint8_t* image, const std::int64_t* rows, std::int64_t n,
                                            std::int64_t n_images) const {
    std::int64_t first = std::min(rows[0], rows[n - 1]) + low_, last = std::max(rows[0], rows[n - 1]) + high_;
    std::int64_t ahead = 2 * (backward_ ? first - last : last - first);
    if (image_bytes_ <= kSmallImage) {  // the next images
      if (n_images > 1) first = 0, last = n_images * image_bytes_;
      ahead = small_ahead_;
    }
    const std::uint8_t* begin = image + ahead + first;
    const std::uint8_t* end = image + ahead + last;
    if (backward_) {
      for (; end > begin; end -= 64) __builtin_prefetch(end - 1);
    } else {
      for (; begin < end; begin += 64) __builtin_prefetch(begin);
    }
  }

  // A row that the writer has to be given in parts.
  void write_long_row(const std::vector<Piece>& pieces, simd::CopyRows kernel, const std::uint8_t* image,
                      const std::int64_t* row, const std::uint8_t* fill, Writer& writer) const {
    // Large pixels are copied by pieces of their own, which may be cut anywhere.
    const bool large = pixel_.size > PixelBytes::kLargest;
    const std::int64_t most = large ? Writer::kCapacity : Writer::kCapacity / pixel_.size * pixel_.size;
    for (const Piece& piece : pieces) {
      const std::int64_t forward = piece.kind == Piece::copy ? 1 : piece.kind == Piece::reverse ? -1 : 0;
      for (std::int64_t done = 0; done < piece.bytes; done += most) {
        const Piece part = {piece.kind, piece.from + forward * done, std::min(most, piece.bytes - done)};
        std::uint8_t* to = writer.room_for(part.bytes);
        kernel(&part, 1, pixel_, image, row, 1, fill + (piece.kind == Piece::fill ? done : 0), to);
        writer.added(part.bytes);
      }
    }
  }

  const Cell cell_;
  const PixelBytes pixel_;
  const std::int64_t row_bytes_;  // of an image
  const std::int64_t image_bytes_;
  const std::int64_t small_ahead_;  // bytes of so many images that they are fetched in time
  const std::uint8_t* const begin_;
  const std::uint8_t* const end_;
  const std::int64_t bytes_;         // of a row of the cell
  const std::int64_t rows_at_once_;  // 0: a row is too long
  const std::int64_t fill_bytes_;
  const CopyKernels& kernels_;
  std::vector<Piece> pieces_;
  std::vector<Piece> outside_;  // those of a row above or below the image; empty where none can be
  std::int64_t low_ = 0;        // where the pieces begin and end in the row that they read
  std::int64_t high_ = 0;
  std::vector<std::int64_t> rows_;  // where they are: bytes behind the beginning of the first image, or kOutside
  bool backward_ = false;
};

// Rows of fill values for one image after the other.
class FillRow {
 public:
  FillRow(const Images& in, const Fill& fill, std::int64_t bytes)
      : in_(in), fill_(fill), size_(bytes), bytes_(bytes + CopyKernels::kSlack) {}

  const std::uint8_t* of(std::int64_t image) {
    const double* values = fill_.of(image, in_.c);
    if (values == made_of_) return bytes_.data();
    by_dtype(in_.dtype, [&](auto pixel) {
      using T = decltype(pixel);
      std::int64_t channel = 0;
      for (std::int64_t at = 0; at < size_; at += sizeof(T)) {
        const T value = point::to_pixel<T>(values[channel]);
        std::memcpy(&bytes_[at], &value, sizeof(T));
        channel = channel + 1 < in_.c ? channel + 1 : 0;
      }
    });
    made_of_ = values;
    return bytes_.data();
  }

 private:
  const Images& in_;
  const Fill& fill_;
  const std::int64_t size_;
  const double* made_of_ = nullptr;
  std::vector<std::uint8_t> bytes_;
};

// Runs f(cell, first, last, writer) for all of the output.
template <typename F>
void for_output(const OutputImages& out, std::int64_t n_images, bool past_cache, int threads, const F& f) {
  const std::int64_t bytes = pixel_bytes(out.dtype, out.c), pixels = std::max<std::int64_t>(1, kTaskBytes / bytes);
  const bool large = exceeds_cache(n_images * out.h * out.w * bytes);
  for_cells(Cells(out.h, out.w, pixels), n_images, pixels, threads,
            [&](const Cell& cell, std::int64_t first, std::int64_t last) {
              Writer writer(past_cache && large);
              f(cell, first, last, writer);
            });
}

// The writer is to write the cells of images image ... last - 1.
void go_to(Writer& writer, const OutputImages& out, const Cell& cell, std::int64_t image, std::int64_t last) {
  const std::int64_t bytes = pixel_bytes(out.dtype, out.c), pixels = out.h * out.w;
  const std::int64_t cells = cell.pixels() == pixels ? last - image : 1;  // that follow each other without a gap
  writer.go_to(static_cast<std::uint8_t*>(out.data) + (image * pixels + cell.y0 * out.w + cell.x0) * bytes,
               cells * cell.pixels() * bytes);
}

}  // namespace

void shift(const Images& in, const Selection& selection, const Shift* shifts, std::int64_t n_shifts, Border border,
           const Fill& fill, const OutputImages& out, int threads) {
  if (selection.count == 0 || in.c == 0 || out.h == 0 || out.w == 0) return;
  if (in.h == 0 || in.w == 0) throw std::invalid_argument("images: have no pixels to read");
  for_output(out, selection.count, true, threads,
             [&](const Cell& cell, std::int64_t first, std::int64_t last, Writer& writer) {
               Plan plan(in, cell);
               FillRow fill_row(in, fill, plan.fill_bytes());
               const bool alike = n_shifts == 1 && fill.n == 1 && selection.indices == nullptr;
               const std::int64_t at_once = alike && cell.pixels() == out.h * out.w ? plan.images_at_once() : 1;
               for (std::int64_t i = first, n = 1; i < last; i += n) {
                 n = std::min(at_once, last - i);
                 const Shift by = shifts[n_shifts > 1 ? i : 0];
                 if (i == first || n_shifts > 1) {
                   plan.set({in.w, by.x, border, false}, {in.h, by.y, border, false}, n);
                 }
                 const std::int64_t image = selection[i];
                 go_to(writer, out, cell, image, selection.indices == nullptr ? last : image + 1);
                 plan.run(image, n, border == Border::constant ? fill_row.of(image) : nullptr, writer);
               }
             });
}

void flip(const Images& in, bool horizontal, bool vertical, const OutputImages& out, int threads) {
  if (in.n == 0 || in.c == 0 || in.h == 0 || in.w == 0) return;
  // Reversed rows are made of small stores: gathering them once more costs what the way past the cache would gain.
  const bool past_cache = !horizontal;
  for_output(out, in.n, past_cache, threads,
             [&](const Cell& cell, std::int64_t first, std::int64_t last, Writer& writer) {
               Plan plan(in, cell);
               const std::int64_t at_once = cell.pixels() == out.h * out.w ? plan.images_at_once() : 1;
               plan.set({in.w, 0, Border::edge, horizontal}, {in.h, 0, Border::edge, vertical},
                        std::min(at_once, last - first));
               for (std::int64_t i = first, n = 1; i < last; i += n) {
                 n = std::min(at_once, last - i);
                 go_to(writer, out, cell, i, last);
                 plan.run(i, n, nullptr, writer);
               }
             });
}

}  // namespace augcore
