/*
 * What lists (acme_revocation.c) and the answers of responders (acme_ocsp.c)
 * have in common.
 */
#ifndef ACME_REVOCATION_PRIVATE_H
#define ACME_REVOCATION_PRIVATE_H

#include <openssl/x509v3.h>

#include "wrap/acme_revocation.h"

/* The name if it is an http URL. */
bool acme_revocation_url(const GENERAL_NAME *name, char url[ACME_URL_MAX]);

/* A reason of RFC 5280 5.3.1 as a word; "" for what is none. */
const char *acme_revocation_reason(long code);

/*
 * Whether `what` counts now, 5 minutes allowed for clocks, and from when until
 * when: a day where no nextUpdate (NULL) is given.  ACME_WIRE: it does not.
 */
enum acme_rc acme_revocation_times(const char *what,
    const ASN1_TIME *this_update, const ASN1_TIME *next_update, time_t now,
    time_t *start, time_t *next, struct acme_error *err);

#endif
