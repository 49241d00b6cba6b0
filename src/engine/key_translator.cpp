#include "engine/key_translator.h"

#include <algorithm>
#include <optional>

#include "core/text.h"
#include "engine/row_sql.h"
#include "engine/stream_load.h"
#include "pg/query.h"
#include "pg/subxact.h"

extern "C" {
#include "executor/spi.h"
}

namespace pgsync::engine {

using core::Cat;

namespace {
constexpr char kRawRelation[] = "pgsync_raw";
// To read a key takes far less than to write a row.
constexpr int64 kKeysForEach = 8;

BatchColumns TakenBy(const BatchColumns& columns, KeyTranslator::Rows rows) {
  const bool carried = rows == KeyTranslator::Rows::kWithCarried;
  return {columns.columns, carried ? columns.carried : std::vector<size_t>()};
}

}  // namespace

KeyTranslator::KeyTranslator(const catalog::Table& target, const BatchColumns& columns, Rows rows,
                             std::vector<const KeyTranslation*> translations, StoringSink& next,
                             int64 batch_rows, const Refusal& refusal)
    : StoringSink(kRawRelation, target, TakenBy(columns, rows)),
      target_(target),
      columns_(columns),
      taken_(TakenBy(columns, rows)),
      translations_(std::move(translations)),
      joins_(target, translations_, [&](size_t position) { return taken_.Came(position); }),
      next_(next),
      batch_rows_(batch_rows),
      refusal_(refusal) {}

// How many keys are read for rows that refer to other tables. Of those of this table it should know
// all that have come, and what comes behind a RowMatcher is to be written before this looks again.
int64 KeyTranslator::KnownKeys() const {
  int64 keys = 0;
  for (const KeyTranslation* translation : translations_) {
    if (&translation->map->target() == &target_ || !taken_.carried.empty()) return 0;
    keys = std::max(keys, translation->map->rows().rows());
  }
  return keys;
}

void KeyTranslator::Apply() {
  if (pending() > 0 && pending() >= KnownKeys() / kKeysForEach) Run();
}

void KeyTranslator::Finish() {
  if (pending() > 0) Run();
  next_.Finish();
}

void KeyTranslator::Run() {
  if (refusal_.missing && joins_.complete() != "true") RefuseIncomplete();
  RowStore all(RowStore::Like{next_.incoming()});
  Translate(incoming_, all);
  incoming_.Clear();
  HandOn(all);
}

void KeyTranslator::HandOn(RowStore& rows) {
  if (rows.rows() <= batch_rows_) {
    next_.incoming().Take(rows);
    next_.Apply();
    return;
  }
  rows.GoToStart();
  while (rows.CopyForwards(next_.incoming(), batch_rows_, kBatchBytes))
    next_.Apply();
  rows.Clear();
}

// Halves rows among which there are such that fail, until these are found.
void KeyTranslator::Translate(RowStore& rows, RowStore& all) {
  if (rows.rows() == 0) return;
  pg::CheckInterrupts();
  RowStore some(RowStore::Like{all});
  RowStore& translated = all.rows() == 0 ? all : some;
  std::optional<RowError> failure;
  try {
    pg::InSubXact([&] { TranslateAll(rows, translated); });
  } catch (const pg::PgError& error) {
    if (!IsRowError(error)) throw;
    failure = RowError::Of(error, rows.first());
  }
  if (translated.rows() == rows.rows() && !failure) {
    if (&translated == &some) all.Take(some);
    return;
  }
  translated.Clear();
  if (rows.rows() == 1) {
    if (!failure) {
      failure.emplace();
      failure->position = rows.first();
      failure->sqlstate = core::sqlstate::kDataException;
      failure->message = "a column cannot hold the key here of the row that it refers to";
    }
    Refuse(rows, std::move(*failure));
    return;
  }
  RowStore lower(RowStore::Like{rows}), upper(RowStore::Like{rows});
  rows.Split(&lower, &upper);
  for (RowStore* half : {&lower, &upper}) {
    Translate(*half, all);
    half->Clear();
  }
}

// Leaves out rows whose values would change when they are cast.
void KeyTranslator::TranslateAll(RowStore& rows, RowStore& translated) {
  std::string values;
  for (size_t position : columns_.columns)
    values += Cat(", ", joins_.Value(position, taken_.Value(position)));
  for (size_t position : columns_.carried)
    values += Cat(", ", taken_.Came(position));
  pg::WithSpi([&] {
    rows.Register();
    joins_.Register();
    // A key that comes twice, though the peer has called it unique, must not multiply rows. The
    // planner is not to know of the limit: it would have the maps read for each row.
    translated.Fill(Cat("WITH s AS MATERIALIZED (SELECT s.n", values, " FROM ", kRawRelation,
                        " AS s", joins_.joins(), " WHERE ", joins_.fits(),
                        ") SELECT * FROM (SELECT * FROM s LIMIT ", rows.rows() + 1,
                        ") AS s ORDER BY s.n"));
  });
  if (translated.rows() > rows.rows()) {
    throw core::Error(core::sqlstate::kProtocolViolation, "row stream of the peer is malformed")
        .WithDetail(Cat("A table that table \"", target_.name.ForMessage(),
                        "\" refers to has two rows with one key."));
  }
}

std::string KeyTranslator::KeyJson() const {
  return target_.row_key ? KeyAsJson(target_, columns_.columns) : "NULL";
}

void KeyTranslator::Refuse(RowStore& row, RowError error) {
  pg::WithSpi([&] {
    row.Register();
    (void)pg::SpiExecute(Cat("SELECT ", KeyJson(), " FROM ", kRawRelation, " AS s"));
    const char* key =
        pg::Call([&] { return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1); });
    if (key != nullptr) error.key = key;
  });
  refusal_.errors.Add(std::move(error));
  if (refusal_.kept != nullptr) row.Split(refusal_.kept, nullptr);
}

// Takes rows out that refer to what has not arrived.
void KeyTranslator::RefuseIncomplete() {
  RowStore complete(RowStore::Like{incoming_}), refused(RowStore::Like{incoming_});
  pg::WithSpi([&] {
    incoming_.Register();
    joins_.Register();
    const uint64 count = pg::SpiExecute(Cat("SELECT s.n, ", joins_.FirstMissing(), ", ", KeyJson(),
                                            " FROM ", kRawRelation, " AS s", joins_.joins(),
                                            " WHERE NOT (", joins_.complete(), ") ORDER BY s.n"));
    if (count == 0) return;
    NoteMissing(count);
    const auto rows = [&](const char* which) {
      return Cat("SELECT DISTINCT ON (s.n) s.* FROM ", kRawRelation, " AS s", joins_.joins(),
                 " WHERE ", which, "(", joins_.complete(), ") ORDER BY s.n");
    };
    refused.Fill(rows("NOT "));
    complete.Fill(rows(""));
  });
  if (refused.rows() == 0) return;
  if (refusal_.kept != nullptr) refusal_.kept->Take(refused);
  incoming_.Clear();
  incoming_.Take(complete);
}

void KeyTranslator::NoteMissing(uint64 count) {
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
    refusal_.errors.Add(std::move(error));
  }
}

}  // namespace pgsync::engine
