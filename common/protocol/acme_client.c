#include "protocol/acme_client.h"

#include <stdlib.h>
#include <string.h>

#include "protocol/acme_answer.h"
#include "protocol/acme_jws.h"
#include "wrap/acme_url.h"

enum {
    REQUEST_MAX = 2 * 1024 * 1024
};

struct acme_client {
    const struct acme_host *host;
    struct acme_connection *connection;
    struct acme_key *key;
    char account[ACME_URL_MAX]; /* "": not known */
};

static time_t
now(const struct acme_client *client)
{
    return client->host->now(client->host->ctx);
}

struct acme_client *
acme_client_new(struct acme_connection *connection,
    const struct acme_host *host)
{
    struct acme_client *client = calloc(1, sizeof(*client));

    if (client == NULL)
        return NULL;
    client->host = host;
    client->connection = connection;
    return client;
}

void
acme_client_free(struct acme_client *client)
{
    if (client == NULL)
        return;
    acme_key_unref(client->key);
    free(client);
}

void
acme_client_use(struct acme_client *client, struct acme_connection *connection)
{
    client->connection = connection;
}

struct acme_connection *
acme_client_connection(const struct acme_client *client)
{
    return client->connection;
}

void
acme_client_set_key(struct acme_client *client, struct acme_key *key)
{
    struct acme_key *old = client->key;

    client->key = key != NULL ? acme_key_ref(key) : NULL;
    acme_key_unref(old);
}

const struct acme_key *
acme_client_key(const struct acme_client *client)
{
    return client->key;
}

enum acme_rc
acme_client_set_account(struct acme_client *client, const char *account_url,
    struct acme_error *err)
{
    struct acme_url url;
    enum acme_rc rc;

    if (account_url == NULL) {
        client->account[0] = '\0';
        return ACME_OK;
    }
    rc = acme_url_parse(account_url, ACME_WIRE, &url, err);
    if (rc != ACME_OK)
        return acme_error_wrap(err, "account URL");
    memcpy(client->account, account_url, strlen(account_url) + 1);
    return ACME_OK;
}

const char *
acme_client_account(const struct acme_client *client)
{
    return client->account[0] != '\0' ? client->account : NULL;
}

/* ---- signed requests (RFC 8555 6.2, 6.3) ---- */

static enum acme_rc
perform_signed(struct acme_client *client,
    const struct acme_client_request *what, const struct acme_buf *jws,
    struct acme_http_response *response, struct acme_error *err)
{
    struct acme_http_request request = { 0 };
    enum acme_rc rc;

    request.method = "POST";
    request.url = what->url;
    request.content_type = "application/jose+json";
    request.accept = what->accept != NULL ? what->accept : "application/json";
    request.body = jws->data;
    request.body_len = jws->len;
    request.max_body = what->max_body != 0 ? what->max_body : ACME_JSON_MAX;
    rc = acme_connection_perform(client->connection, &request, response, err);
    return rc == ACME_OK ? acme_answer_judge(response, now(client), err) : rc;
}

static enum acme_rc
post_once(struct acme_client *client, const struct acme_client_request *what,
    const char *payload, struct acme_http_response *response,
    struct acme_error *err)
{
    char nonce[ACME_NONCE_MAX + 1];
    struct acme_buf jws;
    enum acme_rc rc;

    acme_buf_init(&jws, REQUEST_MAX);
    rc = acme_connection_nonce(client->connection, nonce, err);
    if (rc == ACME_OK)
        rc =
            acme_jws_sign(client->key, what->with_jwk ? NULL : client->account,
                nonce, what->url, payload, &jws, err);
    if (rc == ACME_OK)
        rc = perform_signed(client, what, &jws, response, err);
    acme_buf_clear(&jws);
    return rc;
}

static bool
is_problem(const struct acme_error *err, const char *type)
{
    return err->rc == ACME_PROBLEM && strcmp(err->type, type) == 0;
}

/*
 * RFC 8555 6.5: a badNonce answer brings the nonce to use in the repetition
 * (or a new one is fetched).  An account that the CA no longer knows is
 * forgotten, so that acme_account_ensure() looks for it.
 */
static enum acme_rc
post_payload(struct acme_client *client,
    const struct acme_client_request *what, const char *payload,
    struct acme_http_response *response, struct acme_error *err)
{
    struct acme_error last;
    int tries = 0;

    do {
        acme_error_clear(&last);
        if (post_once(client, what, payload, response, &last) == ACME_OK)
            return ACME_OK;
    } while (is_problem(&last, "badNonce") && ++tries < ACME_NONCE_RETRIES);
    if (is_problem(&last, "accountDoesNotExist") && !what->with_jwk)
        client->account[0] = '\0';
    if (err->rc == ACME_OK)
        *err = last;
    return err->rc;
}

static enum acme_rc
check_ready(struct acme_client *client,
    const struct acme_client_request *request, struct acme_error *err)
{
    const struct acme_directory *directory;
    enum acme_rc rc;

    rc = acme_connection_directory(client->connection, &directory, err);
    if (rc == ACME_OK)
        rc = acme_connection_check_url(client->connection, request->url, err);
    if (rc != ACME_OK)
        return rc;
    if (client->key == NULL)
        return acme_error_set(err, ACME_NOENT, "no account key");
    if (!request->with_jwk && client->account[0] == '\0')
        return acme_error_set(err, ACME_NOENT, "no account");
    return ACME_OK;
}

enum acme_rc
acme_client_post(struct acme_client *client,
    const struct acme_client_request *request,
    struct acme_http_response *response, struct acme_error *err)
{
    struct acme_buf payload;
    enum acme_rc rc;

    acme_buf_init(&payload, REQUEST_MAX);
    rc = check_ready(client, request, err);
    if (rc == ACME_OK && request->payload != NULL)
        rc = acme_json_render(request->payload, false, &payload, err);
    if (rc == ACME_OK)
        rc = post_payload(client, request, acme_buf_str(&payload), response,
            err);
    acme_buf_clear(&payload);
    return rc;
}

enum acme_rc
acme_client_post_json(struct acme_client *client,
    const struct acme_client_request *request,
    struct acme_http_response *response, struct acme_json **root,
    struct acme_error *err)
{
    enum acme_rc rc;

    rc = acme_client_post(client, request, response, err);
    return rc == ACME_OK ? acme_answer_object(response, root, err) : rc;
}

/* ---- polling ---- */

/* Most validations take less than a second or two; who takes longer is asked
 * less often, and after ACME_POLLS_INLINE times others get their turn. */
static unsigned
poll_delay_ms(unsigned nth, long retry_after)
{
    static const unsigned usual[ACME_POLLS_INLINE] = { 250, 500, 1000, 1000,
        2000, 2000, 3000, 3000, 5000, 5000 };
    unsigned delay = nth < ACME_POLLS_INLINE ? usual[nth] : 0;

    if (retry_after > ACME_POLL_MAX)
        retry_after = ACME_POLL_MAX;
    if (retry_after >= 0)
        delay = 1000 * (retry_after < ACME_POLL_MIN ? ACME_POLL_MIN
                                                    : (unsigned)retry_after);
    if (nth >= ACME_POLLS_INLINE && delay < ACME_POLL_PAUSE * 1000)
        delay = ACME_POLL_PAUSE * 1000;
    return delay;
}

enum acme_rc
acme_client_wait(struct acme_client *client, unsigned nth, long retry_after,
    struct acme_error *err)
{
    unsigned delay = poll_delay_ms(nth, retry_after);

    if (delay > ACME_INLINE_WAIT_MAX * 1000) {
        if (err->rc != ACME_OK)
            return err->rc;
        acme_error_set(err, ACME_LATER, "the CA needs another %u s",
            delay / 1000);
        err->retry_at = now(client) + delay / 1000;
        return err->rc;
    }
    if (!client->host->wait(client->host->ctx, delay))
        return acme_error_set(err, ACME_STOPPING, "stopped while waiting");
    return ACME_OK;
}
