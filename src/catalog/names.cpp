#include "catalog/names.h"

#include "core/text.h"

extern "C" {
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "nodes/primnodes.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/varlena.h"
}

namespace pgsync::catalog {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

// quote_all_identifiers is for what a user reads. Names that peers compare must look the same
// whatever it says.
class PlainQuotes {
 public:
  PlainQuotes() : saved_(quote_all_identifiers) { quote_all_identifiers = false; }
  ~PlainQuotes() { quote_all_identifiers = saved_; }
  PlainQuotes(const PlainQuotes&) = delete;
  PlainQuotes& operator=(const PlainQuotes&) = delete;

 private:
  bool saved_;
};

}  // namespace

std::string QuoteIdentifier(const std::string& name) {
  const PlainQuotes plain;
  return pg::Call([&] { return quote_identifier(name.c_str()); });
}

std::string QuoteLiteral(const std::string& text) {
  return pg::Call([&] { return quote_literal_cstr(text.c_str()); });
}

std::string TableName::Qualified() const {
  return Cat(QuoteIdentifier(schema), ".", QuoteIdentifier(name));
}

std::string TableName::Display() const {
  return schema == "public" ? QuoteIdentifier(name) : Qualified();
}

std::string TableName::ForMessage() const {
  return schema == "public" || schema.compare(0, 7, "pg_temp") == 0 ? name : Cat(schema, ".", name);
}

TableName ParseTableName(const std::string& text) {
  struct Parts {
    const char* schema;
    const char* name;
    int count;
  };
  const Parts parts = pg::Call([&] {
    List* names;
    Parts found = {nullptr, nullptr, 0};
    if (!SplitIdentifierString(pstrdup(text.c_str()), '.', &names)) return found;
    found.count = list_length(names);
    if (found.count == 1) found.name = static_cast<char*>(linitial(names));
    if (found.count == 2) {
      found.schema = static_cast<char*>(linitial(names));
      found.name = static_cast<char*>(lsecond(names));
    }
    return found;
  });
  if (parts.name == nullptr) {
    throw Error(parts.count == 0 ? core::SqlState("42602") : sqlstate::kInvalidParameter,
                Cat("invalid table name \"", core::Excerpt(text, 200), "\""))
        .WithHint("Write name or schema.name, quoted as in SQL.");
  }
  return {parts.schema ? parts.schema : "public", parts.name};
}

Oid FindRelation(const TableName& name) {
  return pg::Call([&] {
    const Oid schema = get_namespace_oid(name.schema.c_str(), true);
    return OidIsValid(schema) ? get_relname_relid(name.name.c_str(), schema) : InvalidOid;
  });
}

TableName NameOfRelation(Oid relation) {
  struct {
    const char* schema;
    const char* name;
  } found = pg::Call([&] {
    decltype(found) names = {nullptr, get_rel_name(relation)};
    if (names.name) names.schema = get_namespace_name(get_rel_namespace(relation));
    return names;
  });
  if (found.name == nullptr || found.schema == nullptr) {
    throw Error(sqlstate::kUndefinedTable, Cat("relation with OID ", relation, " does not exist"));
  }
  return {found.schema, found.name};
}

namespace {

struct ExtensionRow {
  Oid oid;
  Oid owner;
  const char* schema;
};

// get_extension_schema() and a way to the owner are not exported by every version: the row itself.
ExtensionRow ReadExtension() {
  return pg::Call([] {
    ExtensionRow row = {InvalidOid, InvalidOid, nullptr};
    Relation rel = table_open(ExtensionRelationId, AccessShareLock);
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
                CStringGetDatum("sync"));
    SysScanDesc scan = systable_beginscan(rel, ExtensionNameIndexId, true, nullptr, 1, &key);
    HeapTuple tuple = systable_getnext(scan);
    if (HeapTupleIsValid(tuple)) {
      auto* form = (Form_pg_extension)GETSTRUCT(tuple);
      row.oid = form->oid;
      row.owner = form->extowner;
      row.schema = get_namespace_name(form->extnamespace);
    }
    systable_endscan(scan);
    table_close(rel, AccessShareLock);
    return row;
  });
}

ExtensionRow RequireExtension() {
  const ExtensionRow row = ReadExtension();
  if (row.schema == nullptr) {
    throw Error(sqlstate::kNotInPrerequisiteState,
                "extension sync is not installed in this database")
        .WithHint("Run CREATE EXTENSION sync.");
  }
  return row;
}

}  // namespace

std::string ExtensionSchema() {
  return RequireExtension().schema;
}

// Who asks is about to read or write the extension's tables, and locks the extension before the
// first of them, until the transaction's end. DROP EXTENSION locks it first as well, then the
// tables in an order of its own: without this it could end in a deadlock.
Oid ExtensionOwner() {
  ExtensionRow row = RequireExtension();
  for (;;) {
    const Oid oid = row.oid;
    pg::Call([&] { LockDatabaseObject(ExtensionRelationId, oid, 0, AccessShareLock); });
    // While it was waited for, it may have been dropped, and another one come.
    row = RequireExtension();
    if (row.oid == oid) return row.owner;
    pg::Call([&] { UnlockDatabaseObject(ExtensionRelationId, oid, 0, AccessShareLock); });
  }
}

}  // namespace pgsync::catalog
