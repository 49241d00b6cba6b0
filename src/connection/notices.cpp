#include "connection/notices.h"

#include "catalog/names.h"
#include "core/text.h"
#include "pg/identity.h"
#include "pg/query.h"

namespace pgsync::connection {

using core::Cat;
using pg::CatalogQuery;
using pg::Param;

void NoteForSite(const Connection& connection, const char* action) {
  if (!connection.auth_token_hash) return;  // by which the site would know it
  const std::string table = TableOf("sync_notices");
  const std::string role = pg::RoleName(GetUserId());
  pg::UserScope owner(catalog::ExtensionOwner());
  CatalogQuery(Cat("DELETE FROM ", table, " WHERE site_url = $1 AND auth_token_hash = $2"),
               {Param::OfText(connection.site_url), Param::OfText(connection.auth_token_hash)});
  CatalogQuery(Cat("INSERT INTO ", table,
                   " (connection_uuid, site_url, auth_token_hash, action, run_as) "
                   "VALUES ($1::uuid, $2, $3, $4, $5)"),
               {Param::OfText(connection.uuid), Param::OfText(connection.site_url),
                Param::OfText(connection.auth_token_hash), Param::OfText(std::string(action)),
                Param::OfName(role)});
}

}  // namespace pgsync::connection
