// Writers: short-lived workers that write what is queued for a database (session/writer_queue.h).
#pragma once

#include <map>
#include <vector>

#include "core/waiter.h"
#include "pg/guard.h"
#include "session/writer_queue.h"

struct BackgroundWorkerHandle;

namespace pgsync::server {

/// For which database a writer is started, and when; part of the launcher. A writer that fails is
/// waited for with that database alone.
class WriterSchedule {
 public:
  /// Starts what is due.
  void Run();
  /// When to run again unless something is queued or a writer ends; time_point::max(): not at all.
  core::Clock::time_point NextTime() const { return next_; }

 private:
  struct Running {
    Oid database;
    BackgroundWorkerHandle* handle;
    uint64 oldest;  // entry that it was to begin with
    int postponed;  // how often that had been put off
  };
  struct Failing {
    int failures = 0;
    core::Clock::time_point until;
  };

  std::vector<Running> TakeEnded();
  void NoteEnded(const Running& writer, const std::vector<session::WaitingEntries>& waiting);
  void Start(const session::WaitingEntries& entries);

  std::vector<Running> running_;
  std::map<Oid, Failing> failing_;
  core::Clock::time_point next_ = core::Clock::time_point::max();
};

}  // namespace pgsync::server
