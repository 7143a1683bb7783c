/*
 * What acme_key.c and acme_x509.c share: OpenSSL's failure as an acme_error.
 * The reason is a fixed text of OpenSSL and never quotes its input.
 */
#ifndef ACME_OPENSSL_H
#define ACME_OPENSSL_H

#include <openssl/err.h>

#include "base/acme_error.h"

/* `what: <OpenSSL's reason>`, or ACME_NOMEM if that was the reason. */
static inline enum acme_rc
acme_openssl_fail(struct acme_error *err, enum acme_rc rc, const char *what)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(code);

    if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
        return acme_error_nomem(err);
    return acme_error_set(err, rc, "%s%s%s", what, reason ? ": " : "",
        reason ? reason : "");
}

#endif
