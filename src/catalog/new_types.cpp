#include "catalog/new_types.h"

#include <algorithm>

#include "catalog/new_names.h"
#include "catalog/peer_text.h"
#include "catalog/provided.h"
#include "catalog/type_definition.h"
#include "catalog/utility.h"
#include "core/text.h"
#include "pg/compat.h"

extern "C" {
#include "access/transam.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "parser/parse_func.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
}

namespace pgsync::catalog {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

constexpr core::SqlState kDuplicateObject{"42710"};

Oid FindType(const TableName& name) {
  return pg::Call([&] {
    const Oid schema = get_namespace_oid(name.schema.c_str(), true);
    if (!OidIsValid(schema)) return InvalidOid;
    return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum(name.name.c_str()),
                           ObjectIdGetDatum(schema));
  });
}

// The definition without what does not make it another type.
std::string Essence(core::TypeInfo type) {
  type.comment.reset();
  for (core::PartInfo& constraint : type.constraints)
    constraint.comment.reset();
  for (core::TypeInfo::Attribute& attribute : type.attributes)
    attribute.comment.reset();
  core::JsonWriter json;
  type.Write(json);
  return json.Take();
}

List* FindCollation(const std::optional<std::string>& name, const std::string& what) {
  if (!name) return NIL;
  List* found = nullptr;
  std::string why;
  const bool accepted = Accepted(&why, [&]() -> const char* {
    found = find_collation(name->c_str());
    return found == NIL ? "it does not exist here" : nullptr;
  });
  if (!accepted) {
    throw Error(sqlstate::kUndefinedObject,
                Cat("collation ", core::Excerpt(*name, 200), " of ", what, " cannot be used"))
        .WithDetail(Cat("The reason: ", why, "."));
  }
  return found;
}

std::string Shown(const core::TypeInfo& type) {
  return TableName{type.schema, type.name}.ForMessage();
}

}  // namespace

void NewTypes::Create(const TableName& table, const core::TableInfo& definition) {
  for (const core::TypeInfo& type : definition.types) {
    pg::CheckInterrupts();
    CreateType(table, type);
  }
}

void NewTypes::CreateType(const TableName& table, const core::TypeInfo& type) {
  RequireName(type.name, "a type");
  const TableName name{type.schema, type.name};
  if (type.kind == 'x') usable_.NoteExtension(name.Qualified(), type.extension);
  const std::string essence = Essence(type);
  const auto [seen, first] = seen_.emplace(name, essence);
  if (!first) {
    if (seen->second == essence) return;
    throw Error(kDuplicateObject, Cat("type \"", Shown(type), "\" has two definitions"));
  }
  const Oid existing = FindType(name);
  switch (type.kind) {
    case 'x':
      if (!OidIsValid(existing)) {
        throw Error(sqlstate::kUndefinedObject, Cat("type \"", Shown(type), "\" does not exist"))
            .WithHint(Cat("Run CREATE EXTENSION ", QuoteIdentifier(type.extension),
                          "; it must have its types in schema ", QuoteIdentifier(type.schema),
                          "."));
      }
      return;
    case 'e':
    case 'd':
    case 'c':
    case 'r':
      break;
    default:
      if (!OidIsValid(existing)) {
        throw Error(sqlstate::kUndefinedObject, Cat("type \"", Shown(type), "\" does not exist"))
            .WithDetail(type.kind == 't' ? "It is the row type of a table."
                                         : "It is no type that can be created from a definition.")
            .WithHint(type.kind == 't' ? "Create that table first." : "Create it first.");
      }
      return;
  }
  if (OidIsValid(existing)) {
    RequireSame(existing, type);
    // Expressions may use it from here on, whether a column does or not.
    usable_.AddSame(existing, name.Qualified());
    return;
  }
  RequireSchema(type.schema);
  if (type.kind == 'e') CreateEnum(type);
  if (type.kind == 'd') CreateDomain(table, type);
  if (type.kind == 'c') CreateComposite(type);
  if (type.kind == 'r') CreateRange(table, type);
  const Oid created = FindType(name);
  usable_.AddCreated(created);
  CommentOn(created, type);
}

void NewTypes::CreateEnum(const core::TypeInfo& type) {
  std::set<std::string> labels;
  for (const std::string& label : type.labels) {
    RequireName(label, "an enum's label");
    if (labels.insert(label).second) continue;
    throw Error(sqlstate::kInvalidParameter,
                Cat("enum \"", Shown(type), "\" has the label \"", label, "\" twice"));
  }
  Node* statement = pg::Call([&] {
    auto* create = makeNode(CreateEnumStmt);
    create->typeName = make_names({type.schema, type.name});
    for (const std::string& label : type.labels)
      create->vals = lappend(create->vals, makeString(pstrdup(label.c_str())));
    return reinterpret_cast<Node*>(create);
  });
  RunUtility(statement);
}

void NewTypes::CreateDomain(const TableName& table, const core::TypeInfo& type) {
  const std::string what = Cat("domain \"", Shown(type), "\"");
  const ColumnType base = usable_.Resolve(type.base, what);
  List* const collation = FindCollation(type.collation, what);
  std::string why;
  Node* default_expression = nullptr;
  if (type.default_expression &&
      !usable_.AcceptsDefault(*type.default_expression, base, &default_expression, &why)) {
    default_expression = nullptr;
    left_out_->Add(table, Cat("default of ", what), why);
  }
  std::vector<Constraint*> checks;
  for (const core::PartInfo& part : type.constraints) {
    RequireName(part.name, "a constraint");
    Constraint* check = nullptr;
    if (usable_.AcceptsCheck(part, base, &check, &why)) {
      checks.push_back(check);
    } else {
      left_out_->Add(table, Cat("constraint ", QuoteIdentifier(part.name), " of ", what), why);
    }
  }
  Node* statement = pg::Call([&] {
    auto* create = makeNode(CreateDomainStmt);
    create->domainname = make_names({type.schema, type.name});
    create->typeName = makeTypeNameFromOid(base.type, base.typmod);
    if (collation != NIL) {
      create->collClause = makeNode(CollateClause);
      create->collClause->collname = collation;
      create->collClause->location = -1;
    }
    if (default_expression != nullptr) {
      create->constraints = lappend(
          create->constraints, make_column_constraint(CONSTR_DEFAULT, default_expression, '\0'));
    }
    if (type.not_null) {
      create->constraints =
          lappend(create->constraints, make_column_constraint(CONSTR_NOTNULL, nullptr, '\0'));
    }
    for (Constraint* check : checks) {
      if (!check->skip_validation) create->constraints = lappend(create->constraints, check);
    }
    return reinterpret_cast<Node*>(create);
  });
  RunUtility(statement);
  for (Constraint* check : checks) {
    if (!check->skip_validation) continue;
    statement = pg::Call([&] {
      auto* alter = makeNode(AlterDomainStmt);
      alter->subtype = 'C';
      alter->typeName = make_names({type.schema, type.name});
      alter->def = reinterpret_cast<Node*>(check);
      return reinterpret_cast<Node*>(alter);
    });
    RunUtility(statement);
  }
}

void NewTypes::CreateComposite(const core::TypeInfo& type) {
  std::vector<ColumnType> types;
  std::vector<List*> collations;
  for (const core::TypeInfo::Attribute& attribute : type.attributes) {
    RequireName(attribute.name, "an attribute");
    const std::string what =
        Cat("attribute \"", attribute.name, "\" of type \"", Shown(type), "\"");
    types.push_back(usable_.Resolve(attribute.type, what));
    collations.push_back(FindCollation(attribute.collation, what));
  }
  Node* statement = pg::Call([&] {
    auto* create = makeNode(CompositeTypeStmt);
    create->typevar = make_range({type.schema, type.name});
    for (size_t i = 0; i < types.size(); i++) {
      create->coldeflist = lappend(create->coldeflist, make_column(type.attributes[i].name.c_str(),
                                                                   types[i], collations[i]));
    }
    return reinterpret_cast<Node*>(create);
  });
  RunUtility(statement);
}

void NewTypes::CreateRange(const TableName& table, const core::TypeInfo& type) {
  const std::string what = Cat("range type \"", Shown(type), "\"");
  if (type.canonical) {
    throw Error(sqlstate::kFeatureNotSupported, Cat(what, " cannot be created"))
        .WithDetail(Cat("It has a function that makes its values canonical, ",
                        core::Excerpt(*type.canonical, 200), ", and functions are not carried."))
        .WithHint("Create it first.");
  }
  const ColumnType subtype = usable_.Resolve(type.base, what);
  List* const collation = FindCollation(type.collation, what);
  if (!type.multirange.empty()) RequireName(type.multirange, "a multirange type");
  List *opclass = nullptr, *difference = nullptr;
  std::string why;
  if (type.opclass && !Accepted(&why, [&]() -> const char* {
        opclass = find_opclass(BTREE_AM_OID, pg::parse_qualified_name(type.opclass->c_str()));
        return opclass == NIL ? "its operator class is not provided here" : nullptr;
      })) {
    throw Error(sqlstate::kUndefinedObject, Cat(what, " cannot be created"))
        .WithDetail(Cat("The reason: ", why, "."));
  }
  // Which only makes GiST indexes better.
  if (type.subtype_diff && !Accepted(&why, [&]() -> const char* {
        List* names = pg::parse_qualified_name(type.subtype_diff->c_str());
        const Oid arguments[] = {subtype.type, subtype.type};
        const Oid found = LookupFuncName(names, 2, arguments, true);
        if (!OidIsValid(found) || found >= FirstGenbkiObjectId) return "it is not built in";
        difference = names;
        return nullptr;
      })) {
    left_out_->Add(table, Cat("difference function of ", what), why);
  }
  Node* statement = pg::Call([&] {
    auto* create = makeNode(CreateRangeStmt);
    create->typeName = make_names({type.schema, type.name});
    auto add = [&](const char* name, void* value) {
      if (value == nullptr) return;
      create->params =
          lappend(create->params, makeDefElem(pstrdup(name), static_cast<Node*>(value), -1));
    };
    add("subtype", makeTypeNameFromOid(subtype.type, subtype.typmod));
    add("subtype_opclass", opclass);
    add("collation", collation);
    add("subtype_diff", difference);
    if (!type.multirange.empty()) {
      add("multirange_type_name", make_names({type.schema, type.multirange}));
    }
    return reinterpret_cast<Node*>(create);
  });
  RunUtility(statement);
}

// A part that would have been left out may be missing from a type that was created here before.
void NewTypes::RequireSame(Oid existing, const core::TypeInfo& type) {
  const auto types = ReadTypes({existing});
  if (!types.empty() && types.back().oid == existing) {
    const core::TypeInfo& here = types.back().info;
    core::TypeInfo there = type;
    auto by_definition = [](const core::PartInfo& a, const core::PartInfo& b) {
      return a.definition < b.definition;
    };
    auto is_here = [&](const core::PartInfo& part) {
      return std::any_of(here.constraints.begin(), here.constraints.end(),
                         [&](const core::PartInfo& c) { return c.definition == part.definition; });
    };
    if (type.kind == 'd' && here.kind == 'd') {
      const ColumnType base = usable_.Resolve(here.base, Cat("domain \"", Shown(type), "\""));
      std::string why;
      Constraint* check;
      Node* expression;
      there.constraints.clear();
      for (const core::PartInfo& part : type.constraints) {
        if (is_here(part) || usable_.AcceptsCheck(part, base, &check, &why)) {
          there.constraints.push_back(part);
        }
      }
      if (type.default_expression && !here.default_expression &&
          !usable_.AcceptsDefault(*type.default_expression, base, &expression, &why)) {
        there.default_expression.reset();
      }
    }
    // Names of checks do not matter, nor their order.
    core::TypeInfo ours = here;
    for (core::TypeInfo* side : {&ours, &there}) {
      std::sort(side->constraints.begin(), side->constraints.end(), by_definition);
      for (core::PartInfo& part : side->constraints)
        part.name.clear();
    }
    if (Essence(ours) == Essence(there)) return;
  }
  throw Error(kDuplicateObject,
              Cat("type \"", Shown(type), "\" already exists with another definition"))
      .WithHint("Make the two alike, or drop this one if it is not needed.");
}

void NewTypes::CommentOn(Oid type, const core::TypeInfo& info) {
  if (info.comment) Comment(TypeRelationId, type, 0, *info.comment);
  for (const core::PartInfo& part : info.constraints) {
    if (!part.comment) continue;
    const Oid constraint =
        pg::Call([&] { return get_domain_constraint_oid(type, part.name.c_str(), true); });
    if (OidIsValid(constraint)) Comment(ConstraintRelationId, constraint, 0, *part.comment);
  }
  int number = 0;
  const Oid relation = pg::Call([&] { return get_typ_typrelid(type); });
  for (const core::TypeInfo::Attribute& attribute : info.attributes) {
    number++;
    if (attribute.comment) Comment(RelationRelationId, relation, number, *attribute.comment);
  }
}

}  // namespace pgsync::catalog
