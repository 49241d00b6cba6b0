// One UPDATE of a connection's row, put together from what is to change; and its deletion. Whatever
// stops the use of the connection ends the peers that use it at COMMIT.
#pragma once

#include <string>
#include <vector>

#include "core/connection_status.h"
#include "pg/query.h"

namespace pgsync::connection {

class RowChange {
 public:
  /// `type`: of the column, to which the parameter is cast.
  void Set(const std::string& column, pg::Param value, const char* type = "text");
  void SetStatus(core::ConnectionStatus status);
  /// To the time of the transaction.
  void Now(const std::string& column);
  /// No traces of a suspension.
  void ClearSuspension();
  /// Merges a JSON object into the metadata.
  void MergeMetadata(const std::string& json);

  /// Writes the changes, as the extension's owner.
  void Run(const std::string& uuid);

 private:
  void Append(const std::string& clause);

  std::string clauses_;
  std::string metadata_;
  std::vector<pg::Param> params_;
  bool ends_peers_ = false;
};

/// Deletes the row, and its secrets with it.
void DeleteRow(const std::string& uuid);

}  // namespace pgsync::connection
