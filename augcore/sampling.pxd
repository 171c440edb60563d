"""csrc/include/augcore/sampling.hpp, with the enumeration of point/policy.hpp"""

from libc.stdint cimport int64_t, uint64_t

from augcore.errors cimport raise_python_error


cdef extern from "augcore/sampling.hpp" namespace "augcore" nogil:
    cdef enum class Policy:
        uniform
        proportional
        inverse_proportional
        softmax
        inverse_softmax
        log_weights
        largest_first
        smallest_first


cdef extern from "augcore/sampling.hpp" namespace "augcore" nogil:
    void uniforms(
        const uint64_t* key, int64_t first_index, int64_t n, double* out, int threads
    ) except +raise_python_error
    void keyed_words(
        const uint64_t* key, const int64_t* indices, int64_t n, const uint64_t* counter, uint64_t* out, int threads
    ) except +raise_python_error
    void log_magnitudes(const double* values, int64_t n, double* out, int threads) except +raise_python_error
    void policy_keys(
        Policy policy, const float* scores, int64_t n, const uint64_t* key, int64_t first_index, double* high,
        double* low, int threads
    ) except +raise_python_error
    void policy_keys(
        Policy policy, const double* scores, int64_t n, const uint64_t* key, int64_t first_index, double* high,
        double* low, int threads
    ) except +raise_python_error
    void policy_order(
        Policy policy, const float* scores, int64_t n, const uint64_t* key, int64_t k, int64_t* order, int threads
    ) except +raise_python_error
    void policy_order(
        Policy policy, const double* scores, int64_t n, const uint64_t* key, int64_t k, int64_t* order, int threads
    ) except +raise_python_error
