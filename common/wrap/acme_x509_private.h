/*
 * What the files behind acme_x509.h and acme_csr.h share: chains and names as
 * OpenSSL has them (acme_x509.c), the acceptance check (acme_x509_check.c),
 * what is made (acme_x509_make.c, acme_csr.c).  None of these functions sets
 * a mark in OpenSSL's error queue: who calls them has.
 */
#ifndef ACME_X509_PRIVATE_H
#define ACME_X509_PRIVATE_H

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/acme_limits.h"
#include "wrap/acme_x509.h"

/* A name takes at least 6 bytes of DER, and at most 7 times as much text. */
#define ACME_X509_NAMES_MAX (ACME_CHAIN_DER_MAX * 7)

struct acme_chain {
    size_t count; /* 1 to ACME_CHAIN_CERTS_MAX */
    size_t der_len;
    X509 *cert[ACME_CHAIN_CERTS_MAX];
};

/* ---- acme_x509.c ------------------------------------------------------ */

/* False: malformed, or out of memory. */
bool acme_x509_time(const ASN1_TIME *asn1, time_t *t);

/* Appends what acme_chain_names() does. */
enum acme_rc acme_x509_names(const X509 *cert, struct acme_buf *names,
    struct acme_error *err);

/* Takes a line of that; NULL behind the last. */
const char *acme_x509_next_name(const char **names,
    char out[ACME_NAME_MAX + 1]);

/* Whether the certificate's key is `key`.  Also false when memory is short. */
bool acme_x509_matches(const X509 *leaf, const struct acme_key *key);

/* ---- acme_x509_make.c ------------------------------------------------- */

/* The subjectAltName (yours) of canonical names; NULL: out of memory. */
GENERAL_NAMES *acme_x509_new_sans(const char *const *names, size_t nnames);

/* At most 64 characters (RFC 5280 A.1, ub-common-name). */
bool acme_x509_add_cn(X509_NAME *subject, const char *cn);

/* What is hashed with, where `key` signs. */
const EVP_MD *acme_x509_digest(const struct acme_key *key);

#endif
