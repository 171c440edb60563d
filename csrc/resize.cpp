#include "augcore/resize.hpp"

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>

#include "resize_copy.hpp"
#include "resize_rows.hpp"
#include "resize_tables.hpp"
#include "resize_tasks.hpp"

namespace augcore {
namespace {

constexpr std::int64_t kTaskElements = 1048576;  // of the output, at one tap per axis and more: about a millisecond

template <typename T>
constexpr std::int64_t size_of = static_cast<std::int64_t>(sizeof(T));

// Rows of some columns of the output, from rows of the source.
template <typename T, typename A>
class Columns {
 public:
  Columns(const point::Axis& axis, const Cell& cell, std::int64_t c, bool rows_first)
      : width_in(axis.n_in), rows_first(rows_first), c_(c), taps_(axis, cell.x0, cell.x1) {
    if constexpr (std::is_same_v<A, float>) {
      by_bytes_ = !rows_first && make_table();
      if (by_bytes_) {
        guard_.emplace((taps_.end - taps_.begin) * c, table_.reach(), simd::kByteRows);
        return;
      }
    }
    workspace_.resize(kernels().across_workspace(c));
  }

  const std::int64_t width_in;
  const bool rows_first;

  static const simd::ResizeKernels<T, A>& kernels() { return simd::kernels().resize.of(T{}, A{}); }
  std::int64_t block() const { return by_bytes_ ? simd::kByteRows : kernels().rows; }
  std::int64_t width() const { return by_bytes_ ? table_.width() : taps_.size() * c_; }
  std::int64_t elements() const { return taps_.size() * c_; }
  std::int64_t first_element() const { return taps_.begin * c_; }
  std::int64_t elements_in() const { return (taps_.end - taps_.begin) * c_; }

  // rows: block() of them, from first_element() on; may be changed. end: of the batch.
  void sum(const T** rows, const T* end, A* const* out) {
    if constexpr (std::is_same_v<A, float>) {
      if (by_bytes_) {
        for (std::int64_t i = 0; i < simd::kByteRows; ++i) rows[i] = guard_->row(rows[i], end, i);
        return simd::kernels().resize.bytes.across(rows, table_.view(), out);
      }
    }
    kernels().across_first(rows, taps_.view(), c_, out, workspace_.data());
  }

  void finish(const A* const* rows, T* const* out) {
    kernels().across_last(rows, taps_.view(), c_, out, workspace_.data());
  }

 private:
  // Bytes and weights of all outputs, tap by tap.
  bool make_table() {
    if (taps_.most > simd::kByteTaps) return false;
    const std::int64_t n = elements();
    std::vector<std::int64_t> bytes(taps_.most * n);
    std::vector<A> weights(taps_.most * n);
    for (std::int64_t tap = 0, at = 0; tap < taps_.most; ++tap) {
      for (std::int64_t x = 0; x < taps_.size(); ++x) {
        const std::int64_t k = std::min(tap, taps_.count[x] - 1);
        const A weight = tap == k ? taps_.weight[x * taps_.stride + k] : A{0};
        for (std::int64_t channel = 0; channel < c_; ++channel, ++at) {
          bytes[at] = (taps_.first[x] + k) * c_ + channel;
          weights[at] = weight;
        }
      }
    }
    if (!table_.make(n, taps_.most, false, bytes)) return false;
    table_.set_weights(taps_.most, weights);
    return true;
  }

  std::int64_t c_;
  AxisTaps<A> taps_;
  bool by_bytes_ = false;
  ByteTable table_;
  std::optional<RowGuard> guard_;
  AlignedVector<A> workspace_;
};

// Rows of the output, of the columns given: which source rows they sum.
template <typename T, typename A>
class Rows {
 public:
  Rows(const point::Axis& axis, const Cell& cell, const Columns<T, A>& columns)
      : height_in(axis.n_in),
        taps_(axis, cell.y0, cell.y1),
        needed_(taps_.first, taps_.count),
        cache_(needed_, taps_.count, columns.block(), columns.rows_first ? columns.elements_in() : columns.width()),
        from_(std::max(columns.block(), taps_.most)),
        to_(columns.block()),
        sums_(std::max(columns.block(), taps_.most)),
        weights_(taps_.most),
        unused_(columns.elements()) {}

  const std::int64_t height_in;

  // rectangle: the first pixel of the source rectangle; end: of the batch; strides: elements from row to row; out: the
  // first element of the cell.
  void run(Columns<T, A>& columns, const T* rectangle, std::int64_t stride, const T* end, T* out,
           std::int64_t out_stride) {
    const T* first = rectangle + taps_.begin * stride + columns.first_element();
    if (columns.rows_first) {
      run_rows_first(columns, first, stride, out, out_stride);
    } else {
      run_columns_first(columns, first, stride, end, out, out_stride);
    }
  }

 private:
  // The taps of output row y without those of weight zero; row(k) is the k-th row that it sums.
  template <typename Row, typename From>
  std::int64_t gather(std::int64_t y, const Row& row, std::vector<From>& rows) {
    std::int64_t n = 0;
    const A* weight = &taps_.weight[y * taps_.stride];
    for (std::int64_t k = 0; k < taps_.count[y]; ++k) {
      if (weight[k] == A{0}) continue;
      weights_[n] = weight[k];
      rows[n++] = row(k);
    }
    return n;
  }

  void run_columns_first(Columns<T, A>& columns, const T* first, std::int64_t stride, const T* end, T* out,
                         std::int64_t out_stride) {
    const std::int64_t last = static_cast<std::int64_t>(needed_.source.size()) - 1;
    const auto make = [&](std::int64_t k, A* const* rows) {
      for (std::int64_t i = 0; i < columns.block(); ++i) {
        from_[i] = first + needed_.source[std::min(k + i, last)] * stride;
      }
      for (std::int64_t i = 0; i < columns.block(); ++i) {
        const std::int64_t next = needed_.source[std::min(k + columns.block() + i, last)];
        prefetch_read(first + next * stride, columns.elements_in());
      }
      columns.sum(from_.data(), end, rows);
    };
    cache_.clear();
    for (std::int64_t y = 0; y < taps_.size(); ++y, out += out_stride) {
      const std::int64_t begin = needed_.begin[y];
      cache_.require(begin + taps_.count[y], make);
      const std::int64_t n = gather(y, [&](std::int64_t k) { return cache_.row(begin + k); }, sums_);
      if (y + kRowsAhead < taps_.size()) prefetch_write(out + kRowsAhead * out_stride, columns.elements());
      columns.kernels().down_last(sums_.data(), weights_.data(), n, columns.elements(), out);
    }
  }

  void run_rows_first(Columns<T, A>& columns, const T* first, std::int64_t stride, T* out, std::int64_t out_stride) {
    const std::int64_t block = columns.block();
    for (std::int64_t y = 0; y < taps_.size(); y += block) {
      for (std::int64_t i = 0; i < block; ++i) {
        const std::int64_t row = std::min(y + i, taps_.size() - 1);
        to_[i] = y + i == row ? out + row * out_stride : unused_.data();
        sums_[i] = cache_.row(row % block);
        if (y + i != row) continue;
        prefetch_rows(row + 2, first, stride, columns.elements_in());
        const std::int64_t n =
            gather(row, [&](std::int64_t k) { return first + (taps_.first[row] + k) * stride; }, from_);
        columns.kernels().down_first(from_.data(), weights_.data(), n, columns.elements_in(), cache_.row(i));
      }
      columns.finish(sums_.data(), to_.data());
    }
  }

  // The source rows that output row y sums and the one before does not.
  void prefetch_rows(std::int64_t y, const T* first, std::int64_t stride, std::int64_t n) const {
    if (y >= taps_.size()) return;
    for (std::int64_t i = taps_.first[y - 1] + taps_.count[y - 1]; i < taps_.first[y] + taps_.count[y]; ++i) {
      prefetch_read(first + i * stride, n);
    }
  }

  AxisTaps<A> taps_;
  NeededRows needed_;
  RowCache<A> cache_;
  std::vector<const T*> from_;
  std::vector<T*> to_;
  std::vector<const A*> sums_;
  std::vector<A> weights_;
  std::vector<T> unused_;  // where rows past the last go
};

// Resamples one cell of one image after the other; tables stay while sizes do.
template <typename T>
class CellResizer {
 public:
  CellResizer(const Images& in, const OutputImages& out, const Cell& cell, Interpolation interpolation, bool antialias)
      : in_(in), out_(out), cell_(cell), interpolation_(interpolation), antialias_(antialias) {}

  void operator()(std::int64_t image, const Rectangle& r) {
    const T* data = static_cast<const T*>(in_.data);
    const T* rectangle = data + ((image * in_.h + r.top) * in_.w + r.left) * in_.c;
    T* out = static_cast<T*>(out_.data) + ((image * out_.h + cell_.y0) * out_.w + cell_.x0) * out_.c;
    const point::Axis down = {r.h, out_.h, interpolation_, antialias_};
    const point::Axis across = {r.w, out_.w, interpolation_, antialias_};
    if (interpolation_ == Interpolation::nearest || (r.h == out_.h && r.w == out_.w)) {
      return copy(down, across, rectangle, out);
    }
    if constexpr (std::is_same_v<T, std::uint8_t>) {
      if (point::resize_in_float(down, across)) {
        return resample(std::get<Tables<float>>(tables_), down, across, rectangle, out);
      }
    }
    resample(std::get<Tables<double>>(tables_), down, across, rectangle, out);
  }

 private:
  template <typename A>
  struct Tables {
    std::unique_ptr<Columns<T, A>> columns;
    std::unique_ptr<Rows<T, A>> rows;
  };
  struct Copy {
    std::int64_t h, w;
    NearestPixels pixels;
  };

  template <typename A>
  void resample(Tables<A>& tables, const point::Axis& down, const point::Axis& across, const T* rectangle, T* out) {
    const bool rows_first = point::resize_rows_first(down, across, std::is_same_v<A, float>);
    if (!tables.columns || tables.columns->width_in != across.n_in || tables.columns->rows_first != rows_first) {
      tables.rows.reset();
      tables.columns = std::make_unique<Columns<T, A>>(across, cell_, in_.c, rows_first);
    }
    if (!tables.rows || tables.rows->height_in != down.n_in) {
      tables.rows = std::make_unique<Rows<T, A>>(down, cell_, *tables.columns);
    }
    const T* end = static_cast<const T*>(in_.data) + in_.n * in_.h * in_.w * in_.c;
    tables.rows->run(*tables.columns, rectangle, in_.w * in_.c, end, out, out_.w * out_.c);
  }

  void copy(const point::Axis& down, const point::Axis& across, const T* rectangle, T* out) {
    const std::int64_t pixel = in_.c * size_of<T>;
    if (!copy_ || copy_->h != down.n_in || copy_->w != across.n_in) {
      copy_.emplace(Copy{down.n_in, across.n_in, NearestPixels(down, across, cell_, pixel)});
    }
    copy_->pixels.run(reinterpret_cast<const std::uint8_t*>(rectangle), in_.w * pixel,
                      reinterpret_cast<std::uint8_t*>(out), out_.w * pixel);
  }

  const Images& in_;
  const OutputImages& out_;
  const Cell cell_;
  const Interpolation interpolation_;
  const bool antialias_;
  std::conditional_t<std::is_same_v<T, std::uint8_t>, std::tuple<Tables<float>, Tables<double>>,
                     std::tuple<Tables<double>>>
      tables_;
  std::optional<Copy> copy_;
};

}  // namespace

void resize(const Images& in, const Rectangle* rectangles, std::int64_t n_rectangles, Interpolation interpolation,
            bool antialias, const OutputImages& out, int threads) {
  if (in.n == 0 || in.c == 0 || out.h == 0 || out.w == 0) return;
  check_rectangles(in, rectangles, n_rectangles);
  // What one output pixel costs grows with the factor of shrinking.
  const std::int64_t factor = std::max<std::int64_t>(1, in.h / out.h) * std::max<std::int64_t>(1, in.w / out.w);
  const std::int64_t elements = std::max<std::int64_t>(1, kTaskElements / factor);
  by_dtype(in.dtype, [&](auto pixel) {
    using T = decltype(pixel);
    for_rectangles(in, rectangles, n_rectangles, out, elements, threads,
                   [&](const Cell& cell) { return CellResizer<T>(in, out, cell, interpolation, antialias); });
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
