#include "engine/row_sender.h"

#include "pg/encoding.h"

extern "C" {
#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"
}

namespace pgsync::engine {

namespace {

// How much is gathered before it is sent: large writes are cheap, and a reader that stops reading
// holds back no more than this and the kernel's buffers.
constexpr size_t kFrameSize = 128 * 1024;

// A frame that is being filled.
class FrameBuffer {
 public:
  FrameBuffer(core::RowStreamWriter& writer, OnSent on_sent)
      : context_("sync frame"), writer_(writer), on_sent_(std::move(on_sent)) {
    buffer_.context = context_.get();
  }

  // For leaves: room for a row is begun, and ended.
  rows::ByteBuffer& begin_row() {
    if (rows_ == 0)
      (void)rows::claim_bytes(buffer_, sizeof(rows_));  // the count, put in at the end
    return buffer_;
  }
  void end_row() {
    rows_++;
    if (buffer_.used < kFrameSize) return;
    pg::Enter([this] { Flush(); });
    rows::clear_bytes(buffer_);
  }

  void Flush() {
    if (rows_ == 0) return;
    const uint32 count = pg_hton32(rows_);
    memcpy(buffer_.data, &count, sizeof(count));
    writer_.Rows(std::string_view(buffer_.data, buffer_.used), rows_);
    if (!on_sent_(rows_, buffer_.used)) unwanted_ = true;
    rows_ = 0;
  }
  bool unwanted() const { return unwanted_; }

 private:
  pg::OwnedContext context_;
  rows::ByteBuffer buffer_;
  core::RowStreamWriter& writer_;
  OnSent on_sent_;
  uint32 rows_ = 0;
  bool unwanted_ = false;
};

class FrameSender : public RowSender, public rows::RowConsumer {
 public:
  FrameSender(const std::vector<rows::RowEncoder::Request>& columns, int encoding,
              core::RowStreamWriter& writer, OnSent on_sent)
      : encoder_(columns, encoding), frame_(writer, std::move(on_sent)), writer_(writer) {
    writer_.Header(pg::ToUtf8(encoder_.header().ToJson()));
  }

  rows::RowConsumer& consumer() override { return *this; }

  void take_row(TupleTableSlot* slot) override {
    encoder_.append_row(frame_.begin_row(), slot);
    frame_.end_row();
  }
  bool done() const override { return frame_.unwanted(); }

  void Finish() override {
    frame_.Flush();
    writer_.End();
  }

 private:
  rows::RowEncoder encoder_;
  FrameBuffer frame_;
  core::RowStreamWriter& writer_;
};

// Text in the encoding of the database as UTF-8.
std::string_view utf8_of(const char* text, size_t size) {
  const char* converted = pg_server_to_any(text, static_cast<int>(size), PG_UTF8);
  return std::string_view(converted, converted == text ? size : strlen(converted));
}

// The JSON of one row, in UTF-8. For leaves.
class JsonLine {
 public:
  explicit JsonLine(const std::vector<const catalog::Column*>& columns)
      : text_(columns), context_("sync JSON line"), converted_("sync JSON line in UTF-8") {
    buffer_.context = context_.get();
  }
  std::string_view make(TupleTableSlot* slot) {
    rows::clear_bytes(buffer_);
    text_.append_row(buffer_, slot);
    MemoryContextReset(converted_.get());
    const MemoryContext saved = MemoryContextSwitchTo(converted_.get());
    const std::string_view line = utf8_of(buffer_.data, buffer_.used);
    MemoryContextSwitchTo(saved);
    return line;
  }

 private:
  rows::JsonRowText text_;
  pg::OwnedContext context_;
  pg::OwnedContext converted_;
  rows::ByteBuffer buffer_;
};

class JsonFrameSender : public RowSender, public rows::RowConsumer {
 public:
  JsonFrameSender(const std::vector<const catalog::Column*>& columns, core::RowStreamWriter& writer,
                  OnSent on_sent)
      : line_(columns), frame_(writer, std::move(on_sent)), writer_(writer) {
    core::RowHeader header;
    header.encoding = "UTF8";
    header.columns.push_back({"row", true, -1});
    writer_.Header(header.ToJson());
  }

  rows::RowConsumer& consumer() override { return *this; }

  void Finish() override {
    frame_.Flush();
    writer_.End();
  }

  void take_row(TupleTableSlot* slot) override {
    const std::string_view text = line_.make(slot);
    rows::ByteBuffer& buffer = frame_.begin_row();
    memset(rows::claim_bytes(buffer, core::NullBitmapSize(1)), 0, core::NullBitmapSize(1));
    rows::append_counted(buffer, text.data(), text.size());
    frame_.end_row();
  }
  bool done() const override { return frame_.unwanted(); }

 private:
  JsonLine line_;
  FrameBuffer frame_;
  core::RowStreamWriter& writer_;
};

// A buffer of text that goes to a sink.
class TextBuffer {
 public:
  TextBuffer(core::ByteSink& sink, OnSent on_sent)
      : context_("sync text"), sink_(sink), on_sent_(std::move(on_sent)) {
    buffer_.context = context_.get();
  }
  rows::ByteBuffer& bytes() { return buffer_; }
  void flush_when_full() {
    if (buffer_.used < kFrameSize) return;
    pg::Enter([this] { Flush(); });
    rows::clear_bytes(buffer_);
  }
  void Flush() {
    const std::string_view text(buffer_.data, buffer_.used);
    if (!text.empty()) sink_.Write(&text, 1);
    (void)on_sent_(0, buffer_.used);
    buffer_.used = 0;
  }

 private:
  pg::OwnedContext context_;
  rows::ByteBuffer buffer_;
  core::ByteSink& sink_;
  OnSent on_sent_;
};

void append_utf8(rows::ByteBuffer& buffer, const char* text) {
  const std::string_view utf8 = utf8_of(text, strlen(text));
  rows::append_bytes(buffer, utf8.data(), utf8.size());
}

class JsonLineSender : public RowSender, public rows::RowConsumer {
 public:
  JsonLineSender(const std::vector<const catalog::Column*>& columns, core::ByteSink& sink,
                 OnSent on_sent)
      : line_(columns), text_(sink, std::move(on_sent)) {}
  rows::RowConsumer& consumer() override { return *this; }
  void Finish() override { text_.Flush(); }

  void take_row(TupleTableSlot* slot) override {
    const std::string_view line = line_.make(slot);
    rows::append_bytes(text_.bytes(), line.data(), line.size());
    rows::append_bytes(text_.bytes(), "\n", 1);
    text_.flush_when_full();
  }

 private:
  JsonLine line_;
  TextBuffer text_;
};

class CsvSender : public RowSender, public rows::RowConsumer {
 public:
  CsvSender(const std::vector<const catalog::Column*>& columns, core::ByteSink& sink,
            OnSent on_sent)
      : row_text_(columns), scratch_("sync CSV row"), text_(sink, std::move(on_sent)) {
    pg::Call([&] {
      for (size_t i = 0; i < columns.size(); i++)
        append_field(i, columns[i]->name.c_str());
      rows::append_bytes(text_.bytes(), "\r\n", 2);
    });
  }
  rows::RowConsumer& consumer() override { return *this; }
  void Finish() override { text_.Flush(); }

  void take_row(TupleTableSlot* slot) override {
    slot_getallattrs(slot);
    const MemoryContext saved = MemoryContextSwitchTo(scratch_.get());
    row_text_.settings().enter();
    for (size_t i = 0; i < row_text_.columns(); i++) {
      append_field(i, slot->tts_isnull[i] ? nullptr : row_text_.text_of(i, slot->tts_values[i]));
    }
    row_text_.settings().leave();
    rows::append_bytes(text_.bytes(), "\r\n", 2);
    MemoryContextSwitchTo(saved);
    MemoryContextReset(scratch_.get());
    text_.flush_when_full();
  }

 private:
  void append_field(size_t position, const char* value) {
    rows::ByteBuffer& buffer = text_.bytes();
    if (position > 0) rows::append_bytes(buffer, ",", 1);
    if (value == nullptr) return;
    if (*value != '\0' && strpbrk(value, "\",\r\n") == nullptr) {
      append_utf8(buffer, value);
      return;
    }
    rows::append_bytes(buffer, "\"", 1);
    const char* utf8 = pg_server_to_any(value, static_cast<int>(strlen(value)), PG_UTF8);
    for (const char* c = utf8; *c != '\0'; c++) {
      if (*c == '"') rows::append_bytes(buffer, "\"", 1);
      rows::append_bytes(buffer, c, 1);
    }
    rows::append_bytes(buffer, "\"", 1);
  }

  rows::RowText row_text_;
  pg::OwnedContext scratch_;
  TextBuffer text_;
};

class PhoenixRowSender : public PhoenixSender, public rows::RowConsumer {
 public:
  PhoenixRowSender(const std::vector<rows::PhoenixEncoder::Request>& columns,
                   rows::PhoenixForm form, uint64 page, core::ByteSink& sink, OnSent on_sent)
      : encoder_(columns, form), page_(page), text_(sink, std::move(on_sent)) {}
  rows::RowConsumer& consumer() override { return *this; }
  void Finish() override { text_.Flush(); }
  uint64 rows() const override { return rows_; }
  bool more() const override { return more_; }
  bool done() const override { return more_; }

  void take_row(TupleTableSlot* slot) override {
    if (rows_ == page_) {
      more_ = true;
      return;
    }
    if (rows_ > 0) rows::append_bytes(text_.bytes(), ",", 1);
    encoder_.append_row(text_.bytes(), slot);
    rows_++;
    text_.flush_when_full();
  }

 private:
  rows::PhoenixEncoder encoder_;
  uint64 page_;
  uint64 rows_ = 0;
  bool more_ = false;
  TextBuffer text_;
};

}  // namespace

std::unique_ptr<RowSender> SendFrames(const std::vector<rows::RowEncoder::Request>& columns,
                                      int encoding, core::RowStreamWriter& writer, OnSent on_sent) {
  return std::make_unique<FrameSender>(columns, encoding, writer, std::move(on_sent));
}

std::unique_ptr<RowSender> SendJsonFrames(const std::vector<const catalog::Column*>& columns,
                                          core::RowStreamWriter& writer, OnSent on_sent) {
  return std::make_unique<JsonFrameSender>(columns, writer, std::move(on_sent));
}

std::unique_ptr<RowSender> SendJsonLines(const std::vector<const catalog::Column*>& columns,
                                         core::ByteSink& sink, OnSent on_sent) {
  return std::make_unique<JsonLineSender>(columns, sink, std::move(on_sent));
}

std::unique_ptr<RowSender> SendCsv(const std::vector<const catalog::Column*>& columns,
                                   core::ByteSink& sink, OnSent on_sent) {
  return std::make_unique<CsvSender>(columns, sink, std::move(on_sent));
}

std::unique_ptr<PhoenixSender> SendPhoenixRows(
    const std::vector<rows::PhoenixEncoder::Request>& columns, rows::PhoenixForm form, uint64 page,
    core::ByteSink& sink, OnSent on_sent) {
  return std::make_unique<PhoenixRowSender>(columns, form, page, sink, std::move(on_sent));
}

}  // namespace pgsync::engine
