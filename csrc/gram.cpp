#include "augcore/gram.hpp"

#include <algorithm>
#include <stdexcept>

#include "aligned.hpp"
#include "augcore/threads.hpp"
#include "simd/levels.hpp"
#include "spares.hpp"

namespace augcore {
namespace {

using simd::kernels;
using index = std::int64_t;

constexpr index kDepth = simd::LinearAlgebraKernels::kDepth;
constexpr index kPieceRows = 2048;  // of a task at most
static_assert(GramSums::tile_rows(0) % kDepth == 0 && kPieceRows % kDepth == 0, "a sum in float ends where they do");
constexpr double kBandOperations = 4e8;        // multiply-adds of one band of a tile: about ten milliseconds
constexpr index kNearMemory = index{1} << 20;  // bytes of the sums that are computed at a time: they stay in caches,
constexpr index kMostMemory = index{1} << 26;  // or up to this where several threads want tasks
constexpr index kLeastBand = 64;               // rows of a band: what is packed for fewer is not worth it
constexpr index kLargestBand = 512;            // of which a packed part still fits the second-level cache

template <typename S>
auto gram_of(const float*) {
  return kernels().linalg.of(S{}).gram_f32;
}
template <typename S>
auto gram_of(const double*) {
  return kernels().linalg.of(S{}).gram_f64;
}

// Row tiles of a triangle of q rows, and where each begins, in doubles.
template <typename S>
struct Triangle {
  index rows = kernels().linalg.rows;
  index columns = kernels().linalg.of(S{}).columns;
  index count;
  explicit Triangle(index q) : count((q + rows - 1) / rows) {}

  index tiles_in_row(index r) const { return r * rows / columns + 1; }
  std::vector<index> offsets() const {
    std::vector<index> at(count + 1, 0);
    for (index r = 0; r < count; ++r) at[r + 1] = at[r] + tiles_in_row(r) * rows * columns;
    return at;
  }
};

index triangle_width(index q, bool single) {
  if (q < 0) throw std::invalid_argument("GramSums: p is negative");
  return single ? Triangle<float>(q).offsets().back() : Triangle<double>(q).offsets().back();
}

// Where bands of row tiles begin that have about the same area; `wanted` of them if they are not too high or low.
template <typename S>
std::vector<index> cut_bands(const Triangle<S>& triangle, const std::vector<index>& offsets, index wanted) {
  const index least = std::max<index>(1, kLeastBand / triangle.rows), most = kLargestBand / triangle.rows;
  const index area = offsets.back() / std::max<index>(1, wanted);
  std::vector<index> bands = {0};
  for (index r = 1; r < triangle.count; ++r) {
    const index height = r - bands.back();
    if (height >= most || (height >= least && offsets[r] - offsets[bands.back()] >= area)) bands.push_back(r);
  }
  bands.push_back(triangle.count);
  return bands;
}

template <typename S>
void unpack(const double* tiles, index q, double* out, int threads) {
  const Triangle<S> triangle(q);
  const std::vector<index> offsets = triangle.offsets();
  parallel_for((triangle.count + 63) / 64, threads, [&](index task) {
    for (index r = task * 64; r < std::min(triangle.count, (task + 1) * 64); ++r) {
      const index row = r * triangle.rows, height = std::min(triangle.rows, q - row);
      for (index j = 0; j < row + height; ++j) {
        const double* column =
            tiles + offsets[r] + j / triangle.columns * triangle.rows * triangle.columns + j % triangle.columns;
        for (index i = std::max<index>(0, j - row); i < height; ++i) {
          out[(row + i) * q + j] = out[j * q + row + i] = column[i * triangle.columns];
        }
      }
    }
  });
}

}  // namespace

// Rows first ... first + n - 1 of a block, and the sums that they are added to.
struct GramSums::Piece {
  index first;
  index n;
  std::vector<double> sums;
};

GramSums::GramSums(index p, bool intercept, bool single, index first_row, index rows_of_tile)
    : TiledSums(triangle_width(p + intercept, single), rows_of_tile > 0 ? rows_of_tile : tile_rows(p + intercept),
                first_row),
      p_(p),
      q_(p + intercept),
      single_(single) {}

// Tasks are bands of the triangles of pieces: every element is the same chain of operations whatever the bands.
template <typename S, typename T>
void GramSums::sum_pieces(const T* x, const double* w, std::vector<Piece>& pieces, int threads) const {
  const Triangle<S> triangle(q_);
  const std::vector<index> offsets = triangle.offsets();
  const auto n_pieces = static_cast<index>(pieces.size());
  const index used_threads = threads > 0 ? threads : num_threads();
  const index for_threads = used_threads > 1 ? (4 * used_threads + n_pieces - 1) / n_pieces : 1;
  const index for_time = static_cast<index>(static_cast<double>(width_) * kPieceRows / kBandOperations);
  const std::vector<index> bands = cut_bands(triangle, offsets, std::max(for_threads, for_time));
  const auto n_bands = static_cast<index>(bands.size()) - 1;
  Spares<AlignedVector<S>> spares;
  parallel_for(n_bands * n_pieces, threads, [&](index task) {
    Piece& piece = pieces[task / n_bands];
    const index first = bands[task % n_bands], last = bands[task % n_bands + 1];
    spares.with([&](AlignedVector<S>& workspace) {
      const index wanted = kernels().linalg.of(S{}).gram_workspace((last - first) * triangle.rows);
      if (static_cast<index>(workspace.size()) < wanted) workspace.resize(wanted);
      gram_of<S>(x)(x + piece.first * p_, w + piece.first, piece.n, p_, q_, first, last,
                    piece.sums.data() + offsets[first], workspace.data());
    });
  });
}

// In single precision n is a multiple of kDepth.
template <typename T>
void GramSums::add_rows(const T* x, const double* w, index n, int threads) {
  const index used_threads = threads > 0 ? threads : num_threads();
  const index for_threads = used_threads > 1 ? 4 * used_threads : 1;  // a wave ends when its last task does
  const index bytes = 8 * width_;
  const index most_pieces =
      std::max<index>(1, std::min(std::max(for_threads, kNearMemory / bytes), kMostMemory / bytes));
  for (index done = 0; done < n;) {
    std::vector<Piece> pieces;
    bool whole = true;  // the last piece ends a tile: another may begin before its sums are there
    while (done < n && whole && static_cast<index>(pieces.size()) < most_pieces) {
      const index open = pieces.empty() ? open_rows_ : 0;
      const index rows = std::min({n - done, tile_rows_ - open, kPieceRows});
      pieces.push_back({done, rows, open > 0 ? std::move(tile_) : tree_.zeros(width_)});
      done += rows;
      whole = open + rows == tile_rows_;
    }
    if (single_) {
      sum_pieces<float>(x, w, pieces, threads);
    } else {
      sum_pieces<double>(x, w, pieces, threads);
    }
    for (Piece& piece : pieces) end_tile(std::move(piece.sums), piece.n);
  }
}

template <typename T>
void GramSums::add(const T* x, const double* w, index n, int threads) {
  check_open();
  if (width_ == 0) return;
  if (!single_) return add_rows(x, w, n, threads);
  const auto take = [&](index m) {
    ragged_x_.insert(ragged_x_.end(), x, x + m * p_);
    ragged_w_.insert(ragged_w_.end(), w, w + m);
    x += m * p_;
    w += m;
    n -= m;
  };
  if (!ragged_w_.empty()) {
    take(std::min(n, kDepth - static_cast<index>(ragged_w_.size())));
    if (static_cast<index>(ragged_w_.size()) < kDepth) return;
    add_rows(ragged_x_.data(), ragged_w_.data(), kDepth, threads);
    ragged_x_.clear();
    ragged_w_.clear();
  }
  const index whole = n / kDepth * kDepth;
  add_rows(x, w, whole, threads);
  x += whole * p_;
  w += whole;
  n -= whole;
  take(n);
}

template void GramSums::add<float>(const float*, const double*, index, int);
template void GramSums::add<double>(const double*, const double*, index, int);

std::vector<double> GramSums::open(int threads) const {
  if (ragged_w_.empty()) return tile_;
  std::vector<Piece> last = {{0, static_cast<index>(ragged_w_.size()), tile_}};
  last.front().sums.resize(width_, 0.0);
  sum_pieces<float>(ragged_x_.data(), ragged_w_.data(), last, threads);
  return std::move(last.front().sums);
}

void GramSums::total(double* out, int threads) const {
  const auto unpack_sums = [&](const std::vector<double>& sums) {
    if (single_) {
      unpack<float>(sums.data(), q_, out, threads);
    } else {
      unpack<double>(sums.data(), q_, out, threads);
    }
  };
  // A copy of the sums of few rows, in memory that the system gives anew, would take as long as a tenth of them.
  if (tree_.empty() && ragged_w_.empty() && !tile_.empty()) return unpack_sums(tile_);
  std::vector<double> last = open(threads);
  last.resize(width_, 0.0);
  unpack_sums(tree_.total(std::move(last)));
}

void weighted_gram(const Design& rows, const double* w, bool single, double* out, int threads) {
  GramSums sums(rows.p, rows.intercept, single);
  with_elements(rows, [&](const auto* x) { sums.add(x, w, rows.n, threads); });
  sums.total(out, threads);
}

}  // namespace augcore
