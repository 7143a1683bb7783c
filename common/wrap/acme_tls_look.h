/*
 * Handshakes as an ordinary client makes them, to see which certificate a
 * server shows for a name, and what it sends with it: no certificate is
 * verified, nothing is sent after the handshake.
 */
#ifndef ACME_TLS_LOOK_H
#define ACME_TLS_LOOK_H

#include <stdbool.h>
#include <stddef.h>

#include "wrap/acme_address.h"

/* What came with the certificate (OCSP): nothing, an answer that says now that
 * it is good, or one that clients take for nothing or worse. */
enum acme_tls_staple {
    ACME_TLS_STAPLE_NONE,
    ACME_TLS_STAPLE_GOOD,
    ACME_TLS_STAPLE_BAD
};

struct acme_tls_look {
    const char *name; /* asked for (SNI); an IP address is not sent */
    char address[ACME_ADDRESS_TEXT]; /* without brackets */
    unsigned port;
    size_t algorithm; /* of keys that are taken: acme_key_algorithm_number() */
    /* what came of it: */
    bool shown;
    char fingerprint[65]; /* SHA-256 of the leaf, lower-case hex */
    enum acme_tls_staple staple;
    char why[96]; /* nothing was shown: in our or OpenSSL's words */
};

/*
 * One handshake, of at most `ms` milliseconds for each step.  The process has
 * to ignore SIGPIPE.  Leaves OpenSSL's error queue empty.  Blocks.
 */
void acme_tls_look(struct acme_tls_look *look, unsigned ms);

#endif
