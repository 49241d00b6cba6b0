// URLs of peers.
#pragma once

#include <string>

namespace pgsync::net {

struct Url {
  std::string scheme;  ///< "http" or "https"
  std::string host;    ///< without the brackets of an IPv6 address
  int port = 0;
  std::string path;  ///< without trailing slashes: "" or "/prefix"
  std::string query;

  /// Raises 22023 for what is no http or https URL, or holds a user name or password.
  static Url Parse(const std::string& text);

  bool secure() const { return scheme == "https"; }
  /// "host:port" as the Host header wants it.
  std::string Authority() const;
  /// The URL without its query: what may be shown.
  std::string Display() const;
};

}  // namespace pgsync::net
