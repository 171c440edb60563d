#include "augcore/bounds.hpp"

#include <algorithm>
#include <limits>

#include "augcore/threads.hpp"
#include "simd/levels.hpp"

namespace augcore {
namespace {

constexpr std::int64_t kPart = std::int64_t{1} << 20;  // numbers between two looks at the interrupt hook

template <typename T, typename F>
bool within_parts(const T* x, std::int64_t n, const F& part_within) {
  InterruptPoller poller;
  for (std::int64_t first = 0; first < n; first += kPart) {
    if (!part_within(x + first, std::min(kPart, n - first))) return false;
    poller.poll();
  }
  return true;
}

}  // namespace

bool within(const float* x, std::int64_t n, double bound) {
  const auto nearest = static_cast<float>(std::min(bound, static_cast<double>(std::numeric_limits<float>::max())));
  return within_parts(
      x, n, [=](const float* part, std::int64_t m) { return simd::kernels().bounds.within_f32(part, m, nearest); });
}

bool within(const double* x, std::int64_t n, double bound) {
  return within_parts(
      x, n, [=](const double* part, std::int64_t m) { return simd::kernels().bounds.within_f64(part, m, bound); });
}

}  // namespace augcore
