# cython: language_level=3, boundscheck=False, wraparound=False
"""Orders of points whose scores are in device memory, step by step. Arguments are checked and not empty.

Scores are CuPy arrays (n,) of float32 or float64, all others CuPy arrays too, C-contiguous. stream: its address.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t, uintptr_t

from augcore cimport cuda_sampling
from augcore.cuda_sampling cimport Scores, Stream
from augcore.dtype cimport Dtype
from augcore.sampling cimport Policy

DTYPES = {"float32": <int>Dtype.float32, "float64": <int>Dtype.float64}
POLICIES = {
    "baseline": <int>Policy.uniform,
    "random_proportional": <int>Policy.proportional,
    "random_inverse_proportional": <int>Policy.inverse_proportional,
    "random_softmax_proportional": <int>Policy.softmax,
    "random_inverse_softmax_proportional": <int>Policy.inverse_softmax,
    "deterministic_proportional": <int>Policy.largest_first,
    "deterministic_inverse_proportional": <int>Policy.smallest_first,
}
STATE_WORDS = cuda_sampling.kStateWords
LARGEST_WORD = cuda_sampling.kLargestWord
FAILED_WORD = cuda_sampling.kFailedWord
SELECT_TILE = cuda_sampling.kSelectTile
SORT_TILE = cuda_sampling.kSortTile
DIGITS = cuda_sampling.kDigits
THRESHOLD_COUNTS = cuda_sampling.kThresholdCounts


cdef Scores view(object scores) except *:
    cdef Scores v
    v.data = <const void*><uintptr_t>scores.data.ptr
    v.dtype = <Dtype><int>DTYPES[scores.dtype.name]
    v.n = len(scores)
    return v


cdef uint64_t* words_of(object array) except? NULL:
    return <uint64_t*><uintptr_t>array.data.ptr


cdef uint32_t* halves_of(object array) except? NULL:
    return <uint32_t*><uintptr_t>array.data.ptr


cdef int64_t* whole(object array) except? NULL:
    return <int64_t*><uintptr_t>array.data.ptr


cdef double* doubles(object array) except? NULL:
    return <double*><uintptr_t>array.data.ptr


def log_magnitudes(object values, object out, Stream stream):
    cuda_sampling.log_magnitudes(doubles(values), len(values), doubles(out), stream)


cdef class Draw:
    """Scores with how their points get their keys; key: two words."""

    cdef cuda_sampling.Draw draw
    cdef object scores  # kept as long as kernels may be queued

    def __cinit__(self, str policy, const uint64_t[::1] key, int64_t first_index, object scores):
        self.draw.policy = <Policy><int>POLICIES[policy]
        self.draw.key[0], self.draw.key[1] = key[0], key[1]
        self.draw.first_index = first_index
        self.scores = scores

    def keys(self, object places, object high, object low, Stream stream):
        """Of the points at some places, or of all where places is None."""
        cdef const int64_t* at = NULL
        if places is not None:
            at = whole(places)
        cuda_sampling.policy_keys(self.draw, view(self.scores), at, len(high), doubles(high), doubles(low), stream)

    def survey(self, object state, Stream stream):
        cuda_sampling.survey(self.draw, view(self.scores), words_of(state), stream)

    def positions(self, object state, object out, Stream stream):
        cuda_sampling.positions(self.draw, view(self.scores), words_of(state), halves_of(out), stream)

    def words(self, object state, object out, Stream stream):
        cuda_sampling.words(self.draw, view(self.scores), words_of(state), words_of(out), stream)

    def finish(self, object words, object state, object order, Stream stream):
        cuda_sampling.finish(self.draw, view(self.scores), words_of(words), len(words), len(order), words_of(state),
                             whole(order), stream)


def threshold(object positions, int64_t k, object counts, object state, Stream stream):
    cuda_sampling.threshold(halves_of(positions), len(positions), k, halves_of(counts), words_of(state), stream)


def count_chosen(object positions, object state, object counts, Stream stream):
    cuda_sampling.count_chosen(halves_of(positions), len(positions), words_of(state), words_of(counts), stream)


def compact(object positions, object summed_counts, object state, object words, Stream stream):
    cuda_sampling.compact(halves_of(positions), len(positions), words_of(summed_counts), len(words),
                          words_of(state), words_of(words), stream)


def count_digits(object words, int shift, object counts, Stream stream):
    cuda_sampling.count_digits(words_of(words), len(words), shift, halves_of(counts), stream)


def scatter(object words, int shift, object summed_counts, object out, Stream stream):
    cuda_sampling.scatter(words_of(words), len(words), shift, halves_of(summed_counts), words_of(out), stream)
