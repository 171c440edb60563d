// A set of k items of the determinantal point process of a projection Y Y', Y (n x k) having orthonormal columns.
//
// Items are taken one by one, each with probability proportional to the square of what is left of its row of Y,
// orthogonal to the rows taken before. To know that for all n rows after each item is to read Y k times. Here an item
// is proposed by an upper bound instead and accepted with probability left / bound, which is the same distribution
// (Barthelme, Tremblay and Amblard, "A faster sampler for discrete determinantal point processes", 2023). When
// rejections have cost as much as it costs to bring all bounds up to date, that is done, by a product of matrices. So
// the cost is O(n k^2) at the speed of such products, and where n is large O(k^3 log k), whatever n.
#pragma once

#include <cstdint>
#include <vector>

#include "aligned.hpp"
#include "augcore/dpp.hpp"

namespace augcore {

// Which columns Y has: some of V, and some of those of I - W W', see SpectralKernel.
struct ProjectionColumns {
  std::vector<std::int64_t> of_vectors;
  std::vector<std::int64_t> of_complement;

  std::int64_t count() const { return static_cast<std::int64_t>(of_vectors.size() + of_complement.size()); }
};

// Holds the memory of a draw, for the next one.
class ProjectionDraw {
 public:
  // order[0 ... k - 1]: the items in the order in which they were taken. The random numbers are those of (key, draw).
  void run(const SpectralKernel& kernel, const ProjectionColumns& columns, const std::uint64_t* key, std::int64_t draw,
           int threads, std::int64_t* order);

 private:
  using index = std::int64_t;

  void start(const SpectralKernel& kernel, const ProjectionColumns& columns);
  void row_of(index item, double* row) const;
  index propose(double u, double* bound) const;
  bool accept(index item, double limit);
  double orthogonalise(double* row) const;
  double cost_of_refresh() const;
  void refresh(int threads);
  void pack_basis(index from);
  void pack_rows(index panel, double* rows);
  void shorten_bounds(index panel, index blocks);

  const SpectralKernel* kernel_ = nullptr;
  const ProjectionColumns* columns_ = nullptr;
  index k_ = 0;
  index stride_ = 0;  // of the rows of basis_: k_ and zeros to whole vectors
  index taken_ = 0;
  index current_ = 0;  // how many of them bounds_ know of
  double wasted_ = 0.0;
  bool packed_ = false;                 // whether panels_ and bounds_ are of this draw
  AlignedVector<double> basis_;         // taken_ x stride_: orthonormal, of the same span as the rows taken
  AlignedVector<double> row_;           // of the item that is tried
  AlignedVector<double> coefficients_;  // its products with some of the basis
  AlignedVector<double> panels_;        // Y, in panels as TileKernels has them
  AlignedVector<double> packed_basis_;  // the new part of the basis, as factors of tiles
  std::vector<double> bounds_;          // what was left of each row when current_ were taken
  std::vector<double> sums_;            // of bounds_, up to and with each
  std::vector<char> is_taken_;
};

}  // namespace augcore
