#include "core/policy.h"

#include <algorithm>
#include <iterator>

#include "core/text.h"

namespace pgsync::core {

namespace {

constexpr const char* kApprovalNames[] = {"auto_approve", "require_approval", "per_table"};
constexpr int64_t kMinute = 60 * INT64_C(1000000);

bool Contains(const std::vector<PolicyTable>& tables, const PolicyTable& table) {
  return std::find(tables.begin(), tables.end(), table) != tables.end();
}

bool Expired(const Policy& policy, int64_t now) {
  return policy.expires_at && now > *policy.expires_at;
}

bool Reached(const std::optional<int64_t>& limit, int64_t used) {
  return limit && used >= *limit;
}

bool AddressAllowed(const Policy& policy, const IpAddress& address) {
  return policy.ip_whitelist.empty() ||
         std::any_of(policy.ip_whitelist.begin(), policy.ip_whitelist.end(),
                     [&](const Cidr& network) { return network.Contains(address); });
}

bool LimitReached(const Policy& policy, int64_t now) {
  return Expired(policy, now) || Reached(policy.max_downloads, policy.downloads_used) ||
         Reached(policy.max_records_total, policy.records_downloaded);
}

// A connection may be marked as expired at any moment after it has come to a limit: until it is
// changed its peer hears of that limit, as it did before, and ends the download that reached it.
bool ActiveButForLimits(const Policy& policy, int64_t now) {
  return policy.status == ConnectionStatus::kActive ||
         (policy.status == ConnectionStatus::kExpired && LimitReached(policy, now));
}

Error NotActive(ConnectionStatus status) {
  Error error(sqlstate::kInsufficientPrivilege, "connection not active");
  error = std::move(error).WithDetail(Cat("Its status is \"", ConnectionStatusName(status), "\"."));
  if (status == ConnectionStatus::kRevoked) return error;
  const char* const function = status == ConnectionStatus::kPending ? "sync_approve_connection"
                                                                    : "sync_reactivate_connection";
  return std::move(error).WithHint(Cat(
      "An administrator of the site that has the tables can change that with ", function, "()."));
}

}  // namespace

std::optional<ApprovalMode> ParseApprovalMode(const std::string& word) {
  const auto found = std::find(std::begin(kApprovalNames), std::end(kApprovalNames), word);
  if (found == std::end(kApprovalNames)) return std::nullopt;
  return static_cast<ApprovalMode>(found - std::begin(kApprovalNames));
}

Refusal CheckDownload(const Policy& policy, const RequestFacts& facts) {
  if (!ActiveButForLimits(policy, facts.now)) return Refusal::kNotActive;
  if (Expired(policy, facts.now)) return Refusal::kExpired;
  if (Reached(policy.max_downloads, policy.downloads_used)) return Refusal::kDownloadLimit;
  const Refusal refusal = CheckRequest(policy, facts);
  if (refusal != Refusal::kNone) return refusal;
  return facts.password_right ? Refusal::kNone : Refusal::kPassword;
}

Refusal CheckRequest(const Policy& policy, const RequestFacts& facts) {
  if (!ActiveButForLimits(policy, facts.now)) return Refusal::kNotActive;
  if (Expired(policy, facts.now)) return Refusal::kExpired;
  if (Reached(policy.max_records_total, policy.records_downloaded - facts.records_reserved)) {
    return Refusal::kRecordLimit;
  }
  if (!AddressAllowed(policy, facts.address)) return Refusal::kAddress;
  if (!HourAllowed(policy.allowed_hours_start, policy.allowed_hours_end, HourUtc(facts.now))) {
    return Refusal::kHours;
  }
  return Refusal::kNone;
}

bool ShouldExpire(const Policy& policy, int64_t now) {
  return policy.status == ConnectionStatus::kActive && LimitReached(policy, now);
}

int HourUtc(int64_t now) {
  const auto hour = static_cast<int>(now / (60 * kMinute) % 24);
  return hour < 0 ? hour + 24 : hour;
}

bool HourAllowed(std::optional<int> start, std::optional<int> end, int hour) {
  if (!start || !end) return true;
  if (*start <= *end) return *start <= hour && hour <= *end;
  return hour >= *start || hour <= *end;
}

bool TableAllowed(const Policy& policy, const PolicyTable& table) {
  return !Contains(policy.excluded_tables, table) &&
         (policy.allowed_tables.empty() || Contains(policy.allowed_tables, table));
}

bool RequiresApproval(const Policy& policy, const PolicyTable& table) {
  switch (policy.approval_mode) {
    case ApprovalMode::kAutoApprove:
      return false;
    case ApprovalMode::kRequireApproval:
      return true;
    case ApprovalMode::kPerTable:
      break;
  }
  return !Contains(policy.auto_approve_tables, table);
}

std::optional<int64_t> RemainingRecords(const Policy& policy) {
  if (!policy.max_records_total) return std::nullopt;
  return std::max<int64_t>(0, *policy.max_records_total - policy.records_downloaded);
}

int64_t PageLimit(const Policy& policy, std::optional<int64_t> requested) {
  return std::min(requested.value_or(policy.max_records_per_request),
                  policy.max_records_per_request);
}

int64_t RetryAfter(const RateState& state, int per_minute, int64_t now) {
  const int64_t empty_at = std::max(state.empty_at, now);
  return std::max<int64_t>(0, empty_at + kMinute / per_minute - (now + kMinute));
}

bool TakeRequest(RateState* state, int per_minute, int64_t now) {
  // Further than a minute ahead it can only be if the clock was set back.
  state->empty_at = std::min(std::max(state->empty_at, now), now + kMinute);
  if (RetryAfter(*state, per_minute, now) > 0) return false;
  state->empty_at += kMinute / per_minute;
  return true;
}

std::string RefusalText(Refusal refusal, const std::string& table) {
  switch (refusal) {
    case Refusal::kNone:
      break;
    case Refusal::kNotActive:
      return "Connection not active";
    case Refusal::kExpired:
      return "Connection expired";
    case Refusal::kDownloadLimit:
      return "Download limit reached";
    case Refusal::kRecordLimit:
      return "Record limit reached";
    case Refusal::kAddress:
      return "IP not allowed";
    case Refusal::kHours:
      return "Outside allowed hours";
    case Refusal::kPassword:
      return "Invalid password";
    case Refusal::kTable:
      return Cat("Access denied to table: ", table);
    case Refusal::kApproval:
      return "Waiting for approval";
    case Refusal::kRate:
      return "Rate limit exceeded";
  }
  return std::string();
}

int RefusalStatus(Refusal refusal) {
  return refusal == Refusal::kRate ? 429 : 403;
}

Error RefusalError(Refusal refusal, const Policy& policy, const std::string& table) {
  switch (refusal) {
    case Refusal::kNone:
      break;
    case Refusal::kNotActive:
      return NotActive(policy.status);
    case Refusal::kExpired:
      return Error(sqlstate::kInsufficientPrivilege, "connection expired");
    case Refusal::kDownloadLimit:
      return Error(sqlstate::kLimitExceeded, "download limit reached")
          .WithDetail(Cat("The connection allows ", policy.max_downloads.value_or(0),
                          " downloads, which are used up."));
    case Refusal::kRecordLimit:
      return Error(sqlstate::kLimitExceeded, "record limit reached")
          .WithDetail(Cat("The connection allows ", policy.max_records_total.value_or(0),
                          " records, which are used up."));
    case Refusal::kAddress:
      return Error(sqlstate::kInsufficientPrivilege, "IP address not allowed");
    case Refusal::kHours:
      return Error(sqlstate::kInsufficientPrivilege, "outside allowed hours")
          .WithDetail(Cat("The connection can be used from ",
                          policy.allowed_hours_start.value_or(0), ":00 to ",
                          policy.allowed_hours_end.value_or(23), ":59 UTC."));
    case Refusal::kPassword:
      return Error(sqlstate::kInvalidPassword, "invalid password");
    case Refusal::kTable:
      return Error(sqlstate::kInsufficientPrivilege, Cat("access denied to table ", table))
          .WithDetail("The connection does not share this table.");
    case Refusal::kApproval:
      return Error(sqlstate::kInsufficientPrivilege, "waiting for approval")
          .WithDetail("The transfer was announced to the administrators of the sender.")
          .WithHint("Try again when it has been approved there.");
    case Refusal::kRate:
      return Error(sqlstate::kLimitExceeded, "rate limit exceeded")
          .WithDetail(Cat("The connection allows ", policy.rate_limit_requests_per_minute,
                          " requests a minute."))
          .WithHint("Try again later.");
  }
  return Error(sqlstate::kInternal, "nothing was refused");
}

}  // namespace pgsync::core
