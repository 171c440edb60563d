"""csrc/include/augcore/bounds.hpp"""

from libc.stdint cimport int64_t
from libcpp cimport bool as cpp_bool

from augcore.errors cimport raise_python_error


cdef extern from "augcore/bounds.hpp" namespace "augcore" nogil:
    cpp_bool within(const float* x, int64_t n, double bound) except +raise_python_error
    cpp_bool within(const double* x, int64_t n, double bound) except +raise_python_error
