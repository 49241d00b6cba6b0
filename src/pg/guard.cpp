#include "pg/guard.h"

#include <new>

namespace pgsync::pg {

namespace {

// Copies of errors that are on their way. What an entry raised is only needed until ereport has
// copied it, which no code of ours outlives: the next outermost entry clears the context.
MemoryContext error_copies = nullptr;
int entry_depth = 0;

bool MakeErrorContext() {
  if (error_copies != nullptr) return true;
  sigjmp_buf* const saved_stack = PG_exception_stack;
  sigjmp_buf here;
  const MemoryContext saved_context = CurrentMemoryContext;
  bool made = false;
  if (sigsetjmp(here, 0) == 0) {
    PG_exception_stack = &here;
    error_copies = AllocSetContextCreate(TopMemoryContext, "sync errors", ALLOCSET_SMALL_SIZES);
    made = true;
  } else {
    MemoryContextSwitchTo(saved_context);
    FlushErrorState();
  }
  PG_exception_stack = saved_stack;
  return made;
}

ErrorData* CopyCurrentError() noexcept {
  if (!MakeErrorContext()) {
    FlushErrorState();
    return nullptr;
  }
  sigjmp_buf* const saved_stack = PG_exception_stack;
  const MemoryContext saved_context = MemoryContextSwitchTo(error_copies);
  ErrorData* volatile copy = nullptr;
  sigjmp_buf here;
  if (sigsetjmp(here, 0) == 0) {
    PG_exception_stack = &here;
    copy = CopyErrorData();
  }
  PG_exception_stack = saved_stack;
  MemoryContextSwitchTo(saved_context);
  FlushErrorState();
  return copy;
}

// Allocation that fails with null instead of raising.
char* CopyText(const std::string& text) noexcept {
  if (text.empty()) return nullptr;
  char* copy = static_cast<char*>(
      MemoryContextAllocExtended(error_copies, text.size() + 1, MCXT_ALLOC_NO_OOM));
  if (copy != nullptr) memcpy(copy, text.c_str(), text.size() + 1);
  return copy;
}

// Stands in where there is no memory for anything better.
ErrorData* NoMemoryError() noexcept {
  static ErrorData error;
  static char message[] = "out of memory";
  memset(&error, 0, sizeof(error));
  error.elevel = ERROR;
  error.sqlerrcode = ERRCODE_OUT_OF_MEMORY;
  error.message = message;
  return &error;
}

int ServerCode(core::SqlState state) {
  const char* c = state.c_str();
  return MAKE_SQLSTATE(c[0], c[1], c[2], c[3], c[4]);
}

std::string Text(const char* text) {
  return text == nullptr ? std::string() : std::string(text);
}

}  // namespace

PgError PgError::Capture() noexcept {
  return PgError(CopyCurrentError());
}

PgError::PgError(const PgError& other) noexcept : data_(nullptr) {
  // Exceptions are moved, not copied, on every path of ours; std::exception_ptr would share. A copy
  // takes the data along so that no second owner can free it.
  data_ = std::exchange(const_cast<PgError&>(other).data_, nullptr);
}

PgError::~PgError() {
  if (data_ != nullptr) FreeErrorData(data_);
}

const char* PgError::what() const noexcept {
  return data_ != nullptr && data_->message != nullptr ? data_->message : "out of memory";
}

core::SqlState PgError::state() const {
  if (data_ == nullptr) return core::sqlstate::kOutOfMemory;
  return core::SqlState::Parse(unpack_sql_state(data_->sqlerrcode));
}

std::string PgError::message() const {
  return what();
}
std::string PgError::detail() const {
  return data_ ? Text(data_->detail) : std::string();
}
std::string PgError::hint() const {
  return data_ ? Text(data_->hint) : std::string();
}
std::string PgError::constraint() const {
  return data_ ? Text(data_->constraint_name) : std::string();
}
std::string PgError::column() const {
  return data_ ? Text(data_->column_name) : std::string();
}

bool PgError::RaisedBy(const char* function) const {
  return data_ != nullptr && data_->funcname != nullptr && strcmp(data_->funcname, function) == 0;
}

core::Error PgError::ToError() const {
  core::Error error(state(), message());
  if (!detail().empty()) error = std::move(error).WithDetail(detail());
  if (!hint().empty()) error = std::move(error).WithHint(hint());
  return error;
}

Boundary::Boundary() {
  if (entry_depth++ == 0 && error_copies != nullptr) MemoryContextReset(error_copies);
}

Boundary::~Boundary() {
  entry_depth--;
}

Caught Boundary::FromPgError(PgError& error) noexcept {
  ErrorData* data = error.Release();
  if (data == nullptr) return FromNoMemory();
  return {data, true};
}

Caught Boundary::FromError(const core::Error& error) noexcept {
  if (!MakeErrorContext()) return FromNoMemory();
  auto* data = static_cast<ErrorData*>(MemoryContextAllocExtended(
      error_copies, sizeof(ErrorData), MCXT_ALLOC_NO_OOM | MCXT_ALLOC_ZERO));
  if (data == nullptr) return FromNoMemory();
  data->elevel = ERROR;
  data->sqlerrcode = ServerCode(error.state());
  data->message = CopyText(error.message());
  data->detail = CopyText(error.detail());
  data->hint = CopyText(error.hint());
  if (data->message == nullptr) return FromNoMemory();
  return {data, false};
}

Caught Boundary::FromStandard(const char* what) noexcept {
  try {
    return FromError(core::Error(core::sqlstate::kInternal, what));
  } catch (...) {
    return FromNoMemory();
  }
}

Caught Boundary::FromNoMemory() noexcept {
  return {NoMemoryError(), false};
}

void Raise(const Caught& caught, bool hide_statement) {
  if (hide_statement) caught.data->hide_stmt = true;
  if (caught.from_server) ReThrowError(caught.data);
  if (hide_statement) {
    const ErrorData* error = caught.data;
    ereport(ERROR, (errcode(error->sqlerrcode), errmsg_internal("%s", error->message),
                    error->detail ? errdetail_internal("%s", error->detail) : 0,
                    error->hint ? errhint("%s", error->hint) : 0, errhidestmt(true)));
  }
  ThrowErrorData(caught.data);
  pg_unreachable();
}

void CheckInterrupts() {
  if (unlikely(INTERRUPTS_PENDING_CONDITION())) {
    Call([] { CHECK_FOR_INTERRUPTS(); });
  }
}

}  // namespace pgsync::pg
