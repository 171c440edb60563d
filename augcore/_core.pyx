# cython: language_level=3
"""Threads, signals, build facts, and the check that every input goes through."""

import os
import threading

from libcpp cimport bool as cpp_bool

from augcore cimport bounds, cpu, threads

ctypedef fused real:
    float
    double


cdef extern from "Python.h":
    # cpython.exc declares it as raising; here the exception stays set for the caller of the kernel.
    int PyErr_CheckSignals() noexcept

    # cpython.pythread declares it as needing the GIL.
    unsigned long PyThread_get_thread_ident() noexcept nogil


cdef extern from *:
    const char* AUGCORE_VERSION


cdef unsigned long main_thread


def remember_main_thread():
    global main_thread
    main_thread = threading.main_thread().ident


cdef cpp_bool run_signal_handlers() noexcept nogil:
    """The interrupt hook: true when a Python signal handler raised.

    Handlers run in the main thread alone. Other threads must not ask for the GIL here: when the interpreter ends, it
    ends a daemon thread that does, in the middle of a kernel.
    """
    if PyThread_get_thread_ident() != main_thread:
        return False
    with gil:
        return PyErr_CheckSignals() != 0


remember_main_thread()
os.register_at_fork(after_in_child=remember_main_thread)
threads.set_interrupt_hook(run_signal_handlers)


def set_num_threads(int n):
    threads.set_num_threads(n)


def num_threads():
    return threads.num_threads()


def simd_level():
    return cpu.simd_level().decode()


def version():
    return AUGCORE_VERSION.decode()


def within(const real[::1] values, double bound):
    cdef cpp_bool result
    if values.shape[0] == 0:
        return True
    with nogil:
        result = bounds.within(&values[0], values.shape[0], bound)
    return result
