/* What "renew --dry-run" does otherwise than a renewal. */
#ifndef ACME_CTL_TRIAL_H
#define ACME_CTL_TRIAL_H

#include "acmectl/ctl.h"
#include "wrap/acme_json.h"

/* CTL_USAGE for options that do not go together, said. */
int ctl_trial_check(const struct ctl *ctl);

/*
 * The issuer that is asked instead: that of --server, or the staging CA of the
 * lineage's own, or this itself.  Its texts are the other one's, or in
 * `arena`.  ACME_NOMEM.
 */
enum acme_rc ctl_trial_issuer(const struct ctl *ctl,
    const struct acme_issuer *own, struct acme_arena *arena,
    struct acme_issuer *asked, struct acme_error *err);

/*
 * The programs that a renewal of the lineage would have run with its new
 * certificate: for people, or (not NULL) into a list.
 */
void ctl_trial_hooks(const struct ctl *ctl, struct acme_store *store,
    const struct acme_config *config, size_t lineage, struct acme_json *list);

#endif
