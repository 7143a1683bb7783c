/*
 * Several TLS handshakes at once, each with one address, as a CA makes them
 * for tls-alpn-01 (RFC 8737 3): the server is asked for an identifier, over
 * acme-tls/1 alone, and what it shows is judged.  Who is behind the address is
 * somebody else, maybe nobody: nothing but the handshake is sent or read.
 */
#ifndef ACME_ALPN_PROBE_H
#define ACME_ALPN_PROBE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_host.h"
#include "wrap/acme_address.h"
#include "wrap/acme_alpn.h"

enum acme_alpn_end {
    ACME_ALPN_NOT_TRIED, /* or cut off by a stop */
    ACME_ALPN_SILENT,    /* no answer in time */
    ACME_ALPN_REFUSED,   /* no connection, or it ended too early: `why` */
    ACME_ALPN_ANSWERED   /* `proof` says how */
};

struct acme_alpn_probe {
    const char *identifier;          /* canonical, no wildcard */
    const char *answer;              /* key authorization */
    char address[ACME_ADDRESS_TEXT]; /* without brackets */
    unsigned port;
    /* what came of it: */
    enum acme_alpn_end end;
    enum acme_alpn_proof proof;
    char why[96]; /* of NO_HANDSHAKE too; of our own or OpenSSL's words */
};

/*
 * Shakes hands side by side, some at a time, `ms` for each.  False: the host
 * wants to stop (within a second).  The process has to ignore SIGPIPE.  Leaves
 * OpenSSL's error queue empty, as a handshake does anyway.  Blocks.
 */
bool acme_alpn_probe(struct acme_alpn_probe *probe, size_t n, unsigned ms,
    const struct acme_host *host);

#endif
