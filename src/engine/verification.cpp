#include "engine/verification.h"

#include "catalog/shareable.h"
#include "core/text.h"
#include "engine/batch_reader.h"

namespace pgsync::engine {

using core::Cat;
using core::Error;

void VerifyTable(JobSource& source, const Job& job) {
  int64 peer_rows = 0;
  LoadRequest request = source.Request(job);
  request.progress = [&](int64 rows, int64 bytes) {
    peer_rows += rows;
    source.report().Advance(rows, bytes);
  };
  Unequal unequal;
  BatchVerifier verifier(job.local, request.columns, unequal);
  RowErrors errors(std::nullopt);
  if (const auto delta = source.Compare(job, request, DEBUG1)) {
    if (delta->feed() != nullptr) ReadStream(request, *delta->feed(), errors, verifier);
    peer_rows = delta->peer_rows();
    delta->Close();
  } else {
    ReadStream(request, *source.Rows(job, request), errors, verifier);
  }
  const int64 wrong = unequal.rows + errors.count();
  const int64 here =
      job.strategy == Strategy::kMirror ? catalog::CountRows(job.local, true) : peer_rows;
  if (wrong == 0 && here == peer_rows) return;
  Error error(core::sqlstate::kDataException,
              Cat("table \"", job.local.name.ForMessage(), "\" is not equal to the peer's"));
  if (wrong > 0) {
    throw std::move(error).WithDetail(Cat(wrong, " of ", peer_rows, " rows are missing or differ",
                                          unequal.keys.empty() ? "" : ", first ",
                                          core::Join(unequal.keys, ", "), "."));
  }
  throw std::move(error).WithDetail(Cat("It has ", here, " rows, the peer's ", peer_rows, "."));
}

}  // namespace pgsync::engine
