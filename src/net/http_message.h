// HTTP messages as values, free of the library that reads and writes them.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pgsync::net {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

/// The first header of that name, case-insensitively.
std::optional<std::string> FindHeader(const HttpHeaders& headers, std::string_view name);
/// A header that is a list: those of that name in their order, with commas between them.
std::string JoinHeaders(const HttpHeaders& headers, std::string_view name);
/// What Retry-After says, an hour at most; nullopt where it gives no number of seconds.
std::optional<std::chrono::seconds> RetryAfter(const HttpHeaders& headers);

struct HttpRequest {
  std::string method;
  std::string target;  ///< path and query, as sent
  HttpHeaders headers;
  std::string body;
  int version = 11;  ///< 10 or 11, of a request that was read
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  HttpHeaders headers;
  std::string body;
};

/// A target, taken apart: the path as sent, the query's parameters decoded.
struct HttpTarget {
  std::string path;
  std::vector<std::pair<std::string, std::string>> query;

  static HttpTarget Parse(const std::string& target);
  std::optional<std::string> Find(std::string_view name) const;
};

/// The first segment of a path that begins with a slash, decoded; empty where there is none.
std::string FirstSegment(std::string_view path);

/// Percent-encodes everything but unreserved characters.
std::string EncodeQueryValue(std::string_view value);

}  // namespace pgsync::net
