#include "client/progress_report.h"

#include <algorithm>

#include "core/progress_line.h"
#include "pg/settings.h"
#include "session/progress_table.h"

namespace pgsync::client {

ProgressReport::ProgressReport(int client, const std::string& peer, const char* direction,
                               const std::string& transfer) {
  session::BeginProgress(client, peer, direction, transfer);
}

ProgressReport::~ProgressReport() {
  session::end_progress();
}

void ProgressReport::Table(const std::string& table, int64 rows_total) {
  table_ = table;
  total_ = rows_total;
  done_ = 0;
  began_ = last_notice_ = core::Clock::now();
  session::SetProgressTable(table, rows_total);
}

void ProgressReport::Phase(const char* phase) {
  session::SetProgressPhase(phase);
}

void ProgressReport::Advance(int64 rows, int64 bytes) {
  done_ += rows;
  session::advance_progress(rows, bytes);
  if (!pg::settings::report_progress) return;
  if (core::Clock::now() - last_notice_ < std::chrono::seconds(1)) return;
  last_notice_ = core::Clock::now();
  Notice();
}

void ProgressReport::Notice() {
  const double seconds = std::chrono::duration<double>(core::Clock::now() - began_).count();
  const std::string line = core::ProgressLine(table_, done_, total_, seconds);
  pg::Call([&] { ereport(NOTICE, (errmsg("%s", line.c_str()))); });
}

}  // namespace pgsync::client
