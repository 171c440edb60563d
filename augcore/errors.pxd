"""How exceptions of the kernels become Python exceptions: use it as `except +raise_python_error`."""


cdef extern from *:
    """
    #include <Python.h>

    #include <new>
    #include <stdexcept>

    #include "augcore/threads.hpp"

    static void raise_python_error() {
      try {
        throw;
      } catch (const augcore::Interrupted& error) {
        // The signal handler that asked to stop has set its own exception, usually KeyboardInterrupt.
        if (!PyErr_Occurred()) PyErr_SetNone(PyExc_KeyboardInterrupt);
      } catch (const std::bad_alloc& error) {
        PyErr_NoMemory();
      } catch (const std::length_error& error) {
        PyErr_NoMemory();
      } catch (const std::invalid_argument& error) {
        PyErr_SetString(PyExc_ValueError, error.what());
      } catch (const std::overflow_error& error) {
        PyErr_SetString(PyExc_OverflowError, error.what());
      } catch (const std::exception& error) {
        PyErr_SetString(PyExc_RuntimeError, error.what());
      } catch (...) {
        PyErr_SetString(PyExc_RuntimeError, "unknown C++ exception");
      }
    }
    """
    void raise_python_error()
