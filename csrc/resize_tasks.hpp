// How a batch of rectangles to resize is cut into tasks.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "augcore/image.hpp"
#include "augcore/resize.hpp"
#include "augcore/threads.hpp"
#include "cells.hpp"

namespace augcore {

constexpr std::int64_t kCellColumns = 16384;  // elements of a row that have tables
constexpr std::int64_t kTaskRows = 4;         // a part of an image has so many rows at least, if the image has
constexpr std::int64_t kTaskColumns = 64;     // and elements of a row, as vectors want them

// The images in an order in which, part of the batch by part, those with rectangles of one width, and then of one
// height, are together: tables are made when sizes change. Empty where all have one size.
inline std::vector<std::int64_t> by_size(const Rectangle* rectangles, std::int64_t n) {
  std::vector<std::int64_t> order;
  const auto other = [&](const Rectangle& r) { return r.h != rectangles[0].h || r.w != rectangles[0].w; };
  if (std::none_of(rectangles, rectangles + n, other)) return order;
  order.resize(n);
  std::iota(order.begin(), order.end(), std::int64_t{0});
  const auto before = [&](std::int64_t a, std::int64_t b) {
    const Rectangle& r = rectangles[a];
    const Rectangle& s = rectangles[b];
    return r.w != s.w ? r.w < s.w : r.h != s.h ? r.h < s.h : a < b;
  };
  for_parts(n, [&](std::int64_t first, std::int64_t last) { std::sort(&order[first], order.data() + last, before); });
  return order;
}

// Runs tasks: each makes a worker, make(cell), and calls worker(image, rectangle) for some images. elements: of the
// output, that a task should have at most.
template <typename Make>
void for_rectangles(const Images& in, const Rectangle* rectangles, std::int64_t n_rectangles, const OutputImages& out,
                    std::int64_t elements, int threads, const Make& make) {
  const std::vector<std::int64_t> order = by_size(rectangles, n_rectangles);
  const std::int64_t most = std::max(kTaskColumns, std::min(kCellColumns, elements));
  const std::int64_t columns = std::min(out.w, std::max<std::int64_t>(1, most / in.c));
  const std::int64_t row = columns * in.c;
  // A row that takes in thousands is work enough for a task.
  const std::int64_t least = elements >= kTaskColumns ? kTaskRows : 1;
  const std::int64_t rows = std::min(out.h, std::max(least, elements / row));
  const std::int64_t across = (out.w + columns - 1) / columns;
  const std::int64_t down = (out.h + rows - 1) / rows;
  const std::int64_t images = std::min(std::min(in.n, kTaskImages), std::max<std::int64_t>(1, elements / (row * rows)));
  const std::int64_t blocks = (in.n + images - 1) / images;
  parallel_for(across * down * blocks, threads, [&](std::int64_t task) {
    const std::int64_t first = task % blocks * images;
    const std::int64_t y = task / blocks / across * rows;
    const std::int64_t x = task / blocks % across * columns;
    auto worker = make(Cell{y, std::min(out.h, y + rows), x, std::min(out.w, x + columns)});
    for (std::int64_t i = first; i < std::min(in.n, first + images); ++i) {
      const std::int64_t image = order.empty() ? i : order[i];
      worker(image, rectangles[n_rectangles > 1 ? image : 0]);
    }
  });
}

}  // namespace augcore
