#include "augcore/threads.hpp"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>

namespace augcore {
namespace {

// An answer to Ctrl-C may take 100 ms in all; the hook costs a few microseconds, so it is asked far more often.
constexpr auto kPollInterval = std::chrono::milliseconds(10);
constexpr int kMaxThreads = 1024;

// A thread that sleeps is back tens of microseconds after it is called, on virtual machines later; kernels call for
// helpers in quick succession, so both sides look for each other this long before they sleep.
constexpr auto kLookout = std::chrono::microseconds(100);

std::atomic<InterruptHook> g_hook{nullptr};
std::atomic<int> g_threads{-1};  // -1: not set yet; 0: as many as there are processors

template <typename F>
void look_out_for(const F& seen) {
  const auto end = std::chrono::steady_clock::now() + kLookout;
  while (!seen() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
}

// One call of parallel_for. It lives on the caller's stack; `helpers_wanted`, `helpers_inside` and `error` are changed
// under the pool's mutex, and the caller leaves only when no pool thread is inside.
struct Job {
  const std::function<void(std::int64_t)>& task;
  const std::int64_t n_tasks;
  std::atomic<std::int64_t> next{0};
  int helpers_wanted;
  std::atomic<int> helpers_inside{0};
  std::exception_ptr error;

  Job(const std::function<void(std::int64_t)>& f, std::int64_t n, int helpers)
      : task(f), n_tasks(n), helpers_wanted(helpers) {}

  void drop_remaining() { next.store(n_tasks, std::memory_order_relaxed); }

  bool run_one() {
    if (next.load(std::memory_order_relaxed) >= n_tasks) return false;
    const std::int64_t i = next.fetch_add(1, std::memory_order_relaxed);
    if (i >= n_tasks) return false;
    task(i);
    return true;
  }
};

class Pool {
 public:
  std::mutex mutex;

  void run(Job& job) {
    {
      std::lock_guard<std::mutex> lock(mutex);
      start_workers(job.helpers_wanted);
      open_.push_back(&job);
      n_open_ = static_cast<int>(open_.size());
    }
    work_.notify_all();
    // The job lives on this stack, so it must not be left while a pool thread is inside, however it is left: by an
    // exception, or by the forced unwinding of a thread that ends (Python ends daemon threads so, in the hook).
    struct Leave {
      Pool& pool;
      Job& job;
      ~Leave() { pool.leave(job); }
    } leave_at_the_end{*this, job};
    InterruptPoller poller;
    while (job.run_one()) poller.poll();
    while (!wait_for_helpers(job)) poller.poll();
    const std::exception_ptr error = job.error;
    if (error) std::rethrow_exception(error);
  }

 private:
  // Waits for a while; true when no pool thread is inside any more and none can come.
  bool wait_for_helpers(Job& job) {
    std::unique_lock<std::mutex> lock(mutex);
    open_.erase(std::remove(open_.begin(), open_.end(), &job), open_.end());
    n_open_ = static_cast<int>(open_.size());
    lock.unlock();
    look_out_for([&] { return job.helpers_inside == 0; });
    lock.lock();
    return left_.wait_for(lock, kPollInterval, [&] { return job.helpers_inside == 0; });
  }

  void leave(Job& job) {
    job.drop_remaining();
    while (!wait_for_helpers(job)) {
    }
  }

  void start_workers(int wanted) {
    while (workers_ < wanted) {
      try {
        std::thread([this] { serve(); }).detach();
      } catch (const std::system_error&) {
        return;  // The system gives no more threads: the caller does the work with those there are.
      }
      ++workers_;
    }
  }

  void serve() {
    std::unique_lock<std::mutex> lock(mutex);
    for (;;) {
      lock.unlock();
      look_out_for([this] { return n_open_ > 0; });
      lock.lock();
      work_.wait(lock, [this] { return !open_.empty(); });
      Job& job = *open_.front();
      ++job.helpers_inside;
      if (--job.helpers_wanted == 0) open_.pop_front();
      n_open_ = static_cast<int>(open_.size());
      lock.unlock();
      std::exception_ptr error;
      try {
        while (job.run_one()) {
        }
      } catch (...) {
        error = std::current_exception();
        job.drop_remaining();
      }
      lock.lock();
      if (error && !job.error) job.error = error;
      if (--job.helpers_inside == 0) left_.notify_all();
    }
  }

  std::condition_variable work_;
  std::condition_variable left_;
  std::deque<Job*> open_;
  std::atomic<int> n_open_{0};  // of them, to be looked at without the mutex
  int workers_ = 0;
};

// Never destroyed: its threads run until the process ends. A forked child gets a new pool; the old one, whose threads
// do not exist there, is abandoned (its condition variables cannot be destroyed safely).
std::atomic<Pool*> g_pool{nullptr};

void before_fork() { g_pool.load()->mutex.lock(); }
void after_fork_in_parent() { g_pool.load()->mutex.unlock(); }
void after_fork_in_child() { g_pool.store(new Pool); }

Pool& pool() {
  static const bool once = [] {
    g_pool.store(new Pool);
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    return true;
  }();
  (void)once;
  return *g_pool.load();
}

// AUGCORE_NUM_THREADS, or 0 where it is not set.
int threads_of_environment() {
  const char* text = std::getenv("AUGCORE_NUM_THREADS");
  if (text == nullptr || *text == '\0') return 0;
  char* end = nullptr;
  const long threads = std::strtol(text, &end, 10);
  if (*end != '\0' || threads < 1 || threads > kMaxThreads) {
    throw std::invalid_argument(std::string("AUGCORE_NUM_THREADS must be between 1 and 1024, got ") + text);
  }
  return static_cast<int>(threads);
}

int available_processors() {
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace

void InterruptPoller::poll() {
  const auto now = std::chrono::steady_clock::now();
  if (now - last_ < kPollInterval) return;
  last_ = now;
  const InterruptHook hook = g_hook.load(std::memory_order_relaxed);
  if (hook != nullptr && hook()) throw Interrupted();
}

void set_interrupt_hook(InterruptHook hook) { g_hook.store(hook); }

void set_num_threads(int threads) {
  if (threads < 0 || threads > kMaxThreads) {
    throw std::invalid_argument("threads must be between 0 and 1024");
  }
  g_threads.store(threads);
}

int num_threads() {
  int threads = g_threads.load();
  if (threads < 0) {
    threads = threads_of_environment();
    g_threads.store(threads);
  }
  return threads > 0 ? threads : available_processors();
}

void parallel_for(std::int64_t n_tasks, int threads, const std::function<void(std::int64_t)>& task) {
  if (threads < 0 || threads > kMaxThreads) throw std::invalid_argument("threads must be between 0 and 1024");
  if (n_tasks <= 0) return;
  if (threads == 0) threads = num_threads();
  const std::int64_t used = std::min<std::int64_t>(threads, n_tasks);
  if (used == 1) {
    InterruptPoller poller;
    for (std::int64_t i = 0; i < n_tasks; ++i) {
      task(i);
      poller.poll();
    }
    return;
  }
  Job job(task, n_tasks, static_cast<int>(used) - 1);
  pool().run(job);
}

}  // namespace augcore
