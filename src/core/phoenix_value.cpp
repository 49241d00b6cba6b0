#include "core/phoenix_value.h"

#include <cstdlib>

#include "core/base64.h"
#include "core/phoenix_dump.h"
#include "core/phoenix_time.h"
#include "core/text.h"

namespace pgsync::core {

namespace {

using Kind = PhoenixType::Kind;

Error Unreadable(std::string_view why) {
  return Error(sqlstate::kInvalidText, Cat("cannot read a value from the JSON of the peer"))
      .WithDetail(std::string(why));
}

std::string_view StringOf(const JsonValue& value) {
  return {value.GetString(), value.GetStringLength()};
}

std::string JsonText(const JsonValue& value) {
  JsonWriter json;
  json.Value(value);
  return json.Take();
}

// The text that a marker around a type that is not one of bytes holds.
std::string TextOfBytes(std::string bytes) {
  if (!IsUtf8(bytes)) throw Unreadable("Its bytes are not text in UTF-8.");
  return bytes;
}

// A string for an input function, to which it goes as one that ends with a zero byte.
std::string InputText(std::string text) {
  if (text.find('\0') != std::string::npos) throw Unreadable("It holds the character U+0000.");
  return text;
}

std::string HexBytea(std::string_view bytes) {
  return Cat("\\x", ToHex(bytes));
}

std::string UuidText(std::string_view bytes) {
  const std::string hex = ToHex(bytes);
  return Cat(hex.substr(0, 8), "-", hex.substr(8, 4), "-", hex.substr(12, 4), "-",
             hex.substr(16, 4), "-", hex.substr(20));
}

constexpr size_t kUuidSize = 16;
constexpr size_t kMaxIntegerDigits = 40;

// 5.0 and 1.2e3 are integers; what is none, the type's input refuses.
std::string IntegerText(std::string_view token) {
  std::string digits;
  size_t i = !token.empty() && token[0] == '-' ? 1 : 0;
  const std::string sign(token.substr(0, i));
  int exponent = 0;
  bool fraction = false;
  for (; i < token.size() && token[i] != 'e' && token[i] != 'E'; i++) {
    if (token[i] == '.') {
      fraction = true;
      continue;
    }
    digits.push_back(token[i]);
    if (fraction) exponent--;
  }
  if (i < token.size()) {
    const std::string power(token.substr(i + 1));
    if (power.size() > 4) return std::string(token);
    exponent += std::atoi(power.c_str());
  }
  while (exponent < 0 && !digits.empty() && digits.back() == '0') {
    digits.pop_back();
    exponent++;
  }
  if (exponent < 0 || digits.size() + static_cast<size_t>(exponent) > kMaxIntegerDigits) {
    return digits.empty() ? "0" : std::string(token);
  }
  digits.append(static_cast<size_t>(exponent), '0');
  return digits.empty() ? "0" : sign + digits;
}

// The words for what is no number, in all of their spellings.
std::string FloatText(std::string_view text) {
  if (text == ":NaN" || text == ":nan") return "NaN";
  if (text == ":inf") return "Infinity";
  if (text == ":\"-inf\"" || text == ":-inf" || text == "-inf") return "-Infinity";
  if (text == "inf") return "Infinity";
  return std::string(text);
}

std::string Bits(std::string_view bytes, size_t count) {
  std::string bits;
  for (size_t i = 0; i < count; i++) {
    const auto byte = static_cast<unsigned char>(bytes[i / 8]);
    bits.push_back((byte >> (7 - i % 8)) & 1 ? '1' : '0');
  }
  return bits;
}

// Of bits that fill no whole number of bytes the last byte has the rest.
std::string BitsOfBytes(std::string_view bytes, const PhoenixType& type) {
  const auto declared = static_cast<size_t>(type.bits);
  const bool padded =
      type.kind == Kind::kBit && type.bits >= 0 && (declared + 7) / 8 == bytes.size();
  return Bits(bytes, padded ? declared : bytes.size() * 8);
}

std::string BitText(std::string_view text, const PhoenixType& type) {
  const bool digits = text.find_first_not_of("01") == std::string_view::npos;
  const bool fits =
      type.kind == Kind::kVarBit || type.bits < 0 || text.size() == static_cast<size_t>(type.bits);
  return digits && fits ? std::string(text) : BitsOfBytes(text, type);
}

std::string ReadBytes(std::string bytes, const PhoenixType& type) {
  switch (type.kind) {
    case Kind::kUuid:
      if (bytes.size() == kUuidSize) return UuidText(bytes);
      break;
    case Kind::kBytea:
      return HexBytea(bytes);
    case Kind::kBit:
    case Kind::kVarBit:
      return BitsOfBytes(bytes, type);
    default:
      break;
  }
  return InputText(TextOfBytes(std::move(bytes)));
}

std::string ReadString(std::string_view text, const PhoenixType& type) {
  switch (type.kind) {
    case Kind::kUuid:
      if (text.size() == kUuidSize) return UuidText(text);
      break;
    case Kind::kBytea:
      return HexBytea(text);
    case Kind::kBit:
    case Kind::kVarBit:
      return BitText(text, type);
    case Kind::kFloat:
    case Kind::kNumeric:
      return InputText(FloatText(text));
    case Kind::kDate:
      return InputText(DateText(text));
    case Kind::kTimeTz:
      return InputText(TimeTzText(text));
    case Kind::kTimestamp:
      return InputText(TimestampText(text, false));
    case Kind::kTimestampTz:
      return InputText(TimestampText(text, true));
    case Kind::kInet:
    case Kind::kMacAddr:
    case Kind::kPoint:
    case Kind::kRange:
    case Kind::kMultirange:
      if (const auto read = DumpText(text, type)) return InputText(*read);
      break;
    default:
      break;
  }
  return InputText(std::string(text));
}

void AppendQuoted(std::string& out, std::string_view text) {
  out.push_back('"');
  for (char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  out.push_back('"');
}

void AppendArray(std::string& out, const JsonValue& array, const PhoenixType& type) {
  const bool of_json = type.element->kind == Kind::kJson || type.element->kind == Kind::kJsonb;
  out.push_back('{');
  bool first = true;
  for (const JsonValue& element : array.GetArray()) {
    if (!first) out.push_back(type.delimiter);
    first = false;
    if (element.IsArray() && !of_json) {
      AppendArray(out, element, type);
    } else if (const auto text = ReadPhoenixValue(element, *type.element)) {
      AppendQuoted(out, *text);
    } else {
      out += "NULL";
    }
  }
  out.push_back('}');
}

std::string HstoreText(const JsonValue& object) {
  std::string out;
  for (const auto& member : object.GetObject()) {
    if (!out.empty()) out += ", ";
    AppendQuoted(out, InputText(std::string(StringOf(member.name))));
    out += "=>";
    if (member.value.IsNull()) {
      out += "NULL";
    } else if (member.value.IsString() && !NumberToken(member.value)) {
      AppendQuoted(out, InputText(std::string(StringOf(member.value))));
    } else {
      AppendQuoted(out, JsonText(member.value));
    }
  }
  return out;
}

std::string NumberText(std::string token, const PhoenixType& type) {
  return type.kind == Kind::kInteger ? IntegerText(token) : token;
}

}  // namespace

std::optional<std::string> ReadPhoenixMarker(const JsonValue& value) {
  if (!value.IsObject()) return std::nullopt;
  const auto member = value.FindMember(kPhoenixMarker);
  if (member == value.MemberEnd()) return std::nullopt;
  std::optional<std::string> bytes;
  if (member->value.IsString()) bytes = DecodeBase64(StringOf(member->value));
  if (!bytes) throw Unreadable(Cat("The value of \"", kPhoenixMarker, "\" is not base64."));
  return bytes;
}

std::optional<std::string> ReadPhoenixValue(const JsonValue& value, const PhoenixType& type) {
  if (value.IsNull()) return std::nullopt;
  // Nothing of what a JSON value looks like inside means anything.
  if (type.kind == Kind::kJson || type.kind == Kind::kJsonb) return JsonText(value);
  if (value.IsNumber() || NumberToken(value)) {
    if (type.kind == Kind::kBytea) throw Unreadable("It is a number instead of bytes.");
    return NumberText(JsonText(value), type);
  }
  if (value.IsString()) return ReadString(StringOf(value), type);
  if (value.IsBool()) return std::string(value.GetBool() ? "true" : "false");
  if (value.IsArray() && type.kind == Kind::kArray) {
    std::string out;
    AppendArray(out, value, type);
    return out;
  }
  if (auto bytes = ReadPhoenixMarker(value)) return ReadBytes(std::move(*bytes), type);
  if (value.IsObject() && type.kind == Kind::kHstore) return HstoreText(value);
  if (type.kind == Kind::kBytea) throw Unreadable("It is an array or object instead of bytes.");
  return JsonText(value);
}

std::string_view PhoenixNumber(std::string_view numeric) noexcept {
  constexpr size_t kExactDigits = 15, kMaxZeros = 300;
  const std::string_view digits = numeric.substr(!numeric.empty() && numeric[0] == '-' ? 1 : 0);
  if (digits.empty() || digits[0] < '0' || digits[0] > '9') return {};
  const size_t point = numeric.find('.');
  if (point == std::string_view::npos) return numeric;
  const size_t last = numeric.find_last_not_of('0');
  if (last == point) return numeric.substr(0, point);
  // From the first digit that counts to the last, the point between them or not.
  const size_t first = numeric.find_first_not_of("-0.");
  const size_t significant = last - first + 1 - (first < point ? 1 : 0);
  const size_t zeros = first < point ? 0 : first - point - 1;
  return significant <= kExactDigits && zeros < kMaxZeros ? numeric : std::string_view();
}

std::optional<std::string> ReadPgTextValue(const JsonValue& value) {
  if (value.IsNull()) return std::nullopt;
  // What is no text in UTF-8, as a "char" may be.
  if (ReadPhoenixMarker(value)) throw Unreadable("Its bytes are not text in UTF-8.");
  if (!value.IsString() || NumberToken(value)) throw Unreadable("It is not a string.");
  return InputText(std::string(StringOf(value)));
}

}  // namespace pgsync::core
