/*
 * Revocation lists: where a certificate's is, what one says, verified, and
 * kept as the serials that are on it.  Fetches nothing.  Every function
 * leaves OpenSSL's error queue as it found it.
 */
#ifndef ACME_REVOCATION_H
#define ACME_REVOCATION_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/acme_error.h"
#include "wrap/acme_x509.h"

/* Whether the leaf names anything that may tell; a closer look, which needs
 * memory, may find that it is nothing for us. */
bool acme_revocation_is_told(const struct acme_chain *chain);

/* Whether it is a reason for a revocation as RFC 5280 5.3.1 has it as a word,
 * or "": none was given. */
bool acme_revocation_is_reason(const char *word);

/* A list that was signed by the issuer of certificates.  Immutable. */
struct acme_crl;

/* The first http URL of the leaf's CRL distribution points that tell of all
 * reasons and all of its issuer (RFC 5280 4.2.1.13); false: none. */
bool acme_crl_url(const struct acme_chain *chain, char url[ACME_URL_MAX]);

/*
 * Reads a DER list for the chain's leaf, as fetched from acme_crl_url().
 * ACME_WIRE: malformed, not of the leaf's issuer (the chain's second
 * certificate, which must be there), not of this distribution point, of
 * another scope (RFC 5280 5.2.5), with a critical extension that we do not
 * know, not valid yet, or over; 5 minutes are allowed for clocks.
 */
enum acme_rc acme_crl_read(const void *der, size_t len,
    const struct acme_chain *chain, time_t now, struct acme_crl **crl,
    struct acme_error *err);
void acme_crl_free(struct acme_crl *crl); /* accepts NULL */

/* Whether it was verified with the issuer of this chain's leaf. */
bool acme_crl_is_for(const struct acme_crl *crl,
    const struct acme_chain *chain);

/* When the next one is published. */
time_t acme_crl_next_update(const struct acme_crl *crl);

/* Bytes of memory that it takes. */
size_t acme_crl_size(const struct acme_crl *crl);

/* Whether the leaf is on it; *reason: RFC 5280 5.3.1 has it as a word, ""
 * if none is given. */
bool acme_crl_has(const struct acme_crl *crl, const struct acme_chain *chain,
    const char **reason);

#endif
