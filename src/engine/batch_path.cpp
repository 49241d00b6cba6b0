#include "engine/batch_path.h"

namespace pgsync::engine {

BatchPath::BatchPath(const LoadRequest& request, StoringSink& sink, RowErrors& errors,
                     ApplyCounts& counts, bool dry)
    : columns_{request.columns, request.carried} {
  const catalog::Table& target = *request.target;
  FailedRows* const kept = request.failed_rows;
  const KeyTranslator::Refusal untranslatable{errors,
                                              kept != nullptr ? &kept->unwritten() : nullptr};
  StoringSink* next = &sink;
  if (!request.unsettled.empty()) {
    next = &late_translator_.emplace(target, columns_, KeyTranslator::Rows::kWithCarried,
                                     request.unsettled, *next, request.batch_rows, untranslatable);
  }
  if (request.matching != nullptr) {
    next = &matcher_.emplace(target, columns_, *request.matching, *next, counts, dry);
    std::vector<const KeyTranslation*> own;
    for (const OwnReference& reference : request.matching->own_references)
      own.push_back(reference.known);
    if (!own.empty()) {
      next = &own_translator_.emplace(target, columns_, KeyTranslator::Rows::kWithCarried,
                                      std::move(own), *next, request.batch_rows, untranslatable);
    }
  }
  translated_ = next;
  if (!request.translations.empty() || !request.carried.empty()) {
    next = &translator_.emplace(
        target, columns_, KeyTranslator::Rows::kAsTheyCame, request.translations, *next,
        request.batch_rows,
        KeyTranslator::Refusal{errors, kept != nullptr ? &kept->untranslated() : nullptr, !dry});
  }
  first_ = next;
}

}  // namespace pgsync::engine
