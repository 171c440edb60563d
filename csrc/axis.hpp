// Which pixels of an image a shifted or flipped one shows, along one axis.
#pragma once

#include <algorithm>
#include <cstdint>

#include "augcore/point/border.hpp"

namespace augcore {

// Neighbouring pixels of the output show first, first + step, ... of the image along one axis; first == -1: the fill.
struct Run {
  std::int64_t first;
  std::int64_t step;  // 1, 0 or -1
  std::int64_t count;
};

// What stands at i and behind it where there are n pixels; `most` at most.
inline Run run_at(std::int64_t i, std::int64_t n, Border border, std::int64_t most) {
  if (i >= 0 && i < n) return {i, 1, std::min(most, n - i)};
  const std::int64_t outside = i < 0 ? std::min(most, -i) : most;
  if (border == Border::constant) return {-1, 0, outside};
  if (border == Border::edge || n == 1) return {i < 0 ? 0 : n - 1, 0, outside};
  if (border == Border::wrap) {
    const std::int64_t at = point::modulo(i, n);
    return {at, 1, std::min(most, n - at)};
  }
  // Forth and back, turning at the outermost pixel or behind it.
  const std::int64_t turn = border == Border::reflect ? n - 1 : n;
  const std::int64_t at = point::modulo(i, 2 * turn);
  if (at < turn) return {at, 1, std::min(most, turn - at)};
  return {point::border_index(i, n, border), -1, std::min(most, 2 * turn - at)};
}

// What the output shows along one axis of an image.
struct Axis {
  std::int64_t n;  // pixels of the image
  std::int64_t shift;
  Border border;
  bool flipped;

  Run at(std::int64_t i, std::int64_t most) const {
    return flipped ? Run{n - 1 - i, -1, most} : run_at(i + shift, n, border, most);
  }
};

}  // namespace augcore
