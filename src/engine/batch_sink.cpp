#include "engine/batch_sink.h"

#include "core/text.h"
#include "engine/positions.h"

namespace pgsync::engine {

namespace {

// How large a batch may become before it spills to a file, in kB. One row may be larger.
constexpr int kBatchMemory = 16 * 1024;

// A value that was translated may be as long as the referenced column allows.
std::vector<RowStore::Column> StoredColumns(const catalog::Table& target,
                                            const BatchColumns& columns) {
  std::vector<RowStore::Column> stored;
  for (size_t position : columns.All()) {
    const catalog::Column& column = target.columns[position];
    stored.push_back(Contains(columns.carried, position) ? RowStore::UnlimitedColumnOf(column)
                                                         : RowStore::ColumnOf(column));
  }
  return stored;
}

}  // namespace

std::vector<size_t> BatchColumns::All() const {
  std::vector<size_t> all = columns;
  all.insert(all.end(), carried.begin(), carried.end());
  return all;
}

bool BatchColumns::Has(size_t position) const {
  return Contains(columns, position);
}

std::string BatchColumns::Value(size_t position) const {
  return core::Cat("s.c", PlaceOf(columns, position));
}

std::string BatchColumns::Came(size_t position) const {
  const size_t place = PlaceOf(carried, position);
  return place < carried.size() ? core::Cat("s.c", columns.size() + place) : Value(position);
}

StoringSink::StoringSink(const char* relation, const catalog::Table& target,
                         const BatchColumns& columns)
    : incoming_(relation, StoredColumns(target, columns), kBatchMemory) {}

}  // namespace pgsync::engine
