#include "pg/settings.h"

#include <climits>

#include "core/cidr.h"

extern "C" {
#include "libpq/libpq.h"
#include "postmaster/postmaster.h"
#include "utils/guc.h"
}

namespace pgsync::pg::settings {

int port = 5480;
char* listen_addresses;
char* database;
char* databases;
int max_connections = 4;
int max_pending = 2;
int queue_timeout_ms = 5000;
int max_sessions = 100;
int queue_size = 1024;
int max_jobs = 2;
int authentication_timeout_s = 10;
int idle_timeout_ms = 300000;
int phoenix_idle_timeout_ms = 60000;
int send_timeout_ms = 60000;
int snapshot_timeout_s = 43200;
int lock_timeout_ms = 10000;
int reconnect_grace_s = 60;
char* ssl_cert_file;
char* ssl_key_file;
char* ssl_ca_file;
char* allowed_clients;
char* trusted_proxies;
bool phoenix_hash_auth = false;
bool phoenix_activation = false;
bool phoenix_reactivation = false;
char* allowed_peers;
bool allow_insecure = false;
bool report_progress = false;
int max_message_size_kb = 65536;
int max_page_rows = 10000;
bool compression = true;

namespace {

int ssl = static_cast<int>(Ssl::kAsServer);
int compression_mode = 1;

const config_enum_entry kSslOptions[] = {{"auto", static_cast<int>(Ssl::kAsServer), true},
                                         {"on", static_cast<int>(Ssl::kOn), false},
                                         {"off", static_cast<int>(Ssl::kOff), false},
                                         {"require", static_cast<int>(Ssl::kRequire), false},
                                         {"true", static_cast<int>(Ssl::kOn), true},
                                         {"yes", static_cast<int>(Ssl::kOn), true},
                                         {"1", static_cast<int>(Ssl::kOn), true},
                                         {"false", static_cast<int>(Ssl::kOff), true},
                                         {"no", static_cast<int>(Ssl::kOff), true},
                                         {"0", static_cast<int>(Ssl::kOff), true},
                                         {nullptr, 0, false}};

const config_enum_entry kCompressionOptions[] = {
    {"auto", 1, false}, {"off", 0, false}, {nullptr, 0, false}};

// The check runs in C frames of the server: it reduces what the list parser may throw to an answer.
bool IsCidrList(const char* list) noexcept {
  try {
    for (const std::string& part : core::SplitList(list)) {
      if (!core::Cidr::Parse(part)) return false;
    }
    return true;
  } catch (...) {
    return false;
  }
}

bool check_cidr_list(char** value, void**, GucSource) {
  if (*value == nullptr || IsCidrList(*value)) return true;
  GUC_check_errdetail(
      "The value must be a list of addresses or networks, such as "
      "\"10.0.0.0/8, ::1\", separated by commas.");
  return false;
}

void assign_compression(int value, void*) {
  compression = value != 0;
}

void define_int(const char* name, const char* text, int* variable, int boot, int min, int max,
                GucContext context, int flags) {
  DefineCustomIntVariable(name, text, nullptr, variable, boot, min, max, context, flags, nullptr,
                          nullptr, nullptr);
}

void define_string(const char* name, const char* text, const char* details, char** variable,
                   const char* boot, GucContext context, int flags, GucStringCheckHook check) {
  DefineCustomStringVariable(name, text, details, variable, boot, context, flags, check, nullptr,
                             nullptr);
}

// What sizes shared memory and opens sockets is fixed at start; without the launcher it only shows.
void define_listener_settings() {
  const GucContext at_start =
      process_shared_preload_libraries_in_progress ? PGC_POSTMASTER : PGC_SIGHUP;
  define_int("sync.port", "Port on which peers are listened for (1 to 65535).", &port, 5480, 1,
             65535, at_start, 0);
  define_string("sync.listen_addresses", "Host names or addresses on which peers are listened for.",
                "\"*\" is all of them, an empty string none.", &listen_addresses, "localhost",
                at_start, GUC_LIST_INPUT, nullptr);
  define_int("sync.max_connections",
             "Number of peers that can be served at the same time (1 to 1000).", &max_connections,
             4, 1, 1000, at_start, 0);
  define_int("sync.max_sessions",
             "Number of sessions that can exist at the same time (1 to 10000).", &max_sessions, 100,
             1, 10000, at_start, 0);
  define_int("sync.queue_size",
             "Number of entries of the history and of counters that can wait to be written "
             "(16 to 65536).",
             &queue_size, 1024, 16, 65536, at_start, 0);
}

void define_server_settings() {
  define_string("sync.database",
                "Database of peers that come with a token and whose URL names none.", nullptr,
                &database, "postgres", PGC_SIGHUP, 0, nullptr);
  define_string("sync.databases", "Databases whose tables can be shared.",
                "A list of names; \"*\" is all databases.", &databases, "*", PGC_SIGHUP,
                GUC_LIST_INPUT, nullptr);
  define_int("sync.max_pending",
             "Number of peers that can be in the course of authentication (1 to 64).", &max_pending,
             2, 1, kMaxPendingLimit, PGC_SIGHUP, 0);
  define_int("sync.max_jobs",
             "Number of jobs and automatic syncs that can run at the same time (0 to 64).",
             &max_jobs, 2, 0, kMaxJobsLimit, PGC_SIGHUP, 0);
  define_int("sync.queue_timeout",
             "How long a peer waits for a free worker before it is turned away (0 to 5 min).",
             &queue_timeout_ms, 5000, 0, 300000, PGC_SIGHUP, GUC_UNIT_MS);
  define_int("sync.authentication_timeout",
             "How long a peer may take until it has authenticated itself (1 s to 10 min).",
             &authentication_timeout_s, 10, 1, 600, PGC_SIGHUP, GUC_UNIT_S);
  define_int("sync.idle_timeout",
             "How long a peer may stay connected without a request (1 s to 24 days).",
             &idle_timeout_ms, 300000, 1000, INT_MAX, PGC_SIGHUP, GUC_UNIT_MS);
  define_int(
      "sync.phoenix_idle_timeout",
      "How long a PhoenixKit site may stay connected without a heartbeat (100 ms to 24 days).",
      &phoenix_idle_timeout_ms, 60000, 100, INT_MAX, PGC_SIGHUP, GUC_UNIT_MS);
  define_int("sync.send_timeout",
             "How long a peer may take to read what it is sent (1 s to 24 days).", &send_timeout_ms,
             60000, 1000, INT_MAX, PGC_SIGHUP, GUC_UNIT_MS);
  define_int("sync.snapshot_timeout",
             "How long the snapshot of a peer may be held (1 s to 30 days).", &snapshot_timeout_s,
             43200, 1, 30 * 86400, PGC_SIGHUP, GUC_UNIT_S);
  define_int("sync.lock_timeout", "How long a worker waits for a lock (1 ms to 24 days).",
             &lock_timeout_ms, 10000, 1, INT_MAX, PGC_SIGHUP, GUC_UNIT_MS);
  define_int("sync.reconnect_grace",
             "How long a peer that was cut off may come back to its session (0 to 1 h).",
             &reconnect_grace_s, 60, 0, 3600, PGC_SIGHUP, GUC_UNIT_S);
  DefineCustomEnumVariable("sync.ssl", "Whether peers can connect with TLS, or must.",
                           "The default is on where the server's own ssl is on, else off.", &ssl,
                           static_cast<int>(Ssl::kAsServer), kSslOptions, PGC_SIGHUP, 0, nullptr,
                           nullptr, nullptr);
  define_string("sync.ssl_cert_file", "Certificate shown to peers.",
                "The default, an empty string, is the server's own ssl_cert_file.", &ssl_cert_file,
                "", PGC_SIGHUP, 0, nullptr);
  define_string("sync.ssl_key_file", "Private key that belongs to sync.ssl_cert_file.",
                "The default, an empty string, is the server's own ssl_key_file.", &ssl_key_file,
                "", PGC_SIGHUP, 0, nullptr);
  define_string("sync.allowed_clients", "Addresses and networks from which peers may connect.",
                "An empty string is all of them.", &allowed_clients, "", PGC_SIGHUP, GUC_LIST_INPUT,
                check_cidr_list);
  define_string("sync.trusted_proxies",
                "Proxies whose word is taken for the address of a peer (X-Forwarded-For).",
                "A list of addresses and networks; an empty string is none.", &trusted_proxies, "",
                PGC_SIGHUP, GUC_LIST_INPUT, check_cidr_list);
  define_int("sync.max_message_size",
             "Largest request or reply that is not a stream of rows "
             "(64 kB to 1 GB).",
             &max_message_size_kb, 65536, 64, 1024 * 1024, PGC_SIGHUP, GUC_UNIT_KB);
  define_int("sync.max_page_rows",
             "Largest number of rows that a peer gets in one page "
             "(1 to 1000000).",
             &max_page_rows, 10000, 1, 1000000, PGC_SIGHUP, 0);
}

void define_bool(const char* name, const char* text, const char* details, bool* variable) {
  DefineCustomBoolVariable(name, text, details, variable, false, PGC_SIGHUP, 0, nullptr, nullptr,
                           nullptr);
}

// What PhoenixKit's sites need for some things, and nobody else should be allowed.
void define_phoenix_settings() {
  define_bool("sync.phoenix_hash_auth",
              "Lets PhoenixKit sites pull over HTTP with the hash of a token instead of the token.",
              "Whoever reads the hash, as in a backup of the other site's database, can pull, too.",
              &phoenix_hash_auth);
  define_bool("sync.phoenix_activation",
              "Lets a PhoenixKit site activate a pending connection by asking for its status.",
              "Only with approval mode \"auto_approve\".", &phoenix_activation);
  define_bool("sync.phoenix_reactivation",
              "Lets a PhoenixKit site activate a connection that was suspended or revoked here.",
              nullptr, &phoenix_reactivation);
}

void define_client_settings() {
  define_string("sync.ssl_ca_file",
                "Certificate authorities that the certificates of peers are "
                "checked against.",
                "An empty string is those of the system.", &ssl_ca_file, "", PGC_SUSET, 0, nullptr);
  define_string(
      "sync.allowed_peers", "Peers that may be connected to.",
      "A list of host names, addresses and networks; \"*\" is any, an empty string any for "
      "superusers and none for others.",
      &allowed_peers, "", PGC_SUSET, GUC_LIST_INPUT, nullptr);
  DefineCustomBoolVariable("sync.allow_insecure",
                           "Allows connections without TLS to and from other machines.", nullptr,
                           &allow_insecure, false, PGC_SUSET, 0, nullptr, nullptr, nullptr);
  DefineCustomBoolVariable("sync.report_progress",
                           "Reports the progress of transfers in a NOTICE every second.", nullptr,
                           &report_progress, false, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  DefineCustomEnumVariable(
      "sync.compression", "Whether rows are compressed on their way from a peer.",
      "\"auto\" compresses where the peer is on another machine.", &compression_mode, 1,
      kCompressionOptions, PGC_USERSET, 0, nullptr, assign_compression, nullptr);
}

}  // namespace

Ssl EffectiveSsl() {
  const auto value = static_cast<Ssl>(ssl);
  if (value != Ssl::kAsServer) return value;
  return EnableSSL ? Ssl::kOn : Ssl::kOff;
}

bool DatabaseServed(const char* database) {
  for (const std::string& name : core::SplitList(databases)) {
    if (name == "*" || name == database) return true;
  }
  return false;
}

void define_settings() {
  define_listener_settings();
  define_server_settings();
  define_phoenix_settings();
  define_client_settings();
  MarkGUCPrefixReserved("sync");
}

}  // namespace pgsync::pg::settings
