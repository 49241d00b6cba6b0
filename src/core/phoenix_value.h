// Values as PhoenixKit writes them in JSON, read by what the local column is, never by what they
// look like.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/json.h"

namespace pgsync::core {

/// {"__phoenix_kit_binary__": "<base64>"}: bytes, whatever the type.
inline constexpr char kPhoenixMarker[] = "__phoenix_kit_binary__";

/// The request's "accept_encoding" names it, and the reply's "encoding" then says that it was used:
/// every value is a string that holds PostgreSQL's text of it.
inline constexpr char kPgTextEncoding[] = "pgtext";

/// What PhoenixKit's values depend on of a column's type, under all domains.
struct PhoenixType {
  enum class Kind {
    kInteger,  ///< oid too
    kFloat,
    kNumeric,
    kBool,
    kText,  ///< enums too
    kUuid,
    kBytea,
    kDate,
    kTime,
    kTimeTz,
    kTimestamp,
    kTimestampTz,
    kJson,
    kJsonb,
    kArray,
    kHstore,
    kBit,
    kVarBit,
    kInet,  ///< cidr too
    kMacAddr,
    kPoint,
    kRange,
    kMultirange,
    kOther
  };
  Kind kind = Kind::kOther;
  int bits = -1;  ///< declared length of bit and bit varying; -1: none
  /// Of an array its elements, of a range its bounds, of a multirange its ranges.
  std::shared_ptr<const PhoenixType> element;
  char delimiter = ',';  ///< between the elements of an array's text
};

/// The text for the type's input function, in UTF-8, to be read under the canonical settings (ISO,
/// UTC); nullopt: null. Numbers are exact if the JSON was parsed with exact_numbers. What is
/// neither of PhoenixKit's forms for the type nor its text goes to the input function as it is,
/// which refuses it; what could not be told to it at all raises 22P02.
std::optional<std::string> ReadPhoenixValue(const JsonValue& value, const PhoenixType& type);

/// The same for a value in the encoding "pgtext".
std::optional<std::string> ReadPgTextValue(const JsonValue& value);

/// The bytes of a marker; nullopt for any other value. Raises 22P02 where they are no base64.
std::optional<std::string> ReadPhoenixMarker(const JsonValue& value);

/// How a numeric, given as PostgreSQL's text, is told to PhoenixKit without a loss: as the number
/// that is returned, or, where that is empty, as a string. PhoenixKit takes whole numbers as they
/// are, and others for floating-point numbers.
std::string_view PhoenixNumber(std::string_view numeric) noexcept;

/// Whether PhoenixKit takes a string for a date, a time or a timestamp, whatever the column is.
bool LooksLikePhoenixDateTime(std::string_view text) noexcept;

}  // namespace pgsync::core
