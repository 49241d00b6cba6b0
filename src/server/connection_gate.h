// How a peer passes that shows the token of a permanent connection.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "core/cidr.h"
#include "session/session_table.h"

namespace pgsync::server {

/// The download password is wrong, or lacking.
class WrongPassword : public core::Error {
 public:
  WrongPassword();
};

struct ShownToken {
  std::string token_hash;               ///< core::HashToken()
  std::optional<std::string> password;  ///< in the database's encoding
  core::IpAddress address;              ///< of the peer
  std::string ticket_hash;              ///< of the ticket that it is to have
  bool takes_download = true;           ///< else it only looks at what there is
  /// The last look at the request before a download is taken; may be null, and may raise why not.
  std::function<void()> before_taking;
};

/// Within the transaction of the gate: finds the connection, locks it, lets its policies decide,
/// takes one of its downloads (if it takes_download), and makes the session that the peer will have
/// once the transaction is committed; noted as this worker's, so that whoever ends the connection
/// ends it, too. Raises NotAdmitted for an unknown token, WrongPassword, 42501 and 53400 for what
/// the policies forbid, 42501 where run_as is gone, 53300 where there is no room.
session::Session PassConnectionGate(const ShownToken& shown);

/// Takes one of the connection's downloads in the current transaction, which is not one of the
/// peer's; false where none is left.
bool TakeDownload(const std::string& connection);

}  // namespace pgsync::server
