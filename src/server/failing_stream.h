// How an error gets through when a response has begun: only a stream of frames can tell of one; the
// others are cut, and so look it.
#pragma once

#include <optional>

#include "core/row_stream.h"
#include "core/waiter.h"
#include "pg/encoding.h"
#include "server/peer_watch.h"

namespace pgsync::server {

/// Runs `body`, which constructs `writer` once it has begun a stream of frames. What it raises
/// after that ends the stream, and is raised only where nobody reads it.
template <typename Body>
void WithFailingStream(std::optional<core::RowStreamWriter>& writer, Body body) {
  try {
    body();
  } catch (const core::TimeoutError&) {
    throw;  // nobody reads any more
  } catch (const pg::PgError& error) {
    if (!writer || PeerWatchSawPeerGone()) throw;
    writer->Fail(pg::ErrorForWire(error.ToError()));
  } catch (const core::Error& error) {
    if (!writer || error.state() == core::sqlstate::kConnectionLost) throw;
    writer->Fail(pg::ErrorForWire(error));
  }
}

}  // namespace pgsync::server
