#include "core/connection_status.h"

#include <algorithm>
#include <iterator>

namespace pgsync::core {

namespace {
constexpr const char* kNames[] = {"pending", "active", "suspended", "revoked", "expired"};
}  // namespace

const char* ConnectionStatusName(ConnectionStatus status) {
  return kNames[static_cast<size_t>(status)];
}

std::optional<ConnectionStatus> ParseConnectionStatus(const std::string& word) {
  const auto found = std::find(std::begin(kNames), std::end(kNames), word);
  if (found == std::end(kNames)) return std::nullopt;
  return static_cast<ConnectionStatus>(found - std::begin(kNames));
}

bool AdministratorMay(StatusMove move, const StatusFacts& facts) {
  const ConnectionStatus from = facts.status;
  switch (move) {
    case StatusMove::kApprove:
      return from == ConnectionStatus::kPending;
    case StatusMove::kSuspend:
      // What the peer has suspended can be suspended here, too: then the peer cannot undo it.
      return from == ConnectionStatus::kPending || from == ConnectionStatus::kActive ||
             (from == ConnectionStatus::kSuspended && facts.suspended_by_peer);
    case StatusMove::kReactivate:
      return from == ConnectionStatus::kSuspended || from == ConnectionStatus::kExpired;
    case StatusMove::kRevoke:
      return from != ConnectionStatus::kRevoked;
  }
  return false;
}

PeerMove PeerTells(ConnectionStatus told, const StatusFacts& facts) {
  const ConnectionStatus from = facts.status;
  if (told == from) return PeerMove::kUnchanged;
  bool may = false;
  switch (told) {
    case ConnectionStatus::kActive:
      may = (from == ConnectionStatus::kPending && facts.peer_approves) ||
            (from == ConnectionStatus::kSuspended && facts.suspended_by_peer);
      break;
    case ConnectionStatus::kSuspended:
      may = from == ConnectionStatus::kPending || from == ConnectionStatus::kActive;
      break;
    case ConnectionStatus::kRevoked:
      may = true;
      break;
    case ConnectionStatus::kPending:
    case ConnectionStatus::kExpired:
      break;
  }
  return may ? PeerMove::kChanged : PeerMove::kRefused;
}

}  // namespace pgsync::core
