#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

#include "augcore/threads.hpp"
#include "tests/check.hpp"

using augcore::parallel_for;

namespace {

void every_task_runs_once() {
  for (int threads : {1, 2, 3, 8, 16}) {
    for (std::int64_t n : {0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> runs(n);
      parallel_for(n, threads, [&](std::int64_t i) { ++runs[i]; });
      for (const auto& count : runs) CHECK(count == 1);
    }
  }
}

void several_threads_are_used() {
  std::atomic<int> inside{0};
  std::atomic<bool> together{false};
  parallel_for(2, 2, [&](std::int64_t) {
    ++inside;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (inside < 2 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    if (inside == 2) together = true;
  });
  CHECK(together);
}

void nested_calls_and_many_callers_finish() {
  std::atomic<std::int64_t> sum{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 8; ++caller) {
    callers.emplace_back([&] {
      for (int repeat = 0; repeat < 50; ++repeat) {
        parallel_for(5, 3, [&](std::int64_t i) { parallel_for(4, 2, [&](std::int64_t j) { sum += i * j; }); });
      }
    });
  }
  for (auto& caller : callers) caller.join();
  CHECK(sum == 8 * 50 * (10 * 6));
}

void the_first_exception_is_thrown_and_the_rest_is_dropped() {
  for (int threads : {1, 4}) {
    std::atomic<int> runs{0};
    bool caught = false;
    try {
      parallel_for(1000000, threads, [&](std::int64_t i) {
        ++runs;
        if (i == 10) throw std::runtime_error("ten");
      });
    } catch (const std::runtime_error& error) {
      caught = std::string(error.what()) == "ten";
    }
    CHECK(caught);
    CHECK(runs < 1000000);
    std::atomic<int> after{0};
    parallel_for(100, threads, [&](std::int64_t) { ++after; });
    CHECK(after == 100);
  }
}

std::atomic<bool> stop_wanted{false};
bool stop_hook() { return stop_wanted; }

void the_hook_stops_a_long_call() {
  augcore::set_interrupt_hook(stop_hook);
  for (int threads : {1, 4}) {
    stop_wanted = false;
    std::thread alarm([] {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      stop_wanted = true;
    });
    bool interrupted = false;
    try {
      parallel_for(100000, threads, [](std::int64_t) { std::this_thread::sleep_for(std::chrono::milliseconds(1)); });
    } catch (const augcore::Interrupted&) {
      interrupted = true;
    }
    alarm.join();
    CHECK(interrupted);
  }
  augcore::set_interrupt_hook(nullptr);
}

void a_forked_child_has_a_pool_of_its_own() {
  parallel_for(100, 4, [](std::int64_t) {});
  std::vector<pid_t> children;
  for (int child = 0; child < 10; ++child) {
    const pid_t pid = fork();
    if (pid == 0) {
      alarm(20);  // a child that hangs is killed and counts as failed
      std::atomic<int> runs{0};
      parallel_for(1000, 4, [&](std::int64_t) { ++runs; });
      _exit(runs == 1000 ? 0 : 1);
    }
    children.push_back(pid);
  }
  for (const pid_t pid : children) {
    int status = -1;
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
}

void bad_thread_counts_are_refused() {
  for (int threads : {-1, 1025}) {
    bool refused = false;
    try {
      parallel_for(1, threads, [](std::int64_t) {});
    } catch (const std::invalid_argument&) {
      refused = true;
    }
    CHECK(refused);
  }
  const int before = augcore::num_threads();
  augcore::set_num_threads(3);
  CHECK(augcore::num_threads() == 3);
  augcore::set_num_threads(0);
  CHECK(augcore::num_threads() >= 1);
  augcore::set_num_threads(before);
}

}  // namespace

int main() {
  every_task_runs_once();
  several_threads_are_used();
  nested_calls_and_many_callers_finish();
  the_first_exception_is_thrown_and_the_rest_is_dropped();
  the_hook_stops_a_long_call();
  a_forked_child_has_a_pool_of_its_own();
  bad_thread_counts_are_refused();
  return augcore::testing::result();
}
