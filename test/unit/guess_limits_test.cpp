#include "core/guess_limits.h"

#include <gtest/gtest.h>

#include <limits>

namespace pgsync::core {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int64_t kSecond = 1000000;
constexpr int64_t kStart = 820000000 * kSecond;

GuessCount After(const GuessRule& rule, int64_t guesses, int64_t at = kStart) {
  GuessCount count;
  for (int64_t i = 0; i < guesses; i++)
    CountGuess(count, rule, at);
  return count;
}

TEST(GuessLimits, CountsAndLeaks) {
  const GuessCount count = After(kNetworkGuesses, 4);
  EXPECT_EQ(GuessesAt(count, kNetworkGuesses, kStart), 4);
  EXPECT_EQ(GuessesAt(count, kNetworkGuesses, kStart + 14 * kSecond), 4);
  EXPECT_EQ(GuessesAt(count, kNetworkGuesses, kStart + 15 * kSecond), 3);
  EXPECT_EQ(GuessesAt(count, kNetworkGuesses, kStart + 60 * kSecond), 0);
  EXPECT_EQ(GuessesAt(count, kNetworkGuesses, std::numeric_limits<int64_t>::max()), 0);
  EXPECT_EQ(GuessesAt(GuessCount(), kNetworkGuesses, kStart), 0);
}

TEST(GuessLimits, AClockThatIsSetBackLeaksNothing) {
  const GuessCount count = After(kNetworkGuesses, 4);
  EXPECT_EQ(GuessesAt(count, kNetworkGuesses, kStart - 3600 * kSecond), 4);
}

TEST(GuessLimits, ClosesAtTheCapAndOpensAtHalf) {
  GuessCount count = After(kNetworkGuesses, 19);
  EXPECT_FALSE(IsClosed(count, kNetworkGuesses, kStart));
  EXPECT_TRUE(CountGuess(count, kNetworkGuesses, kStart));
  EXPECT_TRUE(IsClosed(count, kNetworkGuesses, kStart));
  EXPECT_EQ(ClosedFor(count, kNetworkGuesses, kStart), seconds(150));
  EXPECT_TRUE(IsClosed(count, kNetworkGuesses, kStart + 149 * kSecond));
  EXPECT_EQ(ClosedFor(count, kNetworkGuesses, kStart + 149 * kSecond), seconds(1));
  EXPECT_FALSE(IsClosed(count, kNetworkGuesses, kStart + 150 * kSecond));
  EXPECT_EQ(ClosedFor(count, kNetworkGuesses, kStart + 150 * kSecond), seconds(0));
}

TEST(GuessLimits, WhatWasUnderWayDoesNotKeepItClosed) {
  GuessCount count = After(kNetworkGuesses, 20);
  EXPECT_FALSE(CountGuess(count, kNetworkGuesses, kStart + kSecond)) << "it was closed before";
  EXPECT_EQ(ClosedFor(count, kNetworkGuesses, kStart + kSecond), seconds(150));
}

TEST(GuessLimits, ClosesAgain) {
  GuessCount count = After(kNetworkGuesses, 20);
  const int64_t later = kStart + 150 * kSecond;
  for (int i = 0; i < 9; i++)
    EXPECT_FALSE(CountGuess(count, kNetworkGuesses, later));
  EXPECT_FALSE(IsClosed(count, kNetworkGuesses, later));
  EXPECT_TRUE(CountGuess(count, kNetworkGuesses, later));
}

TEST(GuessLimits, AStrangerIsLookedAtAtOnce) {
  const GuessDecision decision = DecideGuess(nullptr, GuessCount(), kStart);
  EXPECT_TRUE(decision.look);
  EXPECT_EQ(decision.delay, milliseconds(0));
}

TEST(GuessLimits, ANetworkPastItsCapIsRefused) {
  const GuessCount network = After(kNetworkGuesses, 20);
  const GuessDecision decision = DecideGuess(&network, GuessCount(), kStart);
  EXPECT_FALSE(decision.look);
  EXPECT_EQ(decision.retry_after, seconds(150));
}

TEST(GuessLimits, OthersOnlySlowARightOne) {
  const GuessCount all = After(kAllGuesses, kAllGuesses.cap);
  const GuessDecision right = DecideGuess(nullptr, all, kStart);
  EXPECT_TRUE(right.look);
  EXPECT_EQ(right.delay, milliseconds(2000));
  const GuessCount once = After(kNetworkGuesses, 1);
  EXPECT_FALSE(DecideGuess(&once, all, kStart).look) << "it has guessed, too";
  EXPECT_TRUE(DecideGuess(&once, all, kStart + 15 * kSecond).look) << "which is forgotten";
}

TEST(GuessLimits, ManyGuessesSlowEveryone) {
  EXPECT_EQ(DecideGuess(nullptr, After(kAllGuesses, 30), kStart).delay, milliseconds(0));
  EXPECT_EQ(DecideGuess(nullptr, After(kAllGuesses, 31), kStart).delay, milliseconds(50));
  EXPECT_EQ(DecideGuess(nullptr, After(kAllGuesses, 50), kStart).delay, milliseconds(1000));
}

TEST(GuessLimits, WrongOnesTakeLongerAndLonger) {
  EXPECT_EQ(DelayOfWrongGuess(1), milliseconds(1000));
  EXPECT_EQ(DelayOfWrongGuess(3), milliseconds(1000));
  EXPECT_EQ(DelayOfWrongGuess(4), milliseconds(2000));
  EXPECT_EQ(DelayOfWrongGuess(5), milliseconds(4000));
  EXPECT_EQ(DelayOfWrongGuess(20), milliseconds(4000));
}

}  // namespace
}  // namespace pgsync::core
