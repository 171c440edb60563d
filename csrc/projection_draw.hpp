// A set of k items of the determinantal point process of a projection Y Y', Y (n x k) having orthonormal columns.
//
// Items are taken one by one, each with probability proportional to the square of what is left of its row of Y,
// orthogonal to the rows taken before. To know that for all n rows after each item is to read Y k times. Here an item
// is proposed by the whole of its row instead and accepted with probability left / whole, which is the same
// distribution (Barthelme, Tremblay and Amblard, "A faster sampler for discrete determinantal point processes", 2023).
//
// An orthonormal basis of what no row taken has is kept: with m vectors left, one of k / m proposals is accepted, and
// each costs k m, so all of them k^3 whatever n. A batch is proposed at a time and leaves the basis by one block of
// Householder reflections: all large products are those of matrices, and nothing cancels.
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

  static constexpr index kBatch = 24;  // items that are decided together; whole tiles at every level

  // A proposed item: accepted where more than `limit` is left of its squared row.
  struct Proposal {
    index item;
    double limit;
  };

  void start(const SpectralKernel& kernel, const ProjectionColumns& columns, int threads);
  void find_bounds(int threads);
  index batch_size() const;
  void compute_row(index item, double* row) const;

  void pack(const double* rows, index count, AlignedVector<double>* panels) const;
  void multiply(const AlignedVector<double>& left, index height, const AlignedVector<double>& right, index columns,
                index depth, double* out, index ld) const;

  void propose(index item, double u);
  void sift();
  void decide(index* order);
  void reflect(const std::vector<index>& lanes);
  void apply_reflections(index count);

  const SpectralKernel* kernel_ = nullptr;
  const ProjectionColumns* columns_ = nullptr;
  index k_ = 0;
  index stride_ = 0;              // of rows of Y and of the basis: k_ and zeros behind
  index taken_ = 0;               // items
  const double* sums_ = nullptr;  // of the bounds by which items are proposed, up to and with each
  std::vector<double> own_sums_;  // where they are those of this projection's rows,
  AlignedVector<double> rows_;    // which are kept then (n x k_)
  std::vector<char> is_taken_;

  AlignedVector<double> basis_;  // rows taken_ ... k_ - 1 (of stride_): orthonormal, orthogonal to all rows taken,
  AlignedVector<double> basis_panels_;  // and as panels
  std::vector<Proposal> tried_;         // up to a batch,
  AlignedVector<double> tried_rows_;    // their rows,
  AlignedVector<double> tried_panels_;  // as panels,
  AlignedVector<double> coordinates_;   // and in the basis
  std::vector<Proposal> likely_;        // those of a batch that are not yet rejected,
  AlignedVector<double> likely_rows_;   // in the basis

  AlignedVector<double> reflections_;  // U (count x stride_), of I - U' T U
  AlignedVector<double> triangle_;     // T
  AlignedVector<double> products_;     // of U with the basis
};

}  // namespace augcore
