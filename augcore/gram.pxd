"""csrc/include/augcore/gram.hpp"""

from libc.stdint cimport int64_t
from libcpp.vector cimport vector

from augcore.design cimport Design
from augcore.errors cimport raise_python_error
from augcore.tree_sum cimport TiledSums


cdef extern from "augcore/gram.hpp" namespace "augcore" nogil:
    cdef cppclass GramSums(TiledSums):
        @staticmethod
        int64_t tile_rows(int64_t q)
        GramSums(int64_t p, bint intercept, bint single, int64_t first_row,
                 int64_t rows_of_tile) except +raise_python_error
        void add[T](const T* x, const double* w, int64_t n, int threads) except +raise_python_error
        vector[double] open(int threads) except +raise_python_error
        void total(double* out, int threads) except +raise_python_error

    void weighted_gram(const Design& rows, const double* w, bint single, double* out,
                       int threads) except +raise_python_error
    void product(const Design& rows, const double* right, int64_t b, double* out,
                 int threads) except +raise_python_error
    void transposed_product(const Design& rows, const double* right, int64_t b, double* out,
                            int threads) except +raise_python_error
    void quadratic_forms(const Design& rows, const double* matrices, int64_t m, bint single, double* out,
                         int threads) except +raise_python_error
