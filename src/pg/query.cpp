#include "pg/query.h"

#include <cstdlib>
#include <string>
#include <unordered_map>

#include "pg/plain_settings.h"

extern "C" {
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
}

namespace pgsync::pg {

Param Param::OfOid(Oid value) {
  Param param;
  param.type_ = OIDOID;
  param.value_ = ObjectIdGetDatum(value);
  return param;
}

Param Param::OfInt8(int64 value) {
  Param param;
  param.type_ = INT8OID;
  param.value_ = Int64GetDatum(value);
  return param;
}

Param Param::OfBool(bool value) {
  Param param;
  param.type_ = BOOLOID;
  param.value_ = BoolGetDatum(value);
  return param;
}

Param Param::OfTimestamp(int64 value) {
  Param param;
  param.type_ = TIMESTAMPTZOID;
  param.value_ = Int64GetDatum(value);
  return param;
}

Param Param::OfTimestamp(std::optional<int64_t> value) {
  Param param = OfTimestamp(static_cast<int64>(value.value_or(0)));
  param.is_null_ = !value.has_value();
  return param;
}

Param Param::OfText(std::string value) {
  Param param;
  param.kind_ = Kind::kText;
  param.type_ = TEXTOID;
  param.text_ = std::move(value);
  return param;
}

Param Param::OfText(std::optional<std::string> value) {
  Param param = OfText(value.value_or(std::string()));
  param.is_null_ = !value.has_value();
  return param;
}

Param Param::OfName(std::string value) {
  Param param = OfText(std::move(value));
  param.kind_ = Kind::kName;
  param.type_ = NAMEOID;
  return param;
}

Param Param::OfOids(std::vector<Oid> value) {
  Param param;
  param.kind_ = Kind::kOids;
  param.type_ = OIDARRAYOID;
  param.oids_ = std::move(value);
  return param;
}

Param Param::OfTexts(std::vector<std::string> value) {
  Param param;
  param.kind_ = Kind::kTexts;
  param.type_ = TEXTARRAYOID;
  param.texts_ = std::move(value);
  return param;
}

Datum Param::Make() const {
  switch (kind_) {
    case Kind::kByValue:
      return value_;
    case Kind::kText:
      return PointerGetDatum(
          cstring_to_text_with_len(text_.data(), static_cast<int>(text_.size())));
    case Kind::kName:
      return DirectFunctionCall1(namein, CStringGetDatum(text_.c_str()));
    case Kind::kOids: {
      auto* elements = static_cast<Datum*>(palloc(sizeof(Datum) * (oids_.size() + 1)));
      for (size_t i = 0; i < oids_.size(); i++)
        elements[i] = ObjectIdGetDatum(oids_[i]);
      return PointerGetDatum(construct_array(elements, static_cast<int>(oids_.size()), OIDOID,
                                             sizeof(Oid), true, TYPALIGN_INT));
    }
    case Kind::kTexts: {
      auto* elements = static_cast<Datum*>(palloc(sizeof(Datum) * (texts_.size() + 1)));
      for (size_t i = 0; i < texts_.size(); i++)
        elements[i] = CStringGetTextDatum(texts_[i].c_str());
      return PointerGetDatum(construct_array(elements, static_cast<int>(texts_.size()), TEXTOID, -1,
                                             false, TYPALIGN_INT));
    }
  }
  return 0;
}

Oid Row::AsOid(size_t i) const {
  return static_cast<Oid>(std::strtoul(Text(i).c_str(), nullptr, 10));
}
int64 Row::Int8(size_t i) const {
  return std::strtoll(Text(i).c_str(), nullptr, 10);
}
std::optional<int64_t> Row::OptionalInt8(size_t i) const {
  if (IsNull(i)) return std::nullopt;
  return Int8(i);
}
TimestampTz Row::Timestamp(size_t i) const {
  if (IsNull(i)) return 0;
  const char* text = cells_[i]->c_str();
  // In ISO form and UTC, which is read alike under all settings.
  return Call([&] {
    return DatumGetTimestampTz(DirectFunctionCall3(
        timestamptz_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
  });
}
std::optional<int64_t> Row::OptionalTimestamp(size_t i) const {
  if (IsNull(i)) return std::nullopt;
  return Timestamp(i);
}
std::vector<std::string> Row::Texts(size_t i) const {
  return IsNull(i) ? std::vector<std::string>() : ParseTextArray(*cells_[i]);
}

namespace {

// A result as a leaf leaves it behind: C strings in SPI's memory.
struct RawResult {
  char** cells;
  uint64 rows;
  int columns;
};

SPIPlanPtr prepare_raw(const char* sql, const Param* params, int count) {
  auto* types = static_cast<Oid*>(palloc(sizeof(Oid) * (count + 1)));
  for (int i = 0; i < count; i++)
    types[i] = params[i].type();
  SPIPlanPtr plan = SPI_prepare_cursor(sql, count, types, CURSOR_OPT_GENERIC_PLAN);
  if (plan == nullptr) elog(ERROR, "SPI failed: %s", SPI_result_code_string(SPI_result));
  return plan;
}

RawResult RunRaw(SPIPlanPtr plan, const Param* params, int count, bool fresh) {
  auto* values = static_cast<Datum*>(palloc(sizeof(Datum) * (count + 1)));
  auto* nulls = static_cast<char*>(palloc(count + 1));
  for (int i = 0; i < count; i++) {
    nulls[i] = params[i].is_null() ? 'n' : ' ';
    values[i] = params[i].is_null() ? (Datum)0 : params[i].Make();
  }
  const int result = fresh ? SPI_execute_snapshot(plan, values, nulls, GetLatestSnapshot(),
                                                  InvalidSnapshot, true, false, 0)
                           : SPI_execute_plan(plan, values, nulls, false, 0);
  if (result < 0) elog(ERROR, "SPI failed: %s", SPI_result_code_string(result));
  RawResult raw = {nullptr, 0, 0};
  if (SPI_tuptable == nullptr) return raw;
  const TupleDesc desc = SPI_tuptable->tupdesc;
  raw.rows = SPI_processed;
  raw.columns = desc->natts;
  raw.cells = static_cast<char**>(
      palloc_extended(sizeof(char*) * (raw.rows * raw.columns + 1), MCXT_ALLOC_HUGE));
  for (uint64 row = 0; row < raw.rows; row++) {
    for (int column = 0; column < raw.columns; column++) {
      raw.cells[row * raw.columns + column] =
          SPI_getvalue(SPI_tuptable->vals[row], desc, column + 1);
    }
  }
  return raw;
}

}  // namespace

void SpiConnect() {
  Call([] {
    if (SPI_connect() != SPI_OK_CONNECT) elog(ERROR, "SPI_connect failed");
  });
}

void SpiFinish() {
  Call([] { SPI_finish(); });
}

namespace {

// Planning one of these queries takes longer than running it. Their number is that of the places in
// our code; what is composed of names would be without end, and is not kept beyond it.
constexpr size_t kKeptPlans = 64;

std::unordered_map<std::string, SPIPlanPtr>& KeptPlans() {
  static std::unordered_map<std::string, SPIPlanPtr> plans;
  return plans;
}

std::vector<Row> RunQuery(const std::string& sql, const std::vector<Param>& params, bool fresh) {
  std::vector<Row> rows;
  int guc_level = 0;
  auto& plans = KeptPlans();
  const auto kept = plans.find(sql);
  SPIPlanPtr plan = kept != plans.end() ? kept->second : nullptr;
  const bool keep = plan == nullptr && plans.size() < kKeptPlans;
  RawResult raw = Call([&] {
    SPI_connect();
    // What the catalogs say is told to peers: it must not look different under a caller's settings.
    // The date in a default, printed day first, would be read month first.
    guc_level = enter_plain_settings();
    const auto count = static_cast<int>(params.size());
    if (plan == nullptr) plan = prepare_raw(sql.c_str(), params.data(), count);
    const RawResult result = RunRaw(plan, params.data(), count, fresh);
    if (keep) SPI_keepplan(plan);
    return result;
  });
  if (keep) plans.emplace(sql, plan);
  rows.reserve(raw.rows);
  for (uint64 row = 0; row < raw.rows; row++) {
    std::vector<std::optional<std::string>> cells(raw.columns);
    for (int column = 0; column < raw.columns; column++) {
      const char* cell = raw.cells[row * raw.columns + column];
      if (cell != nullptr) cells[column] = cell;
    }
    rows.emplace_back(std::move(cells));
  }
  Call([&] {
    AtEOXact_GUC(true, guc_level);
    SPI_finish();
  });
  return rows;
}

}  // namespace

std::vector<Row> CatalogQuery(const std::string& sql, const std::vector<Param>& params) {
  return RunQuery(sql, params, false);
}

std::vector<Row> FreshQuery(const std::string& sql, const std::vector<Param>& params) {
  return RunQuery(sql, params, true);
}

uint64 SpiExecute(const std::string& sql) {
  const char* text = sql.c_str();
  return Call([&] {
    const int result = SPI_execute(text, false, 0);
    if (result < 0) elog(ERROR, "SPI failed: %s", SPI_result_code_string(result));
    return SPI_processed;
  });
}

std::vector<std::string> ParseTextArray(const std::string& literal) {
  // The server's own parser reads it; a leaf leaves C strings behind.
  struct {
    char** elements;
    int count;
  } raw = Call([&] {
    Datum array = OidInputFunctionCall(F_ARRAY_IN, const_cast<char*>(literal.c_str()), TEXTOID, -1);
    Datum* elements;
    bool* nulls;
    int count;
    deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &elements,
                      &nulls, &count);
    auto** texts = static_cast<char**>(palloc(sizeof(char*) * (count + 1)));
    for (int i = 0; i < count; i++)
      texts[i] = nulls[i] ? pstrdup("") : TextDatumGetCString(elements[i]);
    return decltype(raw){texts, count};
  });
  return std::vector<std::string>(raw.elements, raw.elements + raw.count);
}

}  // namespace pgsync::pg
