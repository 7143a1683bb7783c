/*
 * Signing requests (PKCS#10, RFC 2986): ours, and those of an operator who
 * keeps the key to himself.  Every function leaves OpenSSL's error queue as it
 * found it.
 */
#ifndef ACME_CSR_H
#define ACME_CSR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_buf.h"
#include "base/acme_error.h"
#include "wrap/acme_key.h"

/* A request that somebody else has made.  Immutable. */
struct acme_csr;

/*
 * PEM (the first request in it) or DER, whichever it is.  ACME_CONFIG: what is
 * wrong with it: no request, signed by another key than the one in it, a key
 * of no type of ours, no subjectAltName, a name there that no CA is asked for,
 * a common name that is not among them.
 */
enum acme_rc acme_csr_parse(const void *data, size_t len,
    struct acme_csr **csr, struct acme_error *err);
void acme_csr_free(struct acme_csr *csr); /* accepts NULL */

/* As it is sent (borrowed). */
const struct acme_buf *acme_csr_der(const struct acme_csr *csr);

/* Appends it as PEM.  ACME_NOMEM. */
enum acme_rc acme_csr_to_pem(const struct acme_csr *csr, struct acme_buf *pem,
    struct acme_error *err);

/* Its names (canonical, borrowed). */
size_t acme_csr_nnames(const struct acme_csr *csr);
const char *acme_csr_name(const struct acme_csr *csr, size_t i);

/* Its subject as text for people, "CN=a.test, O=Company", appended: printable;
 * nothing of an empty one. */
enum acme_rc acme_csr_subject(const struct acme_csr *csr,
    struct acme_buf *text, struct acme_error *err);

/* Its public key (borrowed): it signs nothing and cannot be written. */
struct acme_key *acme_csr_key(const struct acme_csr *csr);

/* Whether it asks for must-staple (RFC 7633). */
bool acme_csr_must_staple(const struct acme_csr *csr);

/*
 * Whether its names are exactly `names` (canonical), in any order.
 * ACME_CONFIG shows both, and which of them are the difference.
 */
enum acme_rc acme_csr_check_names(const struct acme_csr *csr,
    const char *const *names, size_t nnames, struct acme_error *err);

/* A part of a subject: C, ST, L, O, OU, street, postalCode or emailAddress, or
 * country, state, city, company, unit, streetAddress, postal_code, email, in
 * any case; and its value in UTF-8. */
struct acme_csr_field {
    const char *name;
    const char *value;
};

/* Whether a subject can have it.  ACME_CONFIG: no such field, or no such value
 * of it. */
enum acme_rc acme_csr_field_check(const struct acme_csr_field *field,
    struct acme_error *err);

/* What a request has besides names; all zero: nothing. */
struct acme_csr_terms {
    const char *cn;   /* of the subject: at most 64 bytes; NULL: empty */
    bool must_staple; /* status_request (RFC 7633) */
    size_t nfields;   /* more of the subject, checked */
    const struct acme_csr_field *field;
};

/*
 * Appends a PKCS#10 request (DER): all names in the subjectAltName, signed
 * with SHA-256 (SHA-384/512 for the larger curves).  terms NULL: none.
 */
enum acme_rc acme_csr_new(const struct acme_key *key, const char *const *names,
    size_t nnames, const struct acme_csr_terms *terms, struct acme_buf *der,
    struct acme_error *err);

#endif
