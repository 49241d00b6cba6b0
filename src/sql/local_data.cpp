// SQL functions over the tables of this database: inspection, export, import, checksum.
#include <memory>

#include "catalog/definition.h"
#include "catalog/shareable.h"
#include "catalog/table.h"
#include "catalog/table_list.h"
#include "catalog/table_lock.h"
#include "core/text.h"
#include "engine/json_import.h"
#include "engine/scan.h"
#include "engine/strategy.h"
#include "rows/json_rows.h"
#include "rows/row_text.h"
#include "sql/function.h"
#include "sql/results.h"
#include "sql/value_set.h"

extern "C" {
#include "catalog/namespace.h"
#include "utils/builtins.h"
#include "utils/regproc.h"
}

namespace pgsync::sql {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

std::vector<const catalog::Column*> ColumnsAt(const catalog::Table& table,
                                              const std::vector<size_t>& positions) {
  std::vector<const catalog::Column*> columns;
  for (size_t position : positions)
    columns.push_back(&table.columns[position]);
  return columns;
}

// Rows of an export go straight into the function's result.
class ExportedRows : public rows::JsonRows {
 public:
  ExportedRows(const std::vector<const catalog::Column*>& columns, ValueSet& result)
      : JsonRows(columns), result_(result) {}

 protected:
  void take_object(Jsonb* object) override {
    result_.put(reinterpret_cast<const varlena*>(object));
  }

 private:
  ValueSet& result_;
};

// An inheritance parent means only itself, which may not be what was meant.
void NoticeInheritance(const catalog::Table& table) {
  if (!table.has_children) return;
  pg::Call([&] {
    ereport(NOTICE, (errmsg("rows of tables that inherit from \"%s\" are not included",
                            table.name.name.c_str())));
  });
}

std::shared_ptr<const catalog::Table> ReadableTable(Oid relation) {
  auto table = catalog::ReadLockedTable(relation);
  catalog::RequireReadable(*table);
  return table;
}

}  // namespace

PGSYNC_FUNCTION(pgsync_list_tables) {
  const Args args(fcinfo);
  catalog::ListOptions options;
  options.schema = args.OptionalName(0);
  options.exact_counts = args.Bool(1);
  options.include_phoenix_kit = args.Bool(2);
  SetResult result(fcinfo);
  for (const core::TableListEntry& entry : catalog::ListTables(options)) {
    result.Add(TableListCells(entry));
  }
  return result.Done();
}

PGSYNC_FUNCTION(pgsync_get_schema) {
  const auto kept = ReadableTable(Args(fcinfo).AsOid(0));
  const catalog::Table& table = *kept;
  core::JsonWriter json;
  catalog::Define(table).Write(json);
  return JsonbDatum(json.Take());
}

PGSYNC_FUNCTION(pgsync_get_count) {
  const auto kept = ReadableTable(Args(fcinfo).AsOid(0));
  const catalog::Table& table = *kept;
  NoticeInheritance(table);
  return Int64GetDatum(catalog::CountRows(table));
}

PGSYNC_FUNCTION(pgsync_table_exists) {
  const std::string name = Args(fcinfo).Text(0);
  const Oid relation = pg::Call([&] {
    // As to_regclass() finds it, without its errors for names that can be no table's.
    List* names = stringToQualifiedNameList(name.c_str());
    return RangeVarGetRelid(makeRangeVarFromNameList(names), NoLock, true);
  });
  if (!OidIsValid(relation)) return BoolGetDatum(false);
  const catalog::Table table = catalog::ReadTable(relation);
  return BoolGetDatum((table.ordinary() || table.partitioned()) && !table.in_system_schema);
}

PGSYNC_FUNCTION(pgsync_export) {
  if (!ValueSet::IsFirstCall(fcinfo)) return ValueSet::Next(fcinfo);
  const Args args(fcinfo);
  const auto kept = ReadableTable(args.AsOid(0));
  const catalog::Table& table = *kept;
  engine::ScanRequest request;
  request.columns = engine::PlainColumns(table);
  request.ordered = true;
  request.limit = args.Int8(1);
  request.offset = args.Int8(2);
  request.after = args.OptionalJson(3);
  engine::RequirePage(request);
  NoticeInheritance(table);
  ValueSet result(fcinfo);
  ExportedRows rows(ColumnsAt(table, request.columns), result);
  engine::ScanTable(table, request, rows);
  return result.Done();
}

PGSYNC_FUNCTION(pgsync_import) {
  const Args args(fcinfo);
  const Oid relation = args.AsOid(0);
  const Datum records = args.Get(1);
  const engine::Strategy strategy = engine::ParseStrategy(args.Text(2));
  const auto max_errors = args.OptionalInt8(3);
  engine::RequireNotNegative("max_errors", max_errors);
  const auto kept = catalog::ReadLockedTable(relation);
  const catalog::Table& table = *kept;
  catalog::RequireTransferable(table);

  const auto started = core::Clock::now();
  engine::RowErrors errors(max_errors);
  engine::ApplyCounts counts;
  Jsonb* json = pg::Call([&] { return DatumGetJsonbP(records); });
  engine::ImportJson(table, json, strategy, errors, counts);

  TransferResult result;
  result.table = table.name.Display();
  result.counts = counts;
  result.errors = errors.ToJson();
  result.error_count = errors.count();
  result.bytes = VARSIZE(json) - VARHDRSZ;
  result.duration =
      std::chrono::duration_cast<std::chrono::milliseconds>(core::Clock::now() - started);
  return RowResult(fcinfo, result.Cells());
}

PGSYNC_FUNCTION(pgsync_checksum) {
  const auto kept = ReadableTable(Args(fcinfo).AsOid(0));
  const catalog::Table& table = *kept;
  if (catalog::RowSecurityApplies(table.oid)) {
    throw Error(sqlstate::kInsufficientPrivilege,
                Cat("cannot compute the checksum of table \"", table.name.ForMessage(), "\""))
        .WithDetail("Row level security may hide rows of it from the current role.");
  }
  NoticeInheritance(table);
  engine::ScanRequest request;
  request.columns = engine::PlainColumns(table);
  rows::DigestRows digest(ColumnsAt(table, request.columns));
  engine::ScanTable(table, request, digest);
  return TextDatum(digest.digest().ToString());
}

}  // namespace pgsync::sql
