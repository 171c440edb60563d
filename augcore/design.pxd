"""csrc/include/augcore/design.hpp"""

from libc.stdint cimport int64_t

from augcore.dtype cimport Dtype


cdef extern from "augcore/design.hpp" namespace "augcore" nogil:
    cdef cppclass Design:
        const void* data
        Dtype dtype
        int64_t n
        int64_t p
        bint intercept
