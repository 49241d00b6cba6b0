#include "pg/plain_settings.h"

extern "C" {
#include "utils/guc.h"
}

namespace pgsync::pg {

namespace {

struct Setting {
  const char* name;
  const char* value;
};

// pg_temp, if it is not named, comes first: a temporary table could take a catalog's name.
constexpr Setting kPlain[] = {
    {"search_path", "pg_catalog, pg_temp"},
    {"standard_conforming_strings", "on"},
    {"escape_string_warning", "off"},
    {"transform_null_equals", "off"},
    {"quote_all_identifiers", "off"},
    {"array_nulls", "on"},
    {"datestyle", "ISO, YMD"},
    {"intervalstyle", "postgres"},
    {"timezone", "UTC"},
    {"extra_float_digits", "1"},
    {"bytea_output", "hex"},
    {"xmloption", "content"},
    {"lc_monetary", "C"},
};

}  // namespace

int enter_plain_settings() {
  const int level = NewGUCNestLevel();
  for (const Setting& setting : kPlain) {
    (void)set_config_option(setting.name, setting.value, PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SAVE,
                            true, 0, false);
  }
  return level;
}

void LeavePlainSettings(int level) {
  Call([&] { AtEOXact_GUC(true, level); });
}

}  // namespace pgsync::pg
