# make install: the module where nginx looks for modules, acmectl below
# PREFIX, and on Debian the snippet that loads the module.  Never the state
# directory: the server makes that.

PREFIX  ?= /usr/local
DESTDIR ?=
MANDIR  ?= $(PREFIX)/share/man
INSTALL ?= install

NGINX_MODULES_DIR ?= $(or $(shell $(NGINX) -V 2>&1 | \
    sed -n 's/.*--modules-path=\([^ ]*\).*/\1/p'),$(PREFIX)/lib/nginx/modules)

# Debian's layout: nginx.conf includes what modules-enabled links to.
DEB_AVAILABLE = /usr/share/nginx/modules-available
DEB_ENABLED   = /etc/nginx/modules-enabled
DEB_CONF      = $(DEB_AVAILABLE)/mod-acme.conf
DEB_LINK      = $(DEB_ENABLED)/50-mod-acme.conf
MAN_PAGES     = $(wildcard man/*.[1-8])

.PHONY: install uninstall

install: all
	$(INSTALL) -d $(DESTDIR)$(NGINX_MODULES_DIR) $(DESTDIR)$(PREFIX)/sbin
	$(INSTALL) -m 644 $(O)/ngx_acme_module.so $(DESTDIR)$(NGINX_MODULES_DIR)
	$(INSTALL) -m 755 $(O)/acmectl $(DESTDIR)$(PREFIX)/sbin
	@set -e; for page in $(MAN_PAGES); do \
	    dir=$(DESTDIR)$(MANDIR)/man$${page##*.}; \
	    $(INSTALL) -d $$dir; $(INSTALL) -m 644 $$page $$dir; done
	@set -e; if [ -d $(DEB_ENABLED) ] || [ -d $(DESTDIR)$(DEB_ENABLED) ]; then \
	    $(INSTALL) -d $(DESTDIR)$(DEB_AVAILABLE) $(DESTDIR)$(DEB_ENABLED); \
	    echo "load_module $(NGINX_MODULES_DIR)/ngx_acme_module.so;" \
	        >$(DESTDIR)$(DEB_CONF); \
	    chmod 644 $(DESTDIR)$(DEB_CONF); \
	    ln -sfn $(DEB_CONF) $(DESTDIR)$(DEB_LINK); \
	    echo "nginx loads the module through $(DEB_LINK)"; \
	else \
	    echo "put this at the top of nginx.conf:"; \
	    echo "load_module $(NGINX_MODULES_DIR)/ngx_acme_module.so;"; \
	fi
	@if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" = 0 ]; then build/add-user; fi

uninstall:
	rm -f $(DESTDIR)$(DEB_LINK) $(DESTDIR)$(DEB_CONF) \
	    $(DESTDIR)$(NGINX_MODULES_DIR)/ngx_acme_module.so \
	    $(DESTDIR)$(PREFIX)/sbin/acmectl \
	    $(foreach p,$(MAN_PAGES),$(DESTDIR)$(MANDIR)/man$(subst .,,$(suffix $(p)))/$(notdir $(p)))
	@echo "kept: the state directory and the user _acme"
