/*
 * Answers of OCSP responders (RFC 6960): who is to be asked about a
 * certificate, the question, and what an answer says, verified.  Fetches
 * nothing.  Every function leaves OpenSSL's error queue as it found it.
 */
#ifndef ACME_OCSP_H
#define ACME_OCSP_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/acme_error.h"
#include "wrap/acme_x509.h"

/* The first http URL of a responder in the leaf (RFC 5280 4.2.2.1); false:
 * none, or one that has a query already. */
bool acme_ocsp_url(const struct acme_chain *chain, char url[ACME_URL_MAX]);

/*
 * The question about the leaf as a URL to be fetched with GET (RFC 6960 A.1),
 * which caches understand (RFC 5019 5): without a nonce and a signature.
 * ACME_WIRE: the chain has no issuer, or the URL is too long.
 */
enum acme_rc acme_ocsp_question(const struct acme_chain *chain,
    const char *responder, char url[ACME_URL_MAX], struct acme_error *err);

struct acme_ocsp_answer {
    bool revoked;
    const char *reason; /* RFC 5280 5.3.1 has it as a word, or "" */
    time_t this_update; /* what it says was so then */
    time_t next_update; /* when there is another; a day from its beginning if
                           it does not say */
};

/*
 * Reads a DER answer to that question.  ACME_WIRE: malformed, or it is an
 * error; not signed by the leaf's issuer (the chain's second certificate) or
 * by who has a certificate of that issuer for this; with a critical
 * extension; about another certificate; the responder does not know it; not
 * valid yet, or over; 5 minutes are allowed for clocks.
 */
enum acme_rc acme_ocsp_read(const void *der, size_t len,
    const struct acme_chain *chain, time_t now,
    struct acme_ocsp_answer *answer, struct acme_error *err);

/*
 * The same of an answer that clients are to be sent with the leaf (RFC 6066
 * 8): it must be good, not over by our clock, and have at most ACME_STAPLE_MAX
 * bytes.  ACME_REFUSED: it is not.
 */
enum acme_rc acme_ocsp_read_staple(const void *der, size_t len,
    const struct acme_chain *chain, time_t now,
    struct acme_ocsp_answer *answer, struct acme_error *err);

#endif
