// Binary logistic regression on the GPU: the meaning of each is that of the header of the same name in csrc/.
//
// All pointers are to device memory. Nothing here waits for the card. Sums run over fixed parts of the rows, which are
// added in one order: the same bits from run to run, and on every card.
#pragma once

#include <cstdint>

#include "augcore/cuda/stream.hpp"
#include "augcore/design.hpp"

namespace augcore::cuda {

// Parts of n rows that are summed apart: `sums` of the functions below are (parts of rows) x b x q.
AUGCORE_CUDA_API std::int64_t parts_of_rows(std::int64_t n);

// eta (n x b) = the design times each of b vectors coef (b x q)
AUGCORE_CUDA_API void linear_predictor(const Design& rows, const double* coef, std::int64_t b, double* eta,
                                       Stream stream);

// sum (b x q) = factors' (n x b) times the design
AUGCORE_CUDA_API void sum_of_rows(const Design& rows, const double* factors, std::int64_t b, double* sums, double* sum,
                                  Stream stream);

// eta (n), and sum (q), the gradient of the weighted log loss; residual (n) is overwritten. weight may be null.
AUGCORE_CUDA_API void gradient(const Design& rows, const double* coef, const double* y, const double* weight,
                               double* eta, double* residual, double* sums, double* sum, Stream stream);

// Values of each sample; weight (n) may be null (all ones). See point/logistic.hpp.
AUGCORE_CUDA_API void log_loss(const double* eta, const double* y, std::int64_t n, double* out, Stream stream);
AUGCORE_CUDA_API void residual(const double* eta, const double* y, std::int64_t n, double* out, Stream stream);
AUGCORE_CUDA_API void curvature(const double* eta, std::int64_t n, double* out, Stream stream);
AUGCORE_CUDA_API void loo_influence(const double* eta, const double* y, const double* weight, const double* q,
                                    std::int64_t n, double* out, Stream stream);
AUGCORE_CUDA_API void loo_loss_change(const double* eta, const double* y, const double* weight, const double* q,
                                      std::int64_t n, double* out, Stream stream);

}  // namespace augcore::cuda
