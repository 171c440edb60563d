"""csrc/include/augcore/copy.hpp, with the enumeration of point/border.hpp"""

from libc.stdint cimport int64_t
from libcpp cimport bool as cpp_bool

from augcore.errors cimport raise_python_error
from augcore.image cimport Images, OutputImages


cdef extern from "augcore/copy.hpp" namespace "augcore" nogil:
    cdef enum class Border:
        edge
        constant
        reflect
        symmetric
        wrap

    cdef cppclass Fill:
        const double* values
        int64_t n

    void flip(const Images& images, cpp_bool horizontal, cpp_bool vertical, const OutputImages& out,
              int threads) except +raise_python_error
