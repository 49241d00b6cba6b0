#include "engine/spooled_feed.h"

namespace pgsync::engine {

SpooledFeed::SpooledFeed(RowFeed& from) : context_("sync spooled rows") {
  header_ = from.Begin();
  file_ = pg::Call([&] {
    const MemoryContext saved = MemoryContextSwitchTo(context_.get());
    BufFile* file = BufFileCreateTemp(false);
    MemoryContextSwitchTo(saved);
    return file;
  });
  core::RowStreamReader::Rows rows;
  while (from.Next(&rows)) {
    pg::CheckInterrupts();
    pg::Call([&] {
      FrameHead head = {rows.count, rows.size};
      BufFileWrite(file_, &head, sizeof(head));
      BufFileWrite(file_, rows.data, rows.size);
    });
    frames_++;
  }
}

core::RowHeader SpooledFeed::Begin() {
  pg::Call([&] {
    if (BufFileSeek(file_, 0, 0, SEEK_SET) != 0)
      ereport(ERROR, (errcode_for_file_access(), errmsg("could not rewind temporary file: %m")));
  });
  next_ = 0;
  return header_;
}

// For leaves.
void SpooledFeed::read(void* to, size_t size) {
  if (BufFileRead(file_, to, size) != size)
    ereport(ERROR, (errcode_for_file_access(), errmsg("could not read temporary file: %m")));
}

bool SpooledFeed::Next(core::RowStreamReader::Rows* rows) {
  if (next_ == frames_) return false;
  next_++;
  FrameHead head;
  pg::Call([&] { read(&head, sizeof(head)); });
  if (buffer_.size() < head.size + 1) buffer_.resize(head.size + 1);
  rows->count = head.count;
  rows->size = head.size;
  rows->data = buffer_.data();
  pg::Call([&] { read(rows->data, rows->size); });
  return true;
}

void SpooledFeed::Close() {
  if (file_ != nullptr) pg::Call([&] { BufFileClose(file_); });
  file_ = nullptr;
  frames_ = next_ = 0;
}

}  // namespace pgsync::engine
