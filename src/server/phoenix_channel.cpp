#include "server/phoenix_channel.h"

#include <algorithm>

#include "core/text.h"
#include "pg/settings.h"
#include "server/peer_watch.h"
#include "server/phoenix_info.h"
#include "server/phoenix_upgrade.h"
#include "server/worker_exit.h"

namespace pgsync::server {

using core::Cat;
using core::Error;
using net::CloseCode;
using std::chrono::milliseconds;
namespace settings = pg::settings;

namespace {

// Says goodbye when the process ends without unwinding: the session was deleted, the peer
// terminated, the server is shut down.
void say_farewell(void* socket) {
  static_cast<net::WebSocket*>(socket)->CloseAtExit(CloseCode::kNormal);
}

// A request has a few values, each of which takes several times its bytes once it is read: a
// message full of them would take more memory than the limit to its size says.
bool HasTooManyValues(const std::string& text) {
  constexpr std::ptrdiff_t kMaxValues = 1000000;
  return std::count(text.begin(), text.end(), ',') >= kMaxValues;
}

// A peer that knows of it gets all values as their texts.
bool AcceptsText(const core::PhoenixFrame& join) {
  const core::JsonValue* accepted = join.Find("accept_encoding");
  if (accepted == nullptr || !accepted->IsArray()) return false;
  for (const core::JsonValue& encoding : accepted->GetArray()) {
    if (encoding.IsString() && std::string_view(encoding.GetString()) == "pgtext") return true;
  }
  return false;
}

}  // namespace

std::unique_ptr<PhoenixChannel> PhoenixChannel::Open(const net::HttpRequest& request,
                                                     Admission& admission,
                                                     net::HttpServerConnection& http,
                                                     net::Stream& stream, core::Waiter& waiter) {
  if (!LetPhoenixIn(request, admission, http)) return nullptr;
  auto socket = net::WebSocket::Accept(stream, waiter, request, http.GiveUp());
  waiter.set_deadline(std::nullopt);
  waiter.set_read_limit(std::nullopt);
  const RequestOrigin origin = admission.OriginOf(request);
  NoteConnectionInfo(admission.database()->session().id, request, origin.address.ToString(),
                     stream.encrypted() ? "wss" : "ws");
  return std::unique_ptr<PhoenixChannel>(
      new PhoenixChannel(*admission.database(), std::move(socket), origin));
}

PhoenixChannel::PhoenixChannel(ServedDatabase& database, std::unique_ptr<net::WebSocket> socket,
                               const RequestOrigin& origin)
    : database_(database), socket_(std::move(socket)), requests_(database, *socket_, origin) {
  exit_state.farewell_argument = socket_.get();
  exit_state.farewell = say_farewell;
}

PhoenixChannel::~PhoenixChannel() {
  exit_state.farewell = nullptr;
}

bool PhoenixChannel::ServeMessage() {
  socket_->set_idle_limit(milliseconds(settings::phoenix_idle_timeout_ms));
  socket_->set_message_limit(static_cast<size_t>(settings::max_message_size_kb) * 1024);
  try {
    const auto text = socket_->ReadText();
    if (!text) {
      exit_state.completed = socket_->close_code() == CloseCode::kNormal;
      return false;
    }
    if (HasTooManyValues(*text)) {
      socket_->Close(CloseCode::kTooBig);
      throw Error(core::sqlstate::kTooLarge, "message of the peer has too many values");
    }
    // What is no frame is passed over, as PhoenixKit does with what is no JSON.
    if (const auto frame = core::PhoenixFrame::Parse(*text)) Handle(*frame);
    return true;
  } catch (const core::TimeoutError&) {
    socket_->Close(CloseCode::kProtocolError);
    throw;
  } catch (...) {
    socket_->Close(CloseCode::kInternalError);
    throw;
  }
}

void PhoenixChannel::Handle(const core::PhoenixFrame& frame) {
  if (frame.event() == core::kHeartbeatEvent && frame.topic() == core::kPhoenixTopic) {
    socket_->WriteText(core::WritePhoenixReply(frame.ref(), frame.topic(), "ok", "{}"));
  } else if (frame.event() == core::kJoinEvent) {
    Join(frame);
  } else if (joined_) {
    requests_.Handle(frame);
  }
}

void PhoenixChannel::Join(const core::PhoenixFrame& frame) {
  if (!IsTopic(frame.topic())) {
    socket_->WriteText(core::WritePhoenixReply(frame.ref(), frame.topic(), "error",
                                               R"({"reason":"code_mismatch"})"));
    return;
  }
  if (const core::JsonValue* info = frame.Find("receiver_info")) {
    NoteReceiverInfo(database_.session().id, *info);
  }
  requests_.set_topic(std::string(frame.topic()));
  requests_.set_lossless(AcceptsText(frame));
  joined_ = true;
  // A peer takes the join for done only where the response is empty.
  socket_->WriteText(core::WritePhoenixReply(frame.ref(), frame.topic(), "ok", "{}"));
}

// Whether the channel is that of the session. Nothing tells a peer that has a token under which
// uuid its connection is known here, so it may leave that out.
bool PhoenixChannel::IsTopic(std::string_view topic) const {
  const session::Session& session = database_.session();
  if (session.connection.empty()) return topic == Cat("transfer:", session.code);
  return topic == "transfer:conn" || topic == Cat("transfer:conn:", session.connection);
}

}  // namespace pgsync::server
