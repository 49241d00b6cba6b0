#include "core/native_protocol.h"

#include <algorithm>

#include "core/digest_protocol.h"

namespace pgsync::core {

bool ServerInfo::Has(std::string_view feature) const {
  return std::find(features.begin(), features.end(), feature) != features.end();
}

std::string ServerInfo::ToJson() const {
  JsonWriter json;
  json.BeginObject().Field("protocol", "sync").Key("versions").BeginArray();
  for (int64_t version : versions)
    json.Int(version);
  json.EndArray().Field("software", software);
  json.Field("features", features);
  json.EndObject();
  return json.Take();
}

ServerInfo ServerInfo::FromJson(const JsonObject& json) {
  if (json.StringOr("protocol", "") != "sync") {
    throw Error(sqlstate::kProtocolViolation, "the peer is no sync server");
  }
  ServerInfo info;
  info.versions.clear();
  const auto member = json.value().FindMember("versions");
  if (member != json.value().MemberEnd() && member->value.IsArray()) {
    for (const JsonValue& version : member->value.GetArray()) {
      if (version.IsInt64()) info.versions.push_back(version.GetInt64());
    }
  }
  info.software = json.StringOr("software", "");
  info.features = json.Strings("features");
  return info;
}

std::string ConnectReply::ToJson() const {
  JsonWriter json;
  json.BeginObject().Field("ticket", ticket).Field("direction", direction);
  json.Field("software", software).Field("server_version", server_version);
  json.Field("encoding", encoding).EndObject();
  return json.Take();
}

ConnectReply ConnectReply::FromJson(const JsonObject& json) {
  ConnectReply reply;
  reply.ticket = json.String("ticket");
  reply.direction = json.String("direction");
  reply.software = json.StringOr("software", "");
  reply.server_version = json.Int32Or("server_version", 0);
  reply.encoding = json.StringOr("encoding", "");
  return reply;
}

void OpenedTable::Write(JsonWriter& json) const {
  json.BeginObject().Key("definition");
  info.Write(json);
  json.Field("complete", complete).Field("has_children", has_children);
  json.OptionalField("row_estimate", row_estimate).Field("size_bytes", size_bytes).EndObject();
}

OpenedTable OpenedTable::Read(const JsonObject& json) {
  OpenedTable table;
  table.info = TableInfo::Read(json.Object("definition"));
  table.complete = json.BoolOr("complete", false);
  table.has_children = json.BoolOr("has_children", false);
  table.row_estimate = json.OptionalInt("row_estimate");
  table.size_bytes = json.IntOr("size_bytes", 0);
  return table;
}

std::string RowsRequest::ToJson() const {
  JsonWriter json;
  json.BeginObject().Field("table", table);
  if (!columns.empty()) {
    json.Key("columns").BeginArray();
    for (const Column& column : columns) {
      json.BeginObject().Field("name", column.name).Field("binary", column.binary).EndObject();
    }
    json.EndArray();
  }
  json.Field("encoding", encoding).Field("compress", compress);
  json.OptionalField("limit", limit).Field("offset", offset);
  json.OptionalField("max_rate", max_rate);
  if (after) json.Field("after", *after);
  if (only) json.Field("only", HashesToText(*only));
  json.EndObject();
  return json.Take();
}

RowsRequest RowsRequest::FromJson(const JsonObject& json) {
  RowsRequest request;
  request.table = json.String("table");
  for (const JsonObject& column : json.Objects("columns")) {
    request.columns.push_back({column.String("name"), column.BoolOr("binary", false)});
  }
  request.encoding = json.StringOr("encoding", "UTF8");
  request.compress = json.BoolOr("compress", false);
  request.limit = json.OptionalInt("limit");
  request.offset = json.IntOr("offset", 0);
  request.max_rate = json.OptionalInt("max_rate");
  if (request.max_rate && *request.max_rate < 1) {
    throw Error(sqlstate::kInvalidParameter, "max_rate must be positive");
  }
  request.after = json.OptionalString("after");
  // Refused now, while an HTTP status can still say so.
  if (request.after) JsonObject(ParseJson(*request.after, "after"), "after");
  if (const auto hashes = json.OptionalString("only")) request.only = HashesFromText(*hashes);
  if (request.only && (request.limit || request.offset > 0 || request.after)) {
    throw Error(sqlstate::kInvalidParameter, "there are no pages of rows that are named");
  }
  return request;
}

int HttpStatusOf(SqlState state) {
  if (state == sqlstate::kInvalidAuthorization || state == sqlstate::kInvalidPassword) return 401;
  if (state == sqlstate::kInsufficientPrivilege) return 403;
  if (state == sqlstate::kUndefinedTable || state == sqlstate::kNotFound) return 404;
  if (state == sqlstate::kTooLarge) return 413;
  if (state == sqlstate::kProtocolViolation || state.Class() == "22" || state.Class() == "42")
    return 400;
  if (state.Class() == "53" || state.Class() == "57") return 503;
  if (state.Class() == "55") return 409;
  return 500;
}

}  // namespace pgsync::core
