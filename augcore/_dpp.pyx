# cython: language_level=3, boundscheck=False, wraparound=False
"""Determinantal point processes of a fixed size. The arguments are C-contiguous and checked; a key is two words."""

from libc.stdint cimport int64_t, uint64_t

from augcore cimport dpp


cdef inline const double* vector(const double[::1] values) noexcept nogil:
    return &values[0] if values is not None and values.shape[0] > 0 else NULL


cdef inline const double* matrix(const double[:, ::1] values) noexcept nogil:
    return &values[0, 0] if values is not None and values.shape[0] > 0 and values.shape[1] > 0 else NULL


cdef class SpectralKernel:
    """Keeps the arrays that the kernel points to."""

    cdef dpp.SpectralKernel kernel
    cdef const double[:, ::1] vectors
    cdef const double[::1] eigenvalues
    cdef const double[::1] leverage
    cdef const double[:, ::1] reflector

    def __cinit__(
        self, const double[:, ::1] vectors, const double[::1] eigenvalues, double rest, const double[::1] leverage,
        const double[:, ::1] reflector
    ):
        n, r = vectors.shape[0], vectors.shape[1]
        if eigenvalues.shape[0] != r or leverage.shape[0] != n:
            raise ValueError("vectors: have another shape than there are eigenvalues and leverages")
        if rest > 0.0 and (reflector.shape[0] != n or reflector.shape[1] != r):
            raise ValueError("reflector: has another shape than the vectors")
        self.vectors, self.eigenvalues, self.leverage, self.reflector = vectors, eigenvalues, leverage, reflector
        self.kernel.n, self.kernel.r, self.kernel.rest = n, r, rest
        self.kernel.vectors, self.kernel.reflector = matrix(vectors), matrix(reflector)
        self.kernel.eigenvalues, self.kernel.leverage = vector(eigenvalues), vector(leverage)

    def elementary_ratios(self, double[:, ::1] ratios):
        if ratios.shape[0] != self.kernel.r + 1:
            raise ValueError(f"ratios: expected {self.kernel.r + 1} rows, got {ratios.shape[0]}")
        if ratios.shape[1] > 0:
            with nogil:
                dpp.elementary_ratios(self.kernel, ratios.shape[1], &ratios[0, 0])

    def sample(
        self, const double[:, ::1] ratios, const uint64_t[::1] key, int64_t first_draw, int64_t[:, ::1] out,
        int threads
    ):
        cdef int64_t* items = &out[0, 0] if out.shape[0] > 0 and out.shape[1] > 0 else NULL
        if ratios.shape[0] != self.kernel.r + 1:
            raise ValueError(f"ratios: expected {self.kernel.r + 1} rows, got {ratios.shape[0]}")
        with nogil:
            dpp.k_dpp(
                self.kernel, matrix(ratios), ratios.shape[1], out.shape[1], &key[0], first_draw, out.shape[0], items,
                threads
            )


cdef dpp.SpectralKernel eigenvalues_only(int64_t n, const double[::1] eigenvalues, double rest) noexcept:
    cdef dpp.SpectralKernel kernel
    kernel.n, kernel.r, kernel.rest = n, eigenvalues.shape[0], rest
    kernel.eigenvalues = vector(eigenvalues)
    kernel.vectors = kernel.reflector = kernel.leverage = NULL
    return kernel


def elementary_ratios(int64_t n, const double[::1] eigenvalues, double rest, double[:, ::1] ratios):
    """Of a kernel of n points whose eigenvectors are elsewhere."""
    if ratios.shape[0] != eigenvalues.shape[0] + 1:
        raise ValueError(f"ratios: expected {eigenvalues.shape[0] + 1} rows, got {ratios.shape[0]}")
    if ratios.shape[1] > 0:
        kernel = eigenvalues_only(n, eigenvalues, rest)
        with nogil:
            dpp.elementary_ratios(kernel, ratios.shape[1], &ratios[0, 0])


def chosen_columns(
    int64_t n, const double[::1] eigenvalues, double rest, const double[:, ::1] ratios, const uint64_t[::1] key,
    int64_t draw, int64_t[::1] out
):
    cdef int64_t* columns = &out[0] if out.shape[0] > 0 else NULL
    if ratios.shape[0] != eigenvalues.shape[0] + 1:
        raise ValueError(f"ratios: expected {eigenvalues.shape[0] + 1} rows, got {ratios.shape[0]}")
    kernel = eigenvalues_only(n, eigenvalues, rest)
    with nogil:
        dpp.chosen_columns(kernel, matrix(ratios), ratios.shape[1], out.shape[0], &key[0], draw, columns)


def greedy_map(const double[:, ::1] points, bint is_kernel, double jitter, double tolerance, int64_t[::1] order):
    cdef dpp.PointKernel kernel
    cdef int64_t found
    kernel.n, kernel.p, kernel.jitter = points.shape[0], points.shape[1], jitter
    kernel.matrix = kernel.rows = NULL
    if is_kernel:
        kernel.matrix = matrix(points)
    else:
        kernel.rows = matrix(points)
    if order.shape[0] == 0:
        return 0
    with nogil:
        found = dpp.greedy_map(kernel, order.shape[0], tolerance, &order[0])
    return found
