"""csrc/include/augcore/angles.hpp"""

from libc.stdint cimport int64_t

from augcore.errors cimport raise_python_error


cdef extern from "augcore/angles.hpp" namespace "augcore" nogil:
    void cos_sin(const double* degrees, int64_t n, double* cosine, double* sine) except +raise_python_error
