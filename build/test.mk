# Unit tests, integration tests, and one prove run over both.

UNIT_SRCS    := $(sort $(wildcard t/unit/test_*.c))
UNIT_HELPERS := $(sort $(wildcard t/unit/fake_*.c t/unit/helper_*.c))
HARNESS      := $(sort $(wildcard t/harness/*.t))
INTEGRATION  := $(sort $(wildcard t/*.t))
UNIT_BINS     = $(patsubst %.c,$(O)/%,$(filter-out $(NOT_WITH),$(UNIT_SRCS)))

# It has a malloc() of its own, and so has that sanitizer.
NOT_WITH      = $(if $(filter thread,$(SAN)),t/unit/test_nomem.c)

TESTS      ?=
HOST       ?=
# More than there are processors: most of them wait most of the time.
TEST_JOBS  ?= 3
TEST_FLAGS ?=

# What the tests try.  Unit tests are named by their .c file.
WANTED      = $(patsubst t/%.c,$(O)/t/%,$(TESTS))
CHECK_TESTS = $(or $(filter $(O)/%,$(WANTED)),$(UNIT_BINS))
ALL_TESTS   = $(call on_hosts,$(or $(WANTED),$(UNIT_BINS) $(HARNESS) $(INTEGRATION)))

# An integration test runs on each host, as t/x.t@HOST (see build/run-test);
# only on one if its name begins with that, and once if it begins with both_.
HOSTS    = $(or $(filter nginx httpd,$(HOST)),nginx httpd)
ONCE     = $(filter-out t/%.t,$1) $(filter t/harness/% t/both_%,$1)
SHARED   = $(filter-out t/harness/% t/both_% t/nginx_% t/httpd_%,$(filter t/%.t,$1))
on_hosts = $(ONCE) $(foreach h,$(HOSTS),$(patsubst %,%@$h,$(SHARED) $(filter t/$h_%,$1)))

# In nginx's own environment it stands for inherited sockets.
unexport NGINX

# The stock servers know nothing of sanitizers: their runtime is preloaded, and
# before it what collects the reports.
ABS_O    = $(abspath $(O))
RUNTIME  = $(if $(filter address,$(SAN)),$(shell $(CC) -print-file-name=libasan.so))
REPORTS  = $(if $(RUNTIME),$(O)/reports.so)
PRELOAD  = $(if $(RUNTIME),$(abspath $(REPORTS)):$(RUNTIME))
NGINX_MODULE ?= $(ABS_O)/ngx_acme_module.so
TEST_ENV = ACME_NGINX='$(NGINX)' ACME_NGINX_MODULE=$(NGINX_MODULE) \
           ACME_HTTPD_MODULE=$(ABS_O)/mod_acme_httpd.so \
           ACME_ACMECTL=$(ABS_O)/acmectl ACME_PRELOAD=$(PRELOAD) \
           ACME_STEPS_LIBRARY=$(ABS_O)/steps.so \
           ACME_QUIC_PEER_LIBRARY=$(ABS_O)/quic_peer.so \
           ACME_CURL_TRUST_LIBRARY=$(ABS_O)/curl_trust.so
PROVE    = $(TEST_ENV) prove -j$(TEST_JOBS) --timer --exec build/run-test $(TEST_FLAGS)

$(O)/t/unit/%: $(O)/obj/t/unit/%.o $(call objs,$(UNIT_HELPERS)) $(O)/libacme.a
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(LINK) -o $@ $^ -lcmocka $(LIBS)

# Files of acmectl that a unit test has, beside the core.
$(O)/t/unit/test_doctor_host: $(call objs,common/acmectl/ctl_doctor_host.c)

-include $(patsubst %.o,%.d,$(call objs,$(UNIT_SRCS) $(UNIT_HELPERS)))

.SECONDARY: $(call objs,$(UNIT_SRCS) $(UNIT_HELPERS))
.PHONY: check test run-tests

check: $(CHECK_TESTS)
	@$(PROVE) $(CHECK_TESTS)

test: deps
	@$(MAKE) all
	@$(MAKE) run-tests

# steps.so makes durable steps fail and their process die (t/lib/Acme/Crash.pm),
# quic_peer.so tells which certificate a client of HTTP/3 is shown,
# curl_trust.so tells a client with libcurl which CA to trust.
$(O)/steps.so $(O)/reports.so $(O)/quic_peer.so $(O)/curl_trust.so: $(O)/%.so: t/preload/%.c
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) -std=gnu11 $(WARNINGS) -O1 -g -fPIC -shared -o $@ $< -ldl

run-tests: $(O)/steps.so $(O)/quic_peer.so $(O)/curl_trust.so $(REPORTS) $(filter $(O)/%,$(ALL_TESTS))
	@$(PROVE) $(ALL_TESTS)
