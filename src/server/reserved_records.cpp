#include "server/reserved_records.h"

#include <algorithm>

#include "server/refusal.h"
#include "session/writer_question.h"

namespace pgsync::server {

namespace {
constexpr std::chrono::milliseconds kPatience{20000};
}

ReservedRecords::ReservedRecords(const ConnectionGuard& guard, int64 wanted)
    : connection_(guard.connection()),
      limited_(guard.policy().max_records_total.has_value()),
      granted_(wanted) {
  if (!limited_ || wanted == 0) return;
  granted_ = session::ReserveRecords(connection_, wanted, kPatience);
  left_ = granted_;
  if (granted_ == 0) throw PolicyRefusal(core::Refusal::kRecordLimit, guard.policy());
}

ReservedRecords::~ReservedRecords() {
  if (left_ > 0) (void)session::return_records(connection_.c_str(), left_);
}

void ReservedRecords::Use(int64 records) {
  if (limited_) left_ = std::max<int64>(0, left_ - records);
}

}  // namespace pgsync::server
