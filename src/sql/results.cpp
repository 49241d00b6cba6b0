#include "sql/results.h"

namespace pgsync::sql {

namespace {
Cell NumberCell(int64 number) {
  return std::to_string(number);
}
}  // namespace

std::vector<Cell> TransferResult::Cells() const {
  return {table,
          NumberCell(counts.created),
          NumberCell(counts.updated),
          NumberCell(counts.skipped),
          NumberCell(counts.deleted),
          errors,
          NumberCell(error_count),
          mode,
          BoolCell(dry_run),
          verified ? BoolCell(*verified) : Cell(),
          NumberCell(bytes),
          IntervalCell(duration)};
}

std::vector<Cell> OutcomeCells(const engine::TableOutcome& outcome) {
  TransferResult result;
  result.table = outcome.table;
  result.counts = outcome.counts;
  result.errors = outcome.errors;
  result.error_count = outcome.error_count;
  if (outcome.compared) result.mode = "delta";
  result.dry_run = outcome.dry_run;
  result.verified = outcome.verified;
  result.bytes = outcome.bytes;
  result.duration = outcome.duration;
  return result.Cells();
}

std::vector<Cell> TableListCells(const core::TableListEntry& entry) {
  return {entry.schema, entry.name, entry.row_count ? NumberCell(*entry.row_count) : Cell(),
          NumberCell(entry.size_bytes), TextArrayCell(entry.depends_on)};
}

}  // namespace pgsync::sql
