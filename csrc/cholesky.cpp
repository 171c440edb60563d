// Row blocks of the factor are found by forward substitution: rows R of L solve L[:R, :R] y = a[R, :R]'. So one kernel,
// forward_substitute, serves the factorisation and the quadratic forms.
#include "augcore/cholesky.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "augcore/threads.hpp"
#include "simd/levels.hpp"

namespace augcore {
namespace {

using simd::kernels;
using index = std::int64_t;

// L in the layout of forward_substitute, filled from the top.
class PackedFactor {
 public:
  explicit PackedFactor(index q) : rows_(kernels().linalg.rows) {
    const index blocks = (q + rows_ - 1) / rows_;
    values_.resize(rows_ * rows_ * (blocks * (blocks + 1) / 2));
  }

  const double* data() const { return values_.data(); }

  // Packs rows first ... last - 1 of l (leading dimension q); first is a multiple of the tile's rows. Rows past `last`
  // of the last block are those of the identity.
  void pack(const double* l, index q, index first, index last) {
    for (index row = first; row < last; row += rows_) {
      const index block = row / rows_;
      double* out = values_.data() + rows_ * rows_ * (block * (block + 1) / 2);
      const index height = std::min(rows_, last - row);
      for (index i = 0; i < rows_; ++i) {
        for (index k = 0; k < row; ++k) out[k * rows_ + i] = i < height ? l[(row + i) * q + k] : 0.0;
      }
      double* diagonal = out + row * rows_;
      for (index i = 0; i < rows_; ++i) {
        for (index j = 0; j < rows_; ++j) {
          diagonal[i * rows_ + j] = i < height && j <= i ? l[(row + i) * q + row + j] : (i == j ? 1.0 : 0.0);
        }
        diagonal[i * rows_ + i] = 1.0 / diagonal[i * rows_ + i];
      }
    }
  }

 private:
  index rows_;
  std::vector<double> values_;
};

// The Cholesky factor of one small block, in place; pivots[i] is the least pivot accepted in column i.
index factor_block(double* a, index n, index leading, const double* pivots) {
  for (index i = 0; i < n; ++i) {
    for (index j = 0; j <= i; ++j) {
      double sum = a[i * leading + j];
      for (index k = 0; k < j; ++k) sum -= a[i * leading + k] * a[j * leading + k];
      if (i == j) {
        if (!(sum > pivots[i])) return i;
        a[i * leading + i] = std::sqrt(sum);
      } else {
        a[i * leading + j] = sum / a[j * leading + j];
      }
    }
  }
  return -1;
}

}  // namespace

index cholesky(double* a, index q) {
  const auto& linalg = kernels().linalg;
  const index width = linalg.columns;
  const double tolerance = static_cast<double>(q) * std::numeric_limits<double>::epsilon();
  std::vector<double> pivots(q);
  for (index i = 0; i < q; ++i) pivots[i] = std::max(0.0, tolerance * a[i * q + i]);

  PackedFactor packed(q);
  std::vector<double> y(q * width);
  std::vector<double> block(width * width);
  std::vector<double> squares(width);
  InterruptPoller poller;
  for (index first = 0; first < q; first += width) {
    const index height = std::min(width, q - first);
    std::fill(y.begin(), y.begin() + first * width, 0.0);
    for (index i = 0; i < height; ++i) {
      for (index k = 0; k < first; ++k) y[k * width + i] = a[(first + i) * q + k];
    }
    linalg.forward_substitute(packed.data(), first, y.data(), squares.data());

    std::fill(block.begin(), block.end(), 0.0);
    for (index i = 0; i < height; ++i) std::copy_n(a + (first + i) * q + first, height, block.data() + i * width);
    for (index i = 0; i < width; i += linalg.rows) {
      linalg.subtract_product(first, y.data() + i, width, y.data(), block.data() + i * width, width);
    }
    const index failed = factor_block(block.data(), height, width, pivots.data() + first);
    if (failed >= 0) return first + failed;

    for (index i = 0; i < height; ++i) {
      double* row = a + (first + i) * q;
      for (index k = 0; k < first; ++k) row[k] = y[k * width + i];
      std::copy_n(block.data() + i * width, i + 1, row + first);
      std::fill(row + first + i + 1, row + q, 0.0);
    }
    packed.pack(a, q, first, first + height);
    poller.poll();
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

void inverse_quadratic_form(const Design& rows, const double* l, double* out, int threads) {
  const auto& linalg = kernels().linalg;
  const index width = linalg.columns;
  const index q = rows.q();
  const index padded = (q + linalg.rows - 1) / linalg.rows * linalg.rows;
  PackedFactor packed(q);
  packed.pack(l, q, 0, q);

  const index panels = (rows.n + width - 1) / width;
  const double panel_operations = 0.5 * static_cast<double>(q) * static_cast<double>(q) * static_cast<double>(width);
  const index panels_per_task = std::max<index>(1, static_cast<index>(1e7 / (panel_operations + 1.0)));
  const auto run = [&](const auto* x) {
    parallel_for((panels + panels_per_task - 1) / panels_per_task, threads, [&](index task) {
      std::vector<double> y(padded * width, 0.0);
      std::vector<double> squares(width);
      for (index panel = task * panels_per_task; panel < std::min(panels, (task + 1) * panels_per_task); ++panel) {
        const index first = panel * width;
        const index height = std::min(width, rows.n - first);
        for (index i = 0; i < height; ++i) {
          for (index k = 0; k < rows.p; ++k) y[k * width + i] = x[(first + i) * rows.p + k];
        }
        if (rows.intercept) std::fill_n(y.data() + rows.p * width, width, 1.0);
        // The rows of padding solve those of the identity: zero stays zero.
        std::fill(y.begin() + q * width, y.end(), 0.0);
        linalg.forward_substitute(packed.data(), q, y.data(), squares.data());
        std::copy_n(squares.data(), height, out + first);
      }
    });
  };
  if (rows.dtype == Dtype::float32) {
    run(static_cast<const float*>(rows.data));
  } else {
    run(static_cast<const double*>(rows.data));
  }
}

}  // namespace augcore
