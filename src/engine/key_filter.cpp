#include "engine/key_filter.h"

#include "core/text.h"
#include "rows/canonical.h"

extern "C" {
#include "utils/array.h"
#include "utils/lsyscache.h"
}

namespace pgsync::engine {

using catalog::Comparison;
using core::Cat;

namespace {

Datum read_value(const catalog::TypeFacts& facts, const char* text) {
  Oid function, io_param;
  getTypeInputInfo(facts.base, &function, &io_param);
  return OidInputFunctionCall(function, const_cast<char*>(text), io_param, facts.base_typmod);
}

Datum build_array(const catalog::TypeFacts& facts, const std::vector<std::string>& values) {
  const auto count = static_cast<int>(values.size());
  auto* elements = static_cast<Datum*>(palloc(sizeof(Datum) * count));
  for (int i = 0; i < count; i++)
    elements[i] = read_value(facts, values[i].c_str());
  int16 length;
  bool by_value;
  char align;
  get_typlenbyvalalign(facts.base, &length, &by_value, &align);
  return PointerGetDatum(construct_array(elements, count, facts.base, length, by_value, align));
}

}  // namespace

std::string KeyCondition(const catalog::Table& table, const KeyFilter& filter,
                         std::vector<ScanParam>* params) {
  const catalog::Key& key = *table.row_key;
  const catalog::Column& column = table.columns[key.columns[0]];
  const std::string name = catalog::QuoteIdentifier(column.name);
  rows::CanonicalSettings settings(catalog::TextDependenceOf(column.facts.base));
  const auto operation = [&](Comparison comparison) {
    return Cat(name, " OPERATOR(", key.Operator(comparison, 0), ") ");
  };
  const auto add = [&](Oid type, const std::vector<std::string>* values, const std::string* text) {
    const Datum value = pg::Call([&] {
      settings.enter();
      const Datum read = values != nullptr ? build_array(column.facts, *values)
                                           : read_value(column.facts, text->c_str());
      settings.leave();
      return read;
    });
    params->push_back({type, value});
    return Cat("$", params->size());
  };
  if (!filter.values.empty()) {
    const Oid array = pg::Call([&] { return get_array_type(column.facts.base); });
    return Cat(operation(Comparison::kEqual), "ANY (", add(array, &filter.values, nullptr), ")");
  }
  std::string condition;
  if (filter.from) {
    condition =
        operation(Comparison::kGreaterOrEqual) + add(column.facts.base, nullptr, &*filter.from);
  }
  if (filter.to) {
    condition += Cat(condition.empty() ? "" : " AND ", operation(Comparison::kLessOrEqual),
                     add(column.facts.base, nullptr, &*filter.to));
  }
  return condition;
}

}  // namespace pgsync::engine
