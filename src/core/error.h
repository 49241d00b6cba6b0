// Errors as values that carry everything PostgreSQL shows to a user.
#pragma once

#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace pgsync::core {

/// A five-character SQLSTATE.
class SqlState {
 public:
  constexpr SqlState() : code_{'X', 'X', '0', '0', '0', '\0'} {}
  constexpr explicit SqlState(const char (&code)[6])
      : code_{code[0], code[1], code[2], code[3], code[4], '\0'} {}

  /// Reads an SQLSTATE that came from a peer; anything that is not five characters of [0-9A-Z],
  /// or that belongs to class 00 (success), becomes XX000.
  static SqlState Parse(std::string_view text);

  const char* c_str() const { return code_; }
  /// The first two characters.
  std::string Class() const { return std::string(code_, 2); }
  bool operator==(const SqlState& other) const { return std::memcmp(code_, other.code_, 5) == 0; }
  bool operator!=(const SqlState& other) const { return !(*this == other); }

 private:
  char code_[6];
};

/// The SQLSTATEs that this extension raises by itself.
namespace sqlstate {
inline constexpr SqlState kConnectionFailed{"08001"};
inline constexpr SqlState kConnectionLost{"08006"};
inline constexpr SqlState kOutcomeUnknown{"08007"};
inline constexpr SqlState kProtocolViolation{"08P01"};
inline constexpr SqlState kFeatureNotSupported{"0A000"};
inline constexpr SqlState kInvalidAuthorization{"28000"};
inline constexpr SqlState kInvalidPassword{"28P01"};
inline constexpr SqlState kDataException{"22000"};
inline constexpr SqlState kNullNotAllowed{"22004"};
inline constexpr SqlState kInvalidParameter{"22023"};
inline constexpr SqlState kInvalidText{"22P02"};
inline constexpr SqlState kNotNullViolation{"23502"};
inline constexpr SqlState kForeignKeyViolation{"23503"};
inline constexpr SqlState kUniqueViolation{"23505"};
inline constexpr SqlState kExclusionViolation{"23P01"};
inline constexpr SqlState kInvalidSchemaName{"3F000"};
inline constexpr SqlState kSerializationFailure{"40001"};
inline constexpr SqlState kDeadlockDetected{"40P01"};
inline constexpr SqlState kInsufficientPrivilege{"42501"};
inline constexpr SqlState kDatatypeMismatch{"42804"};
inline constexpr SqlState kWrongObjectType{"42809"};
inline constexpr SqlState kInvalidForeignKey{"42830"};
inline constexpr SqlState kGeneratedAlways{"428C9"};
inline constexpr SqlState kUndefinedObject{"42704"};
inline constexpr SqlState kUndefinedTable{"42P01"};
inline constexpr SqlState kDuplicateTable{"42P07"};
inline constexpr SqlState kOutOfMemory{"53200"};
inline constexpr SqlState kTooManyConnections{"53300"};
inline constexpr SqlState kLimitExceeded{"53400"};
inline constexpr SqlState kTooLarge{"54000"};
inline constexpr SqlState kNotInPrerequisiteState{"55000"};
inline constexpr SqlState kObjectInUse{"55006"};
inline constexpr SqlState kLockNotAvailable{"55P03"};
inline constexpr SqlState kQueryCanceled{"57014"};
inline constexpr SqlState kCannotConnectNow{"57P03"};
inline constexpr SqlState kNotFound{"P0002"};
inline constexpr SqlState kInternal{"XX000"};
}  // namespace sqlstate

/// An error raised by C++ code. `message` is lower case without a full stop; detail and hint are
/// full sentences (PostgreSQL's message style). Becomes ereport(ERROR) at the border.
class Error : public std::exception {
 public:
  Error(SqlState state, std::string message) : state_(state), message_(std::move(message)) {}

  Error WithDetail(std::string detail) && {
    detail_ = std::move(detail);
    return std::move(*this);
  }
  Error WithHint(std::string hint) && {
    hint_ = std::move(hint);
    return std::move(*this);
  }

  const char* what() const noexcept override { return message_.c_str(); }
  SqlState state() const { return state_; }
  const std::string& message() const { return message_; }
  const std::string& detail() const { return detail_; }
  const std::string& hint() const { return hint_; }

 private:
  SqlState state_;
  std::string message_;
  std::string detail_;
  std::string hint_;
};

}  // namespace pgsync::core
