#include "augcore/dpp.hpp"

#include <algorithm>
#include <stdexcept>

#include "augcore/point/elementary.hpp"
#include "augcore/point/exponential_key.hpp"
#include "augcore/point/philox.hpp"
#include "augcore/point/random_counters.hpp"
#include "augcore/threads.hpp"
#include "projection_draw.hpp"
#include "spares.hpp"

namespace augcore {
namespace {

using index = std::int64_t;

constexpr double kTaskWork = 1e6;   // multiply-adds of the draws of one task, at least where there are as many
constexpr double kLargeWork = 4e9;  // of a draw that must be interrupted, so this thread makes it

// Words of Philox for (i, draw, purpose), four to a block.
class Words {
 public:
  Words(const std::uint64_t* key, index draw, std::uint64_t purpose)
      : key_(key), draw_(static_cast<std::uint64_t>(draw)), purpose_(purpose) {}

  std::uint64_t operator()(index i) {
    const auto block = static_cast<std::uint64_t>(i) / 4;
    if (block != block_) words_ = point::philox4x64({{block, draw_, purpose_, counters::kDpp}}, key_[0], key_[1]);
    block_ = block;
    return words_.word[i % 4];
  }

 private:
  const std::uint64_t* key_;
  std::uint64_t draw_;
  std::uint64_t purpose_;
  std::uint64_t block_ = ~std::uint64_t{0};
  point::Words4 words_{};
};

// Eigenvectors, with probability proportional to the product of their eigenvalues.
void choose_columns(const SpectralKernel& kernel, const double* ratios, index columns, index k,
                    const std::uint64_t* key, index draw, ProjectionColumns* chosen) {
  chosen->of_vectors.clear();
  chosen->of_complement.clear();
  Words words(key, draw, counters::kEigenvalues);
  index left = k;
  for (index m = kernel.r - 1; m >= 0 && left > 0; --m) {
    const double probability = point::chosen_probability(ratios[m * columns + left - 1], kernel.eigenvalues[m]);
    if (point::unit_interval(words(m)) < probability) {
      chosen->of_vectors.push_back(m);
      --left;
    }
  }
  std::reverse(chosen->of_vectors.begin(), chosen->of_vectors.end());
  // What is left is of the complement: a subset of its n - r columns, all alike (R. W. Floyd's way to draw one).
  Words others(key, draw, counters::kComplement);
  auto& complement = chosen->of_complement;
  for (index last = kernel.n - left; last < kernel.n; ++last) {
    const index any = kernel.r + static_cast<index>(point::multiply_high(others(last), last - kernel.r + 1));
    const bool is_new = std::find(complement.begin(), complement.end(), any) == complement.end();
    complement.push_back(is_new ? any : last);
  }
  std::sort(complement.begin(), complement.end());
}

void check_size(const SpectralKernel& kernel, index columns, index k) {
  if (k < 0 || k > kernel.rank() || k > columns) throw std::invalid_argument("k: must be between 0 and the rank");
}

struct Workspace {
  ProjectionColumns columns;
  ProjectionDraw projection;
};

}  // namespace

void elementary_ratios(const SpectralKernel& kernel, std::int64_t k, double* ratios) {
  // e_j of m equal eigenvalues is a binomial coefficient times their power.
  const index of_rest = kernel.rest > 0.0 ? kernel.n - kernel.r : 0;
  for (index j = 0; j < k; ++j) {
    ratios[j] = j < of_rest ? kernel.rest * (static_cast<double>(of_rest - j) / static_cast<double>(j + 1)) : 0.0;
  }
  InterruptPoller poller;
  for (index m = 0; m < kernel.r && k > 0; ++m) {
    const double* __restrict before = ratios + m * k;
    double* __restrict after = ratios + (m + 1) * k;
    const double eigenvalue = kernel.eigenvalues[m];
    after[0] = before[0] + eigenvalue;
    for (index j = 1; j < k; ++j) after[j] = point::next_ratio(before[j - 1], before[j], eigenvalue);
    poller.poll();
  }
}

void chosen_columns(const SpectralKernel& kernel, const double* ratios, std::int64_t columns, std::int64_t k,
                    const std::uint64_t* key, std::int64_t draw, std::int64_t* out) {
  check_size(kernel, columns, k);
  ProjectionColumns chosen;
  choose_columns(kernel, ratios, columns, k, key, draw, &chosen);
  out = std::copy(chosen.of_vectors.begin(), chosen.of_vectors.end(), out);
  std::copy(chosen.of_complement.begin(), chosen.of_complement.end(), out);
}

void k_dpp(const SpectralKernel& kernel, const double* ratios, std::int64_t columns, std::int64_t k,
           const std::uint64_t* key, std::int64_t first_draw, std::int64_t draws, std::int64_t* out, int threads) {
  check_size(kernel, columns, k);
  if (k == 0) return;
  const double size = static_cast<double>(k), work = size * (2.0 * size * size + static_cast<double>(kernel.n));
  const index together = std::max<index>(1, static_cast<index>(kTaskWork / work));
  const bool alone = draws == 1 || work > kLargeWork;
  Spares<Workspace> spares;
  parallel_for((draws + together - 1) / together, alone ? 1 : threads, [&](index task) {
    spares.with([&](Workspace& mine) {
      for (index i = task * together; i < std::min(draws, (task + 1) * together); ++i) {
        choose_columns(kernel, ratios, columns, k, key, first_draw + i, &mine.columns);
        mine.projection.run(kernel, mine.columns, key, first_draw + i, alone ? threads : 1, out + i * k);
        std::sort(out + i * k, out + (i + 1) * k);
      }
    });
  });
}

}  // namespace augcore
