// What lies outside an image, one axis at a time.
#pragma once

#include <cstdint>

#include "augcore/point/macros.hpp"

namespace augcore {

enum class Border {
  edge,       // a a | a b c d | d d
  constant,   // f f | a b c d | f f
  reflect,    // c b | a b c d | c b
  symmetric,  // b a | a b c d | d c
  wrap,       // c d | a b c d | a b
};

namespace point {

AUGCORE_POINT std::int64_t modulo(std::int64_t i, std::int64_t n) {
  const std::int64_t r = i % n;
  return r < 0 ? r + n : r;
}

// The index in [0, n) of the element that stands at i; -1 where the fill value stands.
AUGCORE_POINT std::int64_t border_index(std::int64_t i, std::int64_t n, Border border) {
  if (i >= 0 && i < n) return i;
  switch (border) {
    case Border::edge:
      return i < 0 ? 0 : n - 1;
    case Border::constant:
      return -1;
    case Border::reflect: {
      if (n == 1) return 0;
      if (i > -n && i < 2 * n - 1) return i < 0 ? -i : 2 * (n - 1) - i;  // the modulo is slow
      const std::int64_t r = modulo(i, 2 * (n - 1));
      return r < n ? r : 2 * (n - 1) - r;
    }
    case Border::symmetric: {
      if (i >= -n && i < 2 * n) return i < 0 ? -1 - i : 2 * n - 1 - i;
      const std::int64_t r = modulo(i, 2 * n);
      return r < n ? r : 2 * n - 1 - r;
    }
    case Border::wrap:
      if (i >= -n && i < 2 * n) return i < 0 ? i + n : i - n;
      return modulo(i, n);
  }
  return -1;
}

}  // namespace point
}  // namespace augcore
