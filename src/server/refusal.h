// Errors that are answered with more than what their SQLSTATE says.
#pragma once

#include "core/error.h"
#include "core/policy.h"
#include "net/http_message.h"

namespace pgsync::server {

/// A request is refused with that HTTP status and these headers besides the error.
class Refused : public core::Error {
 public:
  Refused(core::Error error, int status, net::HttpHeaders headers = {})
      : core::Error(std::move(error)), status_(status), headers_(std::move(headers)) {}
  int status() const { return status_; }
  const net::HttpHeaders& headers() const { return headers_; }

 private:
  int status_;
  net::HttpHeaders headers_;
};

/// What the policy of a connection does not allow.
class PolicyRefusal : public Refused {
 public:
  PolicyRefusal(core::Refusal refusal, const core::Policy& policy, net::HttpHeaders headers = {})
      : Refused(core::RefusalError(refusal, policy), core::RefusalStatus(refusal),
                std::move(headers)),
        refusal_(refusal) {}
  core::Refusal refusal() const { return refusal_; }

 private:
  core::Refusal refusal_;
};

}  // namespace pgsync::server
