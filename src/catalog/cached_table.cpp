#include "catalog/cached_table.h"

#include <algorithm>
#include <tuple>

#include "core/text.h"

extern "C" {
#include "access/htup_details.h"
#include "access/nbtree.h"
#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_operator.h"
#include "commands/extension.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"
}

namespace pgsync::catalog {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

bool IsSystemSchema(std::string_view name) {
  return name == "information_schema" || name.substr(0, 3) == "pg_";
}

void ReadRelation(Relation rel, Table& table) {
  struct {
    const char* schema;
    bool has_children;
    bool own;
  } found = pg::Call([&] {
    decltype(found) facts = {};
    const Form_pg_class form = rel->rd_rel;
    facts.schema = get_namespace_name(form->relnamespace);
    // The flag stays when the last child has gone.
    facts.has_children = form->relkind == RELKIND_RELATION && form->relhassubclass &&
                         find_inheritance_children(RelationGetRelid(rel), NoLock) != NIL;
    const Oid extension = getExtensionOfObject(RelationRelationId, RelationGetRelid(rel));
    if (OidIsValid(extension)) {
      const char* name = get_extension_name(extension);
      facts.own = name != nullptr && strcmp(name, "sync") == 0;
    }
    return facts;
  });
  if (found.schema == nullptr) {
    throw Error(sqlstate::kUndefinedTable, Cat("relation with OID ", table.oid, " does not exist"));
  }
  const Form_pg_class form = rel->rd_rel;
  table.name = {found.schema, NameStr(form->relname)};
  table.kind = form->relkind;
  table.persistence = form->relpersistence;
  table.owner = form->relowner;
  table.is_partition = form->relispartition;
  table.has_children = found.has_children;
  table.in_system_schema = IsSystemSchema(table.name.schema);
  table.own = found.own;
}

void ReadColumns(Relation rel, Table& table) {
  const TupleDesc desc = RelationGetDescr(rel);
  table.columns.reserve(static_cast<size_t>(desc->natts));
  for (int i = 0; i < desc->natts; i++) {
    const Form_pg_attribute attribute = TupleDescAttr(desc, i);
    if (attribute->attisdropped) continue;
    Column column;
    column.name = NameStr(attribute->attname);
    column.number = attribute->attnum;
    column.type = attribute->atttypid;
    column.typmod = attribute->atttypmod;
    column.collation = attribute->attcollation;
    column.not_null = attribute->attnotnull;
    column.identity = attribute->attidentity;
    column.generated = attribute->attgenerated;
    column.has_expression = attribute->atthasdef;
    column.facts = ReadTypeFacts(column.type, column.typmod);
    table.columns.push_back(std::move(column));
  }
}

// A unique index that could be the key.
struct Candidate {
  Oid index;
  const char* name;
  bool primary;
  int columns;

  bool Before(const Candidate& other) const {
    if (primary != other.primary) return primary;
    if (columns != other.columns) return columns < other.columns;
    const int order = strcmp(name, other.name);
    return order != 0 ? order < 0 : index < other.index;
  }
};

// What the index has for one of its columns.
struct KeyPart {
  AttrNumber column;
  Oid family;
  Oid type;  // of the operators
  Oid collation;
};

// Whether the index can be the key. The rule stands in table.cpp, too: there in SQL, as a snapshot
// has the catalogs. For leaves.
bool can_be_key(const Form_pg_index index, HeapTuple tuple, TupleDesc columns) {
  if (!index->indisunique || !index->indisvalid || (!index->indisprimary && !index->indimmediate) ||
      !heap_attisnull(tuple, Anum_pg_index_indpred, nullptr) ||
      !heap_attisnull(tuple, Anum_pg_index_indexprs, nullptr)) {
    return false;
  }
  bool is_null;
  const Datum collations = SysCacheGetAttr(INDEXRELID, tuple, Anum_pg_index_indcollation, &is_null);
  const auto* collation = reinterpret_cast<const oidvector*>(DatumGetPointer(collations));
  for (int i = 0; i < index->indnkeyatts; i++) {
    const Form_pg_attribute column = TupleDescAttr(columns, index->indkey.values[i] - 1);
    if (OidIsValid(collation->values[i]) && collation->values[i] != column->attcollation)
      return false;
    if (!index->indisprimary && !column->attnotnull) return false;
  }
  return true;
}

// The first in the order of Candidate::Before(); index InvalidOid: there is none. For leaves.
Candidate find_key(Relation rel) {
  Candidate best = {};
  if (!rel->rd_rel->relhasindex) return best;
  ListCell* cell;
  foreach (cell, RelationGetIndexList(rel)) {
    HeapTuple tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(cell)));
    if (!HeapTupleIsValid(tuple)) continue;
    const auto index = reinterpret_cast<Form_pg_index>(GETSTRUCT(tuple));
    if (can_be_key(index, tuple, RelationGetDescr(rel))) {
      const Candidate candidate = {index->indexrelid, get_rel_name(index->indexrelid),
                                   index->indisprimary, index->indnkeyatts};
      if (candidate.name != nullptr && (!OidIsValid(best.index) || candidate.Before(best)))
        best = candidate;
    }
    ReleaseSysCache(tuple);
  }
  return best;
}

// For leaves.
KeyPart key_part(Oid index, int i) {
  HeapTuple tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
  if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for index %u", index);
  bool is_null;
  const Datum classes = SysCacheGetAttr(INDEXRELID, tuple, Anum_pg_index_indclass, &is_null);
  const Datum collations = SysCacheGetAttr(INDEXRELID, tuple, Anum_pg_index_indcollation, &is_null);
  const Oid opclass = reinterpret_cast<const oidvector*>(DatumGetPointer(classes))->values[i];
  const KeyPart part = {reinterpret_cast<Form_pg_index>(GETSTRUCT(tuple))->indkey.values[i],
                        get_opclass_family(opclass), get_opclass_input_type(opclass),
                        reinterpret_cast<const oidvector*>(DatumGetPointer(collations))->values[i]};
  ReleaseSysCache(tuple);
  return part;
}

// The index's own knowledge of whether it may drop duplicates of a value for one of them. For
// leaves.
bool is_exact(const KeyPart& part) {
  switch (get_opfamily_proc(part.family, part.type, part.type, BTEQUALIMAGE_PROC)) {
    case F_BTEQUALIMAGE:
      return true;
    case F_BTVARSTREQUALIMAGE:
      return OidIsValid(part.collation) && get_collation_isdeterministic(part.collation);
    default:
      return false;
  }
}

std::string OperatorName(const KeyPart& part, int strategy) {
  struct {
    const char* schema;
    const char* name;
  } found = pg::Call([&] {
    decltype(found) names = {};
    const Oid oid =
        get_opfamily_member(part.family, part.type, part.type, static_cast<int16>(strategy));
    HeapTuple tuple = OidIsValid(oid) ? SearchSysCache1(OPEROID, ObjectIdGetDatum(oid)) : nullptr;
    if (!HeapTupleIsValid(tuple)) return names;
    const auto form = reinterpret_cast<Form_pg_operator>(GETSTRUCT(tuple));
    names = {get_namespace_name(form->oprnamespace), pstrdup(NameStr(form->oprname))};
    ReleaseSysCache(tuple);
    return names;
  });
  if (found.name == nullptr || found.schema == nullptr) return std::string();
  return Cat(QuoteIdentifier(found.schema), ".", found.name);
}

void ReadKey(Relation rel, Table& table) {
  const Candidate index = pg::Call([&] { return find_key(rel); });
  if (!OidIsValid(index.index)) return;
  Key key;
  key.index = index.index;
  key.name = index.name;
  for (int i = 0; i < index.columns; i++) {
    struct {
      KeyPart part;
      bool exact;
    } found = pg::Call([&] {
      decltype(found) facts = {key_part(index.index, i), false};
      facts.exact = is_exact(facts.part);
      return facts;
    });
    const auto column = std::find_if(
        table.columns.begin(), table.columns.end(),
        [&](const Column& candidate) { return candidate.number == found.part.column; });
    key.columns.push_back(static_cast<size_t>(column - table.columns.begin()));
    key.exact.push_back(found.exact);
    key.operators.emplace_back();
    for (int strategy = 1; strategy <= BTMaxStrategyNumber; strategy++)
      key.operators.back().at(static_cast<size_t>(strategy)) = OperatorName(found.part, strategy);
  }
  if (index.primary) table.primary_key = key;
  table.row_key = std::move(key);
}

}  // namespace

Table ReadCachedTable(Oid relation) {
  Table table;
  table.oid = relation;
  const Relation rel = pg::Call([&] { return RelationIdGetRelation(relation); });
  if (rel == nullptr) {
    throw Error(sqlstate::kUndefinedTable, Cat("relation with OID ", relation, " does not exist"));
  }
  // After an error the end of the (sub)transaction closes it.
  ReadRelation(rel, table);
  ReadColumns(rel, table);
  ReadKey(rel, table);
  pg::Call([&] { RelationClose(rel); });
  return table;
}

}  // namespace pgsync::catalog
