"""csrc/include/augcore/logistic.hpp"""

from libc.stdint cimport int64_t
from libcpp.vector cimport vector

from augcore.design cimport Design
from augcore.errors cimport raise_python_error
from augcore.tree_sum cimport TiledSums


cdef extern from "augcore/logistic.hpp" namespace "augcore" nogil:
    cdef cppclass RowSums(TiledSums):
        RowSums(int64_t p, bint intercept, int64_t b, int64_t first_row,
                int64_t rows_of_tile) except +raise_python_error
        void add[T](const T* x, const double* factors, int64_t n, int threads) except +raise_python_error
        vector[double] open()
        void total(double* out) except +raise_python_error

    void linear_predictor(const Design& rows, const double* coef, int64_t b, double* eta,
                          int threads) except +raise_python_error
    void sum_of_rows(const Design& rows, const double* factors, int64_t b, double* sum,
                     int threads) except +raise_python_error
    void gradient(const Design& rows, const double* coef, const double* y, const double* weight, double* eta,
                  double* sum, int threads) except +raise_python_error
    void log_loss(const double* eta, const double* y, int64_t n, double* out, int threads) except +raise_python_error
    void residual(const double* eta, const double* y, int64_t n, double* out, int threads) except +raise_python_error
    void curvature(const double* eta, int64_t n, double* out, int threads) except +raise_python_error
    void loo_influence(const double* eta, const double* y, const double* weight, const double* q, int64_t n,
                       double* out, int threads) except +raise_python_error
    void loo_loss_change(const double* eta, const double* y, const double* weight, const double* q, int64_t n,
                         double* out, int threads) except +raise_python_error
