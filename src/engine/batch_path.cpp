#include "engine/batch_path.h"

namespace pgsync::engine {

BatchPath::BatchPath(const LoadRequest& request, StoringSink& sink, ApplyCounts& counts,
                     KeyTranslator::Incomplete incomplete)
    : columns_{request.columns, request.carried} {
  const catalog::Table& target = *request.target;
  StoringSink* next = &sink;
  if (!request.unsettled.empty()) {
    next = &late_translator_.emplace(target, columns_, KeyTranslator::Rows::kWithCarried,
                                     request.unsettled, *next, KeyTranslator::Incomplete());
  }
  if (request.matching != nullptr)
    next = &matcher_.emplace(target, columns_, *request.matching, *next, counts);
  translated_ = next;
  if (!request.translations.empty() || !request.carried.empty()) {
    next = &translator_.emplace(target, columns_, KeyTranslator::Rows::kAsTheyCame,
                                request.translations, *next, incomplete);
  }
  first_ = next;
}

}  // namespace pgsync::engine
