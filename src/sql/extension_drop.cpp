#include "sql/extension_drop.h"

#include "catalog/kept_tables.h"
#include "pg/guard.h"
#include "session/database_table.h"

extern "C" {
#include "catalog/objectaccess.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
}

namespace pgsync::sql {

namespace {

object_access_hook_type previous_hook = nullptr;

// C frames on both sides: no object with a destructor lives here.
void on_object_access(ObjectAccessType access, Oid kind, Oid object, int sub_id, void* detail) {
  if (previous_hook != nullptr) previous_hook(access, kind, object, sub_id, detail);
  if (kind != ExtensionRelationId || (access != OAT_DROP && access != OAT_POST_ALTER)) return;
  const char* name = get_extension_name(object);
  if (name == nullptr || strcmp(name, "sync") != 0) return;
  if (access == OAT_POST_ALTER) {
    catalog::tell_new_membership();
    return;
  }
  pg::Enter([] { session::PublishAtCommit(session::DatabaseState::kNotInstalled); });
}

}  // namespace

void install_drop_hook() {
  previous_hook = object_access_hook;
  object_access_hook = on_object_access;
}

}  // namespace pgsync::sql
