/*
 * AutoSSL's blueprints: YAML files, one for each certificate, and beside them
 * one that has no "certificate" and says what counts for all, its global
 * configuration.  What a blueprint says of a section replaces all of what that
 * says.  They stay as they are, and so do the files they name.  See
 * state/acme_foreign.h for what is made of them.
 */
#ifndef ACME_CTL_BLUEPRINT_H
#define ACME_CTL_BLUEPRINT_H

#include "state/acme_foreign.h"
#include "state/acme_foreign_dir.h"

/* `path` is absolute: a blueprint, or a directory of them. */
enum acme_rc ctl_blueprint_read(const char *path,
    const struct acme_foreign_wanted *wanted, struct acme_foreign *foreign,
    struct acme_error *err);

/* The accounts whose keys are in files that the CAs of these blueprints name;
 * there may be none. */
enum acme_rc ctl_blueprint_accounts(const char *path,
    struct acme_foreign_accounts *accounts, struct acme_error *err);

#endif
