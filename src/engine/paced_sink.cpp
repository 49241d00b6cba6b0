#include "engine/paced_sink.h"

#include <algorithm>

#include "pg/wait.h"

namespace pgsync::engine {

using core::Clock;
using std::chrono::milliseconds;

namespace {
// Time that was not used can be made up for, but no more of it than this.
constexpr milliseconds kCredit{100};
constexpr int kPiecesPerSecond = 20;
constexpr size_t kSmallestPiece = 64;
constexpr size_t kLargestPiece = 128 * 1024;
}  // namespace

PacedSink::PacedSink(core::ByteSink& below, int64_t bytes_per_second)
    : below_(below),
      bytes_per_second_(static_cast<double>(bytes_per_second)),
      piece_(static_cast<size_t>(bytes_per_second_ / kPiecesPerSecond)),
      due_(Clock::now()) {
  piece_ = std::clamp(piece_, kSmallestPiece, kLargestPiece);
}

void PacedSink::Write(const std::string_view* pieces, size_t count) {
  for (size_t i = 0; i < count; i++) {
    std::string_view rest = pieces[i];
    while (!rest.empty()) {
      const std::string_view piece = rest.substr(0, piece_);
      rest.remove_prefix(piece.size());
      below_.Write(&piece, 1);
      Took(piece.size());
    }
  }
}

void PacedSink::Took(size_t bytes) {
  const std::chrono::duration<double> share(static_cast<double>(bytes) / bytes_per_second_);
  due_ += std::chrono::duration_cast<Clock::duration>(share);
  due_ = std::max(due_, Clock::now() - kCredit);
  const auto early = std::chrono::duration_cast<milliseconds>(due_ - Clock::now());
  if (early.count() > 0) pg::Sleep(early);
}

}  // namespace pgsync::engine
