"""cuda/include/augcore/cuda/sampling.hpp"""

from libc.stdint cimport int64_t, uint32_t, uint64_t, uintptr_t

from augcore.dtype cimport Dtype
from augcore.errors cimport raise_python_error
from augcore.sampling cimport Policy


cdef extern from "augcore/cuda/sampling.hpp" namespace "augcore::cuda" nogil:
    ctypedef uintptr_t Stream

    cdef cppclass Scores:
        const void* data
        Dtype dtype
        int64_t n

    cdef cppclass Draw:
        Policy policy
        uint64_t key[2]
        int64_t first_index

    const int kStateWords
    const int kLargestWord
    const int kFailedWord
    const int64_t kSelectTile
    const int64_t kSortTile
    const int kDigits
    const int kThresholdCounts

    void policy_keys(const Draw& draw, const Scores& scores, const int64_t* places, int64_t m, double* high,
                     double* low, Stream stream) except +raise_python_error
    void log_magnitudes(const double* values, int64_t n, double* out, Stream stream) except +raise_python_error
    void survey(const Draw& draw, const Scores& scores, uint64_t* state, Stream stream) except +raise_python_error
    void positions(const Draw& draw, const Scores& scores, const uint64_t* state, uint32_t* out,
                   Stream stream) except +raise_python_error
    void words(const Draw& draw, const Scores& scores, const uint64_t* state, uint64_t* out,
               Stream stream) except +raise_python_error
    void threshold(const uint32_t* positions, int64_t n, int64_t k, uint32_t* counts, uint64_t* state,
                   Stream stream) except +raise_python_error
    void count_chosen(const uint32_t* positions, int64_t n, const uint64_t* state, uint64_t* counts,
                      Stream stream) except +raise_python_error
    void compact(const uint32_t* positions, int64_t n, const uint64_t* summed_counts, int64_t capacity,
                 uint64_t* state, uint64_t* words, Stream stream) except +raise_python_error
    void count_digits(const uint64_t* words, int64_t n, int shift, uint32_t* counts,
                      Stream stream) except +raise_python_error
    void scatter(const uint64_t* words, int64_t n, int shift, const uint32_t* summed_counts, uint64_t* out,
                 Stream stream) except +raise_python_error
    void finish(const Draw& draw, const Scores& scores, const uint64_t* words, int64_t n, int64_t k, uint64_t* state,
                int64_t* order, Stream stream) except +raise_python_error
