// What PhoenixKit sites say of their tables, as this extension keeps it.
#pragma once

#include <string>
#include <vector>

#include "core/json.h"
#include "core/table_info.h"

namespace pgsync::core {

/// Reads a schema of either way (WebSocket, JSON API); the table's name is `table` where it says
/// none. Raises 08P01.
TableInfo ReadPhoenixTable(const JsonObject& schema, const std::string& table);

/// Reads one entry of a list of either way. Raises 08P01.
TableListEntry ReadPhoenixListEntry(const JsonObject& entry);

/// The records of a reply, or null. Raises 08P01 unless they are an array of objects.
const JsonValue& RequireRecords(const JsonValue* records);

/// JSON for PostgreSQL's text of a value of that type, as a schema names it: numbers, booleans and
/// JSON as such, all else as a string.
void WriteValueOfText(JsonWriter& json, std::string_view text, std::string_view type);

}  // namespace pgsync::core
