// A vector of doubles of the instruction set that this file is compiled for, and the sizes of the matrix kernels'
// tiles. Included by the files of csrc/simd alone; everything here has internal linkage.
#pragma once

#if defined(AUGCORE_LEVEL_v3) || defined(AUGCORE_LEVEL_v4)
#include <immintrin.h>
#endif

namespace {

#if defined(AUGCORE_LEVEL_v4)

using vec = __m512d;
constexpr int kLanes = 8;
constexpr int kRows = 8;     // rows of a register tile
constexpr int kVectors = 3;  // vectors in a row of a register tile
inline vec load(const double* p) { return _mm512_loadu_pd(p); }
inline void store(double* p, vec a) { _mm512_storeu_pd(p, a); }
inline vec broadcast(double a) { return _mm512_set1_pd(a); }
inline vec madd(vec a, vec b, vec c) { return _mm512_fmadd_pd(a, b, c); }    // a * b + c
inline vec nmadd(vec a, vec b, vec c) { return _mm512_fnmadd_pd(a, b, c); }  // c - a * b
inline vec mul(vec a, vec b) { return _mm512_mul_pd(a, b); }
inline double madd(double a, double b, double c) { return __builtin_fma(a, b, c); }

#elif defined(AUGCORE_LEVEL_v3)

using vec = __m256d;
constexpr int kLanes = 4;
constexpr int kRows = 4;
constexpr int kVectors = 3;
inline vec load(const double* p) { return _mm256_loadu_pd(p); }
inline void store(double* p, vec a) { _mm256_storeu_pd(p, a); }
inline vec broadcast(double a) { return _mm256_set1_pd(a); }
inline vec madd(vec a, vec b, vec c) { return _mm256_fmadd_pd(a, b, c); }
inline vec nmadd(vec a, vec b, vec c) { return _mm256_fnmadd_pd(a, b, c); }
inline vec mul(vec a, vec b) { return _mm256_mul_pd(a, b); }
inline double madd(double a, double b, double c) { return __builtin_fma(a, b, c); }

#else

// No fused multiply-add at this level: product and sum are rounded apart, here and in madd(double) alike. The compiler
// maps the vector type onto what every processor of its family has (SSE2, NEON).
typedef double vec __attribute__((vector_size(16), aligned(8), may_alias));
constexpr int kLanes = 2;
constexpr int kRows = 4;
constexpr int kVectors = 2;
inline vec load(const double* p) { return *reinterpret_cast<const vec*>(p); }
inline void store(double* p, vec a) { *reinterpret_cast<vec*>(p) = a; }
inline vec broadcast(double a) { return vec{a, a}; }
inline vec madd(vec a, vec b, vec c) { return a * b + c; }
inline vec nmadd(vec a, vec b, vec c) { return c - a * b; }
inline vec mul(vec a, vec b) { return a * b; }
inline double madd(double a, double b, double c) { return a * b + c; }

#endif

constexpr int kColumns = kVectors * kLanes;  // columns of a register tile

}  // namespace
