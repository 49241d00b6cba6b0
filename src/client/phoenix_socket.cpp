#include "client/phoenix_socket.h"

#include <algorithm>

#include "client/allowed_peers.h"
#include "core/phoenix_site.h"
#include "core/phoenix_value.h"
#include "core/text.h"
#include "net/dialer.h"
#include "pg/encoding.h"
#include "pg/identity.h"
#include "pg/settings.h"

extern "C" {
#include "commands/dbcommands.h"
}

namespace pgsync::client {

using core::Cat;
using core::Clock;
using core::Error;
using std::chrono::milliseconds;
namespace settings = pg::settings;
namespace sqlstate = core::sqlstate;

namespace {

constexpr milliseconds kJoinTime{10000};
// A site closes a socket on which nothing has come for a minute.
constexpr milliseconds kHeartbeat{30000};
constexpr char kNewCode[] = "Connect with sync_connect() and a new code.";

// Who we are, for the people who look at the site's page.
std::string JoinPayload() {
  core::JsonWriter json;
  json.BeginObject().Key("receiver_info").BeginObject();
  const char* database = pg::Call([] { return get_database_name(MyDatabaseId); });
  json.Field("project_title", Cat("PostgreSQL database ", database != nullptr ? database : ""));
  json.Field("user_name", pg::RoleName(GetUserId()));
  json.EndObject();
  json.Field("accept_encoding", std::vector<std::string>{core::kPgTextEncoding});
  json.EndObject();
  return pg::ToUtf8(json.Take());
}

}  // namespace

bool BeatingWaiter::WaitUntil(int fd, Interest interest, std::optional<Clock::time_point> until) {
  // A heartbeat does not go into the middle of what is being written.
  if (interest == Interest::kWrite) return LatchWaiter::WaitUntil(fd, interest, until);
  for (;;) {
    const bool beat_first = due && (!until || *due < *until);
    if (LatchWaiter::WaitUntil(fd, interest, beat_first ? due : until)) return true;
    if (!beat_first) return false;
    beat();
  }
}

template <typename Body>
auto PhoenixSocket::Guarded(Body&& body) -> decltype(body()) {
  try {
    return body();
  } catch (const core::PhoenixRefusal& refusal) {
    throw pg::ErrorFromWire(refusal);
  } catch (const core::TimeoutError& error) {
    Drop();
    throw Error(sqlstate::kQueryCanceled, error.message())
        .WithDetail(Cat("The peer at ", url_.Display(), " was silent for ", timeout_.count(),
                        " ms. A PhoenixKit site does not answer what it does not understand."))
        .WithHint("Pass a longer \"timeout\" to sync_connect().");
  } catch (const core::PhoenixClosed& closed) {
    Drop();
    throw Error(closed).WithHint(kNewCode);
  } catch (const Error& error) {
    Drop();
    if (error.state() != sqlstate::kConnectionLost || !error.hint().empty()) throw;
    throw Error(error).WithHint(kNewCode);
  } catch (...) {
    Drop();
    throw;
  }
}

void PhoenixSocket::Connect(const std::string& code) {
  Guarded([&] {
    waiter_.set_deadline(Clock::now() + timeout_);
    Open(code);
    Join(code);
  });
}

void PhoenixSocket::Open(const std::string& code) {
  const std::string prefix = core::PhoenixPrefixOf(url_.path);
  const bool typed = !url_.path.empty();
  if (Upgrade(prefix, code, typed)) return;
  Upgrade(core::kPhoenixPrefix, code, true);
}

// False where nothing is there and there is another place to look at.
bool PhoenixSocket::Upgrade(const std::string& prefix, const std::string& code, bool last) {
  Drop();
  net::DialOptions options;
  options.ca_file = settings::ssl_ca_file;
  options.refuse_address = AddressPolicy(url_);
  stream_ = net::Dial(url_, options, waiter_);
  net::HttpResponse answer;
  socket_ =
      net::WebSocket::Connect(*stream_, waiter_, url_.Authority(),
                              core::PhoenixSocketTarget(prefix, url_.query, code), {}, &answer);
  if (socket_) {
    socket_->set_message_limit(static_cast<size_t>(settings::max_message_size_kb) * 1024);
    return true;
  }
  if (answer.status == 404 && !last) return false;
  throw pg::ErrorFromWire(core::PhoenixUpgradeError(url_.Display(), answer.status, answer.body));
}

void PhoenixSocket::Join(const std::string& code) {
  caller_.emplace(Cat("transfer:", code));
  waiter_.set_deadline(std::nullopt);
  waiter_.set_write_limit(timeout_);
  doing_ = "join";
  socket_->WriteText(caller_->Join(JoinPayload()));
  (void)Await(std::min(kJoinTime, timeout_));
  waiter_.beat = [this] { Beat(); };
  waiter_.due = Clock::now() + kHeartbeat;
}

core::PhoenixFrame PhoenixSocket::Request(const std::string& what,
                                          const std::function<void(core::JsonWriter&)>& fields) {
  if (!socket_) {
    throw Error(sqlstate::kConnectionLost, "not connected to the peer").WithHint(kNewCode);
  }
  return Guarded([&] {
    if (net::PeerHasGone(stream_->fd())) {
      doing_ = "nothing";
      while (socket_->ReadText()) {
      }
      RaiseClosed();
    }
    if (Clock::now() >= *waiter_.due) Beat();
    doing_ = what;
    socket_->WriteText(caller_->Ask(what, fields));
    return Await(timeout_);
  });
}

core::PhoenixFrame PhoenixSocket::Await(milliseconds limit) {
  const auto began = Clock::now();
  for (;;) {
    pg::CheckInterrupts();
    // What is said about something else is no sign that the answer is on its way.
    const auto left = std::chrono::ceil<milliseconds>(began + limit - Clock::now());
    if (left.count() <= 0) throw core::TimeoutError("timeout: the peer does not answer");
    waiter_.set_read_limit(left);
    const std::optional<std::string> text = socket_->ReadText();
    if (!text) RaiseClosed();
    if (auto answer = Take(*text)) return std::move(*answer);
    pg::Call(
        [&] { ereport(DEBUG1, (errmsg_internal("sync: passed over a message of the peer"))); });
  }
}

// What the peer says is in UTF-8.
std::optional<core::PhoenixFrame> PhoenixSocket::Take(const std::string& text) {
  try {
    return caller_->Take(text);
  } catch (const core::PhoenixRefusal&) {
    throw;
  } catch (const core::PhoenixClosed&) {
    throw;
  } catch (const Error& error) {
    throw pg::ErrorFromWire(error);
  }
}

void PhoenixSocket::Idle(milliseconds duration) {
  const auto end = Clock::now() + duration;
  for (auto now = Clock::now(); now < end; now = Clock::now()) {
    const auto next = std::min(end, waiter_.due.value_or(end));
    pg::Sleep(std::chrono::ceil<milliseconds>(next - now));
    if (socket_ && waiter_.due && Clock::now() >= *waiter_.due) Guarded([&] { Beat(); });
  }
}

void PhoenixSocket::Beat() {
  waiter_.due = Clock::now() + kHeartbeat;
  socket_->WriteText(caller_->Heartbeat());
}

void PhoenixSocket::RaiseClosed() const {
  const net::CloseCode code = socket_->close_code();
  Error error(sqlstate::kConnectionLost, "connection lost: the peer has closed it");
  error = std::move(error).WithDetail(
      Cat("WebSocket close code ", static_cast<int>(code), " during \"", doing_, "\"."));
  if (code == net::CloseCode::kInternalError) {
    throw std::move(error).WithHint(
        doing_ == "records"
            ? "The PhoenixKit site has crashed over the request. Its releases before 0.1.2 do over "
              "a page that holds a date, a time, a numeric or a uuid, later ones over a uuid and "
              "other types: pull such tables with a token. Each connection needs a new code."
            : "The PhoenixKit site has crashed over the request. Connect with a new code.");
  }
  if (code == net::CloseCode::kProtocolError) {
    throw std::move(error).WithHint(
        "A PhoenixKit site closes a connection that was not used for a minute. Connect with a new "
        "code, and do not leave the connection idle; sync_pull() never does.");
  }
  throw std::move(error).WithHint(kNewCode);
}

bool PhoenixSocket::Connected() {
  return socket_ && socket_->open() && !net::PeerHasGone(stream_->fd());
}

void PhoenixSocket::Close() {
  if (Connected()) socket_->Close(net::CloseCode::kNormal);
  Drop();
}

void PhoenixSocket::Drop() noexcept {
  waiter_.due.reset();
  if (socket_) socket_->CloseAtExit(net::CloseCode::kNormal);
  socket_.reset();
  if (stream_) {
    earlier_in_ += stream_->bytes_in();
    earlier_out_ += stream_->bytes_out();
  }
  waiter_.Forget();
  stream_.reset();
}

}  // namespace pgsync::client
