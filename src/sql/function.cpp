#include "sql/function.h"

#include "core/text.h"
#include "pg/memory.h"
#include "pg/query.h"
#include "session/shared_memory.h"

extern "C" {
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
}

namespace pgsync::sql {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

// The log shows neither the statement nor, where the call is part of another (`argument` is not
// null), what these say of it: the client is told.
void hide_secrets(void* argument) {
  errhidestmt(true);
  if (argument != nullptr) errhidecontext(true);
}

}  // namespace

Datum call_body(FunctionCallInfo fcinfo, Datum (*body)(FunctionCallInfo), bool secret) {
  Datum result = 0;
  ErrorContextCallback callback;
  if (secret) {
    const char* name = get_func_name(fcinfo->flinfo->fn_oid);
    pgstat_report_activity(STATE_RUNNING, name ? name : "sync");
    callback.callback = hide_secrets;
    callback.arg = error_context_stack;
    callback.previous = error_context_stack;
    error_context_stack = &callback;
  }
  pg::Enter(
      [&] {
        session::RequireMatchingLibrary();
        result = body(fcinfo);
      },
      secret);
  if (secret) error_context_stack = callback.previous;
  return result;
}

std::string Args::NameOf(int i) const {
  const auto rows =
      pg::CatalogQuery("SELECT proargnames[$2] FROM pg_proc WHERE oid = $1",
                       {pg::Param::OfOid(fcinfo_->flinfo->fn_oid), pg::Param::OfInt8(i + 1)});
  return rows.empty() ? std::to_string(i + 1) : rows[0].Text(0);
}

Datum Args::Get(int i) const {
  if (!IsNull(i)) return fcinfo_->args[i].value;
  throw Error(sqlstate::kNullNotAllowed, Cat("argument \"", NameOf(i), "\" must not be null"));
}

std::string Args::Text(int i) const {
  const Datum value = Get(i);
  return pg::Call([&] { return TextDatumGetCString(value); });
}

std::string Args::AsName(int i) const {
  return NameStr(*reinterpret_cast<NameData*>(DatumGetPointer(Get(i))));
}

std::string Args::Json(int i) const {
  const Datum value = Get(i);
  return pg::Call([&] {
    Jsonb* json = DatumGetJsonbP(value);
    return JsonbToCString(nullptr, &json->root, VARSIZE(json));
  });
}

std::optional<int32> Args::OptionalInt4(int i) const {
  return IsNull(i) ? std::nullopt : std::optional(Int4(i));
}
std::optional<int64> Args::OptionalInt8(int i) const {
  return IsNull(i) ? std::nullopt : std::optional(Int8(i));
}
std::optional<std::string> Args::OptionalText(int i) const {
  return IsNull(i) ? std::nullopt : std::optional(Text(i));
}
std::optional<std::string> Args::OptionalName(int i) const {
  return IsNull(i) ? std::nullopt : std::optional(AsName(i));
}
std::optional<std::string> Args::OptionalJson(int i) const {
  return IsNull(i) ? std::nullopt : std::optional(Json(i));
}

namespace {
struct Elements {
  Datum* values;
  bool* nulls;
  int count;
};

Elements ElementsOf(Datum array, Oid type, int length, bool by_value, char align) {
  return pg::Call([&] {
    Elements elements;
    deconstruct_array(DatumGetArrayTypeP(array), type, length, by_value, align, &elements.values,
                      &elements.nulls, &elements.count);
    return elements;
  });
}
}  // namespace

std::optional<std::vector<std::string>> Args::OptionalTexts(int i) const {
  if (IsNull(i)) return std::nullopt;
  const Elements elements = ElementsOf(Get(i), TEXTOID, -1, false, TYPALIGN_INT);
  std::vector<std::string> texts;
  for (int k = 0; k < elements.count; k++) {
    if (elements.nulls[k]) {
      throw Error(sqlstate::kNullNotAllowed,
                  Cat("argument \"", NameOf(i), "\" must not contain nulls"));
    }
    texts.emplace_back(pg::Call([&] { return TextDatumGetCString(elements.values[k]); }));
  }
  return texts;
}

std::optional<std::vector<Oid>> Args::OptionalOids(int i) const {
  if (IsNull(i)) return std::nullopt;
  const Elements elements = ElementsOf(Get(i), REGCLASSOID, sizeof(Oid), true, TYPALIGN_INT);
  std::vector<Oid> oids;
  for (int k = 0; k < elements.count; k++) {
    if (elements.nulls[k]) {
      throw Error(sqlstate::kNullNotAllowed,
                  Cat("argument \"", NameOf(i), "\" must not contain nulls"));
    }
    oids.push_back(DatumGetObjectId(elements.values[k]));
  }
  return oids;
}

std::optional<std::chrono::milliseconds> Args::OptionalInterval(int i) const {
  if (IsNull(i)) return std::nullopt;
  const Interval* interval = DatumGetIntervalP(Get(i));
  // In days first: a hostile number of months must not overflow.
  const double days =
      interval->month * 30.0 + interval->day + interval->time / double(USECS_PER_DAY);
  if (days > 100000 || days < -100000) {
    throw Error(sqlstate::kInvalidParameter, Cat("argument \"", NameOf(i), "\" is out of range"));
  }
  const int64 milliseconds =
      (interval->month * INT64CONST(30) + interval->day) * 86400000 + interval->time / 1000;
  return std::chrono::milliseconds(milliseconds);
}

Cell TextArrayCell(const std::vector<std::string>& values) {
  std::string out = "{";
  for (const std::string& value : values) {
    if (out.size() > 1) out.push_back(',');
    out.push_back('"');
    for (char c : value) {
      if (c == '"' || c == '\\') out.push_back('\\');
      out.push_back(c);
    }
    out.push_back('"');
  }
  out.push_back('}');
  return out;
}

Cell TimestampCell(int64 timestamp) {
  if (timestamp == 0) return std::nullopt;
  return std::string(pg::Call([&] { return timestamptz_to_str(timestamp); }));
}

Cell IntervalCell(std::chrono::milliseconds duration) {
  return Cat(duration.count(), " milliseconds");
}

Datum TextDatum(const std::string& text) {
  return pg::Call([&] {
    return PointerGetDatum(cstring_to_text_with_len(text.data(), static_cast<int>(text.size())));
  });
}

Datum JsonbDatum(const std::string& json) {
  return pg::Call([&] { return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.c_str())); });
}

namespace {
// BuildTupleFromCStrings wants C strings; null pointers are nulls.
std::vector<char*> Pointers(const std::vector<Cell>& cells) {
  std::vector<char*> pointers;
  for (const Cell& cell : cells) {
    pointers.push_back(cell ? const_cast<char*>(cell->c_str()) : nullptr);
  }
  return pointers;
}
}  // namespace

Datum RowResult(FunctionCallInfo fcinfo, const std::vector<Cell>& cells) {
  std::vector<char*> pointers = Pointers(cells);
  return pg::Call([&] {
    TupleDesc desc;
    if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE) {
      elog(ERROR, "return type must be a row type");
    }
    desc = BlessTupleDesc(desc);
    if (static_cast<size_t>(desc->natts) != pointers.size()) elog(ERROR, "wrong number of columns");
    return HeapTupleGetDatum(
        BuildTupleFromCStrings(TupleDescGetAttInMetadata(desc), pointers.data()));
  });
}

SetResult::SetResult(FunctionCallInfo fcinfo) : fcinfo_(fcinfo) {
  info_ = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
  meta_ = pg::Call([&]() -> AttInMetadata* {
    TupleDesc desc;
    const bool rows = get_call_result_type(fcinfo, nullptr, &desc) == TYPEFUNC_COMPOSITE;
    InitMaterializedSRF(fcinfo, rows ? 0 : MAT_SRF_USE_EXPECTED_DESC);
    return TupleDescGetAttInMetadata(info_->setDesc);
  });
}

void SetResult::Add(const std::vector<Cell>& cells) {
  std::vector<char*> pointers = Pointers(cells);
  pg::Call([&] {
    if (static_cast<size_t>(info_->setDesc->natts) != pointers.size()) {
      elog(ERROR, "wrong number of columns");
    }
    HeapTuple tuple = BuildTupleFromCStrings(meta_, pointers.data());
    tuplestore_puttuple(info_->setResult, tuple);
    heap_freetuple(tuple);
  });
}

void SetResult::AddDatum(Datum value) {
  pg::Call([&] {
    bool is_null = false;
    tuplestore_putvalues(info_->setResult, info_->setDesc, &value, &is_null);
  });
}

}  // namespace pgsync::sql
