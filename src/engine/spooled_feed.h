// The rows of a feed, kept so that they can be read more than once: a frame of them in memory, the
// others in a temporary file.
#pragma once

#include <vector>

#include "engine/stream_load.h"
#include "pg/memory.h"

extern "C" {
#include "storage/buffile.h"
}

namespace pgsync::engine {

class SpooledFeed : public RowFeed {
 public:
  /// Reads `from` to its end.
  explicit SpooledFeed(RowFeed& from);

  core::RowHeader Begin() override;
  bool Next(core::RowStreamReader::Rows* rows) override;
  void Drain() override { next_ = frames_; }

  /// Gives the file back. What is left open belongs to an error: the end of the (sub)transaction
  /// closes it.
  void Close();

 private:
  struct FrameHead {
    uint32_t count;
    size_t size;
  };
  void read(void* to, size_t size);

  core::RowHeader header_;
  pg::OwnedContext context_;
  BufFile* file_ = nullptr;
  int64 frames_ = 0;
  int64 next_ = 0;
  std::vector<char> buffer_;
};

}  // namespace pgsync::engine
