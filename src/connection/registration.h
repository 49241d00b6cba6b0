// What the site at the other end of a connection asks for, by whatever protocol it comes: to
// register one here, and to tell or hear of its status. Acts in the current transaction; whoever
// calls has no rights of its own, so the rules of this file are all that stands before the tables.
#pragma once

#include <optional>
#include <string>

#include "connection/connection.h"
#include "core/connection_status.h"
#include "pg/guard.h"

namespace pgsync::connection {

/// A site that offers its tables. Texts of the peer, in the database's encoding.
struct Registration {
  std::string site_url;  ///< has been looked at: it is a URL
  std::string name;
  std::string token;
  std::optional<std::string> password;
  std::string address;
  std::string user_agent;
};

enum class RegisterResult {
  kActive,            ///< there is a receiver connection now
  kPending,           ///< likewise, for an administrator to approve
  kDenied,            ///< incoming mode deny_all
  kPasswordRequired,  ///< incoming mode require_password, and none came or none is set
  kPasswordWrong,
  kExists,   ///< the site has a receiver connection already
  kTooMany,  ///< as many wait for approval as may
  kInvalid,  ///< no token or name that could be kept
};
struct Registered {
  RegisterResult result;
  std::string uuid;  ///< of the connection
};
/// Makes a receiver connection as this database's incoming mode says.
Registered Register(const Registration& registration);

/// The site of the connection (locked) says that it is active, suspended or revoked there. A site
/// may end what is used here, but not bring back what was ended here (core::PeerTells). False:
/// refused.
bool TellStatus(const Connection& connection, core::ConnectionStatus told);

struct SenderStatus {
  core::ConnectionStatus status;
  std::string name;
};
/// The status of the sender connection with that token. That a receiver asks means that it has
/// accepted: a pending one becomes active, if it approves by itself.
std::optional<SenderStatus> AskSenderStatus(const std::string& token_hash);

}  // namespace pgsync::connection
