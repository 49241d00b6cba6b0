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
  /// What becomes of rows that cannot be translated.
  struct Refusal {
    RowErrors& errors;         ///< they are errors
    RowStore* kept = nullptr;  ///< where they are kept then; null: nowhere
    /// Also those that refer to what has not arrived; else such a value becomes null.
    bool missing = false;
  };
  /// `next` takes rows with these columns, about `batch_rows` at once.
  KeyTranslator(const catalog::Table& target, const BatchColumns& columns, Rows rows,
                std::vector<const KeyTranslation*> translations, StoringSink& next,
                int64 batch_rows, const Refusal& refusal);

  /// Reads all that is known of other tables' keys each time: it waits until the rows are not few
  /// beside these.
  void Apply() override;
  void Finish() override;
  void Settle() override { next_.Settle(); }
  int64 postponed() const override { return next_.postponed(); }

 private:
  int64 KnownKeys() const;
  void Run();
  void HandOn(RowStore& rows);
  void RefuseIncomplete();
  void NoteMissing(uint64 count);
  void Translate(RowStore& rows, RowStore& all);
  void TranslateAll(RowStore& rows, RowStore& translated);
  void Refuse(RowStore& row, RowError error);
  std::string KeyJson() const;

  const catalog::Table& target_;
  const BatchColumns& columns_;
  BatchColumns taken_;  // what the rows that come have
  std::vector<const KeyTranslation*> translations_;
  TranslationJoins joins_;
  StoringSink& next_;
  int64 batch_rows_;
  Refusal refusal_;
};

}  // namespace pgsync::engine
