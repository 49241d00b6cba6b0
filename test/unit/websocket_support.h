// Frames of RFC 6455 written by hand, for peers that do not behave.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bytes.h"
#include "net/http_message.h"

namespace pgsync::test {

enum Opcode { kContinuation = 0, kText = 1, kBinary = 2, kCloseFrame = 8, kPing = 9, kPong = 10 };

/// A frame's first bytes; `length` may be another than that of what follows.
inline std::string FrameHead(int opcode, uint64_t length, bool last = true, bool masked = true) {
  std::string head(1, static_cast<char>((last ? 0x80 : 0) | opcode));
  const int mask_bit = masked ? 0x80 : 0;
  auto append = [&](int bytes) {
    for (int i = bytes - 1; i >= 0; i--)
      head.push_back(static_cast<char>(length >> (8 * i)));
  };
  if (length < 126) {
    head.push_back(static_cast<char>(mask_bit | static_cast<int>(length)));
  } else if (length < 65536) {
    head.push_back(static_cast<char>(mask_bit | 126));
    append(2);
  } else {
    head.push_back(static_cast<char>(mask_bit | 127));
    append(8);
  }
  return head;
}

/// A frame of a client, masked.
inline std::string ClientFrame(int opcode, std::string payload, bool last = true) {
  const std::string key = Bytes("\x12\x34\x00\xab");
  std::string frame = FrameHead(opcode, payload.size(), last) + key;
  for (size_t i = 0; i < payload.size(); i++)
    payload[i] = static_cast<char>(payload[i] ^ key[i % 4]);
  return frame + payload;
}

/// A frame of a server, in the clear.
inline std::string ServerFrame(int opcode, const std::string& payload, bool last = true) {
  return FrameHead(opcode, payload.size(), last, false) + payload;
}

/// The payload of a close frame.
inline std::string ClosePayload(int code) {
  return {static_cast<char>(code >> 8), static_cast<char>(code)};
}

/// The request that asks for a WebSocket, with the key of the example in RFC 6455.
inline net::HttpRequest UpgradeRequest() {
  net::HttpRequest request;
  request.method = "GET";
  request.target = "/sync/websocket?code=ABCDEFGH&vsn=2.0.0";
  request.headers = {{"Host", "localhost"},
                     {"Connection", "keep-alive, Upgrade"},
                     {"Upgrade", "websocket"},
                     {"Sec-WebSocket-Version", "13"},
                     {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}};
  return request;
}

}  // namespace pgsync::test
