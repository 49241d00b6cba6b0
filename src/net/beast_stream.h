// Stream in the shape that Boost.Beast asks for. Only for the files of net that use Beast.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/core/error.hpp>

#include <cstdio>
#include <string_view>
#include <vector>

#include "net/stream.h"

namespace pgsync::net {

/// A SyncStream. Failures of the Stream below travel as its exceptions, not as error codes, so that
/// nothing of them is lost.
class BeastStream {
 public:
  explicit BeastStream(Stream& stream) : stream_(stream) {}

  template <typename MutableBuffers>
  size_t read_some(const MutableBuffers& buffers, boost::beast::error_code& error) {
    error = {};
    for (boost::asio::mutable_buffer buffer : boost::beast::buffers_range_ref(buffers)) {
      if (buffer.size() == 0) continue;
      const size_t got = stream_.ReadSome(static_cast<char*>(buffer.data()), buffer.size());
      if (got == 0) error = boost::asio::error::eof;
      return got;
    }
    return 0;
  }

  template <typename ConstBuffers>
  size_t write_some(const ConstBuffers& buffers, boost::beast::error_code& error) {
    error = {};
    constexpr int kPieces = 16;
    iovec pieces[kPieces];
    int count = 0;
    for (boost::asio::const_buffer buffer : boost::beast::buffers_range_ref(buffers)) {
      if (buffer.size() == 0) continue;
      if (count == kPieces) break;
      pieces[count++] = {const_cast<void*>(buffer.data()), buffer.size()};
    }
    return count > 0 ? stream_.WriteSome(pieces, count) : 0;
  }

  template <typename MutableBuffers>
  size_t read_some(const MutableBuffers& buffers) {
    boost::beast::error_code error;
    const size_t got = read_some(buffers, error);
    if (error) throw boost::system::system_error(error);
    return got;
  }

  template <typename ConstBuffers>
  size_t write_some(const ConstBuffers& buffers) {
    boost::beast::error_code error;
    return write_some(buffers, error);
  }

 private:
  Stream& stream_;
};

/// Writes a chunk of a chunked body: the size line, the pieces, the end of line. An empty one is
/// left out, for it would be the last.
inline void WriteChunk(BeastStream& stream, const std::string_view* pieces, size_t count,
                       boost::beast::error_code& error) {
  error = {};
  size_t size = 0;
  for (size_t i = 0; i < count; i++)
    size += pieces[i].size();
  if (size == 0) return;
  char line[24];
  const int line_size = std::snprintf(line, sizeof(line), "%zx\r\n", size);
  std::vector<boost::asio::const_buffer> buffers;
  buffers.reserve(count + 2);
  buffers.emplace_back(line, static_cast<size_t>(line_size));
  for (size_t i = 0; i < count; i++)
    buffers.emplace_back(pieces[i].data(), pieces[i].size());
  buffers.emplace_back("\r\n", 2);
  boost::asio::write(stream, buffers, error);
}

/// Writes the last chunk, without trailers.
inline void WriteLastChunk(BeastStream& stream, boost::beast::error_code& error) {
  static constexpr std::string_view kLastChunk = "0\r\n\r\n";
  boost::asio::write(stream, boost::asio::const_buffer(kLastChunk.data(), kLastChunk.size()),
                     error);
}

}  // namespace pgsync::net
