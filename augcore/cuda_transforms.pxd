"""cuda/include/augcore/cuda/transforms.hpp"""

from libc.stdint cimport int64_t, uintptr_t
from libcpp cimport bool as cpp_bool

from augcore.copy cimport Border
from augcore.errors cimport raise_python_error
from augcore.image cimport Images, OutputImages
from augcore.warp cimport Interpolation


cdef extern from "augcore/cuda/transforms.hpp" namespace "augcore::cuda" nogil:
    ctypedef uintptr_t Stream

    cdef cppclass PerImage:
        const double* values
        int64_t stride
        double first[16]

    cdef cppclass Sampling:
        Interpolation interpolation
        Border border
        PerImage fill

    void warp(const Images& images, const PerImage& matrices, const Sampling& sampling, const OutputImages& out,
              Stream stream) except +raise_python_error
    void shift(const Images& images, const PerImage& shifts, Border border, const PerImage& fill,
               const OutputImages& out, Stream stream) except +raise_python_error
    void warp_by_positions(const Images& images, const double* positions, const Sampling& sampling,
                           const OutputImages& out, Stream stream) except +raise_python_error
    void cos_sin(const double* degrees, int64_t n, double* cosine, double* sine,
                 Stream stream) except +raise_python_error
    void flip(const Images& images, cpp_bool horizontal, cpp_bool vertical, const OutputImages& out,
              Stream stream) except +raise_python_error
