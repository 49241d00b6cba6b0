#include "engine/row_errors.h"

#include <algorithm>

#include "core/json.h"
#include "core/text.h"

namespace pgsync::engine {

using core::Cat;

RowError RowError::Of(const pg::PgError& error, int64 position) {
  RowError out;
  out.position = position;
  out.sqlstate = error.state();
  out.message = error.message();
  out.detail = error.detail();
  out.constraint = error.constraint();
  out.column = error.column();
  return out;
}

bool IsRowError(const pg::PgError& error) {
  const core::SqlState state = error.state();
  if (state.Class() == "22" || state.Class() == "23") return true;
  if (state == core::SqlState("P0001") || state == core::sqlstate::kGeneratedAlways) return true;
  // A policy's refusal has the SQLSTATE of any missing right; only its place tells it apart.
  return state == core::sqlstate::kInsufficientPrivilege && error.RaisedBy("ExecWithCheckOptions");
}

bool IsConversionError(const pg::PgError& error) {
  return IsRowError(error) ||
         (error.state().Class() == "42" && error.state() != core::sqlstate::kInsufficientPrivilege);
}

void RowErrors::Add(RowError error) {
  count_++;
  if (listed_.size() < kListed) listed_.push_back(std::move(error));
  RequireFew();
}

void RowErrors::Add(RowErrors others) {
  if (others.count_ == 0) return;
  count_ += others.count_;
  for (RowError& error : others.listed_) {
    if (listed_.size() < kListed) listed_.push_back(std::move(error));
  }
  RequireFew();
}

void RowErrors::RequireFew() const {
  if (!max_errors_ || count_ <= *max_errors_) return;
  const RowError& first = *std::min_element(
      listed_.begin(), listed_.end(),
      [](const RowError& a, const RowError& b) { return a.position < b.position; });
  std::string detail = Cat("Row ", first.position);
  if (first.key) detail += Cat(" with key ", *first.key);
  detail += first.detail.empty() ? "." : Cat(": ", first.detail);
  throw core::Error(first.sqlstate, first.message)
      .WithDetail(std::move(detail))
      .WithHint(Cat(count_, count_ == 1 ? " row has failed" : " rows have failed",
                    ", more than max_errors => ", *max_errors_, " allows. Nothing was changed."));
}

std::string RowErrors::ToJson() const {
  // Conversion errors of a batch are found before those of its statements.
  std::vector<const RowError*> ordered;
  for (const RowError& error : listed_)
    ordered.push_back(&error);
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const RowError* a, const RowError* b) { return a->position < b->position; });
  core::JsonWriter json;
  json.BeginArray();
  for (const RowError* listed : ordered) {
    const RowError& error = *listed;
    json.BeginObject().Field("position", static_cast<int64_t>(error.position)).Key("key");
    if (error.key) {
      json.Raw(*error.key);
    } else {
      json.Null();
    }
    auto field = [&](const char* name, const std::string& text) {
      json.OptionalField(name, text.empty() ? std::nullopt : std::optional<std::string>(text));
    };
    json.Field("sqlstate", error.sqlstate.c_str()).Field("message", error.message);
    field("detail", error.detail);
    field("constraint", error.constraint);
    field("column", error.column);
    json.EndObject();
  }
  json.EndArray();
  return json.Take();
}

}  // namespace pgsync::engine
