"""csrc/include/augcore/own_warp.hpp"""

from libc.stdint cimport int64_t
from libcpp cimport bool as cpp_bool

from augcore.errors cimport raise_python_error
from augcore.image cimport Images, OutputImages
from augcore.warp cimport Sampling


cdef extern from "augcore/own_warp.hpp" namespace "augcore" nogil:
    ctypedef int (*WarpFunction)(double x, double y, const double* params, int64_t n_params, double* source) noexcept

    cdef cppclass WarpParams:
        const double* values
        int64_t n_rows
        int64_t n_columns

    cdef cppclass WarpFailure:
        int64_t row
        int64_t x
        int64_t y

    cpp_bool warp_by_function(const Images& images, WarpFunction function, const WarpParams& params,
                              const Sampling& sampling, const OutputImages& out, WarpFailure* failure,
                              int threads) except +raise_python_error
    void warp_by_positions(const Images& images, const double* positions, const Sampling& sampling,
                           const OutputImages& out, int threads) except +raise_python_error
