// A set of k items of the determinantal point process of a projection Y Y', Y (n x k) having orthonormal columns.
//
// Items are taken one by one, each with probability proportional to the square of what is left of its row of Y,
// orthogonal to the rows taken before. To know that for all n rows after each item is to read Y k times. Here an item
// is proposed by an upper bound instead and accepted with probability left / bound, which is the same distribution
// (Barthelme, Tremblay and Amblard, "A faster sampler for discrete determinantal point processes", 2023). A batch is
// proposed at a time, so that all products are those of matrices. When rejections have cost as much as it costs to
// bring all bounds up to date, that is done: O(n k^2) in all, or where n is large O(k^3 log k), whatever n.
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

  static constexpr index kBatch = 24;  // proposals that are decided together; whole panels at every level

  // A proposed item, to be accepted where more than `limit` is left of its squared row, which is `whole`.
  struct Proposal {
    index item;
    double limit;
    double whole;
  };

  void start(const SpectralKernel& kernel, const ProjectionColumns& columns);
  index batch_size() const;
  const double* sums() const { return packed_ ? sums_.data() : kernel_->leverage; }
  void row_of(index item, double* row) const;

  void propose(index item, double u);
  void sift();
  void reduce(double* gram);
  void decide(index* order);
  void append_to_basis(index lane, const double* coefficients, index count);
  double orthogonalise(double* row) const;

  double cost_of_refresh() const;
  void refresh(int threads);
  void pack_rows(index panel, double* rows);
  void shorten_bounds(index panel);

  const SpectralKernel* kernel_ = nullptr;
  const ProjectionColumns* columns_ = nullptr;
  index k_ = 0;
  index stride_ = 0;   // of rows of Y and of the basis: k_ and zeros behind
  index taken_ = 0;    // items, and vectors of the basis
  index current_ = 0;  // how many of them the bounds know of
  double wasted_ = 0.0;
  bool packed_ = false;                 // whether panels_ and bounds_ are of this draw
  AlignedVector<double> basis_;         // k_ x stride_: orthonormal, of the same span as the rows taken
  AlignedVector<double> basis_blocks_;  // the same, in blocks of as many rows as a tile has, column by column
  AlignedVector<double> panels_;        // Y, in panels as TileKernels has them
  std::vector<double> bounds_;          // what was left of each row when current_ were taken
  std::vector<double> sums_;            // of bounds_, up to and with each
  std::vector<char> is_taken_;

  std::vector<Proposal> tried_;        // up to a panel of them
  AlignedVector<double> tried_rows_;   // row by row,
  AlignedVector<double> tried_panel_;  // and as a panel
  AlignedVector<double> products_;     // of the basis with the panel
  std::vector<Proposal> likely_;       // those of a batch that are not yet rejected,
  AlignedVector<double> likely_rows_;  // what is left of them, in panels,
  AlignedVector<double> likely_products_;
};

}  // namespace augcore
