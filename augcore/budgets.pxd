"""csrc/include/augcore/budgets.hpp"""

from libc.stdint cimport int64_t

from augcore.errors cimport raise_python_error


cdef extern from "augcore/budgets.hpp" namespace "augcore" nogil:
    int64_t round_robin(
        const int64_t* order, int64_t n, const int64_t* codes, int64_t n_codes, const int64_t* limits,
        int64_t n_groups, int64_t k, int64_t* out
    ) except +raise_python_error
    int64_t within_budget(const double* costs, int64_t n, double budget, int64_t* out) except +raise_python_error
