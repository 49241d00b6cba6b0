#include "server/phoenix_api.h"

#include <algorithm>

#include "core/text.h"
#include "pg/encoding.h"
#include "server/guess_guard.h"
#include "server/log.h"
#include "server/peer_database.h"
#include "server/phoenix_data.h"
#include "server/phoenix_sites.h"
#include "server/phoenix_token.h"
#include "server/refusal.h"
#include "server/stranger_work.h"
#include "server/worker_exit.h"

namespace pgsync::server {

using core::Error;
using core::PhoenixOperation;
namespace sqlstate = core::sqlstate;

namespace {

constexpr std::string_view kFormType = "application/x-www-form-urlencoded";

class PhoenixApi {
 public:
  PhoenixApi(net::HttpRequest& request, const net::HttpTarget& target,
             net::HttpServerConnection& http, const net::Stream& stream, Admission& admission)
      : request_(request),
        target_(target),
        http_(http),
        stream_(stream),
        admission_(admission),
        address_(admission.AddressOf(request)) {}

  void Handle();

 private:
  bool Prepare();
  void Answer(const PhoenixAnswer& answer);
  void Fail(int status, std::string_view text) { Answer(PhoenixFailure(status, text)); }
  void Refuse(const Error& error, int status, const net::HttpHeaders& headers = {});
  std::vector<std::string> Missing() const;
  void AnswerSite(const PeerDatabase& database);

  net::HttpRequest& request_;
  const net::HttpTarget& target_;
  net::HttpServerConnection& http_;
  const net::Stream& stream_;
  Admission& admission_;
  core::IpAddress address_;
  const core::PhoenixRoute* route_ = nullptr;
  std::optional<core::PhoenixRequest> parameters_;
};

void PhoenixApi::Answer(const PhoenixAnswer& answer) {
  net::HttpResponse response;
  response.status = answer.status;
  response.body = answer.body;
  response.headers = answer.headers;
  http_.Respond(response);
}

// PhoenixKit's words for what it refuses itself, ours for all else.
void PhoenixApi::Refuse(const Error& error, int status, const net::HttpHeaders& headers) {
  std::string text = pg::ErrorForWire(error).message;
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z')
    text[0] = static_cast<char>(text[0] - 'a' + 'A');
  if (text == "Connection not active") text = "Connection is not active";
  PhoenixAnswer answer = PhoenixFailure(status, text);
  answer.headers = headers;
  Answer(answer);
}

// What can be said without looking into a database; false where that was all.
bool PhoenixApi::Prepare() {
  const size_t name = target_.path.rfind(core::kPhoenixApiPath) + sizeof(core::kPhoenixApiPath) - 1;
  route_ = core::FindPhoenixRoute(std::string_view(target_.path).substr(name));
  if (route_ == nullptr || request_.method != route_->method) {
    Fail(404, "There is nothing at this path");
    return false;
  }
  if (!core::AcceptsJson(net::FindHeader(request_.headers, "Accept").value_or(""))) {
    Fail(406, "Only application/json is to be had");
    return false;
  }
  http_.ReadBody(request_);
  const std::string type = net::FindHeader(request_.headers, "Content-Type").value_or("");
  core::PhoenixRequest::Pairs form;
  if (type.compare(0, kFormType.size(), kFormType) == 0) {
    form = net::HttpTarget::Parse(core::Cat("?", request_.body)).query;
  }
  try {
    parameters_ = core::PhoenixRequest::Read(type, request_.body, form, target_.query);
  } catch (const Error& error) {
    Fail(400, core::Cat("Bad request: ", error.detail()));
    return false;
  }
  return true;
}

// A site that registers may be told first that none is taken; and a token stands for its hash.
std::vector<std::string> PhoenixApi::Missing() const {
  if (route_->operation == PhoenixOperation::kRegister) return {};
  auto missing = parameters_->Missing(*route_);
  if (IsPhoenixDataRoute(*route_) && ShowsToken(*parameters_, request_)) {
    missing.erase(std::remove(missing.begin(), missing.end(), "auth_token_hash"), missing.end());
  }
  return missing;
}

void PhoenixApi::AnswerSite(const PeerDatabase& database) {
  PhoenixAnswer answer;
  const char* wrong_secret = nullptr;
  const bool usable = DoStrangerWorkIn(database, stream_, [&] {
    answer = AnswerPhoenixSite(*route_, *parameters_, request_, address_, &wrong_secret);
  });
  if (!usable) {
    if (route_->operation == PhoenixOperation::kStatus) {
      Answer(DisabledPhoenixStatus());
    } else {
      Fail(503, "DB Sync module is disabled");
    }
    return;
  }
  if (wrong_secret != nullptr) AfterWrongGuess(address_, wrong_secret);
  LogPeer("connection", {{"peer", exit_state.peer},
                         {"operation", route_->name},
                         {"result", std::to_string(answer.status)}});
  Answer(answer);
}

void PhoenixApi::Handle() {
  http_.set_last();
  try {
    if (!Prepare()) return;
    // A site whose code uses this path for something else has no part of it behind the name.
    const std::string prefix = target_.path.substr(0, target_.path.rfind(core::kPhoenixApiPath));
    const auto database = FindPeerDatabase(prefix, PathPrefix::kAny);
    if (!database && route_->operation == PhoenixOperation::kStatus) {
      Answer(DisabledPhoenixStatus());
      return;
    }
    // Never 404: whoever is told that takes its connection for deleted.
    if (!database) return Fail(503, "DB Sync module is disabled");
    const auto missing = Missing();
    if (!missing.empty()) return Answer({400, core::PhoenixMissing(*route_, missing), {}});
    BeforeGuess(address_);
    if (IsPhoenixDataRoute(*route_)) {
      ServePhoenixData(*route_, *parameters_, request_, *database, http_, admission_);
    } else {
      AnswerSite(*database);
    }
  } catch (const core::TimeoutError&) {
    throw;
  } catch (const net::BadRequest& error) {
    Refuse(error, error.status());
  } catch (const Refused& error) {
    if (http_.in_stream()) throw;
    Refuse(error, error.status(), error.headers());
  } catch (const WrongPassword& error) {
    Refuse(error, 403);
  } catch (const Error& error) {
    if (error.state() == sqlstate::kConnectionLost || http_.in_stream()) throw;
    if (error.state() == sqlstate::kInsufficientPrivilege) return Refuse(error, 403);
    Refuse(error, 503, {{"Retry-After", "1"}});
  }
}

}  // namespace

bool IsPhoenixApi(const std::string& path) {
  const size_t at = path.rfind(core::kPhoenixApiPath);
  return at != std::string::npos &&
         path.find('/', at + sizeof(core::kPhoenixApiPath) - 1) == std::string::npos;
}

void HandlePhoenixApi(net::HttpRequest& request, const net::HttpTarget& target,
                      net::HttpServerConnection& http, const net::Stream& stream,
                      Admission& admission) {
  PhoenixApi(request, target, http, stream, admission).Handle();
}

}  // namespace pgsync::server
