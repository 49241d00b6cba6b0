// The settings of this extension (GUCs named sync.*), defined once when the library is loaded.
#pragma once

#include "pg/server.h"

namespace pgsync::pg::settings {

enum class Ssl { kAsServer, kOn, kOff, kRequire };

// What the values mean, and their ranges, stands with their definitions.
extern int port;
extern char* listen_addresses;
extern char* database;
extern char* databases;
extern char* trusted_proxies;
extern bool phoenix_hash_auth;
extern bool phoenix_activation;
extern bool phoenix_reactivation;
extern int max_connections;
extern int max_pending;
extern int queue_timeout_ms;
extern int max_sessions;
extern int queue_size;
extern int max_jobs;
extern int authentication_timeout_s;
extern int idle_timeout_ms;
extern int phoenix_idle_timeout_ms;
extern int send_timeout_ms;
extern int snapshot_timeout_s;
extern int lock_timeout_ms;
extern int reconnect_grace_s;
extern char* ssl_cert_file;
extern char* ssl_key_file;
extern char* ssl_ca_file;
extern char* allowed_clients;
extern char* allowed_peers;
extern bool allow_insecure;
extern bool report_progress;
extern int max_message_size_kb;
extern int max_page_rows;
extern bool compression;

inline constexpr int kMaxPendingLimit = 64;
inline constexpr int kMaxJobsLimit = 64;

/// sync.ssl, with its default resolved to what the server's own `ssl` says.
Ssl EffectiveSsl();

/// sync.databases names this database (or all).
bool DatabaseServed(const char* database);

/// Defines all of them.
/// Raises errors of the server (call it from _PG_init).
void define_settings();

}  // namespace pgsync::pg::settings
