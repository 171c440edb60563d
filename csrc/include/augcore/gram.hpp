// Products with the design that sum over samples, or that take a value of each sample.
#pragma once

#include <cstdint>
#include <vector>

#include "augcore/api.hpp"
#include "augcore/design.hpp"
#include "augcore/tree_sum.hpp"

namespace augcore {

// In single precision elements are rounded to float, and sums over at most 256 of them are taken in float before they
// are summed in double.

// sum_i w_i x_i x_i', fed block by block: the same bits for any blocks and any number of threads. Rows are summed in
// order within tiles of tile_rows(q), the tiles as tree_sum.hpp says.
class AUGCORE_API GramSums : public TiledSums {
 public:
  // More for wide rows, where every level of the tree takes as much memory as half of the result.
  static constexpr std::int64_t tile_rows(std::int64_t q) {
    std::int64_t rows = 2048;
    for (std::int64_t width = 2048; width < q; width *= 2) rows *= 4;
    return rows;
  }

  // rows_of_tile: a power of two times tile_rows(q), where other sums are to share the tiles; 0 stands for that itself.
  GramSums(std::int64_t p, bool intercept, bool single, std::int64_t first_row = 0, std::int64_t rows_of_tile = 0);

  // The next n samples: x (n x p) of float or double, w (n).
  template <typename T>
  void add(const T* x, const double* w, std::int64_t n, int threads);

  // The sums of the rows after the last whole tile, empty where there are none.
  std::vector<double> open(int threads) const;

  // out: q x q, symmetric.
  void total(double* out, int threads) const;

 private:
  struct Piece;

  template <typename S, typename T>
  void sum_pieces(const T* x, const double* w, std::vector<Piece>& pieces, int threads) const;
  template <typename T>
  void add_rows(const T* x, const double* w, std::int64_t n, int threads);

  std::int64_t p_;
  std::int64_t q_;
  bool single_;
  // The rows since the last whole float sum.
  std::vector<float> ragged_x_;
  std::vector<double> ragged_w_;
};

// out (q x q) = sum_i w_i x_i x_i'
AUGCORE_API void weighted_gram(const Design& rows, const double* w, bool single, double* out, int threads);

// out (n x b) = design times right (q x b)
AUGCORE_API void product(const Design& rows, const double* right, std::int64_t b, double* out, int threads);

// out (q x b) = design' times right (n x b)
AUGCORE_API void transposed_product(const Design& rows, const double* right, std::int64_t b, double* out, int threads);

// out (n x m) = x_i' M_k x_i of every row and every matrix of matrices (m x q x q), symmetric or not.
AUGCORE_API void quadratic_forms(const Design& rows, const double* matrices, std::int64_t m, bool single, double* out,
                                 int threads);

}  // namespace augcore
