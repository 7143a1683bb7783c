/*
 * Names that move: certificates of other lineages in place of one that is
 * not there yet, and what has to be remembered for that.
 */
#include <string.h>

#include "base/acme_log.h"
#include "drive/acme_keeper_private.h"

void
acme_keeper_read_roster(struct acme_keeper *keeper)
{
    struct acme_error err;
    enum acme_rc rc;

    if (keeper->role == ACME_KEEPER_OBEYS)
        return;
    acme_error_clear(&err);
    rc =
        acme_roster_read(keeper->store, keeper->config, &keeper->roster, &err);
    if (rc != ACME_OK && rc != ACME_NOENT)
        acme_keeper_log(keeper, ACME_LOG_WARN, &err,
            "names that moved between lineages are not known");
}

void
acme_keeper_write_roster(struct acme_keeper *keeper)
{
    struct acme_error err;

    if (keeper->role != ACME_KEEPER_DECLARES)
        return;
    acme_error_clear(&err);
    if (acme_roster_write(keeper->store, keeper->config, keeper->roster,
            &err) != ACME_OK)
        acme_keeper_log(keeper, ACME_LOG_WARN, &err,
            "cannot remember the names of lineages");
}

/* ---- spare certificates ----------------------------------------------- */

void
acme_spares_clear(struct acme_spares *spares)
{
    size_t i;

    while (spares->n > 0) {
        acme_version_clear(&spares->version[--spares->n]);
        for (i = 0; i < ACME_ALGORITHMS; i++)
            acme_staple_clear(&spares->staple[spares->n][i]);
    }
}

static bool
pair_covers(const struct acme_pair *pair, const char *name, time_t now)
{
    struct acme_chain *chain = NULL;
    struct acme_error ignored;
    struct acme_leaf leaf;
    bool covers;

    acme_error_clear(&ignored);
    covers = acme_chain_from_der(pair->chain.data, pair->chain.len, &chain,
                 &ignored) == ACME_OK &&
             acme_chain_leaf(chain, &leaf, &ignored) == ACME_OK &&
             leaf.not_after > now && acme_chain_covers(chain, name);
    acme_chain_free(chain);
    return covers;
}

/* All of its pairs: a client may know one algorithm only. */
static bool
version_covers(const struct acme_version *version, const char *name,
    time_t now)
{
    size_t i;

    for (i = 0; i < version->npairs; i++)
        if (!pair_covers(&version->pair[i], name, now))
            return false;
    return version->npairs > 0;
}

static bool
is_covered(const struct acme_version *own, const struct acme_spares *spares,
    const char *name, time_t now)
{
    size_t i;

    if (own != NULL && version_covers(own, name, now))
        return true;
    for (i = 0; i < spares->n; i++)
        if (version_covers(&spares->version[i], name, now))
            return true;
    return false;
}

/* Who revoked it did not mean to see it under another name. */
static bool
is_revoked(const struct acme_keeper *keeper,
    const struct acme_version *version)
{
    bool revoked = false;
    size_t i;

    for (i = 0; i < version->npairs; i++) {
        const struct acme_buf *chain = &version->pair[i].chain;

        revoked |= acme_store_is_revoked(keeper->store, chain->data,
            acme_chain_der_first(chain->data, chain->len));
    }
    return revoked;
}

/* Whether `other` has a certificate for the name; it is added then. */
static bool
try_lineage(struct acme_keeper *keeper, const char *other, const char *name,
    time_t now, struct acme_spares *spares)
{
    struct acme_version *version = &spares->version[spares->n];
    struct acme_error ignored;

    acme_error_clear(&ignored);
    acme_version_init(version);
    if (acme_store_live_read(keeper->store, other, version, &ignored) ==
            ACME_OK &&
        version_covers(version, name, now) && !is_revoked(keeper, version)) {
        spares->lineage[spares->n++] = other;
        return true;
    }
    acme_version_clear(version);
    return false;
}

void
acme_keeper_find_spares(struct acme_keeper *keeper, size_t i,
    const struct acme_version *own, struct acme_spares *spares)
{
    const struct acme_lineage *lineage = &keeper->config->lineage[i];
    const struct acme_roster *roster = keeper->roster;
    time_t now = keeper->host->now(keeper->host->ctx);
    size_t k, count, at;

    memset(spares, 0, sizeof(*spares));
    /* Where the key is the operator's the server has a certificate of its
     * own. */
    if (lineage->csr_file != NULL)
        return;
    for (k = 0; roster != NULL && k < lineage->nnames; k++) {
        const char *name = lineage->names[k];

        at = acme_roster_find(roster, name, &count);
        for (; count > 0 && spares->n < ACME_SPARES_MAX; count--, at++) {
            const char *other = roster->entry[roster->name[at].entry].lineage;

            /* Nothing is parsed where no other lineage knows the name. */
            if (strcmp(other, lineage->name) == 0)
                continue;
            if (is_covered(own, spares, name, now))
                break;
            if (try_lineage(keeper, other, name, now, spares))
                acme_log(keeper->host, ACME_LOG_NOTICE,
                    "\"%s\" is served with the certificate of lineage "
                    "\"%s\" until lineage \"%s\" has one for it",
                    name, other, lineage->name);
        }
    }
}
