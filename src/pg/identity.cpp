#include "pg/identity.h"

#include "core/text.h"

extern "C" {
#include "utils/acl.h"
}

namespace pgsync::pg {

std::string RoleName(Oid role) {
  char* name = Call([&] { return GetUserNameFromId(role, true); });
  return name != nullptr ? std::string(name) : std::to_string(role);
}

void RequireMembership(Oid role, const char* what) {
  if (Call([&] { return is_member_of_role(GetUserId(), role); })) return;
  throw core::Error(core::sqlstate::kInsufficientPrivilege,
                    core::Cat("permission denied for ", what))
      .WithDetail(core::Cat("It belongs to role \"", RoleName(role), "\"."));
}

}  // namespace pgsync::pg
