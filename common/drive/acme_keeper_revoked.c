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

/*
 * What acmectl has had revoked.  A server's engine has no say in this: one
 * that an attacker has taken over could note any certificate that he has seen,
 * and bar any key.
 */
void
acme_keeper_answer_revoked(struct acme_call *call)
{
    struct acme_revoked is = { .by = "acmectl" };
    const void *der;
    size_t len;
    bool barred;

    acme_frame_get(&call->in, &der, &len);
    acme_frame_get_text(&call->in, is.reason, sizeof(is.reason));
    barred = acme_frame_get_u64(&call->in) != 0;
    if (call->keeper->role != ACME_KEEPER_OBEYS)
        call->in.bad = true;
    if (!call->in.bad)
        (void)write_note(call, der, len, &is, barred);
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
    bool barred;

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
    if (leaf->len == 0 || strcmp(fingerprint, live) != 0)
        (void)acme_error_set(&call->err, ACME_NOENT,
            "the certificate is not live");
    else if (barred ||
             !acme_store_revoked_read(call->keeper->store, live, &had))
        (void)write_note(call, leaf->data, leaf->len, &is, barred);
    acme_call_reply(call);
}
