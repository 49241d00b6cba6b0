// Telling the rows that this transaction has written.
#include "sql/function.h"

extern "C" {
#include "access/xact.h"
}

namespace pgsync::sql {

// Subtransactions count, as they do for no SQL that stock PostgreSQL offers.
PGSYNC_FUNCTION(pgsync_is_mine) {
  return BoolGetDatum(TransactionIdIsCurrentTransactionId(PG_GETARG_TRANSACTIONID(0)));
}

}  // namespace pgsync::sql
