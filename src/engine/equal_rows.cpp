#include "engine/equal_rows.h"

#include "core/text.h"
#include "engine/apply_statements.h"
#include "engine/positions.h"
#include "pg/query.h"

extern "C" {
#include "catalog/pg_type.h"
}

namespace pgsync::engine {

using core::Cat;

namespace {

constexpr char kNewRelation[] = "pgsync_new";
constexpr int kNewMemory = 4 * 1024;  // kB

std::vector<RowStore::Column> StoredColumns(const catalog::Table& target,
                                            const std::vector<size_t>& columns) {
  std::vector<RowStore::Column> stored = {{BOOLOID}};
  for (size_t position : columns)
    stored.push_back(RowStore::UnlimitedColumnOf(target.columns[position]));
  return stored;
}

std::string RowsToNote(const catalog::Table& target, const BatchColumns& columns,
                       const std::vector<size_t>& noted, const catalog::UniqueKey* own) {
  std::string values = "false";
  if (own != nullptr) {
    std::vector<std::string> key;
    for (size_t position : own->columns)
      key.push_back(columns.Value(position));
    values = Cat("EXISTS (SELECT FROM ", target.FromClause(), " AS t WHERE ",
                 own->Matches(target, key), " OFFSET 0)");
  }
  for (size_t position : noted)
    values += Cat(", ", columns.Value(position));
  return Cat("SELECT s.n, ", values, " FROM ", kIncomingRelation,
             " AS s WHERE s.n OPERATOR(pg_catalog.>=) $1 AND s.n OPERATOR(pg_catalog.<=) $2");
}

}  // namespace

EqualRows::EqualRows(const catalog::Table& target, const BatchColumns& columns,
                     const std::vector<catalog::UniqueKey>& keys, const catalog::UniqueKey* own,
                     bool updated)
    : keys_(keys),
      updated_(updated),
      columns_(catalog::ColumnsOf(keys)),
      rows_(kNewRelation, StoredColumns(target, columns_), kNewMemory),
      rows_to_note_(RowsToNote(target, columns, columns_, own)) {}

void EqualRows::Note(int64 first, int64 last) {
  rows_to_note_.Prepare();
  pg::Call([&] {
    rows_to_note_.run_for_each(first, last, [&](Datum* values, bool* nulls) {
      rows_.put(DatumGetInt64(values[0]), values + 1, nulls + 1);
    });
  });
}

std::string EqualRows::Repeated(const catalog::UniqueKey& key) const {
  std::vector<std::string> values, conditions;
  for (size_t i = 0; i < key.columns.size(); i++) {
    const std::string value = Cat("s.c", 1 + PlaceOf(columns_, key.columns[i]));
    values.push_back(Cat(value, key.collations[i]));
    conditions.push_back(Cat(value, " IS NOT NULL"));
  }
  if (!updated_) conditions.emplace_back("NOT s.c0");
  return Cat("SELECT s.n, s.c0, pg_catalog.row_number() OVER (PARTITION BY ",
             core::Join(values, ", "), " ORDER BY s.n) AS number FROM ", kNewRelation,
             " AS s WHERE ", core::Join(conditions, " AND "));
}

int64 EqualRows::Count() {
  if (rows_.rows() == 0) return 0;
  std::vector<std::string> repeated;
  for (const catalog::UniqueKey& key : keys_)
    repeated.push_back(Repeated(key));
  int64 count = 0;
  pg::WithSpi([&] {
    rows_.Register();
    (void)pg::SpiExecute(Cat("SELECT pg_catalog.count(DISTINCT s.n) FROM (",
                             core::Join(repeated, " UNION ALL "),
                             ") AS s WHERE s.number OPERATOR(pg_catalog.>) 1 AND NOT s.c0"));
    count = pg::Call([&] {
      bool is_null;
      return DatumGetInt64(
          SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null));
    });
  });
  rows_.Clear();
  return count;
}

}  // namespace pgsync::engine
