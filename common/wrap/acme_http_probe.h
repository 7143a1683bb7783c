/*
 * Several HTTP requests at once, each to one address: GET over plain http as
 * a CA sends them for http-01 (RFC 8555 8.3), but that no redirect is
 * followed.  What is behind the address is somebody else's, maybe nobody's:
 * little is read of an answer, and nothing of it is a line for people.
 */
#ifndef ACME_HTTP_PROBE_H
#define ACME_HTTP_PROBE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_host.h"
#include "base/acme_limits.h"
#include "wrap/acme_address.h"

enum acme_probe_end {
    ACME_PROBE_NONE,    /* not tried, or cut off by a stop */
    ACME_PROBE_SILENT,  /* no answer in time */
    ACME_PROBE_REFUSED, /* no connection, or it ended too early: `why` */
    ACME_PROBE_ANSWERED /* status and body are there */
};

struct acme_probe {
    const char *name;                /* for the Host header */
    const char *path;                /* from the slash */
    char address[ACME_ADDRESS_TEXT]; /* without brackets */
    unsigned port;
    /* what came of it: */
    enum acme_probe_end end;
    int status;
    char body[ACME_PROBE_BODY_MAX]; /* its begin, as it came */
    size_t body_len;
    char why[96]; /* printable */
};

/*
 * Sends them side by side, some at a time, `ms` for each.  False: the host
 * wants to stop (within a second).  Needs acme_http_curl_setup().  Blocks.
 */
bool acme_http_probe(struct acme_probe *probe, size_t n, unsigned ms,
    const struct acme_host *host);

#endif
