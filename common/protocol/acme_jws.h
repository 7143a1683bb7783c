/*
 * Flattened JWS of RFC 8555 6.2: the signed body of every request but the
 * directory's and the nonce's.  Knows nothing of accounts or HTTP.
 */
#ifndef ACME_JWS_H
#define ACME_JWS_H

#include "base/acme_buf.h"
#include "base/acme_error.h"
#include "protocol/acme_binding.h"
#include "wrap/acme_key.h"

/*
 * Appends {"protected","payload","signature"} to `out`.
 * kid:     the account URL, or NULL to put the public key in ("jwk")
 * nonce:   base64url as received, or NULL: none, in the inner one of a key
 *          change (RFC 8555 7.3.5)
 * payload: JSON text, "" for POST-as-GET (RFC 8555 6.3)
 */
enum acme_rc acme_jws_sign(const struct acme_key *key, const char *kid,
    const char *nonce, const char *url, const char *payload,
    struct acme_buf *out, struct acme_error *err);

/*
 * Appends the "externalAccountBinding" of a new account (RFC 8555 7.3.4): the
 * account's public key under the CA's MAC key.  url: newAccount's.
 */
enum acme_rc acme_jws_bind(const struct acme_binding *binding,
    const struct acme_key *key, const char *url, struct acme_buf *out,
    struct acme_error *err);

#endif
