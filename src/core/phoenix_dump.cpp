#include "core/phoenix_dump.h"

#include <cstdio>
#include <cstdlib>

#include "core/elixir_term.h"
#include "core/phoenix_time.h"
#include "core/text.h"

namespace pgsync::core {

namespace {

using Kind = PhoenixType::Kind;
using Term = ElixirTerm;

// The whole numbers of a tuple, each of so many bits, in hexadecimal or decimal.
std::optional<std::string> JoinNumbers(const Term* tuple, size_t count, const char* format,
                                       long limit, const char* separator) {
  if (tuple == nullptr || tuple->kind != Term::Kind::kTuple || tuple->items.size() != count)
    return std::nullopt;
  std::string out;
  for (const Term& item : tuple->items) {
    char* end = nullptr;
    const long number = std::strtol(item.text.c_str(), &end, 10);
    if (item.kind != Term::Kind::kNumber || *end != '\0' || number < 0 || number > limit)
      return std::nullopt;
    char text[8];
    std::snprintf(text, sizeof(text), format, number);
    out += Cat(out.empty() ? "" : separator, text);
  }
  return out;
}

std::optional<std::string> InetText(const Term& term) {
  if (!term.IsStruct("Postgrex.INET")) return std::nullopt;
  const Term* address = term.Find("address");
  auto text = JoinNumbers(address, 4, "%ld", 0xff, ".");
  if (!text) text = JoinNumbers(address, 8, "%lx", 0xffff, ":");
  const Term* netmask = term.Find("netmask");
  if (!text || netmask == nullptr || netmask->IsAtom("nil")) return text;
  if (netmask->kind != Term::Kind::kNumber) return std::nullopt;
  return Cat(*text, "/", netmask->text);
}

std::optional<std::string> PointText(const Term& term) {
  const Term *x = term.Find("x"), *y = term.Find("y");
  if (!term.IsStruct("Postgrex.Point") || x == nullptr || y == nullptr) return std::nullopt;
  return Cat("(", x->text, ",", y->text, ")");
}

// A bound, as text of the range's subtype.
std::string BoundText(const Term& bound, const PhoenixType& subtype) {
  switch (subtype.kind) {
    case Kind::kDate:
      return DateText(bound.text);
    case Kind::kTimestamp:
      return TimestampText(bound.text, false);
    case Kind::kTimestampTz:
      return TimestampText(bound.text, true);
    default:
      return bound.text;
  }
}

bool AppendBound(std::string& out, const Term* bound, const PhoenixType& subtype) {
  if (bound == nullptr || bound->IsAtom("nil") || bound->IsAtom("unbound")) return true;
  if (bound->kind != Term::Kind::kNumber && bound->kind != Term::Kind::kText) return false;
  out.push_back('"');
  for (char c : BoundText(*bound, subtype)) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  out.push_back('"');
  return true;
}

std::optional<std::string> RangeText(const Term& term, const PhoenixType& type) {
  const Term *lower = term.Find("lower"), *upper = term.Find("upper");
  if (!term.IsStruct("Postgrex.Range") || lower == nullptr || upper == nullptr || !type.element)
    return std::nullopt;
  if (lower->IsAtom("empty")) return "empty";
  const auto inclusive = [&](const char* key) {
    const Term* flag = term.Find(key);
    return flag != nullptr && flag->IsAtom("true");
  };
  std::string out = inclusive("lower_inclusive") ? "[" : "(";
  if (!AppendBound(out, lower, *type.element)) return std::nullopt;
  out.push_back(',');
  if (!AppendBound(out, upper, *type.element)) return std::nullopt;
  out.push_back(inclusive("upper_inclusive") ? ']' : ')');
  return out;
}

std::optional<std::string> MultirangeText(const Term& term, const PhoenixType& type) {
  const Term* ranges = term.Find("ranges");
  if (!term.IsStruct("Postgrex.Multirange") || ranges == nullptr || !type.element)
    return std::nullopt;
  std::string out = "{";
  for (const Term& item : ranges->items) {
    const auto range = RangeText(item, *type.element);
    if (!range) return std::nullopt;
    out += Cat(out.size() > 1 ? "," : "", *range);
  }
  return out + "}";
}

}  // namespace

std::optional<std::string> DumpText(std::string_view text, const PhoenixType& type) {
  if (text.empty() || text[0] != '%') return std::nullopt;
  const auto term = ParseElixirTerm(text);
  if (!term) return std::nullopt;
  switch (type.kind) {
    case Kind::kInet:
      return InetText(*term);
    case Kind::kMacAddr:
      if (!term->IsStruct("Postgrex.MACADDR")) return std::nullopt;
      return JoinNumbers(term->Find("address"), 6, "%02lx", 0xff, ":");
    case Kind::kPoint:
      return PointText(*term);
    case Kind::kRange:
      return RangeText(*term, type);
    case Kind::kMultirange:
      return MultirangeText(*term, type);
    default:
      return std::nullopt;
  }
}

}  // namespace pgsync::core
