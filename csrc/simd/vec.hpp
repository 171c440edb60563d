// Vectors of doubles and of floats of the instruction set that this file is compiled for, and the sizes of the matrix
// kernels' tiles. Included by the files of csrc/simd alone; everything here has internal linkage.
#pragma once

#if defined(AUGCORE_LEVEL_v3) || defined(AUGCORE_LEVEL_v4)
#include <immintrin.h>
#endif

namespace {

template <typename S>
struct VecOf;

#if defined(AUGCORE_LEVEL_v4)

constexpr int kVectorBytes = 64;
constexpr int kRows = 8;     // rows of a register tile
constexpr int kVectors = 3;  // vectors in a row of a register tile
template <>
struct VecOf<double> {
  using type = __m512d;
};
template <>
struct VecOf<float> {
  using type = __m512;
};
// load_as: converted to the type of the second argument, which is not read.
inline __m512d load(const double* p) { return _mm512_loadu_pd(p); }
inline __m512 load(const float* p) { return _mm512_loadu_ps(p); }
inline __m512d load_as(const double* p, double) { return load(p); }
inline __m512 load_as(const float* p, float) { return load(p); }
inline __m512d load_as(const float* p, double) { return _mm512_cvtps_pd(_mm256_loadu_ps(p)); }
inline __m512 load_as(const double* p, float) {
  const __m512d low = _mm512_castps_pd(_mm512_castps256_ps512(_mm512_cvtpd_ps(load(p))));
  return _mm512_castpd_ps(_mm512_insertf64x4(low, _mm256_castps_pd(_mm512_cvtpd_ps(load(p + 8))), 1));
}
inline void store(double* p, __m512d a) { _mm512_storeu_pd(p, a); }
inline void store(float* p, __m512 a) { _mm512_storeu_ps(p, a); }
// sums[i] += element i
inline void add_to(double* sums, __m512d a) { store(sums, _mm512_add_pd(load(sums), a)); }
inline void add_to(double* sums, __m512 a) {
  add_to(sums, _mm512_cvtps_pd(_mm512_castps512_ps256(a)));
  add_to(sums + 8, _mm512_cvtps_pd(_mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(a), 1))));
}
inline __m512d broadcast(double a) { return _mm512_set1_pd(a); }
inline __m512 broadcast(float a) { return _mm512_set1_ps(a); }
inline __m512d madd(__m512d a, __m512d b, __m512d c) { return _mm512_fmadd_pd(a, b, c); }  // a * b + c
inline __m512 madd(__m512 a, __m512 b, __m512 c) { return _mm512_fmadd_ps(a, b, c); }
inline __m512d nmadd(__m512d a, __m512d b, __m512d c) { return _mm512_fnmadd_pd(a, b, c); }  // c - a * b
inline __m512 nmadd(__m512 a, __m512 b, __m512 c) { return _mm512_fnmadd_ps(a, b, c); }
inline __m512d mul(__m512d a, __m512d b) { return _mm512_mul_pd(a, b); }
inline __m512 mul(__m512 a, __m512 b) { return _mm512_mul_ps(a, b); }
inline double madd(double a, double b, double c) { return __builtin_fma(a, b, c); }

#elif defined(AUGCORE_LEVEL_v3)

constexpr int kVectorBytes = 32;
constexpr int kRows = 4;
constexpr int kVectors = 3;
template <>
struct VecOf<double> {
  using type = __m256d;
};
template <>
struct VecOf<float> {
  using type = __m256;
};
inline __m256d load(const double* p) { return _mm256_loadu_pd(p); }
inline __m256 load(const float* p) { return _mm256_loadu_ps(p); }
inline __m256d load_as(const double* p, double) { return load(p); }
inline __m256 load_as(const float* p, float) { return load(p); }
inline __m256d load_as(const float* p, double) { return _mm256_cvtps_pd(_mm_loadu_ps(p)); }
inline __m256 load_as(const double* p, float) {
  return _mm256_set_m128(_mm256_cvtpd_ps(load(p + 4)), _mm256_cvtpd_ps(load(p)));
}
inline void store(double* p, __m256d a) { _mm256_storeu_pd(p, a); }
inline void store(float* p, __m256 a) { _mm256_storeu_ps(p, a); }
inline void add_to(double* sums, __m256d a) { store(sums, _mm256_add_pd(load(sums), a)); }
inline void add_to(double* sums, __m256 a) {
  add_to(sums, _mm256_cvtps_pd(_mm256_castps256_ps128(a)));
  add_to(sums + 4, _mm256_cvtps_pd(_mm256_extractf128_ps(a, 1)));
}
inline __m256d broadcast(double a) { return _mm256_set1_pd(a); }
inline __m256 broadcast(float a) { return _mm256_set1_ps(a); }
inline __m256d madd(__m256d a, __m256d b, __m256d c) { return _mm256_fmadd_pd(a, b, c); }
inline __m256 madd(__m256 a, __m256 b, __m256 c) { return _mm256_fmadd_ps(a, b, c); }
inline __m256d nmadd(__m256d a, __m256d b, __m256d c) { return _mm256_fnmadd_pd(a, b, c); }
inline __m256 nmadd(__m256 a, __m256 b, __m256 c) { return _mm256_fnmadd_ps(a, b, c); }
inline __m256d mul(__m256d a, __m256d b) { return _mm256_mul_pd(a, b); }
inline __m256 mul(__m256 a, __m256 b) { return _mm256_mul_ps(a, b); }
inline double madd(double a, double b, double c) { return __builtin_fma(a, b, c); }

#else

// No fused multiply-add at this level: product and sum are rounded apart, here and in madd(double) alike. The compiler
// maps the vector types onto what every processor of its family has (SSE2, NEON).
constexpr int kVectorBytes = 16;
constexpr int kRows = 4;
constexpr int kVectors = 2;
typedef double DoubleVec __attribute__((vector_size(16), aligned(8), may_alias));
typedef float FloatVec __attribute__((vector_size(16), aligned(4), may_alias));
template <>
struct VecOf<double> {
  using type = DoubleVec;
};
template <>
struct VecOf<float> {
  using type = FloatVec;
};
inline DoubleVec load(const double* p) { return *reinterpret_cast<const DoubleVec*>(p); }
inline FloatVec load(const float* p) { return *reinterpret_cast<const FloatVec*>(p); }
inline DoubleVec load_as(const double* p, double) { return load(p); }
inline FloatVec load_as(const float* p, float) { return load(p); }
inline DoubleVec load_as(const float* p, double) { return DoubleVec{p[0], p[1]}; }
inline FloatVec load_as(const double* p, float) {
  return FloatVec{static_cast<float>(p[0]), static_cast<float>(p[1]), static_cast<float>(p[2]),
                  static_cast<float>(p[3])};
}
inline void store(double* p, DoubleVec a) { *reinterpret_cast<DoubleVec*>(p) = a; }
inline void store(float* p, FloatVec a) { *reinterpret_cast<FloatVec*>(p) = a; }
inline void add_to(double* sums, DoubleVec a) { store(sums, load(sums) + a); }
inline void add_to(double* sums, FloatVec a) {
  add_to(sums, DoubleVec{a[0], a[1]});
  add_to(sums + 2, DoubleVec{a[2], a[3]});
}
inline DoubleVec broadcast(double a) { return DoubleVec{a, a}; }
inline FloatVec broadcast(float a) { return FloatVec{a, a, a, a}; }
inline DoubleVec madd(DoubleVec a, DoubleVec b, DoubleVec c) { return a * b + c; }
inline FloatVec madd(FloatVec a, FloatVec b, FloatVec c) { return a * b + c; }
inline DoubleVec nmadd(DoubleVec a, DoubleVec b, DoubleVec c) { return c - a * b; }
inline FloatVec nmadd(FloatVec a, FloatVec b, FloatVec c) { return c - a * b; }
inline DoubleVec mul(DoubleVec a, DoubleVec b) { return a * b; }
inline FloatVec mul(FloatVec a, FloatVec b) { return a * b; }
inline double madd(double a, double b, double c) { return a * b + c; }

#endif

template <typename S>
using Vec = typename VecOf<S>::type;

template <typename S>
constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(S));

template <typename S>
constexpr int kColumns = kVectors * kLanes<S>;  // columns of a register tile

}  // namespace
