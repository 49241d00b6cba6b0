// What changes or takes out rows between a stream and the sink that writes or counts them.
#pragma once

#include <optional>

#include "engine/key_translator.h"
#include "engine/row_matcher.h"
#include "engine/stream_load.h"

namespace pgsync::engine {

/// Foreign keys get new values as far as these are known from the start, and those by which rows
/// are looked up as far as they are known by now; rows that are here under other keys are taken
/// out; other foreign keys get the values that are known then.
class BatchPath {
 public:
  /// Everything must outlive the object. Rows that cannot be given new values go to `errors`, and
  /// are kept where the request says so. `dry`: nothing here has a new key yet.
  BatchPath(const LoadRequest& request, StoringSink& sink, RowErrors& errors, ApplyCounts& counts,
            bool dry = false);
  BatchPath(const BatchPath&) = delete;
  BatchPath& operator=(const BatchPath&) = delete;

  /// Takes rows as they come.
  StoringSink& first() { return *first_; }
  /// Takes rows that are past the first of these steps.
  StoringSink& translated() { return *translated_; }

 private:
  BatchColumns columns_;
  std::optional<KeyTranslator> translator_, own_translator_, late_translator_;
  std::optional<RowMatcher> matcher_;
  StoringSink* first_;
  StoringSink* translated_;
};

}  // namespace pgsync::engine
