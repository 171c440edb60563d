# cython: language_level=3, boundscheck=False, wraparound=False
"""Warps, flips and resizing of batches in device memory. Arguments are checked and not empty; _dispatch calls.

Images are CuPy arrays (n, h, w, c), C-contiguous; interpolation and border are the codes of _geometry. Numbers per
image are CuPy arrays (n, k) of float64, or NumPy arrays (1, k), k at most 16, for all images. stream: its address.

Rectangles are int64, (n, 5): image, top, left, and the numbers of their height and width in the tables; or a NumPy
array (1, 5) for all images. Sizes are int64, (n,), or a NumPy array (1,).
"""

from libc.stdint cimport int32_t, int64_t, uintptr_t

from augcore cimport cuda_device, cuda_opencv4, cuda_resize, cuda_transforms
from augcore.copy cimport Border
from augcore.cuda_transforms cimport PerImage, Stream
from augcore.dtype cimport Dtype
from augcore.image cimport Images, OutputImages
from augcore.warp cimport Interpolation

import numpy as np

EDGE = <int>Border.edge
COPIES = <int>cuda_resize.Summing.copies
IN_DOUBLE = <int>cuda_resize.Summing.in_double
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


def warp_by_positions(object images, object positions, int interpolation, int border, object fill, object out,
                      Stream stream):
    cdef cuda_transforms.Sampling sampling
    sampling.interpolation = <Interpolation>interpolation
    sampling.border = <Border>border
    sampling.fill = per_image(fill)
    cuda_transforms.warp_by_positions(view(images), <const double*><uintptr_t>positions.data.ptr, sampling, output(out),
                                      stream)


def warp_opencv4(object images, object matrices, object out, Stream stream):
    cuda_opencv4.warp(view(images), per_image(matrices), output(out), stream)


def shift(object images, object shifts, int border, object fill, object out, Stream stream):
    cuda_transforms.shift(view(images), per_image(shifts), <Border>border, per_image(fill), output(out), stream)


def cos_sin(object degrees, object cosine, object sine, Stream stream):
    cuda_transforms.cos_sin(<const double*><uintptr_t>degrees.data.ptr, len(degrees),
                            <double*><uintptr_t>cosine.data.ptr, <double*><uintptr_t>sine.data.ptr, stream)


def flip(object images, bint horizontal, bint vertical, object out, Stream stream):
    cuda_transforms.flip(view(images), horizontal, vertical, output(out), stream)


cdef cuda_resize.ResizeMethod method_of(int64_t n_out, int interpolation, bint antialias) noexcept:
    cdef cuda_resize.ResizeMethod method
    method.n_out = n_out
    method.interpolation = <Interpolation>interpolation
    method.antialias = antialias
    return method


def most_taps(const int64_t[::1] sizes, int64_t n_out, int interpolation, bint antialias):
    cdef int64_t most = 0
    cdef Py_ssize_t i
    for i in range(sizes.shape[0]):
        most = max(most, cuda_resize.most_taps(sizes[i], method_of(n_out, interpolation, antialias)))
    return most


def summing_of(object images, const int64_t[:, ::1] rectangles, size, int interpolation, bint antialias,
               int32_t[::1] out):
    """out: for each rectangle, (n, 4), how it is summed."""
    cdef Dtype dtype = <Dtype><int>DTYPES[images.dtype.name]
    cdef cuda_resize.ResizeMethod down = method_of(size[0], interpolation, antialias)
    cdef cuda_resize.ResizeMethod across = method_of(size[1], interpolation, antialias)
    cdef Py_ssize_t i
    for i in range(rectangles.shape[0]):
        out[i] = <int>cuda_resize.summing_of(dtype, rectangles[i, 2], rectangles[i, 3], down, across)


cdef cuda_resize.Sizes sizes_of(object sizes) except *:
    cdef cuda_resize.Sizes s
    s.n = len(sizes)
    if isinstance(sizes, np.ndarray):
        s.values = NULL
        s.first = sizes[0]
    else:
        s.values = <const int64_t*><uintptr_t>sizes.data.ptr
        s.first = 0
    return s


cdef cuda_resize.Rectangles rectangles_of(object rectangles, object images) except *:
    cdef cuda_resize.Rectangles r
    if isinstance(rectangles, np.ndarray):
        r.values = NULL
        r.n = len(images)
        r.top, r.left = rectangles[0, 1], rectangles[0, 2]
    else:
        r.values = <const int64_t*><uintptr_t>rectangles.data.ptr
        r.n = len(rectangles)
        r.top = r.left = 0
    return r


cdef cuda_resize.ResizeTable table_of(tuple spans_and_weights) except *:
    cdef cuda_resize.ResizeTable table
    spans, weights = spans_and_weights
    table.spans = <int32_t*><uintptr_t>spans.data.ptr
    table.weights = <void*><uintptr_t>weights.data.ptr
    table.stride = weights.shape[2]
    return table


def resize_table(object sizes, int interpolation, bint antialias, int summing, object spans, object weights,
                 Stream stream):
    """spans: (sizes, n_out, 2), int32; weights: (sizes, n_out, most_taps + 1), or none of them for copies."""
    cuda_resize.resize_table(sizes_of(sizes), method_of(spans.shape[1], interpolation, antialias),
                             <cuda_resize.Summing><int>summing, table_of((spans, weights)), stream)


def resize(object images, object rectangles, tuple down, tuple across, int summing, object out, Stream stream):
    """down, across: spans and weights of resize_table."""
    cuda_resize.resize(view(images), rectangles_of(rectangles, images), table_of(down), table_of(across),
                       <cuda_resize.Summing><int>summing, output(out), stream)


def resize_table_opencv4(object sizes, bint area, bint columns, object taps, Stream stream):
    """taps: (sizes, n_out, 4), int32."""
    cuda_opencv4.resize_table(sizes_of(sizes), taps.shape[1], area, columns,
                              <int32_t*><uintptr_t>taps.data.ptr, stream)


def resize_opencv4(object images, object rectangles, object down, object across, object out, Stream stream):
    """down, across: taps of resize_table_opencv4."""
    cuda_opencv4.resize(view(images), rectangles_of(rectangles, images), <const int32_t*><uintptr_t>down.data.ptr,
                        <const int32_t*><uintptr_t>across.data.ptr, output(out), stream)
