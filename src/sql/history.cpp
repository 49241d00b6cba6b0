// SQL functions over the history of transfers.
#include "connection/history.h"

#include "catalog/names.h"
#include "connection/connection.h"
#include "core/text.h"
#include "engine/strategy.h"
#include "pg/identity.h"
#include "pg/query.h"
#include "sql/function.h"

extern "C" {
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"
}

namespace pgsync::sql {

using core::Cat;
using core::Error;
using pg::Param;
namespace sqlstate = core::sqlstate;

namespace {

std::string UuidText(Datum value) {
  return pg::Call([&] { return DatumGetCString(DirectFunctionCall1(uuid_out, value)); });
}

Datum TransferRow(FunctionCallInfo fcinfo, const std::string& uuid) {
  const std::string view = connection::TableOf("sync_transfer_list");
  const auto rows = [&] {
    pg::UserScope owner(catalog::ExtensionOwner());
    return pg::CatalogQuery(Cat("SELECT * FROM ", view, " WHERE uuid = $1::uuid"),
                            {Param::OfText(uuid)});
  }();
  return RowResult(fcinfo, rows.at(0).cells());
}

}  // namespace

PGSYNC_FUNCTION(pgsync_approve_transfer) {
  const std::string uuid = UuidText(Args(fcinfo).Get(0));
  connection::ApproveTransfer(uuid);
  return TransferRow(fcinfo, uuid);
}

PGSYNC_FUNCTION(pgsync_deny_transfer) {
  const Args args(fcinfo);
  const std::string uuid = UuidText(args.Get(0));
  connection::DenyTransfer(uuid, args.OptionalText(1));
  return TransferRow(fcinfo, uuid);
}

PGSYNC_FUNCTION(pgsync_connection_stats) {
  const std::string uuid = connection::GetConnection(Args(fcinfo).Text(0)).uuid;
  const std::string table = connection::TableOf("sync_transfers");
  const auto rows = [&] {
    pg::UserScope owner(catalog::ExtensionOwner());
    return pg::CatalogQuery(Cat("SELECT count(*), count(*) FILTER (WHERE status = 'completed'), "
                                "count(*) FILTER (WHERE status = 'failed'), "
                                "coalesce(sum(records_created + records_updated), 0), "
                                "coalesce(sum(bytes_transferred), 0) FROM ",
                                table, " WHERE connection_uuid = $1::uuid"),
                            {Param::OfText(uuid)});
  }();
  return RowResult(fcinfo, rows.at(0).cells());
}

PGSYNC_FUNCTION(pgsync_table_stats) {
  const Args args(fcinfo);
  const auto direction = args.OptionalText(0);
  if (direction) engine::RequireWord("direction", *direction, {"send", "receive"});
  std::optional<std::string> uuid;
  if (const auto which = args.OptionalText(1)) uuid = connection::GetConnection(*which).uuid;
  connection::RequireAvailable();
  const auto time = [&](int i) {
    std::optional<int64_t> value;
    if (!args.IsNull(i)) value = DatumGetTimestampTz(args.Get(i));
    return Param::OfTimestamp(value);
  };
  const std::string table = connection::TableOf("sync_transfers");
  const auto rows = [&] {
    pg::UserScope owner(catalog::ExtensionOwner());
    return pg::CatalogQuery(
        Cat("SELECT table_name, count(*), sum(records_created + records_updated), "
            "sum(bytes_transferred) FROM ",
            table,
            " WHERE status = 'completed' AND ($1 IS NULL OR direction = $1) "
            "AND ($2 IS NULL OR connection_uuid = $2::uuid) "
            "AND ($3 IS NULL OR inserted_at >= $3) AND ($4 IS NULL OR inserted_at <= $4) "
            "GROUP BY table_name ORDER BY count(*) DESC, table_name"),
        {Param::OfText(direction), Param::OfText(uuid), time(2), time(3)});
  }();
  SetResult result(fcinfo);
  for (const pg::Row& row : rows)
    result.Add(row.cells());
  return result.Done();
}

PGSYNC_FUNCTION(pgsync_purge_transfers) {
  const Args args(fcinfo);
  (void)args.Get(0);
  const auto age = args.OptionalInterval(0).value();
  if (age.count() < 0) {
    throw Error(sqlstate::kInvalidParameter, "argument \"older_than\" must not be negative");
  }
  return Int64GetDatum(connection::PurgeTransfers(age.count()));
}

}  // namespace pgsync::sql
