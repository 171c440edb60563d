"""csrc/include/augcore/tree_sum.hpp"""

from libc.stdint cimport int64_t
from libcpp.vector cimport vector

from augcore.errors cimport raise_python_error


cdef extern from "augcore/tree_sum.hpp" namespace "augcore" nogil:
    cdef cppclass Node "augcore::TreeSum::Node":
        int level
        vector[double] values

    cdef cppclass TiledSums:
        int64_t width()
        const vector[Node]& nodes()
        void push(vector[double] node, int level) except +raise_python_error
        void close(vector[double] last) except +raise_python_error
