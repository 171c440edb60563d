"""cuda/include/augcore/cuda/opencv4.hpp"""

from libc.stdint cimport int32_t, int64_t
from libcpp cimport bool as cpp_bool

from augcore.cuda_resize cimport Rectangles, Sizes
from augcore.cuda_transforms cimport PerImage, Stream
from augcore.errors cimport raise_python_error
from augcore.image cimport Images, OutputImages


cdef extern from "augcore/cuda/opencv4.hpp" namespace "augcore::cuda::opencv4" nogil:
    void warp(const Images& images, const PerImage& matrices, const OutputImages& out,
              Stream stream) except +raise_python_error
    void resize_table(const Sizes& sizes, int64_t n_out, cpp_bool area, cpp_bool columns, int32_t* taps,
                      Stream stream) except +raise_python_error
    void resize(const Images& images, const Rectangles& rectangles, const int32_t* down, const int32_t* across,
                const OutputImages& out, Stream stream) except +raise_python_error
