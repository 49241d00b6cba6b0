#include "net/url.h"

#include <curl/curl.h>

#include <cstdlib>
#include <memory>

#include "core/error.h"
#include "core/text.h"

namespace pgsync::net {

namespace {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

struct UrlDeleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

std::string Part(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, CURLU_DEFAULT_PORT) != CURLUE_OK) return std::string();
  std::string out(text);
  curl_free(text);
  return out;
}

}  // namespace

Url Url::Parse(const std::string& text) {
  std::unique_ptr<CURLU, UrlDeleter> parsed(curl_url());
  if (!parsed) throw std::bad_alloc();
  const CURLUcode code = curl_url_set(parsed.get(), CURLUPART_URL, text.c_str(), 0);
  if (code != CURLUE_OK) {
    throw Error(sqlstate::kInvalidParameter, "invalid URL of a peer")
        .WithDetail(Cat(curl_url_strerror(code), "."))
        .WithHint("Write https://host:port, or http://localhost:port on the same machine.");
  }
  Url url;
  url.scheme = Part(parsed.get(), CURLUPART_SCHEME);
  if (url.scheme != "http" && url.scheme != "https") {
    throw Error(sqlstate::kInvalidParameter, "URL of a peer must begin with https:// or http://");
  }
  if (!Part(parsed.get(), CURLUPART_USER).empty() ||
      !Part(parsed.get(), CURLUPART_PASSWORD).empty()) {
    throw Error(sqlstate::kInvalidParameter, "URL of a peer must not hold a user or a password")
        .WithHint("Pass the code or token as an argument of its own.");
  }
  url.host = Part(parsed.get(), CURLUPART_HOST);
  if (url.host.size() > 2 && url.host.front() == '[')
    url.host = url.host.substr(1, url.host.size() - 2);
  url.port = std::atoi(Part(parsed.get(), CURLUPART_PORT).c_str());
  url.path = Part(parsed.get(), CURLUPART_PATH);
  while (!url.path.empty() && url.path.back() == '/')
    url.path.pop_back();
  url.query = Part(parsed.get(), CURLUPART_QUERY);
  return url;
}

std::string Url::Authority() const {
  const bool v6 = host.find(':') != std::string::npos;
  return v6 ? Cat("[", host, "]:", port) : Cat(host, ":", port);
}

std::string Url::Display() const {
  return Cat(scheme, "://", Authority(), path);
}

}  // namespace pgsync::net
