// sync_create_table(): a table from a definition in JSON.
#include "catalog/create_table.h"
#include "pg/encoding.h"
#include "sql/function.h"

namespace pgsync::sql {

namespace {

core::TableInfo ReadDefinition(const std::string& json) {
  try {
    const core::JsonDocument document = pg::ParsePeerJson(pg::ToUtf8(json), "table definition");
    return core::TableInfo::Read(core::JsonObject(document, "table definition"));
  } catch (const core::Error& error) {
    // Here it is an argument, not a peer's message.
    throw core::Error(core::sqlstate::kInvalidParameter, "invalid table definition")
        .WithDetail(error.detail())
        .WithHint("Pass what sync_get_schema() has returned.");
  }
}

}  // namespace

PGSYNC_FUNCTION(pgsync_create_table) {
  const Args args(fcinfo);
  const catalog::TableName name = catalog::ParseTableName(args.Text(0));
  const core::TableInfo definition = ReadDefinition(args.Json(1));
  return ObjectIdGetDatum(catalog::CreateTables({{name, &definition}}).at(0));
}

}  // namespace pgsync::sql
