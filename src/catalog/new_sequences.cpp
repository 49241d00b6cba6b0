#include "catalog/new_sequences.h"

#include <algorithm>

#include "catalog/new_names.h"
#include "catalog/utility.h"
#include "core/text.h"

extern "C" {
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
}

namespace pgsync::catalog {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

// InvalidOid for what is no type of a sequence.
Oid type_of(const core::SequenceInfo& sequence) {
  if (sequence.type == "bigint") return INT8OID;
  if (sequence.type == "integer") return INT4OID;
  if (sequence.type == "smallint") return INT2OID;
  return InvalidOid;
}

DefElem* number_option(const char* name, int64 value) {
  // A number of this size is a Float to the grammar, which DefineSequence() reads as text.
  char* text = psprintf(INT64_FORMAT, value);
  return makeDefElem(pstrdup(name), reinterpret_cast<Node*>(makeFloat(text)), -1);
}

}  // namespace

List* sequence_options(const core::SequenceInfo& sequence, bool typed) {
  List* options = NIL;
  if (typed) {
    auto* type = makeTypeNameFromOid(type_of(sequence), -1);
    options = lappend(options, makeDefElem(pstrdup("as"), reinterpret_cast<Node*>(type), -1));
  }
  options = lappend(options, number_option("increment", sequence.increment));
  options = lappend(options, number_option("minvalue", sequence.min));
  options = lappend(options, number_option("maxvalue", sequence.max));
  options = lappend(options, number_option("start", sequence.start));
  options = lappend(options, number_option("cache", sequence.cache));
  options = lappend(options, makeDefElem(pstrdup("cycle"),
                                         reinterpret_cast<Node*>(makeBoolean(sequence.cycle)), -1));
  return options;
}

void NewSequences::Create(const TableName& table, const core::TableInfo& definition) {
  for (const core::SequenceInfo& sequence : definition.sequences) {
    RequireName(sequence.name, "a sequence");
    Made made;
    made.at_peer = {sequence.schema, sequence.name};
    made.table = table;
    made.owner = sequence.owner;
    const bool seen = std::any_of(made_.begin(), made_.end(),
                                  [&](const Made& other) { return other.at_peer == made.at_peer; });
    if (seen) continue;
    if (made.owner) {
      // It must be in the schema of its table.
      made.here.schema = sequence.schema == definition.schema ? table.schema : sequence.schema;
      RequireSchema(made.here.schema);
      made.here.name =
          FreeName(made.here.schema, RenamedAfter(sequence.name, definition.name, table.name));
    } else {
      made.here = made.at_peer;
      RequireSchema(made.here.schema);
      if (OidIsValid(FindRelation(made.here))) {
        left_out_->Add(table, Cat("sequence ", made.here.Display()),
                       "a relation of that name exists already");
        continue;
      }
    }
    Add(made, sequence);
  }
}

void NewSequences::CreateSerial(const TableName& table, const std::string& column,
                                const std::string& type, const TableName& at_peer) {
  Made made;
  made.at_peer = at_peer;
  made.table = table;
  made.here.schema = table.schema;
  made.here.name =
      FreeName(table.schema,
               pg::Call([&] { return makeObjectName(table.name.c_str(), column.c_str(), "seq"); }));
  made.owner = core::SequenceInfo::Owner{"", "", column};
  core::SequenceInfo sequence;
  sequence.type = type;
  if (type == "integer") sequence.max = PG_INT32_MAX;
  if (type == "smallint") sequence.max = PG_INT16_MAX;
  Add(made, sequence);
}

void NewSequences::Add(const Made& made, const core::SequenceInfo& sequence) {
  if (!OidIsValid(type_of(sequence))) {
    throw Error(sqlstate::kInvalidParameter,
                Cat("a sequence cannot be of type ", core::Excerpt(sequence.type, 100)));
  }
  made_.push_back(made);
  const Made& kept = made_.back();
  Node* statement = pg::Call([&] {
    auto* create = makeNode(CreateSeqStmt);
    create->sequence = make_range(kept.here);
    if (sequence.unlogged) create->sequence->relpersistence = RELPERSISTENCE_UNLOGGED;
    create->options = sequence_options(sequence, true);
    return reinterpret_cast<Node*>(create);
  });
  RunUtility(statement);
  const Oid oid = FindRelation(kept.here);
  if (sequence.comment) Comment(RelationRelationId, oid, 0, *sequence.comment);
  known_.push_back({kept.at_peer.schema.c_str(), kept.at_peer.name.c_str(), oid});
}

void NewSequences::OwnOne(const Made& made, const TableName* owner) {
  if (owner == nullptr) {
    left_out_->Add(made.table, Cat("owner of sequence ", made.here.Display()),
                   "its table is not created by this call");
    return;
  }
  Node* statement = pg::Call([&] {
    auto* alter = makeNode(AlterSeqStmt);
    alter->sequence = make_range(made.here);
    List* column = lappend(make_names(*owner), makeString(pstrdup(made.owner->column.c_str())));
    alter->options =
        list_make1(makeDefElem(pstrdup("owned_by"), reinterpret_cast<Node*>(column), -1));
    return reinterpret_cast<Node*>(alter);
  });
  RunUtility(statement);
}

}  // namespace pgsync::catalog
