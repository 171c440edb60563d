"""cuda/include/augcore/cuda/dpp.hpp"""

from libc.stdint cimport int64_t, uint64_t, uintptr_t

from augcore.errors cimport raise_python_error


cdef extern from "augcore/cuda/dpp.hpp" namespace "augcore::cuda" nogil:
    ctypedef uintptr_t Stream

    void propose(const double* sums, int64_t n, const uint64_t* key, int64_t draw, int64_t first, int64_t count,
                 int64_t* items, double* limits, Stream stream) except +raise_python_error
