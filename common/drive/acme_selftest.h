/*
 * What acmectl wants to know of names before anything is ordered: a
 * pre-flight, by the engine's process instead of its usual work.
 */
#ifndef ACME_SELFTEST_H
#define ACME_SELFTEST_H

#include <stddef.h>

#include "drive/acme_crew.h"
#include "drive/acme_preflight.h"

/* Names of lineages, those of one lineage side by side.  Borrowed. */
struct acme_selftest_name {
    size_t lineage;
    const char *name; /* canonical */
};

struct acme_selftest_work {
    size_t n;
    const struct acme_selftest_name *list;
};

/* A name's answer as text, and back: name and `provable` of the row, its type,
 * and of each check verdict and (cut) text.  False: it is no such text. */
void acme_selftest_render(const struct acme_preflight_row *row, char *text,
    size_t size);
bool acme_selftest_parse(const char *text, struct acme_preflight_row *row);

/*
 * Looks at all of them; name i is answered as question i + 1
 * (acme_vault_done()), with such a text, or not ok with an error's.  At the CA
 * nothing is asked for but its directory, and no account is made.  ACME_IO:
 * the store is gone.  Blocks.
 */
enum acme_rc acme_selftest_run(const struct acme_crew_conf *conf,
    const struct acme_selftest_work *work, struct acme_error *err);

#endif
