// Names for what is made from a peer's definition.
#pragma once

#include <set>
#include <string>

#include "catalog/names.h"
#include "core/error.h"

namespace pgsync::catalog {

inline constexpr core::SqlState kInvalidName{"42602"};

/// Raises unless the text can be a name, as it stands: PostgreSQL itself would cut off what is too
/// long. `what` tells whose ("a column").
void RequireName(const std::string& name, const char* what);

/// Raises 3F000 where the schema does not exist, and 42501 where it is one of the system's, in
/// which a superuser could plant what is then found before all else.
void RequireSchema(const std::string& schema);

/// The name itself if no relation of the schema has it and it is not among `reserved`, else one
/// made from it that is free.
std::string FreeName(const std::string& schema, const std::string& name,
                     const std::set<std::string>& reserved = {});

/// What is named after a table is named after it still when that has got another name.
std::string RenamedAfter(const std::string& name, const std::string& old_table,
                         const std::string& new_table);

}  // namespace pgsync::catalog
