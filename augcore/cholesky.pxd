"""csrc/include/augcore/cholesky.hpp"""

from libc.stdint cimport int64_t

from augcore.design cimport Design
from augcore.errors cimport raise_python_error


cdef extern from "augcore/cholesky.hpp" namespace "augcore" nogil:
    int64_t cholesky(double* a, int64_t q, int threads) except +raise_python_error
    void cholesky_solve(const double* l, int64_t q, double* b) except +raise_python_error
    void cholesky_solve_many(const double* l, int64_t q, double* b, int64_t k, int threads) except +raise_python_error
    void cholesky_inverse(const double* l, int64_t q, double* out, int threads) except +raise_python_error
    double reciprocal_condition(const double* l, int64_t q) except +raise_python_error
    void inverse_quadratic_form(const Design& rows, const double* l, bint single, double* out,
                                int threads) except +raise_python_error
