# cython: language_level=3, boundscheck=False, wraparound=False
"""Orders, reservoirs, budgets and keyed draws. Arguments are C-contiguous and checked; a key is two words."""

from libc.stdint cimport int64_t, uint64_t
from libcpp.vector cimport vector

from augcore cimport budgets, reservoir, sampling
from augcore.reservoir cimport Item
from augcore.sampling cimport Policy

ctypedef fused real:
    float
    double

# The names of augcore.policies, and one for logarithms of weights.
POLICIES = {
    "baseline": <int>Policy.uniform,
    "random_proportional": <int>Policy.proportional,
    "random_inverse_proportional": <int>Policy.inverse_proportional,
    "random_softmax_proportional": <int>Policy.softmax,
    "random_inverse_softmax_proportional": <int>Policy.inverse_softmax,
    "deterministic_proportional": <int>Policy.largest_first,
    "deterministic_inverse_proportional": <int>Policy.smallest_first,
    "log_weights": <int>Policy.log_weights,
}


cdef int agree(str name, int64_t found, int64_t wanted) except -1:
    """The last guard before a kernel reads: the checks of arguments are made long before."""
    if found != wanted:
        raise ValueError(f"{name}: expected {wanted} values, got {found}")
    return 0


cdef inline const real* pointer(const real[::1] values) noexcept nogil:
    return &values[0] if values.shape[0] > 0 else NULL


cdef inline double* writable(double[::1] values) noexcept nogil:
    return &values[0] if values.shape[0] > 0 else NULL


cdef inline const int64_t* whole(const int64_t[::1] values) noexcept nogil:
    return &values[0] if values.shape[0] > 0 else NULL


cdef inline int64_t* writable_whole(int64_t[::1] values) noexcept nogil:
    return &values[0] if values.shape[0] > 0 else NULL


def uniforms(const uint64_t[::1] key, int64_t first_index, double[::1] out, int threads):
    with nogil:
        sampling.uniforms(&key[0], first_index, out.shape[0], writable(out), threads)


def keyed_words(
    const uint64_t[::1] key, const int64_t[::1] indices, const uint64_t[::1] counter, uint64_t[::1] out, int threads
):
    if indices.shape[0] > 0:
        with nogil:
            sampling.keyed_words(&key[0], &indices[0], indices.shape[0], &counter[0], &out[0], threads)


def log_magnitudes(const double[::1] values, double[::1] out, int threads):
    with nogil:
        sampling.log_magnitudes(pointer(values), values.shape[0], writable(out), threads)


def policy_keys(
    int policy, const real[::1] scores, const uint64_t[::1] key, int64_t first_index, double[::1] high,
    double[::1] low, int threads
):
    agree("high", high.shape[0], scores.shape[0])
    agree("low", low.shape[0], scores.shape[0])
    with nogil:
        sampling.policy_keys(
            <Policy>policy, pointer(scores), scores.shape[0], &key[0], first_index, writable(high), writable(low),
            threads
        )


def policy_order(int policy, const real[::1] scores, const uint64_t[::1] key, int64_t[::1] order, int threads):
    with nogil:
        sampling.policy_order(
            <Policy>policy, pointer(scores), scores.shape[0], &key[0], order.shape[0], writable_whole(order), threads
        )


cdef class Reservoir:
    cdef reservoir.Reservoir* kept

    def __cinit__(self, int policy, const uint64_t[::1] key, int64_t k):
        self.kept = new reservoir.Reservoir(<Policy>policy, &key[0], k)

    def __dealloc__(self):
        del self.kept

    def add(self, const real[::1] scores, int64_t first_index, int threads):
        with nogil:
            self.kept.add(pointer(scores), scores.shape[0], first_index, threads)

    def absorb(self, const double[::1] high, const double[::1] low, const int64_t[::1] indices):
        agree("low", low.shape[0], high.shape[0])
        agree("index", indices.shape[0], high.shape[0])
        with nogil:
            self.kept.absorb(pointer(high), pointer(low), whole(indices), high.shape[0])

    def chosen(self, make, int threads):
        """make(n) -> arrays for high, low, indices of the n chosen; they are filled and returned."""
        cdef vector[Item] items
        cdef double[::1] high, low
        cdef int64_t[::1] indices
        cdef size_t i
        with nogil:
            items = self.kept.chosen(threads)
        arrays = make(items.size())
        high, low, indices = arrays
        with nogil:
            for i in range(items.size()):
                high[i] = items[i].high
                low[i] = items[i].low
                indices[i] = items[i].index
        return arrays


def round_robin(const int64_t[::1] order, const int64_t[::1] codes, const int64_t[::1] limits, int64_t[::1] out):
    cdef int64_t taken
    with nogil:
        taken = budgets.round_robin(
            whole(order), order.shape[0], whole(codes), codes.shape[0], whole(limits), limits.shape[0], out.shape[0],
            writable_whole(out)
        )
    return taken


def within_budget(const double[::1] costs, double budget, int64_t[::1] out):
    cdef int64_t taken
    agree("out", out.shape[0], costs.shape[0])
    with nogil:
        taken = budgets.within_budget(pointer(costs), costs.shape[0], budget, writable_whole(out))
    return taken
