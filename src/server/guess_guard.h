// What stands between a peer that guesses and what it guesses at: every code, ticket, token and
// password that comes in, by whatever protocol, is looked at between these two.
#pragma once

#include "core/cidr.h"

namespace pgsync::server {

/// Before a secret from that address is looked at: waits as long as everyone has to just now.
/// Raises Refused (53400, status 429, Retry-After) where too many were wrong of late for this one
/// to be looked at.
void BeforeGuess(const core::IpAddress& address);

/// After a wrong one, whatever is wrong with it: counts it, says in the log that the peer is
/// refused and why, and waits. What is answered then must not tell the reasons apart.
void AfterWrongGuess(const core::IpAddress& address, const char* reason);

}  // namespace pgsync::server
