// The settings of a connection as sync_create_connection() and sync_update_connection() take them:
// a JSON object, of which every value is checked before anything is written.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "connection/connection.h"
#include "pg/query.h"

namespace pgsync::connection {

struct ConnectionSettings {
  /// A column that gets a new value, given as a parameter that is cast to the column's type.
  struct Column {
    std::string name;
    const char* type;
    pg::Param value;
  };
  std::vector<Column> columns;
  std::optional<std::string> name;
  std::optional<std::string> run_as;
  /// The download password; an empty one clears it. A sender checks it, a receiver shows it.
  std::optional<std::string> download_password;
  /// What the other site asks of those who register; not kept.
  std::optional<std::string> register_password;
  /// Under which URL the other site reaches this one; an empty one: as sync_get_config() says.
  std::optional<std::string> own_url;
  std::optional<std::string> metadata;  ///< a JSON object, to be merged into the column

  /// Keys whose values are of no use on a row of that direction.
  std::vector<std::string> UselessFor(Direction direction) const;
};

/// Reads the text of a jsonb, in the database's encoding. Raises 22023 for an unknown key, a value
/// of another type or out of its range, a network that is none; 42602 or 22023 for what is no
/// table's name, and what the input of timestamptz raises.
ConnectionSettings ParseSettings(const std::string& json);

/// Raises 22023 for a name that no connection can have: empty, longer than 255 characters, like a
/// uuid, or like a URL.
void CheckConnectionName(const std::string& name);

}  // namespace pgsync::connection
