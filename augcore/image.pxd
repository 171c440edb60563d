"""csrc/include/augcore/dtype.hpp and image.hpp"""

from libc.stdint cimport int64_t


cdef extern from "augcore/dtype.hpp" namespace "augcore" nogil:
    cdef enum class Dtype:
        uint8
        uint16
        float32
        float64


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
