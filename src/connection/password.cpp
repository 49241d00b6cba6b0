#include "connection/password.h"

extern "C" {
#include "libpq/crypt.h"
#include "libpq/scram.h"
}

namespace pgsync::connection {

std::string BuildVerifier(const std::string& password) {
  return pg::Call([&] { return pg_be_scram_build_secret(password.c_str()); });
}

bool VerifyPassword(const std::string& password, const std::string& verifier) {
  return pg::Call(
      [&] { return scram_verify_plain_password("sync", password.c_str(), verifier.c_str()); });
}

}  // namespace pgsync::connection
