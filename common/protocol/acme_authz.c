#include "protocol/acme_authz.h"

#include <stdio.h>
#include <string.h>

#include "base/acme_base64.h"
#include "base/acme_log.h"
#include "base/acme_name.h"
#include "protocol/acme_answer.h"

/* Longest challenge type kept; the longest defined has 16 characters. */
enum {
    TYPE_MAX = 63
};

/* RFC 8555 7.1.6 */
static const unsigned challenge_statuses =
    1u << ACME_STATUS_PENDING | 1u << ACME_STATUS_PROCESSING |
    1u << ACME_STATUS_VALID | 1u << ACME_STATUS_INVALID;
static const unsigned authz_statuses =
    1u << ACME_STATUS_PENDING | 1u << ACME_STATUS_VALID |
    1u << ACME_STATUS_INVALID | 1u << ACME_STATUS_DEACTIVATED |
    1u << ACME_STATUS_EXPIRED | 1u << ACME_STATUS_REVOKED;

static enum acme_rc
keep(struct acme_arena *arena, const char *text, const char **out,
    struct acme_error *err)
{
    *out = acme_arena_strdup(arena, text);
    return *out != NULL ? ACME_OK : acme_error_nomem(err);
}

/* ---- challenges (RFC 8555 7.1.5, 8) ---- */

/* Types whose proof is made from a token; others may come without one. */
static bool
needs_token(const char *type)
{
    return strcmp(type, "http-01") == 0 || strcmp(type, "dns-01") == 0 ||
           strcmp(type, "tls-alpn-01") == 0 ||
           strcmp(type, "dns-account-01") == 0;
}

/* The token goes into paths, DNS records and certificates: whatever is no
 * token by RFC 8555 8.1 ends here. */
static enum acme_rc
take_token(const struct acme_json *json, struct acme_arena *arena,
    struct acme_challenge *challenge, struct acme_error *err)
{
    const char *token = acme_json_str(json, "token");

    if (token == NULL) {
        if (acme_json_get(json, "token") != NULL ||
            needs_token(challenge->type))
            return acme_error_set(err, ACME_WIRE, "no token");
        challenge->token = "";
        return ACME_OK;
    }
    if (!acme_token_ok(token, strlen(token)))
        return acme_error_set(err, ACME_WIRE, "malformed token");
    return keep(arena, token, &challenge->token, err);
}

/* Each as the draft wants it: in lower case, without a final dot. */
static bool
is_domain(const char *text)
{
    char name[ACME_NAME_MAX + 1];
    struct acme_error ignored;

    acme_error_clear(&ignored);
    return text != NULL &&
           acme_name_parse(text, strlen(text), name, &ignored) == ACME_OK &&
           strcmp(name, text) == 0;
}

/* A malformed list is as good as none: another challenge may do. */
static enum acme_rc
take_domains(const struct acme_json *json, struct acme_arena *arena,
    struct acme_challenge *challenge, struct acme_error *err)
{
    const struct acme_json *list = acme_json_get(json, "issuer-domain-names");
    size_t n = acme_json_count(list), i;
    enum acme_rc rc = ACME_OK;

    if (n > ACME_ISSUER_DOMAINS_MAX)
        return ACME_OK;
    for (i = 0; i < n; i++)
        if (!is_domain(acme_json_text(acme_json_at(list, i))))
            return ACME_OK;
    for (i = 0; i < n && rc == ACME_OK; i++)
        rc = keep(arena, acme_json_text(acme_json_at(list, i)),
            &challenge->domain[i], err);
    challenge->ndomains = n;
    return rc;
}

/* draft-ietf-acme-dns-persist 3.1 */
static enum acme_rc
take_claims(const struct acme_json *json, struct acme_arena *arena,
    struct acme_challenge *challenge, struct acme_error *err)
{
    const char *account = acme_json_str(json, "accounturi");
    enum acme_rc rc;

    if (strcmp(challenge->type, "dns-persist-01") != 0)
        return ACME_OK;
    rc = take_domains(json, arena, challenge, err);
    if (rc != ACME_OK || acme_json_get(json, "accounturi") == NULL)
        return rc;
    return keep(arena, account != NULL ? account : "", &challenge->account,
        err);
}

static enum acme_rc
take_challenge_error(const struct acme_json *json, struct acme_arena *arena,
    struct acme_challenge *challenge, struct acme_error *err)
{
    const struct acme_json *problem = acme_json_get(json, "error");
    struct acme_error *error;
    char what[TYPE_MAX + 64];

    if (!acme_json_is_object(problem))
        return ACME_OK;
    error = acme_arena_alloc(arena, sizeof(*error));
    if (error == NULL)
        return acme_error_nomem(err);
    snprintf(what, sizeof(what), "challenge %s failed", challenge->type);
    acme_answer_problem(problem, what, error);
    challenge->error = error;
    return ACME_OK;
}

/* The type is cleaned like any text that ends in a message; a defined one
 * passes unchanged. */
static enum acme_rc
read_challenge(struct acme_client *client, const struct acme_json *json,
    struct acme_arena *arena, struct acme_challenge *challenge,
    struct acme_error *err)
{
    const char *type, *url;
    char clean[TYPE_MAX + 1];
    enum acme_rc rc;

    rc = acme_json_need_str(json, "type", TYPE_MAX, &type, err);
    if (rc == ACME_OK)
        rc = keep(arena,
            acme_log_clean(clean, sizeof(clean), type, strlen(type)),
            &challenge->type, err);
    if (rc == ACME_OK)
        rc = acme_json_need_str(json, "url", ACME_URL_MAX - 1, &url, err);
    if (rc == ACME_OK)
        rc = acme_connection_check_url(acme_client_connection(client), url,
            err);
    if (rc == ACME_OK)
        rc = keep(arena, url, &challenge->url, err);
    if (rc == ACME_OK)
        rc = acme_status_take(json, challenge_statuses, &challenge->status,
            err);
    if (rc == ACME_OK)
        rc = take_token(json, arena, challenge, err);
    if (rc == ACME_OK)
        rc = take_claims(json, arena, challenge, err);
    if (rc == ACME_OK)
        rc = take_challenge_error(json, arena, challenge, err);
    if (rc != ACME_OK && challenge->type != NULL)
        return acme_error_wrap(err, "challenge %s", challenge->type);
    return rc == ACME_OK ? rc : acme_error_wrap(err, "challenge");
}

static enum acme_rc
read_challenges(struct acme_client *client, const struct acme_json *list,
    struct acme_arena *arena, struct acme_authz *authz, struct acme_error *err)
{
    size_t i, n = acme_json_count(list);
    enum acme_rc rc = ACME_OK;

    if (n == 0 && authz->status == ACME_STATUS_PENDING)
        return acme_error_set(err, ACME_WIRE, "no challenges");
    if (n > ACME_CHALLENGES_MAX)
        n = ACME_CHALLENGES_MAX;
    for (i = 0; rc == ACME_OK && i < n; i++)
        rc = read_challenge(client, acme_json_at(list, i), arena,
            &authz->challenge[i], err);
    authz->nchallenges = n;
    return rc;
}

/* ---- authorizations (RFC 8555 7.1.4) ---- */

/* RFC 8555 7.1.4: the identifier has no "*.", the flag stands for it. */
static enum acme_rc
read_name(const struct acme_json *root, char name[ACME_NAME_MAX + 1],
    struct acme_error *err)
{
    char plain[ACME_NAME_MAX + 1];
    bool wildcard = acme_json_bool(root, "wildcard", false);
    size_t len;
    enum acme_rc rc;

    rc = acme_order_identifier(acme_json_get(root, "identifier"), plain, err);
    if (rc != ACME_OK)
        return rc;
    if (acme_name_is_wildcard(plain))
        return acme_error_set(err, ACME_WIRE,
            "identifier \"%s\" has a wildcard", plain);
    len = strlen(plain);
    if (wildcard && len + 2 > ACME_NAME_MAX)
        return acme_error_set(err, ACME_WIRE,
            "identifier \"%s\" is too long for a wildcard", plain);
    if (wildcard)
        memcpy(name, "*.", 2);
    memcpy(name + (wildcard ? 2 : 0), plain, len + 1);
    return ACME_OK;
}

/* Names come from our configuration, never out of an answer: what is kept
 * is the one of `names` that is meant. */
static enum acme_rc
take_name(const struct acme_json *root, const char *const *names,
    size_t nnames, const char **out, struct acme_error *err)
{
    char name[ACME_NAME_MAX + 1];
    enum acme_rc rc;
    size_t i;

    rc = read_name(root, name, err);
    if (rc != ACME_OK)
        return rc;
    for (i = 0; i < nnames; i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = names[i];
            return ACME_OK;
        }
    }
    return acme_error_set(err, ACME_WIRE,
        "identifier \"%s\" was not asked for", name);
}

static enum acme_rc
read_members(struct acme_client *client, const struct acme_json *root,
    const char *const *names, size_t nnames, struct acme_arena *arena,
    struct acme_authz *authz, struct acme_error *err)
{
    enum acme_rc rc;

    rc = take_name(root, names, nnames, &authz->name, err);
    if (rc == ACME_OK)
        rc = acme_status_take(root, authz_statuses, &authz->status, err);
    if (rc == ACME_OK)
        rc = read_challenges(client, acme_json_get(root, "challenges"), arena,
            authz, err);
    return rc;
}

static enum acme_rc
wrap(struct acme_error *err, const struct acme_authz *authz)
{
    return authz->name != NULL
               ? acme_error_wrap(err, "authorization of \"%s\"", authz->name)
               : acme_error_wrap(err, "authorization");
}

enum acme_rc
acme_authz_get(struct acme_client *client, const char *url,
    const char *const *names, size_t nnames, struct acme_arena *arena,
    struct acme_authz *authz, struct acme_error *err)
{
    struct acme_authz read = { 0 };
    struct acme_client_request request = { 0 };
    struct acme_http_response response;
    struct acme_json *root = NULL;
    enum acme_rc rc;

    acme_http_response_init(&response);
    request.url = url;
    rc = acme_client_post_json(client, &request, &response, &root, err);
    if (rc == ACME_OK)
        rc = read_members(client, root, names, nnames, arena, &read, err);
    if (rc == ACME_OK)
        rc = keep(arena, url, &read.url, err);
    if (rc == ACME_OK) {
        read.retry_after = response.retry_after;
        *authz = read;
    }
    acme_json_free(root);
    acme_http_response_clear(&response);
    return rc == ACME_OK ? rc : wrap(err, &read);
}

/* Names are borrowed from one array: equal names are equal pointers. */
static enum acme_rc
check_new(const struct acme_authz *authz, size_t i, struct acme_error *err)
{
    size_t j;

    for (j = 0; j < i; j++) {
        if (authz[j].name == authz[i].name)
            return acme_error_set(err, ACME_WIRE,
                "authorization of \"%s\": twice in one order", authz[i].name);
    }
    return ACME_OK;
}

enum acme_rc
acme_authz_get_all(struct acme_client *client, const struct acme_order *order,
    const char *const *names, size_t nnames, struct acme_arena *arena,
    struct acme_authz **authz, struct acme_error *err)
{
    struct acme_authz *list;
    enum acme_rc rc = ACME_OK;
    size_t i;

    list = acme_arena_alloc(arena, (order->nauthz + 1) * sizeof(*list));
    if (list == NULL)
        return acme_error_nomem(err);
    for (i = 0; rc == ACME_OK && i < order->nauthz; i++) {
        rc = acme_authz_get(client, order->authz[i], names, nnames, arena,
            &list[i], err);
        if (rc == ACME_OK)
            rc = check_new(list, i, err);
    }
    if (rc == ACME_OK)
        *authz = list;
    return rc;
}

const struct acme_challenge *
acme_authz_challenge(const struct acme_authz *authz, const char *type)
{
    size_t i;

    for (i = 0; i < authz->nchallenges; i++) {
        if (strcmp(authz->challenge[i].type, type) == 0)
            return &authz->challenge[i];
    }
    return NULL;
}

/* ---- proving ---- */

/* It knows the answer already, and validates or has done so: the next look at
 * the authorization tells. */
static bool
is_conflict(const struct acme_error *err)
{
    return err->rc == ACME_PROBLEM && err->http_status == 409;
}

enum acme_rc
acme_authz_answer(struct acme_client *client,
    const struct acme_challenge *challenge, struct acme_error *err)
{
    struct acme_client_request request = { 0 };
    struct acme_http_response response;
    struct acme_json *payload;
    enum acme_rc rc;

    payload = acme_json_object(); /* RFC 8555 7.5.1: {} */
    if (payload == NULL)
        return acme_error_nomem(err);
    acme_http_response_init(&response);
    request.url = challenge->url;
    request.payload = payload;
    rc = acme_client_post(client, &request, &response, err);
    acme_http_response_clear(&response);
    acme_json_free(payload);
    if (rc != ACME_OK && is_conflict(err)) {
        acme_error_clear(err);
        rc = ACME_OK;
    }
    return rc == ACME_OK
               ? rc
               : acme_error_wrap(err, "challenge %s", challenge->type);
}

enum acme_rc
acme_authz_deactivate(struct acme_client *client, struct acme_authz *authz,
    struct acme_error *err)
{
    struct acme_client_request request = { 0 };
    struct acme_http_response response;
    struct acme_json *payload = acme_json_object();
    enum acme_rc rc;

    if (payload == NULL)
        return acme_error_nomem(err);
    acme_json_set_str(payload, "status", "deactivated");
    acme_http_response_init(&response);
    request.url = authz->url;
    request.payload = payload;
    rc = acme_client_post(client, &request, &response, err);
    acme_http_response_clear(&response);
    acme_json_free(payload);
    if (rc != ACME_OK)
        return acme_error_wrap(err,
            "deactivation of the authorization of "
            "\"%s\"",
            authz->name);
    authz->status = ACME_STATUS_DEACTIVATED;
    return ACME_OK;
}

static const struct acme_error *
find_error(const struct acme_authz *authz)
{
    size_t i;

    for (i = 0; i < authz->nchallenges; i++) {
        if (authz->challenge[i].error != NULL &&
            authz->challenge[i].status == ACME_STATUS_INVALID)
            return authz->challenge[i].error;
    }
    return NULL;
}

static enum acme_rc
judge(const struct acme_authz *authz, struct acme_error *err)
{
    const struct acme_error *cause = find_error(authz);

    if (authz->status == ACME_STATUS_VALID)
        return ACME_OK;
    if (authz->status != ACME_STATUS_INVALID || cause == NULL)
        acme_error_set(err, ACME_PROBLEM, "it is %s",
            acme_status_name(authz->status));
    else if (err->rc == ACME_OK)
        *err = *cause;
    return wrap(err, authz);
}

/* The answer to a poll must be about the name that was asked for. */
static enum acme_rc
poll_once(struct acme_client *client, const char *const *names, size_t nnames,
    struct acme_arena *arena, struct acme_authz *authz, struct acme_error *err)
{
    struct acme_authz read;
    enum acme_rc rc;

    rc = acme_authz_get(client, authz->url, names, nnames, arena, &read, err);
    if (rc != ACME_OK)
        return rc;
    if (strcmp(read.name, authz->name) != 0) {
        acme_error_set(err, ACME_WIRE, "is now of \"%s\"", read.name);
        return wrap(err, authz);
    }
    *authz = read;
    return ACME_OK;
}

enum acme_rc
acme_authz_poll(struct acme_client *client, const char *const *names,
    size_t nnames, struct acme_arena *arena, struct acme_authz *authz,
    struct acme_error *err)
{
    enum acme_rc rc;
    unsigned nth;

    for (nth = 0; authz->status == ACME_STATUS_PENDING; nth++) {
        rc = acme_client_wait(client, nth, authz->retry_after, err);
        if (rc != ACME_OK)
            return wrap(err, authz);
        rc = poll_once(client, names, nnames, arena, authz, err);
        if (rc != ACME_OK)
            return rc;
    }
    return judge(authz, err);
}
