#include "engine/foreign_key_check.h"

#include "catalog/names.h"
#include "catalog/table.h"
#include "core/text.h"
#include "pg/identity.h"
#include "pg/query.h"

extern "C" {
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/acl.h"
#include "utils/snapmgr.h"
}

namespace pgsync::engine {

using catalog::ForeignKeyRule;
using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

constexpr char kOrphansRelation[] = "pgsync_orphans";
constexpr int kOrphanMemory = 4 * 1024;  // kB

std::string EachNotNull(const ForeignKeyRule& rule, const char* between) {
  std::vector<std::string> parts;
  for (const std::string& column : rule.columns)
    parts.push_back(Cat("c.", column, " IS NOT NULL"));
  return core::Join(parts, between);
}

// "FROM ... WHERE ...": the rows that violate the foreign key.
std::string Violations(const ForeignKeyRule& rule) {
  std::vector<std::string> referenced, referencing;
  for (size_t i = 0; i < rule.columns.size(); i++) {
    referenced.push_back(Cat("p.", rule.referenced_columns[i]));
    referencing.push_back(Cat("c.", rule.columns[i]));
  }
  std::string missing = Cat("NOT EXISTS (SELECT FROM ", rule.referenced_name, " AS p WHERE ",
                            catalog::MatchKeys(rule, referenced, referencing), ")");
  const std::string all = EachNotNull(rule, " AND ");
  if (rule.match_full && rule.columns.size() > 1) {
    missing = Cat("(", EachNotNull(rule, " OR "), ") AND (NOT (", all, ") OR ", missing, ")");
  } else {
    missing = Cat(all, " AND ", missing);
  }
  return Cat(" FROM ", rule.referencing_name, " AS c WHERE ", missing);
}

std::string WrittenHere() {
  return Cat(catalog::QuoteIdentifier(catalog::ExtensionSchema()), "._sync_is_mine(c.xmin)");
}

// The values of the row's foreign key as text. By output functions alone, which only superusers can
// make: the query may run as one.
std::string KeyText(const ForeignKeyRule& rule) {
  std::vector<std::string> marks, values;
  for (const std::string& column : rule.columns) {
    marks.push_back("%s");
    values.push_back(Cat("c.", column));
  }
  return Cat("pg_catalog.format('", core::Join(marks, ", "), "', ", core::Join(values, ", "), ")");
}

// The first column of the first row; nullopt: there is no row. Sees whatever is committed by now,
// also in a transaction whose own snapshot is older. In the open SPI connection.
std::optional<std::string> FirstValue(const std::string& sql) {
  const char* text = sql.c_str();
  const char* value = pg::Call([&]() -> const char* {
    SPIPlanPtr plan = SPI_prepare(text, 0, nullptr);
    if (plan == nullptr) elog(ERROR, "SPI failed: %s", SPI_result_code_string(SPI_result));
    CommandCounterIncrement();
    const int result = SPI_execute_snapshot(plan, nullptr, nullptr, GetLatestSnapshot(),
                                            InvalidSnapshot, false, false, 1);
    if (result != SPI_OK_SELECT) elog(ERROR, "SPI failed: %s", SPI_result_code_string(result));
    if (SPI_processed == 0) return nullptr;
    const char* found = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
    return found != nullptr ? found : "";
  });
  return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
}

// Runs `body` with the right to read everything where what it runs is to be trusted.
template <typename Body>
void WithRightsFor(const ForeignKeyRule& rule, Body body) {
  if (!rule.trusted) {
    if (catalog::RowSecurityApplies(rule.referencing) ||
        catalog::RowSecurityApplies(rule.referenced)) {
      throw Error(sqlstate::kInsufficientPrivilege,
                  Cat("cannot check foreign key constraint \"", rule.name, "\""))
          .WithDetail("Row level security hides rows of one of its tables.");
    }
    body();
    return;
  }
  const pg::UserScope superuser(BOOTSTRAP_SUPERUSERID);
  body();
}

std::optional<std::string> FindViolation(const ForeignKeyRule& rule, const std::string& condition,
                                         RowStore* orphans) {
  std::optional<std::string> found;
  WithRightsFor(rule, [&] {
    pg::WithSpi([&] {
      if (orphans != nullptr) orphans->Register();
      found = FirstValue(Cat("SELECT ", KeyText(rule), Violations(rule), condition, " LIMIT 1"));
    });
  });
  return found;
}

std::string Unquoted(const std::string& qualified) {
  return qualified.compare(0, 5, "ONLY ") == 0 ? qualified.substr(5) : qualified;
}

}  // namespace

ForeignKeyCheck::ForeignKeyCheck(const std::vector<Oid>& tables)
    : outgoing_(catalog::ForeignKeysOf(tables)), incoming_(catalog::ForeignKeysTo(tables)) {
  NoteOrphans();
}

// A foreign key that is NOT VALID may have been violated all along: that is not our doing.
void ForeignKeyCheck::NoteOrphans() {
  for (const ForeignKeyRule& rule : incoming_) {
    if (rule.validated) continue;
    if (!orphans_) {
      orphans_ = std::make_unique<RowStore>(
          kOrphansRelation, std::vector<RowStore::Column>{{OIDOID}, {TIDOID}}, kOrphanMemory);
    }
    WithRightsFor(rule, [&] {
      pg::WithSpi([&] {
        orphans_->Fill(Cat("SELECT 0::pg_catalog.int8, c.tableoid, c.ctid", Violations(rule)));
      });
    });
  }
}

void ForeignKeyCheck::Run() {
  for (const ForeignKeyRule& rule : outgoing_) {
    const auto key = FindViolation(rule, Cat(" AND ", WrittenHere()), nullptr);
    if (!key) continue;
    throw Error(sqlstate::kForeignKeyViolation,
                Cat("rows of table \"", Unquoted(rule.referencing_name),
                    "\" violate foreign key constraint \"", rule.name, "\""))
        .WithDetail(Cat("Key (", core::Join(rule.columns, ", "), ")=(", *key,
                        ") is not present in table \"", Unquoted(rule.referenced_name), "\"."));
  }
  for (const ForeignKeyRule& rule : incoming_) {
    const std::string condition =
        rule.validated
            ? std::string()
            : Cat(" AND NOT ", WrittenHere(), " AND NOT EXISTS (SELECT FROM ", kOrphansRelation,
                  " AS o WHERE o.c0 OPERATOR(pg_catalog.=) c.tableoid AND o.c1 "
                  "OPERATOR(pg_catalog.=) c.ctid)");
    const auto key = FindViolation(rule, condition, rule.validated ? nullptr : orphans_.get());
    if (!key) continue;
    const bool own =
        pg::Call([&] { return has_privs_of_role(GetUserId(), rule.referencing_owner); });
    const std::string detail =
        own ? Cat("Key (", core::Join(rule.columns, ", "), ")=(", *key,
                  ") is still referenced from table \"", Unquoted(rule.referencing_name), "\".")
            : std::string();
    if (rule.acts) {
      throw Error(sqlstate::kFeatureNotSupported,
                  Cat("foreign key constraint \"", rule.name,
                      "\" would have to change rows that refer to what was deleted or changed"))
          .WithDetail(detail)
          .WithHint("Use triggers => 'fire'.");
    }
    throw Error(sqlstate::kForeignKeyViolation,
                Cat("rows that were deleted or changed are referenced by foreign key constraint \"",
                    rule.name, "\""))
        .WithDetail(detail);
  }
  if (orphans_) orphans_->Clear();
}

std::vector<Oid> ForeignKeyCheck::Neighbours(const std::vector<Oid>& tables) {
  std::vector<Oid> neighbours;
  for (const pg::Row& row : pg::CatalogQuery(
           "WITH tree AS (SELECT p.relid::oid AS relid FROM unnest($1) t, "
           "    pg_partition_tree(t::regclass) p UNION SELECT unnest($1)), "
           "  ends AS (SELECT conrelid AS relid FROM pg_constraint WHERE contype = 'f' "
           "      AND confrelid IN (SELECT relid FROM tree) "
           "    UNION SELECT confrelid FROM pg_constraint WHERE contype = 'f' "
           "      AND conrelid IN (SELECT relid FROM tree)) "
           "SELECT relid FROM ends UNION SELECT p.relid::oid FROM ends e, "
           "  pg_partition_tree(e.relid::regclass) p",
           {pg::Param::OfOids(tables)})) {
    neighbours.push_back(row.AsOid(0));
  }
  return neighbours;
}

}  // namespace pgsync::engine
