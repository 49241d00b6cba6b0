#include "server/phoenix_tables.h"

#include "catalog/table_list.h"
#include "catalog/table_lock.h"
#include "core/text.h"
#include "pg/query.h"

extern "C" {
#include "executor/spi.h"
}

namespace pgsync::server {

using core::Cat;

namespace {

constexpr int64 kMostRows = 10000;
constexpr int64 kMostBytes = 256 * 1024 * 1024;  // the text of all rows is one value

// To the letter what PhoenixKit runs: both sides compare what comes out.
std::optional<std::string> Checksum(const catalog::TableName& name) {
  // What may have become of it since it was listed: see LockTable().
  if (!catalog::LockTable(name, catalog::FindRelation(name))) return std::nullopt;
  const std::string sql =
      Cat("SELECT pg_catalog.md5(pg_catalog.string_agg(t::text, '' ORDER BY t::text)) FROM ",
          name.Qualified(), " t");
  std::string checksum;
  pg::WithSpi([&] {
    const char* text = pg::Call([&] {
      const int result = SPI_execute(sql.c_str(), true, 1);
      if (result != SPI_OK_SELECT) elog(ERROR, "SPI failed: %s", SPI_result_code_string(result));
      return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
    });
    if (text != nullptr) checksum = text;
  });
  return checksum.empty() ? "empty" : checksum;
}

// As PhoenixKit knows tables: by their bare names, and those of schema public alone.
std::vector<std::string> BareNames(const std::vector<std::string>& tables) {
  std::vector<std::string> names;
  for (const std::string& text : tables) {
    const catalog::TableName name = catalog::ParseTableName(text);
    if (name.schema == "public") names.push_back(name.name);
  }
  return names;
}

}  // namespace

void PhoenixTable::Write(core::JsonWriter& json) const {
  json.BeginObject().Field("name", entry.name);
  json.Field("row_count", entry.row_count.value_or(0)).Field("size_bytes", entry.size_bytes);
  json.OptionalField("checksum", checksum).Field("depends_on", entry.depends_on).EndObject();
}

std::vector<PhoenixTable> ListPhoenixTables(const ConnectionGuard& guard) {
  catalog::ListOptions options;
  options.schema = "public";
  std::vector<PhoenixTable> tables;
  for (core::TableListEntry& entry : catalog::ListTables(options)) {
    const catalog::TableName name{entry.schema, entry.name};
    if (!guard.Shares(name)) continue;
    PhoenixTable table;
    // It tells of all rows: not of those that somebody has to agree to first.
    const bool waits = core::RequiresApproval(guard.policy(), {entry.schema, entry.name});
    if (!waits && entry.row_count.value_or(0) <= kMostRows && entry.size_bytes <= kMostBytes)
      table.checksum = Checksum(name);
    table.entry = std::move(entry);
    table.entry.depends_on = BareNames(table.entry.depends_on);
    tables.push_back(std::move(table));
  }
  return tables;
}

}  // namespace pgsync::server
