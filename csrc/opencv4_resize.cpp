#include <memory>
#include <optional>
#include <stdexcept>

#include "augcore/opencv4.hpp"
#include "augcore/point/opencv4.hpp"
#include "resize_rows.hpp"
#include "resize_tables.hpp"
#include "resize_tasks.hpp"

namespace augcore::opencv4 {
namespace {

namespace formula = point::opencv4;

constexpr std::int64_t kTaskElements = 1048576;

// Taps along one axis for output positions from ... to - 1: pixels `first` and `second`, counted from `begin`, with
// weights that sum to 2048.
struct Taps {
  std::int64_t begin, end;
  std::vector<std::int64_t> first, second, count;
  std::vector<std::int16_t> weight_first, weight_second;

  Taps(std::int64_t n_in, std::int64_t n_out, std::int64_t from, std::int64_t to, bool area, bool columns)
      : begin(n_in), end(0) {
    for (std::int64_t i = from; i < to; ++i) {
      const formula::FixedTap tap = formula::fixed_tap(i, n_in, n_out, area, columns);
      first.push_back(tap.first);
      second.push_back(tap.second);
      count.push_back(second.back() - first.back() + 1);
      weight_first.push_back(static_cast<std::int16_t>(tap.weight_first));
      weight_second.push_back(static_cast<std::int16_t>(tap.weight_second));
      begin = std::min(begin, first.back());
      end = std::max(end, second.back() + 1);
    }
    for (std::int64_t& i : first) i -= begin;
    for (std::int64_t& i : second) i -= begin;
  }

  std::int64_t size() const { return static_cast<std::int64_t>(first.size()); }
};

// Sums along x: by table where bytes are close enough, else one by one.
class Columns {
 public:
  Columns(std::int64_t w_in, std::int64_t w_out, const Cell& cell, std::int64_t c, bool area)
      : width_in(w_in), c_(c), taps_(w_in, w_out, cell.x0, cell.x1, area, true) {
    std::vector<std::int64_t> bytes(2 * elements());
    std::vector<std::int16_t> weights(2 * elements());
    for (std::int64_t x = 0, at = 0; x < taps_.size(); ++x) {
      for (std::int64_t channel = 0; channel < c; ++channel, ++at) {
        bytes[at] = taps_.first[x] * c + channel;
        bytes[elements() + at] = taps_.second[x] * c + channel;
        weights[at] = taps_.weight_first[x];
        weights[elements() + at] = taps_.weight_second[x];
      }
    }
    by_table_ = table_.make(elements(), 2, 2, bytes);
    if (!by_table_) return;
    table_.set_fixed_weights(weights);
    guard_.emplace(bytes_in(), table_.reach(), simd::kByteRows);
  }

  const std::int64_t width_in;

  std::int64_t width() const { return by_table_ ? table_.width() : elements(); }
  std::int64_t elements() const { return taps_.size() * c_; }
  std::int64_t first_element() const { return taps_.begin * c_; }
  std::int64_t bytes_in() const { return (taps_.end - taps_.begin) * c_; }

  // kByteRows rows, from first_element() on; may be changed. end: of the batch.
  void sum(const std::uint8_t** rows, const std::uint8_t* end, std::int16_t* const* out) {
    if (by_table_) {
      for (std::int64_t i = 0; i < simd::kByteRows; ++i) rows[i] = guard_->row(rows[i], end, i);
      return simd::kernels().resize.bytes.across_opencv4(rows, table_.view(), out);
    }
    for (std::int64_t i = 0; i < simd::kByteRows; ++i) {
      if (c_ == 1) {
        sum_row<1>(rows[i], out[i]);
      } else if (c_ == 3) {
        sum_row<3>(rows[i], out[i]);
      } else {
        sum_row<0>(rows[i], out[i]);
      }
    }
  }

 private:
  // kChannels: their number where it is fixed, or 0.
  template <int kChannels>
  void sum_row(const std::uint8_t* from, std::int16_t* out) const {
    const std::int64_t c = kChannels > 0 ? kChannels : c_;
    for (std::int64_t x = 0; x < taps_.size(); ++x) {
      const std::uint8_t* v0 = from + taps_.first[x] * c;
      const std::uint8_t* v1 = from + taps_.second[x] * c;
      const std::int32_t a0 = taps_.weight_first[x];
      const std::int32_t a1 = taps_.weight_second[x];
      for (std::int64_t channel = 0; channel < c; ++channel) {
        *out++ = formula::resize_row(v0[channel], v1[channel], a0, a1);
      }
    }
  }

  std::int64_t c_;
  Taps taps_;
  bool by_table_ = false;
  ByteTable table_;
  std::optional<RowGuard> guard_;
};

class Rows {
 public:
  Rows(std::int64_t h_in, std::int64_t h_out, const Cell& cell, bool area, const Columns& columns)
      : height_in(h_in),
        taps_(h_in, h_out, cell.y0, cell.y1, area, false),
        needed_(taps_.first, taps_.count),
        cache_(needed_, taps_.count, simd::kByteRows, columns.width()) {}

  const std::int64_t height_in;

  void run(Columns& columns, const std::uint8_t* rectangle, std::int64_t stride, const std::uint8_t* end,
           std::uint8_t* out, std::int64_t out_stride) {
    const std::uint8_t* first = rectangle + taps_.begin * stride + columns.first_element();
    const std::int64_t last = static_cast<std::int64_t>(needed_.source.size()) - 1;
    const auto make = [&](std::int64_t k, std::int16_t* const* rows) {
      const std::uint8_t* from[simd::kByteRows];
      for (std::int64_t i = 0; i < simd::kByteRows; ++i) {
        from[i] = first + needed_.source[std::min(k + i, last)] * stride;
      }
      for (std::int64_t i = 0; i < simd::kByteRows; ++i) {
        const std::int64_t next = needed_.source[std::min(k + simd::kByteRows + i, last)];
        prefetch_read(first + next * stride, columns.bytes_in());
      }
      columns.sum(from, end, rows);
    };
    cache_.clear();
    for (std::int64_t y = 0; y < taps_.size(); ++y, out += out_stride) {
      const std::int64_t begin = needed_.begin[y];
      cache_.require(begin + taps_.count[y], make);
      if (y + kRowsAhead < taps_.size()) prefetch_write(out + kRowsAhead * out_stride, columns.elements());
      simd::kernels().resize.opencv4_column(cache_.row(begin), cache_.row(begin + taps_.count[y] - 1),
                                            taps_.weight_first[y], taps_.weight_second[y], columns.elements(), out);
    }
  }

 private:
  Taps taps_;
  NeededRows needed_;
  RowCache<std::int16_t> cache_;
};

// Resizes one cell of one image after the other; tables stay while sizes do.
class CellResizer {
 public:
  CellResizer(const Images& in, const OutputImages& out, const Cell& cell, bool area)
      : in_(in), out_(out), cell_(cell), area_(area) {}

  void operator()(std::int64_t image, const Rectangle& r) {
    const std::uint8_t* data = static_cast<const std::uint8_t*>(in_.data);
    const std::uint8_t* end = data + in_.n * in_.h * in_.w * in_.c;
    const std::uint8_t* rectangle = data + ((image * in_.h + r.top) * in_.w + r.left) * in_.c;
    std::uint8_t* out =
        static_cast<std::uint8_t*>(out_.data) + ((image * out_.h + cell_.y0) * out_.w + cell_.x0) * out_.c;
    if (!columns_ || columns_->width_in != r.w) {
      rows_.reset();
      columns_ = std::make_unique<Columns>(r.w, out_.w, cell_, in_.c, area_);
    }
    if (!rows_ || rows_->height_in != r.h) rows_ = std::make_unique<Rows>(r.h, out_.h, cell_, area_, *columns_);
    rows_->run(*columns_, rectangle, in_.w * in_.c, end, out, out_.w * out_.c);
  }

 private:
  const Images& in_;
  const OutputImages& out_;
  const Cell cell_;
  const bool area_;
  std::unique_ptr<Columns> columns_;
  std::unique_ptr<Rows> rows_;
};

}  // namespace

void resize(const Images& in, const Rectangle* rectangles, std::int64_t n_rectangles, Interpolation interpolation,
            const OutputImages& out, int threads) {
  if (in.dtype != Dtype::uint8) throw std::invalid_argument("the arithmetic of OpenCV 4 is for uint8 images");
  if (in.n == 0 || in.c == 0 || out.h == 0 || out.w == 0) return;
  check_rectangles(in, rectangles, n_rectangles);
  for_rectangles(in, rectangles, n_rectangles, out, kTaskElements, threads,
                 [&](const Cell& cell) { return CellResizer(in, out, cell, interpolation == Interpolation::area); });
}

}  // namespace augcore::opencv4
