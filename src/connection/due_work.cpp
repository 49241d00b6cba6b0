#include "connection/due_work.h"

#include <algorithm>

#include "connection/auto_sync.h"
#include "connection/connection.h"
#include "connection/expiry.h"
#include "connection/jobs.h"
#include "connection/notices.h"

namespace pgsync::connection {

int64 NextDue() {
  if (!Available()) return 0;
  int64 next = 0;
  for (const auto& due : {NextJob(), NextAutoSync(), NextExpiry(), NextNotice()}) {
    if (due) next = next == 0 ? *due : std::min<int64>(next, *due);
  }
  return next;
}

}  // namespace pgsync::connection
