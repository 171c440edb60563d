// Which images of a batch are warped together: those with the same matrix.
#pragma once

#include <cstring>

#include "spares.hpp"
#include "warp_lanes.hpp"

namespace augcore::engine {

// One 3 x 3 matrix for all images, or one for each.
struct Matrices {
  static constexpr int kNumbers = 9;

  const double* values;
  std::int64_t n;

  const double* of(std::int64_t image) const { return values + (n > 1 ? image * kNumbers : 0); }
};

inline std::uint64_t hash(const double* matrix) {
  std::uint64_t h = 0;
  for (int k = 0; k < Matrices::kNumbers; ++k) {
    std::uint64_t bits;
    std::memcpy(&bits, matrix + k, sizeof bits);
    h = (h ^ bits) * 0x9E3779B97F4A7C15u;  // golden ratio
    h ^= h >> 32;
  }
  return h;
}

// Images with one matrix.
struct Group {
  const double* matrix;
  std::int64_t* images;
  std::int64_t count;
};

// Groups by rising first image; their lists are in `storage`, one behind the other.
inline std::vector<Group> group(const Matrices& matrices, const std::vector<std::int64_t>& images,
                                std::vector<std::int64_t>& storage) {
  std::vector<Group> groups;
  if (matrices.n == 1 && !images.empty()) {
    storage = images;
    groups.push_back({matrices.values, storage.data(), static_cast<std::int64_t>(storage.size())});
    return groups;
  }
  std::vector<std::int32_t> group_of(images.size());
  std::size_t size = 2;
  while (size < 2 * images.size()) size *= 2;
  std::vector<std::int32_t> slots(size, -1);  // a hash table of groups
  for (std::size_t i = 0; i < images.size(); ++i) {
    const double* m = matrices.of(images[i]);
    const auto is_other = [&](std::int32_t g) {
      return std::memcmp(groups[g].matrix, m, Matrices::kNumbers * sizeof(double)) != 0;
    };
    std::size_t slot = hash(m) % size;
    while (slots[slot] >= 0 && is_other(slots[slot])) slot = (slot + 1) % size;
    if (slots[slot] < 0) {
      slots[slot] = static_cast<std::int32_t>(groups.size());
      groups.push_back({m, nullptr, 0});
    }
    group_of[i] = slots[slot];
    ++groups[group_of[i]].count;
  }
  storage.resize(images.size());
  std::int64_t* next = storage.data();
  for (Group& g : groups) {
    g.images = next;
    next += g.count;
    g.count = 0;
  }
  for (std::size_t i = 0; i < images.size(); ++i) {
    Group& g = groups[group_of[i]];
    g.images[g.count++] = images[i];
  }
  return groups;
}

// The output is cut into blocks, wide and high as lanes want them.
struct Blocks {
  std::int64_t h, w;

  Blocks(const OutputImages& out, std::int64_t pixels) : h(out.h), w(out.w) {
    if (out.h * out.w <= pixels) return;
    w = std::min<std::int64_t>(16, pixels);  // near a square, in steps that fit cache lines
    while ((w + 16) * (w + 16) <= pixels) w += 16;
    w = std::min(w, out.w);
    h = std::min(out.h, pixels / w);
    if (h == out.h) w = std::min(out.w, std::max(w, pixels / h));
  }
};

// Runs f(block, first, last) over images first ... last - 1 of the blocks.
template <typename F>
void for_blocks(const OutputImages& out, const Blocks& blocks, std::int64_t n_images, std::int64_t task_images,
                int threads, const F& f) {
  const std::int64_t across = (out.w + blocks.w - 1) / blocks.w;
  const std::int64_t down = (out.h + blocks.h - 1) / blocks.h;
  const std::int64_t parts = (n_images + task_images - 1) / task_images;
  parallel_for(across * down * parts, threads, [&](std::int64_t task) {
    const std::int64_t first = task % parts * task_images;
    const std::int64_t y = task / parts / across * blocks.h;
    const std::int64_t x = task / parts % across * blocks.w;
    const Cell block = {y, std::min(out.h, y + blocks.h), x, std::min(out.w, x + blocks.w)};
    f(block, first, std::min(n_images, first + task_images));
  });
}

template <typename T, typename F>
void warp_in_lanes(const Method<T, F>& method, const Images& in, const Group& group, const OutputImages& out,
                   int threads) {
  constexpr std::int64_t kTaskElements = 1048576;  // about a millisecond
  using Lanes = LaneWarp<T, F>;
  const std::int64_t fit = std::max<std::int64_t>(1, Lanes::tile_elements(method) / in.c);
  const Blocks blocks(out, in.h * in.w <= fit ? fit : std::max<std::int64_t>(1, fit / 4));
  const std::int64_t lanes = method.kernels.lanes;
  const std::int64_t images = lanes * std::max<std::int64_t>(1, kTaskElements / (lanes * blocks.h * blocks.w * in.c));
  for_blocks(out, blocks, group.count, images, threads, [&](const Cell& cell, std::int64_t first, std::int64_t last) {
    Lanes lanes_of(method, in, out, cell, group.matrix);
    lanes_of.run(group.images + first, last - first);
  });
}

constexpr std::int64_t kCellPixels = 4096;      // a plan of so many pixels stays in the second-level cache
constexpr std::int64_t kTaskElements = 262144;  // about a millisecond

// Asks for rows of an image before they are read: turned rows are no pattern that a processor foresees. What does not
// fit the second-level cache would push itself out.
template <typename T>
__attribute__((always_inline)) inline void fetch_rows(const Images& in, std::int64_t image, std::int64_t y0,
                                                      std::int64_t y1) {
  constexpr std::int64_t kLine = 64, kMostBytes = 524288;
  const std::int64_t row = in.w * in.c * std::int64_t{sizeof(T)};
  const char* begin = static_cast<const char*>(in.data) + (image * in.h + y0) * row;
  const char* end = begin + std::min((y1 - y0) * row, kMostBytes);
  for (; begin < end; begin += kLine) __builtin_prefetch(begin, 0, 2);
}

struct Single {
  std::int64_t image;
  const double* matrix;
};

// One after the other, with a plan for each image, or for neighbours in the list that share their matrix and are small;
// an image that fits the cache is read once.
template <typename T, typename F>
void warp_one_by_one(const Method<T, F>& method, const Images& in, const std::vector<Single>& singles,
                     const OutputImages& out, int threads) {
  const std::int64_t pixels = std::max<std::int64_t>(1, kTaskElements / in.c);
  for_cells(Cells(out.h, out.w, pixels), static_cast<std::int64_t>(singles.size()), pixels, threads,
            [&](const Cell& part, std::int64_t first, std::int64_t last) {
              Plan<T, F> plan;
              const double* planned = nullptr;
              const Cells cells(part.y1 - part.y0, part.x1 - part.x0, kCellPixels);
              for (std::int64_t i = first; i < last; ++i) {
                const auto [image, m] = singles[i];
                fetch_rows<T>(in, image, 0, in.h);
                T* to = static_cast<T*>(out.data) + image * out.h * out.w * out.c;
                for (std::int64_t k = 0; k < cells.count(); ++k) {
                  const Cell c = cells[k];
                  const Cell cell = {part.y0 + c.y0, part.y0 + c.y1, part.x0 + c.x0, part.x0 + c.x1};
                  if (cells.count() > 1 || m != planned) {
                    plan.make(method, in, cell, m);
                    plan.set_offsets(method, in, {0, in.h, 0, in.w});
                    planned = m;
                  }
                  run_plan(method, plan, in, image, 0, cell.pixels(), to + (cell.y0 * out.w + cell.x0) * out.c);
                }
              }
            });
}

// All images with one matrix: one plan for all of them.
template <typename T, typename F>
void warp_together(const Method<T, F>& method, const Images& in, const Group& group, const OutputImages& out,
                   int threads) {
  // Small enough for the cache, large enough that neighbouring cells read little twice.
  constexpr std::int64_t kSharedCellPixels = 16384;
  const std::int64_t pixels = std::max<std::int64_t>(1, 2 * kTaskElements / in.c);
  Spares<Plan<T, F>> plans;  // a large image has thousands of cells
  for_cells(Cells(out.h, out.w, std::min(pixels, kSharedCellPixels)), group.count, pixels, threads,
            [&](const Cell& cell, std::int64_t first, std::int64_t last) {
              plans.with([&](Plan<T, F>& plan) {
                plan.make(method, in, cell, group.matrix);
                plan.set_offsets(method, in, {0, in.h, 0, in.w});
                const auto box = plan.box(method, in);
                for (std::int64_t i = first; i < last; ++i) {
                  T* image = static_cast<T*>(out.data) + group.images[i] * out.h * out.w * out.c;
                  fetch_rows<T>(in, group.images[i], box.y0, box.y1);
                  run_plan(method, plan, in, group.images[i], 0, cell.pixels(),
                           image + (cell.y0 * out.w + cell.x0) * out.c);
                }
              });
            });
}

// Whether lanes are worth the way there and back: for half a vector of images, and where whole images fit a tile, or
// one by one is slow and a few pixels do.
template <typename T, typename F>
bool pays_in_lanes(const Method<T, F>& method, const Images& in, std::int64_t n_images) {
  const bool quick = method.taps() == 2 && in.c <= method.kernels.gathered_channels;
  const std::int64_t tile = LaneWarp<T, F>::tile_elements(method);
  const bool fits = in.h * in.w * in.c <= tile || (!quick && 16 * in.c <= tile);
  return 2 * n_images >= method.kernels.lanes && fits;
}

template <typename T, typename F>
void warp_batch(const Method<T, F>& method, const Images& in, const Matrices& matrices,
                const std::vector<std::int64_t>& images, const OutputImages& out, int threads) {
  std::vector<std::int64_t> lists;
  std::vector<Single> singles;
  InterruptPoller poller;  // a group may be done before parallel_for asks
  for (const Group& g : group(matrices, images, lists)) {
    poller.poll();
    if (pays_in_lanes(method, in, g.count)) {
      warp_in_lanes(method, in, g, out, threads);
    } else if (matrices.n == 1) {
      warp_together(method, in, g, out, threads);
    } else {
      for (std::int64_t i = 0; i < g.count; ++i) singles.push_back({g.images[i], g.matrix});
    }
  }
  warp_one_by_one(method, in, singles, out, threads);
}

}  // namespace augcore::engine
