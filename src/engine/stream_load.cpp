#include "engine/stream_load.h"

#include <memory>

#include "core/text.h"
#include "engine/batch_path.h"
#include "engine/batch_reader.h"
#include "pg/encoding.h"
#include "pg/subxact.h"
#include "rows/decoder.h"
#include "rows/json_type.h"

extern "C" {
#include "mb/pg_wchar.h"
}

namespace pgsync::engine {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

// Decodes a stream and hands its rows to a sink, batch by batch.
class StreamReader {
 public:
  StreamReader(const LoadRequest& request, RowFeed& feed, RowErrors& errors, BatchSink& sink)
      : request_(request),
        feed_(feed),
        errors_(errors),
        sink_(sink),
        scratch_("sync decoded rows"),
        values_(request.columns.size() + 1),
        nulls_(new bool[request.columns.size() + 1]) {}

  void Run() {
    decoder_ = DecoderFor(feed_.Begin(), request_);
    core::RowStreamReader::Rows rows;
    size_t bytes = 0;
    while (feed_.Next(&rows)) {
      pg::CheckInterrupts();
      TakeFrame(rows);
      bytes += rows.size;
      if (request_.progress) request_.progress(rows.count, static_cast<int64>(rows.size));
      if (sink_.pending() >= request_.batch_rows || bytes >= kBatchBytes) {
        sink_.Apply();
        bytes = 0;
      }
    }
    sink_.Finish();
    if (sink_.postponed() > 0 && request_.before_settling) request_.before_settling();
    sink_.Settle();
  }

 private:
  // Decodes the rows of a frame in a subtransaction. A row whose values are refused ends that, is
  // noted, and the rows after it go on in another: one for each bad row, not one for each row.
  void TakeFrame(const core::RowStreamReader::Rows& frame) {
    const pg::ClientEncodingScope scope(decoder_.encoding);
    decoder_.rows->Begin(frame.data, frame.size);
    uint32_t taken = 0;
    while (taken < frame.count) {
      try {
        pg::InSubXact([&] {
          pg::ContextScope memory(scratch_.get());
          pg::Call([&] {
            while (taken < frame.count) {
              CHECK_FOR_INTERRUPTS();
              taken++;
              position_++;
              decoder_.rows->decode_row(values_.data(), nulls_.get());
              sink_.put_row(position_, values_.data(), nulls_.get());
              MemoryContextReset(scratch_.get());
            }
          });
        });
      } catch (const pg::PgError& error) {
        if (!IsConversionError(error)) throw;
        RowError row = RowError::Of(error, position_);
        row.key = KeyOfFailedRow();
        decoder_.rows->Recover();
        scratch_.Reset();
        errors_.Add(std::move(row));
      }
    }
    decoder_.rows->RequireEnd();
  }

  // The key of the row that was just refused, if at least that can be read.
  std::optional<std::string> KeyOfFailedRow() {
    const catalog::Table& target = *request_.target;
    if (!target.row_key) return std::nullopt;
    struct Field {
      std::string name;
      size_t position;  // in the stream
      std::unique_ptr<rows::JsonType> type;
    };
    std::optional<std::string> key;
    try {
      pg::InSubXact([&] {
        pg::ContextScope memory(scratch_.get());
        std::vector<Field> fields;
        for (size_t i = 0; i < request_.columns.size(); i++) {
          if (!target.IsKeyColumn(request_.columns[i])) continue;
          const catalog::Column& column = target.columns[request_.columns[i]];
          fields.push_back({column.name, i,
                            std::make_unique<rows::JsonType>(
                                column.facts.base, column.facts.base_typmod, scratch_.get())});
        }
        key = pg::Call([&] {
          JsonbParseState* state = nullptr;
          pushJsonbValue(&state, WJB_BEGIN_OBJECT, nullptr);
          for (const Field& field : fields) {
            JsonbValue name, value;
            rows::set_json_string(&name, field.name.data(), field.name.size());
            pushJsonbValue(&state, WJB_KEY, &name);
            bool is_null;
            const Datum datum = decoder_.rows->decode_field(field.position, &is_null);
            value.type = jbvNull;
            if (!is_null) field.type->to_json(datum, &value);
            pushJsonbValue(&state, WJB_VALUE, &value);
          }
          Jsonb* object = JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, nullptr));
          return JsonbToCString(nullptr, &object->root, VARSIZE(object));
        });
      });
    } catch (const pg::PgError& error) {
      if (!IsConversionError(error)) throw;
    }
    return key;
  }

  const LoadRequest& request_;
  RowFeed& feed_;
  RowErrors& errors_;
  BatchSink& sink_;
  StreamDecoder decoder_;
  pg::OwnedContext scratch_;
  std::vector<Datum> values_;
  std::unique_ptr<bool[]> nulls_;
  int64 position_ = 0;
};

// The encoding of the stream.
int CheckHeader(const core::RowHeader& header, const LoadRequest& request) {
  bool same = header.columns.size() == request.columns.size();
  for (size_t i = 0; same && i < request.columns.size(); i++) {
    same = header.columns[i].name == request.target->columns[request.columns[i]].name &&
           header.columns[i].binary == request.binary[i];
  }
  if (!same) {
    throw Error(sqlstate::kProtocolViolation, "row stream of the peer is malformed")
        .WithDetail("It does not have the columns that were asked for.");
  }
  const int encoding = pg_char_to_encoding(header.encoding.c_str());
  if (encoding != PG_UTF8 && encoding != PG_SQL_ASCII && encoding != GetDatabaseEncoding()) {
    throw Error(sqlstate::kProtocolViolation, "row stream of the peer is malformed")
        .WithDetail(Cat("It is in the encoding \"", core::Excerpt(header.encoding, 50), "\"."));
  }
  return encoding;
}

}  // namespace

ApplyOptions ApplyOptionsOf(const LoadRequest& request) {
  ApplyOptions options;
  options.strategy = request.strategy;
  options.may_repeat_keys = !request.unique_by_key;
  options.kept_keys = request.kept_keys;
  options.carried = request.carried;
  options.late_rows = request.late_rows;
  options.key_map = request.key_map;
  options.return_keys = request.key_map != nullptr;
  if (request.late_rows != nullptr) options.late = request.late_rows->columns();
  if (request.failed_rows != nullptr) options.failed_rows = &request.failed_rows->unwritten();
  return options;
}

StreamDecoder DecoderFor(const core::RowHeader& header, const LoadRequest& request) {
  const int encoding = CheckHeader(header, request);
  std::vector<rows::RowDecoder::Request> columns;
  for (size_t i = 0; i < request.columns.size(); i++) {
    columns.push_back({&request.target->columns[request.columns[i]], header.columns[i]});
  }
  return {encoding, std::make_unique<rows::RowDecoder>(columns, encoding)};
}

void LoadBySets(const LoadRequest& request, RowFeed& feed, RowErrors& errors, ApplyCounts& counts) {
  FailedRows* const kept = request.failed_rows;
  RowErrors& failures = kept != nullptr ? kept->errors() : errors;
  BatchApplier applier(*request.target, request.columns, ApplyOptionsOf(request), failures, counts);
  BatchPath path(request, applier, failures, counts);
  ReadStream(request, feed, errors, path.first());
}

void CountBySets(const LoadRequest& request, RowFeed& feed, RowErrors& errors,
                 ApplyCounts& counts) {
  BatchCounter counter(*request.target, request.columns, ApplyOptionsOf(request), counts);
  BatchPath path(request, counter, errors, counts, true);
  ReadStream(request, feed, errors, path.first());
}

void ReadStream(const LoadRequest& request, RowFeed& feed, RowErrors& errors, BatchSink& sink) {
  StreamReader(request, feed, errors, sink).Run();
}

}  // namespace pgsync::engine
