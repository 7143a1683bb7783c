/*
 * What the wrappers of OpenSSL share: its failure as an acme_error.
 * The reason is a fixed text of OpenSSL and never quotes its input.
 */
#ifndef ACME_OPENSSL_H
#define ACME_OPENSSL_H

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <strings.h>

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

/* EVP_PKEY_is_a(), which answers no when memory is short, without memory. */
static inline bool
acme_openssl_is_a(const EVP_PKEY *evp, const char *type)
{
    const char *name = EVP_PKEY_get0_type_name(evp);

    return name != NULL && strcasecmp(name, type) == 0;
}

/* A key read or made while memory was short may be one of 0 bits, for good:
 * OpenSSL asks its provider once. */
static inline bool
acme_openssl_is_whole(const EVP_PKEY *evp)
{
    return evp != NULL && EVP_PKEY_get_bits(evp) > 0 &&
           EVP_PKEY_get_security_bits(evp) > 0;
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
