// Where text that came from a peer meets PostgreSQL's parser.
#pragma once

#include <string>

#include "pg/subxact.h"

extern "C" {
#include "nodes/parsenodes.h"
}

namespace pgsync::catalog {

inline constexpr size_t kMaxExpressionText = 10 * 1024;

// For leaves. They return a raw tree, null where the text is anything else, and raise what the
// parser raises, or 54000 for a text that is too long.

/// The one expression that the text is.
Node* parse_one_expression(const char* text);
/// The one statement, of that kind.
Node* parse_one_statement(const char* sql, NodeTag tag);
/// The one command of an ALTER TABLE, of that kind.
AlterTableCmd* parse_one_command(const char* sql, AlterTableType subtype);

/// Whether an error tells that text was at fault, or what it names; anything else (a cancel, no
/// memory) is not ours to survive.
inline bool IsFaultOfText(const pg::PgError& error) {
  const std::string category = error.state().Class();
  return category == "42" || category == "22" || category == "54" || category == "0A" ||
         category == "3F";
}

/// Runs a leaf that parses such text, and returns whether it accepted it: it returns null, or the
/// reason why not. What PostgreSQL refuses to parse is refused as well, in a subtransaction.
template <typename Leaf>
bool Accepted(std::string* why, Leaf&& leaf) {
  const char* refusal = nullptr;
  try {
    pg::InSubXact([&] { pg::Call([&] { refusal = leaf(); }); });
  } catch (const pg::PgError& error) {
    if (!IsFaultOfText(error)) throw;
    *why = error.message();
    return false;
  }
  if (refusal == nullptr) return true;
  *why = refusal;
  return false;
}

}  // namespace pgsync::catalog
