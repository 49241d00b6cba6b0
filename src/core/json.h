// JSON of control messages. A peer wrote the text, so parsing is iterative with limits on size and
// depth, and reading a value of the wrong type is an error, never an assertion.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

// RapidJSON's assertions become exceptions, also in what it would declare noexcept. This header is
// the only one of the project that includes RapidJSON.
#define RAPIDJSON_HAS_STDSTRING 1
#define RAPIDJSON_HAS_CXX11_NOEXCEPT 0
#define RAPIDJSON_ASSERT(condition)                                          \
  do {                                                                       \
    if (!(condition))                                                        \
      throw ::pgsync::core::Error(::pgsync::core::sqlstate::kInternal,       \
                                  "JSON value is not of the expected type"); \
  } while (0)
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

namespace pgsync::core {

using JsonDocument = rapidjson::Document;
using JsonValue = rapidjson::Value;

struct JsonLimits {
  size_t bytes = 64 * 1024 * 1024;
  int depth = 64;
  /// Numbers that are no integers of 64 bits keep their digits: see NumberToken().
  bool exact_numbers = false;
};

/// Parses one JSON text. Raises 08P01 with `what` ("reply of the peer") in the message where the
/// text is malformed, not UTF-8, too large or too deep.
JsonDocument ParseJson(std::string_view text, std::string_view what, JsonLimits limits = {});

/// A number as it was written, where that is how it was kept; it lasts as long as the value. Such a
/// value is none of RapidJSON's numbers; JsonObject and JsonWriter know it.
std::optional<std::string_view> NumberToken(const JsonValue& value);

/// Whether bytes can stand in a JSON string as they are.
bool IsUtf8(std::string_view bytes);

/// Typed reading of a JSON object; each getter raises 08P01 naming the key that is missing or of
/// another type. Refers to the document, which must outlive it.
class JsonObject {
 public:
  JsonObject(const JsonValue& value, std::string_view what);

  bool Has(const char* key) const;
  std::string String(const char* key) const;
  std::optional<std::string> OptionalString(const char* key) const;  ///< absent or null: nullopt
  std::string StringOr(const char* key, std::string_view fallback) const;
  int64_t Int(const char* key) const;
  int64_t IntOr(const char* key, int64_t fallback) const;
  int Int32Or(const char* key, int fallback) const;
  std::optional<int64_t> OptionalInt(const char* key) const;
  bool Bool(const char* key) const;
  bool BoolOr(const char* key, bool fallback) const;
  std::vector<std::string> Strings(const char* key) const;  ///< absent or null: empty
  JsonObject Object(const char* key) const;
  /// The elements of an array of objects; absent or null: none.
  std::vector<JsonObject> Objects(const char* key) const;
  const JsonValue& value() const { return *value_; }

 private:
  const JsonValue* Find(const char* key) const;
  [[noreturn]] void Refuse(const char* key, const char* expected) const;

  const JsonValue* value_;
  std::string what_;
};

/// Builds JSON text: a thin naming layer over rapidjson::Writer.
class JsonWriter {
 public:
  JsonWriter() : writer_(buffer_) {}

  JsonWriter& BeginObject();
  JsonWriter& EndObject();
  JsonWriter& BeginArray();
  JsonWriter& EndArray();
  JsonWriter& Key(std::string_view key);
  JsonWriter& String(std::string_view value);
  JsonWriter& Int(int64_t value);
  JsonWriter& Double(double value);
  JsonWriter& Bool(bool value);
  JsonWriter& Null();
  JsonWriter& Value(const JsonValue& value);
  /// Text that is JSON already.
  JsonWriter& Raw(std::string_view json);

  JsonWriter& Field(std::string_view key, std::string_view value) { return Key(key).String(value); }
  JsonWriter& Field(std::string_view key, const char* value) { return Key(key).String(value); }
  JsonWriter& Field(std::string_view key, bool value) { return Key(key).Bool(value); }
  JsonWriter& Field(std::string_view key, int64_t value) { return Key(key).Int(value); }
  JsonWriter& Field(std::string_view key, int value) { return Key(key).Int(value); }
  JsonWriter& Field(std::string_view key, const std::vector<std::string>& values);
  JsonWriter& OptionalField(std::string_view key, const std::optional<std::string>& value);
  JsonWriter& OptionalField(std::string_view key, const std::optional<int64_t>& value);

  std::string Take() { return std::string(buffer_.GetString(), buffer_.GetSize()); }

 private:
  /// Writes numbers that were kept as they were written in that way.
  struct TokenWriter : rapidjson::Writer<rapidjson::StringBuffer> {
    using Writer::Writer;
    bool String(const Ch* text, rapidjson::SizeType size, bool copy = false);
  };

  rapidjson::StringBuffer buffer_;
  TokenWriter writer_;
};

/// Room that PutJsonString() needs for `text`: close to what it takes where that is much.
size_t JsonStringRoom(std::string_view text) noexcept;
/// Writes `text` as a JSON string, with its quotes, and returns the end of it. `to` has as much
/// room as JsonStringRoom() says.
char* PutJsonString(char* to, std::string_view text) noexcept;

}  // namespace pgsync::core
