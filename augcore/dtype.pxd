"""csrc/include/augcore/dtype.hpp"""


cdef extern from "augcore/dtype.hpp" namespace "augcore" nogil:
    cdef enum class Dtype:
        uint8
        uint16
        float32
        float64
