# cython: language_level=3, boundscheck=False, wraparound=False
"""Warps, flips and resizing of batches. Arguments are C-contiguous, checked and not empty; _dispatch.py calls.

matrices is (1 or n, 9), fill (1 or n, c), rectangles (1 or n, 4): top, left, height, width. function is the address
of an own_warp.WarpFunction, its params have one row for each n / rows neighbours; positions is (height, width, 2).
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uintptr_t

from augcore cimport angles, copy, opencv4, own_warp, resize, warp
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


cdef warp.Sampling sampling(int interpolation, int border, const double[:, ::1] fill) noexcept nogil:
    cdef warp.Sampling s
    s.interpolation = <Interpolation>interpolation
    s.border = <Border>border
    s.fill.values = &fill[0, 0]
    s.fill.n = fill.shape[0]
    return s


def warp_exact(const pixel[:, :, :, ::1] images, const double[:, ::1] matrices, int interpolation, int border,
               const double[:, ::1] fill, pixel[:, :, :, ::1] out, int threads):
    with nogil:
        warp.warp(view(images), &matrices[0, 0], matrices.shape[0], sampling(interpolation, border, fill), output(out),
                  threads)


def warp_by_function(const pixel[:, :, :, ::1] images, uintptr_t function, const double[:, ::1] params,
                     int interpolation, int border, const double[:, ::1] fill, pixel[:, :, :, ::1] out, int threads):
    """None; or where the function failed: row of params, x, y."""
    cdef own_warp.WarpParams rows
    cdef own_warp.WarpFailure failure
    cdef bint done
    rows.values = &params[0, 0]
    rows.n_rows = params.shape[0]
    rows.n_columns = params.shape[1]
    with nogil:
        done = own_warp.warp_by_function(view(images), <own_warp.WarpFunction>function, rows,
                                         sampling(interpolation, border, fill), output(out), &failure, threads)
    return None if done else (failure.row, failure.x, failure.y)


def warp_by_positions(const pixel[:, :, :, ::1] images, const double[:, :, ::1] positions, int interpolation,
                      int border, const double[:, ::1] fill, pixel[:, :, :, ::1] out, int threads):
    with nogil:
        own_warp.warp_by_positions(view(images), &positions[0, 0, 0], sampling(interpolation, border, fill),
                                   output(out), threads)


def warp_opencv4(const uint8_t[:, :, :, ::1] images, const double[:, ::1] matrices, uint8_t[:, :, :, ::1] out,
                 int threads):
    with nogil:
        opencv4.warp(view(images), &matrices[0, 0], matrices.shape[0], output(out), threads)


def cos_sin(const double[::1] degrees, double[::1] cosine, double[::1] sine):
    with nogil:
        angles.cos_sin(&degrees[0], degrees.shape[0], &cosine[0], &sine[0])


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
