// Resizing: a thread sums a few neighbouring outputs, and reads what they share once.
//
// The sums are those of point/resize.hpp, term by term and in its order (compiled without contraction), so that the
// bytes are those of the CPU: an inner sum along one axis, and an outer one of inner sums along the other. Neighbours
// along the outer axis share inner sums: a thread takes the outer positions of four outputs in turn, makes each inner
// sum once, in registers, and adds it to those outputs that count it. So nothing is stored between the passes, however
// large the images are. Where columns come first, the outer axis is that of rows, and a thread makes a word of each of
// four rows; where rows come first (uint8 that shrinks), it makes one channel of four pixels of a row.
//
// Floor: every byte is read once and written once. What limits it is the first cache: a weight and a pixel for each
// term of an inner sum, 2 terms and more for each element of the image or of the result, whichever is larger.
#include "augcore/point/resize.hpp"
#include "copy.cuh"
#include "resize.cuh"

namespace augcore::cuda {
namespace {

constexpr int kOuter = 4;  // neighbours along the outer axis of a thread

// ---- tables
// ----------------------------------------------------------------------------------------------------------

template <typename A>
__global__ void __launch_bounds__(kBlock)
    table_kernel(Sizes sizes, ResizeMethod method, std::int32_t* spans, A* weights, std::int64_t stride) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * kBlock + threadIdx.x;
  if (row >= sizes.n * method.n_out) return;
  const std::int64_t size = row / method.n_out;
  const point::Axis axis = {size_of(sizes, size), method.n_out, method.interpolation, method.antialias};
  A* own = weights + row * stride;
  point::Span span;
  if constexpr (sizeof(A) == sizeof(double)) {
    span = point::resize_taps(axis, row - size * method.n_out, own);
  } else {
    double in_double[point::kMostFloatTaps + 1];
    span = point::resize_taps(axis, row - size * method.n_out, in_double);
    for (std::int64_t k = 0; k < span.count; ++k) own[k] = static_cast<A>(in_double[k]);
  }
  spans[2 * row] = static_cast<std::int32_t>(span.first);
  spans[2 * row + 1] = static_cast<std::int32_t>(span.count);
}

// Of what is copied: one pixel for each position, and no weights.
__global__ void __launch_bounds__(kBlock) nearest_table_kernel(Sizes sizes, ResizeMethod method, std::int32_t* spans) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * kBlock + threadIdx.x;
  if (row >= sizes.n * method.n_out) return;
  const std::int64_t size = row / method.n_out;
  double weight[2];
  const point::Axis axis = {size_of(sizes, size), method.n_out, Interpolation::nearest, false};
  spans[2 * row] = static_cast<std::int32_t>(point::resize_taps(axis, row - size * method.n_out, weight).first);
  spans[2 * row + 1] = 1;
}

// ---- sums
// ------------------------------------------------------------------------------------------------------------

// What one output position sums.
template <typename A>
struct Line {
  int first, count;
  const A* weights;
};

template <typename A>
struct Table {
  const std::int32_t* spans;
  const A* weights;
  std::int64_t stride, n_out;

  __device__ __forceinline__ Line<A> line(std::int64_t size, std::int64_t i) const {
    const std::int64_t row = size * n_out + i;
    return {__ldg(spans + 2 * row), __ldg(spans + 2 * row + 1), weights + row * stride};
  }
  __device__ __forceinline__ std::int64_t first(std::int64_t size, std::int64_t i) const {
    return __ldg(spans + 2 * (size * n_out + i));
  }
};

// sums[o][e]: value(e, outer position, inner position), summed along inner[e] and then along outer[o].
template <typename A, int kInner, typename Value>
__device__ __forceinline__ void sum_lines(const Line<A> (&inner)[kInner], const Line<A> (&outer)[kOuter],
                                          const Value& value, A (&sums)[kOuter][kInner]) {
  constexpr int kNone = 2147483647;
  int most = 1;  // terms of an inner sum
#pragma unroll
  for (int e = 0; e < kInner; ++e) most = inner[e].count > most ? inner[e].count : most;
  for (int at = -1;;) {
    int next = kNone;  // the next position that any of them counts
#pragma unroll
    for (int o = 0; o < kOuter; ++o) {
      const int wanted = at < outer[o].first ? outer[o].first : at + 1;
      if (wanted < next && wanted < outer[o].first + outer[o].count) next = wanted;
    }
    if (next == kNone) return;
    at = next;
    // point::weighted_sum of each, all at once, so that many loads are under way.
    A mixed[kInner];
#pragma unroll
    for (int e = 0; e < kInner; ++e) mixed[e] = inner[e].weights[0] * value(e, at, inner[e].first);
    for (int k = 1; k < most; ++k) {
#pragma unroll
      for (int e = 0; e < kInner; ++e) {
        const A weight = k < inner[e].count ? inner[e].weights[k] : A{0};
        if (weight != A{0}) mixed[e] += weight * value(e, at, inner[e].first + k);
      }
    }
#pragma unroll
    for (int o = 0; o < kOuter; ++o) {
      const int k = at - outer[o].first;
      if (k < 0 || k >= outer[o].count) continue;
      const A weight = outer[o].weights[k];
#pragma unroll
      for (int e = 0; e < kInner; ++e) {
        if (k == 0) {
          sums[o][e] = weight * mixed[e];
        } else if (weight != A{0}) {
          sums[o][e] += weight * mixed[e];
        }
      }
    }
  }
}

template <typename T>
struct Picture {
  T* pixels;  // of the batch
  std::int64_t h, w;
};

// The threads: along an image, and along what is one below the other in it.
struct Threads {
  Divisor image, line;
  Divisor channels;
  std::int64_t n;
  bool packed;  // words of the output are aligned, and none is of two rows
};

template <typename T, typename A>
__global__ void __launch_bounds__(kBlock)
    columns_first_kernel(Picture<const T> in, Rectangles rectangles, Table<A> down, Table<A> across, Threads threads,
                         Picture<T> out) {
  constexpr int kInner = kPack<T>;
  const std::int64_t thread = static_cast<std::int64_t>(blockIdx.x) * kBlock + threadIdx.x;
  if (thread >= threads.n) return;
  const std::int64_t number = threads.image.quotient(thread), inside = thread - number * threads.image.value();
  const std::int64_t group = threads.line.quotient(inside), c = threads.channels.value();
  const std::int64_t y0 = group * kOuter, first = (inside - group * threads.line.value()) * kInner, row = out.w * c;
  const Window window = window_of(rectangles, number);
  const T* from = in.pixels + ((window.image * in.h + window.top) * in.w + window.left) * c;
  const T* corner[kInner];
  Line<A> columns[kInner], rows[kOuter];
#pragma unroll
  for (int e = 0; e < kInner; ++e) {
    const std::int64_t element = first + e < row ? first + e : first;
    const std::int64_t x = threads.channels.quotient(element);
    columns[e] = across.line(window.width, x);
    corner[e] = from + (element - x * c);
  }
#pragma unroll
  for (int o = 0; o < kOuter; ++o) {
    rows[o] = y0 + o < out.h ? down.line(window.height, y0 + o) : Line<A>{0, 0, nullptr};
  }
  A sums[kOuter][kInner];
  const std::int64_t in_row = in.w * c;
  const auto value = [&](int e, std::int64_t y, std::int64_t x) {
    return static_cast<A>(__ldg(corner[e] + y * in_row + x * c));
  };
  sum_lines<A>(columns, rows, value, sums);
#pragma unroll
  for (int o = 0; o < kOuter; ++o) {
    if (y0 + o >= out.h) return;
    T* to = out.pixels + (window.image * out.h + y0 + o) * row + first;
    T values[kInner];
    for (int e = 0; e < kInner; ++e) values[e] = point::to_pixel<T>(sums[o][e]);
    if (threads.packed) {
      store_pack(to, values);
    } else {
      for (int e = 0; e < kInner && first + e < row; ++e) to[e] = values[e];
    }
  }
}

template <typename T, typename A>
__global__ void __launch_bounds__(kBlock) rows_first_kernel(Picture<const T> in, Rectangles rectangles, Table<A> down,
                                                            Table<A> across, Threads threads, Picture<T> out) {
  const std::int64_t thread = static_cast<std::int64_t>(blockIdx.x) * kBlock + threadIdx.x;
  if (thread >= threads.n) return;
  const std::int64_t number = threads.image.quotient(thread), inside = thread - number * threads.image.value();
  const std::int64_t y = threads.line.quotient(inside), along = inside - y * threads.line.value();
  const std::int64_t group = threads.channels.quotient(along), c = threads.channels.value();
  const std::int64_t x0 = group * kOuter, channel = along - group * c;
  const Window window = window_of(rectangles, number);
  const T* corner = in.pixels + ((window.image * in.h + window.top) * in.w + window.left) * c + channel;
  const Line<A> rows[1] = {down.line(window.height, y)};
  Line<A> columns[kOuter];
#pragma unroll
  for (int o = 0; o < kOuter; ++o) {
    columns[o] = x0 + o < out.w ? across.line(window.width, x0 + o) : Line<A>{0, 0, nullptr};
  }
  A sums[kOuter][1];
  const std::int64_t in_row = in.w * c;
  const auto value = [&](int, std::int64_t column, std::int64_t line) {
    return static_cast<A>(__ldg(corner + line * in_row + column * c));
  };
  sum_lines<A>(rows, columns, value, sums);
  T* to = out.pixels + ((window.image * out.h + y) * out.w + x0) * c + channel;
  for (int o = 0; o < kOuter && x0 + o < out.w; ++o) to[o * c] = point::to_pixel<T>(sums[o][0]);
}

template <typename T>
__global__ void __launch_bounds__(kBlock) copies_kernel(const T* in, Copy copy, Rectangles rectangles,
                                                        Table<float> down, Table<float> across, T* out, bool aligned) {
  const std::int64_t c = copy.channels.value();
  const auto value = [&](const Place& place) {
    const Window window = window_of(rectangles, place.image);
    const std::int64_t column = copy.channels.quotient(place.element), channel = place.element - column * c;
    const std::int64_t x = window.left + across.first(window.width, column);
    const std::int64_t y = window.top + down.first(window.height, place.y);
    return __ldg(in + ((window.image * copy.in_h + y) * copy.in_w + x) * c + channel);
  };
  write_all(copy, out, aligned, value, [](const Place&, T*) { return false; });
}

// ---- launches
// --------------------------------------------------------------------------------------------------------

std::int64_t parts(std::int64_t n, std::int64_t of) { return (n + of - 1) / of; }

template <typename A>
Table<A> table_of(const ResizeTable& table, std::int64_t n_out) {
  return {table.spans, static_cast<const A*>(table.weights), table.stride, n_out};
}

Threads threads_of(const Rectangles& rectangles, std::int64_t lines, std::int64_t along, std::int64_t c, bool wide,
                   bool packed) {
  const std::int64_t n = rectangles.n * lines * along;
  wide = wide || n >= Divisor::kNarrow;
  return {Divisor(lines * along, wide), Divisor(along, wide), Divisor(c, wide), n, packed};
}

template <typename T, typename A>
void sum(const Images& in, const Rectangles& rectangles, const ResizeTable& down, const ResizeTable& across,
         bool rows_first, const OutputImages& out, Stream stream) {
  T* to = static_cast<T*>(out.data);
  const std::int64_t row = out.w * out.c;
  const bool wide = row >= Divisor::kNarrow;
  const auto run = [&](auto kernel, const Threads& threads) {
    launch("resize", kernel, blocks_for(threads.n, kBlock), kBlock, 0, stream,
           Picture<const T>{static_cast<const T*>(in.data), in.h, in.w}, rectangles, table_of<A>(down, out.h),
           table_of<A>(across, out.w), threads, Picture<T>{to, out.h, out.w});
  };
  if constexpr (sizeof(A) == sizeof(float)) {
    if (rows_first) {
      const std::int64_t along = parts(out.w, kOuter) * out.c;
      return run(rows_first_kernel<T, A>, threads_of(rectangles, out.h, along, out.c, wide, false));
    }
  }
  const bool packed = is_aligned(to) && row % kPack<T> == 0;
  run(columns_first_kernel<T, A>,
      threads_of(rectangles, parts(out.h, kOuter), parts(row, kPack<T>), out.c, wide, packed));
}

point::Axis axis_of(std::int64_t n_in, const ResizeMethod& method) {
  return {n_in, method.n_out, method.interpolation, method.antialias};
}

}  // namespace

std::int64_t most_taps(std::int64_t n_in, const ResizeMethod& method) {
  return point::most_taps(axis_of(n_in, method));
}

Summing summing_of(Dtype dtype, std::int64_t h_in, std::int64_t w_in, const ResizeMethod& down,
                   const ResizeMethod& across) {
  if (down.interpolation == Interpolation::nearest) return Summing::copies;
  const point::Axis rows = axis_of(h_in, down), columns = axis_of(w_in, across);
  if (dtype != Dtype::uint8 || !point::resize_in_float(rows, columns)) return Summing::in_double;
  return point::resize_rows_first(rows, columns, true) ? Summing::rows_in_float : Summing::columns_in_float;
}

void resize_table(const Sizes& sizes, const ResizeMethod& method, Summing summing, const ResizeTable& table,
                  Stream stream) {
  const unsigned blocks = blocks_for(sizes.n * method.n_out, kBlock);
  if (summing == Summing::copies) {
    launch("resize table", nearest_table_kernel, blocks, kBlock, 0, stream, sizes, method, table.spans);
  } else if (summing == Summing::in_double) {
    launch("resize table", table_kernel<double>, blocks, kBlock, 0, stream, sizes, method, table.spans,
           static_cast<double*>(table.weights), table.stride);
  } else {
    launch("resize table", table_kernel<float>, blocks, kBlock, 0, stream, sizes, method, table.spans,
           static_cast<float*>(table.weights), table.stride);
  }
}

void resize(const Images& in, const Rectangles& rectangles, const ResizeTable& down, const ResizeTable& across,
            Summing summing, const OutputImages& out, Stream stream) {
  if (summing == Summing::copies) {
    const Copy copy = copy_of(in, out);
    return by_dtype(in.dtype, [&](auto pixel) {
      using T = decltype(pixel);
      T* to = static_cast<T*>(out.data);
      launch("resize", copies_kernel<T>, blocks_of<T>(copy), kBlock, 0, stream, static_cast<const T*>(in.data), copy,
             rectangles, table_of<float>(down, out.h), table_of<float>(across, out.w), to, is_aligned(to));
    });
  }
  if (summing != Summing::in_double) {
    return sum<std::uint8_t, float>(in, rectangles, down, across, summing == Summing::rows_in_float, out, stream);
  }
  by_dtype(in.dtype,
           [&](auto pixel) { sum<decltype(pixel), double>(in, rectangles, down, across, false, out, stream); });
}

}  // namespace augcore::cuda
