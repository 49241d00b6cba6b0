#include "server/guess_guard.h"

#include "core/text.h"
#include "pg/wait.h"
#include "server/listener.h"
#include "server/log.h"
#include "server/refusal.h"
#include "server/worker_exit.h"
#include "session/guess_table.h"

namespace pgsync::server {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

void BeforeGuess(const core::IpAddress& address) {
  const core::GuessDecision decision = session::DecideAttempt(NetworkOf(address));
  if (!decision.look) {
    LogPeer("refused", {{"peer", exit_state.peer},
                        {"reason", "too many wrong guesses"},
                        {"retry_after_s", std::to_string(decision.retry_after.count())}});
    const std::string seconds = std::to_string(decision.retry_after.count());
    throw Refused(Error(sqlstate::kLimitExceeded, "too many wrong codes, tokens or passwords")
                      .WithDetail("Nothing that comes from this address is looked at for a while.")
                      .WithHint(Cat("Try again in ", seconds, " seconds.")),
                  429, {{"Retry-After", seconds}});
  }
  if (decision.delay.count() > 0) pg::Sleep(decision.delay);
}

void AfterWrongGuess(const core::IpAddress& address, const char* reason) {
  const session::CountedGuess counted = session::CountWrongGuess(NetworkOf(address));
  LogPeer("refused", {{"peer", exit_state.peer},
                      {"reason", reason},
                      {"wrong_guesses", std::to_string(counted.of_network)}});
  if (counted.closed_network) {
    LogMessage(
        Cat("sync looks at no code, token or password from ", NetworkOf(address), " for a while"),
        "Too many were wrong.");
  }
  if (counted.closed_all) {
    LogMessage("sync looks at no code, token or password from addresses that sent a wrong one",
               "Too many were wrong, from all addresses together.");
  }
  pg::Sleep(counted.delay);
}

}  // namespace pgsync::server
