#include "net/http_message.h"

#include <algorithm>
#include <charconv>

#include "core/ascii.h"
#include "core/text.h"

namespace pgsync::net {

namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// `plus`: what a plus sign stands for, which in a query is a space.
std::string Decode(std::string_view text, char plus) {
  std::string out;
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] == '%' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 &&
        HexDigit(text[i + 2]) >= 0) {
      out.push_back(static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i] == '+' ? plus : text[i]);
    }
  }
  return out;
}

}  // namespace

std::optional<std::string> FindHeader(const HttpHeaders& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (core::EqualFolded(key, name)) return value;
  }
  return std::nullopt;
}

std::optional<std::chrono::seconds> RetryAfter(const HttpHeaders& headers) {
  constexpr unsigned kLongest = 3600;
  const std::string text = FindHeader(headers, "Retry-After").value_or("");
  unsigned seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (end != text.data() + text.size() || error == std::errc::invalid_argument) return std::nullopt;
  if (error == std::errc::result_out_of_range) seconds = kLongest;
  return std::chrono::seconds(std::min(seconds, kLongest));
}

std::string JoinHeaders(const HttpHeaders& headers, std::string_view name) {
  std::vector<std::string> values;
  for (const auto& [key, value] : headers) {
    if (core::EqualFolded(key, name)) values.push_back(value);
  }
  return core::Join(values, ", ");
}

HttpTarget HttpTarget::Parse(const std::string& target) {
  HttpTarget out;
  const size_t mark = target.find('?');
  out.path = target.substr(0, mark);
  if (mark == std::string::npos) return out;
  std::string_view rest = std::string_view(target).substr(mark + 1);
  while (!rest.empty()) {
    const size_t amp = rest.find('&');
    const std::string_view pair = rest.substr(0, amp);
    rest = amp == std::string_view::npos ? std::string_view() : rest.substr(amp + 1);
    const size_t equals = pair.find('=');
    if (pair.empty()) continue;
    out.query.emplace_back(
        Decode(pair.substr(0, equals), ' '),
        equals == std::string_view::npos ? std::string() : Decode(pair.substr(equals + 1), ' '));
  }
  return out;
}

std::optional<std::string> HttpTarget::Find(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::string FirstSegment(std::string_view path) {
  if (path.empty() || path.front() != '/') return std::string();
  path.remove_prefix(1);
  return Decode(path.substr(0, path.find('/')), '+');
}

std::string EncodeQueryValue(std::string_view value) {
  std::string out;
  for (const char& c : value) {
    if (core::IsAsciiAlnum(c) || c == '-' || c == '_' || c == '.' || c == '~') {
      out.push_back(c);
    } else {
      out.push_back('%');
      for (char digit : core::ToHex(std::string_view(&c, 1)))
        out.push_back(core::AsciiUpper(digit));
    }
  }
  return out;
}

}  // namespace pgsync::net
