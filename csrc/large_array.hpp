// Large arrays for one call: uninitialised, and in large pages where the system has them, of which far fewer need be
// asked for and kept track of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <type_traits>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace augcore {

struct Free {
  void operator()(void* p) const { std::free(p); }
};

template <typename T>
using LargeArray = std::unique_ptr<T[], Free>;

template <typename T>
LargeArray<T> large_array(std::int64_t n) {
  static_assert(std::is_trivial<T>::value, "elements are neither constructed nor destroyed");
  constexpr std::size_t kPage = std::size_t{1} << 21;
  const std::size_t bytes = static_cast<std::size_t>(n) * sizeof(T);
  const std::size_t whole = (bytes + kPage - 1) / kPage * kPage;
  const bool large = bytes >= kPage / 8;
  void* p = large ? std::aligned_alloc(kPage, whole) : std::malloc(bytes > 0 ? bytes : 1);
  if (p == nullptr) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
  if (large) madvise(p, whole, MADV_HUGEPAGE);  // a hint: without it all is as it would be
#endif
  return LargeArray<T>(static_cast<T*>(p));
}

}  // namespace augcore
