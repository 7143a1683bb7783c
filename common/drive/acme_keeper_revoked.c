/*
 * The engine's word on revocations: what acmectl has had revoked, and what a
 * server's engine has learned from a CA.
 */
#include <stdio.h>
#include <string.h>

#include "drive/acme_keeper_private.h"
#include "wrap/acme_hash.h"
#include "wrap/acme_revocation.h"

/* A certificate that names this has a key that is nobody's any more. */
#define COMPROMISED "keyCompromise"

static enum acme_rc
write_note(struct acme_call *call, const void *der, size_t len,
    const struct acme_revoked *is, bool barred)
{
    struct acme_keeper *keeper = call->keeper;
    struct acme_chain *chain = NULL;
    enum acme_rc rc = acme_chain_from_der(der, len, &chain, &call->err);

    if (rc == ACME_OK)
        rc = acme_store_revoked_write(keeper->store, chain, is, barred,
            keeper->host->now(keeper->host->ctx), &call->err);
    acme_chain_free(chain);
    return rc;
}

static void
tell_revoked(struct acme_keeper *keeper, struct acme_event *event,
    const void *der, size_t len, const struct acme_revoked *is)
{
    struct acme_chain *chain = NULL;
    struct acme_error ignored;
    struct acme_leaf leaf;

    acme_error_clear(&ignored);
    if (acme_chain_from_der(der, len, &chain, &ignored) == ACME_OK &&
        acme_chain_leaf(chain, &leaf, &ignored) == ACME_OK) {
        acme_event_put(event->serial, leaf.serial);
        event->not_after = leaf.not_after;
    }
    acme_chain_free(chain);
    (void)snprintf(event->text, sizeof(event->text),
        "certificate is revoked, %s%s%s",
        strcmp(is->by, "ocsp") == 0  ? "its CA says by OCSP"
        : strcmp(is->by, "crl") == 0 ? "its CA says by its list (CRL)"
                                     : "by acmectl",
        is->reason[0] != '\0' ? ", reason " : "", is->reason);
    acme_keeper_event(keeper, event);
}

/* Whose it is, as long as it is live; from now on nobody is told that it is
 * good. */
struct search {
    struct acme_keeper *keeper;
    const void *der; /* of a leaf */
    size_t len;
    struct acme_event *event;
};

static enum acme_rc
search_lineage(void *ctx, const char *name, struct acme_error *err)
{
    struct search *search = ctx;
    struct acme_version live;
    struct acme_error ignored;
    const struct acme_pair *pair;

    (void)err;
    acme_error_clear(&ignored);
    acme_version_init(&live);
    if (acme_store_live_read(search->keeper->store, name, &live, &ignored) !=
        ACME_OK)
        live.npairs = 0;
    for (pair = live.pair; pair < live.pair + live.npairs; pair++) {
        char unit[ACME_UNIT_NAME_MAX];

        if (pair->chain.len < search->len ||
            memcmp(pair->chain.data, search->der, search->len) != 0)
            continue;
        (void)snprintf(search->event->lineage, sizeof(search->event->lineage),
            "%s", name);
        search->event->key = pair->type;
        search->event->version = live.number;
        acme_store_unit_name(unit, name,
            acme_key_algorithm_number(pair->type));
        acme_keeper_write_staple(search->keeper, unit, NULL, 0);
    }
    acme_version_clear(&live);
    return ACME_OK;
}

/*
 * What acmectl has had revoked.  A server's engine has no say in this: one
 * that an attacker has taken over could note any certificate that he has seen,
 * and bar any key.
 */
void
acme_keeper_answer_revoked(struct acme_call *call)
{
    struct acme_revoked is = { .by = "acmectl" };
    struct acme_event event;
    const void *der;
    size_t len;
    bool barred;

    acme_frame_get(&call->in, &der, &len);
    acme_frame_get_text(&call->in, is.reason, sizeof(is.reason));
    barred = acme_frame_get_u64(&call->in) != 0;
    if (call->keeper->role != ACME_KEEPER_OBEYS)
        call->in.bad = true;
    if (!call->in.bad && write_note(call, der, len, &is, barred) == ACME_OK) {
        struct search search = { call->keeper, der, len, &event };
        struct acme_error ignored;

        acme_error_clear(&ignored);
        acme_event_init(&event, ACME_EVENT_REVOKED);
        acme_event_put(event.issuer,
            call->keeper->config->issuer[call->index].name);
        (void)acme_store_lineages(call->keeper->store, search_lineage, &search,
            &ignored);
        tell_revoked(call->keeper, &event, der, len, &is);
    }
    acme_call_reply(call);
}

/*
 * What is live was revoked, says its CA: believed of this certificate only,
 * while the engine has the lineage.  What an engine in wrong hands gets by it
 * is a renewal with another key, which it can have anyway.
 */
void
acme_keeper_answer_learned(struct acme_call *call)
{
    const struct acme_kept *kept = &call->keeper->kept[call->index];
    const struct acme_buf *leaf = &kept->served[call->algorithm].leaf;
    struct acme_revoked is = { 0 }, had;
    char fingerprint[ACME_HASH_HEX], live[ACME_HASH_HEX];
    struct acme_event event;
    bool barred, is_new;

    acme_frame_get_text(&call->in, fingerprint, sizeof(fingerprint));
    acme_frame_get_text(&call->in, is.by, sizeof(is.by));
    acme_frame_get_text(&call->in, is.reason, sizeof(is.reason));
    if ((strcmp(is.by, "ocsp") != 0 && strcmp(is.by, "crl") != 0) ||
        !acme_revocation_is_reason(is.reason) || kept->lock == -1)
        call->in.bad = true;
    if (call->in.bad)
        return;
    acme_hash_hex(leaf->data, leaf->len, live);
    barred = strcmp(is.reason, COMPROMISED) == 0;
    is_new = !acme_store_revoked_read(call->keeper->store, live, &had);
    if (leaf->len == 0 || strcmp(fingerprint, live) != 0)
        (void)acme_error_set(&call->err, ACME_NOENT,
            "the certificate is not live");
    else if ((barred || is_new) &&
             write_note(call, leaf->data, leaf->len, &is, barred) == ACME_OK &&
             is_new) {
        acme_keeper_event_init(call->keeper, call->index, NULL,
            ACME_EVENT_REVOKED, &event);
        event.key = kept->served[call->algorithm].type;
        event.version = kept->published;
        tell_revoked(call->keeper, &event, leaf->data, leaf->len, &is);
        acme_keeper_write_staple(call->keeper, call->unit, NULL, 0);
        if (kept->served[call->algorithm].staple.until != 0)
            acme_keeper_publish(call->keeper, call->index);
    }
    acme_keeper_touch(call->keeper, call->index);
    acme_call_reply(call);
}
