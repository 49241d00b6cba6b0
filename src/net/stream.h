// Byte streams over sockets that do not block: every wait goes through a core::Waiter.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/waiter.h"

namespace pgsync::net {

/// A connected stream. Reading and writing raise 08006 when the connection is lost, and what the
/// waiter raises.
class Stream {
 public:
  virtual ~Stream() = default;

  /// Reads 1 to `size` bytes; 0 at the end of the stream.
  size_t ReadSome(char* to, size_t size) {
    const size_t got = DoRead(to, size);
    bytes_in_ += got;
    return got;
  }
  /// The same without waiting: nullopt where nothing is there to be read.
  std::optional<size_t> TryRead(char* to, size_t size) {
    const auto got = DoTryRead(to, size);
    bytes_in_ += got.value_or(0);
    return got;
  }
  /// Writes some of the pieces, at least one byte of them.
  size_t WriteSome(const iovec* pieces, int count) {
    const size_t put = DoWrite(pieces, count);
    bytes_out_ += put;
    return put;
  }
  /// Says goodbye as far as that is possible without waiting.
  virtual void Close() noexcept = 0;
  /// The descriptor to look at for whether the peer is still there.
  virtual int fd() const = 0;
  virtual bool encrypted() const = 0;

  uint64_t bytes_in() const { return bytes_in_; }
  uint64_t bytes_out() const { return bytes_out_; }

 protected:
  virtual size_t DoRead(char* to, size_t size) = 0;
  virtual std::optional<size_t> DoTryRead(char* to, size_t size) = 0;
  virtual size_t DoWrite(const iovec* pieces, int count) = 0;

 private:
  uint64_t bytes_in_ = 0;
  uint64_t bytes_out_ = 0;
};

/// Owns a descriptor.
class Socket {
 public:
  explicit Socket(int fd = -1) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(other.Release()) {}
  Socket& operator=(Socket&& other) noexcept {
    Reset(other.Release());
    return *this;
  }
  ~Socket() { Reset(-1); }
  int get() const { return fd_; }
  int Release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void Reset(int fd);

 private:
  int fd_;
};

/// Makes a descriptor non-blocking, and sets what a long-lived connection wants: no delay of small
/// writes, keep-alive probes that find a vanished host within half a minute.
void PrepareSocket(int fd);

/// Whether the peer has closed or reset the connection, as far as the kernel knows. Async-signal
/// safe.
bool PeerHasGone(int fd) noexcept;

/// What becomes of bytes that the peer has not taken when the descriptor is closed, by whomever and
/// if by the end of the process: with `on` they are thrown away and the peer sees a reset at once;
/// without, they come first, however long the peer takes over them.
void ResetOnClose(int fd, bool on) noexcept;

/// Whether the other end of the connection is on this machine, as its address says.
bool PeerIsLocal(int fd) noexcept;

/// A stream in the clear.
std::unique_ptr<Stream> MakePlainStream(Socket socket, core::Waiter& waiter);

/// Raises the loss of a connection: `error` is an errno, 0 for an end that came too early.
[[noreturn]] void RaiseLost(int error);

}  // namespace pgsync::net
