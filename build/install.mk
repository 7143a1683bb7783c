# make install: what was built, where the servers look for modules, acmectl
# below PREFIX, and on Debian what loads the modules.  Never the state
# directory: the server makes that.

PREFIX  ?= /usr/local
DESTDIR ?=
MANDIR  ?= $(PREFIX)/share/man
INSTALL ?= install

NGINX_MODULES_DIR ?= $(or $(shell $(NGINX) -V 2>&1 | \
    sed -n 's/.*--modules-path=\([^ ]*\).*/\1/p'),$(PREFIX)/lib/nginx/modules)
HTTPD_MODULES_DIR ?= $(or $(call apxs,LIBEXECDIR),$(PREFIX)/lib/apache2/modules)

# Debian's layout: nginx.conf includes what modules-enabled links to; a2enmod
# enables what is in mods-available.
NGX_AVAILABLE   = /usr/share/nginx/modules-available
NGX_ENABLED     = /etc/nginx/modules-enabled
NGX_CONF        = $(NGX_AVAILABLE)/mod-acme.conf
NGX_LINK        = $(NGX_ENABLED)/50-mod-acme.conf
HTTPD_AVAILABLE = /etc/apache2/mods-available
HTTPD_ENABLED   = /etc/apache2/mods-enabled
HTTPD_LOAD      = $(HTTPD_AVAILABLE)/acme.load

BASH_COMPLETION = $(DESTDIR)$(PREFIX)/share/bash-completion/completions/acmectl
ZSH_COMPLETION  = $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_acmectl

# Below /usr/local and /usr systemd looks there; a package may know better.
UNIT_DIR ?= $(PREFIX)/lib/systemd/system
UNITS     = acmectl-renew.service acmectl-renew.timer

# $(call state_dir,NAME): of the build, or the default that acmectl has.
state_dir = $(or $($1),$(shell sed -n 's/^.define $1 "\(.*\)"/\1/p' \
                       common/acmectl/acmectl.c))

MAN_PAGES     = $(wildcard man/*.[1-8])
MODULE_PAGES  = ngx_acme_module.5 mod_acme_httpd.5
BUILT         = $(wildcard $(O)/ngx_acme_module.so $(O)/mod_acme_httpd.so)
INSTALL_PARTS = $(if $(filter %/ngx_acme_module.so,$(BUILT)),install-nginx) \
                $(if $(filter %/mod_acme_httpd.so,$(BUILT)),install-httpd)

.PHONY: install uninstall install-acmectl install-units install-nginx \
        install-httpd

# With nothing built yet, all of it.
install: $(or $(strip $(INSTALL_PARTS)),install-nginx install-httpd)

# The directives, out of the modules' README.md.
$(addprefix $(O)/,$(MODULE_PAGES)): $(O)/%.5: %/README.md build/man-page
	@mkdir -p $(@D)
	@echo "  MAN   $@"
	@build/man-page $* 5 $< >$@

# $(call install_page,MODULE)
install_page = $(INSTALL) -d $(DESTDIR)$(MANDIR)/man5 && \
    $(INSTALL) -m 644 $(O)/$1.5 $(DESTDIR)$(MANDIR)/man5

# FORCE: what it is made of may be of this very call of make.
$(O)/acmectl-renew.service: examples/systemd/acmectl-renew.service.in FORCE
	@mkdir -p $(@D)
	@sed -e 's|@SBINDIR@|$(PREFIX)/sbin|' \
	    -e 's|@NGINX_STATE_DIR@|$(call state_dir,ACME_NGINX_STATE_DIR)|' \
	    -e 's|@HTTPD_STATE_DIR@|$(call state_dir,ACME_HTTPD_STATE_DIR)|' $< >$@
$(O)/acmectl-renew.timer: examples/systemd/acmectl-renew.timer
	@mkdir -p $(@D)
	@cp $< $@

install-units: $(addprefix $(O)/,$(UNITS))
	$(INSTALL) -d $(DESTDIR)$(UNIT_DIR)
	$(INSTALL) -m 644 $^ $(DESTDIR)$(UNIT_DIR)

install-acmectl: $(O)/acmectl install-units
	$(INSTALL) -d $(DESTDIR)$(PREFIX)/sbin
	$(INSTALL) -m 755 $(O)/acmectl $(DESTDIR)$(PREFIX)/sbin
	@set -e; for page in $(MAN_PAGES); do \
	    dir=$(DESTDIR)$(MANDIR)/man$${page##*.}; \
	    $(INSTALL) -d $$dir; $(INSTALL) -m 644 $$page $$dir; done
	$(INSTALL) -d $(dir $(BASH_COMPLETION) $(ZSH_COMPLETION))
	$(O)/acmectl completion bash >$(BASH_COMPLETION)
	$(O)/acmectl completion zsh >$(ZSH_COMPLETION)
	@chmod 644 $(BASH_COMPLETION) $(ZSH_COMPLETION)
	@if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" = 0 ]; then build/add-user; fi
	@echo "to renew without a server too: systemctl enable --now acmectl-renew.timer"

install-nginx: install-acmectl nginx $(O)/ngx_acme_module.5
	@$(call install_page,ngx_acme_module)
	$(INSTALL) -d $(DESTDIR)$(NGINX_MODULES_DIR)
	$(INSTALL) -m 644 $(O)/ngx_acme_module.so $(DESTDIR)$(NGINX_MODULES_DIR)
	@set -e; if [ -d $(NGX_ENABLED) ] || [ -d $(DESTDIR)$(NGX_ENABLED) ]; then \
	    $(INSTALL) -d $(DESTDIR)$(NGX_AVAILABLE) $(DESTDIR)$(NGX_ENABLED); \
	    echo "load_module $(NGINX_MODULES_DIR)/ngx_acme_module.so;" \
	        >$(DESTDIR)$(NGX_CONF); \
	    chmod 644 $(DESTDIR)$(NGX_CONF); \
	    ln -sfn $(NGX_CONF) $(DESTDIR)$(NGX_LINK); \
	    echo "nginx loads the module through $(NGX_LINK)"; \
	else \
	    echo "put this at the top of nginx.conf:"; \
	    echo "load_module $(NGINX_MODULES_DIR)/ngx_acme_module.so;"; \
	fi

install-httpd: install-acmectl httpd $(O)/mod_acme_httpd.5
	@$(call install_page,mod_acme_httpd)
	$(INSTALL) -d $(DESTDIR)$(HTTPD_MODULES_DIR)
	$(INSTALL) -m 644 $(O)/mod_acme_httpd.so $(DESTDIR)$(HTTPD_MODULES_DIR)
	@set -e; load="LoadModule acme_httpd_module $(HTTPD_MODULES_DIR)/mod_acme_httpd.so"; \
	if [ -d $(HTTPD_AVAILABLE) ] || [ -d $(DESTDIR)$(HTTPD_AVAILABLE) ]; then \
	    $(INSTALL) -d $(DESTDIR)$(HTTPD_AVAILABLE); \
	    printf '%s\n' "# Depends: ssl" "$$load" >$(DESTDIR)$(HTTPD_LOAD); \
	    chmod 644 $(DESTDIR)$(HTTPD_LOAD); \
	    echo "Apache loads the module after: a2enmod ssl acme"; \
	else \
	    echo "put this into httpd.conf, behind mod_ssl:"; echo "$$load"; \
	fi

uninstall:
	@if [ -z "$(DESTDIR)" ] && [ -d /run/systemd/system ]; then \
	    systemctl disable --now acmectl-renew.timer 2>/dev/null || true; fi
	rm -f $(DESTDIR)$(NGX_LINK) $(DESTDIR)$(NGX_CONF) \
	    $(DESTDIR)$(NGINX_MODULES_DIR)/ngx_acme_module.so \
	    $(DESTDIR)$(HTTPD_ENABLED)/acme.load $(DESTDIR)$(HTTPD_LOAD) \
	    $(DESTDIR)$(HTTPD_MODULES_DIR)/mod_acme_httpd.so \
	    $(DESTDIR)$(PREFIX)/sbin/acmectl \
	    $(BASH_COMPLETION) $(ZSH_COMPLETION) \
	    $(addprefix $(DESTDIR)$(UNIT_DIR)/,$(UNITS)) \
	    $(addprefix $(DESTDIR)$(MANDIR)/man5/,$(MODULE_PAGES)) \
	    $(foreach p,$(MAN_PAGES),$(DESTDIR)$(MANDIR)/man$(subst .,,$(suffix $(p)))/$(notdir $(p)))
	@echo "kept: the state directory and the user _acme"
