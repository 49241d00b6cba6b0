// Download passwords of sender connections: kept as SCRAM-SHA-256 verifiers, as PostgreSQL keeps
// those of its roles.
#pragma once

#include <string>

#include "pg/guard.h"

namespace pgsync::connection {

/// The verifier of a password, with a salt of its own.
std::string BuildVerifier(const std::string& password);
/// Whether it is the verifier's password.
bool VerifyPassword(const std::string& password, const std::string& verifier);

}  // namespace pgsync::connection
