// The messages of a push: the same protocol (core/native_protocol.h), the other way round. The
// receiving side says what comes next, since it alone knows what its tables need.
//
//   POST /sync/v1/push/open    a PushRequest: what is to come, and how it is to be taken
//   POST /sync/v1/push/rows    the row stream that the last answer asked for
//   POST /sync/v1/push/commit  once all has been taken: {"committed": true}
//
// The first two are answered with a PushStep: the next rows that are wanted, the same ones again
// where they have to be taken in another way, or the outcome. A push is one transaction of the
// receiving side, on one connection: only push/commit commits it, and whatever else happens there,
// an error included, rolls it back. The answer may come before the rows have been sent to their
// end; then no more of them are wanted.
#pragma once

#include "core/native_protocol.h"
#include "core/transfer_words.h"

namespace pgsync::core {

struct PushRequest {
  struct Table {
    std::string name;    ///< as the pushing side names it: what rows are asked for by
    std::string target;  ///< as the receiving side names it
    OpenedTable opened;
  };
  TransferWords options;  ///< `strategies` by `name`
  std::vector<Table> tables;

  std::string ToJson() const;
  static PushRequest FromJson(const JsonObject& json);
};

/// What became of one table.
struct PushOutcome {
  std::string name;  ///< as in the request
  int64_t created = 0;
  int64_t updated = 0;
  int64_t skipped = 0;
  int64_t deleted = 0;
  std::string errors = "[]";  ///< JSON array
  int64_t error_count = 0;
  int64_t bytes = 0;
  int64_t duration_ms = 0;
};

struct PushStep {
  std::optional<RowsRequest> rows;    ///< wanted next; nullopt: all has been taken
  std::vector<PushOutcome> outcomes;  ///< then

  std::string ToJson() const;
  static PushStep FromJson(const JsonObject& json);
};

}  // namespace pgsync::core
