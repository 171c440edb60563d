#include "augcore/resize.hpp"

#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "cells.hpp"
#include "simd/levels.hpp"

namespace augcore {
namespace {

constexpr std::int64_t kTaskElements = 524288;  // input values of one task: a millisecond or two

// The pixels, and their weights, that each of some output positions along one axis sums.
struct Taps {
  std::vector<std::int64_t> start{0};  // of each output position, and the end
  std::vector<std::int64_t> index;     // increasing within a position
  std::vector<double> weight;          // none zero

  std::int64_t count() const { return static_cast<std::int64_t>(start.size()) - 1; }

  // Taps come in order. Those past the ends of the axis stand for its first and last pixel.
  void add(std::int64_t i, double w, std::int64_t n_in) {
    i = std::min(std::max<std::int64_t>(i, 0), n_in - 1);
    if (static_cast<std::int64_t>(index.size()) > start.back() && index.back() == i) {
      weight.back() += w;
    } else {
      index.push_back(i);
      weight.push_back(w);
    }
  }

  void finish_position() {
    std::size_t kept = start.back();
    for (std::size_t k = kept; k < index.size(); ++k) {
      if (weight[k] == 0.0) continue;
      index[kept] = index[k];
      weight[kept++] = weight[k];
    }
    index.resize(kept);
    weight.resize(kept);
    start.push_back(static_cast<std::int64_t>(kept));
  }
};

double linear_kernel(double d) { return d < 1.0 ? 1.0 - d : 0.0; }

// The kernel widened by n_in / n_out, its weights normalised; only pixels that exist take part.
void add_widened(double at, std::int64_t n_in, std::int64_t n_out, bool cubic, Taps& taps) {
  const double scale = static_cast<double>(n_in) / static_cast<double>(n_out);
  const double support = (cubic ? 2.0 : 1.0) * scale;
  const std::int64_t first = std::max<std::int64_t>(static_cast<std::int64_t>(std::floor(at - support)), 0);
  const std::int64_t last = std::min(static_cast<std::int64_t>(std::ceil(at + support)), n_in - 1);
  std::vector<double> weights;
  double sum = 0.0;
  for (std::int64_t i = first; i <= last; ++i) {
    const double d = std::fabs(static_cast<double>(i) - at) / scale;
    weights.push_back(cubic ? point::cubic_kernel(d) : linear_kernel(d));
    sum += weights.back();
  }
  for (std::int64_t i = first; i <= last; ++i) taps.add(i, weights[i - first] / sum, n_in);
}

// The average over the part of the axis that the output pixel covers.
void add_average(double i, std::int64_t n_in, std::int64_t n_out, Taps& taps) {
  const double low = i * static_cast<double>(n_in) / static_cast<double>(n_out);
  const double high = (i + 1.0) * static_cast<double>(n_in) / static_cast<double>(n_out);
  for (std::int64_t k = point::floor_to_int(low); static_cast<double>(k) < high && k < n_in; ++k) {
    const double x = static_cast<double>(k);
    taps.add(k, (std::min(high, x + 1.0) - std::max(low, x)) / (high - low), n_in);
  }
}

// OpenCV's INTER_AREA for enlarging: the next pixel shows where the output pixel reaches into it.
void add_enlarged_area(double i, std::int64_t n_in, std::int64_t n_out, Taps& taps) {
  const std::int64_t k = point::floor_to_int(i * static_cast<double>(n_in) / static_cast<double>(n_out));
  const double f = (i + 1.0) - static_cast<double>(k + 1) * (static_cast<double>(n_out) / static_cast<double>(n_in));
  const double weight = f <= 0.0 ? 0.0 : f - std::floor(f);
  taps.add(k, 1.0 - weight, n_in);
  taps.add(k + 1, weight, n_in);
}

// Output positions first ... last - 1 of n_out, over n_in pixels.
Taps make_taps(std::int64_t n_in, std::int64_t n_out, std::int64_t first, std::int64_t last,
               Interpolation interpolation, bool antialias) {
  Taps taps;
  for (std::int64_t position = first; position < last; ++position) {
    const double i = static_cast<double>(position);
    const double at = (i + 0.5) * static_cast<double>(n_in) / static_cast<double>(n_out) - 0.5;
    const bool cubic = interpolation == Interpolation::bicubic;
    if (interpolation == Interpolation::nearest) {
      taps.add(static_cast<std::int64_t>(point::round_half_even(at)), 1.0, n_in);
    } else if (interpolation == Interpolation::area && n_in >= n_out) {
      add_average(i, n_in, n_out, taps);
    } else if (interpolation == Interpolation::area) {
      add_enlarged_area(i, n_in, n_out, taps);
    } else if (antialias && n_in > n_out) {
      add_widened(at, n_in, n_out, cubic, taps);
    } else if (cubic) {
      const std::int64_t k = point::floor_to_int(at);
      double weights[4];
      point::cubic_weights(at - static_cast<double>(k), weights);
      for (int tap = 0; tap < 4; ++tap) taps.add(k - 1 + tap, weights[tap], n_in);
    } else {
      const double inside = point::clamp(at, 0.0, static_cast<double>(n_in - 1));
      const std::int64_t k = point::floor_to_int(inside);
      const double f = inside - static_cast<double>(k);
      taps.add(k, 1.0 - f, n_in);
      taps.add(k + 1, f, n_in);
    }
    taps.finish_position();
  }
  return taps;
}

// Taps of whole rows of channels, tap by tap, all positions with as many as the one that has most: what the vector
// kernel wants. Columns are counted from first_column.
struct RowTaps {
  std::int64_t first_column;
  std::int64_t columns;  // read
  std::int64_t taps = 1;
  std::vector<std::int64_t> index;
  std::vector<double> weight;

  RowTaps(const Taps& from, std::int64_t c) {
    first_column = from.index[0];
    columns = 0;
    for (const std::int64_t i : from.index) columns = std::max(columns, i + 1 - first_column);
    for (std::int64_t x = 0; x < from.count(); ++x) taps = std::max(taps, from.start[x + 1] - from.start[x]);
    const std::int64_t n = from.count() * c;
    index.assign(taps * n, 0);
    weight.assign(taps * n, 0.0);
    for (std::int64_t x = 0; x < from.count(); ++x) {
      for (std::int64_t k = from.start[x]; k < from.start[x + 1]; ++k) {
        const std::int64_t to = (k - from.start[x]) * n + x * c;
        for (std::int64_t channel = 0; channel < c; ++channel) {
          index[to + channel] = (from.index[k] - first_column) * c + channel;
          weight[to + channel] = from.weight[k];
        }
      }
    }
  }
};

// Resamples one cell of one image after the other; the tables stay while the size of the rectangle does.
template <typename T>
class CellResizer {
 public:
  CellResizer(const Cell& cell, std::int64_t h_in, std::int64_t w_in, std::int64_t h_out, std::int64_t w_out,
              std::int64_t c, Interpolation interpolation, bool antialias)
      : c_(c),
        n_((cell.x1 - cell.x0) * c),
        rows_(make_taps(h_in, h_out, cell.y0, cell.y1, interpolation, antialias)),
        columns_(make_taps(w_in, w_out, cell.x0, cell.x1, interpolation, antialias), c),
        input_(columns_.columns * c) {
    for (std::int64_t y = 0; y < rows_.count(); ++y) {
      slots_ = std::max(slots_, rows_.index[rows_.start[y + 1] - 1] + 1 - rows_.index[rows_.start[y]]);
      taps_ = std::max(taps_, rows_.start[y + 1] - rows_.start[y]);
    }
    cache_.resize(slots_ * n_);
    cached_.resize(slots_);
    pointers_.resize(taps_);
  }

  // rectangle: the first pixel of the source rectangle; stride: elements from row to row; out, out_stride: of the cell.
  void run(const T* rectangle, std::int64_t stride, T* out, std::int64_t out_stride) {
    std::fill(cached_.begin(), cached_.end(), -1);
    for (std::int64_t y = 0; y < rows_.count(); ++y, out += out_stride) {
      const std::int64_t start = rows_.start[y];
      const std::int64_t taps = rows_.start[y + 1] - start;
      for (std::int64_t k = 0; k < taps; ++k) pointers_[k] = row(rectangle, stride, rows_.index[start + k]);
      simd::kernels().resize.of(T{}).row_sum(pointers_.data(), &rows_.weight[start], taps, n_, out);
    }
  }

 private:
  // Source row i, resampled along x.
  const double* row(const T* rectangle, std::int64_t stride, std::int64_t i) {
    const std::int64_t slot = i % slots_;
    double* values = cache_.data() + slot * n_;
    if (cached_[slot] != i) {
      simd::kernels().resize.of(T{}).to_double(rectangle + i * stride + columns_.first_column * c_,
                                               columns_.columns * c_, input_.data());
      simd::kernels().gather_sum(input_.data(), columns_.index.data(), columns_.weight.data(), columns_.taps, n_,
                                 values);
      cached_[slot] = i;
    }
    return values;
  }

  std::int64_t c_, n_;
  Taps rows_;
  RowTaps columns_;
  std::int64_t slots_ = 1, taps_ = 1;
  std::vector<double> input_, cache_;
  std::vector<std::int64_t> cached_;  // which source row each slot holds
  std::vector<const double*> pointers_;
};

template <typename T>
void resize_cell(const Images& in, const Rectangle* rectangles, std::int64_t n_rectangles, Interpolation interpolation,
                 bool antialias, const OutputImages& out, const Cell& cell, std::int64_t first, std::int64_t last) {
  const auto rectangle_of = [&](std::int64_t image) { return rectangles[n_rectangles > 1 ? image : 0]; };
  const std::int64_t stride = in.w * in.c;
  std::int64_t image = first;
  while (image < last) {
    const Rectangle size = rectangle_of(image);
    CellResizer<T> resizer(cell, size.h, size.w, out.h, out.w, in.c, interpolation, antialias);
    for (; image < last; ++image) {
      const Rectangle r = rectangle_of(image);
      if (r.h != size.h || r.w != size.w) break;
      const T* from = static_cast<const T*>(in.data) + (image * in.h + r.top) * stride + r.left * in.c;
      T* to = static_cast<T*>(out.data) + ((image * out.h + cell.y0) * out.w + cell.x0) * out.c;
      resizer.run(from, stride, to, out.w * out.c);
    }
  }
}

}  // namespace

void resize(const Images& in, const Rectangle* rectangles, std::int64_t n_rectangles, Interpolation interpolation,
            bool antialias, const OutputImages& out, int threads) {
  if (in.n == 0 || in.c == 0 || out.h == 0 || out.w == 0) return;
  check_rectangles(in, rectangles, n_rectangles);
  // What one output pixel costs grows with the factor of shrinking.
  const std::int64_t factor = std::max<std::int64_t>(1, in.h / out.h) * std::max<std::int64_t>(1, in.w / out.w);
  const std::int64_t pixels = std::max<std::int64_t>(1, kTaskElements / in.c / factor);
  by_dtype(in.dtype, [&](auto pixel) {
    using T = decltype(pixel);
    for_cells(Cells(out.h, out.w, pixels), in.n, pixels, threads,
              [&](const Cell& cell, std::int64_t first, std::int64_t last) {
                resize_cell<T>(in, rectangles, n_rectangles, interpolation, antialias, out, cell, first, last);
              });
  });
}

void check_rectangles(const Images& in, const Rectangle* rectangles, std::int64_t n_rectangles) {
  for (std::int64_t i = 0; i < n_rectangles; ++i) {
    const Rectangle& r = rectangles[i];
    if (r.top < 0 || r.left < 0 || r.h < 1 || r.w < 1 || r.h > in.h - r.top || r.w > in.w - r.left) {
      throw std::invalid_argument("rectangle " + std::to_string(i) + " is not inside the image");
    }
  }
}

}  // namespace augcore
