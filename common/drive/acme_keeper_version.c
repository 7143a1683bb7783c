/*
 * Certificates: what the engine is told of the live one, and the gate that a
 * new one has to pass.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/acme_log.h"
#include "drive/acme_keeper_private.h"

const struct acme_pair *
acme_call_own_pair(const struct acme_call *call,
    const struct acme_version *version)
{
    size_t i;

    for (i = 0; i < version->npairs; i++) {
        if (acme_key_algorithm_number(version->pair[i].type) ==
            call->algorithm)
            return &version->pair[i];
    }
    return NULL;
}

static bool
is_revoked(const struct acme_call *call, const struct acme_pair *pair)
{
    return acme_store_is_revoked(call->keeper->store, pair->chain.data,
        acme_chain_der_first(pair->chain.data, pair->chain.len));
}

void
acme_keeper_answer_chain(struct acme_call *call)
{
    const struct acme_pair *pair = NULL;
    struct acme_version live;

    acme_version_init(&live);
    if (acme_store_live_read(call->keeper->store, call->name, &live,
            &call->err) == ACME_OK)
        pair = acme_call_own_pair(call, &live);
    if (call->err.rc == ACME_OK && pair == NULL)
        (void)acme_error_set(&call->err, ACME_NOENT, "no certificate");
    acme_call_reply(call);
    if (call->err.rc == ACME_OK)
        acme_frame_add(call->reply, pair->chain.data, pair->chain.len);
    acme_version_clear(&live);
}

/*
 * The engine gets a certificate's key back only where a renewal is to keep
 * it, while it has the lineage, and of the type that is wanted today; never
 * that of one that was revoked.
 */
void
acme_keeper_answer_live_key(struct acme_call *call)
{
    const struct acme_kept *kept = &call->keeper->kept[call->index];
    const struct acme_pair *pair = NULL;
    struct acme_version live;
    struct acme_error ignored;

    acme_error_clear(&ignored);
    acme_version_init(&live);
    if (kept->wanted.reuse_key && kept->lock != -1) {
        (void)acme_store_live_read(call->keeper->store, call->name, &live,
            &ignored);
        pair = acme_call_own_pair(call, &live);
    }
    if (ignored.rc == ACME_NOMEM)
        (void)acme_error_nomem(&call->err);
    else if (pair == NULL || pair->key.len == 0 || is_revoked(call, pair) ||
             acme_call_is_barred(call, &pair->key) ||
             pair->type != acme_lineage_type(&kept->wanted, call->algorithm))
        (void)acme_error_set(&call->err, ACME_NOENT, "no key to be kept");
    acme_call_reply(call);
    if (call->err.rc == ACME_OK)
        acme_frame_add(call->reply, pair->key.data, pair->key.len);
    acme_version_clear(&live);
}

/* ---- the gate --------------------------------------------------------- */

/* What the certificate must be for.  The request as it was last given to the
 * engine; should that have been another store, as it is today. */
static enum acme_rc
get_version_key(struct acme_call *call, const void *der, size_t len,
    struct acme_key **key)
{
    struct acme_kept *kept = &call->keeper->kept[call->index];

    if ((len == 0) != (kept->wanted.csr_file != NULL))
        return acme_error_set(&call->err, ACME_REFUSED,
            "whose key the certificate has was configured differently "
            "meanwhile");
    if (len > 0)
        return acme_key_from_der(der, len, key, &call->err);
    if (kept->csr == NULL &&
        acme_keeper_read_csr(call->keeper, call->index,
            acme_lineage_type(&kept->wanted, call->algorithm),
            &call->err) != ACME_OK)
        return call->err.rc;
    *key = acme_key_ref(acme_csr_key(kept->csr));
    return ACME_OK;
}

static void
refuse(struct acme_call *call, size_t issuer, const struct acme_chain *chain)
{
    struct acme_event event;
    struct acme_error ignored;
    struct acme_leaf leaf;
    char line[ACME_LOG_LINE_MAX];

    if (call->keeper->role == ACME_KEEPER_TRIES)
        return; /* who tries is told */
    acme_error_clear(&ignored);
    (void)acme_store_refused(call->keeper->store, call->unit, chain,
        acme_error_line(&call->err, line, sizeof(line)), &ignored);
    acme_keeper_event_init(call->keeper, call->index, NULL, ACME_EVENT_REFUSED,
        &event);
    acme_event_put(event.issuer, call->keeper->config->issuer[issuer].name);
    acme_event_put(event.text, line);
    acme_error_clear(&ignored);
    if (acme_chain_leaf(chain, &leaf, &ignored) == ACME_OK) {
        acme_event_put(event.serial, leaf.serial);
        event.not_after = leaf.not_after;
    }
    acme_keeper_event(call->keeper, &event);
}

/* A server that staples nothing would be refused by clients for the sake of an
 * extension that nobody asked for; one that is missing harms nobody. */
static enum acme_rc
check_staple(struct acme_call *call, const struct acme_chain *chain)
{
    const struct acme_kept *kept = &call->keeper->kept[call->index];
    bool has = acme_chain_must_staple(chain);

    if (has && !kept->wanted.must_staple)
        return acme_error_set(&call->err, ACME_REFUSED,
            "the certificate has the must-staple extension, which was not "
            "asked for");
    if (!has && kept->wanted.must_staple) {
        acme_log(call->keeper->host, ACME_LOG_WARN,
            "certificate lacks the must-staple extension that was asked for, "
            "lineage \"%s\"",
            call->name);
    }
    return ACME_OK;
}

static bool
has_name(char (*names)[ACME_NAME_MAX + 1], size_t n, const char *name)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

/*
 * What is left of the wanted names without those that the engine could not
 * prove, if a certificate may be without any: *names is malloc()ed.
 */
static enum acme_rc
get_rest(struct acme_call *call, const char ***names, size_t *n)
{
    const struct acme_lineage *wanted =
        &call->keeper->kept[call->index].wanted;
    char left_out[ACME_LEFT_OUT_MAX][ACME_NAME_MAX + 1];
    uint64_t nleft = acme_frame_get_u64(&call->in);
    size_t i;

    if (nleft > ACME_LEFT_OUT_MAX || (nleft > 0 && !wanted->allow_subset) ||
        (nleft > 0 && nleft >= wanted->nnames))
        call->in.bad = true;
    for (i = 0; i < nleft && !call->in.bad; i++) {
        acme_frame_get_text(&call->in, left_out[i], sizeof(left_out[0]));
        if (has_name(left_out, i, left_out[i]))
            call->in.bad = true;
    }
    if (!acme_frame_end(&call->in)) {
        call->in.bad = true;
        return ACME_IO;
    }
    *n = 0;
    *names = calloc(wanted->nnames + 1, sizeof(**names));
    if (*names == NULL)
        return acme_error_nomem(&call->err);
    for (i = 0; i < wanted->nnames; i++) {
        if (!has_name(left_out, (size_t)nleft, wanted->names[i]))
            (*names)[(*n)++] = wanted->names[i];
    }
    return ACME_OK;
}

static enum acme_rc
check(struct acme_call *call, size_t issuer, const struct acme_key *key,
    const struct acme_chain *chain, const char *const *names, size_t nnames)
{
    struct acme_keeper *keeper = call->keeper;
    unsigned surplus = 0;
    enum acme_rc rc = ACME_OK;

    if (acme_store_is_barred(keeper->store, key))
        rc = acme_error_set(&call->err, ACME_REFUSED,
            "the certificate's key was revoked as compromised, and must not "
            "be used again");
    if (rc == ACME_OK)
        rc = acme_chain_check(chain, key, names, nnames,
            keeper->host->now(keeper->host->ctx), &surplus, &call->err);
    if (rc == ACME_OK)
        rc = check_staple(call, chain);
    if (rc == ACME_REFUSED)
        refuse(call, issuer, chain);
    if (rc == ACME_OK && surplus > 0) {
        acme_log(keeper->host, ACME_LOG_WARN,
            "certificate has %u names that were not asked for, lineage "
            "\"%s\"",
            surplus, call->name);
    }
    return rc;
}

/* ---- a new version ---------------------------------------------------- */

/*
 * The live version's pairs of the other algorithms, so that every version is
 * complete by itself; one that nobody wants ends here.
 */
static enum acme_rc
carry_over(struct acme_call *call, const struct acme_version *live,
    struct acme_version *version)
{
    const struct acme_kept *kept = &call->keeper->kept[call->index];
    struct acme_pair *pair;
    size_t i;

    for (i = 0; i < live->npairs; i++) {
        if (acme_key_algorithm_number(live->pair[i].type) == call->algorithm ||
            !acme_keeper_wants(&kept->wanted, live->pair[i].type))
            continue;
        pair = &version->pair[version->npairs++];
        pair->type = live->pair[i].type;
        pair->origin = live->pair[i].origin;
        acme_buf_add(&pair->key, live->pair[i].key.data,
            live->pair[i].key.len);
        acme_buf_add(&pair->chain, live->pair[i].chain.data,
            live->pair[i].chain.len);
        if (!acme_buf_ok(&pair->key) || !acme_buf_ok(&pair->chain))
            return acme_error_nomem(&call->err);
    }
    return ACME_OK;
}

/* The first type that is wanted comes first: its files have the plain names.
 */
static void
put_in_order(const struct acme_lineage *wanted, struct acme_version *version)
{
    struct acme_pair pair;
    size_t i;

    for (i = 1; i < version->npairs; i++) {
        if (acme_key_algorithm_number(version->pair[i].type) !=
            acme_key_algorithm_number(wanted->type[0]))
            continue;
        pair = version->pair[0];
        version->pair[0] = version->pair[i];
        version->pair[i] = pair;
    }
}

static void
note_reuse(const struct acme_call *call, const struct acme_version *live,
    struct acme_pair *pair)
{
    const struct acme_pair *old = acme_call_own_pair(call, live);

    pair->origin.key_reused =
        old != NULL && pair->key.len > 0 && old->key.len == pair->key.len &&
        memcmp(old->key.data, pair->key.data, pair->key.len) == 0;
}

static enum acme_rc
add_others(struct acme_call *call, struct acme_version *version, bool *renews)
{
    struct acme_version live;
    struct acme_error ignored;
    enum acme_rc rc;

    acme_error_clear(&ignored);
    acme_version_init(&live);
    rc =
        acme_store_live_read(call->keeper->store, call->name, &live, &ignored);
    if (rc == ACME_OK) {
        *renews = acme_call_own_pair(call, &live) != NULL;
        note_reuse(call, &live, &version->pair[0]);
        rc = carry_over(call, &live, version);
    } else {
        rc = rc == ACME_NOMEM ? acme_error_nomem(&call->err) : ACME_OK;
    }
    acme_version_clear(&live);
    put_in_order(&call->keeper->kept[call->index].wanted, version);
    return rc;
}

/* A dry run ends here, with a certificate that could have been live. */
static enum acme_rc
commit(struct acme_call *call, const struct acme_key *key,
    const struct acme_chain *chain, size_t issuer, const char *order_url,
    unsigned *number)
{
    struct acme_keeper *keeper = call->keeper;
    const struct acme_served *before =
        &keeper->kept[call->index].served[call->algorithm];
    time_t now = keeper->host->now(keeper->host->ctx);
    struct acme_version version;
    struct acme_pair *pair = &version.pair[0];
    struct acme_error ignored;
    enum acme_rc rc = ACME_OK;
    bool renews = false;

    *number = 0;
    if (keeper->role == ACME_KEEPER_TRIES) {
        acme_keeper_drop_trial(call);
        return call->err.rc;
    }
    acme_version_init(&version);
    version.npairs = 1;
    pair->type = acme_key_type_of(key);
    pair->origin.obtained = now;
    (void)snprintf(pair->origin.issuer, sizeof(pair->origin.issuer), "%s",
        keeper->config->issuer[issuer].directory);
    (void)snprintf(pair->origin.order, sizeof(pair->origin.order), "%s",
        order_url);
    if (!acme_key_is_public(key))
        rc = acme_key_to_der(key, &pair->key, &call->err);
    if (rc == ACME_OK)
        rc = acme_chain_to_der(chain, 0, acme_chain_useful(chain),
            &pair->chain, &call->err);
    if (rc == ACME_OK)
        rc = add_others(call, &version, &renews);
    if (rc == ACME_OK)
        rc = acme_keeper_mark_due(keeper, call->index, chain, renews,
            &call->err);
    if (rc == ACME_OK)
        rc = acme_store_version_write(keeper->store, call->name, &version, now,
            &call->err);
    if (rc == ACME_OK) {
        if (call->err.rc != ACME_OK) {
            acme_keeper_log(keeper, ACME_LOG_WARN, &call->err,
                "certificate is live, but not all was tidied up");
            acme_error_clear(&call->err);
        }
        acme_keeper_tell_renewed(keeper, call->index, &version,
            acme_call_own_pair(call, &version), before->type == ACME_KEY_NONE);
        acme_error_clear(&ignored);
        if (keeper->role == ACME_KEEPER_ISSUES &&
            acme_keeper_declare(keeper, call->index, &ignored) != ACME_OK)
            acme_keeper_log(keeper, ACME_LOG_ERROR, &ignored,
                "certificate is live, but nobody will renew it: run acmectl "
                "issue again");
        /* Left behind it would be resumed, to the same certificate. */
        acme_error_clear(&ignored);
        acme_call_drop_order(call, &ignored);
        keeper->kept[call->index].live_stamp =
            acme_store_live_stamp(keeper->store, call->name);
        rc =
            acme_keeper_put_version(keeper, call->index, &version, &call->err);
        acme_keeper_deploy(keeper, call->index);
    }
    *number = version.number;
    acme_version_clear(&version);
    return rc;
}

void
acme_keeper_answer_version(struct acme_call *call)
{
    struct acme_key *key = NULL;
    struct acme_chain *chain = NULL;
    const void *key_der, *chain_der, *staple;
    size_t key_len, chain_len, staple_len;
    char order_url[ACME_URL_MAX];
    size_t issuer = acme_call_get_issuer(call);
    unsigned number = 0;
    const char **names = NULL;
    size_t nnames = 0;

    acme_frame_get(&call->in, &key_der, &key_len);
    acme_frame_get(&call->in, &chain_der, &chain_len);
    acme_frame_get_text(&call->in, order_url, sizeof(order_url));
    acme_frame_get(&call->in, &staple, &staple_len);
    if (!call->in.bad)
        (void)get_rest(call, &names, &nnames);
    if (call->in.bad)
        return;
    if (call->err.rc == ACME_OK &&
        get_version_key(call, key_der, key_len, &key) == ACME_OK &&
        acme_key_algorithm_number(acme_key_type_of(key)) != call->algorithm)
        call->in.bad = true;
    if (call->err.rc == ACME_OK && !call->in.bad &&
        acme_chain_from_der(chain_der, chain_len, &chain, &call->err) ==
            ACME_OK &&
        check(call, issuer, key, chain, names, nnames) == ACME_OK) {
        if (call->keeper->role != ACME_KEEPER_TRIES)
            acme_call_version_staple(call, chain, staple, staple_len);
        (void)commit(call, key, chain, issuer, order_url, &number);
    }
    acme_call_reply(call);
    if (call->err.rc == ACME_OK)
        acme_frame_add_u64(call->reply, number);
    acme_key_unref(key);
    acme_chain_free(chain);
    free(names);
}
