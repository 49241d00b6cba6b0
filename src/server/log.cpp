#include "server/log.h"

#include "core/text.h"
#include "pg/guard.h"

namespace pgsync::server {

namespace {

std::string Quoted(const std::string& value) {
  const std::string plain = core::Excerpt(value, 500);
  if (plain.find_first_of(" \"=\\") == std::string::npos) return plain;
  std::string out = "\"";
  for (char c : plain) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  out.push_back('"');
  return out;
}

}  // namespace

void LogPeer(const char* event, const LogFields& fields) {
  std::string line;
  for (const auto& [key, value] : fields) {
    if (!value.empty()) line += core::Cat(" ", key, "=", Quoted(value));
  }
  pg::Call(
      [&] { ereport(LOG, (errmsg("sync peer %s:%s", event, line.c_str()), errhidestmt(true))); });
}

void LogMessage(const std::string& message, const std::string& detail) {
  pg::Call([&] {
    ereport(LOG, (errmsg("%s", message.c_str()),
                  detail.empty() ? 0 : errdetail_internal("%s", detail.c_str())));
  });
}

}  // namespace pgsync::server
