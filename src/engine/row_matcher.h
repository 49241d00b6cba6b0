// Incoming rows that are here already under another key.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "catalog/unique_key.h"
#include "engine/batch_applier.h"
#include "engine/batch_sink.h"
#include "engine/batch_statement.h"
#include "engine/equal_rows.h"
#include "engine/key_map.h"
#include "engine/matched_rows.h"

namespace pgsync::engine {

/// A reference of a table to itself over columns by which rows are looked up.
struct OwnReference {
  const KeyTranslation* known = nullptr;  ///< by what was known before a batch
  KeyTranslation within;                  ///< by what is found in it
  std::unique_ptr<KeyMap> found;
};

/// How rows of a table are recognized.
struct RowMatching {
  /// Indexes by which an incoming row is looked up; the first that finds one counts. All of their
  /// columns come. Where there are none, keys are only noted.
  std::vector<catalog::UniqueKey> keys;
  /// An incoming row whose key by this index is here is left to the strategy.
  std::optional<catalog::UniqueKey> own;
  /// Where to note what the rows that are found, and those whose keys were translated, are called
  /// at the peer and here.
  std::vector<KeyMap*> maps;
  /// Where to note rows here that are found and may still change; null: none can.
  std::unique_ptr<MatchedRows> matched;
  /// All of them. The rows that come have the values that are known before the batch.
  std::vector<OwnReference> own_references;
};

/// Takes them out of each batch, counts them as skipped, and notes keys.
class RowMatcher : public StoringSink {
 public:
  /// `next` takes rows with the same columns. `dry`: it does not write them.
  RowMatcher(const catalog::Table& target, const BatchColumns& columns, const RowMatching& matching,
             StoringSink& next, ApplyCounts& counts, bool dry);

  void Apply() override;
  void Finish() override;
  void Settle() override;
  int64 postponed() const override { return next_.postponed(); }

 private:
  std::string Statement(const catalog::Table& target) const;
  void Find(RowStore& rows);
  void FindBelow();
  std::string RowsBelow() const;
  void NoteKeys();
  void NoteFound(KeyMap* map);
  void NoteTranslated(KeyMap* map);

  const BatchColumns& columns_;
  const RowMatching& matching_;
  StoringSink& next_;
  ApplyCounts& counts_;
  std::vector<size_t> noted_;  // positions of columns that are in one of the maps
  RowStore found_;  // the rows, by "n": these columns as they came, then as they are here
  BatchStatement find_;
  std::optional<TranslationJoins> within_;  // own references
  std::optional<EqualRows> equal_;          // in a dry run
};

}  // namespace pgsync::engine
