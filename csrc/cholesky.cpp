// Row blocks of the factor are found by forward substitution: rows R of L solve L[:R, :R] y = a[R, :R]'. So one kernel,
// forward_substitute, serves the factorisation, the solves and the quadratic forms.
#include "augcore/cholesky.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "aligned.hpp"
#include "augcore/threads.hpp"
#include "packed_triangle.hpp"
#include "simd/levels.hpp"
#include "spares.hpp"

namespace augcore {
namespace {

using simd::kernels;
using index = std::int64_t;

constexpr index kBlockColumns = simd::LinearAlgebraKernels::kBlockColumns;

auto pack_of(const simd::TileKernels<float>& tiles, const float*) { return tiles.pack_f32; }
auto pack_of(const simd::TileKernels<float>& tiles, const double*) { return tiles.pack_f64; }
auto pack_of(const simd::TileKernels<double>& tiles, const float*) { return tiles.pack_f32; }
auto pack_of(const simd::TileKernels<double>& tiles, const double*) { return tiles.pack_f64; }

index round_up(index n, index step) { return (n + step - 1) / step * step; }

// Applies f(i, k) to the rows and columns of a part of a matrix, some columns at a time: those of a panel stay near.
template <typename F>
void for_elements(index height, index from, index last, const F& f) {
  constexpr index kTogether = 16;
  for (index column = from; column < last; column += kTogether) {
    const index end = std::min(last, column + kTogether);
    for (index i = 0; i < height; ++i) {
      for (index k = column; k < end; ++k) f(i, k);
    }
  }
}

// Rows first ... first + height - 1 of a, to column `last`, as columns of a panel; and back.
void to_panel(const double* a, index q, index first, index height, index last, index width, double* panel) {
  for_elements(width, 0, last,
               [=](index i, index k) { panel[k * width + i] = i < height ? a[(first + i) * q + k] : 0.0; });
}

void from_panel(const double* panel, index width, index first, index height, index from, index last, double* a,
                index q) {
  for_elements(height, from, last, [=](index i, index k) { a[(first + i) * q + k] = panel[k * width + i]; });
}

}  // namespace

index cholesky(double* a, index q, int threads) {
  const auto& linalg = kernels().linalg;
  const index width = linalg.in_double.columns;
  const double tolerance = static_cast<double>(q) * std::numeric_limits<double>::epsilon();
  std::vector<double> pivots(q);
  for (index i = 0; i < q; ++i) pivots[i] = std::max(0.0, tolerance * a[i * q + i]);

  PackedTriangle<double> packed(q);
  const auto lower = [a, q](index i, index j) { return a[i * q + j]; };
  const auto substitute = [&](index from, index to, double* panel) {
    linalg.in_double.forward_substitute(packed.data(), 0, from, to, panel, nullptr);
  };
  AlignedVector<double> panel(q * width);
  AlignedVector<double> block(width * width);
  InterruptPoller poller;
  Spares<AlignedVector<double>> spares;
  for (index left = 0; left < q; left += kBlockColumns) {
    const index right = std::min(q, left + kBlockColumns);
    for (index first = left; first < right; first += width) {
      const index height = std::min(width, right - first);
      to_panel(a, q, first, height, first, width, panel.data());
      substitute(left, first, panel.data());

      std::fill(block.begin(), block.end(), 0.0);
      for (index i = 0; i < height; ++i) {
        for (index j = 0; j < height; ++j)
          block[i * width + j] = a[(first + std::max(i, j)) * q + first + std::min(i, j)];
      }
      for (index i = 0; i < width; i += linalg.rows) {
        linalg.subtract_product(first, panel.data() + i, width, panel.data(), block.data() + i * width, width);
      }
      const index failed = linalg.factor_block(block.data(), height, pivots.data() + first);
      if (failed >= 0) return first + failed;

      from_panel(panel.data(), width, first, height, left, first, a, q);
      for (index i = 0; i < height; ++i) {
        double* row = a + (first + i) * q;
        for (index j = 0; j <= i; ++j) row[first + j] = block[j * width + i];
        std::fill(row + first + i + 1, row + q, 0.0);
      }
      packed.pack_factor(first, first + height, 1, lower);
      poller.poll();
    }
    parallel_for((q - right + width - 1) / width, threads, [&](index task) {
      const index first = right + task * width, height = std::min(width, q - first);
      spares.with([&](AlignedVector<double>& mine) {
        mine.resize(q * width);
        to_panel(a, q, first, height, right, width, mine.data());
        substitute(left, right, mine.data());
        from_panel(mine.data(), width, first, height, left, right, a, q);
      });
    });
  }
  return -1;
}

void cholesky_solve(const double* l, index q, double* b) {
  const auto& linalg = kernels().linalg;
  for (index i = 0; i < q; ++i) b[i] = (b[i] - linalg.dot_f64(l + i * q, b, i)) / l[i * q + i];
  for (index i = q - 1; i >= 0; --i) {
    b[i] /= l[i * q + i];
    linalg.axpy_f64(-b[i], l + i * q, b, i);
  }
}

namespace {

// b := L L' b
void cholesky_product(const double* l, index q, double* b) {
  const auto& linalg = kernels().linalg;
  for (index i = 0; i < q; ++i) {
    const double value = b[i];
    b[i] *= l[i * q + i];
    linalg.axpy_f64(value, l + i * q, b, i);
  }
  for (index i = q - 1; i >= 0; --i) b[i] = linalg.dot_f64(l + i * q, b, i + 1);
}

double sum_of_magnitudes(const std::vector<double>& x) {
  double sum = 0.0;
  for (const double value : x) sum += std::abs(value);
  return sum;
}

// A lower bound of the 1-norm of a symmetric matrix of q rows, nearly always close to it; multiply(x) is x := A x.
template <typename F>
double one_norm(index q, const F& multiply) {
  constexpr int kMostSteps = 5;
  std::vector<double> x(q, 1.0 / static_cast<double>(q)), signs(q);
  multiply(x);
  double estimate = sum_of_magnitudes(x);
  for (int step = 1; step < kMostSteps; ++step) {
    bool turned = step == 1;
    for (index i = 0; i < q; ++i) {
      const double sign = x[i] >= 0.0 ? 1.0 : -1.0;
      turned = turned || sign != signs[i];
      signs[i] = sign;
    }
    if (!turned) break;
    std::vector<double> slope = signs;
    multiply(slope);
    const auto steeper = [](double a, double b) { return std::abs(a) < std::abs(b); };
    const auto steepest = std::max_element(slope.begin(), slope.end(), steeper) - slope.begin();
    std::fill(x.begin(), x.end(), 0.0);
    x[steepest] = 1.0;
    multiply(x);
    const double found = sum_of_magnitudes(x);
    if (!(found > estimate)) break;
    estimate = found;
  }
  // What cancels in the steps above does not in this vector.
  for (index i = 0; i < q; ++i) {
    const double size = 1.0 + static_cast<double>(i) / static_cast<double>(std::max<index>(1, q - 1));
    x[i] = i % 2 == 0 ? size : -size;
  }
  multiply(x);
  return std::max(estimate, 2.0 * sum_of_magnitudes(x) / (3.0 * static_cast<double>(q)));
}

}  // namespace

double reciprocal_condition(const double* l, index q) {
  if (q == 0) return 1.0;
  std::vector<double> scale(q);
  for (index i = 0; i < q; ++i) scale[i] = std::sqrt(kernels().linalg.dot_f64(l + i * q, l + i * q, i + 1));
  const double norm = one_norm(q, [&](std::vector<double>& x) {
    for (index i = 0; i < q; ++i) x[i] /= scale[i];
    cholesky_product(l, q, x.data());
    for (index i = 0; i < q; ++i) x[i] /= scale[i];
  });
  const double inverse_norm = one_norm(q, [&](std::vector<double>& x) {
    for (index i = 0; i < q; ++i) x[i] *= scale[i];
    cholesky_solve(l, q, x.data());
    for (index i = 0; i < q; ++i) x[i] *= scale[i];
  });
  return std::min(1.0, 1.0 / (norm * inverse_norm));
}

namespace {

// Panels of the columns of b (q x k, row-major), each on a thread: f(panel, its first column, number of columns).
template <typename F>
void for_panels(index q, index k, int threads, const F& f) {
  const index width = kernels().linalg.in_double.columns;
  const index padded = round_up(q, kernels().linalg.rows);
  Spares<AlignedVector<double>> spares;
  parallel_for((k + width - 1) / width, threads, [&](index task) {
    spares.with([&](AlignedVector<double>& panel) {
      panel.assign(padded * width, 0.0);
      f(panel.data(), task * width, std::min(width, k - task * width));
    });
  });
}

// L' z = y is M with M[i][j] = L[q - 1 - j][q - 1 - i], a lower triangle, for z and y in reverse.
struct BothWays {
  PackedTriangle<double> forward, backward;
  BothWays(const double* l, index q, int threads) : forward(q), backward(q) {
    forward.pack_factor(0, q, threads, [=](index i, index j) { return l[i * q + j]; });
    backward.pack_factor(0, q, threads, [=](index i, index j) { return l[(q - 1 - j) * q + (q - 1 - i)]; });
  }
};

void reverse_rows(double* panel, index q, index width) {
  for (index i = 0; i < q / 2; ++i) {
    std::swap_ranges(panel + i * width, panel + (i + 1) * width, panel + (q - 1 - i) * width);
  }
}

}  // namespace

void cholesky_solve_many(const double* l, index q, double* b, index k, int threads) {
  const auto& tiles = kernels().linalg.in_double;
  const index width = tiles.columns;
  const BothWays packed(l, q, threads);
  for_panels(q, k, threads, [&](double* panel, index first, index m) {
    for (index i = 0; i < q; ++i) std::copy_n(b + i * k + first, m, panel + i * width);
    tiles.forward_substitute(packed.forward.data(), 0, 0, q, panel, nullptr);
    reverse_rows(panel, q, width);
    tiles.forward_substitute(packed.backward.data(), 0, 0, q, panel, nullptr);
    for (index i = 0; i < q; ++i) std::copy_n(panel + (q - 1 - i) * width, m, b + i * k + first);
  });
}

void cholesky_inverse(const double* l, index q, double* out, int threads) {
  const auto& tiles = kernels().linalg.in_double;
  const index width = tiles.columns;
  const BothWays packed(l, q, threads);
  // The lower triangle: column j of L^-1 is zero above row j, and of the result the rows from j on are wanted.
  for_panels(q, q, threads, [&](double* panel, index first, index m) {
    for (index j = 0; j < m; ++j) panel[(first + j) * width + j] = 1.0;
    tiles.forward_substitute(packed.forward.data(), first, first, q, panel, nullptr);
    reverse_rows(panel, q, width);
    tiles.forward_substitute(packed.backward.data(), 0, 0, q - first, panel, nullptr);
    for (index j = 0; j < m; ++j) {
      for (index i = first + j; i < q; ++i) out[i * q + first + j] = panel[(q - 1 - i) * width + j];
    }
  });
  constexpr index kSide = 64;  // of the squares that are mirrored
  parallel_for((q + kSide - 1) / kSide, threads, [&](index task) {
    const index first = task * kSide, last = std::min(q, first + kSide);
    for (index column = 0; column < last; column += kSide) {
      for (index i = first; i < last; ++i) {
        for (index j = column; j < std::min(i, column + kSide); ++j) out[j * q + i] = out[i * q + j];
      }
    }
  });
}

namespace {

template <typename S>
void inverse_quadratic_form_in(const Design& rows, const double* l, double* out, int threads) {
  const auto& tiles = kernels().linalg.of(S{});
  const index width = tiles.columns;
  const index q = rows.q();
  PackedTriangle<S> packed(q);
  packed.pack_factor(0, q, threads, [=](index i, index j) { return l[i * q + j]; });

  const index panels = (rows.n + width - 1) / width;
  const double panel_operations = 0.5 * static_cast<double>(q) * static_cast<double>(q) * static_cast<double>(width);
  const index panels_per_task = std::max<index>(1, static_cast<index>(1e7 / (panel_operations + 1.0)));
  Spares<AlignedVector<S>> spares;
  with_elements(rows, [&](const auto* x) {
    parallel_for((panels + panels_per_task - 1) / panels_per_task, threads, [&](index task) {
      spares.with([&](AlignedVector<S>& panel) {
        AlignedVector<double> squares(width);
        // The rows of padding solve those of the identity: zero stays zero.
        panel.resize(round_up(q, kernels().linalg.rows) * width);
        for (index i = task * panels_per_task; i < std::min(panels, (task + 1) * panels_per_task); ++i) {
          const index first = i * width, height = std::min(width, rows.n - first);
          pack_of(tiles, x)(x + first * rows.p, height, rows.p, q, panel.data());
          tiles.forward_substitute(packed.data(), 0, 0, q, panel.data(), squares.data());
          std::copy_n(squares.data(), height, out + first);
        }
      });
    });
  });
}

}  // namespace

void inverse_quadratic_form(const Design& rows, const double* l, bool single, double* out, int threads) {
  if (single) {
    inverse_quadratic_form_in<float>(rows, l, out, threads);
  } else {
    inverse_quadratic_form_in<double>(rows, l, out, threads);
  }
}

}  // namespace augcore
