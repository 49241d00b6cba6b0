#include "core/phoenix_caller.h"

#include <utility>

#include "core/text.h"

namespace pgsync::core {

namespace {

// The join has the number that the first request has again, as with PhoenixKit's own client.
constexpr char kJoinRef[] = "1";
constexpr std::string_view kResponse = "response:";
constexpr char kNoReason[] = "it gave no reason";
constexpr size_t kLongestText = 1000;

[[noreturn]] void RaiseMalformed(std::string detail) {
  throw Error(sqlstate::kProtocolViolation, "the peer does not speak PhoenixKit's protocol rightly")
      .WithDetail(std::move(detail));
}

std::string TextOf(const JsonValue* value) {
  if (value == nullptr || !value->IsString() || NumberToken(*value)) return std::string();
  return std::string(value->GetString(), value->GetStringLength());
}

std::string TextOr(const std::string& text, const char* otherwise) {
  return text.empty() ? otherwise : text;
}

// Refs come back as they were sent, which is as strings; yet a peer may have read them.
bool IsRef(const JsonValue& value, const std::string& ref) {
  return value.IsInt64() ? std::to_string(value.GetInt64()) == ref : TextOf(&value) == ref;
}

bool Has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

SqlState StateOf(std::string_view text) {
  if (Has(text, "Access denied")) return sqlstate::kInsufficientPrivilege;
  if (Has(text, "Table not found") || Has(text, "table_not_found"))
    return sqlstate::kUndefinedTable;
  return sqlstate::kInternal;
}

std::string Quoted(std::string_view text) {
  return JsonWriter().String(text).Take();
}

}  // namespace

PhoenixRefusal::PhoenixRefusal(const std::string& text)
    : Error(Error(StateOf(text), Excerpt(text, kLongestText))
                .WithDetail("remote: That is what the PhoenixKit site answered.")) {}

PhoenixClosed::PhoenixClosed(std::string detail)
    : Error(Error(sqlstate::kConnectionLost, "connection lost: the peer has ended the channel")
                .WithDetail(std::move(detail))) {}

std::string PhoenixCaller::Join(std::string_view payload) {
  joining_ = true;
  return WritePhoenixFrame(Quoted(kJoinRef), topic_, kJoinEvent, payload);
}

std::string PhoenixCaller::Ask(std::string_view what,
                               const std::function<void(JsonWriter&)>& fields) {
  awaited_ = Cat(kResponse, what);
  awaited_ref_ = std::to_string(next_ref_++);
  JsonWriter payload;
  payload.BeginObject();
  if (fields) fields(payload);
  payload.Field("ref", awaited_ref_).EndObject();
  return WritePhoenixFrame(Quoted(awaited_ref_), topic_, Cat("request:", what), payload.Take());
}

std::string PhoenixCaller::Heartbeat() {
  return WritePhoenixFrame(Quoted(std::to_string(next_ref_++)), kPhoenixTopic, kHeartbeatEvent,
                           "{}");
}

std::optional<PhoenixFrame> PhoenixCaller::Take(std::string_view text) {
  auto frame = PhoenixFrame::Parse(text, true);
  if (!frame) RaiseMalformed(Cat("It sent: ", Excerpt(text, 200)));
  // What is said on another topic, as the answer to a heartbeat, is for nobody here.
  if (frame->topic() != topic_) return std::nullopt;
  const std::string_view event = frame->event();
  if (event == kErrorEvent) throw PhoenixClosed("The channel has failed there.");
  if (event == kCloseEvent) throw PhoenixClosed("It said goodbye.");
  const bool answered =
      event == kReplyEvent ? TakeReply(*frame)
                           : event.substr(0, kResponse.size()) == kResponse && TakeResponse(*frame);
  if (!answered) return std::nullopt;
  return frame;
}

// Replies tell of the join; later ones of a request that failed before it was looked at.
bool PhoenixCaller::TakeReply(const PhoenixFrame& frame) {
  const bool failed = TextOf(frame.Find("status")) == "error";
  const JsonValue* response = frame.Find("response");
  std::string reason;
  if (failed && response != nullptr && response->IsObject() && response->HasMember("reason"))
    reason = TextOf(&(*response)["reason"]);
  if (joining_) {
    if (!IsRef(frame.ref(), kJoinRef)) return false;
    joining_ = false;
    if (failed) {
      throw Error(sqlstate::kInvalidAuthorization, "the peer does not let us join")
          .WithDetail(Cat("remote: ", Excerpt(TextOr(reason, kNoReason), kLongestText), "."));
    }
    if (frame.Find("status") == nullptr) RaiseMalformed("It answered the join without a status.");
    return joined_ = true;
  }
  if (!failed || awaited_.empty() || !IsRef(frame.ref(), awaited_ref_)) return false;
  awaited_.clear();
  throw PhoenixRefusal(TextOr(reason, kNoReason));
}

bool PhoenixCaller::TakeResponse(const PhoenixFrame& frame) {
  const JsonValue* ref = frame.Find("ref");
  if (ref == nullptr) RaiseMalformed("It answered without saying what.");
  if (awaited_.empty() || !IsRef(*ref, awaited_ref_)) return false;
  const std::string awaited = std::exchange(awaited_, std::string());
  if (frame.event() == "response:error") {
    const JsonValue* error = frame.Find("error");
    if (error != nullptr && !error->IsNull() && (!error->IsString() || NumberToken(*error)))
      RaiseMalformed("It answered with an error that is no text.");
    throw PhoenixRefusal(TextOr(TextOf(error), kNoReason));
  }
  if (frame.event() != awaited) {
    RaiseMalformed(
        Cat("It answered with ", Excerpt(frame.event(), 100), " where ", awaited, " was due."));
  }
  return true;
}

}  // namespace pgsync::core
