"""cuda/include/augcore/cuda/gram.hpp"""

from libc.stdint cimport int64_t

from augcore.cuda_transforms cimport Stream
from augcore.design cimport Design
from augcore.dtype cimport Dtype
from augcore.errors cimport raise_python_error


cdef extern from "augcore/cuda/gram.hpp" namespace "augcore::cuda" nogil:
    cdef cppclass Matrix:
        void* data
        Dtype dtype
        int64_t rows
        int64_t columns
        int64_t stride

    void weighted_rows(const Design& rows, const double* weight, const Matrix& out,
                       Stream stream) except +raise_python_error
    void add_tiles(const Matrix& first, int64_t count, int64_t distance, double* total, int64_t total_stride,
                   Stream stream) except +raise_python_error
    void row_squares(const Matrix& y, const double* shift, double* out, int64_t out_stride,
                     Stream stream) except +raise_python_error
    void row_dots(const Matrix& y, const Design& rows, const double* shift, double* out, int64_t out_stride,
                  Stream stream) except +raise_python_error
