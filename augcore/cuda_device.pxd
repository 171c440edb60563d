"""cuda/include/augcore/cuda/device.hpp"""

from augcore.errors cimport raise_python_error


cdef extern from "augcore/cuda/device.hpp" namespace "augcore::cuda" nogil:
    int device_count() except +raise_python_error
    int toolkit_version()
