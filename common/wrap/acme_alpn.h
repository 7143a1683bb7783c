/*
 * tls-alpn-01 (RFC 8737): what a ClientHello has to say to be a CA's
 * validation, the certificate it is answered with, and how a CA judges that.
 * Pure bytes but for the certificate; leaves OpenSSL's error queue as it found
 * it.
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

/* What a server has shown to who asked it to prove an identifier. */
enum acme_alpn_proof {
    ACME_ALPN_PROVEN,
    ACME_ALPN_NO_HANDSHAKE, /* of TLS 1.2 or newer */
    ACME_ALPN_NO_PROTOCOL,  /* acme-tls/1 was not agreed upon */
    ACME_ALPN_ORDINARY,     /* a certificate without acmeIdentifier */
    ACME_ALPN_OTHER_NAME,   /* not exactly that one identifier */
    ACME_ALPN_MALFORMED,    /* several, or one not critical or no digest */
    ACME_ALPN_ISSUED,       /* not self-signed */
    ACME_ALPN_OTHER_ANSWER, /* well-formed, of another key authorization */
    ACME_ALPN_NOT_JUDGED    /* memory is short */
};

/* As a CA judges the certificate that was shown where acme-tls/1 was agreed
 * upon (RFC 8737 3, RFC 8738 6); `identifier` canonical. */
enum acme_alpn_proof acme_alpn_judge(struct x509_st *cert,
    const char *identifier, const char *key_authorization);

#endif
