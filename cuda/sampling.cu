// Keys and positions of points, and the order of those whose positions are sorted.
//
// Floor: the arithmetic of the keys, about 300 integer operations of Philox for four points and 90 of float64 for each
// (two logarithms), which at the rates of an H200 takes 10 ps of a point; its bytes take 3.
#include "sampling.cuh"

namespace augcore::cuda {
namespace {

constexpr std::uint64_t kNothing = ~std::uint64_t{0};
constexpr int kMostBlocks = 2048;  // of a reduction: enough to fill a card
constexpr int kLongRun = 32;       // points of one position that are told apart by comparing each with all

template <typename T>
__global__ void __launch_bounds__(kBlock) policy_keys_kernel(Draw draw, const T* scores, const std::int64_t* places,
                                                             std::int64_t m, double* high, double* low) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kBlock + threadIdx.x;
  if (i >= m) return;
  const std::int64_t place = places == nullptr ? i : places[i];
  const point::ExponentialKey key = key_of(draw, scores[place], place);
  high[i] = key.high;
  low[i] = key.low;
}

__global__ void __launch_bounds__(kBlock) log_magnitudes_kernel(const double* values, std::int64_t n, double* out) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kBlock + threadIdx.x;
  if (i < n) out[i] = point::stable_log(point::absolute(values[i]));
}

// ---- what scores there are ------------------------------------------------------------------------------------------

__global__ void begin_kernel(State* state) { *state = {0, 0, kNothing, kNothing, 0, 0.0, 0.0, 0, 0, 0, 0}; }

template <typename T>
__global__ void __launch_bounds__(kBlock) survey_kernel(const T* scores, std::int64_t n, State* state) {
  Word smallest = kNothing, above = kNothing, largest = 0, every = 0;
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * kBlock;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kBlock + threadIdx.x; i < n; i += step) {
    const Word bits = bits_of(scores[i]) & ~(Word{1} << 63);
    if (bits < smallest) smallest = bits;
    if (bits != 0 && bits < above) above = bits;
    if (bits > largest) largest = bits;
    every |= bits;
  }
  for (int lane = kWarp / 2; lane > 0; lane /= 2) {
    const Word other_smallest = __shfl_xor_sync(kEveryLane, smallest, lane);
    const Word other_above = __shfl_xor_sync(kEveryLane, above, lane);
    const Word other_largest = __shfl_xor_sync(kEveryLane, largest, lane);
    every |= __shfl_xor_sync(kEveryLane, every, lane);
    if (other_smallest < smallest) smallest = other_smallest;
    if (other_above < above) above = other_above;
    if (other_largest > largest) largest = other_largest;
  }
  if (threadIdx.x % kWarp != 0) return;
  atomicMin(&state->smallest, smallest);
  atomicMin(&state->smallest_above, above);
  atomicMax(&state->largest, largest);
  atomicOr(&state->every, every);
}

// The line of the finite keys, log E - log weight; and which bits of scores there is no room for.
__global__ void lay_line_kernel(Policy policy, State* state) {
  double least = 0.0, most = 0.0;  // of the logarithms of the weights
  const double smallest = number_of(state->smallest), largest = number_of(state->largest);
  if (policy == Policy::proportional || policy == Policy::inverse_proportional) {
    if (state->largest == 0) return;  // all are infinite
    const double first = point::stable_log(number_of(state->smallest_above)), last = point::stable_log(largest);
    least = policy == Policy::proportional ? first : -last;
    most = policy == Policy::proportional ? last : -first;
  } else if (policy == Policy::softmax) {
    least = smallest, most = largest;
  } else if (policy == Policy::inverse_softmax) {
    least = -largest, most = -smallest;
  } else if (!point::is_random(policy)) {
    const Word range = state->largest > 0 ? state->largest - state->smallest_above : 0;
    while ((range >> state->shift) + 1 > kLastPosition) ++state->shift;
    state->exact = (state->every & ((Word{1} << state->shift) - 1)) == 0;
    return;
  }
  state->low = kLeastLogE - most;
  state->scale = (2.0 * kQuarter - 1.0) / ((kMostLogE - kLeastLogE) + (most - least));
}

// ---- positions ------------------------------------------------------------------------------------------------------

__device__ __forceinline__ void put(std::uint32_t position, std::int64_t place, std::uint32_t* out) {
  out[place] = position;
}
__device__ __forceinline__ void put(std::uint32_t position, std::int64_t place, std::uint64_t* out) {
  out[place] = static_cast<Word>(position) << 32 | static_cast<Word>(place);
}

// A thread has the points of one block of Philox.
template <typename T, typename Out>
__global__ void __launch_bounds__(kBlock)
    positions_kernel(Draw draw, const T* scores, std::int64_t n, const State* state, Out* out) {
  const std::int64_t block = draw.first_index / 4 + static_cast<std::int64_t>(blockIdx.x) * kBlock + threadIdx.x;
  const std::int64_t first = block * 4 - draw.first_index;
  if (first >= n) return;
  point::Words4 drawn{};
  if (point::is_random(draw.policy)) {
    drawn = point::stream_block(static_cast<std::uint64_t>(block), draw.key[0], draw.key[1]);
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const std::int64_t place = first + i;
    if (place < 0 || place >= n) continue;
    put(position_of(draw, *state, point::policy_key(draw.policy, drawn.word[i], scores[place])), place, out);
  }
}

template <typename Out>
void write_positions(const Draw& draw, const Scores& scores, const std::uint64_t* state, Out* out, Stream stream) {
  by_precision(scores, [&](const auto* values) {
    using T = std::remove_const_t<std::remove_pointer_t<decltype(values)>>;
    const std::int64_t threads = (scores.n + 3) / 4 + 1;  // the first block may be cut
    launch("positions", positions_kernel<T, Out>, blocks_for(threads, kBlock), kBlock, 0, stream, draw, values,
           scores.n, state_of(state), out);
  });
}

// ---- the order of sorted words --------------------------------------------------------------------------------------

template <typename T>
__device__ __forceinline__ bool is_before(const Draw& draw, const T* scores, std::uint32_t a, std::uint32_t b) {
  const point::ExponentialKey one = key_of(draw, scores[a], a), other = key_of(draw, scores[b], b);
  if (one.high != other.high) return one.high < other.high;
  return one.low != other.low ? one.low < other.low : a < b;
}

// Points of one position stand by their places. A point of a short run of them finds its rank by comparing itself with
// the others; in a long run each must come before the next, which is so where their keys are equal.
template <typename T>
__global__ void __launch_bounds__(kBlock)
    finish_kernel(Draw draw, const T* scores, const std::uint64_t* words, std::int64_t n, std::int64_t k, State* state,
                  std::int64_t* order) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kBlock + threadIdx.x;
  if (i >= n) return;
  const auto position_at = [&](std::int64_t at) { return static_cast<std::uint32_t>(words[at] >> 32); };
  const auto place_at = [&](std::int64_t at) { return static_cast<std::uint32_t>(words[at]); };
  const std::uint32_t position = position_at(i), place = place_at(i);
  if (position == kPadding) return;
  std::int64_t first = i, last = i, rank = i;
  if (state->exact == 0) {
    while (first > 0 && i - first < kLongRun && position_at(first - 1) == position) --first;
    while (last < n - 1 && last - i < kLongRun && position_at(last + 1) == position) ++last;
    if (last - first < kLongRun) {
      rank = first;
      for (std::int64_t at = first; at <= last; ++at) {
        rank += at != i && is_before(draw, scores, place_at(at), place) ? 1 : 0;
      }
    } else if (last > i && !is_before(draw, scores, place, place_at(i + 1))) {
      state->failed = 1;
    }
  }
  if (rank < k) order[rank] = place;
}

}  // namespace

void policy_keys(const Draw& draw, const Scores& scores, const std::int64_t* places, std::int64_t m, double* high,
                 double* low, Stream stream) {
  by_precision(scores, [&](const auto* values) {
    using T = std::remove_const_t<std::remove_pointer_t<decltype(values)>>;
    launch("policy_keys", policy_keys_kernel<T>, blocks_for(m, kBlock), kBlock, 0, stream, draw, values, places, m,
           high, low);
  });
}

void log_magnitudes(const double* values, std::int64_t n, double* out, Stream stream) {
  launch("log_magnitudes", log_magnitudes_kernel, blocks_for(n, kBlock), kBlock, 0, stream, values, n, out);
}

void survey(const Draw& draw, const Scores& scores, std::uint64_t* state, Stream stream) {
  launch("begin", begin_kernel, 1, 1, 0, stream, state_of(state));
  const auto blocks = static_cast<unsigned>(std::min<std::int64_t>(kMostBlocks, (scores.n + kBlock - 1) / kBlock));
  by_precision(scores, [&](const auto* values) {
    using T = std::remove_const_t<std::remove_pointer_t<decltype(values)>>;
    launch("survey", survey_kernel<T>, blocks, kBlock, 0, stream, values, scores.n, state_of(state));
  });
  launch("lay_line", lay_line_kernel, 1, 1, 0, stream, draw.policy, state_of(state));
}

void positions(const Draw& draw, const Scores& scores, const std::uint64_t* state, std::uint32_t* out, Stream stream) {
  write_positions(draw, scores, state, out, stream);
}

void words(const Draw& draw, const Scores& scores, const std::uint64_t* state, std::uint64_t* out, Stream stream) {
  write_positions(draw, scores, state, out, stream);
}

void finish(const Draw& draw, const Scores& scores, const std::uint64_t* words, std::int64_t n, std::int64_t k,
            std::uint64_t* state, std::int64_t* order, Stream stream) {
  by_precision(scores, [&](const auto* values) {
    using T = std::remove_const_t<std::remove_pointer_t<decltype(values)>>;
    launch("finish", finish_kernel<T>, blocks_for(n, kBlock), kBlock, 0, stream, draw, values, words, n, k,
           state_of(state), order);
  });
}

}  // namespace augcore::cuda
