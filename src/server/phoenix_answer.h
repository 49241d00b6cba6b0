// What PhoenixKit's HTTP JSON API is answered with.
#pragma once

#include <string>

#include "core/phoenix_api.h"
#include "net/http_message.h"

namespace pgsync::server {

struct PhoenixAnswer {
  int status = 200;
  std::string body;  ///< JSON in UTF-8
  net::HttpHeaders headers;
};

/// {"success":false,"error":"<text>"}; `text` is in UTF-8.
inline PhoenixAnswer PhoenixFailure(int status, std::string_view text) {
  return {status, core::PhoenixError(text), {}};
}

}  // namespace pgsync::server
