"""csrc/include/augcore/dpp.hpp"""

from libc.stdint cimport int64_t, uint64_t

from augcore.errors cimport raise_python_error


cdef extern from "augcore/dpp.hpp" namespace "augcore" nogil:
    cdef cppclass SpectralKernel:
        int64_t n
        int64_t r
        const double* vectors
        const double* eigenvalues
        double rest
        const double* leverage
        const double* reflector

    void elementary_ratios(const SpectralKernel& kernel, int64_t k, double* ratios) except +raise_python_error
    void chosen_columns(
        const SpectralKernel& kernel, const double* ratios, int64_t columns, int64_t k, const uint64_t* key,
        int64_t draw, int64_t* out
    ) except +raise_python_error
    void k_dpp(
        const SpectralKernel& kernel, const double* ratios, int64_t columns, int64_t k, const uint64_t* key,
        int64_t first_draw, int64_t draws, int64_t* out, int threads
    ) except +raise_python_error

    cdef cppclass PointKernel:
        int64_t n
        const double* matrix
        const double* rows
        int64_t p
        double jitter

    int64_t greedy_map(
        const PointKernel& kernel, int64_t k, double tolerance, int64_t* order
    ) except +raise_python_error
