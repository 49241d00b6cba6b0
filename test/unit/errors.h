// What a piece of code raises, as a value to compare with.
#pragma once

#include <string>
#include <utility>

#include "core/error.h"

namespace pgsync::test {

/// The error that `body` raises; one with SQLSTATE 00000, which nothing raises, where there is
/// none. What is no core::Error goes through and fails the test.
template <typename Body>
core::Error ErrorOf(Body&& body) {
  try {
    std::forward<Body>(body)();
  } catch (const core::Error& error) {
    return error;
  }
  return core::Error(core::SqlState("00000"), "no error was raised");
}

/// The SQLSTATE of ErrorOf().
template <typename Body>
std::string StateOf(Body&& body) {
  return ErrorOf(std::forward<Body>(body)).state().c_str();
}

inline bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace pgsync::test
