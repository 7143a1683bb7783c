# The nginx module, built by nginx's own build system: a copy of the source
# tree is configured like the installed server plus this repository.

SBIN_PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin
NGINX     ?= $(or $(shell PATH='$(SBIN_PATH)' command -v nginx),nginx)
NGINX_SRC ?= /usr/share/nginx/src

NGX_TREE  = $(O)/nginx-src
NGX_FILES = config build/nginx-configure build/sources build/sources-nginx \
            build/ngx_acme_module.map

# What makes a new ./configure necessary.  The headers count by name only:
# config hands nginx the list, nginx's make watches their contents.
NGX_INPUTS = $(shell $(NGINX) -V 2>&1) / $(NGINX_SRC) / $(CC) $(SAN_CFLAGS) \
             $(WERROR) $(ACME_NGINX_STATE_DIR) / \
             $(sort $(wildcard common/*.h common/*/*.h ngx_acme_module/*.h))

# nginx's makefile has its own CC and CFLAGS: variables given on our command
# line, which make hands down after " -- ", must not reach it.
NGX_MAKE = MAKEFLAGS="$${MAKEFLAGS%% -- *}" $(MAKE) -s -C $(NGX_TREE) -f objs/Makefile

$(O)/nginx-inputs: FORCE
	$(call keep,$(NGX_INPUTS))

$(NGX_TREE)/objs/Makefile: $(O)/nginx-inputs $(NGX_FILES)
	@echo "  CONF  $(NGX_TREE)"
	@NGINX='$(NGINX)' NGINX_SRC='$(NGINX_SRC)' CC='$(CC)' \
	    CC_OPT='$(SAN_CFLAGS) $(if $(SAN),-U_FORTIFY_SOURCE) $(if $(WERROR),,-Wno-error)' \
	    LD_OPT='$(SAN_CFLAGS)' ACME_NGINX_STATE_DIR='$(ACME_NGINX_STATE_DIR)' \
	    build/nginx-configure $(NGX_TREE)

# nginx's make decides what is out of date; it takes no time if nothing is.
$(O)/ngx_acme_module.so: $(NGX_TREE)/objs/Makefile FORCE
	@+$(NGX_MAKE) objs/$(@F)
	@cmp -s $(NGX_TREE)/objs/$(@F) $@ || { \
	    echo "  COPY  $@"; \
	    cp $(NGX_TREE)/objs/$(@F) $@.new && mv $@.new $@; }

# The tests with that nginx: all, or TESTS; KIND=static is the other build.
KIND ?= dynamic
OTHER_NGINX = $(ABS_O)/check-nginx/$(KIND)/objs

.PHONY: check-nginx
check-nginx: $(O)/acmectl
	@MAKEFLAGS= CC='$(CC)' build/check-nginx '$(NGINX_SRC)' $(O)/check-nginx
	$(if $(filter none,$(TESTS)),,@$(MAKE) run-tests HOST=nginx \
	    NGINX=$(OTHER_NGINX)/nginx \
	    NGINX_MODULE=$(if $(filter static,$(KIND)),static,$(OTHER_NGINX)/ngx_acme_module.so) \
	    TESTS='$(or $(TESTS),$(filter-out t/both_% t/httpd_%,$(INTEGRATION)))')
