# cython: language_level=3, boundscheck=False, wraparound=False
"""Warps, shifts and flips of batches in device memory. Arguments are checked and not empty; _dispatch calls.

Images are CuPy arrays (n, h, w, c), C-contiguous; interpolation and border are the codes of _geometry. Numbers per
image are CuPy arrays (n, k) of float64, or NumPy arrays (1, k), k at most 16, for all images. stream: its address.
"""

from libc.stdint cimport uintptr_t

from augcore cimport cuda_device, cuda_transforms
from augcore.copy cimport Border
from augcore.cuda_transforms cimport PerImage, Stream
from augcore.dtype cimport Dtype
from augcore.image cimport Images, OutputImages
from augcore.warp cimport Interpolation

import numpy as np

DTYPES = {"uint8": <int>Dtype.uint8, "uint16": <int>Dtype.uint16, "float32": <int>Dtype.float32,
          "float64": <int>Dtype.float64}
MOST_SHARED = 16


def device_count():
    return cuda_device.device_count()


def toolkit_version():
    return cuda_device.toolkit_version()


cdef Images view(object images) except *:
    cdef Images v
    v.data = <const void*><uintptr_t>images.data.ptr
    v.dtype = <Dtype><int>DTYPES[images.dtype.name]
    v.n, v.h, v.w, v.c = images.shape
    return v


cdef OutputImages output(object images) except *:
    cdef OutputImages v
    v.data = <void*><uintptr_t>images.data.ptr
    v.dtype = <Dtype><int>DTYPES[images.dtype.name]
    v.n, v.h, v.w, v.c = images.shape
    return v


cdef PerImage per_image(object numbers) except *:
    cdef PerImage p
    cdef int k
    if isinstance(numbers, np.ndarray):
        p.values = NULL
        p.stride = 0
        for k in range(numbers.shape[1]):
            p.first[k] = numbers[0, k]
    else:
        p.values = <const double*><uintptr_t>numbers.data.ptr
        p.stride = numbers.shape[1] if len(numbers) > 1 else 0
    return p


def warp(object images, object matrices, int interpolation, int border, object fill, object out, Stream stream):
    cdef cuda_transforms.Sampling sampling
    sampling.interpolation = <Interpolation>interpolation
    sampling.border = <Border>border
    sampling.fill = per_image(fill)
    cuda_transforms.warp(view(images), per_image(matrices), sampling, output(out), stream)


def shift(object images, object shifts, int border, object fill, object out, Stream stream):
    cuda_transforms.shift(view(images), per_image(shifts), <Border>border, per_image(fill), output(out), stream)


def cos_sin(object degrees, object cosine, object sine, Stream stream):
    cuda_transforms.cos_sin(<const double*><uintptr_t>degrees.data.ptr, len(degrees),
                            <double*><uintptr_t>cosine.data.ptr, <double*><uintptr_t>sine.data.ptr, stream)


def flip(object images, bint horizontal, bint vertical, object out, Stream stream):
    cuda_transforms.flip(view(images), horizontal, vertical, output(out), stream)
