# One ACME core for nginx and Apache httpd.  `make help` lists the targets,
# CONTRIBUTING.md says how the pieces fit together.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# Where to build.  A sanitizer (SAN=address, SAN=thread) gets its own place,
# so that the plain build stays as it is.
SAN ?=
O   ?= build/out$(if $(SAN),-$(SAN_NAME))
SAN_NAME = $(if $(filter address,$(SAN)),asan,$(if $(filter thread,$(SAN)),tsan,$(SAN)))

include build/core.mk
include build/nginx.mk
include build/httpd.mk
include build/test.mk
include build/fuzz.mk
include build/install.mk
include build/lint.mk

.PHONY: all nginx httpd deps demo asan tsan valgrind bench clean distclean \
        help FORCE

all: $(O)/libacme.a nginx httpd
nginx: $(O)/acmectl $(O)/ngx_acme_module.so
httpd: $(O)/acmectl $(O)/mod_acme_httpd.so

# Debian packages and the test CA; does nothing when all is there.  FOR=httpd:
# only what building for that server needs.
FOR ?=
deps:
	@build/deps $(FOR)

# The sub-makes below start anew, as deps may just have brought the compiler.
demo: deps
	@$(MAKE) all
	@test -x build/demo || { echo "build/demo is missing" >&2; exit 1; }
	@$(TEST_ENV) build/demo

asan:
	@$(MAKE) test SAN=address

tsan:
	@$(MAKE) check SAN=thread

# What is in the log between == is an error; -- is a system call it is new to.
# Three units are about exec and descriptors, of which valgrind has its own.
VALGRIND = valgrind -q --leak-check=full --show-leak-kinds=definite \
           --errors-for-leak-kinds=definite --error-exitcode=99 \
           --log-file=$(abspath $(O))/valgrind/%p
valgrind:
	@command -v valgrind >/dev/null || { \
	    echo "valgrind is missing: apt-get install valgrind" >&2; exit 1; }
	@rm -rf $(O)/valgrind && mkdir -p $(O)/valgrind
	@ACME_UNIT_WRAPPER='$(VALGRIND)' $(MAKE) check \
	    NOT_WITH='t/unit/test_sandbox.c t/unit/test_service.c t/unit/test_runner.c' || { \
	    cat $(O)/valgrind/* | grep '^=='; exit 1; }

bench: all
	@set -e; for b in $(filter-out %.md %/lib,$(wildcard build/bench/*)); do \
	    echo "== $$b"; $(TEST_ENV) $$b; done

clean:
	rm -rf build/out build/out-*

# Also removes the test CA that deps installed.
distclean: clean
	rm -rf build/.deps

help:
	@cat build/help
