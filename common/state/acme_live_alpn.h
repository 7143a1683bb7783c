/*
 * How a worker answers validations by tls-alpn-01 (RFC 8737): with
 * certificates it makes itself for what is pending in the key area.  The last
 * ones are kept, as a CA comes from several places at once.  Safe for threads.
 */
#ifndef ACME_LIVE_ALPN_H
#define ACME_LIVE_ALPN_H

#include "base/acme_error.h"
#include "state/acme_area.h"
#include "state/acme_live.h"

struct acme_live_alpn;

/* Borrows `area`. */
enum acme_rc acme_live_alpn_new(const struct acme_area *area,
    struct acme_live_alpn **alpn, struct acme_error *err);
void acme_live_alpn_free(struct acme_live_alpn *alpn); /* accepts NULL */

/* Whether something is pending that a client which names the server so
 * (canonical) can be shown. */
bool acme_live_alpn_is_pending(const struct acme_live_alpn *alpn,
    const char *server_name);

/*
 * Puts the certificates for it into the connection, in the place of all
 * others, from within a callback of its handshake.  The client is asked for
 * no certificate, and nothing of the connection can be resumed (S43 of the
 * security notes); that no other data is exchanged is the caller's to see to.
 * ACME_LIVE_NONE: nothing is pending (any more), the connection is as it was.
 */
enum acme_live_result acme_live_alpn_apply(struct acme_live_alpn *alpn,
    const char *server_name, struct ssl_st *ssl);

#endif
