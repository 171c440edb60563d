# cython: language_level=3, boundscheck=False, wraparound=False
"""Warps, flips and resizing of batches. Arguments are C-contiguous, checked and not empty; _dispatch.py calls.

matrices is (1 or n, 9), fill (1 or n, c), rectangles (1 or n, 4): top, left, height, width.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t

from augcore cimport copy, opencv4, resize, warp
from augcore.copy cimport Border
from augcore.dtype cimport Dtype
from augcore.image cimport Images, OutputImages
from augcore.warp cimport Interpolation

INTERPOLATIONS = {
    "nearest": <int>Interpolation.nearest,
    "bilinear": <int>Interpolation.bilinear,
    "bicubic": <int>Interpolation.bicubic,
    "area": <int>Interpolation.area,
}
BORDERS = {
    "edge": <int>Border.edge,
    "constant": <int>Border.constant,
    "reflect": <int>Border.reflect,
    "symmetric": <int>Border.symmetric,
    "wrap": <int>Border.wrap,
}

ctypedef fused pixel:
    uint8_t
    uint16_t
    float
    double


cdef Dtype dtype_of(const pixel[:, :, :, ::1] images) noexcept nogil:
    if pixel is uint8_t:
        return Dtype.uint8
    elif pixel is uint16_t:
        return Dtype.uint16
    elif pixel is float:
        return Dtype.float32
    else:
        return Dtype.float64


cdef Images view(const pixel[:, :, :, ::1] images) noexcept nogil:
    cdef Images v
    v.data = &images[0, 0, 0, 0]
    v.dtype = dtype_of(images)
    v.n = images.shape[0]
    v.h = images.shape[1]
    v.w = images.shape[2]
    v.c = images.shape[3]
    return v


cdef OutputImages output(pixel[:, :, :, ::1] images) noexcept nogil:
    cdef OutputImages v
    v.data = &images[0, 0, 0, 0]
    v.dtype = dtype_of(images)
    v.n = images.shape[0]
    v.h = images.shape[1]
    v.w = images.shape[2]
    v.c = images.shape[3]
    return v


def warp_exact(const pixel[:, :, :, ::1] images, const double[:, ::1] matrices, int interpolation, int border,
               const double[:, ::1] fill, pixel[:, :, :, ::1] out, int threads):
    cdef warp.Sampling sampling
    sampling.interpolation = <Interpolation>interpolation
    sampling.border = <Border>border
    sampling.fill.values = &fill[0, 0]
    sampling.fill.n = fill.shape[0]
    with nogil:
        warp.warp(view(images), &matrices[0, 0], matrices.shape[0], sampling, output(out), threads)


def warp_opencv4(const uint8_t[:, :, :, ::1] images, const double[:, ::1] matrices, uint8_t[:, :, :, ::1] out,
                 int threads):
    with nogil:
        opencv4.warp(view(images), &matrices[0, 0], matrices.shape[0], output(out), threads)


def flip(const pixel[:, :, :, ::1] images, bint horizontal, bint vertical, pixel[:, :, :, ::1] out, int threads):
    with nogil:
        copy.flip(view(images), horizontal, vertical, output(out), threads)


def resize_exact(const pixel[:, :, :, ::1] images, const int64_t[:, ::1] rectangles, int interpolation, bint antialias,
                 pixel[:, :, :, ::1] out, int threads):
    with nogil:
        resize.resize(view(images), <const resize.Rectangle*>&rectangles[0, 0], rectangles.shape[0],
                      <Interpolation>interpolation, antialias, output(out), threads)


def resize_opencv4(const uint8_t[:, :, :, ::1] images, const int64_t[:, ::1] rectangles, int interpolation,
                   uint8_t[:, :, :, ::1] out, int threads):
    with nogil:
        opencv4.resize(view(images), <const resize.Rectangle*>&rectangles[0, 0], rectangles.shape[0],
                       <Interpolation>interpolation, output(out), threads)
