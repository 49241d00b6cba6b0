// The columns of a new table: types, collations, defaults, identity, generation.
#include "catalog/new_relation.h"

#include <algorithm>

#include "catalog/new_names.h"
#include "catalog/peer_text.h"
#include "catalog/provided.h"
#include "catalog/utility.h"
#include "core/text.h"
#include "pg/compat.h"

extern "C" {
#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
}

namespace pgsync::catalog {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

std::string NewRelation::NameHere(const std::string& at_peer) {
  std::string name = FreeName(name_.schema, RenamedAfter(at_peer, old_root_, new_root_), reserved_);
  reserved_.insert(name);
  return name;
}

void NewRelation::ResolveColumns() {
  columns_ = definition_.columns;
  if (columns_.empty() && parent_ != nullptr) {
    columns_ = parent_->columns_;
    for (core::ColumnInfo& column : columns_) {
      column.identity = '\0';
      column.identity_sequence.reset();
    }
  }
  if (columns_.size() > MaxHeapAttributeNumber) {
    throw Error(core::SqlState("54011"),
                Cat("table \"", name_.ForMessage(), "\" has too many columns: ", columns_.size()));
  }
  for (const core::ColumnInfo& column : columns_) {
    RequireName(column.name, "a column");
    known_.push_back(
        {column.name.c_str(), types_.Resolve(column.type, Cat("column \"", column.name, "\""))});
  }
}

ColumnDef* NewRelation::PlainColumn(size_t i) {
  const core::ColumnInfo& column = columns_[i];
  List* collation = nullptr;
  std::string why;
  if (column.collation && !Accepted(&why, [&]() -> const char* {
        collation = find_collation(column.collation->c_str());
        return collation == NIL ? "it does not exist here" : nullptr;
      })) {
    left_out_->Add(name_, Cat("collation of column ", QuoteIdentifier(column.name)), why);
    collation = nullptr;
  }
  ColumnDef* def = pg::Call([&] {
    ColumnDef* made = make_column(column.name.c_str(), known_[i].type, collation);
    if (collation != NIL) known_[i].type.collation = get_collation_oid(collation, false);
    made->is_not_null = !column.nullable;
    return made;
  });
  if (column.compression == 'p' || column.compression == 'l') {
#ifdef USE_LZ4
    const bool available = true;
#else
    const bool available = column.compression == 'p';
#endif
    if (available) {
      pg::Call([&] { def->compression = pstrdup(column.compression == 'p' ? "pglz" : "lz4"); });
    } else {
      left_out_->Add(name_, Cat("compression of column ", QuoteIdentifier(column.name)),
                     "this server has no lz4");
    }
  }
  return def;
}

void NewRelation::AddIdentity(size_t i, ColumnDef* def) {
  const core::ColumnInfo& column = columns_[i];
  std::string sequence_name;
  if (column.identity_sequence && !column.identity_sequence->name.empty()) {
    RequireName(column.identity_sequence->name, "a sequence");
    sequence_name = NameHere(column.identity_sequence->name);
    identity_names_[i] = sequence_name;
  }
  pg::Call([&] {
    List* options = NIL;
    if (column.identity_sequence) options = sequence_options(*column.identity_sequence, false);
    if (!sequence_name.empty()) {
      List* names = make_names({name_.schema, sequence_name});
      options = lappend(options,
                        makeDefElem(pstrdup("sequence_name"), reinterpret_cast<Node*>(names), -1));
    }
    Constraint* identity = make_column_constraint(CONSTR_IDENTITY, nullptr, column.identity);
    identity->options = options;
    def->constraints = lappend(def->constraints, identity);
  });
}

// PhoenixKit tells a sequence's name and nothing else; it is one of the column's own.
void NewRelation::AddSerial(const core::ColumnInfo& column, Oid type) {
  if (!column.base_type.empty() || parent_ != nullptr) return;
  const char* const type_name = type == INT8OID   ? "bigint"
                                : type == INT4OID ? "integer"
                                : type == INT2OID ? "smallint"
                                                  : nullptr;
  constexpr std::string_view kBegin = "nextval('", kEnd = "'::regclass)";
  const std::string& text = *column.default_expression;
  if (type_name == nullptr || text.size() <= kBegin.size() + kEnd.size() ||
      text.compare(0, kBegin.size(), kBegin) != 0 ||
      text.compare(text.size() - kEnd.size(), kEnd.size(), kEnd) != 0) {
    return;
  }
  const std::string sequence =
      text.substr(kBegin.size(), text.size() - kBegin.size() - kEnd.size());
  struct {
    const char* schema;
    const char* name;
  } found = {nullptr, nullptr};
  std::string why;
  if (!Accepted(&why, [&]() -> const char* {
        List* names = pg::parse_qualified_name(sequence.c_str());
        if (list_length(names) > 2) return "of its name";
        found.schema = list_length(names) == 2 ? strVal(linitial(names)) : "public";
        found.name = strVal(llast(names));
        return nullptr;
      })) {
    return;
  }
  const bool known = std::any_of(sequences_.known().begin(), sequences_.known().end(),
                                 [&](const KnownSequence& other) {
                                   return std::string_view(other.name) == found.name &&
                                          std::string_view(other.schema) == found.schema;
                                 });
  if (!known) sequences_.CreateSerial(name_, column.name, type_name, {found.schema, found.name});
}

void NewRelation::AddColumnExpression(size_t i, ColumnDef* def) {
  const core::ColumnInfo& column = columns_[i];
  const ColumnType type = known_[i].type;
  if (!column.generated) AddSerial(column, type.type);
  const ExpressionScope scope = Scope();
  const ExpressionUse use = column.generated ? ExpressionUse::kGenerated : ExpressionUse::kDefault;
  Node* expression = nullptr;
  std::string why;
  const bool accepted = Accepted(&why, [&]() -> const char* {
    expression = parse_one_expression(column.default_expression->c_str());
    if (expression == nullptr) return "it is not one expression";
    return refuse_expression(expression, use, scope, &type, nullptr);
  });
  if (!accepted) {
    const std::string quoted = QuoteIdentifier(column.name);
    // Its values are not sent.
    if (column.generated) Refuse(Cat("generation expression of column ", quoted), why);
    left_out_->Add(name_, Cat("default of column ", quoted), why);
    return;
  }
  pg::Call([&] {
    def->constraints =
        lappend(def->constraints,
                make_column_constraint(column.generated ? CONSTR_GENERATED : CONSTR_DEFAULT,
                                       expression, column.generated ? 'a' : '\0'));
  });
}

void NewRelation::AddColumn(size_t i, CreateStmt* create) {
  const core::ColumnInfo& column = columns_[i];
  ColumnDef* def = PlainColumn(i);
  if (column.identity == 'a' || column.identity == 'd') {
    AddIdentity(i, def);
  } else if (column.default_expression) {
    AddColumnExpression(i, def);
  } else if (column.generated) {
    Refuse(Cat("generation expression of column ", QuoteIdentifier(column.name)),
           "the definition has none");
  }
  pg::Call([&] { create->tableElts = lappend(create->tableElts, def); });
}

}  // namespace pgsync::catalog
