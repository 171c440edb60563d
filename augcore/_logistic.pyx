# cython: language_level=3, boundscheck=False, wraparound=False
"""Logistic regression and Cholesky factors. The arguments are C-contiguous and checked."""

from libc.stdint cimport int64_t

from augcore cimport cholesky as factor
from augcore cimport logistic
from augcore.dtype cimport Dtype
from augcore.logistic cimport Design

ctypedef fused real:
    float
    double


cdef Design design(const real[:, ::1] x, bint intercept) noexcept nogil:
    cdef Design rows
    rows.data = &x[0, 0] if x.shape[0] > 0 and x.shape[1] > 0 else NULL
    rows.dtype = Dtype.float32 if real is float else Dtype.float64
    rows.n = x.shape[0]
    rows.p = x.shape[1]
    rows.intercept = intercept
    return rows


cdef inline const double* pointer(const double[::1] values) noexcept nogil:
    return &values[0] if values is not None and values.shape[0] > 0 else NULL


cdef inline double* writable(double[::1] values) noexcept nogil:
    return &values[0] if values.shape[0] > 0 else NULL


cdef class LogisticSums:
    cdef logistic.LogisticSums* sums

    def __cinit__(self, int p, bint intercept, int order, const double[::1] coef):
        self.sums = new logistic.LogisticSums(p, intercept, order, pointer(coef))

    def __dealloc__(self):
        del self.sums

    def add(self, const real[:, ::1] x, const double[::1] y, const double[::1] weight, int threads):
        cdef Design rows = design(x, True)
        with nogil:
            self.sums.add(<const real*>rows.data, pointer(y), pointer(weight), rows.n, threads)

    def total(self, double[::1] gradient, double[:, ::1] hessian, int threads):
        cdef double loss
        cdef double* g = writable(gradient)
        cdef double* h = &hessian[0, 0] if hessian.shape[0] > 0 else NULL
        with nogil:
            self.sums.total(&loss, g, h, threads)
        return loss


def linear_predictor(const real[:, ::1] x, bint intercept, const double[::1] coef, double[::1] out, int threads):
    with nogil:
        logistic.linear_predictor(design(x, intercept), pointer(coef), writable(out), threads)


def log_loss(const double[::1] eta, const double[::1] y, double[::1] out, int threads):
    with nogil:
        logistic.log_loss(pointer(eta), pointer(y), eta.shape[0], writable(out), threads)


def residual(const double[::1] eta, const double[::1] y, double[::1] out, int threads):
    with nogil:
        logistic.residual(pointer(eta), pointer(y), eta.shape[0], writable(out), threads)


def curvature(const double[::1] eta, double[::1] out, int threads):
    with nogil:
        logistic.curvature(pointer(eta), eta.shape[0], writable(out), threads)


def loo_influence(const double[::1] eta, const double[::1] y, const double[::1] weight, const double[::1] q,
                  double[::1] out, int threads):
    with nogil:
        logistic.loo_influence(pointer(eta), pointer(y), pointer(weight), pointer(q), eta.shape[0], writable(out),
                               threads)


def loo_loss_change(const double[::1] eta, const double[::1] y, const double[::1] weight, const double[::1] q,
                    double[::1] out, int threads):
    with nogil:
        logistic.loo_loss_change(pointer(eta), pointer(y), pointer(weight), pointer(q), eta.shape[0], writable(out),
                                 threads)


def cholesky(double[:, ::1] a):
    cdef int64_t q = a.shape[0], column
    if q == 0:
        return -1
    with nogil:
        column = factor.cholesky(&a[0, 0], q)
    return column


def cholesky_solve(const double[:, ::1] l, double[::1] b):
    if b.shape[0] > 0:
        with nogil:
            factor.cholesky_solve(&l[0, 0], b.shape[0], &b[0])


def inverse_quadratic_form(const real[:, ::1] x, bint intercept, const double[:, ::1] l, double[::1] out, int threads):
    with nogil:
        factor.inverse_quadratic_form(design(x, intercept), &l[0, 0], writable(out), threads)
