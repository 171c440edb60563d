"""csrc/include/augcore/reservoir.hpp and item.hpp"""

from libc.stdint cimport int64_t, uint64_t
from libcpp.vector cimport vector

from augcore.errors cimport raise_python_error
from augcore.sampling cimport Policy


cdef extern from "augcore/item.hpp" namespace "augcore" nogil:
    cdef struct Item:
        double high
        double low
        int64_t index


cdef extern from "augcore/reservoir.hpp" namespace "augcore" nogil:
    cdef cppclass Reservoir:
        Reservoir(Policy policy, const uint64_t* key, int64_t k) except +raise_python_error
        void add(const float* scores, int64_t n, int64_t first_index, int threads) except +raise_python_error
        void add(const double* scores, int64_t n, int64_t first_index, int threads) except +raise_python_error
        void absorb(
            const double* high, const double* low, const int64_t* indices, int64_t n
        ) except +raise_python_error
        vector[Item] chosen(int threads) except +raise_python_error
