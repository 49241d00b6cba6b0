#include "core/schema_difference.h"

#include <algorithm>

#include "core/text.h"

namespace pgsync::core {

namespace {

using Text = std::optional<std::string>;

// For reading only, so that a keyword may go without quotes.
std::string Name(const std::string& name) {
  const bool plain = !name.empty() && (name[0] < '0' || name[0] > '9') &&
                     std::all_of(name.begin(), name.end(), [](char c) {
                       return c == '_' || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
                     });
  if (plain) return name;
  std::string quoted = "\"";
  for (char c : name) {
    if (c == '"') quoted.push_back(c);
    quoted.push_back(c);
  }
  return quoted + "\"";
}

const char* KindOf(const TableInfo& table) {
  switch (table.kind) {
    case 'r':
      return "table";
    case 'p':
      return "partitioned table";
    case 'v':
      return "view";
    case 'm':
      return "materialized view";
    case 'f':
      return "foreign table";
    default:
      return "relation of another kind";
  }
}

class Comparer {
 public:
  Comparer(const TableInfo& local, const TableInfo& remote) : local_(local), remote_(remote) {}

  std::vector<SchemaDifference> Run() {
    Put("table kind", KindOf(local_), KindOf(remote_));
    for (const ColumnInfo& ours : local_.columns) {
      const ColumnInfo* theirs = remote_.FindColumn(ours.name);
      if (theirs != nullptr) {
        CompareColumns(ours, *theirs);
      } else {
        Put("column", Whole(ours), std::nullopt);
      }
    }
    for (const ColumnInfo& theirs : remote_.columns) {
      if (local_.FindColumn(theirs.name) == nullptr) Put("column", std::nullopt, Whole(theirs));
    }
    Put("primary key", PrimaryKey(local_), PrimaryKey(remote_));
    PutSets("foreign key", local_.depends_on, remote_.depends_on);
    return std::move(differences_);
  }

 private:
  static std::string Whole(const ColumnInfo& column) {
    return Cat(Name(column.name), " ", column.type);
  }

  static Text PrimaryKey(const TableInfo& table) {
    if (table.primary_key.empty()) return std::nullopt;
    std::vector<std::string> names;
    for (const std::string& column : table.primary_key)
      names.push_back(Name(column));
    return Cat("(", Join(names, ", "), ")");
  }

  static Text IdentityOf(const ColumnInfo& column) {
    if (column.identity == '\0') return std::nullopt;
    return column.identity == 'a' ? "ALWAYS" : "BY DEFAULT";
  }

  void CompareColumns(const ColumnInfo& ours, const ColumnInfo& theirs) {
    const auto put = [&](const char* kind, const Text& local, const Text& remote) {
      const auto named = [&](const Text& what) {
        return what ? Text(Cat(Name(ours.name), " ", *what)) : what;
      };
      Put(kind, named(local), named(remote));
    };
    const auto not_null = [](const ColumnInfo& column) {
      return column.nullable ? Text() : Text("NOT NULL");
    };
    const auto expression = [](const ColumnInfo& column, bool generated) {
      return column.generated == generated ? column.default_expression : Text();
    };
    put("type", ours.type, theirs.type);
    put("collation", ours.collation, theirs.collation);
    put("not null", not_null(ours), not_null(theirs));
    put("default", expression(ours, false), expression(theirs, false));
    put("generated", expression(ours, true), expression(theirs, true));
    put("identity", IdentityOf(ours), IdentityOf(theirs));
  }

  void Put(const char* kind, const Text& local, const Text& remote) {
    if (local != remote) differences_.push_back({kind, local, remote});
  }

  // Things of which a table has any number: each that only one side has.
  void PutSets(const char* kind, const std::vector<std::string>& local,
               const std::vector<std::string>& remote) {
    const auto has = [](const std::vector<std::string>& all, const std::string& one) {
      return std::find(all.begin(), all.end(), one) != all.end();
    };
    for (const std::string& one : local)
      Put(kind, one, has(remote, one) ? Text(one) : Text());
    for (const std::string& one : remote)
      Put(kind, has(local, one) ? Text(one) : Text(), one);
  }

  const TableInfo& local_;
  const TableInfo& remote_;
  std::vector<SchemaDifference> differences_;
};

}  // namespace

std::vector<SchemaDifference> CompareDefinitions(const TableInfo* local, const TableInfo* remote) {
  if (local != nullptr && remote != nullptr) return Comparer(*local, *remote).Run();
  const auto kind = [](const TableInfo* table) {
    return table != nullptr ? Text(KindOf(*table)) : Text();
  };
  if (local == remote) return {};
  return {{"table", kind(local), kind(remote)}};
}

}  // namespace pgsync::core
