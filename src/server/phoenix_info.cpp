#include "server/phoenix_info.h"

#include <algorithm>
#include <ctime>

#include "core/text.h"
#include "pg/encoding.h"
#include "server/log.h"
#include "server/worker_exit.h"
#include "session/served_session.h"

namespace pgsync::server {

using core::Cat;

namespace {

// All of the connection's facts together are to fit into the metadata.
constexpr size_t kMaxFact = 200;

std::string Ascii(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) c = '?';
  }
  return text;
}

std::string Fact(const std::string& text) {
  return core::Excerpt(Ascii(text), kMaxFact);
}

// The query without what would let somebody else in.
std::string WithoutSecrets(const net::HttpTarget& target) {
  std::vector<std::string> parts;
  for (const auto& [name, value] : target.query) {
    const bool secret = name == "code" || name == "token" || name == "password";
    parts.push_back(Cat(name, "=", secret ? "***" : value));
  }
  return core::Join(parts, "&");
}

// "a.example:4000", "[::1]"
std::pair<std::string, std::string> HostAndPort(const std::string& header) {
  const size_t colon = header.rfind(':');
  if (colon == std::string::npos || header.find(']', colon) != std::string::npos)
    return {header, ""};
  return {header.substr(0, colon), header.substr(colon + 1)};
}

std::string Now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc = {};
  gmtime_r(&now, &utc);
  char text[32];
  const size_t size = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return std::string(text, size);
}

// PostgreSQL's text has no U+0000.
std::string WithoutNul(const core::JsonValue& value) {
  std::string text(value.GetString(), value.GetStringLength());
  text.erase(std::remove(text.begin(), text.end(), '\0'), text.end());
  return text;
}

void WriteStorable(core::JsonWriter& json, const core::JsonValue& value) {
  if (value.IsString()) {
    json.String(WithoutNul(value));
  } else if (value.IsArray()) {
    json.BeginArray();
    for (const core::JsonValue& element : value.GetArray())
      WriteStorable(json, element);
    json.EndArray();
  } else if (value.IsObject()) {
    json.BeginObject();
    for (const auto& member : value.GetObject()) {
      json.Key(WithoutNul(member.name));
      WriteStorable(json, member.value);
    }
    json.EndObject();
  } else {
    json.Value(value);
  }
}

// The metadata is shown in the encoding of the database, whatever the peer has sent.
std::string Showable(const std::string& json) {
  try {
    (void)pg::FromUtf8(json);
    return json;
  } catch (const pg::PgError&) {
    return Ascii(json);
  }
}

}  // namespace

void NoteConnectionInfo(const session::SessionId& id, const net::HttpRequest& request,
                        const std::string& address, const char* scheme) {
  const net::HttpTarget target = net::HttpTarget::Parse(request.target);
  core::JsonWriter json;
  json.BeginObject();
  auto header = [&](const char* key, const char* name) {
    const auto value = net::FindHeader(request.headers, name);
    json.Key(key);
    if (value) {
      json.String(Fact(*value));
    } else {
      json.Null();
    }
  };
  json.Field("remote_ip", address);
  header("user_agent", "User-Agent");
  header("origin", "Origin");
  header("referer", "Referer");
  const auto [host, port] = HostAndPort(net::FindHeader(request.headers, "Host").value_or(""));
  json.Field("host", Fact(host)).Field("port", Fact(port));
  json.Field("scheme", scheme);
  json.Field("request_path", Fact(target.path));
  json.Field("query_string", Fact(WithoutSecrets(target)));
  header("websocket_version", "Sec-WebSocket-Version");
  header("accept_language", "Accept-Language");
  json.Field("connected_at", Now());
  (void)session::SetMetadata(id, "connection_info", json.EndObject().Take());
}

void NoteReceiverInfo(const session::SessionId& id, const core::JsonValue& info) {
  core::JsonWriter json;
  WriteStorable(json, info);
  if (session::SetMetadata(id, "receiver_info", Showable(json.Take()))) return;
  LogPeer("told too much", {{"peer", exit_state.peer},
                            {"reason", "receiver_info does not fit into the session's metadata"}});
}

}  // namespace pgsync::server
