/*
 * Orders (RFC 8555 7.1.3, 7.4): made, polled, finalized, downloaded.  Strings
 * of an order live in the arena it was read into.
 */
#ifndef ACME_ORDER_H
#define ACME_ORDER_H

#include "base/acme_arena.h"
#include "protocol/acme_client.h"

enum acme_status {
    ACME_STATUS_UNKNOWN = 0,
    ACME_STATUS_PENDING,
    ACME_STATUS_READY,
    ACME_STATUS_PROCESSING,
    ACME_STATUS_VALID,
    ACME_STATUS_INVALID,
    ACME_STATUS_DEACTIVATED,
    ACME_STATUS_EXPIRED,
    ACME_STATUS_REVOKED
};

/* ACME_STATUS_UNKNOWN for NULL and for what RFC 8555 does not name. */
enum acme_status acme_status_parse(const char *text);
const char *acme_status_name(enum acme_status status);

/* The "status" of an object, which must be one of `allowed` (1u << each);
 * ACME_WIRE. */
enum acme_rc acme_status_take(const struct acme_json *object, unsigned allowed,
    enum acme_status *status, struct acme_error *err);

struct acme_order {
    const char *url;
    enum acme_status status;
    time_t expires; /* 0: not said */
    size_t nauthz;
    const char **authz; /* URLs, checked origins */
    const char *finalize;
    const char *certificate;        /* NULL until valid */
    const char *profile;            /* printable; NULL: the CA names none */
    long retry_after;               /* of the last answer; -1: none */
    const struct acme_error *error; /* ACME_PROBLEM of an invalid order, else
                                       NULL */
};

/* What an order asks for besides names; all zero: nothing. */
struct acme_order_terms {
    const char *profile; /* draft-ietf-acme-profiles; NULL: the CA's choice */
    /* RFC 9773 5: ari_id of the certificate that it takes the place of, which
     * must be this CA's; or NULL. */
    const char *replaces;
};

/*
 * newOrder for `names`.  The answer must have just these identifiers, each
 * once, and at most as many authorizations.  terms NULL: none.  Blocks.
 */
enum acme_rc acme_order_new(struct acme_client *client,
    const char *const *names, size_t nnames,
    const struct acme_order_terms *terms, struct acme_arena *arena,
    struct acme_order *order, struct acme_error *err);

/* Reads the order at `url` (resume, poll); identifiers are checked against
 * `names`.  Blocks. */
enum acme_rc acme_order_get(struct acme_client *client, const char *url,
    const char *const *names, size_t nnames, struct acme_arena *arena,
    struct acme_order *order, struct acme_error *err);

/*
 * Polls until the order leaves `status` (pending or processing): the result
 * is in `order`, so is the last state seen when polling fails.  An order that
 * is or becomes invalid is ACME_PROBLEM with the order's error.
 * Waits as acme_client_wait() does: ACME_LATER, ACME_STOPPING.  Blocks.
 */
enum acme_rc acme_order_poll_while(struct acme_client *client,
    enum acme_status status, const char *const *names, size_t nnames,
    struct acme_arena *arena, struct acme_order *order,
    struct acme_error *err);

/* Sends the CSR (RFC 8555 7.4); the new state is in `order`.  Blocks. */
enum acme_rc acme_order_finalize(struct acme_client *client,
    const char *const *names, size_t nnames, const void *csr, size_t csr_len,
    struct acme_arena *arena, struct acme_order *order,
    struct acme_error *err);

/*
 * The canonical name in an identifier object (RFC 8555 7.1.3, RFC 8738) of a
 * CA's answer; ACME_WIRE if there is none.
 */
enum acme_rc acme_order_identifier(const struct acme_json *identifier,
    char name[ACME_NAME_MAX + 1], struct acme_error *err);

/* Where a CA offers its certificate with other chains (RFC 8555 7.4.2). */
struct acme_alternates {
    size_t n;
    const char *url[ACME_ALTERNATES_MAX]; /* checked origins, in an arena */
};

/*
 * Appends the PEM chain of a valid order (RFC 8555 7.4.2).  With `alternates`
 * (NULL: not asked for), which live in `arena`, also where the others are:
 * of more than fit, or of another origin, nothing is told.  Blocks.
 */
enum acme_rc acme_order_download(struct acme_client *client,
    const struct acme_order *order, struct acme_buf *pem,
    struct acme_arena *arena, struct acme_alternates *alternates,
    struct acme_error *err);

/* Appends one of them.  Blocks. */
enum acme_rc acme_order_download_alternate(struct acme_client *client,
    const char *url, struct acme_buf *pem, struct acme_error *err);

#endif
