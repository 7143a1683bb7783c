/*
 * The addresses of a host by name servers that an operator has named for it,
 * instead of those of the machine.
 */
#ifndef ACME_RESOLVE_H
#define ACME_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_buf.h"
#include "base/acme_error.h"
#include "wrap/acme_dns.h"

struct acme_resolve {
    struct acme_dns_servers servers; /* that find answers; none: not asked */
    unsigned timeout;                /* seconds for all of it; 0: 30 */
    bool no_ipv4, no_ipv6;           /* such addresses are not wanted */
};

/*
 * Appends the addresses of a canonical name, "192.0.2.1,[2001:db8::1]".
 * *ttl: for how many seconds they may be used, at least 5 and at most 300.
 * ACME_NET: there are none, or nobody says so; with the name in the text.
 * ACME_STOPPING, ACME_NOMEM.  Blocks; host->wait is called.
 */
enum acme_rc acme_resolve(const struct acme_resolve *resolve, const char *name,
    const struct acme_host *host, struct acme_buf *addresses, unsigned *ttl,
    struct acme_error *err);

#endif
