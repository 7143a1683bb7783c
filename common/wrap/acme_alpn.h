/*
 * tls-alpn-01 (RFC 8737): what a ClientHello has to say to be a CA's
 * validation, and the certificate it is answered with.  Pure bytes but for
 * the certificate; leaves OpenSSL's error queue as it found it.
 */
#ifndef ACME_ALPN_H
#define ACME_ALPN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_error.h"
#include "wrap/acme_key.h"
#include "wrap/acme_x509.h"

#define ACME_ALPN_PROTOCOL "acme-tls/1"

/* Whether the body of an extension
 * application_layer_protocol_negotiation (RFC 7301 3.1) offers that protocol
 * and no other (RFC 8737 3). */
bool acme_alpn_is_offered(const void *extension, size_t len);

/* The canonical host name in the body of an extension server_name (RFC 6066
 * 3).  False: none, several, or not a name we could manage. */
bool acme_alpn_server_name(const void *extension, size_t len,
    char name[ACME_NAME_MAX + 1]);

/*
 * Both, out of a whole handshake message ClientHello (RFC 8446 4.1.2, of
 * older versions too).  False: it is no validation, or malformed, which its
 * receiver finds out too.
 */
bool acme_alpn_hello(const void *message, size_t len,
    char name[ACME_NAME_MAX + 1]);

/*
 * A self-signed certificate with exactly this identifier (canonical, no
 * wildcard) and the SHA-256 of the key authorization in a critical
 * acmeIdentifier (RFC 8737 3).
 */
enum acme_rc acme_alpn_certificate(const struct acme_key *key,
    const char *identifier, const char *key_authorization,
    struct acme_chain **chain, struct acme_error *err);

#endif
