#include <algorithm>

#include "aligned.hpp"
#include "augcore/gram.hpp"
#include "augcore/threads.hpp"
#include "packed_triangle.hpp"
#include "simd/levels.hpp"
#include "spares.hpp"

namespace augcore {
namespace {

using simd::kernels;
using index = std::int64_t;

constexpr index kLeafRows = 2048;              // of X whose part of a transposed product is summed in order
constexpr index kPackedRows = 128;             // of X at a time
constexpr index kGroup = 8;                    // panels that read a matrix one after the other, for it to be cached
constexpr index kWaveMemory = index{1} << 26;  // bytes of the sums that are computed at a time

index round_up(index n, index step) { return (n + step - 1) / step * step; }

template <typename S>
auto pack_of(const float*) {
  return kernels().linalg.of(S{}).pack_f32;
}
template <typename S>
auto pack_of(const double*) {
  return kernels().linalg.of(S{}).pack_f64;
}

// f(panels, the first row of the first, how many rows): groups of panels of rows, each group on a thread.
template <typename S, typename F>
void for_row_panels(const Design& rows, int threads, const F& f) {
  const index width = kernels().linalg.of(S{}).columns;
  const index size = round_up(rows.q(), kernels().linalg.rows) * width;
  Spares<AlignedVector<S>> spares;
  with_elements(rows, [&](const auto* x) {
    const index step = kGroup * width;
    parallel_for((rows.n + step - 1) / step, threads, [&](index task) {
      spares.with([&](AlignedVector<S>& panels) {
        panels.resize(kGroup * size);
        const index first = task * step, m = std::min(step, rows.n - first);
        for (index i = 0; i < m; i += width) {
          pack_of<S>(x)(x + (first + i) * rows.p, std::min(width, m - i), rows.p, rows.q(),
                        panels.data() + i / width * size);
        }
        f(panels.data(), first, m);
      });
    });
  });
}

template <typename S>
void quadratic_forms_in(const Design& rows, const double* matrices, index m, double* out, int threads) {
  const auto& tiles = kernels().linalg.of(S{});
  const index q = rows.q(), width = tiles.columns, size = round_up(q, kernels().linalg.rows) * width;
  std::vector<PackedTriangle<S>> packed;
  for (index k = 0; k < m; ++k) {
    const double* matrix = matrices + k * q * q;
    packed.emplace_back(q);
    packed.back().pack_half(threads, [=](index i, index j) { return 0.5 * (matrix[i * q + j] + matrix[j * q + i]); });
  }
  for_row_panels<S>(rows, threads, [&](const S* panels, index first, index n) {
    AlignedVector<double> forms(width);
    for (index k = 0; k < m; ++k) {
      for (index i = 0; i < n; i += width) {
        tiles.quadratic_form(packed[k].data(), q, panels + i / width * size, forms.data());
        for (index j = 0; j < std::min(width, n - i); ++j) out[(first + i + j) * m + k] = 2.0 * forms[j];
      }
    }
  });
}

// Columns first ... first + width - 1 of m rows of the design; columns past q are zero.
template <typename T>
void pack_columns(const T* x, index m, index p, index q, index first, index width, double* out) {
  const index from_x = std::clamp<index>(p - first, 0, width);
  for (index k = 0; k < m; ++k, out += width) {
    std::copy_n(x + k * p + first, from_x, out);
    for (index j = from_x; j < width; ++j) out[j] = first + j < q ? 1.0 : 0.0;
  }
}

}  // namespace

void product(const Design& rows, const double* right, index b, double* out, int threads) {
  const auto& linalg = kernels().linalg;
  const index q = rows.q(), height = linalg.rows, width = linalg.in_double.columns;
  const index size = round_up(q, height) * width;
  AlignedVector<double> packed(round_up(b, height) * q);
  for (index j = 0; j < round_up(b, height); ++j) {
    double* block = packed.data() + j / height * height * q + j % height;
    for (index k = 0; k < q; ++k) block[k * height] = j < b ? right[k * b + j] : 0.0;
  }
  for_row_panels<double>(rows, threads, [&](const double* panels, index first, index n) {
    AlignedVector<double> tile(height * width);
    for (index j = 0; j < b; j += height) {
      for (index i = 0; i < n; i += width) {
        std::fill(tile.begin(), tile.end(), 0.0);
        linalg.add_product(q, packed.data() + j * q, height, panels + i / width * size, tile.data(), width);
        for (index c = 0; c < std::min(width, n - i); ++c) {
          for (index r = 0; r < std::min(height, b - j); ++r) out[(first + i + c) * b + j + r] = tile[r * width + c];
        }
      }
    }
  });
}

void transposed_product(const Design& rows, const double* right, index b, double* out, int threads) {
  const auto& linalg = kernels().linalg;
  const index q = rows.q(), height = linalg.rows, width = linalg.in_double.columns;
  const index padded_b = round_up(b, height), panels = (q + width - 1) / width;
  const index panel_size = padded_b * width;  // b rows of the transposed result
  TreeSum tree;
  struct Workspace {
    AlignedVector<double> x, right;
  };
  Spares<Workspace> spares;
  const index most_leaves = std::max<index>(1, kWaveMemory / (8 * std::max<index>(1, panels * panel_size)));
  const index leaves = (rows.n + kLeafRows - 1) / kLeafRows;
  for (index done = 0; done < leaves; done += most_leaves) {
    std::vector<std::vector<double>> sums;
    for (index leaf = done; leaf < std::min(leaves, done + most_leaves); ++leaf) {
      sums.push_back(tree.zeros(panels * panel_size));
    }
    with_elements(rows, [&](const auto* x) {
      parallel_for(static_cast<index>(sums.size()) * panels, threads, [&](index task) {
        const index leaf = task / panels, panel = task % panels;
        const index end = std::min(rows.n, (done + leaf + 1) * kLeafRows);
        double* tiles = sums[leaf].data() + panel * panel_size;
        spares.with([&](Workspace& mine) {
          mine.x.resize(kPackedRows * width);
          mine.right.resize(kPackedRows * padded_b);
          for (index first = (done + leaf) * kLeafRows; first < end; first += kPackedRows) {
            const index m = std::min(kPackedRows, end - first);
            pack_columns(x + first * rows.p, m, rows.p, q, panel * width, width, mine.x.data());
            for (index k = 0; k < m; ++k) {
              std::copy_n(right + (first + k) * b, b, mine.right.data() + k * padded_b);
              std::fill_n(mine.right.data() + k * padded_b + b, padded_b - b, 0.0);
            }
            for (index j = 0; j < padded_b; j += height) {
              linalg.add_product(m, mine.right.data() + j, padded_b, mine.x.data(), tiles + j * width, width);
            }
          }
        });
      });
    });
    for (std::vector<double>& leaf : sums) tree.push(std::move(leaf), 0);
  }
  const std::vector<double> sums = tree.total(std::vector<double>(panels * panel_size, 0.0));
  for (index k = 0; k < q; ++k) {
    const double* column = sums.data() + k / width * panel_size + k % width;
    for (index j = 0; j < b; ++j) out[k * b + j] = column[j * width];
  }
}

void quadratic_forms(const Design& rows, const double* matrices, index m, bool single, double* out, int threads) {
  if (single) {
    quadratic_forms_in<float>(rows, matrices, m, out, threads);
  } else {
    quadratic_forms_in<double>(rows, matrices, m, out, threads);
  }
}

}  // namespace augcore
