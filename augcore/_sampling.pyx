# cython: language_level=3, boundscheck=False, wraparound=False
"""Weighted sampling and keyed draws. Arguments are C-contiguous and checked; a key is two words."""

from libc.stdint cimport int64_t, uint64_t

from augcore cimport sampling


cdef inline const double* pointer(const double[::1] values) noexcept nogil:
    return &values[0] if values.shape[0] > 0 else NULL


cdef inline double* writable(double[::1] values) noexcept nogil:
    return &values[0] if values.shape[0] > 0 else NULL


def uniforms(const uint64_t[::1] key, int64_t first_index, double[::1] out, int threads):
    with nogil:
        sampling.uniforms(&key[0], first_index, out.shape[0], writable(out), threads)


def keyed_words(
    const uint64_t[::1] key, const int64_t[::1] indices, const uint64_t[::1] counter, uint64_t[::1] out, int threads
):
    if indices.shape[0] > 0:
        with nogil:
            sampling.keyed_words(&key[0], &indices[0], indices.shape[0], &counter[0], &out[0], threads)


def log_magnitudes(const double[::1] values, double[::1] out, int threads):
    with nogil:
        sampling.log_magnitudes(pointer(values), values.shape[0], writable(out), threads)


def exponential_keys(
    const double[::1] log_weights, const uint64_t[::1] key, int64_t first_index, double[::1] high, double[::1] low,
    int threads
):
    with nogil:
        sampling.exponential_keys(
            pointer(log_weights), log_weights.shape[0], &key[0], first_index, writable(high), writable(low), threads
        )


def weighted_order(const double[::1] log_weights, const uint64_t[::1] key, int64_t[::1] order, int threads):
    cdef int64_t* out = &order[0] if order.shape[0] > 0 else NULL
    with nogil:
        sampling.weighted_order(
            pointer(log_weights), log_weights.shape[0], &key[0], order.shape[0], out, threads
        )
