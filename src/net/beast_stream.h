// Stream in the shape that Boost.Beast asks for. Only for the files of net that use Beast.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/core/error.hpp>

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

}  // namespace pgsync::net
