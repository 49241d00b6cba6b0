// The border between C++ exceptions and PostgreSQL's longjmp. Five kinds of frame:
//
//   entry     extern "C" function that the server calls: Enter(); raises as its last act only
//   C++       throws, never longjmps; calls the server through Call() alone
//   leaf      what runs inside Call(): may longjmp, so it holds no object with a destructor and
//             throws nothing
//   callback  called by the server out of a leaf, continuing in C++: Enter() again
//   foreign   callback for a C library: neither throws nor longjmps
//
// No longjmp crosses a frame with a live destructor, and no exception a frame of the server's.
// A PgError means that the (sub)transaction is lost: it travels to the entry, or to the code that
// rolls back a subtransaction begun before it (pg/subxact.h).
#pragma once

#include <csetjmp>
#include <exception>
#include <type_traits>
#include <utility>

#include "core/error.h"
#include "pg/server.h"

namespace pgsync::pg {

/// An error that the server raised, whole. Owns its ErrorData.
class PgError : public std::exception {
 public:
  /// Takes the error that is being handled off PostgreSQL's stack. Only for Call().
  static PgError Capture() noexcept;

  PgError(PgError&& other) noexcept : data_(std::exchange(other.data_, nullptr)) {}
  PgError(const PgError& other) noexcept;
  PgError& operator=(const PgError&) = delete;
  ~PgError() override;

  const char* what() const noexcept override;
  core::SqlState state() const;
  std::string message() const;
  std::string detail() const;
  std::string hint() const;
  std::string constraint() const;
  std::string column() const;
  /// Whether the server's function of that name raised it.
  bool RaisedBy(const char* function) const;
  /// The error without what only PostgreSQL knows.
  core::Error ToError() const;

  /// Gives the ErrorData away.
  ErrorData* Release() noexcept { return std::exchange(data_, nullptr); }

 private:
  explicit PgError(ErrorData* data) noexcept : data_(data) {}
  ErrorData* data_;  // null: there was no memory to copy it
};

/// Runs `leaf`, which calls the server, from C++: a PostgreSQL error becomes a PgError. The closure
/// and its result must be trivially destructible (capture by reference).
template <typename Leaf>
auto Call(Leaf&& leaf) -> decltype(leaf()) {
  using Result = decltype(leaf());
  static_assert(std::is_trivially_destructible_v<std::decay_t<Leaf>>,
                "a leaf captures by reference: a longjmp would skip its destructor");
  static_assert(std::is_void_v<Result> || std::is_trivially_destructible_v<Result>,
                "a leaf returns plain data");
  sigjmp_buf* const saved_stack = PG_exception_stack;
  ErrorContextCallback* const saved_callbacks = error_context_stack;
  const MemoryContext saved_context = CurrentMemoryContext;
  sigjmp_buf here;
  if (sigsetjmp(here, 0) == 0) {
    PG_exception_stack = &here;
    if constexpr (std::is_void_v<Result>) {
      leaf();
      PG_exception_stack = saved_stack;
      error_context_stack = saved_callbacks;
      return;
    } else {
      Result result = leaf();
      PG_exception_stack = saved_stack;
      error_context_stack = saved_callbacks;
      return result;
    }
  }
  PG_exception_stack = saved_stack;
  error_context_stack = saved_callbacks;
  MemoryContextSwitchTo(saved_context);
  throw PgError::Capture();
}

/// What is left of an exception once its handler has closed: plain data.
struct Caught {
  ErrorData* data;  // null: no error
  bool from_server;
};

/// Runs C++ code and reduces whatever it throws to plain data. Only for Enter().
class Boundary {
 public:
  Boundary();   ///< an entry begins
  ~Boundary();  ///< and ends

  static Caught FromPgError(PgError& error) noexcept;
  static Caught FromError(const core::Error& error) noexcept;
  static Caught FromStandard(const char* what) noexcept;
  static Caught FromNoMemory() noexcept;
};

/// Raises what was caught, through the server. `hide_statement` keeps the statement, which may hold
/// a secret, out of the server log.
[[noreturn]] void Raise(const Caught& caught, bool hide_statement);

template <typename Body>
Caught CatchAll(Body& body) noexcept {
  Boundary boundary;
  try {
    body();
    return {nullptr, false};
  } catch (PgError& error) {
    return Boundary::FromPgError(error);
  } catch (const core::Error& error) {
    return Boundary::FromError(error);
  } catch (const std::bad_alloc&) {
    return Boundary::FromNoMemory();
  } catch (const std::exception& error) {
    return Boundary::FromStandard(error.what());
  } catch (...) {
    return Boundary::FromStandard("unknown C++ exception");
  }
}

/// Enters C++ from a frame of the server's. Whatever `body` throws is raised after all of its
/// objects are gone. `body` must be trivially destructible, as must everything in the caller.
template <typename Body>
void Enter(Body body, bool hide_statement = false) {
  static_assert(std::is_trivially_destructible_v<Body>);
  const MemoryContext saved_context = CurrentMemoryContext;
  const Caught caught = CatchAll(body);
  MemoryContextSwitchTo(saved_context);
  if (caught.data != nullptr) Raise(caught, hide_statement);
}

/// CHECK_FOR_INTERRUPTS for C++ code.
void CheckInterrupts();

}  // namespace pgsync::pg
