/*
 * Reading AutoSSL's blueprints: what ctl_blueprint.c, which finds and opens
 * files, and ctl_blueprint_take.c, which knows what is in them, share.
 */
#ifndef ACME_CTL_BLUEPRINT_PRIVATE_H
#define ACME_CTL_BLUEPRINT_PRIVATE_H

#include "acmectl/ctl_blueprint.h"

#include <limits.h>
#include <stdbool.h>

#include "state/acme_foreign_file.h"
#include "wrap/acme_json.h"

struct ctl_blueprint {
    struct acme_foreign *foreign;
    const struct acme_foreign_wanted *wanted;
    struct acme_foreign_place place; /* of the blueprints */
    char dir[PATH_MAX];
    const char *only;         /* the blueprint that is meant, or NULL: all */
    struct acme_json *global; /* or NULL */
    char global_file[NAME_MAX + 1];
    struct acme_foreign_accounts *accounts;
    struct acme_error *err;
    bool nomem;
    /* of the blueprint in hand: */
    struct acme_foreign_lineage *lineage;
    const struct acme_json *root, *certificate, *ca;
};

/* A member's text; NULL: it is not said. */
const char *ctl_blueprint_text(const struct acme_json *object,
    const char *name);

/* A section of the blueprint in hand, or of all. */
const struct acme_json *ctl_blueprint_section(const struct ctl_blueprint *r,
    const char *name);

/* Whether a server, storage or the like is on this machine. */
bool ctl_blueprint_is_local(const struct acme_json *place);

/* Opens the directory that the `parameters` of a place name. ACME_NOENT: they
 * name none, or it is not there. */
enum acme_rc ctl_blueprint_open(const struct acme_json *where,
    char path[PATH_MAX], struct acme_foreign_place *place,
    struct acme_error *err);

/* Directory URL of a CA: its production; "": nothing is said of one. */
void ctl_blueprint_directory(const struct acme_json *ca,
    char out[ACME_URL_MAX]);

/* Fills ->lineage with what ->root says. */
void ctl_blueprint_take(struct ctl_blueprint *r);

#endif
