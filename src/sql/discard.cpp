#include "sql/discard.h"

#include "client/handles.h"
#include "session/session_lifetime.h"

extern "C" {
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
}

namespace pgsync::sql {

namespace {

ProcessUtility_hook_type previous_hook = nullptr;

// C frames on both sides: no object with a destructor lives here.
void process_utility(PlannedStmt* statement, const char* query, bool read_only_tree,
                     ProcessUtilityContext context, ParamListInfo params,
                     QueryEnvironment* environment, DestReceiver* dest,
                     QueryCompletion* completion) {
  Node* utility = statement->utilityStmt;
  const bool discard_all =
      IsA(utility, DiscardStmt) && castNode(DiscardStmt, utility)->target == DISCARD_ALL;
  (previous_hook != nullptr ? previous_hook : standard_ProcessUtility)(
      statement, query, read_only_tree, context, params, environment, dest, completion);
  if (!discard_all) return;
  client::close_all_handles();
  session::delete_backend_sessions();
}

}  // namespace

void install_discard_hook() {
  previous_hook = ProcessUtility_hook;
  ProcessUtility_hook = process_utility;
}

}  // namespace pgsync::sql
