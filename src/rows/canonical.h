// The settings under which a value has its canonical text: DateStyle ISO, IntervalStyle postgres,
// TimeZone UTC, extra_float_digits 1, bytea_output hex, lc_monetary C, names of objects in full.
#pragma once

#include "catalog/types.h"
#include "pg/guard.h"

namespace pgsync::rows {

/// Switches the backend between the caller's settings and the canonical ones. Rows are made by
/// code of users (policies, views), which must see the caller's settings, so a scan switches back
/// and forth for every row: what can be is switched by assignment, and only what cannot (the
/// search_path, and lc_monetary with its cached conversion table) goes through the GUC machinery.
/// The destructor restores what an error left switched.
class CanonicalSettings {
 public:
  /// `names`: the search_path too; `money`: lc_monetary too.
  CanonicalSettings(bool names, bool money);
  explicit CanonicalSettings(const catalog::TextDependence& text)
      : CanonicalSettings(text.names, text.money) {}
  ~CanonicalSettings();
  CanonicalSettings(const CanonicalSettings&) = delete;
  CanonicalSettings& operator=(const CanonicalSettings&) = delete;

  // For leaves. Calls come in pairs and do not nest.
  void enter();
  void leave();

  /// Back to the caller's settings where an error ended the leaf between the two. Code of users
  /// must not run before that.
  void Restore();

 private:
  struct Values {
    int date_style;
    int date_order;
    int interval_style;
    int float_digits;
    int bytea_output;
    int xml_option;
    bool array_nulls;
    bool quote_all;
    struct pg_tz* timezone;
  };
  static Values Current();
  static void Assign(const Values& values);

  Values saved_;
  Values canonical_;
  bool names_;
  bool money_;
  bool entered_ = false;
  int guc_level_ = 0;
};

}  // namespace pgsync::rows
