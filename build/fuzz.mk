# Fuzz targets (t/fuzz/fuzz_*.c).  `make check` runs each over its corpus and
# mutations of it (t/fuzz/replay.c), as it runs the unit tests; `make fuzz`
# makes fuzzers of them.

FUZZ_SRCS    := $(sort $(wildcard t/fuzz/fuzz_*.c))
FUZZ_NAMES   := $(patsubst t/fuzz/fuzz_%.c,%,$(FUZZ_SRCS))
FUZZ_BINS     = $(patsubst %.c,$(O)/%,$(FUZZ_SRCS))
FUZZ_HELPERS := t/unit/fake_host.c t/unit/helper_fsync.c t/unit/helper_tmp.c
FUZZ_OBJS     = $(call objs,$(FUZZ_SRCS) t/fuzz/replay.c)

FUZZ_SECONDS ?= 60
FUZZ         ?= $(FUZZ_NAMES)
FUZZ_FLAGS   ?=
CLANG        ?= clang
# Set by `make fuzz` for the make below: libFuzzer brings its own main().
LIBFUZZER    ?=

FUZZ_MAIN = $(if $(LIBFUZZER),,$(call objs,t/fuzz/replay.c))

# This one reads what acmectl alone does.
$(O)/t/fuzz/fuzz_yaml: $(call objs,common/acmectl/ctl_yaml.c)
$(O)/t/fuzz/fuzz_yaml: LIBS += $(CTL_LIBS)

$(O)/t/fuzz/%: $(O)/obj/t/fuzz/%.o $(FUZZ_MAIN) $(call objs,$(FUZZ_HELPERS)) $(O)/libacme.a
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(LINK) $(if $(LIBFUZZER),-fsanitize=fuzzer) -o $@ $^ -lcmocka $(LIBS)

-include $(patsubst %.o,%.d,$(FUZZ_OBJS))

.SECONDARY: $(FUZZ_OBJS)
.PHONY: fuzz fuzz-bins

# test.mk has its unit tests already: these come on top, and both of its
# targets need them.
UNIT_BINS += $(FUZZ_BINS)
check: $(CHECK_TESTS)
run-tests: $(filter $(O)/%,$(ALL_TESTS))

fuzz-bins: $(patsubst %,$(O)/t/fuzz/fuzz_%,$(FUZZ))

# New inputs go to $(O)/fuzz/corpus, what a fuzzer says to
# $(O)/fuzz/TARGET.log, an input that fails to $(O)/fuzz/TARGET-crash-*: give
# that file to $(O)/t/fuzz/fuzz_TARGET.  The tree is only read.
FUZZ_RUN = UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
           $(O)/fuzz/t/fuzz/fuzz_$$t -max_total_time=$(FUZZ_SECONDS) \
           -timeout=10 -max_len=8192 -artifact_prefix=$(O)/fuzz/$$t- \
           $(FUZZ_FLAGS) $(O)/fuzz/corpus/$$t t/fuzz/corpus/$$t

fuzz:
	@command -v $(CLANG) >/dev/null || { \
	    echo "clang is missing (libFuzzer is part of it): apt-get install clang" >&2; exit 1; }
	@$(MAKE) fuzz-bins CC=$(CLANG) O=$(O)/fuzz SAN=address LIBFUZZER=yes WERROR= \
	    CFLAGS="-O1 -g -fsanitize=fuzzer-no-link"
	@bad=; for t in $(FUZZ); do \
	    mkdir -p $(O)/fuzz/corpus/$$t; log=$(O)/fuzz/$$t.log; \
	    echo "  FUZZ  $$t"; \
	    $(FUZZ_RUN) >$$log 2>&1 || { bad="$$bad $$t"; tail -n 40 $$log; }; \
	    grep 'cov: .*exec/s' $$log | tail -n 1; \
	done; \
	test -z "$$bad" || { echo "found something:$$bad" >&2; exit 1; }
