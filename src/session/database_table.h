// What is known of the databases of this cluster, in shared memory: whether a peer may be let in
// without a connection to the database being opened to find out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pg/guard.h"

namespace pgsync::session {

enum class DatabaseState { kUnknown, kNotInstalled, kDisabled, kCopied, kEnabled };

/// As far as is known; kUnknown where no probe has looked yet.
DatabaseState GetDatabaseState(Oid database);
/// Whether there is a database in which the module is enabled, as far as is known.
bool AnyDatabaseEnabled();
/// Raises nothing: also called at commit. A database that finds no room stays unknown. `name` may
/// be null where it is known already.
void note_database_state(Oid database, DatabaseState state, const char* name = nullptr) noexcept;

struct NamedDatabase {
  Oid oid;
  std::string name;
};
/// Notes the names, and forgets databases that are not in the list.
void KeepDatabases(const std::vector<NamedDatabase>& existing);
void NoteDatabaseName(Oid database, const std::string& name);
/// The database of that name, as far as is known: whoever connects to it has to look whether that
/// is its name still. For one that is not found the launcher is asked to look again.
std::optional<Oid> FindDatabase(const std::string& name);

/// Remembers the state that this transaction has given the current database; told to all at COMMIT,
/// dropped at ROLLBACK. With anything but kEnabled the peers of the database are then ended.
void PublishAtCommit(DatabaseState state);
void register_database_callbacks();

Size DatabaseTableSize();
void init_database_table(void* memory, bool found);

}  // namespace pgsync::session
