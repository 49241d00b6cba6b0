// Small helpers for building strings.
#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace pgsync::core {

namespace detail {
inline void AppendPiece(std::string& out, std::string_view piece) {
  out.append(piece);
}
inline void AppendPiece(std::string& out, char piece) {
  out.push_back(piece);
}
template <typename T,
          std::enable_if_t<std::is_arithmetic_v<T> && !std::is_same_v<T, char>, int> = 0>
void AppendPiece(std::string& out, T piece) {
  out.append(std::to_string(piece));
}
}  // namespace detail

/// Concatenates strings, characters and numbers.
template <typename... Pieces>
std::string Cat(const Pieces&... pieces) {
  std::string out;
  (detail::AppendPiece(out, pieces), ...);
  return out;
}

/// Joins with a separator: Join({"a","b"}, ", ") is "a, b".
template <typename Range>
std::string Join(const Range& parts, std::string_view separator) {
  std::string out;
  bool first = true;
  for (const auto& part : parts) {
    if (!first) out.append(separator);
    out.append(part);
    first = false;
  }
  return out;
}

/// Lower-case hexadecimal.
std::string ToHex(std::string_view bytes);

/// The first `limit` bytes, cut at a UTF-8 character, with "..." where something was cut off.
/// For text of a peer that is shown to a user: control characters become '?'.
std::string Excerpt(std::string_view text, size_t limit);

/// Compares without telling by its duration where two strings differ.
bool ConstantTimeEqual(std::string_view a, std::string_view b);

}  // namespace pgsync::core
