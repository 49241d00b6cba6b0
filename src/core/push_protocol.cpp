#include "core/push_protocol.h"

namespace pgsync::core {

namespace {

void Write(const PushOutcome& outcome, JsonWriter& json) {
  json.BeginObject().Field("name", outcome.name).Field("created", outcome.created);
  json.Field("updated", outcome.updated).Field("skipped", outcome.skipped);
  json.Field("deleted", outcome.deleted).Key("errors").Raw(outcome.errors);
  json.Field("error_count", outcome.error_count).Field("bytes", outcome.bytes);
  json.Field("duration_ms", outcome.duration_ms).EndObject();
}

PushOutcome ReadOutcome(const JsonObject& json) {
  PushOutcome outcome;
  outcome.name = json.String("name");
  outcome.created = json.Int("created");
  outcome.updated = json.Int("updated");
  outcome.skipped = json.Int("skipped");
  outcome.deleted = json.Int("deleted");
  const auto errors = json.value().FindMember("errors");
  if (errors == json.value().MemberEnd() || !errors->value.IsArray()) {
    throw Error(sqlstate::kProtocolViolation, "reply of the peer is malformed")
        .WithDetail("Key \"errors\" must be an array.");
  }
  outcome.errors = JsonWriter().Value(errors->value).Take();
  outcome.error_count = json.Int("error_count");
  outcome.bytes = json.IntOr("bytes", 0);
  outcome.duration_ms = json.IntOr("duration_ms", 0);
  return outcome;
}

}  // namespace

std::string PushRequest::ToJson() const {
  JsonWriter json;
  json.BeginObject().Key("options");
  options.Write(json);
  json.Key("tables").BeginArray();
  for (const Table& table : tables) {
    json.BeginObject().Field("name", table.name).Field("target", table.target).Key("opened");
    table.opened.Write(json);
    json.EndObject();
  }
  json.EndArray().EndObject();
  return json.Take();
}

PushRequest PushRequest::FromJson(const JsonObject& json) {
  PushRequest request;
  request.options = TransferWords::Read(json.Object("options"));
  if (request.options.match != "key") {
    throw Error(sqlstate::kFeatureNotSupported, "a push cannot match rows by other columns");
  }
  for (const JsonObject& table : json.Objects("tables")) {
    request.tables.push_back(
        {table.String("name"), table.String("target"), OpenedTable::Read(table.Object("opened"))});
  }
  return request;
}

std::string PushStep::ToJson() const {
  JsonWriter json;
  json.BeginObject();
  if (rows) {
    json.Key("rows").Raw(rows->ToJson());
  } else {
    json.Key("outcomes").BeginArray();
    for (const PushOutcome& outcome : outcomes)
      Write(outcome, json);
    json.EndArray();
  }
  json.EndObject();
  return json.Take();
}

PushStep PushStep::FromJson(const JsonObject& json) {
  PushStep step;
  if (json.Has("rows")) {
    step.rows = RowsRequest::FromJson(json.Object("rows"));
    return step;
  }
  if (!json.Has("outcomes")) {
    throw Error(sqlstate::kProtocolViolation, "reply of the peer is malformed")
        .WithDetail("It asks for no rows and tells no outcome.");
  }
  for (const JsonObject& outcome : json.Objects("outcomes"))
    step.outcomes.push_back(ReadOutcome(outcome));
  return step;
}

}  // namespace pgsync::core
