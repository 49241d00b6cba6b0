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

std::vector<Cell> TableListCells(const core::TableListEntry& entry) {
  return {entry.schema, entry.name, entry.row_count ? NumberCell(*entry.row_count) : Cell(),
          NumberCell(entry.size_bytes), TextArrayCell(entry.depends_on)};
}

}  // namespace pgsync::sql
