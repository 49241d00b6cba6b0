#include "rows/canonical.h"

extern "C" {
#include "pgtime.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/bytea.h"
#include "utils/float.h"
#include "utils/guc.h"
#include "utils/xml.h"
}

namespace pgsync::rows {

CanonicalSettings::Values CanonicalSettings::Current() {
  return {DateStyle, DateOrder,   IntervalStyle,         extra_float_digits, bytea_output,
          xmloption, Array_nulls, quote_all_identifiers, session_timezone};
}

void CanonicalSettings::Assign(const Values& values) {
  DateStyle = values.date_style;
  DateOrder = values.date_order;
  IntervalStyle = values.interval_style;
  extra_float_digits = values.float_digits;
  bytea_output = values.bytea_output;
  xmloption = values.xml_option;
  Array_nulls = values.array_nulls;
  quote_all_identifiers = values.quote_all;
  session_timezone = values.timezone;
}

CanonicalSettings::CanonicalSettings(bool names, bool money)
    : saved_(Current()), names_(names), money_(money) {
  canonical_ = {USE_ISO_DATES,
                DATEORDER_YMD,
                INTSTYLE_POSTGRES,
                1,
                BYTEA_OUTPUT_HEX,
                XMLOPTION_CONTENT,
                true,
                false,
                pg::Call([] { return pg_tzset("UTC"); })};
  if (canonical_.timezone == nullptr) {
    throw core::Error(core::sqlstate::kInternal, "time zone UTC is not known");
  }
}

CanonicalSettings::~CanonicalSettings() {
  Restore();
}

// What went through the GUC machinery, the abort restores.
void CanonicalSettings::Restore() {
  if (entered_) Assign(saved_);
  entered_ = false;
}

void CanonicalSettings::enter() {
  Restore();
  if (names_ || money_) {
    guc_level_ = NewGUCNestLevel();
    if (names_) {
      // pg_temp, if it is not named, comes first: a temporary table could take a catalog's name.
      (void)set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
                              GUC_ACTION_SAVE, true, 0, false);
    }
    if (money_) {
      (void)set_config_option("lc_monetary", "C", PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SAVE, true,
                              0, false);
    }
  }
  saved_ = Current();
  entered_ = true;
  Assign(canonical_);
}

void CanonicalSettings::leave() {
  Assign(saved_);
  entered_ = false;
  if (names_ || money_) AtEOXact_GUC(true, guc_level_);
}

}  // namespace pgsync::rows
