// The progress of one call: its line in shared memory, and the NOTICE every second for who asked
// for it (sync.report_progress).
#pragma once

#include <string>

#include "core/waiter.h"
#include "engine/transfer.h"

namespace pgsync::client {

class ProgressReport : public engine::TransferObserver {
 public:
  /// `direction`: "receive" or "send". `transfer`: its uuid where it has one already.
  ProgressReport(int client, const std::string& peer, const char* direction,
                 const std::string& transfer = std::string());
  ~ProgressReport() override;
  ProgressReport(const ProgressReport&) = delete;
  ProgressReport& operator=(const ProgressReport&) = delete;

  void Table(const std::string& table, int64 rows_total) override;
  void Phase(const char* phase) override;
  void Advance(int64 rows, int64 bytes) override;

 private:
  void Notice();

  std::string table_;
  int64 total_ = -1;
  int64 done_ = 0;
  core::Clock::time_point began_ = core::Clock::now();
  core::Clock::time_point last_notice_ = core::Clock::now();
};

}  // namespace pgsync::client
