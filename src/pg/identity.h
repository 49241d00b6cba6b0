// Acting as another role for a scope.
#pragma once

#include "pg/guard.h"

namespace pgsync::pg {

/// Makes `user` the current user. SECURITY_LOCAL_USERID_CHANGE keeps any function that is called
/// meanwhile from changing the role any further. `more`: further bits of the security context.
class UserScope {
 public:
  explicit UserScope(Oid user, int more = 0) {
    GetUserIdAndSecContext(&saved_user_, &saved_context_);
    SetUserIdAndSecContext(user, saved_context_ | SECURITY_LOCAL_USERID_CHANGE | more);
  }
  ~UserScope() { SetUserIdAndSecContext(saved_user_, saved_context_); }
  UserScope(const UserScope&) = delete;
  UserScope& operator=(const UserScope&) = delete;

 private:
  Oid saved_user_;
  int saved_context_;
};

/// The name of a role; its OID in digits where it is gone.
std::string RoleName(Oid role);

/// Raises 42501 unless the current user is `role` or a member of it.
void RequireMembership(Oid role, const char* what);

}  // namespace pgsync::pg
