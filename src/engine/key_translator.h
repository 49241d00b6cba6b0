// Incoming rows whose foreign keys get new values before they are written.
#pragma once

#include <vector>

#include "engine/batch_sink.h"
#include "engine/key_map.h"
#include "engine/row_errors.h"

namespace pgsync::engine {

class KeyTranslator : public StoringSink {
 public:
  enum class Rows {
    kAsTheyCame,   ///< without what is carried
    kWithCarried,  ///< another translator has put that behind their columns
  };
  /// What becomes of rows that refer to what has not arrived.
  struct Incomplete {
    RowErrors* errors = nullptr;  ///< they are errors; null: such a value becomes null
    RowStore* kept = nullptr;     ///< where they are kept then; null: nowhere
  };
  /// `next` takes rows with these columns.
  KeyTranslator(const catalog::Table& target, const BatchColumns& columns, Rows rows,
                std::vector<const KeyTranslation*> translations, StoringSink& next,
                Incomplete incomplete);

  void Apply() override;
  void Settle() override { next_.Settle(); }
  int64 postponed() const override { return next_.postponed(); }

 private:
  int64 RefuseIncomplete(const TranslationJoins& translated);

  const catalog::Table& target_;
  const BatchColumns& columns_;
  BatchColumns taken_;  // what the rows that come have
  std::vector<const KeyTranslation*> translations_;
  StoringSink& next_;
  Incomplete incomplete_;
};

}  // namespace pgsync::engine
