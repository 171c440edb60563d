// The thread pool that every kernel runs on.
//
// Kernels cut their work into tasks of a few milliseconds at most, in a way that does not depend on the number of
// threads; parallel_for runs the tasks on the calling thread and on pool threads. The pool survives fork(): a child
// starts with an empty pool of its own. Several threads may call parallel_for at once, and a task may call it again.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>

#include "augcore/api.hpp"

namespace augcore {

// Thrown out of parallel_for when the interrupt hook asks to stop.
class AUGCORE_API Interrupted : public std::exception {
 public:
  const char* what() const noexcept override { return "interrupted"; }
};

// Called on the thread that called parallel_for, every few milliseconds while it waits; true means stop.
using InterruptHook = bool (*)();
AUGCORE_API void set_interrupt_hook(InterruptHook hook);

// Asks the hook, every few milliseconds at most, from a loop that has no parallel_for in it.
class AUGCORE_API InterruptPoller {
 public:
  void poll();  // throws Interrupted

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

// The number of threads used where a kernel is called with threads == 0: what was set, else AUGCORE_NUM_THREADS, else
// the number of processors this process may run on. set_num_threads(0) stands for the last.
AUGCORE_API void set_num_threads(int threads);
AUGCORE_API int num_threads();

// Runs task(0) ... task(n_tasks - 1), each once, in any order, on at most `threads` threads (0: num_threads()).
// Returns when all are done. The first exception of a task is thrown here and the tasks not yet begun are dropped.
AUGCORE_API void parallel_for(std::int64_t n_tasks, int threads, const std::function<void(std::int64_t)>& task);

}  // namespace augcore
