/*
 * INI files as Certbot's ConfigObj writes them: sections with sections in
 * them, quoted values, lists, comments behind values.  Nothing is expanded,
 * nothing is a command.  A pure function of its text.
 */
#ifndef ACME_INI_H
#define ACME_INI_H

#include <stddef.h>

#include "base/acme_arena.h"
#include "base/acme_error.h"

/* One line `NAME = VALUE, ...`; it is a list if it has a comma outside of
 * quotes, which then may have one value, or none. */
struct acme_ini_item {
    const char *section; /* "", "renewalparams", "renewalparams/webroot_map" */
    const char *name;
    size_t nvalues;
    const char *const *value;
    unsigned line;
};

struct acme_ini {
    size_t nitems;
    const struct acme_ini_item *item; /* in the order of their lines */
};

/*
 * All of it is in the arena.  ACME_CONFIG: what is wrong, and in which line.
 * A text with a NUL byte is none.
 */
enum acme_rc acme_ini_parse(struct acme_arena *arena, const char *text,
    size_t len, struct acme_ini *ini, struct acme_error *err);

/* The last item of that name, or NULL. */
const struct acme_ini_item *acme_ini_find(const struct acme_ini *ini,
    const char *section, const char *name);

/* Its value; "" where it has none, and of a list the first; NULL: it is not
 * there. */
const char *acme_ini_text(const struct acme_ini *ini, const char *section,
    const char *name);

#endif
