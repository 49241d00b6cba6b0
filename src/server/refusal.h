// Errors that are answered with more than what their SQLSTATE says.
#pragma once

#include "core/error.h"
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

}  // namespace pgsync::server
