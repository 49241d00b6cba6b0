// Finding out in which rows a local table and the peer's differ, by exchanging sketches
// (core/sketch.h) whose size depends on the difference alone.
//
// Rows count as equal if the hashes of their columns are: then their texts are equal, too. Rows
// that differ may turn out to be equal in the types of this side; who is told of them has to look
// again.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/native_protocol.h"
#include "engine/digest_source.h"
#include "engine/stream_load.h"
#include "engine/table_digest.h"

namespace pgsync::engine {

class Reconciliation {
 public:
  /// Bytes of a table below which comparing saves nothing: the rows are there sooner than an answer
  /// about them.
  static constexpr int64 kSmall = 512 * 1024;

  /// Of the columns of `request`, or of those of `key` alone where that is not null. Both sides
  /// have each row once by what is compared. All must outlive the object.
  Reconciliation(DigestSource& source, std::string remote_table, const LoadRequest& request,
                 const catalog::Key* key);

  /// Compares the peer's table with what the active snapshot shows of the local one. Returns an
  /// empty string, or why that has led to nothing: too much differs, or the peer cannot. `progress`
  /// is told of local rows that have been gone over.
  std::string Run(const std::function<void(int64 rows)>& progress);

  int64 remote_rows() const { return remote_rows_; }
  int64 only_remote() const { return static_cast<int64>(only_remote_.size()); }
  int64 only_local() const { return static_cast<int64>(only_local_.size()); }
  /// Makes the peer answer with those rows alone that are not here as they are there. Until the
  /// next reconciliation.
  core::RowsRequest Narrowed(core::RowsRequest request) const;
  /// Hands over the local rows that the peer does not have as they are here, with the columns at
  /// these positions; under the snapshot of Run(). False where it were not all of them, or others
  /// too: hashes have collided.
  bool LocalRows(const std::vector<size_t>& positions, rows::RowConsumer& consumer);
  /// Lets go of the local rows.
  void Close() { local_.Close(); }

 private:
  std::string Decode(core::Sketch first);

  DigestSource& source_;
  const catalog::Table& table_;
  core::DigestRequest request_;
  TableDigest local_;
  int64 remote_rows_ = 0;
  std::vector<uint64_t> only_local_, only_remote_;
};

}  // namespace pgsync::engine
