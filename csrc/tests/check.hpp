// A tiny assertion header: CHECK counts what fails and goes on; main returns augcore::testing::result().
#pragma once

#include <cstdio>

namespace augcore::testing {

inline int& failures() {
  static int count = 0;
  return count;
}

inline int& checks() {
  static int count = 0;
  return count;
}

inline void check(bool holds, const char* what, const char* file, int line) {
  ++checks();
  if (holds) return;
  ++failures();
  std::fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, what);
}

// The exit status of a test program; one that checked nothing fails.
inline int result() {
  std::printf("%d checks, %d failed\n", checks(), failures());
  return failures() == 0 && checks() > 0 ? 0 : 1;
}

template <typename Exception, typename F>
bool throws(const F& f) {
  try {
    f();
  } catch (const Exception&) {
    return true;
  }
  return false;
}

}  // namespace augcore::testing

#define CHECK(...) augcore::testing::check(static_cast<bool>(__VA_ARGS__), #__VA_ARGS__, __FILE__, __LINE__)
#define CHECK_EQ(a, b) CHECK((a) == (b))
