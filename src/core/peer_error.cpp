#include "core/peer_error.h"

#include "core/json.h"
#include "core/text.h"

namespace pgsync::core {

namespace {

constexpr size_t kTextLimit = 2000;
// Of a page that is none of the peer's.
constexpr size_t kPageLimit = 200;

}  // namespace

RemoteError RemoteError::Of(const Error& error) {
  return {error.state().c_str(), error.message(), error.detail(), error.hint()};
}

std::string RemoteError::ToJson() const {
  JsonWriter json;
  json.BeginObject().Key("error").BeginObject();
  json.Field("sqlstate", sqlstate).Field("message", message);
  if (!detail.empty()) json.Field("detail", detail);
  if (!hint.empty()) json.Field("hint", hint);
  json.EndObject().EndObject();
  return json.Take();
}

RemoteError RemoteError::FromJson(std::string_view text) {
  JsonLimits limits;
  limits.depth = 8;
  const JsonDocument document = ParseJson(text, "error of the peer", limits);
  const JsonObject error = JsonObject(document, "error of the peer").Object("error");
  return {error.String("sqlstate"), error.String("message"), error.StringOr("detail", ""),
          error.StringOr("hint", "")};
}

Error RemoteError::ToError() const {
  Error error(SqlState::Parse(sqlstate), Excerpt(message, kTextLimit));
  error =
      std::move(error).WithDetail(detail.empty() ? "remote: The peer raised this error."
                                                 : Cat("remote: ", Excerpt(detail, kTextLimit)));
  if (!hint.empty()) error = std::move(error).WithHint(Excerpt(hint, kTextLimit));
  return error;
}

bool IsGatewayFailure(int status) {
  return status == 502 || status == 503 || status == 504;
}

std::string StatusDetail(int status, std::string_view body) {
  const std::string page = Excerpt(body, kPageLimit);
  return Cat("It answered with status ", status, page.empty() ? "." : ": ", page);
}

Error GatewayError(std::string_view url, int status, std::string_view body) {
  return Error(sqlstate::kConnectionFailed, Cat("could not connect to ", url))
      .WithDetail(StatusDetail(status, body));
}

}  // namespace pgsync::core
