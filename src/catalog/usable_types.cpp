#include "catalog/usable_types.h"

#include "catalog/accept.h"
#include "catalog/names.h"
#include "catalog/peer_text.h"
#include "catalog/type_definition.h"
#include "core/text.h"

extern "C" {
#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "parser/parse_type.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
}

namespace pgsync::catalog {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

const ColumnType& UsableTypes::Resolve(const std::string& text, const std::string& what) {
  const auto known = resolved_.find(text);
  if (known != resolved_.end()) return known->second;
  ColumnType type;
  std::string why;
  const bool found = text.size() <= kMaxExpressionText && Accepted(&why, [&]() -> const char* {
                       parseTypeString(text.c_str(), &type.type, &type.typmod, false);
                       type.collation = get_typcollation(type.type);
                       return nullptr;
                     });
  if (!found) {
    std::string hint = "Create the type, or the extension that it belongs to, first.";
    for (const auto& [name, extension] : extensions_) {
      if (text.compare(0, name.size(), name) == 0) {
        hint = Cat("Run CREATE EXTENSION ", QuoteIdentifier(extension), ".");
      }
    }
    throw Error(sqlstate::kUndefinedObject,
                Cat(what, " has a type that does not exist here: ", core::Excerpt(text, 200)))
        .WithDetail(Cat(why.empty() ? "It is too long" : why, "."))
        .WithHint(hint);
  }
  RequireTrusted(type.type, text);
  return resolved_.emplace(text, type).first->second;
}

// Whoever planted a domain or a range type here and knows what the peer will say would have its
// functions run by the caller.
void UsableTypes::RequireTrusted(Oid oid, const std::string& text) {
  for (const DefinedType& type : ReadTypes({oid})) {
    if ((type.info.kind != 'd' && type.info.kind != 'r') || created_.count(type.oid) > 0) continue;
    const bool own = pg::Call([&] {
      HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type.oid));
      if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for type %u", type.oid);
      const Oid owner = ((Form_pg_type)GETSTRUCT(tuple))->typowner;
      ReleaseSysCache(tuple);
      return superuser_arg(owner) || is_member_of_role_nosuper(GetUserId(), owner);
    });
    if (own) continue;
    const ColumnType base = pg::Call([&] {
      ColumnType found;
      found.typmod = -1;
      found.type = getBaseTypeAndTypmod(type.oid, &found.typmod);
      found.collation = get_typcollation(found.type);
      return found;
    });
    std::string why = "it has a function of its own";
    Constraint* check;
    Node* expression;
    constexpr std::string_view kBuiltIn = "pg_catalog.";
    bool harmless = !type.info.canonical &&
                    (!type.info.subtype_diff ||
                     type.info.subtype_diff->compare(0, kBuiltIn.size(), kBuiltIn) == 0);
    harmless = harmless && (!type.info.default_expression ||
                            AcceptsDefault(*type.info.default_expression, base, &expression, &why));
    for (const core::PartInfo& part : type.info.constraints)
      harmless = harmless && AcceptsCheck(part, base, &check, &why);
    if (harmless) continue;
    throw Error(sqlstate::kInsufficientPrivilege,
                Cat("type ", core::Excerpt(text, 200), " is not used in a table of a peer"))
        .WithDetail(Cat("Type \"", TableName{type.info.schema, type.info.name}.ForMessage(),
                        "\" belongs to another role, and its values make code run: ", why, "."))
        .WithHint("Create the table yourself if you trust that role.");
  }
}

void UsableTypes::AddCreated(Oid type) {
  known_.push_back(type);
  created_.insert(type);
}

void UsableTypes::AddSame(Oid type, const std::string& text) {
  RequireTrusted(type, text);
  known_.push_back(type);
}

void UsableTypes::NoteExtension(const std::string& type, const std::string& extension) {
  extensions_[type] = extension;
}

ExpressionScope UsableTypes::Scope() const {
  ExpressionScope scope;
  scope.types = known_.data();
  scope.type_count = static_cast<int>(known_.size());
  return scope;
}

bool UsableTypes::AcceptsCheck(const core::PartInfo& check, const ColumnType& base,
                               Constraint** accepted, std::string* why) const {
  ExpressionScope scope = Scope();
  scope.value = base;
  return Accepted(why, [&]() -> const char* {
    const char* refusal = accept_constraint(check.definition.c_str(), check.name.c_str(),
                                            ExpressionUse::kDomainCheck, scope, accepted);
    if (refusal != nullptr) return refusal;
    return (*accepted)->contype == CONSTR_CHECK ? nullptr : "it is no check";
  });
}

bool UsableTypes::AcceptsDefault(const std::string& text, const ColumnType& base, Node** accepted,
                                 std::string* why) const {
  const ExpressionScope scope = Scope();
  return Accepted(why, [&]() -> const char* {
    *accepted = parse_one_expression(text.c_str());
    if (*accepted == nullptr) return "it is not one expression";
    return refuse_expression(*accepted, ExpressionUse::kDefault, scope, &base, nullptr);
  });
}

}  // namespace pgsync::catalog
