/*
 * Certificates: chains as they arrive and are stored, the acceptance check of
 * every certificate before it is served, and the placeholder.  Every function
 * leaves OpenSSL's error queue as it found it.
 */
#ifndef ACME_X509_H
#define ACME_X509_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/acme_buf.h"
#include "base/acme_error.h"
#include "wrap/acme_key.h"

/* An end-entity certificate and its issuers, leaf first.  Immutable. */
struct acme_chain;

/*
 * Certificates of a PEM text; explanatory text between them is skipped
 * (RFC 8555 9.1), anything but certificates is ACME_WIRE, so are no
 * certificate, more than ACME_CHAIN_CERTS_MAX or more than
 * ACME_CHAIN_DER_MAX bytes of them.
 */
enum acme_rc acme_chain_from_pem(const char *pem, size_t len,
    struct acme_chain **chain, struct acme_error *err);

/* The same from DER certificates put one behind the other. */
enum acme_rc acme_chain_from_der(const void *der, size_t len,
    struct acme_chain **chain, struct acme_error *err);

/* How long the first of them is, without a look at what is in it; 0: it is
 * not all there. */
size_t acme_chain_der_first(const void *der, size_t len);

void acme_chain_free(struct acme_chain *chain); /* accepts NULL */

size_t acme_chain_count(const struct acme_chain *chain);

/* Appends certificates [first, last) as PEM or as concatenated DER; last 0
 * means all from first on. */
enum acme_rc acme_chain_to_pem(const struct acme_chain *chain, size_t first,
    size_t last, struct acme_buf *pem, struct acme_error *err);
enum acme_rc acme_chain_to_der(const struct acme_chain *chain, size_t first,
    size_t last, struct acme_buf *der, struct acme_error *err);

/* Certificate i as OpenSSL's X509 (borrowed), for the TLS side only. */
struct x509_st *acme_chain_x509(const struct acme_chain *chain, size_t i);

/* What people and the scheduler want to know of a leaf. */
struct acme_leaf {
    time_t not_before;
    time_t not_after;
    char serial[64];  /* lower-case hex */
    char issuer[128]; /* printable CN, or O, of the issuer */
    /* RFC 9773 4.1: base64url(AKI) "." base64url(serial); "" without AKI */
    char ari_id[128];
    char fingerprint[65]; /* SHA-256, lower-case hex */
};
enum acme_rc acme_chain_leaf(const struct acme_chain *chain,
    struct acme_leaf *leaf, struct acme_error *err);

/* When the leaf is no longer valid; 0: it does not say.  No allocation. */
time_t acme_chain_not_after(const struct acme_chain *chain);

/* Whether the topmost certificate of the chain names an issuer with exactly
 * this CN (its root, which the chain need not have). */
bool acme_chain_ends_at(const struct acme_chain *chain, const char *cn);

/* Canonical DNS names and addresses of the leaf's subjectAltName, one per
 * line (each ended by '\n'), appended to `names`.  Others (an e-mail address,
 * a name with an underscore) are left out.  ACME_REFUSED: the extension is
 * malformed or a name has a NUL byte. */
enum acme_rc acme_chain_names(const struct acme_chain *chain,
    struct acme_buf *names, struct acme_error *err);

struct GENERAL_NAME_st; /* OpenSSL's GENERAL_NAME */

/* The canonical form of one entry of a subjectAltName; false if it is nothing
 * we could ask for (an e-mail address, a name with an underscore or a NUL
 * byte). */
bool acme_x509_name(const struct GENERAL_NAME_st *entry,
    char out[ACME_NAME_MAX + 1]);

/* Whether the leaf's subjectAltName covers `name` itself (a wildcard entry
 * counts for acme_name_covers()). */
bool acme_chain_covers(const struct acme_chain *chain, const char *name);

/*
 * The acceptance check.  ACME_OK, or ACME_REFUSED with the reason:
 * the leaf's key is not `key`; a name is not covered literally (the SAN must
 * contain each of `names`); notAfter has passed; notBefore is more than an
 * hour ahead; a certificate is not signed by the next one, or that one is no
 * CA; the leaf is a CA, lacks serverAuth where it has an EKU, or has an
 * unknown critical extension; a key in the chain is RSA over 8192 or not on a
 * named curve.  (Their number was bounded when they were parsed.)  Surplus
 * names are no error: their number is put into *surplus (may be NULL).
 */
enum acme_rc acme_chain_check(const struct acme_chain *chain,
    const struct acme_key *key, const char *const *names, size_t nnames,
    time_t now, unsigned *surplus, struct acme_error *err);

/* Only the pair: leaf key equals `key`. */
bool acme_chain_matches(const struct acme_chain *chain,
    const struct acme_key *key);

/* How many of the chain are of use to a client: without a root at its end,
 * which a client either has or does not believe (RFC 8446 4.4.2). */
size_t acme_chain_useful(const struct acme_chain *chain);

/* The leaf's public key as acme_key_id() names it. */
enum acme_rc acme_chain_key_id(const struct acme_chain *chain,
    char id[ACME_KEY_ID_LEN + 1], struct acme_error *err);

/* Only the signatures: each certificate is signed by the next one.
 * ACME_REFUSED with the reason. */
enum acme_rc acme_chain_check_links(const struct acme_chain *chain,
    struct acme_error *err);

/* Whether the leaf asks clients to refuse a connection without a stapled
 * answer (RFC 7633: any feature counts, a malformed extension too). */
bool acme_chain_must_staple(const struct acme_chain *chain);

/*
 * A self-signed certificate and its new key: what is served, if so configured,
 * before the first real one.  Valid from yesterday for a year; `title`
 * (printable text) is shown as CN, and it has no other name.
 */
enum acme_rc acme_placeholder_new(const char *title, struct acme_key **key,
    struct acme_chain **chain, struct acme_error *err);

/*
 * Makes a placeholder out to `names` (canonical) instead of those it had, for
 * little more than a signature.  Only for who holds the only reference to it:
 * it is changed.
 */
enum acme_rc acme_placeholder_rename(struct acme_chain *chain,
    const struct acme_key *key, const char *const *names, size_t nnames,
    struct acme_error *err);

#endif
