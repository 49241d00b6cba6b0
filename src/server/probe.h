// Probes: short-lived workers that look into one database at a time whether this extension is there
// and enabled, and note it in shared memory.
#pragma once

#include <deque>
#include <optional>

#include "core/waiter.h"
#include "pg/guard.h"

struct BackgroundWorkerHandle;

namespace pgsync::server {

/// When which database is looked into; part of the launcher.
class ProbeSchedule {
 public:
  /// Starts what is due. `again`: the settings have changed, all databases are due.
  void Run(bool again);
  core::Clock::time_point NextTime() const { return next_; }

 private:
  void FillQueue();
  bool StartProbe(Oid database);

  core::Clock::time_point next_round_ = core::Clock::now();
  core::Clock::time_point next_ = core::Clock::now();
  std::deque<Oid> queue_;
  BackgroundWorkerHandle* running_ = nullptr;
};

}  // namespace pgsync::server
