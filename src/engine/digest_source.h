// What it takes to compare a table with that of the other side without moving its rows.
#pragma once

#include <functional>
#include <memory>

#include "core/digest_protocol.h"
#include "core/native_protocol.h"
#include "engine/stream_load.h"

namespace pgsync::engine {

class DigestSource {
 public:
  virtual ~DigestSource() = default;

  /// An answer that is on its way. Where the object goes before Wait() has returned, the connection
  /// is given up.
  class Pending {
   public:
    virtual ~Pending() = default;
    /// Waits for the sketch; `progress` is told how many rows the other side has gone over. Raises
    /// 0A000 where it cannot compare, and whatever else it raises.
    virtual core::Sketch Wait(const std::function<void(uint64_t rows)>& progress) = 0;
  };
  /// Has the other side go over a table that was opened, and answer with a sketch of the least
  /// size.
  virtual std::unique_ptr<Pending> Digest(const core::DigestRequest& request) = 0;
  /// A larger sketch of the table that was digested last.
  virtual std::unique_ptr<Pending> Cells(int bits) = 0;
};

}  // namespace pgsync::engine
