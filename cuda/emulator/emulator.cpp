#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <mutex>
#include <stdexcept>
#include <vector>

#include "cuda_runtime.h"

namespace augcore::emulator {

Thread thread;
bool misaligned = false;

namespace {

constexpr int kWarp = 32;
constexpr std::size_t kStackBytes = 1 << 16;
constexpr std::size_t kSharedBytes = 232448;  // the most that a block of any card has
constexpr unsigned kMostThreads = 1024;

enum class State { ready, in_block, in_warp, done };

struct Fiber {
  ucontext_t context;
  Thread thread;
  State state;
  unsigned mask;
  std::uint64_t value;
};

struct Warp {
  std::uint64_t values[kWarp];
};

class Block {
 public:
  Block() {
    const std::size_t bytes = kMostThreads * kStackBytes;
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    stacks_ = static_cast<char*>(memory);
  }

  void run(const std::function<void()>& body, dim3 size, dim3 grid, uint3 index) {
    const unsigned n = size.x * size.y * size.z;
    if (n == 0 || n > kMostThreads) throw std::invalid_argument("emulator: a block of no or of more than 1024 threads");
    body_ = &body;
    fibers_.resize(n);
    warps_.resize((n + kWarp - 1) / kWarp);
    for (unsigned i = 0; i < n; ++i) start(i, size, grid, index);
    while (!all_done()) {
      bool moved = false;
      for (Fiber& fiber : fibers_) {
        if (fiber.state != State::ready) continue;
        current_ = &fiber;
        thread = fiber.thread;
        swapcontext(&scheduler_, &fiber.context);
        moved = true;
      }
      if (!release() && !moved) throw std::runtime_error("emulator: threads wait for others that never come");
    }
  }

  void wait(State state, unsigned mask, std::uint64_t value) {
    Fiber* self = current_;
    self->state = state;
    self->mask = mask;
    self->value = value;
    swapcontext(&self->context, &scheduler_);
    // The scheduler has set `thread` and `current_` anew.
  }

  const std::uint64_t* values() const { return warps_[(current_ - fibers_.data()) / kWarp].values; }

 private:
  static void enter();

  void start(unsigned i, dim3 size, dim3 grid, uint3 index) {
    Fiber& fiber = fibers_[i];
    const uint3 place = {i % size.x, i / size.x % size.y, i / (size.x * size.y)};
    fiber.thread = {place, index, size, grid, static_cast<int>(i % kWarp)};
    fiber.state = State::ready;
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = stacks_ + i * kStackBytes;
    fiber.context.uc_stack.ss_size = kStackBytes;
    fiber.context.uc_link = &scheduler_;
    makecontext(&fiber.context, &Block::enter, 0);
  }

  bool all_done() const {
    return std::all_of(fibers_.begin(), fibers_.end(), [](const Fiber& f) { return f.state == State::done; });
  }

  // Lets those go on whose meeting is complete; threads that have ended are not waited for.
  bool release() {
    bool any = false;
    const auto meets_block = [](const Fiber& f) { return f.state == State::in_block || f.state == State::done; };
    if (std::all_of(fibers_.begin(), fibers_.end(), meets_block)) {
      for (Fiber& fiber : fibers_) {
        if (fiber.state == State::in_block) fiber.state = State::ready, any = true;
      }
    }
    for (std::size_t warp = 0; warp < warps_.size(); ++warp) any = release(warp) || any;
    return any;
  }

  bool release(std::size_t warp) {
    const std::size_t first = warp * kWarp, n = std::min<std::size_t>(kWarp, fibers_.size() - first);
    for (std::size_t i = 0; i < n; ++i) {
      const Fiber& asked = fibers_[first + i];
      if (asked.state != State::in_warp) continue;
      const unsigned mask = asked.mask;
      bool complete = (mask >> i & 1U) != 0;
      for (std::size_t lane = 0; lane < n; ++lane) {
        const Fiber& other = fibers_[first + lane];
        const bool there = other.state == State::done || (other.state == State::in_warp && other.mask == mask);
        if ((mask >> lane & 1U) != 0 && !there) complete = false;
      }
      if (!complete) continue;
      std::fill_n(warps_[warp].values, kWarp, 0);
      for (std::size_t lane = 0; lane < n; ++lane) {
        Fiber& other = fibers_[first + lane];
        if ((mask >> lane & 1U) == 0 || other.state != State::in_warp) continue;
        warps_[warp].values[lane] = other.value;
        other.state = State::ready;
      }
      return true;
    }
    return false;
  }

  char* stacks_;
  const std::function<void()>* body_ = nullptr;
  std::vector<Fiber> fibers_;
  std::vector<Warp> warps_;
  Fiber* current_ = nullptr;
  ucontext_t scheduler_;
};

std::mutex one_launch;
alignas(128) unsigned char shared[kSharedBytes];

Block& block() {
  static Block one;
  return one;
}

void Block::enter() {
  Block& self = block();
  (*self.body_)();
  self.current_->state = State::done;
}

}  // namespace

void run(dim3 grid, dim3 size, std::size_t shared_bytes, const std::function<void()>& body) {
  const std::lock_guard<std::mutex> lock(one_launch);
  if (shared_bytes > kSharedBytes) throw std::invalid_argument("emulator: too much shared memory");
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.y > 65535 || grid.z > 65535) {
    throw std::invalid_argument("emulator: invalid grid");
  }
  for (unsigned z = 0; z < grid.z; ++z) {
    for (unsigned y = 0; y < grid.y; ++y) {
      for (unsigned x = 0; x < grid.x; ++x) {
        std::memset(shared, 0xff, shared_bytes);  // NaN: what is not written first is seen
        block().run(body, size, grid, {x, y, z});
      }
    }
  }
  if (misaligned) {
    misaligned = false;
    throw std::runtime_error("emulator: misaligned address");
  }
}

void* shared_memory() { return shared; }
void meet_block() { block().wait(State::in_block, 0, 0); }
const std::uint64_t* meet_warp(unsigned mask, std::uint64_t value) {
  block().wait(State::in_warp, mask, value);
  return block().values();
}

}  // namespace augcore::emulator
