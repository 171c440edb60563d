// Values of each sample of a binary model, from its logit: one thread for each.
//
// Floor: 8 bytes are read of each argument and 8 written, at the bandwidth of a copy; the 30 to 100 operations in
// double of a sample take about as long where a card has a double unit for every two single ones.
#include "augcore/cuda/logistic.hpp"
#include "augcore/point/logistic.hpp"
#include "launch.cuh"

namespace augcore::cuda {
namespace {

constexpr int kBlock = 256;

struct LogLoss {
  const double *eta, *y;
  __device__ double operator()(std::int64_t i) const { return point::log_loss(eta[i], y[i]); }
};

struct Residual {
  const double *eta, *y;
  __device__ double operator()(std::int64_t i) const { return point::residual(eta[i], y[i]); }
};

struct Curvature {
  const double* eta;
  __device__ double operator()(std::int64_t i) const { return point::curvature(eta[i]); }
};

struct LooInfluence {
  const double *eta, *y, *weight, *q;
  __device__ double operator()(std::int64_t i) const {
    return point::loo_influence(point::residual(eta[i], y[i]), weight == nullptr ? 1.0 : weight[i], q[i]);
  }
};

struct LooLossChange {
  const double *eta, *y, *weight, *q;
  __device__ double operator()(std::int64_t i) const {
    return point::loo_loss_change(eta[i], y[i], weight == nullptr ? 1.0 : weight[i], q[i]);
  }
};

template <typename F>
__global__ void __launch_bounds__(kBlock) each_kernel(F value, std::int64_t n, double* out) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kBlock + threadIdx.x;
  if (i < n) out[i] = value(i);
}

template <typename F>
void each(const char* name, const F& value, std::int64_t n, double* out, Stream stream) {
  if (n > 0) launch(name, each_kernel<F>, blocks_for(n, kBlock), kBlock, 0, stream, value, n, out);
}

}  // namespace

void log_loss(const double* eta, const double* y, std::int64_t n, double* out, Stream stream) {
  each("log_loss", LogLoss{eta, y}, n, out, stream);
}

void residual(const double* eta, const double* y, std::int64_t n, double* out, Stream stream) {
  each("residual", Residual{eta, y}, n, out, stream);
}

void curvature(const double* eta, std::int64_t n, double* out, Stream stream) {
  each("curvature", Curvature{eta}, n, out, stream);
}

void loo_influence(const double* eta, const double* y, const double* weight, const double* q, std::int64_t n,
                   double* out, Stream stream) {
  each("loo_influence", LooInfluence{eta, y, weight, q}, n, out, stream);
}

void loo_loss_change(const double* eta, const double* y, const double* weight, const double* q, std::int64_t n,
                     double* out, Stream stream) {
  each("loo_loss_change", LooLossChange{eta, y, weight, q}, n, out, stream);
}

}  // namespace augcore::cuda
