// When which database gets a job worker (job/job_worker.cpp).
#pragma once

#include <map>
#include <vector>

#include "core/waiter.h"
#include "pg/guard.h"

struct BackgroundWorkerHandle;

namespace pgsync::server {

/// Part of the launcher. At most sync.max_jobs workers run; one that fails is waited for with its
/// database alone.
class JobSchedule {
 public:
  /// Starts what is due.
  void Run();
  /// When to run again unless something becomes due earlier; time_point::max(): not at all.
  core::Clock::time_point NextTime() const { return next_; }

 private:
  struct Running {
    Oid database;
    BackgroundWorkerHandle* handle;
    uint64 looked;  // how often workers had looked for work when it began
  };

  void NoteEnded();
  bool Start(Oid database);

  std::vector<Running> running_;
  std::map<Oid, int> failures_;
  core::Clock::time_point next_ = core::Clock::time_point::max();
};

}  // namespace pgsync::server
