// How work on a batch of images is cut into tasks, and how code for one pixel type is chosen.
#pragma once

#include <algorithm>
#include <cstdint>
#include <stdexcept>

#include "augcore/dtype.hpp"
#include "augcore/threads.hpp"

namespace augcore {

// A rectangle of an output image: whole rows, or a part of one row. Either way its pixels are contiguous.
struct Cell {
  std::int64_t y0;
  std::int64_t y1;
  std::int64_t x0;
  std::int64_t x1;

  std::int64_t pixels() const { return (y1 - y0) * (x1 - x0); }
};

// h x w pixels as cells of at most max_pixels.
class Cells {
 public:
  Cells(std::int64_t h, std::int64_t w, std::int64_t max_pixels)
      : h_(h),
        w_(w),
        columns_(std::min(w, max_pixels)),
        rows_(std::min(h, std::max<std::int64_t>(1, max_pixels / w))),
        across_((w + columns_ - 1) / columns_),
        down_((h + rows_ - 1) / rows_) {}

  std::int64_t count() const { return across_ * down_; }
  std::int64_t largest() const { return rows_ * columns_; }

  Cell operator[](std::int64_t i) const {
    const std::int64_t y = i / across_ * rows_;
    const std::int64_t x = i % across_ * columns_;
    return {y, std::min(h_, y + rows_), x, std::min(w_, x + columns_)};
  }

 private:
  std::int64_t h_, w_, columns_, rows_, across_, down_;
};

constexpr std::int64_t kTaskImages = 8192;  // what is done once for each takes milliseconds in all

// Runs f(cell, first, last): images first ... last - 1 of one cell, about task_pixels pixels in all.
template <typename F>
void for_cells(const Cells& cells, std::int64_t n_images, std::int64_t task_pixels, int threads, const F& f) {
  const std::int64_t most = std::min(n_images, kTaskImages);
  const std::int64_t images = std::min(most, std::max<std::int64_t>(1, task_pixels / cells.largest()));
  const std::int64_t blocks = images > 0 ? (n_images + images - 1) / images : 0;
  parallel_for(cells.count() * blocks, threads, [&](std::int64_t task) {
    const std::int64_t first = task % blocks * images;
    f(cells[task / blocks], first, std::min(n_images, first + images));
  });
}

// Calls f(first, last) for parts of a batch of n images, so that lists of images stay small and Ctrl-C need not wait
// until lists of millions are made.
template <typename F>
void for_parts(std::int64_t n, const F& f) {
  constexpr std::int64_t kImages = 65536;
  InterruptPoller poller;
  for (std::int64_t first = 0; first < n; first += kImages) {
    f(first, std::min(n, first + kImages));
    poller.poll();
  }
}

// Calls f with a value of the pixel type: generic code takes its type from there.
template <typename F>
void by_dtype(Dtype dtype, const F& f) {
  switch (dtype) {
    case Dtype::uint8:
      return f(std::uint8_t{});
    case Dtype::uint16:
      return f(std::uint16_t{});
    case Dtype::float32:
      return f(float{});
    case Dtype::float64:
      return f(double{});
  }
  throw std::invalid_argument("unknown dtype");
}

}  // namespace augcore
