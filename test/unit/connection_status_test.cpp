#include "core/connection_status.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace pgsync::core {
namespace {

using S = ConnectionStatus;

const std::vector<S> kAll = {S::kPending, S::kActive, S::kSuspended, S::kRevoked, S::kExpired};

// The statuses from which something is possible, in the order of kAll.
template <typename Possible>
std::string From(Possible possible) {
  std::string out;
  for (S status : kAll) {
    if (possible(status)) out += std::string(out.empty() ? "" : " ") + ConnectionStatusName(status);
  }
  return out;
}

std::string Administrator(StatusMove move, bool suspended_by_peer = false) {
  return From([&](S status) { return AdministratorMay(move, {status, suspended_by_peer, false}); });
}

std::string Peer(S told, PeerMove expected, bool suspended_by_peer, bool peer_approves) {
  return From([&](S status) {
    return PeerTells(told, {status, suspended_by_peer, peer_approves}) == expected;
  });
}

TEST(ConnectionStatusTest, NamesGoThereAndBack) {
  for (S status : kAll)
    EXPECT_EQ(ParseConnectionStatus(ConnectionStatusName(status)), status);
  EXPECT_FALSE(ParseConnectionStatus("Active"));
  EXPECT_FALSE(ParseConnectionStatus(""));
}

TEST(ConnectionStatusTest, WhatAnAdministratorMayDo) {
  EXPECT_EQ(Administrator(StatusMove::kApprove), "pending");
  EXPECT_EQ(Administrator(StatusMove::kSuspend), "pending active");
  EXPECT_EQ(Administrator(StatusMove::kSuspend, true), "pending active suspended");
  EXPECT_EQ(Administrator(StatusMove::kReactivate), "suspended expired");
  EXPECT_EQ(Administrator(StatusMove::kRevoke), "pending active suspended expired");
}

TEST(ConnectionStatusTest, APeerNeverReactivatesWhatWasEndedHere) {
  EXPECT_EQ(Peer(S::kActive, PeerMove::kChanged, false, false), "");
  EXPECT_EQ(Peer(S::kActive, PeerMove::kChanged, false, true), "pending");
  EXPECT_EQ(Peer(S::kActive, PeerMove::kChanged, true, false), "suspended");
  EXPECT_EQ(Peer(S::kActive, PeerMove::kUnchanged, false, false), "active");
  EXPECT_EQ(Peer(S::kActive, PeerMove::kRefused, false, true), "suspended revoked expired");
}

TEST(ConnectionStatusTest, APeerMaySuspendAndRevoke) {
  EXPECT_EQ(Peer(S::kSuspended, PeerMove::kChanged, false, false), "pending active");
  EXPECT_EQ(Peer(S::kSuspended, PeerMove::kUnchanged, false, false), "suspended");
  EXPECT_EQ(Peer(S::kSuspended, PeerMove::kRefused, false, false), "revoked expired");
  EXPECT_EQ(Peer(S::kRevoked, PeerMove::kChanged, false, false),
            "pending active suspended expired");
  EXPECT_EQ(Peer(S::kRevoked, PeerMove::kUnchanged, false, false), "revoked");
}

TEST(ConnectionStatusTest, NothingElseCanBeTold) {
  EXPECT_EQ(Peer(S::kPending, PeerMove::kChanged, true, true), "");
  EXPECT_EQ(Peer(S::kExpired, PeerMove::kChanged, true, true), "");
}

}  // namespace
}  // namespace pgsync::core
