/*
 * Deleting a lineage, as delete and revoke do it.
 */
#ifndef ACME_CTL_DELETE_H
#define ACME_CTL_DELETE_H

#include "acmectl/ctl_lineage.h"

/* CTL_FAILED with a message where a server declares the lineage and there is
 * no --force; `verb` is what was asked for. */
int ctl_delete_allowed(const struct ctl *ctl, struct acme_store *store,
    const char *name, const char *verb);

bool ctl_delete_is_declared(struct acme_store *store, const char *name);

/* Asks a person, if there is one and --yes is not given; nobody there: yes. */
bool ctl_delete_is_wanted(const struct ctl *ctl, struct acme_store *store,
    const char *name);

/* Does it, with the lineage's lock, which is taken if `lock` is -1; what
 * happens then is put into `text`. */
int ctl_delete_one(const struct ctl *ctl, struct acme_store *store,
    const char *name, int lock, char *text, size_t size);

#endif
