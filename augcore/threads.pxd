"""csrc/include/augcore/threads.hpp"""

from libcpp cimport bool as cpp_bool

from augcore.errors cimport raise_python_error


cdef extern from "augcore/threads.hpp" namespace "augcore" nogil:
    ctypedef cpp_bool (*InterruptHook)() noexcept nogil
    void set_interrupt_hook(InterruptHook hook) noexcept
    void set_num_threads(int threads) except +raise_python_error
    int num_threads() except +raise_python_error
