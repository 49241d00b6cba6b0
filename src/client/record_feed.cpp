#include "client/record_feed.h"

#include <algorithm>

#include "core/text.h"
#include "pg/encoding.h"
#include "rows/phoenix_type.h"

namespace pgsync::client {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

// In the place of a value that cannot be told to any type: it is no text of any encoding, so that
// its row is refused.
constexpr char kNoText[] = "\xff";

// So many rows more than there can be are put down to those who write to the table meanwhile.
constexpr int64 kTolerated = 10000;

}  // namespace

RecordFeed::RecordFeed(std::unique_ptr<RecordPages> pages, const core::RowsRequest& request,
                       const catalog::Table* target, const std::vector<std::string>& key)
    : pages_(std::move(pages)), request_(request), counted_only_(target == nullptr) {
  size_t in_key = 0;
  for (const core::RowsRequest::Column& wanted : request.columns) {
    Column column;
    column.name = pg::ToUtf8(wanted.name);
    if (target != nullptr) {
      const catalog::Column* into = target->FindColumn(wanted.name);
      if (into == nullptr) throw Error(sqlstate::kInternal, "no such column to read into");
      column.type = rows::PhoenixTypeOf(into->type, into->typmod);
    }
    column.in_key = std::find(key.begin(), key.end(), wanted.name) != key.end();
    in_key += column.in_key;
    columns_.push_back(std::move(column));
  }
  has_key_ = !counted_only_ && !key.empty() && in_key == key.size();
}

core::RowHeader RecordFeed::Begin() {
  core::RowHeader header;
  header.encoding = "UTF8";
  for (const core::RowsRequest::Column& column : request_.columns)
    header.columns.push_back({column.name, false, -1});
  seen_.Clear();
  rows_ = repeated_ = repeated_last_ = 0;
  count_before_ = pages_->Count();
  pages_->Begin();
  return header;
}

bool RecordFeed::Next(core::RowStreamReader::Rows* rows) {
  RecordPage page;
  if (!pages_->Next(&page)) {
    TellChanges();
    return false;
  }
  frame_.clear();
  rows->count = 0;
  for (const core::JsonValue& record : page.records->GetArray()) {
    pg::CheckInterrupts();
    rows_++;
    if (AppendRow(record, page.pg_text)) {
      rows->count++;
      repeated_last_ = 0;
    } else {
      repeated_++;
      repeated_last_++;
    }
  }
  RequireAnEnd();
  rows->size = frame_.size();
  frame_.push_back('\0');  // the decoder has a byte more to scribble on
  rows->data = frame_.data();
  Pace(page.bytes);
  return true;
}

// False, and nothing is appended, for a row that was there before.
bool RecordFeed::AppendRow(const core::JsonValue& record, bool pg_text) {
  const size_t begin = frame_.size();
  frame_.append(core::NullBitmapSize(columns_.size()), '\0');
  std::string key;
  for (size_t i = 0; i < columns_.size(); i++) {
    pg::CheckInterrupts();  // a record may have millions of members, among which each is looked for
    const std::optional<std::string> value = ValueOf(columns_[i], record, pg_text);
    char size[core::kMaxVarintSize];
    if (!value) {
      frame_[begin + i / 8] = static_cast<char>(frame_[begin + i / 8] | (1 << (i % 8)));
      continue;
    }
    const size_t used = core::PutVarint(size, static_cast<uint32_t>(value->size()));
    frame_.append(size, used).append(*value);
    if (columns_[i].in_key) key.append(size, used).append(*value);
  }
  if (!has_key_ || seen_.Add(key)) return true;
  frame_.resize(begin);
  return false;
}

std::optional<std::string> RecordFeed::ValueOf(const Column& column, const core::JsonValue& record,
                                               bool pg_text) const {
  if (counted_only_) return std::nullopt;
  const auto member = record.FindMember(column.name);
  if (member == record.MemberEnd()) {
    throw Error(sqlstate::kProtocolViolation,
                Cat("a record of the peer lacks the column \"", pg::FromUtf8(column.name), "\""));
  }
  try {
    return pg_text ? core::ReadPgTextValue(member->value)
                   : core::ReadPhoenixValue(member->value, column.type);
  } catch (const Error& error) {
    if (error.state() != sqlstate::kInvalidText) throw;
    return std::string(kNoText);
  }
}

// A peer that takes no notice of the offset, or lies, would have us read for ever.
void RecordFeed::RequireAnEnd() {
  const bool over_and_over = repeated_last_ > rows_ - repeated_ + kTolerated;
  // 0 is also what sites say of tables that they cannot count.
  const bool too_many = count_before_ > 0 && rows_ > 2 * count_before_ + kTolerated;
  if (!over_and_over && (!too_many || rows_ <= 2 * pages_->Count() + kTolerated)) return;
  throw Error(sqlstate::kProtocolViolation,
              Cat("the rows of table \"", request_.table, "\" of the peer do not come to an end"))
      .WithDetail(
          Cat(rows_, " have come, ", repeated_, " of them twice; it told of ", count_before_, "."));
}

void RecordFeed::Pace(size_t bytes) {
  if (!request_.max_rate) return;
  const double seconds = static_cast<double>(bytes) / static_cast<double>(*request_.max_rate);
  pages_->Pause(std::chrono::milliseconds(static_cast<int64>(seconds * 1000)));
}

void RecordFeed::TellChanges() {
  const int64 after = pages_->Count();
  const int64 distinct = rows_ - repeated_;
  if (repeated_ == 0 && after == count_before_ && distinct == after) return;
  const std::string table = request_.table;
  const int64 before = count_before_, came = rows_, repeated = repeated_;
  pg::Call([&] {
    ereport(WARNING,
            (errmsg("table \"%s\" of the peer has changed while it was read", table.c_str()),
             errdetail("It had " INT64_FORMAT " rows before and " INT64_FORMAT
                       " after; " INT64_FORMAT " came, " INT64_FORMAT " of them twice.",
                       before, after, came, repeated),
             errhint("A PhoenixKit site sends pages, not a snapshot, so rows may have been missed. "
                     "Transfer the table again when nothing writes to it.")));
  });
}

}  // namespace pgsync::client
