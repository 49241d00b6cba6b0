#include "core/phoenix_frame.h"

namespace pgsync::core {

std::optional<PhoenixFrame> PhoenixFrame::Parse(std::string_view text, bool exact_numbers) {
  constexpr rapidjson::SizeType kElements = 5, kTopic = 2, kEvent = 3;
  try {
    JsonDocument document =
        ParseJson(text, "frame", {text.size(), JsonLimits().depth, exact_numbers});
    if (!document.IsArray() || document.Size() != kElements || !document[kTopic].IsString() ||
        !document[kEvent].IsString()) {
      return std::nullopt;
    }
    return PhoenixFrame(std::move(document));
  } catch (const Error&) {
    return std::nullopt;
  }
}

const JsonValue* PhoenixFrame::Find(const char* name) const {
  if (!payload().IsObject()) return nullptr;
  const auto member = payload().FindMember(name);
  return member == payload().MemberEnd() ? nullptr : &member->value;
}

std::string WritePhoenixFrame(std::string_view ref, std::string_view topic, std::string_view event,
                              std::string_view payload) {
  JsonWriter json;
  json.BeginArray().Null().Raw(ref).String(topic).String(event).Raw(payload).EndArray();
  return json.Take();
}

std::string WritePhoenixReply(const JsonValue& ref, std::string_view topic, std::string_view status,
                              std::string_view response) {
  JsonWriter json;
  json.BeginArray().Null().Value(ref).String(topic).String(kReplyEvent);
  json.BeginObject().Field("status", status).Key("response").Raw(response).EndObject();
  return json.EndArray().Take();
}

}  // namespace pgsync::core
