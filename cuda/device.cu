#include "augcore/cuda/device.hpp"
#include "launch.cuh"

namespace augcore::cuda {

int device_count() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

int toolkit_version() {
#ifdef AUGCORE_CUDA_EMULATED
  return 0;
#else
  return CUDART_VERSION;
#endif
}

}  // namespace augcore::cuda
