# The httpd module, for the server whose apxs is found.  Its objects and the
# core's library become one shared object that shows nothing but the module.

APXS     ?= $(or $(shell PATH='$(SBIN_PATH)' command -v apxs),apxs)
apxs      = $(shell $(APXS) -q $(1) 2>/dev/null)
apr       = $(shell $(call apxs,$(1)) $(2) 2>/dev/null)

HTTPD_SRCS := $(sort $(wildcard mod_acme_httpd/*.c))
HTTPD_OBJS  = $(call objs,$(HTTPD_SRCS))
HTTPD_MAP   = build/mod_acme_httpd.map

# Their headers are not ours to warn about.
HTTPD_INCLUDES = $(patsubst -I%,-isystem %,-I$(call apxs,INCLUDEDIR) \
    $(call apr,APR_CONFIG,--includes) $(call apr,APU_CONFIG,--includes))
HTTPD_CPPFLAGS = $(HTTPD_INCLUDES) $(call apr,APR_CONFIG,--cppflags)

$(HTTPD_OBJS): ACME_CPPFLAGS += $(HTTPD_CPPFLAGS)
$(HTTPD_OBJS): ACME_CFLAGS += -fvisibility=default
$(HTTPD_OBJS): $(O)/httpd-inputs

# Empty where there is no apxs: say so before the compiler does.
$(O)/httpd-inputs: FORCE
	@command -v $(APXS) >/dev/null || { \
	    echo "apxs is missing: apt-get install apache2-dev, or APXS=FILE" >&2; \
	    exit 1; }
	$(call keep,$(HTTPD_CPPFLAGS))

$(O)/mod_acme_httpd.so: $(HTTPD_OBJS) $(O)/libacme.a $(HTTPD_MAP)
	@echo "  LINK  $@"
	@$(LINK) -shared -Wl,--version-script=$(HTTPD_MAP) -o $@ \
	    $(filter %.o %.a,$^) $(LIBS)

-include $(patsubst %.o,%.d,$(HTTPD_OBJS))
