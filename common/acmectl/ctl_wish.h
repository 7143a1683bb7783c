/*
 * What a person at a command line wants of a certificate: what its lineage has
 * kept from the last time, and what the options say now.
 */
#ifndef ACME_CTL_WISH_H
#define ACME_CTL_WISH_H

#include "acmectl/ctl.h"
#include "state/acme_hooks.h"
#include "state/acme_proof.h"
#include "state/acme_settings.h"

struct ctl_wish {
    struct acme_issuer issuer;
    struct acme_proof proof;
    struct acme_hooks hooks;
    /* ->proof and ->hooks are these; names and name are set by the caller */
    struct acme_lineage lineage;
};

/* Of that only what the options say of the CA and of an account there. */
int ctl_wish_issuer(struct ctl *ctl, struct acme_issuer *issuer);

/* Under which name acmectl's lineages are declared. */
#define CTL_DECLARER ACME_DECLARER_ACMECTL

/*
 * Makes it; `kept` is the declaration that the lineage has, or NULL.  All of
 * it is in the arena of `ctl`, or in `kept`.  CTL_USAGE: an option is wrong,
 * or its files are.
 */
int ctl_wish_make(struct ctl *ctl, const struct acme_declaration *kept,
    struct ctl_wish *wish);

/* A path from where the command was given, whole; `ctx` is the arena that it
 * is in then.  Links are left to whoever reads it. */
const char *ctl_whole_path(void *ctx, const char *path);

#endif
