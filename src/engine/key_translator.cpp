#include "engine/key_translator.h"

#include <algorithm>

#include "core/text.h"
#include "engine/row_sql.h"
#include "pg/query.h"

namespace pgsync::engine {

using core::Cat;

namespace {
constexpr char kRawRelation[] = "pgsync_raw";
constexpr int kRawMemory = 16 * 1024;  // kB
}  // namespace

KeyTranslator::KeyTranslator(const catalog::Table& target, const std::vector<size_t>& columns,
                             std::vector<const KeyTranslation*> translations, BatchApplier& applier,
                             RowErrors& errors, RowStore* refused)
    : target_(target),
      columns_(columns),
      translations_(std::move(translations)),
      applier_(applier),
      errors_(errors),
      refused_(refused),
      raw_(kRawRelation, target, columns, kRawMemory) {}

void KeyTranslator::Apply() {
  if (raw_.rows() == 0) return;
  const TranslationJoins translated(translations_, [&](size_t position) {
    const auto found = std::find(columns_.begin(), columns_.end(), position);
    return Cat("s.c", found - columns_.begin());
  });
  std::string values;
  for (size_t i = 0; i < columns_.size(); i++) {
    const std::string value = translated.Value(target_, columns_[i]);
    values += value.empty() ? Cat(", s.c", i) : Cat(", ", value);
  }
  pg::WithSpi([&] {
    raw_.Register();
    translated.Register();
    RefuseIncomplete(translated);
    RowStore rows(RowStore::Like{applier_.incoming()});
    rows.Fill(Cat("SELECT s.n", values, " FROM ", kRawRelation, " AS s", translated.joins(),
                  " WHERE ", translated.complete(), " ORDER BY s.n"));
    applier_.incoming().Take(rows);
  });
  raw_.Clear();
  applier_.Apply();
}

void KeyTranslator::RefuseIncomplete(const TranslationJoins& translated) {
  const std::string key = target_.row_key ? KeyAsJson(target_, columns_) : "NULL";
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
    errors_.Add(std::move(error));
  }
  if (refused_ == nullptr || count == 0) return;
  RowStore incomplete(RowStore::Like{raw_});
  incomplete.Fill(Cat("SELECT s.* FROM ", kRawRelation, " AS s", translated.joins(), " WHERE NOT (",
                      translated.complete(), ") ORDER BY s.n"));
  refused_->Take(incomplete);
}

}  // namespace pgsync::engine
