#include "protocol/acme_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/acme_log.h"
#include "protocol/acme_jws.h"
#include "wrap/acme_url.h"

enum {
    DIRECTORY_AGE = 3600,
    /* Boulder keeps a nonce for hours, others for minutes; an old one only
     * costs a badNonce. */
    NONCE_AGE = 1800,
    REQUEST_MAX = 2 * 1024 * 1024,
    SHOWN_URL = 256 /* of a URL in an error text */
};

struct acme_client {
    const struct acme_host *host;
    struct acme_transport transport;
    char *directory_url;

    char home[ACME_ORIGIN_MAX];  /* of directory_url; "" if that is bad */
    char final[ACME_ORIGIN_MAX]; /* of where its redirects ended */
    char (*others)[ACME_ORIGIN_MAX];
    size_t nothers;

    struct acme_directory directory;
    bool have_directory;
    time_t fetched;

    struct acme_key *key;
    char account[ACME_URL_MAX]; /* "": not known */

    /* A request spends one nonce and its answer brings one, so there is
     * never a second one to keep. */
    char nonce[ACME_NONCE_MAX + 1];
    time_t nonce_at;
};

/* acme_url_parse() bounds a URL before it comes here. */
static void
copy_url(char out[ACME_URL_MAX], const char *url)
{
    size_t len = strnlen(url, ACME_URL_MAX - 1);

    memcpy(out, url, len);
    out[len] = '\0';
}

static time_t
now(const struct acme_client *client)
{
    return client->host->now(client->host->ctx);
}

/* ---- making one ---- */

/* An origin for comparisons, "" for a bad URL; false: out of memory. */
static bool
copy_origin(char out[ACME_ORIGIN_MAX], const char *text)
{
    struct acme_error err;
    struct acme_url url;
    enum acme_rc rc;

    acme_error_clear(&err);
    rc = acme_url_parse(text, ACME_CONFIG, &url, &err);
    if (rc == ACME_OK)
        memcpy(out, url.origin, sizeof(url.origin));
    return rc != ACME_NOMEM;
}

/* A bad URL has no origin to be kept from, and whoever configured that CA
 * hears of it from its own client. */
static bool
copy_others(struct acme_client *client, const struct acme_client_conf *conf)
{
    size_t i;

    if (conf->nother == 0)
        return true;
    client->others = calloc(conf->nother, sizeof(*client->others));
    if (client->others == NULL)
        return false;
    client->nothers = conf->nother;
    for (i = 0; i < conf->nother; i++) {
        if (!copy_origin(client->others[i], conf->other_directories[i]))
            return false;
    }
    return true;
}

struct acme_client *
acme_client_new(const struct acme_client_conf *conf,
    const struct acme_host *host, struct acme_transport transport)
{
    struct acme_client *client;

    client = calloc(1, sizeof(*client));
    if (client == NULL)
        return NULL;
    client->host = host;
    client->transport = transport;
    client->directory_url = strdup(conf->directory_url);
    if (client->directory_url == NULL ||
        !copy_origin(client->home, conf->directory_url) ||
        !copy_others(client, conf)) {
        acme_client_free(client);
        return NULL;
    }
    return client;
}

void
acme_client_free(struct acme_client *client)
{
    if (client == NULL)
        return;
    acme_key_unref(client->key);
    free(client->others);
    free(client->directory_url);
    free(client);
}

void
acme_client_set_key(struct acme_client *client, struct acme_key *key)
{
    struct acme_key *old = client->key;

    client->key = key != NULL ? acme_key_ref(key) : NULL;
    acme_key_unref(old);
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
    copy_url(client->account, account_url);
    return ACME_OK;
}

const char *
acme_client_account(const struct acme_client *client)
{
    return client->account[0] != '\0' ? client->account : NULL;
}

/* ---- where requests may go ---- */

/* Two issuers of one CA share their origin: that one is ours as well. */
static bool
is_others(const struct acme_client *client, const char *origin)
{
    size_t i;

    if (strcmp(origin, client->home) == 0)
        return false;
    for (i = 0; i < client->nothers; i++) {
        if (strcmp(origin, client->others[i]) == 0)
            return true;
    }
    return false;
}

static enum acme_rc
refuse_url(const char *url, const char *why, struct acme_error *err)
{
    char shown[SHOWN_URL];

    acme_log_clean(shown, sizeof(shown), url, strlen(url));
    return acme_error_set(err, ACME_WIRE, "URL \"%s\" %s", shown, why);
}

/* `final`: origin at which the directory's redirects ended, or "". */
static enum acme_rc
check_origin(const struct acme_client *client, const char *final,
    const char *text, struct acme_error *err)
{
    struct acme_url url;
    enum acme_rc rc;

    rc = acme_url_parse(text, ACME_WIRE, &url, err);
    if (rc != ACME_OK)
        return rc;
    if (is_others(client, url.origin))
        return refuse_url(text, "is of another configured CA", err);
    if (strcmp(url.origin, client->home) != 0 &&
        strcmp(url.origin, final) != 0)
        return refuse_url(text, "is not of the directory's origin", err);
    return ACME_OK;
}

enum acme_rc
acme_client_check_url(struct acme_client *client, const char *url,
    struct acme_error *err)
{
    return check_origin(client, client->final, url, err);
}

enum acme_rc
acme_client_location(struct acme_client *client, const char *base,
    const struct acme_http_response *response, char out[ACME_URL_MAX],
    struct acme_error *err)
{
    char url[ACME_URL_MAX];
    enum acme_rc rc;

    if (response->location[0] == '\0')
        return acme_error_set(err, ACME_WIRE, "answer without a Location");
    rc = acme_url_resolve(base, response->location, url, err);
    if (rc == ACME_OK)
        rc = acme_client_check_url(client, url, err);
    if (rc != ACME_OK)
        return acme_error_wrap(err, "Location");
    memcpy(out, url, sizeof(url));
    return ACME_OK;
}

/* ---- what answers mean ---- */

static void
clean_member(char *out, size_t size, const struct acme_json *object,
    const char *name)
{
    const char *text = acme_json_str(object, name);
    size_t len = text != NULL ? strlen(text) : 0;

    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--; /* Go's errors end their lines */
    acme_log_clean(out, size, text, len);
}

/* RFC 8555 6.7: its types share a prefix; those of others stay whole. */
static void
clean_type(char *out, size_t size, const struct acme_json *problem)
{
    static const char prefix[] = "urn:ietf:params:acme:error:";
    const char *text = acme_json_str(problem, "type");

    if (text == NULL)
        return;
    if (strncmp(text, prefix, sizeof(prefix) - 1) == 0)
        text += sizeof(prefix) - 1;
    acme_log_clean(out, size, text, strlen(text));
}

/* RFC 8555 6.7.1 */
static void
read_subproblems(const struct acme_json *list, struct acme_error *err)
{
    const struct acme_json *problem;
    struct acme_subproblem *sub;
    size_t i, n = acme_json_count(list);

    err->nsub_total = (unsigned)n;
    for (i = 0; i < n && err->nsub < ACME_SUBPROBLEMS_MAX; i++) {
        problem = acme_json_at(list, i);
        sub = &err->sub[err->nsub++];
        clean_type(sub->type, sizeof(sub->type), problem);
        clean_member(sub->detail, sizeof(sub->detail), problem, "detail");
        clean_member(sub->identifier, sizeof(sub->identifier),
            acme_json_get(problem, "identifier"), "value");
    }
}

enum acme_rc
acme_client_problem(const struct acme_json *problem, const char *what,
    struct acme_error *err)
{
    if (err->rc != ACME_OK)
        return err->rc;
    acme_error_set(err, ACME_PROBLEM, "%s", what);
    clean_type(err->type, sizeof(err->type), problem);
    clean_member(err->detail, sizeof(err->detail), problem, "detail");
    clean_member(err->instance, sizeof(err->instance), problem, "instance");
    read_subproblems(acme_json_get(problem, "subproblems"), err);
    return err->rc;
}

/* A body that is no problem document (a proxy's page) says nothing: the
 * status does, whatever the content type claims. */
static enum acme_rc
read_failure(const struct acme_client *client,
    const struct acme_http_response *response, struct acme_error *err)
{
    struct acme_json *problem = NULL;
    struct acme_error fault;
    char what[48];
    long delay = response->retry_after;

    if (err->rc != ACME_OK)
        return err->rc;
    acme_error_clear(&fault);
    if (acme_json_parse(acme_buf_str(&response->body), response->body.len,
            "problem", &problem, &fault) == ACME_NOMEM)
        return acme_error_nomem(err);
    snprintf(what, sizeof(what), "the CA answered %d", response->status);
    acme_client_problem(problem, what, err);
    acme_json_free(problem);
    err->http_status = response->status;
    if (delay > ACME_RETRY_AFTER_MAX)
        delay = ACME_RETRY_AFTER_MAX;
    if (delay >= 0)
        err->retry_at = now(client) + delay;
    return err->rc;
}

/* RFC 8555 uses two codes of success: 200, and 201 for what was made. */
static enum acme_rc
judge(const struct acme_client *client,
    const struct acme_http_response *response, struct acme_error *err)
{
    if (response->status == 200 || response->status == 201)
        return ACME_OK;
    if (response->status >= 400)
        return read_failure(client, response, err);
    if (err->rc != ACME_OK)
        return err->rc;
    acme_error_set(err, ACME_WIRE, "unexpected status %d", response->status);
    err->http_status = response->status;
    return err->rc;
}

static enum acme_rc
parse_object(const struct acme_http_response *response,
    struct acme_json **root, struct acme_error *err)
{
    struct acme_json *json = NULL;
    enum acme_rc rc;

    rc = acme_json_parse(acme_buf_str(&response->body), response->body.len,
        "answer", &json, err);
    if (rc == ACME_OK && !acme_json_is_object(json))
        rc = acme_error_set(err, ACME_WIRE, "answer is not a JSON object");
    if (rc != ACME_OK) {
        acme_json_free(json);
        return rc;
    }
    *root = json;
    return ACME_OK;
}

/* ---- directory (RFC 8555 7.1.1) ---- */

static bool
is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 ||
           status == 308;
}

static enum acme_rc
get_once(struct acme_client *client, const char *url,
    struct acme_http_response *response, struct acme_error *err)
{
    struct acme_http_request request = { 0 };

    request.method = "GET";
    request.url = url;
    request.accept = "application/json";
    request.max_body = ACME_JSON_MAX;
    return client->transport.perform(client->transport.ctx, &request, response,
        err);
}

/* Where a redirect leads: any https origin but another CA's. */
static enum acme_rc
follow(const struct acme_client *client, char url[ACME_URL_MAX],
    char origin[ACME_ORIGIN_MAX], const struct acme_http_response *response,
    struct acme_error *err)
{
    char next[ACME_URL_MAX];
    struct acme_url parts;
    enum acme_rc rc;

    if (response->location[0] == '\0')
        return acme_error_set(err, ACME_WIRE, "redirect without a Location");
    rc = acme_url_resolve(url, response->location, next, err);
    if (rc == ACME_OK)
        rc = acme_url_parse(next, ACME_WIRE, &parts, err);
    if (rc == ACME_OK && is_others(client, parts.origin))
        rc = refuse_url(next, "is of another configured CA", err);
    if (rc != ACME_OK)
        return acme_error_wrap(err, "redirect");
    memcpy(url, next, sizeof(next));
    memcpy(origin, parts.origin, sizeof(parts.origin));
    return ACME_OK;
}

/* The answer at the end of the redirects and the origin it came from. */
static enum acme_rc
fetch(struct acme_client *client, char origin[ACME_ORIGIN_MAX],
    struct acme_http_response *response, struct acme_error *err)
{
    char url[ACME_URL_MAX];
    struct acme_url parts;
    enum acme_rc rc;
    int hops;

    rc = acme_url_parse(client->directory_url, ACME_CONFIG, &parts, err);
    if (rc != ACME_OK)
        return rc;
    copy_url(url, client->directory_url);
    memcpy(origin, parts.origin, sizeof(parts.origin));
    for (hops = 0; rc == ACME_OK; hops++) {
        rc = get_once(client, url, response, err);
        if (rc != ACME_OK || !is_redirect(response->status))
            return rc;
        if (hops == ACME_HTTP_REDIRECTS_MAX)
            return acme_error_set(err, ACME_WIRE, "more than %d redirects",
                ACME_HTTP_REDIRECTS_MAX);
        rc = follow(client, url, origin, response, err);
    }
    return rc;
}

static enum acme_rc
take_url(const struct acme_client *client, const struct acme_json *root,
    const char *name, const char *final, char out[ACME_URL_MAX],
    struct acme_error *err)
{
    const char *text;
    enum acme_rc rc;

    rc = acme_json_need_str(root, name, ACME_URL_MAX - 1, &text, err);
    if (rc != ACME_OK)
        return rc;
    rc = check_origin(client, final, text, err);
    if (rc != ACME_OK)
        return acme_error_wrap(err, "%s", name);
    copy_url(out, text);
    return ACME_OK;
}

static enum acme_rc
take_meta(const struct acme_json *meta, struct acme_directory *directory,
    struct acme_error *err)
{
    const char *terms = acme_json_str(meta, "termsOfService");
    enum acme_rc rc;

    directory->eab_required =
        acme_json_bool(meta, "externalAccountRequired", false);
    if (terms == NULL || terms[0] == '\0')
        return ACME_OK;
    rc = acme_json_need_str(meta, "termsOfService", ACME_URL_MAX - 1, &terms,
        err);
    if (rc == ACME_OK)
        copy_url(directory->terms, terms);
    return rc;
}

static enum acme_rc
read_directory(const struct acme_client *client, const struct acme_json *root,
    const char *final, struct acme_directory *out, struct acme_error *err)
{
    enum acme_rc rc;

    rc = take_url(client, root, "newNonce", final, out->new_nonce, err);
    if (rc == ACME_OK)
        rc =
            take_url(client, root, "newAccount", final, out->new_account, err);
    if (rc == ACME_OK)
        rc = take_url(client, root, "newOrder", final, out->new_order, err);
    if (rc == ACME_OK)
        rc = take_meta(acme_json_get(root, "meta"), out, err);
    return rc;
}

static enum acme_rc
load_directory(struct acme_client *client, struct acme_error *err)
{
    struct acme_directory directory = { 0 };
    struct acme_http_response response;
    struct acme_json *root = NULL;
    char final[ACME_ORIGIN_MAX];
    enum acme_rc rc;

    acme_http_response_init(&response);
    rc = fetch(client, final, &response, err);
    if (rc == ACME_OK)
        rc = judge(client, &response, err);
    if (rc == ACME_OK)
        rc = parse_object(&response, &root, err);
    if (rc == ACME_OK)
        rc = read_directory(client, root, final, &directory, err);
    if (rc == ACME_OK) {
        client->directory = directory;
        client->have_directory = true;
        client->fetched = now(client);
        memcpy(client->final, final, sizeof(final));
    }
    acme_json_free(root);
    acme_http_response_clear(&response);
    return rc;
}

enum acme_rc
acme_client_directory(struct acme_client *client,
    const struct acme_directory **directory, struct acme_error *err)
{
    time_t age = now(client) - client->fetched;

    /* A negative age: the clock was set back. */
    if (!client->have_directory || age >= DIRECTORY_AGE || age < 0) {
        if (load_directory(client, err) != ACME_OK)
            return acme_error_wrap(err, "directory");
    }
    *directory = &client->directory;
    return ACME_OK;
}

/* ---- nonces (RFC 8555 6.5, 7.2) ---- */

static void
keep_nonce(struct acme_client *client,
    const struct acme_http_response *response)
{
    memcpy(client->nonce, response->nonce, sizeof(client->nonce));
    client->nonce_at = now(client);
}

static enum acme_rc
fetch_nonce(struct acme_client *client, struct acme_error *err)
{
    struct acme_http_request request = { 0 };
    struct acme_http_response response;
    enum acme_rc rc;

    acme_http_response_init(&response);
    request.method = "HEAD";
    request.url = client->directory.new_nonce;
    request.max_body = ACME_JSON_MAX;
    rc = client->transport.perform(client->transport.ctx, &request, &response,
        err);
    if (rc == ACME_OK && response.status != 204)
        rc = judge(client, &response, err);
    if (rc == ACME_OK && response.nonce[0] == '\0')
        rc = acme_error_set(err, ACME_WIRE, "answer without a nonce");
    if (rc == ACME_OK)
        keep_nonce(client, &response);
    acme_http_response_clear(&response);
    return rc == ACME_OK ? rc : acme_error_wrap(err, "new nonce");
}

/* The kept nonce, or a new one; it is spent by this. */
static enum acme_rc
take_nonce(struct acme_client *client, char nonce[ACME_NONCE_MAX + 1],
    struct acme_error *err)
{
    enum acme_rc rc;

    if (now(client) - client->nonce_at >= NONCE_AGE)
        client->nonce[0] = '\0';
    if (client->nonce[0] == '\0') {
        rc = fetch_nonce(client, err);
        if (rc != ACME_OK)
            return rc;
    }
    memcpy(nonce, client->nonce, sizeof(client->nonce));
    client->nonce[0] = '\0';
    return ACME_OK;
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
    rc = client->transport.perform(client->transport.ctx, &request, response,
        err);
    if (rc != ACME_OK)
        return rc;
    keep_nonce(client, response);
    return judge(client, response, err);
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
    rc = take_nonce(client, nonce, err);
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

    rc = acme_client_directory(client, &directory, err);
    if (rc == ACME_OK)
        rc = acme_client_check_url(client, request->url, err);
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
    return rc == ACME_OK ? parse_object(response, root, err) : rc;
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
