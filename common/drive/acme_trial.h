/*
 * A dry run of acmectl's: an order of each lineage from the account to the
 * certificate, whatever the date, by the engine's process instead of its usual
 * work.  The store has the role ACME_KEEPER_TRIES: nothing comes of it.
 */
#ifndef ACME_TRIAL_H
#define ACME_TRIAL_H

#include <stdbool.h>
#include <stddef.h>

#include "drive/acme_crew.h"

struct acme_trial {
    const struct acme_crew_conf *crew; /* with `trial` */
    const size_t *lineages;
    size_t nlineages;
    /* Like host->wait, but ends early when crew->wake() was called. */
    bool (*idle)(void *ctx, unsigned ms);
    void *idle_ctx;
};

/*
 * Tries the lineages, several at a time, each at the first CA of its list; i
 * is answered as question i + 1 (acme_vault_done()), with text for people.
 * A CA that wants to be left alone, by the ledger, is not asked.  ACME_IO: the
 * store is gone.  ACME_STOPPING.  Blocks.
 */
enum acme_rc acme_trial_run(const struct acme_trial *trial,
    struct acme_error *err);

#endif
