// PhoenixKit's HTTP JSON API as data: its routes, what a request brings, the bodies of answers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json.h"

namespace pgsync::core {

/// The routes are under this path, whatever stands before it.
inline constexpr char kPhoenixApiPath[] = "/sync/api/";

enum class PhoenixOperation {
  kStatus,
  kRegister,
  kDelete,
  kVerify,
  kUpdateStatus,
  kGetStatus,
  kListTables,
  kPullData,
  kTableSchema,
  kTableRecords
};

struct PhoenixRoute {
  const char* name;
  const char* method;
  PhoenixOperation operation;
  std::vector<const char*> required;
  bool lists_fields;  ///< the answer to a request that lacks some has them as a list
};
/// Null where there is none of that name.
const PhoenixRoute* FindPhoenixRoute(std::string_view name);

/// Whether a client with that Accept header takes JSON.
bool AcceptsJson(std::string_view accept);

/// The parameters of a request: those of the body, then those of the query.
class PhoenixRequest {
 public:
  using Pairs = std::vector<std::pair<std::string, std::string>>;

  /// Takes a JSON body, or the pairs of a form; a body of another type is passed over, and so is
  /// JSON that is no object. Raises 08P01 for malformed JSON.
  static PhoenixRequest Read(std::string_view content_type, std::string_view body,
                             const Pairs& form, const Pairs& query);

  /// Null where the parameter is absent, null or "".
  const JsonValue* Find(const char* name) const;
  /// A string; nullopt where it is anything else.
  std::optional<std::string> Text(const char* name) const;
  /// An integer, or a string that begins with one; nullopt where it is anything else.
  std::optional<int64_t> Integer(const char* name) const;
  /// The client understands values in the encoding "pgtext".
  bool AcceptsPgText() const;

  /// The required parameters that are missing, in the order of the route.
  std::vector<std::string> Missing(const PhoenixRoute& route) const;

 private:
  PhoenixRequest() { document_.SetObject(); }
  void AddPair(const std::string& name, const std::string& value);

  JsonDocument document_;
};

/// {"success":false,"error":"<text>"}
std::string PhoenixError(std::string_view text);
/// The answer to a request that lacks these parameters.
std::string PhoenixMissing(const PhoenixRoute& route, const std::vector<std::string>& missing);

}  // namespace pgsync::core
