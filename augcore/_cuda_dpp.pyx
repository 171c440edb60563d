# cython: language_level=3, boundscheck=False, wraparound=False
"""Proposals of items in device memory. Arguments are checked and not empty; key: two words; stream: its address."""

from libc.stdint cimport int64_t, uint64_t, uintptr_t

from augcore cimport cuda_dpp
from augcore.cuda_dpp cimport Stream


def propose(object sums, const uint64_t[::1] key, int64_t draw, int64_t first, object items, object limits,
            Stream stream):
    cuda_dpp.propose(<const double*><uintptr_t>sums.data.ptr, len(sums), &key[0], draw, first, len(items),
                     <int64_t*><uintptr_t>items.data.ptr, <double*><uintptr_t>limits.data.ptr, stream)
