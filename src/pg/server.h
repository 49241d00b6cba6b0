// The only way to PostgreSQL's own headers: C linkage, and the damage that they do to the standard
// library's names repaired. `core` and `net` never include this.
#pragma once

// postgres.h defines printf and its family as macros; the headers that declare them come first.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

extern "C" {
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/elog.h"
#include "utils/memutils.h"
#include "utils/palloc.h"
}

#undef printf
#undef fprintf
#undef sprintf
#undef snprintf
#undef vprintf
#undef vfprintf
#undef vsprintf
#undef vsnprintf
#undef gettext
#undef dgettext
#undef ngettext
#undef dngettext
