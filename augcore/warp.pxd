"""csrc/include/augcore/warp.hpp, with the enumerations of point/border.hpp and point/interpolate.hpp"""

from libc.stdint cimport int64_t
from libcpp cimport bool as cpp_bool

from augcore.errors cimport raise_python_error
from augcore.image cimport Images, OutputImages


cdef extern from "augcore/warp.hpp" namespace "augcore" nogil:
    cdef enum class Border:
        edge
        constant
        reflect
        symmetric
        wrap

    cdef enum class Interpolation:
        nearest
        bilinear
        bicubic
        area

    cdef cppclass Sampling:
        Interpolation interpolation
        Border border
        const double* fill
        int64_t n_fills

    void warp(const Images& images, const double* matrices, int64_t n_matrices, const Sampling& sampling,
              const OutputImages& out, int threads) except +raise_python_error
    void flip(const Images& images, cpp_bool horizontal, cpp_bool vertical, const OutputImages& out,
              int threads) except +raise_python_error
