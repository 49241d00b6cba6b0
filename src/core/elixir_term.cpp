#include "core/elixir_term.h"

#include "core/ascii.h"

namespace pgsync::core {

namespace {

constexpr int kMaxDepth = 8;

class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}

  bool ParseWhole(ElixirTerm* term) { return Parse(term, kMaxDepth) && rest_.empty(); }

 private:
  using Kind = ElixirTerm::Kind;

  bool Parse(ElixirTerm* term, int depth) {
    if (rest_.empty() || depth == 0) return false;
    if (Take("%")) return Struct(term, depth);
    if (Take("{")) return Items(term, Kind::kTuple, '}', depth);
    if (Take("[")) return Items(term, Kind::kList, ']', depth);
    if (Take("\"")) return Quoted(term, Kind::kText);
    if (Take(":\"")) return Quoted(term, Kind::kAtom);
    if (Take(":")) return Word(term, Kind::kAtom);
    if (Take("~")) return Sigil(term);
    if (Take("Decimal.new(\"")) return Quoted(term, Kind::kText) && Take(")");
    if (Take("#Decimal<")) return Until(term, '>');
    const char first = rest_.front();
    const bool number = first == '-' || IsAsciiDigit(first);
    return Word(term, number ? Kind::kNumber : Kind::kAtom);
  }

  bool Take(std::string_view token) {
    if (rest_.substr(0, token.size()) != token) return false;
    rest_.remove_prefix(token.size());
    return true;
  }

  static bool IsWordCharacter(char c) {
    return IsAsciiAlnum(c) || c == '_' || c == '.' || c == '-' || c == '+';
  }

  bool Word(ElixirTerm* term, Kind kind) {
    size_t size = 0;
    while (size < rest_.size() && IsWordCharacter(rest_[size]))
      size++;
    if (size == 0) return false;
    term->kind = kind;
    term->text = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }

  bool Until(ElixirTerm* term, char end) {
    const size_t size = rest_.find(end);
    if (size == std::string_view::npos) return false;
    term->kind = Kind::kText;
    term->text = rest_.substr(0, size);
    rest_.remove_prefix(size + 1);
    return true;
  }

  // ~D[2025-12-15] and the like.
  bool Sigil(ElixirTerm* term) {
    if (rest_.size() < 2 || rest_[1] != '[') return false;
    rest_.remove_prefix(2);
    return Until(term, ']');
  }

  // The rest of a string whose quotation mark has been taken.
  bool Quoted(ElixirTerm* term, Kind kind) {
    term->kind = kind;
    while (!rest_.empty()) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return true;
      if (c != '\\') {
        term->text.push_back(c);
        continue;
      }
      if (rest_.empty()) return false;
      const char escaped = rest_.front();
      rest_.remove_prefix(1);
      switch (escaped) {
        case 'n':
          term->text.push_back('\n');
          break;
        case 't':
          term->text.push_back('\t');
          break;
        case 'r':
          term->text.push_back('\r');
          break;
        case '"':
        case '\\':
        case '#':
          term->text.push_back(escaped);
          break;
        default:
          return false;
      }
    }
    return false;
  }

  bool Items(ElixirTerm* term, Kind kind, char end, int depth) {
    term->kind = kind;
    const std::string_view close(&end, 1);
    if (Take(close)) return true;
    do {
      term->items.emplace_back();
      if (!Parse(&term->items.back(), depth - 1)) return false;
    } while (Take(", "));
    return Take(close);
  }

  bool Struct(ElixirTerm* term, int depth) {
    if (!Word(term, Kind::kStruct) || !Take("{")) return false;
    if (Take("}")) return true;
    do {
      ElixirTerm key;
      if (!Word(&key, Kind::kAtom) || !Take(": ")) return false;
      term->keys.push_back(key.text);
      term->items.emplace_back();
      if (!Parse(&term->items.back(), depth - 1)) return false;
    } while (Take(", "));
    return Take("}");
  }

  std::string_view rest_;
};

}  // namespace

const ElixirTerm* ElixirTerm::Find(std::string_view key) const {
  for (size_t i = 0; i < keys.size(); i++) {
    if (keys[i] == key) return &items[i];
  }
  return nullptr;
}

std::optional<ElixirTerm> ParseElixirTerm(std::string_view text) {
  ElixirTerm term;
  if (!Parser(text).ParseWhole(&term)) return std::nullopt;
  return term;
}

}  // namespace pgsync::core
