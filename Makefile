# sync: a PostgreSQL extension in C++17, built with PGXS.
#
#   make                  builds the library
#   make install          installs it (as root)
#   make check            everything there is (test/check)
#   make demo             shows it at work (test/demo)
#   make installcheck     the tests of local behaviour, against a running server
#   make check-unit       the unit tests of core and net
#   make format, lint     clang-format; rules that a compiler does not know

EXTENSION = sync
MODULE_big = sync
DATA = $(wildcard sql/sync--*.sql)
OBJS = $(patsubst %.cpp,%.o,$(sort $(wildcard src/*.cpp src/*/*.cpp)))

# In the order in which they run; test/lint compares the list with the files.
REGRESS = install control list schema export export_changes import strategies unique_values row_errors \
          types checksum create_table create_types create_constraints create_partitions create_hostile \
          sequences sessions rights hostile_path phoenix_import connections connection_history

PG_CONFIG ?= pg_config

# A dependency of the C++ files that PGXS compiles with the C compiler's flags left out.
WARNINGS = -Wall -Wextra -Werror -Wno-register
PG_CPPFLAGS = -Isrc -isystem $(shell $(PG_CONFIG) --includedir-server) \
              -DBOOST_ASIO_SEPARATE_COMPILATION -DBOOST_BEAST_SEPARATE_COMPILATION \
              -DBOOST_ASIO_NO_DEPRECATED -DBOOST_ALL_NO_LIB
# DEBUG_INFO=-g1 is enough for backtraces, and takes a third less time to compile.
DEBUG_INFO ?=
# The server is compiled with the two of -f, and its headers rely on them.
PG_CXXFLAGS = -std=c++17 $(WARNINGS) -fno-strict-aliasing -fwrapv \
              -fvisibility-inlines-hidden -MMD -MP $(DEBUG_INFO)
SHLIB_LINK = -lcurl -lssl -lcrypto -lzstd -lxxhash -lstdc++ -lpthread \
             -Wl,--version-script=src/exports.map -Wl,-Bsymbolic-functions
EXTRA_CLEAN = $(OBJS:.o=.d) build results regression.diffs regression.out

# Bitcode is for inlining into queries, of which there is nothing here.
override with_llvm = no

# PGXS has a target of that name, which only says that it cannot do it.
ifeq ($(MAKECMDGOALS),check)
check:
	test/check
else

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(OBJS): Makefile
-include $(OBJS:.o=.d)

# ---- unit tests: core and net, without a server ------------------------------------------------

UNIT_SOURCES = $(sort $(wildcard test/unit/*.cpp))
UNIT_OBJS = $(UNIT_SOURCES:test/unit/%.cpp=build/unit/%.o)
PURE_OBJS = $(patsubst %.cpp,%.o,$(sort $(wildcard src/core/*.cpp src/net/*.cpp)))

build/unit/%.o: test/unit/%.cpp
	@mkdir -p $(@D)
	$(CXX) -std=c++17 -O0 -g1 $(WARNINGS) -MMD -MP -Isrc -c $< -o $@

build/unit/all: $(UNIT_OBJS) $(PURE_OBJS)
	$(CXX) $^ -o $@ -lgtest -lgtest_main -lcurl -lssl -lcrypto -lzstd -lxxhash -lpthread

check-unit: build/unit/all
	build/unit/all --gtest_brief=1

-include $(UNIT_OBJS:.o=.d)

# ---- the rest ----------------------------------------------------------------------------------

demo:
	test/demo

format:
	@clang-format -i $(wildcard src/*.cpp src/*/*.cpp src/*/*.h test/unit/*.cpp)

lint:
	test/lint

print-regress:
	@echo $(REGRESS)

.PHONY: print-regress check-unit demo format lint

endif
