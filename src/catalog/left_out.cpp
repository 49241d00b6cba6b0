#include "catalog/left_out.h"

#include "core/text.h"

namespace pgsync::catalog {

using core::Cat;

namespace {

constexpr size_t kMaxItems = 100;
constexpr size_t kMaxItemText = 300;

}  // namespace

void LeftOut::Add(const TableName& table, const std::string& what, const std::string& why) {
  std::string text = core::Excerpt(what, kMaxItemText);
  if (!why.empty()) text += Cat(" (", core::Excerpt(why, kMaxItemText), ")");
  const std::string shown = table.ForMessage();
  // What several tables have, a view or a trigger of one name, is said once.
  const auto known = places_.find(text);
  if (known != places_.end()) {
    std::vector<std::string>& of = items_[known->second].tables;
    if (of.back() != shown && of.size() < kMaxItems) of.push_back(shown);
    return;
  }
  if (items_.size() == kMaxItems) {
    more_++;
    return;
  }
  places_[text] = items_.size();
  items_.push_back({text, {shown}});
}

void LeftOut::Notice(const std::vector<TableName>& tables) const {
  if (items_.empty()) return;
  const bool one = tables.size() == 1;
  const std::string table = tables.at(0).ForMessage();
  std::vector<std::string> texts;
  for (const Item& item : items_) {
    // Of one table only its partitions have to be named.
    const bool plain = one && item.tables.size() == 1 && item.tables[0] == table;
    texts.push_back(plain ? item.text : Cat(core::Join(item.tables, ", "), ": ", item.text));
  }
  if (more_ > 0) texts.push_back(Cat("and ", more_, " more"));
  const std::string list = core::Join(texts, one ? "; " : "\n");
  pg::Call([&] {
    if (one) {
      ereport(NOTICE,
              (errmsg("table \"%s\" was created without: %s", table.c_str(), list.c_str())));
    } else {
      ereport(NOTICE, (errmsg("tables were created without parts of their definitions"),
                       errdetail("%s", list.c_str())));
    }
  });
}

}  // namespace pgsync::catalog
