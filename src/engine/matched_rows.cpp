#include "engine/matched_rows.h"

#include "core/text.h"
#include "engine/batch_statement.h"
#include "engine/positions.h"
#include "engine/row_sql.h"
#include "pg/query.h"

extern "C" {
#include "catalog/pg_type.h"
}

namespace pgsync::engine {

using core::Cat;

namespace {

constexpr char kMatchedRelation[] = "pgsync_matched";
constexpr int kMatchedMemory = 4 * 1024;  // kB

std::vector<RowStore::Column> StoredColumns(const catalog::Table& target,
                                            const std::vector<size_t>& columns) {
  std::vector<RowStore::Column> stored;
  for (size_t position : target.row_key->columns)
    stored.push_back(RowStore::ColumnOf(target.columns[position]));
  stored.push_back({INT4OID});
  for (size_t position : columns)
    stored.push_back(RowStore::UnlimitedColumnOf(target.columns[position]));
  return stored;
}

}  // namespace

MatchedRows::MatchedRows(const catalog::Table& target, const std::vector<catalog::UniqueKey>& keys)
    : target_(target),
      keys_(keys),
      columns_(catalog::ColumnsOf(keys)),
      rows_(kMatchedRelation, StoredColumns(target, columns_), kMatchedMemory) {}

void MatchedRows::RequireUnchanged() {
  if (rows_.rows() == 0) return;
  const catalog::Key& key = *target_.row_key;
  std::string unchanged = "CASE";
  for (size_t i = 0; i < keys_.size(); i++) {
    std::vector<std::string> values;
    for (size_t position : keys_[i].columns)
      values.push_back(Cat("s.c", key.columns.size() + 1 + PlaceOf(columns_, position)));
    unchanged += Cat(" WHEN s.c", key.columns.size(), " OPERATOR(pg_catalog.=) ", i, " THEN ",
                     keys_[i].Matches(target_, values));
  }
  BatchStatement changed(
      Cat("SELECT ", KeyAsJson(target_, key.columns), " FROM ", kMatchedRelation,
          " AS s WHERE s.n OPERATOR(pg_catalog.>=) $1 AND s.n OPERATOR(pg_catalog.<=) $2 "
          "AND NOT EXISTS (SELECT FROM ",
          target_.FromClause(), " AS t WHERE ", KeyMatches(target_, key), " AND ", unchanged,
          " END OFFSET 0) LIMIT 1"));
  std::string which;
  pg::WithSpi([&] {
    rows_.Register();
    changed.Prepare();
    const char* text = pg::Call([&]() -> const char* {
      if (changed.run(rows_.first(), rows_.last()) == 0) return nullptr;
      return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
    });
    if (text != nullptr) which = text;
  });
  if (which.empty()) return;
  throw core::Error(core::sqlstate::kFeatureNotSupported,
                    Cat("unique values of table \"", target_.name.ForMessage(),
                        "\" move from row to row while rows are looked for by them"))
      .WithDetail(Cat("A row of the peer was taken for the one with key ", which,
                      ", which has another value now."))
      .WithHint("Use strategy skip, or give that row its new values before.");
}

}  // namespace pgsync::engine
