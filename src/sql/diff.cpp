// SQL functions that compare tables of a peer with those of this database.
#include "client/handles.h"
#include "client/progress_report.h"
#include "client/schema_comparison.h"
#include "client/table_pair.h"
#include "engine/compare.h"
#include "rows/json_rows.h"
#include "sql/function.h"
#include "sql/results.h"

extern "C" {
#include "utils/builtins.h"
}

namespace pgsync::sql {

namespace {

// A row as a jsonb object that outlives the next one.
class RowObject : public rows::JsonRows {
 public:
  using JsonRows::JsonRows;

  // A leaf; the object is in the current context.
  Jsonb* make(TupleTableSlot* slot) {
    take_row(slot);
    return object_;
  }

 protected:
  void take_object(Jsonb* object) override {
    object_ = static_cast<Jsonb*>(palloc(VARSIZE(object)));
    memcpy(object_, object, VARSIZE(object));
  }

 private:
  Jsonb* object_ = nullptr;
};

// The members of a row's object that make up its key.
Jsonb* key_of(Jsonb* row, const std::vector<std::string>& names) {
  JsonbParseState* state = nullptr;
  pushJsonbValue(&state, WJB_BEGIN_OBJECT, nullptr);
  for (const std::string& column : names) {
    JsonbValue name, value;
    rows::set_json_string(&name, column.data(), column.size());
    (void)getKeyJsonValueFromContainer(&row->root, column.data(), static_cast<int>(column.size()),
                                       &value);
    pushJsonbValue(&state, WJB_KEY, &name);
    pushJsonbValue(&state, WJB_VALUE, &value);
  }
  return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, nullptr));
}

// The differences as rows of the function's result.
class DiffRows : public engine::CompareVisitor {
 public:
  DiffRows(const std::vector<const catalog::Column*>& columns, std::vector<std::string> key,
           std::optional<int64> limit, ReturnSetInfo* result)
      : row_(columns), key_(std::move(key)), left_(limit), result_(result) {}

  void insert_row(TupleTableSlot* remote) override { put("insert", nullptr, row_.make(remote)); }
  void update_row(TupleTableSlot* local, TupleTableSlot* remote) override {
    Jsonb* ours = row_.make(local);
    put("update", ours, row_.make(remote));
  }
  void delete_row(TupleTableSlot* local) override { put("delete", row_.make(local), nullptr); }
  bool satisfied() const override { return left_ && *left_ <= 0; }

 private:
  void put(const char* kind, Jsonb* local, Jsonb* remote) {
    if (left_) --*left_;
    Jsonb* key = key_.empty() ? nullptr : key_of(local != nullptr ? local : remote, key_);
    Datum values[] = {CStringGetTextDatum(kind), PointerGetDatum(key), PointerGetDatum(local),
                      PointerGetDatum(remote)};
    bool nulls[] = {false, key == nullptr, local == nullptr, remote == nullptr};
    tuplestore_putvalues(result_->setResult, result_->setDesc, values, nulls);
  }

  RowObject row_;
  std::vector<std::string> key_;
  std::optional<int64> left_;  // how many more rows are wanted
  ReturnSetInfo* result_;
};

}  // namespace

PGSYNC_FUNCTION(pgsync_diff) {
  const Args args(fcinfo);
  const client::UseHandle handle(args.Int4(0));
  const std::string remote = args.Text(1);
  const auto local = args.OptionalText(2);
  const auto limit = args.OptionalInt8(3);
  engine::RequireNotNegative("row_limit", limit);
  SetResult result(fcinfo);

  client::ProgressReport report(handle.handle().id, handle.handle().url, "receive");
  report.Phase("opening");
  const client::TablePair pair = client::OpenPair(handle.peer(), remote, local);
  report.Table(pair.local.name.Display(), pair.remote.row_estimate.value_or(-1));
  report.Phase("comparing");
  engine::LoadRequest request = pair.LoadRequest();
  request.progress = [&](int64 rows, int64 bytes) { report.Advance(rows, bytes); };

  std::vector<const catalog::Column*> columns;
  for (size_t position : request.columns)
    columns.push_back(&pair.local.columns[position]);
  std::vector<std::string> key;
  if (engine::ComparedByKey(request)) {
    for (size_t position : pair.local.row_key->columns)
      key.push_back(pair.local.columns[position].name);
  }
  DiffRows rows(columns, std::move(key), limit, result.info());
  const auto feed = handle.peer().Rows(pair.RowsRequest());
  engine::CompareRows(request, *feed, rows);
  return result.Done();
}

PGSYNC_FUNCTION(pgsync_compare_schema) {
  const Args args(fcinfo);
  const client::UseHandle handle(args.Int4(0));
  const auto tables = args.OptionalTexts(1);
  SetResult result(fcinfo);
  for (const client::TableDifferences& table : client::CompareSchemas(handle.peer(), tables)) {
    for (const core::SchemaDifference& difference : table.differences)
      result.Add({table.table, difference.kind, difference.local, difference.remote});
  }
  return result.Done();
}

}  // namespace pgsync::sql
