// What of a peer's definitions is not built, for the one NOTICE that says so.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "catalog/names.h"

namespace pgsync::catalog {

class LeftOut {
 public:
  /// `what` is a few words ("default of column a"), and may hold a peer's text, as may `why`.
  void Add(const TableName& table, const std::string& what, const std::string& why = "");
  /// Tells it all of a call that created these tables; nothing if there is nothing.
  void Notice(const std::vector<TableName>& tables) const;

 private:
  struct Item {
    std::string text;
    std::vector<std::string> tables;
  };
  std::vector<Item> items_;
  std::map<std::string, size_t> places_;  // by text
  size_t more_ = 0;
};

}  // namespace pgsync::catalog
