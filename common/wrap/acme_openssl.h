/*
 * What acme_key.c and acme_x509.c share: OpenSSL's failure as an acme_error.
 * The reason is a fixed text of OpenSSL and never quotes its input.
 */
#ifndef ACME_OPENSSL_H
#define ACME_OPENSSL_H

#include <openssl/err.h>
#include <stdbool.h>

#include "base/acme_error.h"

/*
 * Whether a failed allocation is what is in the queue: as its first entry,
 * the cause, or as the last.  Nobody may be told that a good certificate is
 * bad when memory was short.
 */
static inline bool
acme_openssl_no_memory(void)
{
    return ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE ||
           ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE;
}

/* `what: <OpenSSL's reason>`, or ACME_NOMEM if that was the reason. */
static inline enum acme_rc
acme_openssl_fail(struct acme_error *err, enum acme_rc rc, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    if (acme_openssl_no_memory())
        return acme_error_nomem(err);
    return acme_error_set(err, rc, "%s%s%s", what, reason ? ": " : "",
        reason ? reason : "");
}

#endif
