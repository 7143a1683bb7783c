# The core as a static library, and acmectl.

# $(call list,FILE): the paths of a source list, comments removed.
HASH := \#
list = $(shell sed 's/$(HASH).*//' $(1) 2>/dev/null)

CORE_SRCS := $(call list,build/sources)
CTL_SRCS  := $(wildcard common/acmectl/*.c)

CORE_STRAY := $(filter-out $(CORE_SRCS) $(CTL_SRCS),$(wildcard common/*/*.c))
ifneq ($(if $(filter sources,$(MAKECMDGOALS)),,$(CORE_STRAY)),)
$(warning not in build/sources (run `make sources`): $(CORE_STRAY))
endif

IS_CLANG := $(findstring clang,$(shell $(CC) --version 2>/dev/null))
WERROR   ?= -Werror
WARNINGS  = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wwrite-strings -Wcast-qual -Wvla -Wformat=2 \
            $(if $(IS_CLANG),,-Wjump-misses-init) $(WERROR)

# _FORTIFY_SOURCE hides from the sanitizers what they are looking for.
HARDEN = $(if $(SAN),$(SAN_CFLAGS),-D_FORTIFY_SOURCE=2 -fstack-protector-strong)
SAN_CFLAGS = $(if $(SAN),-fsanitize=$(SAN)$(if $(filter address,$(SAN)),$(comma)undefined) \
             -fno-omit-frame-pointer)
comma := ,

CFLAGS       ?= -O2 -g
ACME_CFLAGS   = -std=c11 $(WARNINGS) -fPIC -fvisibility=hidden $(HARDEN)
ACME_CPPFLAGS = -Icommon -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE \
                -DOPENSSL_API_COMPAT=30000 -DOPENSSL_NO_DEPRECATED \
                $(STATE_DIR_FLAG) $(LIB_CFLAGS)
ACME_LDFLAGS  = -Wl,-z,relro,-z,now $(SAN_CFLAGS)

# Where hosts keep their state unless told otherwise; the headers have the
# defaults, this overrides them.
ACME_NGINX_STATE_DIR ?=
ACME_HTTPD_STATE_DIR ?=
STATE_DIR_FLAG = $(foreach d,ACME_NGINX_STATE_DIR ACME_HTTPD_STATE_DIR,\
                 $(if $($d),-D$d='"$($d)"'))

PKGS       := libcurl jansson libidn2 ldns libssl libcrypto
LIB_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LIBS       := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
LIBS       := $(or $(LIBS),-lcurl -ljansson -lidn2 -lldns -lssl -lcrypto)

# acmectl alone reads YAML: the servers load nothing for it.
CTL_PKGS := yaml-0.1
CTL_LIBS := $(or $(shell pkg-config --libs $(CTL_PKGS) 2>/dev/null),-lyaml)
CTL_LIB_CFLAGS := $(shell pkg-config --cflags $(CTL_PKGS) 2>/dev/null)
$(O)/obj/common/acmectl/ctl_yaml.o: LIB_CFLAGS += $(CTL_LIB_CFLAGS)

COMPILE = $(CC) $(ACME_CPPFLAGS) $(CPPFLAGS) $(ACME_CFLAGS) $(CFLAGS)
LINK    = $(CC) $(ACME_CFLAGS) $(CFLAGS) $(ACME_LDFLAGS) $(LDFLAGS)

objs = $(patsubst %.c,$(O)/obj/%.o,$(1))

# $(call keep,TEXT): a recipe that writes TEXT to the target only if it differs
# from what is there, so that nothing is rebuilt for nothing.
keep = @mkdir -p $(@D); printf '%s\n' '$(subst ','\'',$(1))' >$@.new; \
       if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(O)/flags: FORCE
	$(call keep,$(COMPILE) / $(LINK) $(LIBS))

$(O)/obj/%.o: %.c $(O)/flags
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(COMPILE) -MMD -MP -c -o $@ $<

# The list is a prerequisite: a file that left it has to leave the library.
$(O)/libacme.a: $(call objs,$(CORE_SRCS)) build/sources
	@echo "  AR    $@"
	@rm -f $@
	@$(AR) rcs $@ $(filter %.o,$^)

$(O)/acmectl: $(call objs,$(CTL_SRCS)) $(O)/libacme.a
	@echo "  LINK  $@"
	@$(LINK) -o $@ $^ $(LIBS) $(CTL_LIBS)

-include $(patsubst %.o,%.d,$(call objs,$(CORE_SRCS) $(CTL_SRCS)))

# The page has to be there before anything is built, so it is kept with the
# sources; a test compares.
.PHONY: man
man: $(O)/acmectl
	@$(O)/acmectl help man >man/acmectl.8

.PHONY: sources
sources:
	@{ echo "# The files of the core, one a line; read by make and by config."; \
	   ls common/*/*.c | grep -v '^common/acmectl/'; } >build/sources
	@{ echo "# The files of the nginx module, one a line; read by config."; \
	   ls ngx_acme_module/*.c; } >build/sources-nginx
