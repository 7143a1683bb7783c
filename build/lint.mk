# The look of the sources: clang-format everywhere but in the nginx host,
# which looks like nginx.

CLANG_FORMAT ?= clang-format
NGX_LOOK  = $(wildcard ngx_acme_module/*.[ch])
FORMATTED = $(wildcard common/*.h common/*/*.[ch] t/unit/*.[ch] t/fuzz/*.[ch] \
            mod_acme_httpd/*.[ch])

.PHONY: lint format have-clang-format

have-clang-format:
	@command -v $(CLANG_FORMAT) >/dev/null || { \
	    echo "clang-format is missing: apt-get install clang-format" >&2; exit 1; }

lint: have-clang-format
	@build/lint-nginx $(NGX_LOOK) </dev/null
	@$(CLANG_FORMAT) --dry-run -Werror $(FORMATTED)
	@! git grep -nE '^(<<<<<<<|>>>>>>>) ' -- . || { \
	    echo "a merge that was not finished" >&2; exit 1; }

format: have-clang-format
	@$(CLANG_FORMAT) -i $(FORMATTED)
