// What a permanent connection lets its peer do: decisions as functions of the connection's policy
// and the facts of a request. Nothing is read or counted here.
//
// Times are microseconds since a midnight UTC, the same for the policy and the facts: a
// TimestampTz.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/cidr.h"
#include "core/connection_status.h"
#include "core/error.h"

namespace pgsync::core {

enum class ApprovalMode { kAutoApprove, kRequireApproval, kPerTable };
std::optional<ApprovalMode> ParseApprovalMode(const std::string& word);

/// The name of a table, parsed; an unqualified one is of schema public.
struct PolicyTable {
  std::string schema;
  std::string name;
  bool operator==(const PolicyTable& other) const {
    return schema == other.schema && name == other.name;
  }
};

/// The columns of a connection that decide, and its counters.
struct Policy {
  ConnectionStatus status = ConnectionStatus::kPending;
  ApprovalMode approval_mode = ApprovalMode::kAutoApprove;
  std::vector<PolicyTable> allowed_tables;  ///< empty: all
  std::vector<PolicyTable> excluded_tables;
  std::vector<PolicyTable> auto_approve_tables;
  std::optional<int64_t> expires_at;
  std::optional<int64_t> max_downloads;
  int64_t downloads_used = 0;
  std::optional<int64_t> max_records_total;
  int64_t records_downloaded = 0;
  int64_t max_records_per_request = 10000;
  int rate_limit_requests_per_minute = 60;
  std::vector<Cidr> ip_whitelist;  ///< empty: all
  std::optional<int> allowed_hours_start;
  std::optional<int> allowed_hours_end;
};

/// What is known of a request.
struct RequestFacts {
  int64_t now = 0;
  IpAddress address;
  /// The peer gave the download password, or none is set.
  bool password_right = false;
  /// Records of this download that are counted in the policy, but not sent yet.
  int64_t records_reserved = 0;
};

/// Why a request is refused, in the order in which it is looked at.
enum class Refusal {
  kNone,
  kNotActive,
  kExpired,
  kDownloadLimit,
  kRecordLimit,
  kAddress,
  kHours,
  kPassword,
  kTable,
  kApproval,
  kRate,
};

/// Whether a peer that shows the connection's token may begin a download now.
Refusal CheckDownload(const Policy& policy, const RequestFacts& facts);
/// Whether a download that was begun may go on: neither the downloads taken nor the password are
/// looked at again, and the connection may have been marked as expired because this download is the
/// last one.
Refusal CheckRequest(const Policy& policy, const RequestFacts& facts);

/// Active by its status alone: the connection is to be marked as expired.
bool ShouldExpire(const Policy& policy, int64_t now);
/// The hour of the day, 0 to 23.
int HourUtc(int64_t now);
/// Whether the hour is within the allowed ones: both ends belong to them, 22 to 6 goes past
/// midnight, and without either end every hour is allowed.
bool HourAllowed(std::optional<int> start, std::optional<int> end, int hour);
bool TableAllowed(const Policy& policy, const PolicyTable& table);
/// Whether a person has to agree before the table is sent.
bool RequiresApproval(const Policy& policy, const PolicyTable& table);
/// Records that are left, never below zero; nullopt: no limit.
std::optional<int64_t> RemainingRecords(const Policy& policy);
/// How many rows a page may have for which so many (nullopt: as many as there are) were asked.
int64_t PageLimit(const Policy& policy, std::optional<int64_t> requested);

/// The rate of a connection's requests: full when `per_minute` of them have come at once, and empty
/// again a minute later. Zero is a rate that was never used. Trivial, for shared memory.
struct RateState {
  int64_t empty_at = 0;
};
/// Counts a request, unless the rate is exceeded: then false, and nothing is counted.
bool TakeRequest(RateState* state, int per_minute, int64_t now);
/// Microseconds from now until a request would be let through.
int64_t RetryAfter(const RateState& state, int per_minute, int64_t now);

/// PhoenixKit's words for a refusal: the body of its answer. `table` stands in kTable's.
std::string RefusalText(Refusal refusal, const std::string& table = "");
/// HTTP status of the JSON API: 403, and 429 for the rate.
int RefusalStatus(Refusal refusal);
/// The refusal as an error in PostgreSQL's words.
Error RefusalError(Refusal refusal, const Policy& policy, const std::string& table = "");

}  // namespace pgsync::core
