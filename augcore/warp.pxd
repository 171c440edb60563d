"""csrc/include/augcore/warp.hpp, with the enumeration of point/interpolate.hpp"""

from libc.stdint cimport int64_t

from augcore.copy cimport Border, Fill
from augcore.errors cimport raise_python_error
from augcore.image cimport Images, OutputImages


cdef extern from "augcore/warp.hpp" namespace "augcore" nogil:
    cdef enum class Interpolation:
        nearest
        bilinear
        bicubic
        area

    cdef cppclass Sampling:
        Interpolation interpolation
        Border border
        Fill fill

    void warp(const Images& images, const double* matrices, int64_t n_matrices, const Sampling& sampling,
              const OutputImages& out, int threads) except +raise_python_error
