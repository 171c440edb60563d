#include "augcore/copy.hpp"

#include <cstring>
#include <stdexcept>
#include <vector>

#include "augcore/point/interpolate.hpp"
#include "cells.hpp"
#include "simd/levels.hpp"
#include "writer.hpp"

namespace augcore {
namespace {

using simd::CopyKernels;
using simd::Piece;
using simd::PixelBytes;

constexpr std::int64_t kTaskBytes = 262144;  // well below a millisecond
constexpr std::int64_t kSmall = 32768, kAhead=8192;
constexpr std::int64_t kFillBytes = 256;     // of a row of fill values

static_assert(CopyKernels::kSlack <= Writer::kSlack);

std::int64_t element_bytes(Dtype dtype) {
  std::int64_t bytes = 0;
  by_dtype(dtype, [&](auto pixel) { bytes = sizeof pixel; });
  return bytes;
}

// ---- one axis: which pixels show ------------------------------------------------------------------------------------

// Neighbouring pixels of the output show first, first + step, ... of the image along one axis; first == -1: the fill.
struct Run {
  std::int64_t first;
  std::int64_t step;  // 1, 0 or -1
  std::int64_t count;
};

// What stands at i and behind it, n pixels being there: at most `most` pixels.
Run run_at(std::int64_t i, std::int64_t n, Border border, std::int64_t most) {
  if (i >= 0 && i < n) return {i, 1, std::min(most, n - i)};
  const std::int64_t before = i < 0 ? std::min(most, -i) : most;  // pixels that are outside for sure
  if (border == Border::constant) return {-1, 0, before};
  if (border == Border::edge || n == 1) return {i < 0 ? 0 : n - 1, 0, before};
  if (border == Border::wrap) {
    const std::int64_t at = point::modulo(i, n);
    return {at, 1, std::min(most, n - at)};
  }
  // Back and forth, turning at the outermost pixels or behind them.
  const std::int64_t turn = border == Border::reflect ? n - 1 : n;
  const std::int64_t at = point::modulo(i, 2 * turn);
  if (at < turn) return {at, 1, std::min(most, turn - at)};
  return {border == Border::reflect ? 2 * turn - at : 2 * turn - 1 - at, -1, std::min(most, 2 * turn - at)};
}

// What an output shows along one axis of an image.
struct Axis {
  std::int64_t n;  // pixels of the image
  std::int64_t shift;
  Border border;
  bool flipped;

  Run at(std::int64_t i, std::int64_t most) const {
    return flipped ? Run{n - 1 - i, -1, most} : run_at(i + shift, n, border, most);
  }
};

// ---- two axes: rows of pieces ---------------------------------------------------------------------------------------

// How the rows of one cell are put together, the same for all images that move alike.
class Plan {
 public:
  explicit Plan(const Images& in)
      : pixel_(in.c * element_bytes(in.dtype)),
        row_bytes_(in.w * pixel_.size),
        begin_(static_cast<const std::uint8_t*>(in.data)),
        end_(begin_ + in.n * in.h * row_bytes_),
        ahead_(in.h * row_bytes_ <= kSmall ? (kAhead + in.h*row_bytes_ - 1)/(in.h*row_bytes_) * in.h*row_bytes_ : 0),
        fill_bytes_(std::max<std::int64_t>(1, kFillBytes / pixel_.size) * pixel_.size),
        kernels_(simd::kernels().copy) {}

  void set_columns(const Axis& columns, const Cell& cell) {
    pieces_.clear();
    outside_.clear();
    low_ = row_bytes_;
    high_ = 0;
    bytes_ = (cell.x1 - cell.x0) * pixel_.size;
    rows_at_once_ = Writer::kCapacity / bytes_;
    for (std::int64_t x = cell.x0; x < cell.x1;) {
      const Run run = columns.at(x, cell.x1 - x);
      add(run);
      x += run.count;
    }
    if (columns.border == Border::constant) add_fill(bytes_, outside_);
  }

  std::int64_t pixel_bytes() const { return pixel_.size; }
  std::int64_t fill_bytes() const { return fill_bytes_; }

  void run(const std::uint8_t* image, const Axis& rows, const Cell& cell, const std::uint8_t* fill,
           Writer& writer) const {
    for (std::int64_t y = cell.y0; y < cell.y1;) {
      const Run r = rows.at(y, cell.y1 - y);
      if (r.first < 0) {
        write(outside_, image, 0, r.count, fill, writer);
      } else {
        write(pieces_, image + r.first * row_bytes_, r.step * row_bytes_, r.count, fill, writer);
      }
      y += r.count;
    }
  }

 private:
  void add(const Run& run) {
    const std::int64_t size = pixel_.size;
    if (run.first < 0) return add_fill(run.count * size, pieces_);
    const std::int64_t last = run.first + run.step * (run.count - 1);
    low_ = std::min(low_, std::min(run.first, last) * size);
    high_ = std::max(high_, (std::max(run.first, last) + 1) * size);
    if (run.step == 1 || run.count == 1) {
      pieces_.push_back({Piece::copy, run.first * size, run.count * size});
    } else if (size <= PixelBytes::kLargest) {
      pieces_.push_back({run.step == 0 ? Piece::repeat : Piece::reverse, run.first * size, run.count * size});
    } else {
      for (std::int64_t i = 0; i < run.count; ++i) {
        pieces_.push_back({Piece::copy, (run.first + i * run.step) * size, size});
      }
    }
  }

  void add_fill(std::int64_t bytes, std::vector<Piece>& pieces) const {
    for (; bytes > 0; bytes -= fill_bytes_) pieces.push_back({Piece::fill, 0, std::min(bytes, fill_bytes_)});
  }

  // n_rows rows of pieces; `row` is what the first one reads.
  void write(const std::vector<Piece>& pieces, const std::uint8_t* row, std::int64_t stride, std::int64_t n_rows,
             const std::uint8_t* fill, Writer& writer) const {
    for (std::int64_t n = 0; n_rows > 0; n_rows -= n, row += n * stride) {
      if (rows_at_once_ == 0) {
        write_long_row(pieces, row, fill, writer);
        n = 1;
        continue;
      }
      n = std::min(n_rows, rows_at_once_);
      std::uint8_t* to = writer.room_for(n * bytes_);
      if (stride < 0 || (stride > 0 && (ahead_ == 0 || writer.past_cache()))) fetch(row + (ahead_ > 0 ? ahead_ : 2 * n * stride), (n - 1) * stride);
      rows_kernel(row, (n - 1) * stride)(pieces.data(), pieces.size(), pixel_, row, stride, n, fill, to);
      writer.added(n * bytes_);
    }
  }

  // Asks for the rows that are read next: processors foresee no walk that jumps from row to row.
  __attribute__((always_inline)) void fetch(const std::uint8_t* row, std::int64_t distance) const {
    const std::uint8_t* first = row + std::min<std::int64_t>(distance, 0) + low_;
    const std::uint8_t* last = row + std::max<std::int64_t>(distance, 0) + high_;
    if (distance < 0) {
      for (last -= 1; last >= first; last -= 64) __builtin_prefetch(last);
    } else
    for (; first < last; first += 64) __builtin_prefetch(first);
  }

  // A row that the writer has to be given in parts.
  void write_long_row(const std::vector<Piece>& pieces, const std::uint8_t* row, const std::uint8_t* fill,
                      Writer& writer) const {
    constexpr std::int64_t kPart = Writer::kCapacity / 2;
    const bool whole_pixels = pixel_.size <= PixelBytes::kLargest;
    const std::int64_t most = whole_pixels ? kPart / pixel_.size * pixel_.size : kPart;
    for (const Piece& piece : pieces) {
      const std::int64_t forward = piece.kind == Piece::copy ? 1 : piece.kind == Piece::reverse ? -1 : 0;
      for (std::int64_t done = 0; done < piece.bytes; done += most) {
        const Piece part = {piece.kind, piece.from + forward * done, std::min(most, piece.bytes - done)};
        const std::uint8_t* from = piece.kind == Piece::fill && !whole_pixels ? fill + done : fill;
        std::uint8_t* to = writer.room_for(part.bytes);
        rows_kernel(row, 0)(&part, 1, pixel_, row, 0, 1, from, to);
        writer.added(part.bytes);
      }
    }
  }

  // The kernel for rows read between `row` and `row + distance`: at the ends of the batch, one that touches no byte
  // outside.
  simd::CopyRows rows_kernel(const std::uint8_t* row, std::int64_t distance) const {
    const std::uint8_t* first = row + std::min<std::int64_t>(distance, 0) + low_;
    const std::uint8_t* last = row + std::max<std::int64_t>(distance, 0) + high_;
    const bool slack = first - begin_ >= CopyKernels::kSlack && end_ - last >= CopyKernels::kSlack;
    return slack ? kernels_.loose : kernels_.exact;
  }

  const PixelBytes pixel_;
  const std::int64_t row_bytes_;  // of an image
  const std::uint8_t* const begin_;
  const std::uint8_t* const end_;
  const std::int64_t ahead_;
  const std::int64_t fill_bytes_;
  const CopyKernels& kernels_;
  std::vector<Piece> pieces_;
  std::vector<Piece> outside_;  // those of a row above or below the image
  std::int64_t bytes_ = 0;      // of a row of pieces
  std::int64_t rows_at_once_ = 0;
  std::int64_t low_ = 0;        // where the pieces begin and end in the row that they read
  std::int64_t high_ = 0;
};

// Rows of fill values for one image after the other.
class FillRow {
 public:
  FillRow(const Images& in, const Fill& fill, std::int64_t bytes)
      : in_(in), fill_(fill), row_(bytes), bytes_(bytes + CopyKernels::kSlack) {}

  const std::uint8_t* of(std::int64_t image) {
    const double* values = fill_.of(image, in_.c);
    if (values == made_of_) return bytes_.data();
    by_dtype(in_.dtype, [&](auto pixel) {
      using T = decltype(pixel);
      for (std::int64_t at = 0, i = 0; at < row_; at += sizeof(T), i = i + 1 < in_.c ? i + 1 : 0) {
        const T value = point::to_pixel<T>(values[i]);
        std::memcpy(&bytes_[at], &value, sizeof(T));
      }
    });
    made_of_ = values;
    return bytes_.data();
  }

 private:
  const Images& in_;
  const Fill& fill_;
  const std::int64_t row_;
  const double* made_of_ = nullptr;
  std::vector<std::uint8_t> bytes_;
};

const std::uint8_t* image_of(const Images& in, std::int64_t i, std::int64_t pixel) {
  return static_cast<const std::uint8_t*>(in.data) + i * in.h * in.w * pixel;
}

// The writer is to write one cell of images image ... last - 1.
void go_to(Writer& writer, const OutputImages& out, const Cell& cell, std::int64_t image, std::int64_t last) {
  const std::int64_t pixel = out.c * element_bytes(out.dtype), pixels = out.h * out.w;
  const std::int64_t images = cell.pixels() == pixels ? last - image : 1;  // that follow each other without a gap
  writer.go_to(static_cast<std::uint8_t*>(out.data) + (image * pixels + cell.y0 * out.w + cell.x0) * pixel,
               images * cell.pixels() * pixel);
}

// Runs f(cell, first, last, writer) for all of the output.
template <typename F>
void for_output(const OutputImages& out, std::int64_t n_images, int threads, const F& f) {
  const std::int64_t pixel = out.c * element_bytes(out.dtype);
  const std::int64_t pixels = std::max<std::int64_t>(1, kTaskBytes / pixel);
  const bool past_cache = exceeds_cache(n_images * out.h * out.w * pixel);
  for_cells(Cells(out.h, out.w, pixels), n_images, pixels, threads,
            [&](const Cell& cell, std::int64_t first, std::int64_t last) {
              Writer writer(past_cache);
              f(cell, first, last, writer);
            });
}

}  // namespace

void shift(const Images& in, const Selection& selection, const Shift* shifts, std::int64_t n_shifts, Border border,
           const Fill& fill, const OutputImages& out, int threads) {
  if (selection.count == 0 || in.c == 0 || out.h == 0 || out.w == 0) return;
  if (in.h == 0 || in.w == 0) throw std::invalid_argument("images: have no pixels to read");
  for_output(out, selection.count, threads,
             [&](const Cell& cell, std::int64_t first, std::int64_t last, Writer& writer) {
               Plan plan(in);
               FillRow fill_row(in, fill, plan.fill_bytes());
               for (std::int64_t i = first; i < last; ++i) {
                 const Shift by = shifts[n_shifts > 1 ? i : 0];
                 if (i == first || n_shifts > 1) plan.set_columns({in.w, by.x, border, false}, cell);
                 const std::int64_t image = selection[i];
                 go_to(writer, out, cell, image, selection.indices == nullptr ? last : image + 1);
                 plan.run(image_of(in, image, plan.pixel_bytes()), {in.h, by.y, border, false}, cell,
                          border == Border::constant ? fill_row.of(image) : nullptr, writer);
               }
             });
}

void flip(const Images& in, bool horizontal, bool vertical, const OutputImages& out, int threads) {
  if (in.n == 0 || in.c == 0 || in.h == 0 || in.w == 0) return;
  for_output(out, in.n, threads, [&](const Cell& cell, std::int64_t first, std::int64_t last, Writer& writer) {
    Plan plan(in);
    plan.set_columns({in.w, 0, Border::edge, horizontal}, cell);
    for (std::int64_t image = first; image < last; ++image) {
      go_to(writer, out, cell, image, last);
      plan.run(image_of(in, image, plan.pixel_bytes()), {in.h, 0, Border::edge, vertical}, cell, nullptr, writer);
    }
  });
}

}  // namespace augcore
