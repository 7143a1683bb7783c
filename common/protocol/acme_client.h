/*
 * An account at a CA: signed requests with every rule of RFC 8555 6
 * (badNonce is retried with the nonce of the error answer, RFC 8555 6.5),
 * over a connection that may be another one after each of them.  One account
 * key; one thread at a time.
 */
#ifndef ACME_CLIENT_H
#define ACME_CLIENT_H

#include <stdbool.h>

#include "base/acme_host.h"
#include "protocol/acme_connection.h"
#include "wrap/acme_http.h"
#include "wrap/acme_json.h"
#include "wrap/acme_key.h"

struct acme_client;

/* Borrows connection and host.  NULL: out of memory. */
struct acme_client *acme_client_new(struct acme_connection *connection,
    const struct acme_host *host);
void acme_client_free(struct acme_client *client); /* accepts NULL */

/* From now on over another connection to the same CA (borrowed).  The host
 * may do so while it waits. */
void acme_client_use(struct acme_client *client,
    struct acme_connection *connection);
struct acme_connection *acme_client_connection(
    const struct acme_client *client);

/* The account key (a new reference is kept) and, once known, the account's
 * URL (copied; NULL: not known). */
void acme_client_set_key(struct acme_client *client, struct acme_key *key);
const struct acme_key *acme_client_key(const struct acme_client *client);
enum acme_rc acme_client_set_account(struct acme_client *client,
    const char *account_url, struct acme_error *err);
const char *acme_client_account(const struct acme_client *client);

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
 * Waits before the next poll: Retry-After clamped to ACME_POLL_MIN..MAX, or a
 * growing default from `nth` (0, 1, ...) when the server names none.  More
 * than ACME_INLINE_WAIT_MAX is not slept, nor anything after
 * ACME_POLLS_INLINE polls: ACME_LATER with retry_at set.
 * ACME_STOPPING if the host wants to stop.  Blocks.
 */
enum acme_rc acme_client_wait(struct acme_client *client, unsigned nth,
    long retry_after, struct acme_error *err);

#endif
