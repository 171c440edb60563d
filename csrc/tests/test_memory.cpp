// How much memory transforms ask for.
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <vector>

#include "augcore/warp.hpp"
#include "check.hpp"

namespace {

std::atomic<std::int64_t> asked{0};

}  // namespace

void* operator new(std::size_t size) {
  asked += static_cast<std::int64_t>(size);
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

using namespace augcore;

namespace {

// What one warp of an image of side x side pixels asks for.
std::int64_t asked_by_warp(std::int64_t side, Border border) {
  std::vector<std::uint8_t> from(side * side), to(from.size());
  const double matrix[9] = {1, 0.1, 0, -0.1, 1, 0, 0, 0, 1};
  const double fill = 0.0;
  const Sampling sampling = {Interpolation::bilinear, border, {&fill, 1}};
  const std::int64_t before = asked;
  warp({from.data(), Dtype::uint8, 1, side, side, 1}, matrix, 1, sampling, {to.data(), Dtype::uint8, 1, side, side, 1},
       1);
  return asked - before;
}

// Memory that each of hundreds of tasks gives back and asks for again costs more time than what is done in it.
void test_tasks_use_memory_again() {
  for (const Border border : {Border::edge, Border::constant}) {
    CHECK(asked_by_warp(128, border) > 0);
    CHECK(asked_by_warp(2048, border) < 6 * asked_by_warp(128, border));
  }
}

}  // namespace

int main() {
  test_tasks_use_memory_again();
  return augcore::testing::result();
}
