# cython: language_level=3, boundscheck=False, wraparound=False
"""Logistic regression, products with a design and Cholesky factors. The arguments are C-contiguous and checked."""

from libc.stdint cimport int64_t
from libcpp.vector cimport vector

from augcore cimport cholesky as factor
from augcore cimport gram, logistic
from augcore.design cimport Design
from augcore.dtype cimport Dtype
from augcore.tree_sum cimport TiledSums

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


cdef int agree(str name, int64_t found, int64_t wanted) except -1:
    """The last guard before a kernel reads: the checks of arguments are made long before."""
    if found != wanted:
        raise ValueError(f"{name}: expected {wanted} values, got {found}")
    return 0


cdef inline const double* pointer(const double[::1] values) noexcept nogil:
    return &values[0] if values is not None and values.shape[0] > 0 else NULL


cdef inline double* writable(double[::1] values) noexcept nogil:
    return &values[0] if values.shape[0] > 0 else NULL


cdef int copy_sums(const vector[double]& sums, double[::1] out) except -1:
    agree("out", out.shape[0], <int64_t>sums.size())
    cdef int64_t i
    for i in range(out.shape[0]):
        out[i] = sums[i]
    return 0


cdef vector[double] as_sums(const double[::1] values):
    cdef vector[double] sums
    if values.shape[0] > 0:
        sums.assign(&values[0], &values[0] + values.shape[0])
    return sums


cdef class Sums:
    """What all sums over tiles of rows have: the nodes of their tree, to be sent and to be pushed elsewhere."""
    cdef TiledSums* tiled

    def size(self):
        return self.tiled.nodes().size(), self.tiled.width()

    def copy_nodes(self, int64_t[::1] levels, double[:, ::1] values):
        cdef size_t i
        agree("levels", levels.shape[0], <int64_t>self.tiled.nodes().size())
        agree("values", values.shape[0], levels.shape[0])
        for i in range(self.tiled.nodes().size()):
            levels[i] = self.tiled.nodes()[i].level
            copy_sums(self.tiled.nodes()[i].values, values[i])

    def push(self, const double[::1] node, int level):
        self.tiled.push(as_sums(node), level)

    def close(self, const double[::1] last):
        self.tiled.close(as_sums(last))


cdef class RowSums(Sums):
    cdef logistic.RowSums* sums
    cdef int64_t p
    cdef int64_t b

    def __cinit__(self, int64_t p, bint intercept, int64_t b, int64_t first_row, int64_t rows_of_tile):
        self.p = p
        self.b = b
        self.sums = new logistic.RowSums(p, intercept, b, first_row, rows_of_tile)
        self.tiled = self.sums

    def __dealloc__(self):
        del self.sums

    def add(self, const real[:, ::1] x, const double[:, ::1] factors, int threads):
        agree("x", x.shape[1], self.p)
        agree("factors", factors.shape[0], x.shape[0])
        agree("factors", factors.shape[1], self.b)
        cdef Design rows = design(x, True)
        if rows.n > 0 and self.b > 0:
            with nogil:
                self.sums.add(<const real*>rows.data, &factors[0, 0], rows.n, threads)

    def open(self, int threads):
        return self.sums.open()

    def total(self, double[:, ::1] out, int threads):
        if out.shape[0] > 0 and out.shape[1] > 0:
            self.sums.total(&out[0, 0])


def linear_predictor(const real[:, ::1] x, bint intercept, const double[:, ::1] coef, double[:, ::1] out, int threads):
    agree("coef", coef.shape[1], x.shape[1] + intercept)
    if out.shape[0] > 0 and out.shape[1] > 0:
        with nogil:
            logistic.linear_predictor(design(x, intercept), &coef[0, 0] if coef.shape[1] > 0 else NULL, out.shape[1],
                                      &out[0, 0], threads)


def sum_of_rows(const real[:, ::1] x, bint intercept, const double[:, ::1] factors, double[:, ::1] out, int threads):
    agree("factors", factors.shape[0], x.shape[0])
    if out.shape[0] > 0 and out.shape[1] > 0:
        with nogil:
            logistic.sum_of_rows(design(x, intercept), &factors[0, 0] if factors.shape[0] > 0 else NULL, out.shape[0],
                                 &out[0, 0], threads)


def gradient(const real[:, ::1] x, bint intercept, const double[::1] coef, const double[::1] y,
             const double[::1] weight, double[::1] eta, double[::1] out, int threads):
    agree("coef", coef.shape[0], x.shape[1] + intercept)
    agree("y", y.shape[0], x.shape[0])
    with nogil:
        logistic.gradient(design(x, intercept), pointer(coef), pointer(y), pointer(weight), writable(eta),
                          writable(out), threads)


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


def gram_tile_rows(int64_t q):
    return gram.GramSums.tile_rows(q)


cdef class GramSums(Sums):
    cdef gram.GramSums* sums
    cdef int64_t p

    def __cinit__(self, int64_t p, bint intercept, bint single, int64_t first_row, int64_t rows_of_tile):
        self.p = p
        self.sums = new gram.GramSums(p, intercept, single, first_row, rows_of_tile)
        self.tiled = self.sums

    def __dealloc__(self):
        del self.sums

    def add(self, const real[:, ::1] x, const double[::1] w, int threads):
        agree("x", x.shape[1], self.p)
        agree("w", w.shape[0], x.shape[0])
        cdef Design rows = design(x, True)
        with nogil:
            self.sums.add(<const real*>rows.data, pointer(w), rows.n, threads)

    def open(self, int threads):
        return self.sums.open(threads)

    def total(self, double[:, ::1] out, int threads):
        if out.shape[0] > 0:
            with nogil:
                self.sums.total(&out[0, 0], threads)


def cholesky(double[:, ::1] a, int threads):
    cdef int64_t q = a.shape[0], column
    if q == 0:
        return -1
    with nogil:
        column = factor.cholesky(&a[0, 0], q, threads)
    return column


def cholesky_solve(const double[:, ::1] l, double[::1] b):
    if b.shape[0] > 0:
        with nogil:
            factor.cholesky_solve(&l[0, 0], b.shape[0], &b[0])


def cholesky_solve_many(const double[:, ::1] l, double[:, ::1] b, int threads):
    if b.shape[0] > 0 and b.shape[1] > 0:
        with nogil:
            factor.cholesky_solve_many(&l[0, 0], b.shape[0], &b[0, 0], b.shape[1], threads)


def cholesky_inverse(const double[:, ::1] l, double[:, ::1] out, int threads):
    if out.shape[0] > 0:
        with nogil:
            factor.cholesky_inverse(&l[0, 0], out.shape[0], &out[0, 0], threads)


def reciprocal_condition(const double[:, ::1] l):
    cdef int64_t q = l.shape[0]
    cdef double estimate
    if q == 0:
        return 1.0
    with nogil:
        estimate = factor.reciprocal_condition(&l[0, 0], q)
    return estimate


def inverse_quadratic_form(const real[:, ::1] x, bint intercept, const double[:, ::1] l, bint single, double[::1] out,
                           int threads):
    agree("l", l.shape[0], x.shape[1] + intercept)
    with nogil:
        factor.inverse_quadratic_form(design(x, intercept), &l[0, 0], single, writable(out), threads)


# Results that have no elements are not computed: an array of none has no address.

def weighted_gram(const real[:, ::1] x, bint intercept, const double[::1] w, bint single, double[:, ::1] out,
                  int threads):
    agree("w", w.shape[0], x.shape[0])
    if out.shape[0] > 0:
        with nogil:
            gram.weighted_gram(design(x, intercept), pointer(w), single, &out[0, 0], threads)


def product(const real[:, ::1] x, bint intercept, const double[:, ::1] right, double[:, ::1] out, int threads):
    agree("right", right.shape[0], x.shape[1] + intercept)
    if out.shape[0] > 0 and out.shape[1] > 0:
        with nogil:
            gram.product(design(x, intercept), &right[0, 0] if right.shape[0] > 0 else NULL, out.shape[1], &out[0, 0],
                         threads)


def transposed_product(const real[:, ::1] x, bint intercept, const double[:, ::1] right, double[:, ::1] out,
                       int threads):
    agree("right", right.shape[0], x.shape[0])
    if out.shape[0] > 0 and out.shape[1] > 0:
        with nogil:
            gram.transposed_product(design(x, intercept), &right[0, 0] if right.shape[0] > 0 else NULL, out.shape[1],
                                    &out[0, 0], threads)


def quadratic_forms(const real[:, ::1] x, bint intercept, const double[:, :, ::1] matrices, bint single,
                    double[:, ::1] out, int threads):
    agree("matrices", matrices.shape[1], x.shape[1] + intercept)
    if out.shape[0] > 0 and out.shape[1] > 0:
        with nogil:
            gram.quadratic_forms(design(x, intercept), &matrices[0, 0, 0] if matrices.shape[1] > 0 else NULL,
                                 out.shape[1], single, &out[0, 0], threads)
