#include "augcore/resize.hpp"

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>

#include "resize_copy.hpp"
#include "resize_passes.hpp"
#include "resize_tasks.hpp"

namespace augcore {
namespace {

constexpr std::int64_t kTaskElements = 1048576;  // of the output, at one tap per axis and more: about a millisecond

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
    std::unique_ptr<RowsAfterColumns<T, A>> after;
    std::unique_ptr<RowsInPieces<T, A>> pieces;
    std::unique_ptr<RowsBeforeColumns<T, A>> before;
  };
  struct Copy {
    std::int64_t h, w;
    NearestPixels pixels;
  };

  template <typename A>
  void resample(Tables<A>& tables, const point::Axis& down, const point::Axis& across, const T* rectangle, T* out) {
    const bool rows_first = point::resize_rows_first(down, across, std::is_same_v<A, float>);
    if (!tables.columns || tables.columns->width_in != across.n_in || tables.columns->rows_first != rows_first) {
      tables.after.reset();
      tables.pieces.reset();
      tables.before.reset();
      tables.columns = std::make_unique<Columns<T, A>>(across, cell_, in_.c, rows_first);
    }
    const T* end = static_cast<const T*>(in_.data) + in_.n * in_.h * in_.w * in_.c;
    const Place<T> place = {rectangle, in_.w * in_.c, end, out, out_.w * out_.c};
    if constexpr (std::is_same_v<A, double>) {
      if (RowsInPieces<T, A>::suits(down)) return run(tables.pieces, *tables.columns, down, place);
    }
    if (rows_first) {
      run(tables.before, *tables.columns, down, place);
    } else {
      run(tables.after, *tables.columns, down, place);
    }
  }

  template <typename Rows, typename A>
  void run(std::unique_ptr<Rows>& rows, Columns<T, A>& columns, const point::Axis& down, const Place<T>& place) {
    if (!rows || rows->height_in != down.n_in) rows = std::make_unique<Rows>(down, cell_, columns);
    rows->run(columns, place);
  }

  void copy(const point::Axis& down, const point::Axis& across, const T* rectangle, T* out) {
    const std::int64_t pixel = in_.c * static_cast<std::int64_t>(sizeof(T));
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
