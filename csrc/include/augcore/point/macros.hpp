// Marks the functions of point/: the arithmetic of one pixel or one sample, for CPU and GPU alike.
//
// They have internal linkage: the CPU kernels are compiled once per instruction set, and a shared inline function could
// be linked from the wrong one.
#pragma once

#ifdef __CUDACC__
#define AUGCORE_POINT static __host__ __device__ __forceinline__
#else
#define AUGCORE_POINT static inline
#endif
