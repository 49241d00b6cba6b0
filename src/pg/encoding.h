// Text between the database's encoding and UTF-8, which is what JSON on the wire is in.
#pragma once

#include <string>

#include "core/json.h"
#include "core/peer_error.h"
#include "pg/guard.h"

namespace pgsync::pg {

/// Converts text of this database. Raises 22P05 where a character has no equivalent.
std::string ToUtf8(const std::string& text);
std::string FromUtf8(const std::string& text);

/// An error in the form that is sent, in UTF-8; and one that came, in the database's encoding. What
/// cannot be converted is replaced, for an error must get through.
core::RemoteError ErrorForWire(const core::Error& error);
core::Error ErrorFromWire(const core::Error& error);

/// ParseJson, with all strings and keys converted to the database's encoding.
core::JsonDocument ParsePeerJson(const std::string& text, std::string_view what);

/// While it lives, PostgreSQL's input and output functions (textrecv and others convert from and to
/// the client's encoding) see `encoding` as the client's. Construct it inside a transaction.
class ClientEncodingScope {
 public:
  explicit ClientEncodingScope(int encoding);
  ~ClientEncodingScope();
  ClientEncodingScope(const ClientEncodingScope&) = delete;
  ClientEncodingScope& operator=(const ClientEncodingScope&) = delete;

  /// Back to the client's own, for what is said to it meanwhile, and on again. For leaves too.
  void suspend() noexcept;
  void resume() noexcept;

 private:
  int saved_;
  int encoding_;
};

}  // namespace pgsync::pg
