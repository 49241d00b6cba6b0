// The tables of a database as PhoenixKit's HTTP JSON API lists them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/table_info.h"
#include "server/connection_guard.h"

namespace pgsync::server {

struct PhoenixTable {
  core::TableListEntry entry;
  /// MD5 of the rows' texts, in their order, under the settings of the role; "empty" where there is
  /// no row, nullopt where there are too many.
  std::optional<std::string> checksum;

  void Write(core::JsonWriter& json) const;
};

/// Those of schema public that the connection shares, in the order of their names, counted. As the
/// current user.
std::vector<PhoenixTable> ListPhoenixTables(const ConnectionGuard& guard);

}  // namespace pgsync::server
