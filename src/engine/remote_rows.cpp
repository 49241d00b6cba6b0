#include "engine/remote_rows.h"

#include <algorithm>

#include "core/text.h"
#include "engine/row_errors.h"
#include "pg/encoding.h"

namespace pgsync::engine {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

// Pages grow up to what a peer allows by default; who finds nothing in them needs it all.
constexpr int kPages = 16;
constexpr int64 kFirstPage = 1000;
constexpr int64 kLargestPage = 10000;

}  // namespace

RemoteRows::RemoteRows(const LoadRequest& request, ComparedRows& layout, RowFeed* feed,
                       const FeedOfRange* range)
    : request_(request),
      layout_(layout),
      feed_(feed),
      range_(range),
      scratch_("sync rows of the peer") {
  if (feed_ == nullptr) {
    key_names_ = ComparedKey(request);
    row_.emplace(layout.described());
  }
  pg::Call([&] {
    sort_ = layout_.begin_sort();
    current_ = layout_.make_slot();
    next_ = layout_.make_slot();
  });
}

void RemoteRows::Begin() {
  ReadNext();
  pg::ContextScope memory(scratch_.get());
  pg::Call([&] {
    has_next_ = fetch(next_);
    advance();
  });
}

// Reads all of the peer's rows, or the next page of them, into the sort.
void RemoteRows::ReadNext() {
  if (feed_ != nullptr) {
    ReadFeed(*feed_, feed_->Begin());
    return;
  }
  std::optional<int64> limit;
  if (pages_ < kPages) limit = std::min(kFirstPage << pages_, kLargestPage);
  pages_++;
  std::unique_ptr<RowFeed> feed = (*range_)(behind_, limit);
  core::RowHeader header;
  try {
    header = feed->Begin();
  } catch (const Error& error) {
    // The peer allows smaller pages only, of which many would be needed.
    if (!limit || error.state() != sqlstate::kTooLarge) throw;
    limit.reset();
    feed = (*range_)(behind_, limit);
    header = feed->Begin();
  }
  const int64 rows = ReadFeed(*feed, header);
  if (limit && rows > *limit) {
    throw Error(sqlstate::kProtocolViolation, "row stream of the peer is malformed")
        .WithDetail("It has more rows than were asked for.");
  }
  more_ = limit && rows == *limit;
}

int64 RemoteRows::ReadFeed(RowFeed& feed, const core::RowHeader& header) {
  const StreamDecoder decoder = DecoderFor(header, request_);
  const size_t columns = request_.columns.size();
  std::vector<Datum> values(columns + 1);
  const std::unique_ptr<bool[]> nulls(new bool[columns + 1]);
  const int64 first = position_;
  core::RowStreamReader::Rows frame;
  while (feed.Next(&frame)) {
    pg::CheckInterrupts();
    TakeFrame(frame, decoder, values.data(), nulls.get());
    if (request_.progress) request_.progress(frame.count, static_cast<int64>(frame.size));
  }
  pg::Call([&] { tuplesort_performsort(sort_); });
  return position_ - first;
}

// No subtransaction for a row that is refused: there is no comparison without it.
void RemoteRows::TakeFrame(const core::RowStreamReader::Rows& frame, const StreamDecoder& decoder,
                           Datum* values, bool* nulls) {
  const pg::ClientEncodingScope scope(decoder.encoding);
  decoder.rows->Begin(frame.data, frame.size);
  try {
    pg::ContextScope memory(scratch_.get());
    pg::Call([&] {
      for (uint32 taken = 0; taken < frame.count; taken++) {
        CHECK_FOR_INTERRUPTS();
        position_++;
        decoder.rows->decode_row(values, nulls);
        layout_.put_row(sort_, values, nulls, position_);
        MemoryContextReset(scratch_.get());
      }
    });
  } catch (const pg::PgError& error) {
    if (!IsConversionError(error)) throw;
    std::string detail = Cat("The table here cannot take row ", position_, " of the peer's.");
    if (!error.detail().empty()) detail += Cat(" ", error.detail());
    throw Error(error.state(), error.message()).WithDetail(std::move(detail));
  }
  decoder.rows->RequireEnd();
}

// Reads the page behind the last row of the one before, which is the current one.
void RemoteRows::TurnPage() {
  behind_ = pg::Call([&] {
    tuplesort_end(sort_);
    sort_ = layout_.begin_sort();
    Jsonb* key = rows::members_of(row_->make(current_), key_names_);
    return JsonbToCString(nullptr, &key->root, VARSIZE(key));
  });
  ReadNext();
}

bool RemoteRows::fetch(TupleTableSlot* slot) {
  const auto from_sort = [&] {
    // The copy has to outlive what the context of the caller holds.
    const MemoryContext saved = MemoryContextSwitchTo(layout_.context());
    const bool found = tuplesort_gettupleslot(sort_, true, true, slot, nullptr);
    MemoryContextSwitchTo(saved);
    if (found) slot_getallattrs(slot);
    return found;
  };
  if (from_sort()) return true;
  if (!more_) return false;
  pg::Enter([this] { TurnPage(); });
  if (!from_sort()) return false;
  if (layout_.compare(current_, slot) >= 0) {
    ereport(ERROR,
            (errcode(ERRCODE_PROTOCOL_VIOLATION), errmsg("row stream of the peer is malformed"),
             errdetail("A page of rows is not behind the page before.")));
  }
  return true;
}

void RemoteRows::advance() {
  for (;;) {
    std::swap(current_, next_);
    has_current_ = has_next_;
    if (!has_current_) return;
    has_next_ = fetch(next_);
    if (layout_.key() == nullptr || !has_next_) return;
    if (layout_.compare(current_, next_) != 0 || layout_.key_has_null(current_)) return;
    repeated_++;
  }
}

}  // namespace pgsync::engine
