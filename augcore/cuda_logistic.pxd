"""cuda/include/augcore/cuda/logistic.hpp"""

from libc.stdint cimport int64_t

from augcore.cuda_transforms cimport Stream
from augcore.design cimport Design
from augcore.errors cimport raise_python_error


cdef extern from "augcore/cuda/logistic.hpp" namespace "augcore::cuda" nogil:
    int64_t parts_of_rows(int64_t n)
    void linear_predictor(const Design& rows, const double* coef, int64_t b, double* eta,
                          Stream stream) except +raise_python_error
    void sum_of_rows(const Design& rows, const double* factors, int64_t b, double* sums, double* sum,
                     Stream stream) except +raise_python_error
    void gradient(const Design& rows, const double* coef, const double* y, const double* weight, double* eta,
                  double* residual, double* sums, double* sum, Stream stream) except +raise_python_error
    void log_loss(const double* eta, const double* y, int64_t n, double* out,
                  Stream stream) except +raise_python_error
    void residual(const double* eta, const double* y, int64_t n, double* out,
                  Stream stream) except +raise_python_error
    void curvature(const double* eta, int64_t n, double* out, Stream stream) except +raise_python_error
    void loo_influence(const double* eta, const double* y, const double* weight, const double* q, int64_t n,
                       double* out, Stream stream) except +raise_python_error
    void loo_loss_change(const double* eta, const double* y, const double* weight, const double* q, int64_t n,
                         double* out, Stream stream) except +raise_python_error
