#include "core/policy.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <vector>

namespace pgsync::core {
namespace {

constexpr int64_t kSecond = 1000000;
constexpr int64_t kNow = 800020800 * kSecond;  // noon

Policy Active() {
  Policy policy;
  policy.status = ConnectionStatus::kActive;
  return policy;
}

RequestFacts Facts() {
  RequestFacts facts;
  facts.now = kNow;
  facts.address = *IpAddress::Parse("10.1.2.3");
  facts.password_right = true;
  return facts;
}

TEST(PolicyTest, ReadsTheNamesOfApprovalModes) {
  EXPECT_EQ(ParseApprovalMode("auto_approve"), ApprovalMode::kAutoApprove);
  EXPECT_EQ(ParseApprovalMode("require_approval"), ApprovalMode::kRequireApproval);
  EXPECT_EQ(ParseApprovalMode("per_table"), ApprovalMode::kPerTable);
  EXPECT_EQ(ParseApprovalMode("auto"), std::nullopt);
}

TEST(PolicyTest, OnlyActiveConnectionsServe) {
  Policy policy = Active();
  EXPECT_EQ(CheckDownload(policy, Facts()), Refusal::kNone);
  EXPECT_EQ(CheckRequest(policy, Facts()), Refusal::kNone);
  for (auto status : {ConnectionStatus::kPending, ConnectionStatus::kSuspended,
                      ConnectionStatus::kRevoked, ConnectionStatus::kExpired}) {
    policy.status = status;
    EXPECT_EQ(CheckDownload(policy, Facts()), Refusal::kNotActive);
    EXPECT_EQ(CheckRequest(policy, Facts()), Refusal::kNotActive);
    EXPECT_FALSE(ShouldExpire(policy, kNow));
  }
}

TEST(PolicyTest, ExpiresAfterItsTimeNotAtIt) {
  Policy policy = Active();
  policy.expires_at = kNow;
  EXPECT_EQ(CheckDownload(policy, Facts()), Refusal::kNone);
  EXPECT_FALSE(ShouldExpire(policy, kNow));
  policy.expires_at = kNow - 1;
  EXPECT_EQ(CheckDownload(policy, Facts()), Refusal::kExpired);
  EXPECT_EQ(CheckRequest(policy, Facts()), Refusal::kExpired);
  EXPECT_TRUE(ShouldExpire(policy, kNow));
  policy.status = ConnectionStatus::kExpired;
  EXPECT_EQ(CheckDownload(policy, Facts()), Refusal::kExpired);
  EXPECT_EQ(CheckRequest(policy, Facts()), Refusal::kExpired);
  policy.expires_at = kNow;  // changed, and not reactivated
  EXPECT_EQ(CheckDownload(policy, Facts()), Refusal::kNotActive);
}

TEST(PolicyTest, TheLastDownloadMayEnd) {
  Policy policy = Active();
  policy.max_downloads = 3;
  policy.downloads_used = 2;
  EXPECT_EQ(CheckDownload(policy, Facts()), Refusal::kNone);
  policy.downloads_used = 3;
  EXPECT_EQ(CheckDownload(policy, Facts()), Refusal::kDownloadLimit);
  EXPECT_EQ(CheckRequest(policy, Facts()), Refusal::kNone);
  EXPECT_TRUE(ShouldExpire(policy, kNow));
  policy.status = ConnectionStatus::kExpired;
  EXPECT_EQ(CheckDownload(policy, Facts()), Refusal::kDownloadLimit);
  EXPECT_EQ(CheckRequest(policy, Facts()), Refusal::kNone);
  policy.expires_at = kNow - 1;
  EXPECT_EQ(CheckRequest(policy, Facts()), Refusal::kExpired);
}

TEST(PolicyTest, RecordsAreLimitedAtEveryRequest) {
  Policy policy = Active();
  policy.max_records_total = 100;
  policy.records_downloaded = 99;
  EXPECT_EQ(CheckRequest(policy, Facts()), Refusal::kNone);
  EXPECT_EQ(RemainingRecords(policy), 1);
  policy.records_downloaded = 100;
  EXPECT_EQ(CheckRequest(policy, Facts()), Refusal::kRecordLimit);
  EXPECT_EQ(CheckDownload(policy, Facts()), Refusal::kRecordLimit);
  RequestFacts facts = Facts();
  facts.records_reserved = 1;
  EXPECT_EQ(CheckRequest(policy, facts), Refusal::kNone);
  EXPECT_TRUE(ShouldExpire(policy, kNow));
  EXPECT_EQ(RemainingRecords(policy), 0);
}

TEST(PolicyTest, AddressesAreThoseOfTheListOrAll) {
  Policy policy = Active();
  policy.ip_whitelist = {*Cidr::Parse("192.168.0.0/16"), *Cidr::Parse("2001:db8::/32")};
  EXPECT_EQ(CheckRequest(policy, Facts()), Refusal::kAddress);
  RequestFacts facts = Facts();
  facts.address = *IpAddress::Parse("192.168.7.7");
  EXPECT_EQ(CheckRequest(policy, facts), Refusal::kNone);
  facts.address = *IpAddress::Parse("2001:db8::1");
  EXPECT_EQ(CheckRequest(policy, facts), Refusal::kNone);
  facts.address = *IpAddress::Parse("2001:db9::1");
  EXPECT_EQ(CheckRequest(policy, facts), Refusal::kAddress);
}

TEST(PolicyTest, HoursIncludeBothEndsAndGoPastMidnight) {
  const std::map<std::pair<int, int>, std::vector<int>> expected = {
      {{9, 17}, {9, 10, 11, 12, 13, 14, 15, 16, 17}},
      {{22, 6}, {0, 1, 2, 3, 4, 5, 6, 22, 23}},
      {{5, 5}, {5}},
      {{0, 23},
       {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23}},
      {{23, 0}, {0, 23}},
  };
  for (const auto& [range, hours] : expected) {
    std::vector<int> allowed;
    for (int hour = 0; hour < 24; hour++) {
      if (HourAllowed(range.first, range.second, hour)) allowed.push_back(hour);
    }
    EXPECT_EQ(allowed, hours) << range.first << " to " << range.second;
  }
  for (int hour = 0; hour < 24; hour++) {
    EXPECT_TRUE(HourAllowed(9, std::nullopt, hour));
    EXPECT_TRUE(HourAllowed(std::nullopt, 17, hour));
  }
  EXPECT_EQ(HourUtc(kNow), 12);
  EXPECT_EQ(HourUtc(kNow - 1), 11);
  Policy policy = Active();
  policy.allowed_hours_start = 13;
  policy.allowed_hours_end = 14;
  EXPECT_EQ(CheckRequest(policy, Facts()), Refusal::kHours);
}

TEST(PolicyTest, ThePasswordIsLookedAtWhenADownloadBegins) {
  RequestFacts facts = Facts();
  facts.password_right = false;
  EXPECT_EQ(CheckDownload(Active(), facts), Refusal::kPassword);
  EXPECT_EQ(CheckRequest(Active(), facts), Refusal::kNone);
}

TEST(PolicyTest, TheFirstReasonIsTold) {
  Policy policy;
  policy.expires_at = kNow - 1;
  policy.max_downloads = 1;
  policy.downloads_used = 1;
  policy.max_records_total = 1;
  policy.records_downloaded = 1;
  policy.ip_whitelist = {*Cidr::Parse("192.168.0.0/16")};
  policy.allowed_hours_start = policy.allowed_hours_end = 1;
  RequestFacts facts = Facts();
  facts.password_right = false;
  EXPECT_EQ(CheckDownload(policy, facts), Refusal::kNotActive);
  policy.status = ConnectionStatus::kActive;
  EXPECT_EQ(CheckDownload(policy, facts), Refusal::kExpired);
  policy.expires_at.reset();
  EXPECT_EQ(CheckDownload(policy, facts), Refusal::kDownloadLimit);
  policy.max_downloads.reset();
  EXPECT_EQ(CheckDownload(policy, facts), Refusal::kRecordLimit);
  policy.max_records_total.reset();
  EXPECT_EQ(CheckDownload(policy, facts), Refusal::kAddress);
  policy.ip_whitelist.clear();
  EXPECT_EQ(CheckDownload(policy, facts), Refusal::kHours);
  policy.allowed_hours_start.reset();
  EXPECT_EQ(CheckDownload(policy, facts), Refusal::kPassword);
}

TEST(PolicyTest, TablesAreAllButTheExcludedOrThoseOfTheList) {
  Policy policy = Active();
  const PolicyTable users{"public", "users"}, sales{"sales", "users"}, other{"public", "other"};
  EXPECT_TRUE(TableAllowed(policy, users));
  policy.excluded_tables = {users};
  EXPECT_FALSE(TableAllowed(policy, users));
  EXPECT_TRUE(TableAllowed(policy, sales));
  policy.allowed_tables = {users, other};
  EXPECT_FALSE(TableAllowed(policy, users));
  EXPECT_FALSE(TableAllowed(policy, sales));
  EXPECT_TRUE(TableAllowed(policy, other));
  policy.excluded_tables.clear();
  EXPECT_TRUE(TableAllowed(policy, users));
}

TEST(PolicyTest, ApprovalFollowsTheMode) {
  Policy policy = Active();
  const PolicyTable users{"public", "users"}, other{"public", "other"};
  policy.auto_approve_tables = {users};
  EXPECT_FALSE(RequiresApproval(policy, other));
  policy.approval_mode = ApprovalMode::kRequireApproval;
  EXPECT_TRUE(RequiresApproval(policy, users));
  policy.approval_mode = ApprovalMode::kPerTable;
  EXPECT_FALSE(RequiresApproval(policy, users));
  EXPECT_TRUE(RequiresApproval(policy, other));
}

TEST(PolicyTest, PagesHaveTheirLimit) {
  Policy policy = Active();
  policy.max_records_per_request = 500;
  EXPECT_EQ(PageLimit(policy, 100), 100);
  EXPECT_EQ(PageLimit(policy, 501), 500);
  EXPECT_EQ(PageLimit(policy, std::nullopt), 500);
  EXPECT_EQ(PageLimit(policy, 0), 0);
}

TEST(PolicyRateTest, LetsAMinutesRequestsThroughAtOnceAndThenAtTheirRate) {
  RateState state;
  for (int i = 0; i < 60; i++)
    EXPECT_TRUE(TakeRequest(&state, 60, kNow)) << i;
  EXPECT_FALSE(TakeRequest(&state, 60, kNow));
  EXPECT_EQ(RetryAfter(state, 60, kNow), kSecond);
  EXPECT_FALSE(TakeRequest(&state, 60, kNow + kSecond - 1));
  EXPECT_TRUE(TakeRequest(&state, 60, kNow + kSecond));
  EXPECT_FALSE(TakeRequest(&state, 60, kNow + kSecond));
  int taken = 0;
  for (int i = 0; i < 1000; i++)
    taken += TakeRequest(&state, 60, kNow + 100 * kSecond);
  EXPECT_EQ(taken, 60);
}

TEST(PolicyRateTest, OneAMinute) {
  RateState state;
  EXPECT_TRUE(TakeRequest(&state, 1, kNow));
  EXPECT_FALSE(TakeRequest(&state, 1, kNow + 60 * kSecond - 1));
  EXPECT_TRUE(TakeRequest(&state, 1, kNow + 60 * kSecond));
}

TEST(PolicyRateTest, AClockThatWasSetBackDoesNotBlock) {
  RateState state;
  for (int i = 0; i < 60; i++)
    EXPECT_TRUE(TakeRequest(&state, 60, kNow));
  const int64_t back = kNow - 86400 * kSecond;
  EXPECT_FALSE(TakeRequest(&state, 60, back));
  EXPECT_EQ(RetryAfter(state, 60, back), kSecond);
  EXPECT_TRUE(TakeRequest(&state, 60, back + kSecond));
}

TEST(PolicyTest, RefusalsHaveWordsAndStates) {
  Policy policy = Active();
  const std::vector<std::tuple<Refusal, const char*, const char*, int>> expected = {
      {Refusal::kNotActive, "Connection not active", "42501", 403},
      {Refusal::kExpired, "Connection expired", "42501", 403},
      {Refusal::kDownloadLimit, "Download limit reached", "53400", 403},
      {Refusal::kRecordLimit, "Record limit reached", "53400", 403},
      {Refusal::kAddress, "IP not allowed", "42501", 403},
      {Refusal::kHours, "Outside allowed hours", "42501", 403},
      {Refusal::kPassword, "Invalid password", "28P01", 403},
      {Refusal::kTable, "Access denied to table: users", "42501", 403},
      {Refusal::kApproval, "Waiting for approval", "42501", 403},
      {Refusal::kRate, "Rate limit exceeded", "53400", 429},
  };
  for (const auto& [refusal, text, state, status] : expected) {
    EXPECT_EQ(RefusalText(refusal, "users"), text);
    EXPECT_STREQ(RefusalError(refusal, policy, "users").state().c_str(), state) << text;
    EXPECT_EQ(RefusalStatus(refusal), status) << text;
  }
}

}  // namespace
}  // namespace pgsync::core
