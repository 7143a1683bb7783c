/*
 * What challenges are answered with: the thumbprints of account keys, tokens
 * of orders in flight, and keys for handshakes of tls-alpn-01.
 */
#include <stdlib.h>
#include <string.h>

#include "base/acme_log.h"
#include "drive/acme_keeper_private.h"

/* ---- accounts --------------------------------------------------------- */

static void
publish_thumbprint(struct acme_keeper *keeper, size_t issuer,
    const struct acme_key *key)
{
    char thumbprint[ACME_THUMBPRINT_LEN + 1];
    struct acme_error err;

    if (keeper->area == NULL)
        return;
    acme_error_clear(&err);
    if (acme_key_thumbprint(key, thumbprint, &err) == ACME_OK)
        acme_area_put_thumbprint(keeper->area, issuer, thumbprint);
    else
        acme_keeper_log(keeper, ACME_LOG_ERROR, &err,
            "cannot compute thumbprint");
}

static enum acme_rc
read_account(struct acme_keeper *keeper, size_t issuer,
    struct acme_account_entry *entry, struct acme_error *err)
{
    const struct acme_issuer *conf = &keeper->config->issuer[issuer];

    if (conf->key_file != NULL && keeper->own[issuer] == NULL)
        return acme_error_set(err, ACME_CONFIG, "%s",
            keeper->own_trouble[issuer].what);
    return acme_store_account(keeper->store, conf, keeper->own[issuer], entry,
        err);
}

enum acme_rc
acme_keeper_account(struct acme_keeper *keeper, size_t issuer,
    const struct acme_account_entry **entry, struct acme_error *err)
{
    struct acme_account_entry *kept = &keeper->account[issuer];
    enum acme_rc rc = ACME_OK;

    if (kept->key == NULL)
        rc = read_account(keeper, issuer, kept, err);
    *entry = kept;
    return rc;
}

/* An account key may have been made by another server meanwhile. */
void
acme_keeper_publish_thumbprints(struct acme_keeper *keeper)
{
    const struct acme_account_entry *entry;
    struct acme_error err;
    size_t i;

    acme_keeper_forget_accounts(keeper);
    for (i = 0; i < keeper->config->nissuers; i++) {
        acme_error_clear(&err);
        if (acme_keeper_account(keeper, i, &entry, &err) == ACME_OK)
            publish_thumbprint(keeper, i, entry->key);
    }
}

/* ---- tokens ----------------------------------------------------------- */

static void
make_alpn_key(struct acme_keeper *keeper, size_t algorithm,
    enum acme_key_type type)
{
    struct acme_key *key = NULL;
    struct acme_error err;
    struct acme_buf der;
    enum acme_rc rc = ACME_OK;

    acme_error_clear(&err);
    acme_buf_init_secret(&der, ACME_ALPN_KEY_MAX);
    if (acme_area_alpn_key(keeper->area, algorithm, &der))
        goto done;
    rc = acme_key_generate(type, &key, &err);
    if (rc == ACME_OK)
        rc = acme_key_to_der(key, &der, &err);
    if (rc == ACME_OK)
        rc = acme_area_put_alpn_key(keeper->area, algorithm, der.data, der.len,
            &err);
    if (rc != ACME_OK)
        acme_keeper_log(keeper, ACME_LOG_ERROR, &err,
            "no key for challenges tls-alpn-01");

done:
    acme_key_unref(key);
    acme_buf_clear(&der);
}

/* Keys for tls-alpn-01 are made when they are first of use, and here: RSA is
 * too slow for a process that serves. */
static void
put_tokens(struct acme_keeper *keeper, const struct acme_area_token *tokens,
    size_t ntokens)
{
    bool alpn = false;
    size_t i;

    for (i = 0; i < ntokens; i++)
        alpn |= tokens[i].type == ACME_TLS_ALPN_01;
    if (alpn) {
        make_alpn_key(keeper, acme_key_algorithm_number(ACME_KEY_ECDSA_256),
            ACME_KEY_ECDSA_256);
        make_alpn_key(keeper, acme_key_algorithm_number(ACME_KEY_RSA_2048),
            ACME_KEY_RSA_2048);
    }
    acme_area_put_tokens(keeper->area, tokens, ntokens);
}

void
acme_keeper_publish_tokens(struct acme_keeper *keeper)
{
    struct acme_area_token *tokens = NULL;
    struct acme_buf problems;
    struct acme_error err;
    size_t ntokens = 0;

    if (keeper->area == NULL)
        return;
    acme_error_clear(&err);
    acme_buf_init(&problems, ACME_STATE_JSON_MAX);
    if (acme_store_tokens(keeper->store, &tokens, &ntokens, &problems, &err) ==
        ACME_OK) {
        free(keeper->token);
        keeper->token = tokens;
        keeper->ntokens = ntokens;
        put_tokens(keeper, tokens, ntokens);
    } else {
        acme_keeper_log(keeper, ACME_LOG_WARN, &err, "cannot read orders");
    }
    if (problems.len > 0) {
        acme_log(keeper->host, ACME_LOG_WARN, "orders left out: %s",
            acme_buf_str(&problems));
    }
    acme_buf_clear(&problems);
}

/* Whether the new ones have one for the same handshakes, which counts instead:
 * the old one may have been dropped, and that is not known yet. */
static bool
is_superseded(const struct acme_area_token *old,
    const struct acme_area_token *tokens, size_t ntokens)
{
    size_t i;

    for (i = 0; i < ntokens && old->type == ACME_TLS_ALPN_01; i++)
        if (tokens[i].type == old->type &&
            tokens[i].presented >= old->presented &&
            strcmp(tokens[i].name, old->name) == 0)
            return true;
    return false;
}

static void
forget_superseded(struct acme_keeper *keeper,
    const struct acme_area_token *tokens, size_t ntokens)
{
    size_t i, n = 0;

    for (i = 0; i < keeper->ntokens; i++)
        if (!is_superseded(&keeper->token[i], tokens, ntokens))
            keeper->token[n++] = keeper->token[i];
    keeper->ntokens = n;
}

/*
 * These can be answered at once; those that were dropped can be a moment
 * longer, until somebody looks at all orders again.  That is not done here:
 * hundreds may be in flight.
 */
void
acme_keeper_add_tokens(struct acme_keeper *keeper,
    const struct acme_area_token *tokens, size_t ntokens)
{
    struct acme_area_token *grown = NULL;
    size_t n;

    if (keeper->area == NULL)
        return;
    forget_superseded(keeper, tokens, ntokens);
    n = keeper->ntokens + ntokens;
    if (n <= ACME_TOKENS_MAX)
        grown = realloc(keeper->token, (n + 1) * sizeof(*grown));
    if (grown == NULL) {
        acme_keeper_publish_tokens(keeper);
        return;
    }
    memcpy(grown + keeper->ntokens, tokens, ntokens * sizeof(*grown));
    keeper->token = grown;
    keeper->ntokens = n;
    put_tokens(keeper, grown, n);
}
