// Terms as Elixir's inspect() prints them. PhoenixKit sends values for which it knows no JSON in
// that form: %Postgrex.INET{address: {10, 0, 0, 1}, netmask: nil}.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pgsync::core {

struct ElixirTerm {
  enum class Kind {
    kAtom,    ///< `text`, without its colon: nil, true, unbound
    kNumber,  ///< `text`
    kText,    ///< `text`: a string, or what a date, a time, a decimal number is made of
    kTuple,   ///< `items`
    kList,    ///< `items`
    kStruct   ///< `text` is its name, `items` its values, `keys` their names
  };
  Kind kind = Kind::kAtom;
  std::string text;
  std::vector<ElixirTerm> items;
  std::vector<std::string> keys;

  bool IsAtom(std::string_view name) const { return kind == Kind::kAtom && text == name; }
  bool IsStruct(std::string_view name) const { return kind == Kind::kStruct && text == name; }
  /// A value of a struct; null where there is none of that name.
  const ElixirTerm* Find(std::string_view key) const;
};

/// Reads one term; nullopt for what is none, or is of a kind that is not listed above.
std::optional<ElixirTerm> ParseElixirTerm(std::string_view text);

}  // namespace pgsync::core
