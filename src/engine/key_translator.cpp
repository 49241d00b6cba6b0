#include "engine/key_translator.h"

#include "core/text.h"
#include "engine/row_sql.h"
#include "pg/query.h"

extern "C" {
#include "executor/spi.h"
}

namespace pgsync::engine {

using core::Cat;

namespace {
constexpr char kRawRelation[] = "pgsync_raw";
}  // namespace

KeyTranslator::KeyTranslator(const catalog::Table& target, const BatchColumns& columns, Rows rows,
                             std::vector<const KeyTranslation*> translations, StoringSink& next,
                             Incomplete incomplete)
    : StoringSink(kRawRelation, target,
                  rows == Rows::kWithCarried ? columns : BatchColumns{columns.columns, {}}),
      target_(target),
      columns_(columns),
      taken_(columns),
      translations_(std::move(translations)),
      next_(next),
      incomplete_(incomplete) {
  if (rows == Rows::kAsTheyCame) taken_.carried.clear();
}

void KeyTranslator::Apply() {
  if (pending() == 0) return;
  const TranslationJoins translated(translations_,
                                    [&](size_t position) { return taken_.Came(position); });
  std::string values;
  for (size_t position : columns_.columns)
    values += Cat(", ", translated.Value(target_, position, taken_.Value(position)));
  for (size_t position : columns_.carried)
    values += Cat(", ", taken_.Came(position));
  const bool refuse = incomplete_.errors != nullptr;
  pg::WithSpi([&] {
    incoming_.Register();
    translated.Register();
    const int64 expected = pending() - (refuse ? RefuseIncomplete(translated) : 0);
    RowStore rows(RowStore::Like{next_.incoming()});
    // A key that comes twice, though the peer has called it unique, must not multiply rows. The
    // planner is not to know of the limit: it would have the maps read for each row.
    rows.Fill(Cat("WITH s AS MATERIALIZED (SELECT s.n", values, " FROM ", kRawRelation, " AS s",
                  translated.joins(), " WHERE ", refuse ? translated.complete() : "true",
                  ") SELECT * FROM (SELECT * FROM s LIMIT ", expected + 1, ") AS s ORDER BY s.n"));
    if (rows.rows() > expected) {
      throw core::Error(core::sqlstate::kProtocolViolation, "row stream of the peer is malformed")
          .WithDetail(Cat("A table that table \"", target_.name.ForMessage(),
                          "\" refers to has two rows with one key."));
    }
    next_.incoming().Take(rows);
  });
  incoming_.Clear();
  next_.Apply();
}

// Returns how many rows these are.
int64 KeyTranslator::RefuseIncomplete(const TranslationJoins& translated) {
  if (translated.complete() == "true") return 0;
  const std::string key = target_.row_key ? KeyAsJson(target_, columns_.columns) : "NULL";
  const uint64 count = pg::SpiExecute(Cat("SELECT s.n, ", translated.FirstMissing(), ", ", key,
                                          " FROM ", kRawRelation, " AS s", translated.joins(),
                                          " WHERE NOT (", translated.complete(), ") ORDER BY s.n"));
  SPITupleTable* const rows = SPI_tuptable;
  for (uint64 i = 0; i < count; i++) {
    struct {
      int64 n;
      int missing;
      const char* key;
    } found = pg::Call([&] {
      bool is_null;
      decltype(found) row;
      row.n = DatumGetInt64(SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &is_null));
      row.missing = DatumGetInt32(SPI_getbinval(rows->vals[i], rows->tupdesc, 2, &is_null));
      row.key = SPI_getvalue(rows->vals[i], rows->tupdesc, 3);
      return row;
    });
    const KeyTranslation& missing = *translations_.at(static_cast<size_t>(found.missing));
    RowError error;
    error.position = found.n;
    if (found.key != nullptr) error.key = found.key;
    error.sqlstate = core::sqlstate::kForeignKeyViolation;
    error.message = Cat("the row refers to a row that has not arrived in table \"",
                        missing.map->target().name.ForMessage(), "\"");
    error.constraint = missing.rule.name;
    incomplete_.errors->Add(std::move(error));
  }
  if (incomplete_.kept != nullptr && count > 0) {
    RowStore kept(RowStore::Like{incoming_});
    kept.Fill(Cat("SELECT DISTINCT ON (s.n) s.* FROM ", kRawRelation, " AS s", translated.joins(),
                  " WHERE NOT (", translated.complete(), ") ORDER BY s.n"));
    incomplete_.kept->Take(kept);
  }
  return static_cast<int64>(count);
}

}  // namespace pgsync::engine
