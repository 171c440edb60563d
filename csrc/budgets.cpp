#include "augcore/budgets.hpp"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <vector>

#include "augcore/threads.hpp"

namespace augcore {
namespace {

constexpr std::int64_t kPart = std::int64_t{1} << 16;  // items between two looks at the interrupt hook

template <typename F>
void for_parts(std::int64_t n, const F& f) {
  InterruptPoller poller;
  for (std::int64_t first = 0; first < n; first += kPart) {
    for (std::int64_t i = first; i < std::min(n, first + kPart); ++i) f(i);
    poller.poll();
  }
}

std::int64_t checked(std::int64_t index, std::int64_t n, const char* message) {
  if (index < 0 || index >= n) throw std::invalid_argument(message);
  return index;
}

}  // namespace

std::int64_t round_robin(const std::int64_t* order, std::int64_t n, const std::int64_t* codes, std::int64_t n_codes,
                         const std::int64_t* limits, std::int64_t n_groups, std::int64_t k, std::int64_t* out) {
  // The queue of a group is queues[starts[g]] ... queues[ends[g] - 1].
  std::vector<std::int64_t> starts(n_groups), ends(n_groups);
  std::int64_t total = 0;
  for (std::int64_t g = 0; g < n_groups; ++g) {
    starts[g] = ends[g] = total;
    total += std::min(limits[g], n);
  }
  const std::unique_ptr<std::int64_t[]> queues(new std::int64_t[static_cast<std::size_t>(total)]);
  for_parts(n, [&](std::int64_t i) {
    const std::int64_t code = codes[checked(order[i], n_codes, "order: has indices that are not points")];
    const std::int64_t g = checked(code, n_groups, "codes: must be between 0 and the number of groups");
    if (ends[g] - starts[g] < limits[g]) queues[ends[g]++] = order[i];
  });
  std::vector<std::int64_t> open(n_groups);
  for (std::int64_t g = 0; g < n_groups; ++g) open[g] = g;
  std::int64_t taken = 0;
  InterruptPoller poller;
  while (!open.empty() && taken < k) {
    open.erase(std::remove_if(open.begin(), open.end(), [&](std::int64_t g) { return starts[g] == ends[g]; }),
               open.end());
    const std::int64_t turn = std::min(static_cast<std::int64_t>(open.size()), k - taken);
    for (std::int64_t i = 0; i < turn; ++i) out[taken++] = queues[starts[open[i]]++];
    poller.poll();
  }
  return taken;
}

std::int64_t within_budget(const double* costs, std::int64_t n, double budget, std::int64_t* out) {
  // What is left is left + rest, left being the rounded value.
  double left = budget, rest = 0.0;
  std::int64_t taken = 0;
  for_parts(n, [&](std::int64_t i) {
    const double cost = costs[i];
    if (cost > left || (cost == left && rest < 0.0)) return;
    const double difference = left - cost;
    rest += (left - difference) - cost;  // left >= cost, so what the difference lacks is exact (Dekker, 1971)
    left = difference + rest;
    rest -= left - difference;
    out[taken++] = i;
  });
  return taken;
}

}  // namespace augcore
