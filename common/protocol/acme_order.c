#include "protocol/acme_order.h"

#include <string.h>
#include <strings.h>

#include "base/acme_base64.h"
#include "base/acme_log.h"
#include "base/acme_name.h"
#include "protocol/acme_answer.h"
#include "wrap/acme_url.h"

static const char *const status_names[] = { [ACME_STATUS_UNKNOWN] = "unknown",
    [ACME_STATUS_PENDING] = "pending",
    [ACME_STATUS_READY] = "ready",
    [ACME_STATUS_PROCESSING] = "processing",
    [ACME_STATUS_VALID] = "valid",
    [ACME_STATUS_INVALID] = "invalid",
    [ACME_STATUS_DEACTIVATED] = "deactivated",
    [ACME_STATUS_EXPIRED] = "expired",
    [ACME_STATUS_REVOKED] = "revoked" };

enum {
    NSTATUS = sizeof(status_names) / sizeof(status_names[0])
};

/* The names that an order is about, as every reader of one needs them. */
struct wish {
    const char *const *names;
    size_t nnames;
};

enum acme_status
acme_status_parse(const char *text)
{
    int i;

    for (i = ACME_STATUS_PENDING; text != NULL && i < NSTATUS; i++) {
        if (strcmp(text, status_names[i]) == 0)
            return (enum acme_status)i;
    }
    return ACME_STATUS_UNKNOWN;
}

const char *
acme_status_name(enum acme_status status)
{
    return (int)status >= 0 && (int)status < NSTATUS ? status_names[status]
                                                     : status_names[0];
}

enum acme_rc
acme_status_take(const struct acme_json *object, unsigned allowed,
    enum acme_status *status, struct acme_error *err)
{
    *status = acme_status_parse(acme_json_str(object, "status"));
    if (*status == ACME_STATUS_UNKNOWN || (allowed & 1u << *status) == 0)
        return acme_error_set(err, ACME_WIRE, "unknown status");
    return ACME_OK;
}

/* ---- reading an order (RFC 8555 7.1.3) ---- */

static const unsigned order_statuses =
    1u << ACME_STATUS_PENDING | 1u << ACME_STATUS_READY |
    1u << ACME_STATUS_PROCESSING | 1u << ACME_STATUS_VALID |
    1u << ACME_STATUS_INVALID;

enum acme_rc
acme_order_identifier(const struct acme_json *identifier,
    char name[ACME_NAME_MAX + 1], struct acme_error *err)
{
    const char *type, *value, *wanted;
    char shown[ACME_NAME_MAX + 1];
    struct acme_error ignored;
    enum acme_rc rc;

    rc = acme_json_need_str(identifier, "type", 16, &type, err);
    if (rc == ACME_OK)
        rc = acme_json_need_str(identifier, "value", ACME_NAME_MAX, &value,
            err);
    if (rc != ACME_OK)
        return acme_error_wrap(err, "identifier");
    acme_error_clear(&ignored);
    rc = acme_name_parse(value, strlen(value), shown, &ignored);
    wanted = rc == ACME_OK && acme_name_is_ip(shown) ? "ip" : "dns";
    if (rc == ACME_OK && strcmp(type, wanted) == 0) {
        memcpy(name, shown, sizeof(shown));
        return ACME_OK;
    }
    acme_log_clean(shown, sizeof(shown), value, strlen(value));
    return acme_error_set(err, ACME_WIRE, "identifier \"%s\" is not a name",
        shown);
}

/* Marks the identifier in `seen`; a foreign or repeated one is an error. */
static enum acme_rc
tick_off(const struct acme_json *identifier, const struct wish *wish,
    bool *seen, struct acme_error *err)
{
    char name[ACME_NAME_MAX + 1];
    enum acme_rc rc;
    size_t i;

    rc = acme_order_identifier(identifier, name, err);
    if (rc != ACME_OK)
        return rc;
    for (i = 0; i < wish->nnames; i++) {
        if (strcmp(name, wish->names[i]) == 0)
            break;
    }
    if (i == wish->nnames)
        return acme_error_set(err, ACME_WIRE,
            "identifier \"%s\" was not asked for", name);
    if (seen[i])
        return acme_error_set(err, ACME_WIRE, "identifier \"%s\" twice", name);
    seen[i] = true;
    return ACME_OK;
}

/* As many as ours, none foreign, none twice: then they are ours. */
static enum acme_rc
check_identifiers(const struct acme_json *list, const struct wish *wish,
    struct acme_arena *arena, struct acme_error *err)
{
    enum acme_rc rc = ACME_OK;
    bool *seen;
    size_t i;

    if (acme_json_count(list) != wish->nnames)
        return acme_error_set(err, ACME_WIRE, "%zu identifiers instead of %zu",
            acme_json_count(list), wish->nnames);
    seen = acme_arena_alloc(arena, wish->nnames * sizeof(*seen));
    if (seen == NULL)
        return acme_error_nomem(err);
    for (i = 0; rc == ACME_OK && i < wish->nnames; i++)
        rc = tick_off(acme_json_at(list, i), wish, seen, err);
    return rc;
}

/* A URL of an answer, checked, in the arena. */
static enum acme_rc
take_url(struct acme_client *client, const char *text,
    struct acme_arena *arena, const char **out, struct acme_error *err)
{
    char *copy;
    enum acme_rc rc;

    if (text == NULL)
        return acme_error_set(err, ACME_WIRE, "URL is not a string");
    rc = acme_connection_check_url(acme_client_connection(client), text, err);
    if (rc != ACME_OK)
        return rc;
    copy = acme_arena_strdup(arena, text);
    if (copy == NULL)
        return acme_error_nomem(err);
    *out = copy;
    return ACME_OK;
}

static enum acme_rc
take_member_url(struct acme_client *client, const struct acme_json *root,
    const char *name, struct acme_arena *arena, const char **out,
    struct acme_error *err)
{
    const char *text;
    enum acme_rc rc;

    rc = acme_json_need_str(root, name, ACME_URL_MAX - 1, &text, err);
    if (rc != ACME_OK)
        return rc;
    rc = take_url(client, text, arena, out, err);
    return rc == ACME_OK ? rc : acme_error_wrap(err, "%s", name);
}

static enum acme_rc
take_authorizations(struct acme_client *client, const struct acme_json *list,
    const struct wish *wish, struct acme_arena *arena,
    struct acme_order *order, struct acme_error *err)
{
    size_t i, n = acme_json_count(list);
    enum acme_rc rc = ACME_OK;

    if (n > wish->nnames)
        return acme_error_set(err, ACME_WIRE,
            "%zu authorizations for %zu names", n, wish->nnames);
    if (n == 0 && order->status == ACME_STATUS_PENDING)
        return acme_error_set(err, ACME_WIRE, "no authorizations");
    order->authz = acme_arena_alloc(arena, (n + 1) * sizeof(*order->authz));
    if (order->authz == NULL)
        return acme_error_nomem(err);
    for (i = 0; rc == ACME_OK && i < n; i++)
        rc = take_url(client, acme_json_text(acme_json_at(list, i)), arena,
            &order->authz[i], err);
    order->nauthz = n;
    return rc == ACME_OK ? rc : acme_error_wrap(err, "authorizations");
}

static enum acme_rc
take_error(const struct acme_json *root, struct acme_arena *arena,
    struct acme_order *order, struct acme_error *err)
{
    struct acme_error *error;

    if (order->status != ACME_STATUS_INVALID)
        return ACME_OK;
    error = acme_arena_alloc(arena, sizeof(*error));
    if (error == NULL)
        return acme_error_nomem(err);
    acme_answer_problem(acme_json_get(root, "error"),
        "the CA made the order invalid", error);
    order->error = error;
    return ACME_OK;
}

/* draft-ietf-acme-profiles 4: what the CA makes of it; for comparison only. */
static enum acme_rc
take_profile(const struct acme_json *root, struct acme_arena *arena,
    struct acme_order *order, struct acme_error *err)
{
    const char *text = acme_json_str(root, "profile");
    char shown[ACME_PROFILE_MAX + 1];

    if (text == NULL || text[0] == '\0')
        return ACME_OK;
    acme_log_clean(shown, sizeof(shown), text, strlen(text));
    order->profile = acme_arena_strdup(arena, shown);
    return order->profile != NULL ? ACME_OK : acme_error_nomem(err);
}

/* All but the order's own URL. */
static enum acme_rc
read_members(struct acme_client *client, const struct acme_json *root,
    const struct wish *wish, struct acme_arena *arena,
    struct acme_order *order, struct acme_error *err)
{
    enum acme_rc rc;

    rc = acme_status_take(root, order_statuses, &order->status, err);
    if (rc == ACME_OK)
        rc = check_identifiers(acme_json_get(root, "identifiers"), wish, arena,
            err);
    if (rc == ACME_OK)
        rc = take_authorizations(client, acme_json_get(root, "authorizations"),
            wish, arena, order, err);
    if (rc == ACME_OK)
        rc = take_member_url(client, root, "finalize", arena, &order->finalize,
            err);
    if (rc == ACME_OK && order->status == ACME_STATUS_VALID)
        rc = take_member_url(client, root, "certificate", arena,
            &order->certificate, err);
    if (rc == ACME_OK)
        rc = take_error(root, arena, order, err);
    if (rc == ACME_OK)
        rc = take_profile(root, arena, order, err);
    order->expires = (time_t)acme_json_time(root, "expires");
    return rc;
}

/*
 * One exchange about an order.  url: the order's, or NULL if the answer's
 * Location tells it.
 */
static enum acme_rc
exchange(struct acme_client *client, const struct acme_client_request *request,
    const char *url, const struct wish *wish, struct acme_arena *arena,
    struct acme_order *order, struct acme_error *err)
{
    struct acme_order read = { 0 };
    struct acme_http_response response;
    struct acme_json *root = NULL;
    char location[ACME_URL_MAX];
    enum acme_rc rc;

    acme_http_response_init(&response);
    rc = acme_client_post_json(client, request, &response, &root, err);
    if (rc == ACME_OK && url == NULL) {
        rc = acme_connection_location(acme_client_connection(client),
            request->url, &response, location, err);
        url = location;
    }
    if (rc == ACME_OK)
        rc = read_members(client, root, wish, arena, &read, err);
    if (rc == ACME_OK && (read.url = acme_arena_strdup(arena, url)) == NULL)
        rc = acme_error_nomem(err);
    if (rc == ACME_OK) {
        read.retry_after = response.retry_after;
        *order = read;
    }
    acme_json_free(root);
    acme_http_response_clear(&response);
    return rc;
}

/* ---- new order (RFC 8555 7.4) ---- */

static struct acme_json *
render_identifier(const char *name)
{
    struct acme_json *identifier = acme_json_object();

    acme_json_set_str(identifier, "type",
        acme_name_is_ip(name) ? "ip" : "dns");
    acme_json_set_str(identifier, "value", name);
    return identifier;
}

static struct acme_json *
render_order(const struct wish *wish, const struct acme_order_terms *terms)
{
    struct acme_json *order = acme_json_object();
    struct acme_json *list = acme_json_array();
    size_t i;

    for (i = 0; i < wish->nnames; i++)
        acme_json_append(list, render_identifier(wish->names[i]));
    acme_json_set(order, "identifiers", list);
    if (terms != NULL)
        acme_json_set_str(order, "profile", terms->profile);
    if (terms != NULL)
        acme_json_set_str(order, "replaces", terms->replaces);
    return order;
}

enum acme_rc
acme_order_new(struct acme_client *client, const char *const *names,
    size_t nnames, const struct acme_order_terms *terms,
    struct acme_arena *arena, struct acme_order *order, struct acme_error *err)
{
    struct wish wish = { names, nnames };
    const struct acme_directory *directory;
    struct acme_client_request request = { 0 };
    struct acme_json *payload = NULL;
    enum acme_rc rc;

    rc = acme_connection_directory(acme_client_connection(client), &directory,
        err);
    if (rc != ACME_OK)
        goto done;
    payload = render_order(&wish, terms);
    if (payload == NULL) {
        rc = acme_error_nomem(err);
        goto done;
    }
    request.url = directory->new_order;
    request.payload = payload;
    rc = exchange(client, &request, NULL, &wish, arena, order, err);
done:
    acme_json_free(payload);
    return rc == ACME_OK ? rc : acme_error_wrap(err, "new order");
}

/* ---- resume and poll ---- */

enum acme_rc
acme_order_get(struct acme_client *client, const char *url,
    const char *const *names, size_t nnames, struct acme_arena *arena,
    struct acme_order *order, struct acme_error *err)
{
    struct wish wish = { names, nnames };
    struct acme_client_request request = { 0 };
    enum acme_rc rc;

    request.url = url;
    rc = exchange(client, &request, url, &wish, arena, order, err);
    return rc == ACME_OK ? rc : acme_error_wrap(err, "order");
}

static enum acme_rc
judge_order(const struct acme_order *order, struct acme_error *err)
{
    if (order->status != ACME_STATUS_INVALID)
        return ACME_OK;
    if (err->rc == ACME_OK && order->error != NULL)
        *err = *order->error;
    acme_error_set(err, ACME_PROBLEM, "the CA made the order invalid");
    return acme_error_wrap(err, "order");
}

enum acme_rc
acme_order_poll_while(struct acme_client *client, enum acme_status status,
    const char *const *names, size_t nnames, struct acme_arena *arena,
    struct acme_order *order, struct acme_error *err)
{
    enum acme_rc rc;
    unsigned nth;

    for (nth = 0; order->status == status; nth++) {
        rc = acme_client_wait(client, nth, order->retry_after, err);
        if (rc != ACME_OK)
            return acme_error_wrap(err, "order");
        rc = acme_order_get(client, order->url, names, nnames, arena, order,
            err);
        if (rc != ACME_OK)
            return rc;
    }
    return judge_order(order, err);
}

/* ---- finalize and download ---- */

static enum acme_rc
render_csr(const void *csr, size_t csr_len, struct acme_json **payload,
    struct acme_error *err)
{
    struct acme_buf text;

    acme_buf_init(&text, ACME_JSON_MAX);
    acme_base64_encode(&text, csr, csr_len);
    if (acme_buf_ok(&text)) {
        *payload = acme_json_object();
        acme_json_set_str(*payload, "csr", acme_buf_str(&text));
    }
    acme_buf_clear(&text);
    return *payload != NULL ? ACME_OK : acme_error_nomem(err);
}

enum acme_rc
acme_order_finalize(struct acme_client *client, const char *const *names,
    size_t nnames, const void *csr, size_t csr_len, struct acme_arena *arena,
    struct acme_order *order, struct acme_error *err)
{
    struct wish wish = { names, nnames };
    struct acme_client_request request = { 0 };
    struct acme_json *payload = NULL;
    enum acme_rc rc;

    rc = render_csr(csr, csr_len, &payload, err);
    if (rc == ACME_OK) {
        request.url = order->finalize;
        request.payload = payload;
        rc = exchange(client, &request, order->url, &wish, arena, order, err);
    }
    acme_json_free(payload);
    return rc == ACME_OK ? rc : acme_error_wrap(err, "finalize");
}

/* The chain is not looked into here; a CA that does not name its type is
 * forgiven, as acme_chain_from_pem() takes nothing but certificates. */
static enum acme_rc
check_chain(const struct acme_http_response *response, struct acme_error *err)
{
    const char *type = response->content_type;
    char shown[sizeof(response->content_type)];

    if (type[0] != '\0' &&
        strcmp(type, "application/pem-certificate-chain") != 0) {
        acme_log_clean(shown, sizeof(shown), type, strlen(type));
        return acme_error_set(err, ACME_WIRE,
            "content type is \"%s\", not application/pem-certificate-chain",
            shown);
    }
    if (response->body.len == 0)
        return acme_error_set(err, ACME_WIRE, "answer is empty");
    return ACME_OK;
}

/* One that may not be talked to is not there. */
static enum acme_rc
take_alternates(struct acme_client *client, const char *base,
    const struct acme_http_response *response, struct acme_arena *arena,
    struct acme_alternates *alternates, struct acme_error *err)
{
    char url[ACME_URL_MAX];
    struct acme_error ignored;
    size_t i;

    for (i = 0; i < response->nlinks && alternates->n < ACME_ALTERNATES_MAX;
         i++) {
        acme_error_clear(&ignored);
        if (strcasecmp(response->link[i].rel, "alternate") != 0 ||
            acme_url_resolve(base, response->link[i].url, url, &ignored) !=
                ACME_OK ||
            acme_connection_check_url(acme_client_connection(client), url,
                &ignored) != ACME_OK)
            continue;
        alternates->url[alternates->n] = acme_arena_strdup(arena, url);
        if (alternates->url[alternates->n++] == NULL)
            return acme_error_nomem(err);
    }
    return ACME_OK;
}

static enum acme_rc
download(struct acme_client *client, const char *url, struct acme_buf *pem,
    struct acme_http_response *response, struct acme_error *err)
{
    struct acme_client_request request = { 0 };
    enum acme_rc rc;

    request.url = url;
    request.accept = "application/pem-certificate-chain";
    request.max_body = ACME_CHAIN_PEM_MAX;
    rc = acme_client_post(client, &request, response, err);
    if (rc == ACME_OK)
        rc = check_chain(response, err);
    if (rc == ACME_OK) {
        acme_buf_add(pem, response->body.data, response->body.len);
        if (!acme_buf_ok(pem))
            rc = acme_error_nomem(err);
    }
    return rc;
}

enum acme_rc
acme_order_download(struct acme_client *client, const struct acme_order *order,
    struct acme_buf *pem, struct acme_arena *arena,
    struct acme_alternates *alternates, struct acme_error *err)
{
    struct acme_http_response response;
    enum acme_rc rc;

    if (order->certificate == NULL)
        return acme_error_set(err, ACME_NOENT,
            "certificate: the order has none yet");
    acme_http_response_init(&response);
    rc = download(client, order->certificate, pem, &response, err);
    if (alternates != NULL)
        alternates->n = 0;
    if (rc == ACME_OK && alternates != NULL)
        rc = take_alternates(client, order->certificate, &response, arena,
            alternates, err);
    acme_http_response_clear(&response);
    return rc == ACME_OK ? rc : acme_error_wrap(err, "certificate");
}

enum acme_rc
acme_order_download_alternate(struct acme_client *client, const char *url,
    struct acme_buf *pem, struct acme_error *err)
{
    struct acme_http_response response;
    enum acme_rc rc;

    acme_http_response_init(&response);
    rc = download(client, url, pem, &response, err);
    acme_http_response_clear(&response);
    return rc == ACME_OK ? rc : acme_error_wrap(err, "alternate certificate");
}
