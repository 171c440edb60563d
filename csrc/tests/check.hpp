// Assertions for the C++ tests: a test is a program of CHECKs that ends with `return augcore_test::result();`.
#pragma once

#include <iostream>

namespace augcore_test {

inline int failures = 0;

inline void check(bool ok, const char* text, const char* file, int line) {
  if (ok) return;
  ++failures;
  std::cerr << file << ":" << line << ": " << text << " is false\n";
}

template <typename A, typename B>
void check_equal(const A& a, const B& b, const char* text, const char* file, int line) {
  if (a == b) return;
  ++failures;
  std::cerr << file << ":" << line << ": " << text << ": " << a << " is not " << b << "\n";
}

inline int result() {
  if (failures > 0) std::cerr << failures << " checks failed\n";
  return failures > 0 ? 1 : 0;
}

}  // namespace augcore_test

#define CHECK(condition) augcore_test::check((condition), #condition, __FILE__, __LINE__)
#define CHECK_EQ(a, b) augcore_test::check_equal((a), (b), #a " == " #b, __FILE__, __LINE__)
#define CHECK_THROWS(expression, exception)                                             \
  do {                                                                                  \
    bool thrown = false;                                                                \
    try {                                                                               \
      expression;                                                                       \
    } catch (const exception&) {                                                        \
      thrown = true;                                                                    \
    }                                                                                   \
    augcore_test::check(thrown, #expression " throws " #exception, __FILE__, __LINE__); \
  } while (false)
