"""csrc/include/augcore/cpu.hpp"""

from augcore.errors cimport raise_python_error


cdef extern from "augcore/cpu.hpp" namespace "augcore" nogil:
    const char* simd_level() except +raise_python_error
