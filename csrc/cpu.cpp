#include "augcore/cpu.hpp"

#include <cstdlib>
#include <stdexcept>
#include <string>

#include "simd/levels.hpp"

namespace augcore {
namespace simd {
namespace {

const Kernels& choose() {
  const char* variable = std::getenv("AUGCORE_SIMD");
  const std::string wanted = variable == nullptr ? "" : variable;
#ifdef AUGCORE_X86_LEVELS
  __builtin_cpu_init();
  const bool has_v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                      __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  const bool has_v4 = has_v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  if ((wanted.empty() || wanted == "v4") && has_v4) return kernels_v4;
  if ((wanted.empty() || wanted == "v3") && has_v3) return kernels_v3;
#endif
  if (wanted.empty() || wanted == "baseline") return kernels_baseline;
  throw std::invalid_argument("AUGCORE_SIMD=" + wanted +
                              ": not a level this processor can run (levels: baseline, v3, v4)");
}

}  // namespace

const Kernels& kernels() {
  static const Kernels& chosen = choose();
  return chosen;
}

}  // namespace simd

const char* simd_level() { return simd::kernels().level; }

}  // namespace augcore
