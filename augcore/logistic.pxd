"""csrc/include/augcore/dtype.hpp, logistic.hpp and cholesky.hpp"""

from libc.stdint cimport int64_t

from augcore.errors cimport raise_python_error


cdef extern from "augcore/dtype.hpp" namespace "augcore" nogil:
    cdef enum class Dtype:
        uint8
        uint16
        float32
        float64


cdef extern from "augcore/logistic.hpp" namespace "augcore" nogil:
    cdef cppclass Design:
        const void* data
        Dtype dtype
        int64_t n
        int64_t p
        bint intercept

    cdef cppclass LogisticSums:
        LogisticSums(int64_t p, bint intercept, int order, const double* coef) except +raise_python_error
        void add[T](const T* x, const double* y, const double* weight, int64_t n,
                    int threads) except +raise_python_error
        void total(double* loss, double* gradient, double* hessian) except +raise_python_error

    void linear_predictor(const Design& rows, const double* coef, double* eta, int threads) except +raise_python_error
    void log_loss(const double* eta, const double* y, int64_t n, double* out, int threads) except +raise_python_error
    void residual(const double* eta, const double* y, int64_t n, double* out, int threads) except +raise_python_error
    void curvature(const double* eta, int64_t n, double* out, int threads) except +raise_python_error
    void loo_influence(const double* eta, const double* y, const double* weight, const double* q, int64_t n,
                       double* out, int threads) except +raise_python_error
    void loo_loss_change(const double* eta, const double* y, const double* weight, const double* q, int64_t n,
                         double* out, int threads) except +raise_python_error


cdef extern from "augcore/cholesky.hpp" namespace "augcore" nogil:
    int64_t cholesky(double* a, int64_t q) except +raise_python_error
    void cholesky_solve(const double* l, int64_t q, double* b) except +raise_python_error
    void inverse_quadratic_form(const Design& rows, const double* l, double* out,
                                int threads) except +raise_python_error
