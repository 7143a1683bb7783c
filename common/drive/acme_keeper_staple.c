/*
 * What responders say of live certificates (OCSP), which workers send along
 * with them.  It is verified when the engine brings it and whenever it is
 * read: it belongs to one certificate, and is sent with no other.
 */
#include <string.h>

#include "drive/acme_keeper_private.h"
#include "wrap/acme_hash.h"
#include "wrap/acme_ocsp.h"

static time_t
now(const struct acme_keeper *keeper)
{
    return keeper->host->now(keeper->host->ctx);
}

/* Whether it is an answer for this pair, which is good still. */
static enum acme_rc
check(const struct acme_keeper *keeper, const struct acme_buf *der,
    const struct acme_pair *pair, struct acme_ocsp_answer *answer,
    struct acme_error *err)
{
    struct acme_chain *chain = NULL;
    enum acme_rc rc =
        acme_chain_from_der(pair->chain.data, pair->chain.len, &chain, err);

    if (rc == ACME_OK)
        rc = acme_ocsp_read_staple(der->data, der->len, chain, now(keeper),
            answer, err);
    acme_chain_free(chain);
    return rc;
}

void
acme_staple_clear(struct acme_staple *staple)
{
    acme_buf_clear(&staple->der);
    memset(staple, 0, sizeof(*staple));
}

enum acme_rc
acme_keeper_find_staple(const struct acme_keeper *keeper, const char *lineage,
    const struct acme_pair *pair, struct acme_staple *staple)
{
    char unit[ACME_UNIT_NAME_MAX];
    struct acme_ocsp_answer answer;
    struct acme_error why;
    enum acme_rc rc;

    acme_error_clear(&why);
    memset(staple, 0, sizeof(*staple));
    acme_buf_init(&staple->der, ACME_STAPLE_MAX);
    if (acme_store_is_revoked(keeper->store, pair->chain.data,
            acme_chain_der_first(pair->chain.data, pair->chain.len)))
        return ACME_NOENT;
    acme_store_unit_name(unit, lineage, acme_key_algorithm_number(pair->type));
    rc = acme_store_staple_read(keeper->store, unit, &staple->der, &why);
    if (rc == ACME_OK)
        rc = check(keeper, &staple->der, pair, &answer, &why);
    if (rc != ACME_OK) {
        acme_staple_clear(staple);
        return rc;
    }
    staple->since = answer.this_update;
    staple->until = answer.next_update;
    return ACME_OK;
}

void
acme_keeper_read_staple(struct acme_keeper *keeper, size_t i,
    const struct acme_pair *pair)
{
    struct acme_kept *kept = &keeper->kept[i];
    struct acme_staple *had =
        &kept->served[acme_key_algorithm_number(pair->type)].staple;
    struct acme_staple found = { .until = 0 };
    enum acme_rc rc = ACME_NOENT;

    if (keeper->config->lineage[i].stapling)
        rc = acme_keeper_find_staple(keeper, keeper->config->lineage[i].name,
            pair, &found);
    if (rc == ACME_OK || rc == ACME_NOENT || had->until <= now(keeper) ||
        !acme_keeper_is_served(kept, pair)) {
        acme_staple_clear(had);
        *had = found;
    }
}

void
acme_keeper_read_spare_staples(const struct acme_keeper *keeper,
    struct acme_spares *spares, size_t k)
{
    const struct acme_version *version = &spares->version[k];
    size_t i;

    for (i = 0; i < version->npairs; i++)
        (void)acme_keeper_find_staple(keeper, spares->lineage[k],
            &version->pair[i],
            &spares->staple[k]
                           [acme_key_algorithm_number(version->pair[i].type)]);
}

void
acme_keeper_look_at_staples(struct acme_keeper *keeper)
{
    const struct acme_config *config = keeper->config;
    size_t i;

    for (i = 0; i < config->nlineages; i++)
        if (config->lineage[i].stapling && keeper->kept[i].published != 0 &&
            acme_store_staple_stamp(keeper->store, config->lineage[i].name) !=
                keeper->kept[i].staple_stamp)
            acme_keeper_publish(keeper, i);
}

void
acme_keeper_write_staple(struct acme_keeper *keeper, const char *unit,
    const void *der, size_t len)
{
    struct acme_error err;

    acme_error_clear(&err);
    if (acme_store_staple_write(keeper->store, unit, der, len, &err) !=
        ACME_OK)
        acme_keeper_log(keeper, ACME_LOG_WARN, &err,
            "cannot keep an answer of OCSP");
}

void
acme_call_version_staple(struct acme_call *call,
    const struct acme_chain *chain, const void *der, size_t len)
{
    struct acme_keeper *keeper = call->keeper;
    struct acme_ocsp_answer ignored;
    struct acme_error why;

    acme_error_clear(&why);
    if (len > 0 && acme_ocsp_read_staple(der, len, chain, now(keeper),
                       &ignored, &why) == ACME_OK)
        acme_keeper_write_staple(keeper, call->unit, der, len);
}

/* ---- the engine's word ------------------------------------------------ */

static enum acme_rc
check_live(struct acme_call *call, const struct acme_version *live,
    const struct acme_buf *der)
{
    const struct acme_pair *pair = acme_call_own_pair(call, live);
    struct acme_ocsp_answer ignored;

    if (pair == NULL)
        return acme_error_set(&call->err, ACME_NOENT, "no certificate");
    return der->len == 0
               ? ACME_OK
               : check(call->keeper, der, pair, &ignored, &call->err);
}

/*
 * With an answer of no bytes what is sent is sent no more.  What an engine in
 * wrong hands can do is to withhold answers, which it need not fetch either.
 */
void
acme_keeper_answer_staple(struct acme_call *call)
{
    struct acme_kept *kept = &call->keeper->kept[call->index];
    const struct acme_buf *leaf = &kept->served[call->algorithm].leaf;
    char fingerprint[ACME_HASH_HEX], live_fingerprint[ACME_HASH_HEX];
    struct acme_version live;
    struct acme_buf der;
    const void *data;
    size_t len;

    acme_frame_get_text(&call->in, fingerprint, sizeof(fingerprint));
    acme_frame_get(&call->in, &data, &len);
    if (kept->lock == -1 || len > ACME_STAPLE_MAX)
        call->in.bad = true;
    if (call->in.bad)
        return;
    acme_buf_init(&der, ACME_STAPLE_MAX);
    acme_buf_add(&der, data, len);
    acme_version_init(&live);
    acme_hash_hex(leaf->data, leaf->len, live_fingerprint);
    if (!acme_buf_ok(&der))
        (void)acme_error_nomem(&call->err);
    else if (leaf->len == 0 || strcmp(fingerprint, live_fingerprint) != 0)
        (void)acme_error_set(&call->err, ACME_NOENT,
            "the certificate is not live");
    else if (acme_store_live_read(call->keeper->store, call->name, &live,
                 &call->err) == ACME_OK &&
             check_live(call, &live, &der) == ACME_OK &&
             acme_store_staple_write(call->keeper->store, call->unit, der.data,
                 der.len, &call->err) == ACME_OK)
        (void)acme_keeper_put_version(call->keeper, call->index, &live,
            &call->err);
    acme_version_clear(&live);
    acme_buf_clear(&der);
    acme_call_reply(call);
}
