// Incoming rows whose foreign keys get new values before they are written.
#pragma once

#include <vector>

#include "engine/batch_applier.h"
#include "engine/key_map.h"

namespace pgsync::engine {

class KeyTranslator : public BatchSink {
 public:
  /// `applier` takes rows with these columns. Rows that refer to what has not arrived are errors,
  /// and kept where there is a place for them.
  KeyTranslator(const catalog::Table& target, const std::vector<size_t>& columns,
                std::vector<const KeyTranslation*> translations, BatchApplier& applier,
                RowErrors& errors, RowStore* refused = nullptr);

  void put_row(int64 position, Datum* values, bool* nulls) override {
    raw_.put(position, values, nulls);
  }
  int64 pending() const override { return raw_.rows(); }
  void Apply() override;
  void Settle() override { applier_.Settle(); }
  int64 postponed() const override { return applier_.postponed(); }
  /// The batch, for who fills it by another way than put_row().
  RowStore& incoming() { return raw_; }

 private:
  void RefuseIncomplete(const TranslationJoins& translated);

  const catalog::Table& target_;
  const std::vector<size_t>& columns_;
  std::vector<const KeyTranslation*> translations_;
  BatchApplier& applier_;
  RowErrors& errors_;
  RowStore* refused_;
  RowStore raw_;
};

}  // namespace pgsync::engine
