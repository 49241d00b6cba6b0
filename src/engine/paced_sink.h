// A limit on how fast a stream of rows is sent.
#pragma once

#include <cstdint>

#include "core/row_stream.h"
#include "core/waiter.h"

namespace pgsync::engine {

/// Passes bytes on at no more than a rate, evenly: pieces small enough that neither side has to
/// wait long for the next, with sleeps between them in which interrupts are served. The sender is
/// the one who waits, so that a slow stream looks to its reader as one over a slow line.
class PacedSink : public core::ByteSink {
 public:
  PacedSink(core::ByteSink& below, int64_t bytes_per_second);

  void Write(const std::string_view* pieces, size_t count) override;

 private:
  void Took(size_t bytes);

  core::ByteSink& below_;
  double bytes_per_second_;
  size_t piece_;
  core::Clock::time_point due_;  // when what was sent may have been sent
};

}  // namespace pgsync::engine
