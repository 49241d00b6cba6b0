#include "catalog/phoenix_info.h"

#include <algorithm>

#include "pg/query.h"

namespace pgsync::catalog {

core::TableInfo PhoenixInfo(const Table& table) {
  core::TableInfo info = table.ToInfo();
  for (size_t i = 0; i < table.columns.size(); i++) {
    const Column& column = table.columns[i];
    if (column.facts.base == column.type) continue;
    const auto rows = pg::CatalogQuery(
        "SELECT format_type($1, $2::int)",
        {pg::Param::OfOid(column.facts.base), pg::Param::OfInt8(column.facts.base_typmod)});
    info.columns[i].type = DdlType(rows.at(0).Text(0));
  }
  const auto generated =
      std::remove_if(info.columns.begin(), info.columns.end(),
                     [](const core::ColumnInfo& column) { return column.generated; });
  info.columns.erase(generated, info.columns.end());
  return info;
}

}  // namespace pgsync::catalog
