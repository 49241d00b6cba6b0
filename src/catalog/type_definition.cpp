#include "catalog/type_definition.h"

#include <set>

#include "pg/query.h"

extern "C" {
#include "access/transam.h"
#include "catalog/pg_type.h"
}

namespace pgsync::catalog {

using pg::CatalogQuery;
using pg::Param;

namespace {

class Reader {
 public:
  void Read(Oid type) {
    if (type < FirstGenbkiObjectId || !seen_.insert(type).second) return;
    pg::CheckInterrupts();
    const auto rows = CatalogQuery(
        "SELECT n.nspname, t.typname, t.typtype, t.typbasetype, t.typrelid, "
        "  CASE WHEN t.typcategory = 'A' AND t.typsubscript = 'array_subscript_handler'::regproc "
        "    THEN t.typelem ELSE 0 END, "
        "  t.typnotnull, pg_get_expr(t.typdefaultbin, 0), format_type(t.typbasetype, t.typtypmod), "
        "  CASE WHEN t.typcollation <> bt.typcollation THEN "
        "    quote_ident(cn.nspname) || '.' || quote_ident(co.collname) END, "
        "  (SELECT e.extname FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid "
        "    WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e' "
        "      AND d.refclassid = 'pg_extension'::regclass), "
        "  obj_description(t.oid, 'pg_type'), c.relkind, n.nspname = 'pg_catalog', "
        "  (SELECT r.rngtypid FROM pg_range r WHERE r.rngmultitypid = t.oid) "
        "FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace "
        "  LEFT JOIN pg_type bt ON bt.oid = t.typbasetype "
        "  LEFT JOIN pg_collation co ON co.oid = t.typcollation "
        "  LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace "
        "  LEFT JOIN pg_class c ON c.oid = t.typrelid WHERE t.oid = $1",
        {Param::OfOid(type)});
    if (rows.empty()) return;
    const pg::Row& row = rows[0];
    if (row.Bool(13)) return;
    if (row.AsOid(5) != InvalidOid) return Read(row.AsOid(5));
    if (!row.IsNull(14)) return Read(row.AsOid(14));

    DefinedType defined;
    defined.oid = type;
    core::TypeInfo& info = defined.info;
    info.schema = row.Text(0);
    info.name = row.Text(1);
    info.extension = row.Text(10);
    if (!info.extension.empty()) {
      info.kind = 'x';
      types.push_back(std::move(defined));
      return;
    }
    info.comment = row.Optional(11);
    switch (row.Char(2)) {
      case TYPTYPE_ENUM:
        info.kind = 'e';
        ReadLabels(defined);
        break;
      case TYPTYPE_DOMAIN:
        info.kind = 'd';
        Read(row.AsOid(3));
        info.not_null = row.Bool(6);
        info.default_expression = row.Optional(7);
        info.base = row.Text(8);
        info.collation = row.Optional(9);
        ReadConstraints(defined);
        break;
      case TYPTYPE_COMPOSITE:
        info.kind = row.Char(12) == 'c' ? 'c' : 't';
        ReadAttributes(defined, row.AsOid(4));
        break;
      case TYPTYPE_RANGE:
        info.kind = 'r';
        ReadRange(defined);
        break;
      default:
        info.kind = 'b';
        break;
    }
    types.push_back(std::move(defined));
  }

  std::vector<DefinedType> types;

 private:
  static void ReadLabels(DefinedType& type) {
    for (const pg::Row& row :
         CatalogQuery("SELECT enumlabel FROM pg_enum WHERE enumtypid = $1 ORDER BY enumsortorder",
                      {Param::OfOid(type.oid)})) {
      type.info.labels.push_back(row.Text(0));
    }
  }

  static void ReadConstraints(DefinedType& type) {
    for (const pg::Row& row : CatalogQuery(
             "SELECT conname, pg_get_constraintdef(oid), obj_description(oid, 'pg_constraint') "
             "FROM pg_constraint WHERE contypid = $1 AND contype = 'c' ORDER BY conname",
             {Param::OfOid(type.oid)})) {
      core::PartInfo constraint;
      constraint.name = row.Text(0);
      constraint.definition = row.Text(1);
      constraint.comment = row.Optional(2);
      type.info.constraints.push_back(std::move(constraint));
    }
  }

  void ReadAttributes(DefinedType& type, Oid relation) {
    for (const pg::Row& row : CatalogQuery(
             "SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.atttypid, "
             "  CASE WHEN a.attcollation <> t.typcollation THEN "
             "    quote_ident(cn.nspname) || '.' || quote_ident(co.collname) END, "
             "  col_description(a.attrelid, a.attnum) "
             "FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
             "  LEFT JOIN pg_collation co ON co.oid = a.attcollation "
             "  LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace "
             "WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
             {Param::OfOid(relation)})) {
      Read(row.AsOid(2));
      type.info.attributes.push_back({row.Text(0), row.Text(1), row.Optional(3), row.Optional(4)});
    }
  }

  void ReadRange(DefinedType& type) {
    const auto rows = CatalogQuery(
        "SELECT r.rngsubtype, format_type(r.rngsubtype, NULL), "
        "  CASE WHEN NOT oc.opcdefault THEN "
        "    quote_ident(ocn.nspname) || '.' || quote_ident(oc.opcname) END, "
        "  CASE WHEN r.rngcollation <> t.typcollation THEN "
        "    quote_ident(cn.nspname) || '.' || quote_ident(co.collname) END, "
        "  CASE WHEN r.rngcanonical <> 0 THEN "
        "    quote_ident(fn.nspname) || '.' || quote_ident(f.proname) END, "
        "  CASE WHEN r.rngsubdiff <> 0 THEN "
        "    quote_ident(dn.nspname) || '.' || quote_ident(d.proname) END, m.typname "
        "FROM pg_range r JOIN pg_type t ON t.oid = r.rngsubtype "
        "  JOIN pg_type m ON m.oid = r.rngmultitypid "
        "  JOIN pg_opclass oc ON oc.oid = r.rngsubopc "
        "  JOIN pg_namespace ocn ON ocn.oid = oc.opcnamespace "
        "  LEFT JOIN pg_collation co ON co.oid = r.rngcollation "
        "  LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace "
        "  LEFT JOIN pg_proc f ON f.oid = r.rngcanonical "
        "  LEFT JOIN pg_namespace fn ON fn.oid = f.pronamespace "
        "  LEFT JOIN pg_proc d ON d.oid = r.rngsubdiff "
        "  LEFT JOIN pg_namespace dn ON dn.oid = d.pronamespace WHERE r.rngtypid = $1",
        {Param::OfOid(type.oid)});
    const pg::Row& row = rows.at(0);
    Read(row.AsOid(0));
    type.info.base = row.Text(1);
    type.info.opclass = row.Optional(2);
    type.info.collation = row.Optional(3);
    type.info.canonical = row.Optional(4);
    type.info.subtype_diff = row.Optional(5);
    type.info.multirange = row.Text(6);
  }

  std::set<Oid> seen_;
};

}  // namespace

std::vector<DefinedType> ReadTypes(const std::vector<Oid>& types) {
  Reader reader;
  for (Oid type : types)
    reader.Read(type);
  return std::move(reader.types);
}

}  // namespace pgsync::catalog
