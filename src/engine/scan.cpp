#include "engine/scan.h"

#include <memory>

#include "core/text.h"
#include "engine/scan_plan.h"
#include "pg/query.h"
#include "rows/canonical.h"
#include "rows/json_type.h"

extern "C" {
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "tcop/dest.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/relcache.h"
}

namespace pgsync::engine {

using catalog::QuoteIdentifier;
using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

// The executor's view of a RowConsumer.
struct ConsumerDest {
  DestReceiver receiver;
  rows::RowConsumer* consumer;
  const Oid* types;  // of the columns that the consumer expects
  int count;
};

bool receive_slot(TupleTableSlot* slot, DestReceiver* self) {
  CHECK_FOR_INTERRUPTS();
  rows::RowConsumer* consumer = reinterpret_cast<ConsumerDest*>(self)->consumer;
  consumer->take_row(slot);
  return !consumer->done();
}

// The table may have been changed since it was read. Who takes an integer for a pointer crashes.
void start_up(DestReceiver* self, int, TupleDesc desc) {
  const auto* dest = reinterpret_cast<ConsumerDest*>(self);
  bool same = desc->natts == dest->count;
  for (int i = 0; same && i < desc->natts; i++)
    same = TupleDescAttr(desc, i)->atttypid == dest->types[i];
  if (same) return;
  ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                  errmsg("definition of the table was changed while it was being read")));
}
void nothing(DestReceiver*) {}

uint64 run_plan(SPIPlanPtr plan, const ScanParam* params, int count, const Oid* column_types,
                int columns, rows::RowConsumer* consumer) {
  ConsumerDest dest = {};
  dest.receiver.receiveSlot = receive_slot;
  dest.receiver.rStartup = start_up;
  dest.receiver.rShutdown = nothing;
  dest.receiver.rDestroy = nothing;
  dest.receiver.mydest = DestNone;
  dest.consumer = consumer;
  dest.types = column_types;
  dest.count = columns;

  ParamListInfo list = count > 0 ? makeParamList(count) : nullptr;
  for (int i = 0; i < count; i++)
    list->params[i] = {params[i].value, false, PARAM_FLAG_CONST, params[i].type};
  SPIExecuteOptions options = {};
  options.params = list;
  options.read_only = true;
  options.dest = &dest.receiver;
  const int result = SPI_execute_plan_extended(plan, &options);
  if (result < 0) elog(ERROR, "SPI failed: %s", SPI_result_code_string(result));
  return SPI_processed;
}

// The values of the key in `after`, as parameters of the key columns' types.
std::vector<ScanParam> KeyParams(const catalog::Table& table, const std::string& after,
                                 MemoryContext context) {
  const catalog::Key& key = *table.row_key;
  Jsonb* object = pg::Call([&] {
    Jsonb* parsed = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(after.c_str())));
    return JB_ROOT_IS_OBJECT(parsed) ? parsed : nullptr;
  });
  if (object == nullptr) {
    throw Error(sqlstate::kInvalidParameter, "argument \"after\" must be a JSON object");
  }
  std::vector<ScanParam> params;
  for (size_t position : key.columns) {
    const catalog::Column& column = table.columns[position];
    rows::JsonType type(column.facts.base, column.facts.base_typmod, context);
    rows::CanonicalSettings settings(type.text());
    bool missing = false;
    const Datum value = pg::Call([&] {
      JsonbValue found;
      bool is_null = true;
      Datum result = 0;
      if (getKeyJsonValueFromContainer(&object->root, column.name.data(),
                                       static_cast<int>(column.name.size()), &found) != nullptr) {
        settings.enter();
        result = type.from_json(&found, &is_null);
        settings.leave();
      }
      missing = is_null;
      return result;
    });
    if (missing) {
      throw Error(sqlstate::kInvalidParameter,
                  Cat("argument \"after\" lacks key column \"", column.name, "\""))
          .WithHint("Pass the key columns of the last row of the page before.");
    }
    params.push_back({column.facts.base, value});
  }
  return params;
}

// (a, b) > ($1, $2) with the operators of the key's own index: of several columns a >= $1 lets the
// index be used, the rest is exact.
std::string BehindKey(const catalog::Table& table) {
  const catalog::Key& key = *table.row_key;
  auto column = [&](size_t i) { return QuoteIdentifier(table.columns[key.columns[i]].name); };
  if (key.columns.size() == 1)
    return Cat(column(0), " OPERATOR(", key.Operator(catalog::Comparison::kGreater, 0), ") $1");
  std::string condition =
      Cat(column(0), " OPERATOR(", key.Operator(catalog::Comparison::kGreaterOrEqual, 0), ") $1");
  std::string alternatives;
  for (size_t i = 0; i < key.columns.size(); i++) {
    std::string part;
    for (size_t j = 0; j < i; j++) {
      part += Cat(column(j), " OPERATOR(", key.Operator(catalog::Comparison::kEqual, j), ") $",
                  j + 1, " AND ");
    }
    part +=
        Cat(column(i), " OPERATOR(", key.Operator(catalog::Comparison::kGreater, i), ") $", i + 1);
    alternatives += Cat(i == 0 ? "" : " OR ", "(", part, ")");
  }
  return Cat(condition, " AND (", alternatives, ")");
}

std::string OrderClause(const catalog::Table& table) {
  if (table.row_key) {
    std::vector<std::string> parts;
    for (size_t i = 0; i < table.row_key->columns.size(); i++) {
      parts.push_back(Cat(QuoteIdentifier(table.columns[table.row_key->columns[i]].name),
                          " USING OPERATOR(",
                          table.row_key->Operator(catalog::Comparison::kLess, i), ")"));
    }
    return core::Join(parts, ", ");
  }
  if (table.partitioned()) return "tableoid, ctid";
  if (table.kind == RELKIND_RELATION || table.kind == RELKIND_MATVIEW) return "ctid";
  return std::string();
}

// Whether a scan of these columns hands over its rows as they are in the table, so that their slots
// tell where that is. The executor puts rows together anew where a column has a value for the rows
// that were there before it.
bool AsStored(const catalog::Table& table, const std::vector<size_t>& columns) {
  if (!table.ordinary()) return false;
  for (size_t i = 0; i < columns.size(); i++) {
    if (table.columns[columns[i]].number != static_cast<int16>(i + 1)) return false;
  }
  const Oid oid = table.oid;
  return pg::Call([&] {
    Relation rel = RelationIdGetRelation(oid);
    if (rel == nullptr) return false;
    TupleDesc desc = RelationGetDescr(rel);
    bool same = desc->natts == static_cast<int>(columns.size());
    for (int i = 0; same && i < desc->natts; i++)
      same = !TupleDescAttr(desc, i)->atthasmissing;
    RelationClose(rel);
    return same;
  });
}

std::vector<ScanParam> PlaceParams(const PlacedRows& rows) {
  const ItemPointerData* const places = rows.places.data();
  const size_t count = rows.places.size();
  const Oid* const oids = rows.tables.data();
  const auto oid_count = static_cast<int>(rows.tables.size());
  const Datum tables = pg::Call([&] {
    auto* values = static_cast<Datum*>(palloc(sizeof(Datum) * (oid_count + 1)));
    for (int i = 0; i < oid_count; i++)
      values[i] = ObjectIdGetDatum(oids[i]);
    return PointerGetDatum(
        construct_array(values, oid_count, OIDOID, sizeof(Oid), true, TYPALIGN_INT));
  });
  const Datum array = pg::Call([&] {
    auto* values = static_cast<Datum*>(palloc(sizeof(Datum) * (count + 1)));
    for (size_t i = 0; i < count; i++)
      values[i] = PointerGetDatum(&places[i]);
    return PointerGetDatum(construct_array(values, static_cast<int>(count), TIDOID,
                                           sizeof(ItemPointerData), false, TYPALIGN_SHORT));
  });
  return {{OIDARRAYOID, tables}, {TIDARRAYOID, array}};
}

// A page that is likely to be asked for again, from behind another key. Limit and offset are part
// of the statement, for its plan depends on them: at another offset it is another statement.
bool IsPage(const ScanRequest& request) {
  return request.limit && request.offset == 0 && request.among == nullptr && request.filter.empty();
}

}  // namespace

RowPlace place_of(TupleTableSlot* slot, int columns) {
  if (TTS_IS_BUFFERTUPLE(slot)) return {slot->tts_tableOid, &slot->tts_tid};
  if (slot->tts_tupleDescriptor->natts != columns + 2) elog(ERROR, "row has no place");
  slot_getsomeattrs(slot, columns + 2);
  return {DatumGetObjectId(slot->tts_values[columns]),
          reinterpret_cast<ItemPointerData*>(DatumGetPointer(slot->tts_values[columns + 1]))};
}

std::vector<size_t> PlainColumns(const catalog::Table& table) {
  std::vector<size_t> positions;
  for (size_t i = 0; i < table.columns.size(); i++) {
    if (!table.columns[i].stored_generated()) positions.push_back(i);
  }
  return positions;
}

void RequirePage(const ScanRequest& request) {
  if (request.limit && *request.limit < 0) {
    throw Error(sqlstate::kInvalidParameter, "argument \"row_limit\" must not be negative");
  }
  if (request.offset < 0) {
    throw Error(sqlstate::kInvalidParameter, "argument \"row_offset\" must not be negative");
  }
}

uint64 ScanTable(const catalog::Table& table, const ScanRequest& request,
                 rows::RowConsumer& consumer) {
  if (request.after && !table.row_key) {
    throw Error(sqlstate::kInvalidForeignKey,
                Cat("table \"", table.name.ForMessage(), "\" has no key to go on behind"))
        .WithHint("Use row_offset for a table without a primary key.");
  }
  if (!request.filter.empty() && !table.row_key) {
    throw Error(sqlstate::kInvalidForeignKey,
                Cat("table \"", table.name.ForMessage(), "\" has no key to choose rows by"));
  }
  std::vector<std::string> columns;
  std::vector<Oid> types;
  for (size_t position : request.columns) {
    columns.push_back(QuoteIdentifier(table.columns[position].name));
    types.push_back(table.columns[position].type);
  }
  if (request.places && !AsStored(table, request.columns)) {
    columns.insert(columns.end(), {"tableoid", "ctid"});
    types.insert(types.end(), {OIDOID, TIDOID});
  }
  std::string sql = Cat("SELECT ", core::Join(columns, ", "), " FROM ", table.FromClause());
  const bool ordered = request.ordered || request.limit || request.offset > 0 || request.after;
  if (request.after) sql += Cat(" WHERE ", BehindKey(table));
  if (request.among != nullptr) {
    sql +=
        " WHERE tableoid OPERATOR(pg_catalog.=) ANY ($1) AND ctid OPERATOR(pg_catalog.=) ANY ($2)";
  }
  pg::OwnedContext parameters("sync scan parameters");
  std::vector<ScanParam> params;
  if (!request.filter.empty()) {
    pg::ContextScope scope(parameters.get());
    sql += Cat(" WHERE ", KeyCondition(table, request.filter, &params));
  }
  const std::string order = ordered ? OrderClause(table) : std::string();
  if (!order.empty()) sql += Cat(" ORDER BY ", order);
  if (request.limit) sql += Cat(" LIMIT ", *request.limit);
  if (request.offset > 0) sql += Cat(" OFFSET ", request.offset);

  uint64 rows = 0;
  pg::WithSpi([&] {
    if (request.after) {
      pg::ContextScope scope(parameters.get());
      params = KeyParams(table, *request.after, parameters.get());
    }
    if (request.among != nullptr) {
      pg::ContextScope scope(parameters.get());
      params = PlaceParams(*request.among);
    }
    // A row that another process has scanned has no place.
    const int options = request.first_rows ? CURSOR_OPT_FAST_PLAN
                        : request.places   ? 0
                                           : CURSOR_OPT_PARALLEL_OK;
    std::vector<Oid> param_types;
    for (const ScanParam& param : params)
      param_types.push_back(param.type);
    const auto plan = IsPage(request)
                          ? KeptPlan(sql, param_types, options, table.oid)
                          : std::make_shared<const ScanPlan>(sql, param_types, options, false);
    rows = pg::Call([&] {
      return run_plan(plan->get(), params.data(), static_cast<int>(params.size()), types.data(),
                      static_cast<int>(types.size()), &consumer);
    });
  });
  return rows;
}

}  // namespace pgsync::engine
