"""csrc/include/augcore/image.hpp"""

from libc.stdint cimport int64_t

from augcore.dtype cimport Dtype


cdef extern from "augcore/image.hpp" namespace "augcore" nogil:
    cdef cppclass Images:
        const void* data
        Dtype dtype
        int64_t n
        int64_t h
        int64_t w
        int64_t c

    cdef cppclass OutputImages:
        void* data
        Dtype dtype
        int64_t n
        int64_t h
        int64_t w
        int64_t c
