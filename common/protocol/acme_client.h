/*
 * A client of one CA: its directory, its nonces, and signed requests with
 * every rule of RFC 8555 6 (badNonce is retried with the nonce of the error
 * answer, RFC 8555 6.5).  Enforces where requests may go: https, the origins
 * of the directory (as configured, and where its redirects end), never an
 * origin of another CA of this configuration.  One account key; one thread
 * at a time.
 */
#ifndef ACME_CLIENT_H
#define ACME_CLIENT_H

#include <stdbool.h>

#include "base/acme_host.h"
#include "wrap/acme_http.h"
#include "wrap/acme_json.h"
#include "wrap/acme_key.h"

struct acme_client;

struct acme_client_conf {
    const char *directory_url;
    /* Directory URLs of the configuration's other CAs: their origins are
     * never talked to, as one key may serve them all (security: a CA could
     * have us sign for another). */
    const char *const *other_directories;
    size_t nother;
};

struct acme_directory {
    char new_nonce[ACME_URL_MAX];
    char new_account[ACME_URL_MAX];
    char new_order[ACME_URL_MAX];
    char terms[ACME_URL_MAX]; /* "" if the CA names none */
    bool eab_required;
};

/* Copies `conf`; borrows host and transport's ctx.  NULL: out of memory. */
struct acme_client *acme_client_new(const struct acme_client_conf *conf,
    const struct acme_host *host, struct acme_transport transport);
void acme_client_free(struct acme_client *client); /* accepts NULL */

/* The account key (a new reference is kept) and, once known, the account's
 * URL (copied; NULL: not known). */
void acme_client_set_key(struct acme_client *client, struct acme_key *key);
enum acme_rc acme_client_set_account(struct acme_client *client,
    const char *account_url, struct acme_error *err);
const char *acme_client_account(const struct acme_client *client);

/*
 * The directory (borrowed), fetched on first use and again after an hour.
 * Redirects: at most 3, https, never to another CA's origin.
 * Blocks.
 */
enum acme_rc acme_client_directory(struct acme_client *client,
    const struct acme_directory **directory, struct acme_error *err);

/*
 * A signed POST.  payload NULL: POST-as-GET.  With `with_jwk` the public key
 * is sent instead of the account URL (newAccount).  An answer of 4xx or 5xx
 * becomes ACME_PROBLEM with the problem document in `err` (or its status if
 * there is none) and retry_at from Retry-After.  Success is 200 or 201, any
 * other status ACME_WIRE.  A URL outside the allowed origins is ACME_WIRE,
 * naming it, and nothing is sent.  After accountDoesNotExist the account URL
 * is forgotten: acme_account_ensure() finds or makes another.
 * `response` is initialised by the caller.  Blocks.
 */
struct acme_client_request {
    const char *url;
    const struct acme_json *payload;
    bool with_jwk;
    const char *accept; /* NULL: application/json */
    size_t max_body;    /* 0: ACME_JSON_MAX */
};
enum acme_rc acme_client_post(struct acme_client *client,
    const struct acme_client_request *request,
    struct acme_http_response *response, struct acme_error *err);

/* acme_client_post() whose body must be a JSON object; *root is the
 * caller's. */
enum acme_rc acme_client_post_json(struct acme_client *client,
    const struct acme_client_request *request,
    struct acme_http_response *response, struct acme_json **root,
    struct acme_error *err);

/*
 * Takes a Location header of an answer: it must be there, absolute or
 * relative to `base`, and of an allowed origin.
 */
enum acme_rc acme_client_location(struct acme_client *client, const char *base,
    const struct acme_http_response *response, char out[ACME_URL_MAX],
    struct acme_error *err);

/* Whether a URL out of a CA's answer may be talked to. */
enum acme_rc acme_client_check_url(struct acme_client *client, const char *url,
    struct acme_error *err);

/*
 * Makes an empty `err` ACME_PROBLEM with our text `what` and the type, detail,
 * instance and subproblems of a problem document (RFC 7807, RFC 8555 6.7),
 * cleaned and bounded: for the `error` members of orders and challenges.
 * What is no object (NULL too) leaves only `what`.
 */
enum acme_rc acme_client_problem(const struct acme_json *problem,
    const char *what, struct acme_error *err);

/*
 * Waits before the next poll: Retry-After clamped to ACME_POLL_MIN..MAX, or a
 * growing default from `nth` (0, 1, ...) when the server names none.  More
 * than ACME_INLINE_WAIT_MAX is not slept, nor anything after
 * ACME_POLLS_INLINE polls: ACME_LATER with retry_at set.
 * ACME_STOPPING if the host wants to stop.  Blocks.
 */
enum acme_rc acme_client_wait(struct acme_client *client, unsigned nth,
    long retry_after, struct acme_error *err);

#endif
