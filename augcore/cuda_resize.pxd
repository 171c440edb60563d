"""cuda/include/augcore/cuda/resize.hpp"""

from libc.stdint cimport int32_t, int64_t
from libcpp cimport bool as cpp_bool

from augcore.cuda_transforms cimport Stream
from augcore.dtype cimport Dtype
from augcore.errors cimport raise_python_error
from augcore.image cimport Images, OutputImages
from augcore.warp cimport Interpolation


cdef extern from "augcore/cuda/resize.hpp" namespace "augcore::cuda" nogil:
    cdef cppclass Sizes:
        const int64_t* values
        int64_t n
        int64_t first

    cdef cppclass Rectangles:
        const int64_t* values
        int64_t n
        int64_t top
        int64_t left

    cdef cppclass ResizeTable:
        int32_t* spans
        void* weights
        int64_t stride

    cdef cppclass ResizeMethod:
        int64_t n_out
        Interpolation interpolation
        cpp_bool antialias

    cdef enum class Summing:
        copies
        columns_in_float
        rows_in_float
        in_double

    int64_t most_taps(int64_t n_in, const ResizeMethod& method)
    Summing summing_of(Dtype dtype, int64_t h_in, int64_t w_in, const ResizeMethod& down, const ResizeMethod& across)
    void resize_table(const Sizes& sizes, const ResizeMethod& method, Summing summing, const ResizeTable& table,
                      Stream stream) except +raise_python_error
    void resize(const Images& images, const Rectangles& rectangles, const ResizeTable& down, const ResizeTable& across,
                Summing summing, const OutputImages& out, Stream stream) except +raise_python_error
