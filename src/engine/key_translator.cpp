#include "engine/key_translator.h"

#include <algorithm>

#include "core/text.h"
#include "pg/query.h"

namespace pgsync::engine {

using core::Cat;

namespace {
constexpr char kRawRelation[] = "pgsync_raw";
constexpr int kRawMemory = 16 * 1024;  // kB
}  // namespace

KeyTranslator::KeyTranslator(const catalog::Table& target, const std::vector<size_t>& columns,
                             std::vector<const KeyTranslation*> translations, BatchApplier& applier,
                             RowErrors& errors)
    : target_(target),
      columns_(columns),
      translations_(std::move(translations)),
      applier_(applier),
      errors_(errors),
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
    RowStore rows(applier_.incoming(), nullptr);
    rows.Fill(Cat("SELECT s.n", values, " FROM ", kRawRelation, " AS s", translated.joins(),
                  " WHERE ", translated.complete(), " ORDER BY s.n"));
    applier_.incoming().Take(rows);
  });
  raw_.Clear();
  applier_.Apply();
}

void KeyTranslator::RefuseIncomplete(const TranslationJoins& translated) {
  const std::string sql = Cat("SELECT s.n FROM ", kRawRelation, " AS s", translated.joins(),
                              " WHERE NOT (", translated.complete(), ") ORDER BY s.n");
  const char* text = sql.c_str();
  const uint64 count = pg::Call([&] {
    const int result = SPI_execute(text, false, 0);
    if (result < 0) elog(ERROR, "SPI failed: %s", SPI_result_code_string(result));
    return SPI_processed;
  });
  SPITupleTable* const rows = SPI_tuptable;
  for (uint64 i = 0; i < count; i++) {
    RowError error;
    error.position = pg::Call([&] {
      bool is_null;
      return DatumGetInt64(SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &is_null));
    });
    error.sqlstate = core::sqlstate::kForeignKeyViolation;
    error.message = Cat("the row refers to a row that has not arrived in table \"",
                        translations_.front()->map->target().name.ForMessage(), "\"");
    errors_.Add(std::move(error));
  }
}

}  // namespace pgsync::engine
