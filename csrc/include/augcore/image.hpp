// Batches of images handed to the kernels: N x H x W x C, C-contiguous, pixels of one element type.
#pragma once

#include <cstdint>

#include "augcore/dtype.hpp"

namespace augcore {

struct Images {
  const void* data;
  Dtype dtype;
  std::int64_t n;
  std::int64_t h;
  std::int64_t w;
  std::int64_t c;
};

// Where results go. dtype, n and c are those of the input; kernels that keep the size want the same h and w too.
struct OutputImages {
  void* data;
  Dtype dtype;
  std::int64_t n;
  std::int64_t h;
  std::int64_t w;
  std::int64_t c;
};

}  // namespace augcore
