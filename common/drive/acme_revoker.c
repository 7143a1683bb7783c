#include "drive/acme_revoker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/acme_log.h"

/* One revocation at work. */
struct work {
    const struct acme_revoker *revoker;
    const struct acme_revocation *what;
    struct acme_client *client;
    struct acme_buf der; /* the leaf */
    bool already;        /* it was revoked before */
};

static enum acme_rc
send(struct work *work, bool by_key, struct acme_error *err)
{
    return acme_revoke(work->client, work->der.data, work->der.len,
        work->what->reason, by_key, &work->already, err);
}

/* ACME_NOENT: no account that the CA has told us of.  None is made for this:
 * it would have no say. */
static enum acme_rc
by_account(struct work *work, struct acme_error *err)
{
    struct acme_key *key = NULL;
    char url[ACME_URL_MAX] = "";
    enum acme_rc rc;

    rc = acme_vault_account(work->revoker->vault, work->what->issuer, &key,
        url, err);
    if (rc == ACME_OK && url[0] == '\0')
        rc = acme_error_set(err, ACME_NOENT, "there is no account");
    if (rc == ACME_OK) {
        acme_client_set_key(work->client, key);
        rc = acme_client_set_account(work->client, url, err);
    }
    if (rc == ACME_OK)
        rc = send(work, false, err);
    acme_key_unref(key);
    return rc;
}

static enum acme_rc
by_key(struct work *work, struct acme_error *err)
{
    acme_client_set_key(work->client, work->what->key);
    return send(work, true, err);
}

/* Whether it was the account that the CA did not like. */
static bool
is_about_account(const struct acme_error *err)
{
    return err->rc == ACME_NOENT ||
           (err->rc == ACME_PROBLEM &&
               (strcmp(err->type, "unauthorized") == 0 ||
                   strcmp(err->type, "accountDoesNotExist") == 0));
}

static enum acme_rc
revoke(struct work *work, struct acme_error *err)
{
    struct acme_error refused;
    enum acme_rc rc;

    acme_error_clear(&refused);
    if (work->what->by_key)
        return by_key(work, err);
    rc = by_account(work, &refused);
    if (rc == ACME_OK)
        return ACME_OK;
    if (is_about_account(&refused) && work->what->key != NULL)
        return by_key(work, err);
    if (rc == ACME_NOENT)
        return acme_error_set(err, ACME_NOENT,
            "there is no account at the CA of this certificate; its key "
            "revokes it too: name that with --key-path");
    *err = refused;
    return rc;
}

/* The key that revoked a certificate as compromised, or any key of which
 * somebody says so, is nobody's any more. */
static enum acme_rc
note(const struct work *work, struct acme_error *err)
{
    enum acme_reason reason = work->what->reason;

    return acme_vault_revoked(work->revoker->vault, work->what->issuer,
        work->what->chain, acme_reason_name(reason),
        reason == ACME_REASON_KEY_COMPROMISE, err);
}

/* To the CA of one certificate; requests that one CA answers do not go to
 * another. */
static enum acme_rc
connect_to(const struct acme_revoker *revoker, size_t issuer,
    struct acme_connection **connection, struct acme_error *err)
{
    const struct acme_config *config = revoker->config;
    struct acme_connection_conf conf = { config->issuer[issuer].directory,
        NULL, 0 };
    const char **others = calloc(config->nissuers + 1, sizeof(*others));
    struct acme_transport transport;
    enum acme_rc rc;
    size_t i;

    if (others == NULL)
        return acme_error_nomem(err);
    for (i = 0; i < config->nissuers; i++)
        if (strcmp(config->issuer[i].directory, conf.directory_url) != 0)
            others[conf.nother++] = config->issuer[i].directory;
    conf.other_directories = others;
    rc = revoker->network.open(revoker->network.ctx, issuer, &transport, err);
    if (rc == ACME_OK) {
        *connection = acme_connection_new(&conf, revoker->host, transport);
        if (*connection == NULL)
            rc = acme_error_nomem(err);
    }
    free(others);
    return rc;
}

static enum acme_rc
run_one(const struct acme_revoker *revoker, const struct acme_revocation *what,
    bool *already, struct acme_error *err)
{
    struct work work = { revoker, what, NULL, { 0 }, false };
    struct acme_connection *connection = NULL;
    enum acme_rc rc;

    acme_buf_init(&work.der, ACME_CHAIN_DER_MAX);
    rc = acme_chain_to_der(what->chain, 0, 1, &work.der, err);
    if (rc == ACME_OK)
        rc = connect_to(revoker, what->issuer, &connection, err);
    if (rc == ACME_OK &&
        (work.client = acme_client_new(connection, revoker->host)) == NULL)
        rc = acme_error_nomem(err);
    if (rc == ACME_OK)
        rc = revoke(&work, err);
    if (rc == ACME_OK)
        rc = note(&work, err);
    *already = work.already;
    acme_client_free(work.client);
    acme_connection_free(connection);
    acme_buf_clear(&work.der);
    return rc;
}

static enum acme_rc
tell(const struct acme_revoker *revoker, size_t i, bool already,
    const struct acme_error *result, struct acme_error *err)
{
    char text[ACME_LOG_LINE_MAX];

    if (result->rc != ACME_OK)
        (void)acme_error_line(result, text, sizeof(text));
    else
        (void)snprintf(text, sizeof(text), "%s",
            already ? "was revoked already" : "revoked");
    return acme_vault_done(revoker->vault, i + 1, result->rc == ACME_OK, text,
        err);
}

enum acme_rc
acme_revoker_run(const struct acme_revoker *revoker,
    const struct acme_revocation *list, size_t n, struct acme_error *err)
{
    enum acme_rc rc = ACME_OK;
    struct acme_error result;
    bool already = false;
    size_t i;

    for (i = 0; i < n && rc == ACME_OK; i++) {
        acme_error_clear(&result);
        (void)run_one(revoker, &list[i], &already, &result);
        rc = tell(revoker, i, already, &result, err);
    }
    return rc;
}
