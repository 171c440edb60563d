"""cuda/include/augcore/cuda/bounds.hpp"""

from libc.stdint cimport int64_t

from augcore.cuda_transforms cimport Stream
from augcore.dtype cimport Dtype
from augcore.errors cimport raise_python_error


cdef extern from "augcore/cuda/bounds.hpp" namespace "augcore::cuda" nogil:
    void find_outside(const void* values, Dtype dtype, int64_t n, double bound, int* outside,
                      Stream stream) except +raise_python_error
