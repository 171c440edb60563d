"""csrc/include/augcore/resize.hpp"""

from libc.stdint cimport int64_t
from libcpp cimport bool as cpp_bool

from augcore.errors cimport raise_python_error
from augcore.image cimport Images, OutputImages
from augcore.warp cimport Interpolation


cdef extern from "augcore/resize.hpp" namespace "augcore" nogil:
    cdef cppclass Rectangle:
        int64_t top
        int64_t left
        int64_t h
        int64_t w

    void resize(const Images& images, const Rectangle* rectangles, int64_t n_rectangles, Interpolation interpolation,
                cpp_bool antialias, const OutputImages& out, int threads) except +raise_python_error
