/*
 * acmectl check: what its files share.  What is to be asked over the network
 * is a list of plain values, which a process without a way to the state
 * directory works through.
 */
#ifndef ACME_CTL_CHECK_H
#define ACME_CTL_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_limits.h"
#include "wrap/acme_tls_look.h"
#include "wrap/acme_x509.h"

enum ctl_probe_kind {
    CTL_PROBE_TLS, /* which certificate is shown */
    CTL_PROBE_OCSP /* what the CA says of one */
};

/* One question.  Everything but the answer is the asker's, and lives as long
 * as the question. */
struct ctl_probe {
    enum ctl_probe_kind kind;
    size_t lineage; /* the asker's number for it */
    /* CTL_PROBE_TLS; also `why` of the other kind: */
    struct acme_tls_look look;
    const char *host; /* a name to find the address by, or NULL */
    /* CTL_PROBE_OCSP: */
    const struct acme_chain *chain;
    const char *directory; /* of the CA, "" unknown */
    const char *proxy;     /* or NULL */
    const char *proxy_pem; /* the certificates to trust in it, or NULL */
    bool answered, revoked;
    char reason[24]; /* of RFC 5280 5.3.1, or "" */
};

/*
 * Asks, in a process of its own: not root, without the state directory, which
 * writes no file.  Answers come back as plain values and are put into the
 * probes; a probe without one has a `why`.  Returns false if the process could
 * not be started.  Blocks for as long as the slowest take.
 */
bool ctl_probe_all(struct ctl_probe *probe, size_t n);

#define CTL_HOST_MAX 256

/* "HOST:PORT", "HOST" (port 443) or "[IPV6]:PORT"; false: it is none. */
bool ctl_probe_place(const char *place, char host[CTL_HOST_MAX],
    unsigned *port);

#endif
