// Definitions of tables as PhoenixKit writes and reads them.
#pragma once

#include "core/table_info.h"

namespace pgsync::core {

/// What PhoenixKit's create_table() needs; types are those under all domains, and stored generated
/// columns are not there.
enum class PhoenixSchema {
  kWebSocket,  ///< table, schema, columns[name, type, …], primary_key
  kHttp        ///< and with what information_schema calls these things beside them
};
void WritePhoenixSchema(JsonWriter& json, const TableInfo& table, PhoenixSchema shape);

/// What information_schema.columns.data_type says of a column whose type and base_type are set.
std::string InformationSchemaType(const ColumnInfo& column);

/// Reads a column that PhoenixKit has described, in either shape. Lengths, precision and scale that
/// stand beside a bare type become part of it.
ColumnInfo ReadPhoenixColumn(const JsonObject& json);

}  // namespace pgsync::core
