#include "catalog/new_names.h"

#include "core/text.h"

extern "C" {
#include "catalog/namespace.h"
#include "commands/defrem.h"
#include "mb/pg_wchar.h"
}

namespace pgsync::catalog {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

void RequireName(const std::string& name, const char* what) {
  if (name.empty()) throw Error(kInvalidName, Cat("the name of ", what, " is empty"));
  if (name.size() >= NAMEDATALEN) {
    throw Error(kInvalidName, Cat("the name of ", what, " is too long: \"",
                                  core::Excerpt(name, NAMEDATALEN), "\""))
        .WithDetail(Cat("A name has at most ", NAMEDATALEN - 1, " bytes."));
  }
}

void RequireSchema(const std::string& schema) {
  RequireName(schema, "a schema");
  if (schema.compare(0, 3, "pg_") == 0 || schema == "information_schema") {
    throw Error(sqlstate::kInsufficientPrivilege,
                Cat("nothing can be created in schema \"", schema, "\""))
        .WithDetail("It belongs to the system.");
  }
  if (!OidIsValid(pg::Call([&] { return get_namespace_oid(schema.c_str(), true); }))) {
    throw Error(sqlstate::kInvalidSchemaName, Cat("schema \"", schema, "\" does not exist"))
        .WithHint(Cat("Run CREATE SCHEMA ", QuoteIdentifier(schema), "."));
  }
}

std::string FreeName(const std::string& schema, const std::string& name,
                     const std::set<std::string>& reserved) {
  std::string candidate = name;
  for (int i = 1; reserved.count(candidate) > 0 || OidIsValid(FindRelation({schema, candidate}));
       i++) {
    pg::CheckInterrupts();
    const std::string number = std::to_string(i);
    candidate = pg::Call([&] { return makeObjectName(name.c_str(), nullptr, number.c_str()); });
  }
  return candidate;
}

std::string RenamedAfter(const std::string& name, const std::string& old_table,
                         const std::string& new_table) {
  if (old_table.empty() || old_table == new_table) return name;
  const bool after = name.compare(0, old_table.size(), old_table) == 0;
  const std::string renamed = after ? Cat(new_table, name.substr(old_table.size())) : name;
  const int length = static_cast<int>(renamed.size());
  return renamed.substr(0, static_cast<size_t>(pg::Call([&] {
                          return pg_mbcliplen(renamed.c_str(), length, NAMEDATALEN - 1);
                        })));
}

}  // namespace pgsync::catalog
