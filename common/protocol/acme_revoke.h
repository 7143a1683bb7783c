/*
 * Revocation (RFC 8555 7.6): one request, by the account that had the
 * certificate issued or by the certificate's own key.
 */
#ifndef ACME_REVOKE_H
#define ACME_REVOKE_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/acme_client.h"

/* CRL reasons (RFC 5280 5.3.1) that a subscriber may give. */
enum acme_reason {
    ACME_REASON_UNSPECIFIED = 0,
    ACME_REASON_KEY_COMPROMISE = 1,
    ACME_REASON_AFFILIATION_CHANGED = 3,
    ACME_REASON_SUPERSEDED = 4,
    ACME_REASON_CESSATION = 5
};

/* "keycompromise", any case; false: not one of them. */
bool acme_reason_parse(const char *text, enum acme_reason *reason);
/* "" for a number that is none of them. */
const char *acme_reason_name(enum acme_reason reason);
/* All of them, for a message. */
#define ACME_REASONS                                               \
    "unspecified, keycompromise, affiliationchanged, superseded, " \
    "cessationofoperation"

/*
 * Revokes a certificate (DER).  by_key: the client's key is the certificate's
 * own, sent as jwk; else its account signs.  A certificate that is revoked
 * already is ACME_OK and *already.  ACME_NOENT: the CA has no revokeCert.
 * Else as acme_client_post().  Blocks.
 */
enum acme_rc acme_revoke(struct acme_client *client, const void *der,
    size_t len, enum acme_reason reason, bool by_key, bool *already,
    struct acme_error *err);

#endif
