// Resizing of rectangles of batches in device memory; the meaning is that of augcore/resize.hpp and
// augcore/opencv4.hpp.
//
// Which pixels are summed for an output row or column, and how they weigh, depends on the size of a rectangle alone: it
// is found once for each size that occurs (`resize_table`), and read by the kernels. Pointers are to device memory.
// Nothing here waits for the card.
#pragma once

#include <cstdint>

#include "augcore/cuda/stream.hpp"
#include "augcore/image.hpp"
#include "augcore/point/interpolate.hpp"

namespace augcore::cuda {

// The heights, or the widths, that rectangles have: n of them, or, where values is null, only `first`.
struct Sizes {
  const std::int64_t* values;
  std::int64_t n;
  std::int64_t first;
};

// The rectangles of n images: for each the number of its image, top, left, and which of the sizes its height and its
// width are. values is null where all images, n of them, have one rectangle at `top` and `left`.
struct Rectangles {
  const std::int64_t* values;
  std::int64_t n;
  std::int64_t top, left;
};

// Row s n_out + i is that of output position i of size s. spans: the first pixel and how many. weights: `stride` of
// float or double, none where pixels are copied.
struct ResizeTable {
  std::int32_t* spans;
  void* weights;
  std::int64_t stride;
};

// Along one axis.
struct ResizeMethod {
  std::int64_t n_out;
  Interpolation interpolation;
  bool antialias;
};

// How pixels are summed: see point/resize.hpp.
enum class Summing { copies, columns_in_float, rows_in_float, in_double };

// The most pixels that an output position sums, where the size is n_in.
AUGCORE_CUDA_API std::int64_t most_taps(std::int64_t n_in, const ResizeMethod& method);

AUGCORE_CUDA_API Summing summing_of(Dtype dtype, std::int64_t h_in, std::int64_t w_in, const ResizeMethod& down,
                                    const ResizeMethod& across);

AUGCORE_CUDA_API void resize_table(const Sizes& sizes, const ResizeMethod& method, Summing summing,
                                   const ResizeTable& table, Stream stream);

// With Summing::copies the rectangles are those of all images, in order.
AUGCORE_CUDA_API void resize(const Images& in, const Rectangles& rectangles, const ResizeTable& down,
                             const ResizeTable& across, Summing summing, const OutputImages& out, Stream stream);

}  // namespace augcore::cuda
