#include "core/phoenix_time.h"

#include <cstdlib>

#include "core/phoenix_value.h"
#include "core/text.h"

namespace pgsync::core {

namespace {

// What PostgreSQL's infinite dates are as numbers of days.
constexpr std::string_view kInfiniteDate = "5881610-07-11";
constexpr std::string_view kMinusInfiniteDate = "-5877611-06-22";

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

// Splits "-0043-03-15..." into the year before Christ, 44, and "-03-15...".
bool SplitBeforeChrist(std::string_view text, long* year, std::string_view* rest) {
  const bool negative = !text.empty() && text[0] == '-';
  const size_t begin = negative ? 1 : 0;
  size_t end = begin;
  while (end < text.size() && IsDigit(text[end]))
    end++;
  if (end - begin < 4 || end - begin > 7 || end == text.size() || text[end] != '-') return false;
  const long number = std::atol(std::string(text.substr(begin, end - begin)).c_str());
  if (!negative && number != 0) return false;
  *year = number + 1;
  *rest = text.substr(end);
  return true;
}

std::string FourDigits(long year) {
  const std::string digits = std::to_string(year);
  return digits.size() < 4 ? std::string(4 - digits.size(), '0') + digits : digits;
}

bool NamesZone(std::string_view time) {
  return time.find_first_of("Zz+-") != std::string_view::npos;
}

// Reads digits and literal characters: '9' in the pattern stands for any digit.
bool TakePattern(std::string_view* text, std::string_view pattern) noexcept {
  if (text->size() < pattern.size()) return false;
  for (size_t i = 0; i < pattern.size(); i++) {
    const char c = (*text)[i];
    if (pattern[i] == '9' ? !IsDigit(c) : c != pattern[i]) return false;
  }
  text->remove_prefix(pattern.size());
  return true;
}

bool TakeTime(std::string_view* text) noexcept {
  if (!TakePattern(text, "99:99:99")) return false;
  if (!TakePattern(text, ".9")) return true;
  while (TakePattern(text, "9")) {
  }
  return true;
}

}  // namespace

std::string DateText(std::string_view text) {
  if (text == kInfiniteDate) return "infinity";
  if (text == kMinusInfiniteDate) return "-infinity";
  long year;
  std::string_view rest;
  if (!SplitBeforeChrist(text, &year, &rest)) return std::string(text);
  return Cat(FourDigits(year), rest, " BC");
}

std::string TimestampText(std::string_view text, bool zoned) {
  long year;
  std::string_view rest;
  const bool before_christ = SplitBeforeChrist(text, &year, &rest);
  std::string out = before_christ ? Cat(FourDigits(year), rest) : std::string(text);
  const size_t time = out.find('T');
  if (time != std::string::npos && time > 0 && IsDigit(out[time - 1])) {
    out[time] = ' ';
    if (zoned && !NamesZone(std::string_view(out).substr(time))) out += "+00";
  }
  if (before_christ) out += " BC";
  return out;
}

std::string TimeTzText(std::string_view text) {
  std::string_view rest = text;
  return TakeTime(&rest) && rest.empty() ? Cat(text, "+00") : std::string(text);
}

bool LooksLikePhoenixDateTime(std::string_view text) noexcept {
  // The end of a line is the end of a text for the regular expressions that PhoenixKit looks with.
  if (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  std::string_view rest = text;
  if (TakeTime(&rest)) return rest.empty();
  rest = text;
  if (!TakePattern(&rest, "9999-99-99")) return false;
  if (rest.empty()) return true;
  if (!TakePattern(&rest, "T") || !TakeTime(&rest)) return false;
  return rest.empty() || rest == "Z" ||
         ((TakePattern(&rest, "+99:99") || TakePattern(&rest, "-99:99")) && rest.empty());
}

}  // namespace pgsync::core
