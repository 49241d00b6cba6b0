// How network code waits, without knowing what else its process has to react to.
#pragma once

#include <chrono>
#include <optional>

#include "core/error.h"

namespace pgsync::core {

using Clock = std::chrono::steady_clock;

/// A wait took longer than it may. What that means to the user is for the caller to say.
class TimeoutError : public Error {
 public:
  explicit TimeoutError(std::string message)
      : Error(sqlstate::kConnectionLost, std::move(message)) {}
};

class Waiter {
 public:
  enum class Interest { kRead, kWrite };

  virtual ~Waiter() = default;
  /// Waits until the descriptor may be ready (which may be too early) and returns true, or until
  /// the time and returns false. Raises whatever interrupts the process: cancel, shutdown.
  virtual bool WaitUntil(int fd, Interest interest, std::optional<Clock::time_point> until) = 0;

  /// Waits within the limits below. Raises TimeoutError when they are passed.
  void Wait(int fd, Interest interest);

  /// The longest wait for one readiness, each way.
  void set_read_limit(std::optional<std::chrono::milliseconds> limit) { read_limit_ = limit; }
  void set_write_limit(std::optional<std::chrono::milliseconds> limit) { write_limit_ = limit; }
  /// A point in time after which no wait goes on.
  void set_deadline(std::optional<Clock::time_point> deadline) { deadline_ = deadline; }
  std::optional<Clock::time_point> deadline() const { return deadline_; }

 private:
  std::optional<std::chrono::milliseconds> read_limit_;
  std::optional<std::chrono::milliseconds> write_limit_;
  std::optional<Clock::time_point> deadline_;
};

}  // namespace pgsync::core
