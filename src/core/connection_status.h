// The status of a permanent connection, and who may change it.
//
//   pending   -> active               an administrator approves it; for a sender that approves by
//                                     itself also its peer
//   pending, active -> suspended      an administrator or the peer
//   suspended -> active               an administrator reactivates it; the peer only what it has
//                                     suspended itself
//   active    -> expired              its time is over, or a limit is reached
//   expired   -> active               an administrator reactivates it, with new limits
//   any       -> revoked              an administrator or the peer; final
#pragma once

#include <optional>
#include <string>

namespace pgsync::core {

enum class ConnectionStatus { kPending, kActive, kSuspended, kRevoked, kExpired };
const char* ConnectionStatusName(ConnectionStatus status);
std::optional<ConnectionStatus> ParseConnectionStatus(const std::string& word);

/// A connection as far as changes of its status go.
struct StatusFacts {
  ConnectionStatus status = ConnectionStatus::kPending;
  bool suspended_by_peer = false;
  /// A sender in approval mode auto_approve: its peer's consent is enough.
  bool peer_approves = false;
};

enum class StatusMove { kApprove, kSuspend, kReactivate, kRevoke };
/// Whether an administrator may do that now.
bool AdministratorMay(StatusMove move, const StatusFacts& facts);

enum class PeerMove {
  kUnchanged,  ///< it is so already
  kChanged,    ///< it may become so
  kRefused,
};
/// What becomes of a connection whose peer tells that it is now active, suspended or revoked there.
PeerMove PeerTells(ConnectionStatus told, const StatusFacts& facts);

}  // namespace pgsync::core
