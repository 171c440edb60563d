# cython: language_level=3, boundscheck=False, wraparound=False
"""Logistic regression on designs in device memory, and the passes around products of matrices. _dispatch calls.

Arrays are CuPy arrays, checked: designs (n, p) of float32 or float64, C-contiguous; all else float64 unless it says
otherwise, or None where it may be absent. Scratch memory is the caller's. stream: its address.
"""

from libc.stdint cimport int64_t, uintptr_t

from augcore cimport cuda_bounds, cuda_gram, cuda_logistic
from augcore.cuda_gram cimport Matrix
from augcore.cuda_transforms cimport Stream
from augcore.design cimport Design
from augcore.dtype cimport Dtype


cdef uintptr_t address(object array) except? 0:
    return 0 if array is None else <uintptr_t>array.data.ptr


cdef Dtype dtype_of(object array) except *:
    return Dtype.float32 if array.dtype.itemsize == 4 else Dtype.float64


cdef Design design(object x, bint intercept) except *:
    cdef Design rows
    rows.data = <const void*>address(x)
    rows.dtype = dtype_of(x)
    rows.n, rows.p = x.shape
    rows.intercept = intercept
    return rows


cdef Matrix matrix(object values, int64_t columns) except *:
    cdef Matrix m
    m.data = <void*>address(values)
    m.dtype = dtype_of(values)
    m.rows = values.shape[0]
    m.columns = columns
    m.stride = values.shape[1]
    return m


def parts_of_rows(int64_t n):
    return cuda_logistic.parts_of_rows(n)


def linear_predictor(object x, bint intercept, object coef, object eta, Stream stream):
    cuda_logistic.linear_predictor(design(x, intercept), <const double*>address(coef), coef.shape[0],
                                   <double*>address(eta), stream)


def sum_of_rows(object x, bint intercept, object factors, object sums, object total, Stream stream):
    cuda_logistic.sum_of_rows(design(x, intercept), <const double*>address(factors), factors.shape[1],
                              <double*>address(sums), <double*>address(total), stream)


def gradient(object x, bint intercept, object coef, object y, object weight, object eta, object residual, object sums,
             object total, Stream stream):
    cuda_logistic.gradient(design(x, intercept), <const double*>address(coef), <const double*>address(y),
                           <const double*>address(weight), <double*>address(eta), <double*>address(residual),
                           <double*>address(sums), <double*>address(total), stream)


def log_loss(object eta, object y, object out, Stream stream):
    cuda_logistic.log_loss(<const double*>address(eta), <const double*>address(y), len(eta), <double*>address(out),
                           stream)


def residual(object eta, object y, object out, Stream stream):
    cuda_logistic.residual(<const double*>address(eta), <const double*>address(y), len(eta), <double*>address(out),
                           stream)


def curvature(object eta, object out, Stream stream):
    cuda_logistic.curvature(<const double*>address(eta), len(eta), <double*>address(out), stream)


def loo_influence(object eta, object y, object weight, object q, object out, Stream stream):
    cuda_logistic.loo_influence(<const double*>address(eta), <const double*>address(y), <const double*>address(weight),
                                <const double*>address(q), len(eta), <double*>address(out), stream)


def loo_loss_change(object eta, object y, object weight, object q, object out, Stream stream):
    cuda_logistic.loo_loss_change(<const double*>address(eta), <const double*>address(y),
                                  <const double*>address(weight), <const double*>address(q), len(eta),
                                  <double*>address(out), stream)


def weighted_rows(object x, bint intercept, object weight, object out, Stream stream):
    """out: (n, at least q) of float32 or float64."""
    cuda_gram.weighted_rows(design(x, intercept), <const double*>address(weight), matrix(out, out.shape[1]), stream)


def add_tiles(object tiles, object total, Stream stream):
    """tiles: (count, q, q) of float32 or float64; total: (q, q)."""
    cdef Matrix first
    first.data = <void*>address(tiles)
    first.dtype = dtype_of(tiles)
    first.rows = first.columns = first.stride = tiles.shape[1]
    cuda_gram.add_tiles(first, len(tiles), first.rows * first.stride, <double*>address(total), first.stride, stream)


def row_squares(object y, object shift, object out, int64_t out_stride, Stream stream):
    """y: (rows, q) of float32 or float64."""
    cuda_gram.row_squares(matrix(y, y.shape[1]), <const double*>address(shift), <double*>address(out), out_stride,
                          stream)


def row_dots(object y, object x, bint intercept, object shift, object out, int64_t out_stride, Stream stream):
    """y: (rows, q) of float32 or float64."""
    cuda_gram.row_dots(matrix(y, y.shape[1]), design(x, intercept), <const double*>address(shift),
                       <double*>address(out), out_stride, stream)


def find_outside(object values, double bound, object outside, Stream stream):
    """values: of float32 or float64; outside: an int32 that is 0."""
    cuda_bounds.find_outside(<const void*>address(values), dtype_of(values), values.size, bound,
                             <int*>address(outside), stream)
