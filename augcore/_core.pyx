# cython: language_level=3
"""Threads, signals and build facts."""

from libcpp cimport bool as cpp_bool

from augcore cimport cpu, threads


cdef extern from "Python.h":
    # cpython.exc declares it as raising; here the exception stays set for the caller of the kernel.
    int PyErr_CheckSignals() noexcept


cdef extern from *:
    const char* AUGCORE_VERSION


cdef cpp_bool run_signal_handlers() noexcept nogil:
    """The interrupt hook: true when a Python signal handler raised."""
    with gil:
        return PyErr_CheckSignals() != 0


threads.set_interrupt_hook(run_signal_handlers)


def set_num_threads(int n):
    threads.set_num_threads(n)


def num_threads():
    return threads.num_threads()


def simd_level():
    return cpu.simd_level().decode()


def version():
    return AUGCORE_VERSION.decode()
