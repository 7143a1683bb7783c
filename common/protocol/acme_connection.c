#include "protocol/acme_connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/acme_log.h"
#include "base/acme_name.h"
#include "protocol/acme_answer.h"
#include "wrap/acme_url.h"

enum {
    DIRECTORY_AGE = 3600,
    /* Boulder keeps a nonce for hours, others for minutes; an old one only
     * costs a badNonce. */
    NONCE_AGE = 1800,
    SHOWN_URL = 256 /* of a URL in an error text */
};

struct acme_connection {
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

    /* A request spends one nonce and its answer brings one, so there is
     * never a second one to keep. */
    char nonce[ACME_NONCE_MAX + 1];
    time_t nonce_at;

    long ahead; /* the CA's clock */
    bool ahead_known;
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
now(const struct acme_connection *connection)
{
    return connection->host->now(connection->host->ctx);
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
copy_others(struct acme_connection *connection,
    const struct acme_connection_conf *conf)
{
    size_t i;

    if (conf->nother == 0)
        return true;
    connection->others = calloc(conf->nother, sizeof(*connection->others));
    if (connection->others == NULL)
        return false;
    connection->nothers = conf->nother;
    for (i = 0; i < conf->nother; i++) {
        if (!copy_origin(connection->others[i], conf->other_directories[i]))
            return false;
    }
    return true;
}

struct acme_connection *
acme_connection_new(const struct acme_connection_conf *conf,
    const struct acme_host *host, struct acme_transport transport)
{
    struct acme_connection *connection;

    connection = calloc(1, sizeof(*connection));
    if (connection == NULL)
        return NULL;
    connection->host = host;
    connection->transport = transport;
    connection->directory_url = strdup(conf->directory_url);
    if (connection->directory_url == NULL ||
        !copy_origin(connection->home, conf->directory_url) ||
        !copy_others(connection, conf)) {
        acme_connection_free(connection);
        return NULL;
    }
    return connection;
}

void
acme_connection_free(struct acme_connection *connection)
{
    if (connection == NULL)
        return;
    free(connection->others);
    free(connection->directory_url);
    free(connection);
}

/* ---- where requests may go ---- */

/* Two issuers of one CA share their origin: that one is ours as well. */
static bool
is_others(const struct acme_connection *connection, const char *origin)
{
    size_t i;

    if (strcmp(origin, connection->home) == 0)
        return false;
    for (i = 0; i < connection->nothers; i++) {
        if (strcmp(origin, connection->others[i]) == 0)
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
check_origin(const struct acme_connection *connection, const char *final,
    const char *text, struct acme_error *err)
{
    struct acme_url url;
    enum acme_rc rc;

    rc = acme_url_parse(text, ACME_WIRE, &url, err);
    if (rc != ACME_OK)
        return rc;
    if (is_others(connection, url.origin))
        return refuse_url(text, "is of another configured CA", err);
    if (strcmp(url.origin, connection->home) != 0 &&
        strcmp(url.origin, final) != 0)
        return refuse_url(text, "is not of the directory's origin", err);
    return ACME_OK;
}

enum acme_rc
acme_connection_check_url(struct acme_connection *connection, const char *url,
    struct acme_error *err)
{
    return check_origin(connection, connection->final, url, err);
}

enum acme_rc
acme_connection_location(struct acme_connection *connection, const char *base,
    const struct acme_http_response *response, char out[ACME_URL_MAX],
    struct acme_error *err)
{
    char url[ACME_URL_MAX];
    enum acme_rc rc;

    if (response->location[0] == '\0')
        return acme_error_set(err, ACME_WIRE, "answer without a Location");
    rc = acme_url_resolve(base, response->location, url, err);
    if (rc == ACME_OK)
        rc = acme_connection_check_url(connection, url, err);
    if (rc != ACME_OK)
        return acme_error_wrap(err, "Location");
    memcpy(out, url, sizeof(url));
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
get_once(struct acme_connection *connection, const char *url,
    struct acme_http_response *response, struct acme_error *err)
{
    struct acme_http_request request = { 0 };

    request.method = "GET";
    request.url = url;
    request.accept = "application/json";
    request.max_body = ACME_JSON_MAX;
    return connection->transport.perform(connection->transport.ctx, &request,
        response, err);
}

/* Where a redirect leads: any https origin but another CA's. */
static enum acme_rc
follow(const struct acme_connection *connection, char url[ACME_URL_MAX],
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
    if (rc == ACME_OK && is_others(connection, parts.origin))
        rc = refuse_url(next, "is of another configured CA", err);
    if (rc != ACME_OK)
        return acme_error_wrap(err, "redirect");
    memcpy(url, next, sizeof(next));
    memcpy(origin, parts.origin, sizeof(parts.origin));
    return ACME_OK;
}

/* The answer at the end of the redirects and the origin it came from. */
static enum acme_rc
fetch(struct acme_connection *connection, char origin[ACME_ORIGIN_MAX],
    struct acme_http_response *response, struct acme_error *err)
{
    char url[ACME_URL_MAX];
    struct acme_url parts;
    enum acme_rc rc;
    int hops;

    rc = acme_url_parse(connection->directory_url, ACME_CONFIG, &parts, err);
    if (rc != ACME_OK)
        return rc;
    copy_url(url, connection->directory_url);
    memcpy(origin, parts.origin, sizeof(parts.origin));
    for (hops = 0; rc == ACME_OK; hops++) {
        rc = get_once(connection, url, response, err);
        if (rc != ACME_OK || !is_redirect(response->status))
            return rc;
        if (hops == ACME_HTTP_REDIRECTS_MAX)
            return acme_error_set(err, ACME_WIRE, "more than %d redirects",
                ACME_HTTP_REDIRECTS_MAX);
        rc = follow(connection, url, origin, response, err);
    }
    return rc;
}

static enum acme_rc
take_url(const struct acme_connection *connection,
    const struct acme_json *root, const char *name, const char *final,
    char out[ACME_URL_MAX], struct acme_error *err)
{
    const char *text;
    enum acme_rc rc;

    rc = acme_json_need_str(root, name, ACME_URL_MAX - 1, &text, err);
    if (rc != ACME_OK)
        return rc;
    rc = check_origin(connection, final, text, err);
    if (rc != ACME_OK)
        return acme_error_wrap(err, "%s", name);
    copy_url(out, text);
    return ACME_OK;
}

/* What has no usable name, or is one too many, is not offered; what the CA
 * says of a profile is for people who choose one. */
static void
take_profiles(const struct acme_json *profiles,
    struct acme_directory *directory)
{
    char *profile;
    const char *name;
    void *iter = NULL;

    while (directory->nprofiles < ACME_PROFILES_MAX &&
           (iter = acme_json_next(profiles, iter)) != NULL) {
        profile = directory->profile[directory->nprofiles];
        name = acme_json_iter_name(iter);
        if (name[0] == '\0' || strlen(name) > ACME_PROFILE_MAX)
            continue;
        acme_log_clean(profile, ACME_PROFILE_MAX + 1, name, strlen(name));
        if (strcmp(profile, name) == 0)
            directory->nprofiles++;
    }
}

/* What is no name is nobody's. */
static void
take_caa(const struct acme_json *identities, struct acme_directory *directory)
{
    size_t i, n = acme_json_count(identities);
    struct acme_error ignored;
    const char *text;

    for (i = 0; i < n && directory->ncaa < ACME_CAA_IDENTITIES_MAX; i++) {
        acme_error_clear(&ignored);
        text = acme_json_text(acme_json_at(identities, i));
        if (text != NULL &&
            acme_name_parse(text, strlen(text),
                directory->caa[directory->ncaa], &ignored) == ACME_OK)
            directory->ncaa++;
    }
}

/* What certificates can be had without: a bad URL harms who uses it, and is
 * checked then. */
static void
take_optional_url(const struct acme_json *root, const char *name,
    char out[ACME_URL_MAX])
{
    const char *text = acme_json_str(root, name);

    if (text != NULL && strlen(text) < ACME_URL_MAX)
        copy_url(out, text);
}

static enum acme_rc
take_meta(const struct acme_json *meta, struct acme_directory *directory,
    struct acme_error *err)
{
    const char *terms = acme_json_str(meta, "termsOfService");
    enum acme_rc rc;

    directory->eab_required =
        acme_json_bool(meta, "externalAccountRequired", false);
    take_profiles(acme_json_get(meta, "profiles"), directory);
    take_caa(acme_json_get(meta, "caaIdentities"), directory);
    if (terms == NULL || terms[0] == '\0')
        return ACME_OK;
    rc = acme_json_need_str(meta, "termsOfService", ACME_URL_MAX - 1, &terms,
        err);
    if (rc == ACME_OK)
        copy_url(directory->terms, terms);
    return rc;
}

static enum acme_rc
read_directory(const struct acme_connection *connection,
    const struct acme_json *root, const char *final,
    struct acme_directory *out, struct acme_error *err)
{
    enum acme_rc rc;

    rc = take_url(connection, root, "newNonce", final, out->new_nonce, err);
    if (rc == ACME_OK)
        rc = take_url(connection, root, "newAccount", final, out->new_account,
            err);
    if (rc == ACME_OK)
        rc =
            take_url(connection, root, "newOrder", final, out->new_order, err);
    if (rc == ACME_OK)
        rc = take_meta(acme_json_get(root, "meta"), out, err);
    take_optional_url(root, "renewalInfo", out->renewal_info);
    take_optional_url(root, "revokeCert", out->revoke_cert);
    take_optional_url(root, "keyChange", out->key_change);
    return rc;
}

static enum acme_rc
load_directory(struct acme_connection *connection, struct acme_error *err)
{
    struct acme_directory directory = { 0 };
    struct acme_http_response response;
    struct acme_json *root = NULL;
    char final[ACME_ORIGIN_MAX];
    enum acme_rc rc;

    acme_http_response_init(&response);
    rc = fetch(connection, final, &response, err);
    if (rc == ACME_OK)
        rc = acme_answer_judge(&response, now(connection), err);
    if (rc == ACME_OK)
        rc = acme_answer_object(&response, &root, err);
    if (rc == ACME_OK)
        rc = read_directory(connection, root, final, &directory, err);
    if (rc == ACME_OK) {
        connection->directory = directory;
        connection->have_directory = true;
        connection->fetched = now(connection);
        memcpy(connection->final, final, sizeof(final));
    }
    acme_json_free(root);
    acme_http_response_clear(&response);
    return rc;
}

enum acme_rc
acme_connection_directory(struct acme_connection *connection,
    const struct acme_directory **directory, struct acme_error *err)
{
    time_t age = now(connection) - connection->fetched;

    /* A negative age: the clock was set back. */
    if (!connection->have_directory || age >= DIRECTORY_AGE || age < 0) {
        if (load_directory(connection, err) != ACME_OK)
            return acme_error_wrap(err, "directory");
    }
    *directory = &connection->directory;
    return ACME_OK;
}

bool
acme_connection_is_private(const struct acme_connection *connection)
{
    const struct acme_transport *transport = &connection->transport;

    return transport->is_private != NULL &&
           transport->is_private(transport->ctx);
}

bool
acme_directory_offers(const struct acme_directory *directory,
    const char *profile)
{
    size_t i;

    for (i = 0; i < directory->nprofiles; i++) {
        if (strcmp(directory->profile[i], profile) == 0)
            return true;
    }
    return false;
}

const char *
acme_directory_profiles(const struct acme_directory *directory, char *text,
    size_t size)
{
    size_t i, len = 0;

    (void)snprintf(text, size, "none");
    for (i = 0; i < directory->nprofiles && len < size; i++)
        len += (size_t)snprintf(text + len, size - len, "%s\"%s\"",
            i > 0 ? ", " : "", directory->profile[i]);
    return text;
}

enum acme_rc
acme_connection_get(struct acme_connection *connection, const char *url,
    struct acme_http_response *response, struct acme_error *err)
{
    enum acme_rc rc = acme_connection_check_url(connection, url, err);

    if (rc == ACME_OK)
        rc = get_once(connection, url, response, err);
    return rc == ACME_OK ? acme_answer_judge(response, now(connection), err)
                         : rc;
}

enum acme_rc
acme_connection_get_plain(struct acme_connection *connection, const char *url,
    size_t max, unsigned timeout_ms, struct acme_http_response *response,
    struct acme_error *err)
{
    struct acme_http_request request = { 0 };
    const struct acme_directory *ignored;
    struct acme_error silent;
    enum acme_rc rc;

    acme_error_clear(&silent);
    rc = acme_connection_directory(connection, &ignored, &silent);
    if (rc == ACME_STOPPING || rc == ACME_NOMEM) {
        *err = silent;
        return rc;
    }
    request.method = "GET";
    request.url = url;
    request.plain = true;
    request.max_body = max;
    request.timeout_ms = timeout_ms;
    rc = connection->transport.perform(connection->transport.ctx, &request,
        response, err);
    if (rc == ACME_NET && silent.rc != ACME_OK) {
        *err = silent; /* an address may be refused for that reason alone */
        return err->rc;
    }
    if (rc != ACME_OK || response->status == 200)
        return rc;
    (void)acme_error_set(err, ACME_WIRE, "HTTP status %d", response->status);
    err->http_status = response->status;
    return ACME_WIRE;
}

/* ---- nonces (RFC 8555 6.5, 7.2) ---- */

enum acme_rc
acme_connection_perform(struct acme_connection *connection,
    const struct acme_http_request *request,
    struct acme_http_response *response, struct acme_error *err)
{
    enum acme_rc rc;

    rc = connection->transport.perform(connection->transport.ctx, request,
        response, err);
    if (rc == ACME_OK) {
        memcpy(connection->nonce, response->nonce, sizeof(connection->nonce));
        connection->nonce_at = now(connection);
        connection->ahead_known = response->date != 0;
        connection->ahead = (long)(response->date - now(connection));
    }
    return rc;
}

bool
acme_connection_clock(const struct acme_connection *connection, long *ahead)
{
    if (connection->ahead_known)
        *ahead = connection->ahead;
    return connection->ahead_known;
}

static enum acme_rc
fetch_nonce(struct acme_connection *connection, struct acme_error *err)
{
    struct acme_http_request request = { 0 };
    struct acme_http_response response;
    enum acme_rc rc;

    acme_http_response_init(&response);
    request.method = "HEAD";
    request.url = connection->directory.new_nonce;
    request.max_body = ACME_JSON_MAX;
    rc = acme_connection_perform(connection, &request, &response, err);
    if (rc == ACME_OK && response.status != 204)
        rc = acme_answer_judge(&response, now(connection), err);
    if (rc == ACME_OK && response.nonce[0] == '\0')
        rc = acme_error_set(err, ACME_WIRE, "answer without a nonce");
    acme_http_response_clear(&response);
    return rc == ACME_OK ? rc : acme_error_wrap(err, "new nonce");
}

enum acme_rc
acme_connection_prepare(struct acme_connection *connection,
    struct acme_error *err)
{
    time_t age = now(connection) - connection->nonce_at;

    if (connection->nonce[0] != '\0' && age >= 0 && age < NONCE_AGE)
        return ACME_OK;
    return fetch_nonce(connection, err);
}

enum acme_rc
acme_connection_nonce(struct acme_connection *connection,
    char nonce[ACME_NONCE_MAX + 1], struct acme_error *err)
{
    enum acme_rc rc = acme_connection_prepare(connection, err);

    if (rc != ACME_OK)
        return rc;
    memcpy(nonce, connection->nonce, sizeof(connection->nonce));
    connection->nonce[0] = '\0';
    return ACME_OK;
}
