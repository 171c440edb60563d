// Products with the design and with factors read and write what is theirs alone, for any remainder of rows and columns.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "augcore/cholesky.hpp"
#include "augcore/gram.hpp"
#include "check.hpp"
#include "fenced.hpp"

using namespace augcore;
using testing::Fenced;

namespace {

using index = std::int64_t;

// Whole numbers, so that sums are exact in any order and in single precision.
double element(index i, index j) { return static_cast<double>((i * 7 + j * 5 + i * j) % 9 - 4); }

// A matrix between two fences.
template <typename T>
struct Matrix {
  index rows, columns;
  Fenced memory;

  Matrix(index rows, index columns, bool at_end)
      : rows(rows), columns(columns), memory(static_cast<index>(sizeof(T)) * rows * columns, at_end) {}
  T* data() const { return memory.as<T>(); }
  T& operator()(index i, index j) const { return data()[i * columns + j]; }
  Matrix& fill(index shift) {
    for (index i = 0; i < rows; ++i) {
      for (index j = 0; j < columns; ++j) (*this)(i, j) = static_cast<T>(element(i + shift, j));
    }
    return *this;
  }
};

template <typename T>
void check_products(index n, index p, bool intercept, index b, bool at_end, int threads) {
  Matrix<T> x(n, p, at_end);
  x.fill(0);
  const Design rows = {x.data(), sizeof(T) == 4 ? Dtype::float32 : Dtype::float64, n, p, intercept};
  const index q = rows.q();
  const auto z = [&](index i, index j) { return j < p ? static_cast<double>(x(i, j)) : 1.0; };
  Matrix<double> w(n, 1, at_end), right(q, b, at_end), wide(n, b, at_end), forms(b * q, q, at_end);
  w.fill(1), right.fill(2), wide.fill(3), forms.fill(4);

  Matrix<double> product_out(n, b, at_end), transposed_out(q, b, at_end), gram_out(q, q, at_end);
  product(rows, right.data(), b, product_out.data(), threads);
  transposed_product(rows, wide.data(), b, transposed_out.data(), threads);
  for (index c = 0; c < b; ++c) {
    for (index i = 0; i < n; ++i) {
      double sum = 0.0;
      for (index j = 0; j < q; ++j) sum += z(i, j) * right(j, c);
      CHECK_EQ(product_out(i, c), sum);
    }
    for (index j = 0; j < q; ++j) {
      double sum = 0.0;
      for (index i = 0; i < n; ++i) sum += z(i, j) * wide(i, c);
      CHECK_EQ(transposed_out(j, c), sum);
    }
  }
  for (const bool single : {false, true}) {
    Matrix<double> forms_out(n, b, at_end);
    weighted_gram(rows, w.data(), single, gram_out.data(), threads);
    quadratic_forms(rows, forms.data(), b, single, forms_out.data(), threads);
    for (index j = 0; j < q; ++j) {
      for (index k = 0; k < q; ++k) {
        double sum = 0.0;
        for (index i = 0; i < n; ++i) sum += w(i, 0) * z(i, j) * z(i, k);
        CHECK_EQ(gram_out(j, k), sum);
      }
    }
    for (index i = 0; i < n; ++i) {
      for (index c = 0; c < b; ++c) {
        double sum = 0.0;
        for (index j = 0; j < q; ++j) {
          for (index k = 0; k < q; ++k) sum += z(i, j) * forms(c * q + j, k) * z(i, k);
        }
        CHECK_EQ(forms_out(i, c), sum);
      }
    }
    CHECK(forms_out.memory.canaries_live());
  }
  for (const Matrix<double>* matrix : {&w, &right, &wide, &forms, &product_out, &transposed_out, &gram_out}) {
    CHECK(matrix->memory.canaries_live());
  }
  CHECK(x.memory.canaries_live());
}

// A = L L' with a unit lower triangle of small whole numbers: every step of the factor is exact.
void check_factors(index q, index b, bool at_end, int threads) {
  Matrix<double> a(q, q, at_end), right(q, b, at_end), inverse(q, q, at_end), x(5, q, at_end), quadratic(5, 1, at_end);
  std::vector<double> l(q * q, 0.0);
  for (index i = 0; i < q; ++i) {
    for (index j = std::max<index>(0, i - 2); j < i; ++j) l[i * q + j] = (i + j) % 3 - 1.0;
    l[i * q + i] = 2.0;
  }
  for (index i = 0; i < q; ++i) {
    for (index j = 0; j < q; ++j) {
      a(i, j) = 0.0;
      for (index k = 0; k < q; ++k) a(i, j) += l[i * q + k] * l[j * q + k];
    }
  }
  CHECK_EQ(cholesky(a.data(), q, threads), -1);
  for (index i = 0; i < q * q; ++i) CHECK_EQ(a.data()[i], l[i]);
  const auto times_matrix = [&](const auto& column, index i) {  // element i of L L' column
    double sum = 0.0;
    for (index k = 0; k <= i; ++k) {
      double inner = 0.0;
      for (index j = k; j < q; ++j) inner += l[j * q + k] * column(j);
      sum += l[i * q + k] * inner;
    }
    return sum;
  };
  right.fill(0), x.fill(0);
  cholesky_solve_many(a.data(), q, right.data(), b, threads);
  cholesky_inverse(a.data(), q, inverse.data(), threads);
  for (index i = 0; i < q; ++i) {
    for (index c = 0; c < b; ++c) {
      CHECK(std::fabs(times_matrix([&](index j) { return right(j, c); }, i) - element(i, c)) < 1e-9);
    }
    for (index c = 0; c < q; ++c) {
      CHECK(std::fabs(times_matrix([&](index j) { return inverse(j, c); }, i) - (i == c)) < 1e-9);
    }
  }
  for (const bool single : {false, true}) {
    inverse_quadratic_form({x.data(), Dtype::float64, 5, q, false}, a.data(), single, quadratic.data(), threads);
    for (index i = 0; i < 5; ++i) {
      double sum = 0.0;
      for (index j = 0; j < q; ++j) {
        for (index k = 0; k < q; ++k) sum += x(i, j) * inverse(j, k) * x(i, k);
      }
      CHECK(std::fabs(quadratic(i, 0) - sum) <= (single ? 1e-4 : 1e-10) * (1.0 + sum));
    }
  }
  for (const Matrix<double>* matrix : {&a, &right, &inverse, &x, &quadratic}) CHECK(matrix->memory.canaries_live());
}

}  // namespace

int main() {
  for (const bool at_end : {false, true}) {
    for (const int n : {0, 1, 7, 33, 49}) {
      for (const int p : {1, 2, 7, 8, 15, 24, 25}) {
        for (const bool intercept : {false, true}) {
          check_products<double>(n, p, intercept, 3, at_end, 2);
          check_products<float>(n, p, intercept, 9, at_end, 1);
        }
      }
    }
    check_products<float>(300, 0, true, 1, at_end, 2);
    check_products<double>(260, 60, true, 0, at_end, 2);
    for (const int q : {1, 2, 7, 8, 9, 24, 25, 50, 200}) {
      for (const int b : {0, 1, 25}) check_factors(q, b, at_end, 2);
    }
  }
  return testing::result();
}
