/*
 * Publishing: what is live on the disk goes into the area that workers read,
 * each lineage in its slot, with its pairs, spare ones of others, and staples.
 */
#include <string.h>

#include "base/acme_log.h"
#include "drive/acme_keeper_private.h"

/* ---- whose a pair is -------------------------------------------------- */

static bool
is_directory_of(const struct acme_keeper *keeper, size_t issuer,
    const struct acme_pair *pair)
{
    return strcmp(pair->origin.issuer,
               keeper->config->issuer[issuer].directory) == 0;
}

/* An imported certificate has no issuer in its meta: it is nobody else's; and
 * that of a CA fallen back to is good until its renewal. */
static bool
is_of_other(const struct acme_keeper *keeper, size_t i,
    const struct acme_pair *pair)
{
    const struct acme_lineage *lineage = &keeper->config->lineage[i];
    bool other = pair->origin.issuer[0] != '\0' &&
                 !is_directory_of(keeper, lineage->issuer, pair);
    size_t k;

    for (k = 0; other && k < lineage->nfallbacks; k++)
        other = !is_directory_of(keeper, lineage->fallback[k], pair);
    return other;
}

bool
acme_keeper_issuer_of(const struct acme_keeper *keeper, size_t i,
    const struct acme_pair *pair, size_t *found)
{
    const struct acme_lineage *lineage = &keeper->config->lineage[i];
    size_t k, issuer = lineage->issuer;

    for (k = 0;
         k < lineage->nfallbacks && !is_directory_of(keeper, issuer, pair);
         k++)
        issuer = lineage->fallback[k];
    for (k = 0; k < keeper->config->nissuers &&
                !is_directory_of(keeper, issuer, pair);
         k++)
        issuer = k;
    *found = issuer;
    return is_directory_of(keeper, issuer, pair);
}

/* ---- what is served --------------------------------------------------- */

static enum acme_rc
keep_pair(struct acme_keeper *keeper, size_t i, const struct acme_pair *pair,
    struct acme_error *err)
{
    struct acme_served *served =
        &keeper->kept[i].served[acme_key_algorithm_number(pair->type)];

    acme_buf_reset(&served->leaf);
    acme_buf_add(&served->leaf, pair->chain.data,
        acme_chain_der_first(pair->chain.data, pair->chain.len));
    served->type = pair->type;
    served->other_issuer = is_of_other(keeper, i, pair);
    served->issued_by_known =
        acme_keeper_issuer_of(keeper, i, pair, &served->issued_by);
    served->life_known = false;
    return acme_buf_ok(&served->leaf) ? ACME_OK : acme_error_nomem(err);
}

const struct acme_lineage *
acme_keeper_wanted(const struct acme_keeper *keeper, size_t i)
{
    const struct acme_kept *kept = &keeper->kept[i];

    return kept->wanted.ntypes > 0 ? &kept->wanted
                                   : &keeper->config->lineage[i];
}

bool
acme_keeper_wants(const struct acme_lineage *wanted, enum acme_key_type type)
{
    return acme_lineage_type(wanted, acme_key_algorithm_number(type)) !=
           ACME_KEY_NONE;
}

/* Pairs of algorithms that are not wanted any more are not renewed either:
 * they are left out while there is another. */
static void
drop_unwanted(const struct acme_lineage *wanted, struct acme_version *version)
{
    struct acme_version rest;
    size_t i;

    acme_version_init(&rest);
    rest.number = version->number;
    for (i = 0; i < version->npairs; i++)
        if (acme_keeper_wants(wanted, version->pair[i].type))
            rest.pair[rest.npairs++] = version->pair[i];
    if (rest.npairs == 0 || rest.npairs == version->npairs)
        return;
    for (i = 0; i < version->npairs; i++) {
        if (acme_keeper_wants(wanted, version->pair[i].type))
            continue;
        acme_buf_clear(&version->pair[i].key);
        acme_buf_clear(&version->pair[i].chain);
    }
    *version = rest;
}

/* ---- a slot ----------------------------------------------------------- */

static size_t
add_pairs(const struct acme_version *version, bool spare,
    struct acme_area_pair pairs[ACME_SLOT_PAIRS_MAX], size_t n)
{
    size_t i;

    for (i = 0; i < version->npairs && n < ACME_SLOT_PAIRS_MAX; i++) {
        if (version->pair[i].key.len == 0)
            continue; /* nobody can serve it for the operator */
        pairs[n].type = version->pair[i].type;
        pairs[n].spare = spare;
        pairs[n].key = version->pair[i].key.data;
        pairs[n].key_len = version->pair[i].key.len;
        pairs[n].chain = version->pair[i].chain.data;
        pairs[n].chain_len = version->pair[i].chain.len;
        n++;
    }
    return n;
}

/* When the first of the version was obtained, and when the first of the pairs
 * ends. */
static void
put_life(struct acme_keeper *keeper, size_t i, const struct acme_version *own,
    const struct acme_area_pair *pairs, size_t npairs)
{
    time_t issued = 0, not_after = 0, end;
    struct acme_error ignored;
    struct acme_chain *chain;
    size_t k;

    for (k = 0; k < npairs; k++) {
        acme_error_clear(&ignored);
        chain = NULL;
        end = 0;
        if (acme_chain_from_der(pairs[k].chain,
                acme_chain_der_first(pairs[k].chain, pairs[k].chain_len),
                &chain, &ignored) == ACME_OK)
            end = acme_chain_not_after(chain);
        acme_chain_free(chain);
        if (k == 0 || end < not_after)
            not_after = end;
    }
    for (k = 0; own != NULL && k < own->npairs; k++)
        if (k == 0 || own->pair[k].origin.obtained < issued)
            issued = own->pair[k].origin.obtained;
    acme_area_put_life(keeper->area, i, issued, not_after);
}

static void
add_staple(struct acme_area_pair *pair, const struct acme_staple *staple)
{
    pair->staple = staple->der.data;
    pair->staple_len = staple->der.len;
    pair->staple_until = staple->until;
}

/* To the pairs of its own: of each algorithm there is one. */
static void
add_own_staples(struct acme_keeper *keeper, size_t i,
    const struct acme_version *own, struct acme_area_pair *pairs, size_t n)
{
    const struct acme_served *served = keeper->kept[i].served;
    size_t k;

    for (k = 0; own != NULL && k < own->npairs; k++)
        acme_keeper_read_staple(keeper, i, &own->pair[k]);
    for (k = 0; k < n; k++)
        add_staple(&pairs[k],
            &served[acme_key_algorithm_number(pairs[k].type)].staple);
}

static size_t
add_spares(const struct acme_keeper *keeper, size_t i,
    struct acme_spares *spares, struct acme_area_pair *pairs, size_t n)
{
    size_t k, before;

    for (k = 0; k < spares->n; k++) {
        before = n;
        n = add_pairs(&spares->version[k], true, pairs, n);
        if (!keeper->config->lineage[i].stapling)
            continue;
        acme_keeper_read_spare_staples(keeper, spares, k);
        for (; before < n; before++)
            add_staple(&pairs[before],
                &spares->staple[k][acme_key_algorithm_number(
                    pairs[before].type)]);
    }
    return n;
}

/* Those of its own; without staples rather than not at all. */
static enum acme_rc
put_own(struct acme_keeper *keeper, size_t i, struct acme_area_pair *pairs,
    size_t n, unsigned number, struct acme_error *err)
{
    struct acme_error ignored;
    size_t k;

    acme_error_clear(&ignored);
    if (acme_area_put(keeper->area, i, pairs, n, number, &ignored) == ACME_OK)
        return ACME_OK;
    for (k = 0; k < n; k++)
        pairs[k].staple_len = 0;
    return acme_area_put(keeper->area, i, pairs, n, number, err);
}

/* `own` NULL: none.  As many spare ones as there is room for. */
static enum acme_rc
fill_slot(struct acme_keeper *keeper, size_t i, const struct acme_version *own,
    struct acme_error *err)
{
    struct acme_area_pair pairs[ACME_SLOT_PAIRS_MAX] = { { .staple_len = 0 } };
    struct acme_spares spares;
    struct acme_error ignored;
    size_t n = own != NULL ? add_pairs(own, false, pairs, 0) : 0, most, all;
    unsigned number = own != NULL ? own->number : 0;
    enum acme_rc rc = ACME_REFUSED;

    add_own_staples(keeper, i, own, pairs, n);
    acme_keeper_find_spares(keeper, i, own, &spares);
    all = most = add_spares(keeper, i, &spares, pairs, n);
    if (own == NULL && spares.n > 0)
        number = spares.version[0].number;
    for (; rc == ACME_REFUSED && most > n; most--) {
        acme_error_clear(&ignored);
        rc = acme_area_put(keeper->area, i, pairs, most, number, &ignored);
    }
    if (rc != ACME_OK && own != NULL)
        rc = put_own(keeper, i, pairs, n, number, err);
    if (rc == ACME_OK)
        put_life(keeper, i, own, pairs, n > 0 ? n : all);
    acme_spares_clear(&spares);
    return rc;
}

/* ---- a version -------------------------------------------------------- */

bool
acme_keeper_is_served(const struct acme_kept *kept,
    const struct acme_pair *pair)
{
    const struct acme_buf *chain = &pair->chain;
    const struct acme_buf *leaf =
        &kept->served[acme_key_algorithm_number(pair->type)].leaf;

    return leaf->len > 0 && leaf->len <= chain->len &&
           memcmp(leaf->data, chain->data, leaf->len) == 0;
}

/* The first that was not served before, else the first. */
static const struct acme_pair *
new_pair(const struct acme_kept *kept, const struct acme_version *version)
{
    size_t i;

    for (i = 0; i < version->npairs; i++)
        if (!acme_keeper_is_served(kept, &version->pair[i]))
            return &version->pair[i];
    return &version->pair[0];
}

enum acme_rc
acme_keeper_put_version(struct acme_keeper *keeper, size_t i,
    struct acme_version *version, struct acme_error *err)
{
    struct acme_kept *kept = &keeper->kept[i];
    const unsigned before = kept->published;
    const struct acme_pair *pair;
    size_t n;
    bool news;
    enum acme_rc rc = ACME_OK;

    acme_keeper_touch(keeper, i);
    kept->staple_stamp = acme_store_staple_stamp(keeper->store,
        keeper->config->lineage[i].name);
    drop_unwanted(acme_keeper_wanted(keeper, i), version);
    pair = new_pair(kept, version);
    news = before != version->number || !acme_keeper_is_served(kept, pair);
    if (keeper->area != NULL)
        rc = fill_slot(keeper, i, version, err);
    if (rc != ACME_OK)
        return rc;
    for (n = 0; n < ACME_ALGORITHMS; n++) {
        kept->served[n].type = ACME_KEY_NONE;
        acme_buf_reset(&kept->served[n].leaf);
    }
    kept->published = version->number;
    for (n = 0; rc == ACME_OK && n < version->npairs; n++)
        rc = keep_pair(keeper, i, &version->pair[n], err);
    kept->unread = rc == ACME_NOMEM;
    /* of an operator's own key he alone knows who serves it */
    if (keeper->started && keeper->area != NULL && pair->key.len > 0 && news)
        acme_keeper_tell_installed(keeper, i, version, pair);
    return rc;
}

/* Puts what is live on disk into the area.  Nothing servable leaves the slot
 * as it is: a valid certificate is not withdrawn because a disk failed. */
void
acme_keeper_publish(struct acme_keeper *keeper, size_t i)
{
    const char *name = keeper->config->lineage[i].name;
    const uint64_t stamp = acme_store_live_stamp(keeper->store, name);
    struct acme_version version;
    struct acme_error err;
    enum acme_rc rc;

    acme_keeper_touch(keeper, i);
    acme_error_clear(&err);
    acme_version_init(&version);
    rc = acme_store_live_read(keeper->store, name, &version, &err);
    if (rc == ACME_OK && err.rc != ACME_OK) {
        acme_keeper_log(keeper, ACME_LOG_ERROR, &err,
            "damaged version, an older one is served");
        acme_error_clear(&err);
    }
    if (rc == ACME_OK)
        rc = acme_keeper_put_version(keeper, i, &version, &err);
    else if (keeper->area != NULL && acme_area_version(keeper->area, i) == 0)
        (void)fill_slot(keeper, i, NULL, &err);
    /* damage is told of, also where that leaves nothing to serve */
    if (rc != ACME_OK && err.rc != ACME_NOENT)
        acme_keeper_log(keeper, ACME_LOG_ERROR, &err,
            "cannot publish certificate");
    keeper->kept[i].unread = rc == ACME_NOMEM;
    keeper->kept[i].live_stamp = stamp;
    acme_version_clear(&version);
}
