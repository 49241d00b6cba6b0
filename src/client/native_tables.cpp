// What a peer of the native protocol says of its tables.
#include "client/native_connection.h"

namespace pgsync::client {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

std::string RequestOf(const std::vector<std::string>& tables) {
  core::JsonWriter json;
  json.BeginObject().Field("tables", tables).EndObject();
  return pg::ToUtf8(json.Take());
}

template <typename Entry>
std::vector<Entry> ReadTables(const core::JsonDocument& reply) {
  std::vector<Entry> entries;
  for (const core::JsonObject& entry :
       core::JsonObject(reply, "reply of the peer").Objects("tables")) {
    entries.push_back(Entry::Read(entry));
  }
  return entries;
}

}  // namespace

std::vector<core::TableListEntry> NativePeer::ListTables(const std::optional<std::string>& schema,
                                                         bool exact_counts) {
  std::string operation = Cat("tables?exact=", exact_counts ? 1 : 0);
  if (schema) operation += Cat("&schema=", net::EncodeQueryValue(pg::ToUtf8(*schema)));
  return ReadTables<core::TableListEntry>(Exchange("GET", operation, ""));
}

core::TableInfo NativePeer::GetSchema(const std::string& table) {
  const core::JsonDocument reply =
      Exchange("GET", Cat("schema?table=", net::EncodeQueryValue(pg::ToUtf8(table))), "");
  return core::TableInfo::Read(core::JsonObject(reply, "reply of the peer"));
}

std::vector<core::TableInfo> NativePeer::GetDefinitions(const std::vector<std::string>& tables) {
  const std::string request = RequestOf(tables);
  auto definitions = ReadTables<core::TableInfo>(
      Patient(true, [&] { return Exchange("POST", "definitions", request); }));
  if (definitions.size() != tables.size()) {
    throw Error(sqlstate::kProtocolViolation, "the peer did not define the tables that were named");
  }
  return definitions;
}

int64 NativePeer::Count(const std::string& table) {
  const core::JsonDocument reply =
      Exchange("GET", Cat("count?table=", net::EncodeQueryValue(pg::ToUtf8(table))), "");
  return core::JsonObject(reply, "reply of the peer").Int("count");
}

std::vector<core::OpenedTable> NativePeer::Open(const std::vector<std::string>& tables) {
  const std::string request = RequestOf(tables);
  auto opened = ReadTables<core::OpenedTable>(
      Patient(true, [&] { return Exchange("POST", "open", request); }));
  if (opened.size() != tables.size()) {
    throw Error(sqlstate::kProtocolViolation, "the peer did not open the tables that were named");
  }
  opened_on_ = connection_number_;
  return opened;
}

}  // namespace pgsync::client
