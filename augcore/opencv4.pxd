"""csrc/include/augcore/opencv4.hpp"""

from libc.stdint cimport int64_t

from augcore.errors cimport raise_python_error
from augcore.image cimport Images, OutputImages
from augcore.resize cimport Rectangle
from augcore.warp cimport Interpolation


cdef extern from "augcore/opencv4.hpp" namespace "augcore::opencv4" nogil:
    void warp(const Images& images, const double* matrices, int64_t n_matrices, const OutputImages& out,
              int threads) except +raise_python_error
    void resize(const Images& images, const Rectangle* rectangles, int64_t n_rectangles, Interpolation interpolation,
                const OutputImages& out, int threads) except +raise_python_error
