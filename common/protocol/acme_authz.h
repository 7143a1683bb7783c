/*
 * Authorizations and challenges (RFC 8555 7.1.4, 7.5): what a CA wants proved
 * for one identifier.  The name is always one of ours; a foreign one is an
 * error before anything is presented.
 */
#ifndef ACME_AUTHZ_H
#define ACME_AUTHZ_H

#include "protocol/acme_order.h"

/* draft-ietf-acme-dns-persist 3.1: more of them are malformed. */
#define ACME_ISSUER_DOMAINS_MAX 10

struct acme_challenge {
    const char *type; /* "http-01", ... */
    const char *url;
    const char *token; /* "" for a type that has none; never NULL */
    enum acme_status status;
    const struct acme_error *error; /* ACME_PROBLEM of a failed one, or NULL */
    /* Of dns-persist-01, what the CA says and nobody has checked: its domain
     * names (in lower case, 0: none or malformed), and the URL of the account
     * that it means (not printable, maybe; NULL: it does not say). */
    size_t ndomains;
    const char *domain[ACME_ISSUER_DOMAINS_MAX];
    const char *account;
};

#define ACME_CHALLENGES_MAX 8

struct acme_authz {
    const char *url;
    const char *name; /* borrowed from the names given: a wildcard's has its
                         "*." */
    enum acme_status status;
    size_t nchallenges;
    struct acme_challenge challenge[ACME_CHALLENGES_MAX];
    long retry_after;
};

/*
 * Reads an authorization.  Its identifier (and wildcard flag) must be one of
 * `names`; tokens are checked here (acme_token_ok).  Challenges beyond
 * ACME_CHALLENGES_MAX are left out.  Blocks.
 */
enum acme_rc acme_authz_get(struct acme_client *client, const char *url,
    const char *const *names, size_t nnames, struct acme_arena *arena,
    struct acme_authz *authz, struct acme_error *err);

/*
 * Reads all authorizations of an order.  Two for one name are ACME_WIRE.
 * *authz is an array of order->nauthz in the arena.  Blocks.
 */
enum acme_rc acme_authz_get_all(struct acme_client *client,
    const struct acme_order *order, const char *const *names, size_t nnames,
    struct acme_arena *arena, struct acme_authz **authz,
    struct acme_error *err);

/* The challenge of that type, or NULL. */
const struct acme_challenge *acme_authz_challenge(
    const struct acme_authz *authz, const char *type);

/* Tells the CA to validate (RFC 8555 7.5.1).  Sent once per challenge: the
 * caller marks it durably first.  409 is a CA that has the answer already:
 * ACME_OK.  Blocks. */
enum acme_rc acme_authz_answer(struct acme_client *client,
    const struct acme_challenge *challenge, struct acme_error *err);

/* Has the CA forget what was proved (RFC 8555 7.5.2): authz->status is
 * deactivated then.  Blocks. */
enum acme_rc acme_authz_deactivate(struct acme_client *client,
    struct acme_authz *authz, struct acme_error *err);

/*
 * Polls until the authorization is no longer pending.  ACME_OK: valid.
 * ACME_PROBLEM: invalid, with the challenge's error, the name in the text;
 * or expired, deactivated, revoked.  ACME_LATER, ACME_STOPPING as
 * acme_client_wait(). The last state seen is in `authz`, whatever the result.
 * Blocks.
 */
enum acme_rc acme_authz_poll(struct acme_client *client,
    const char *const *names, size_t nnames, struct acme_arena *arena,
    struct acme_authz *authz, struct acme_error *err);

#endif
