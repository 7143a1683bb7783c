/*
 * Keys of transaction signatures (RFC 8945), as administrators have them in
 * files: BIND's, knot's, and the line that nsupdate and kdig take.  Reads no
 * file.
 */
#ifndef ACME_TSIG_H
#define ACME_TSIG_H

#include "base/acme_buf.h"
#include "base/acme_error.h"
#include "base/acme_limits.h"

struct acme_tsig {
    char name[ACME_NAME_MAX + 1]; /* lower case, without a final dot */
    char alg[16];           /* "hmac-sha256", "hmac-sha384", "hmac-sha512" */
    struct acme_buf secret; /* base64 (RFC 4648 4), as text */
};

void acme_tsig_init(struct acme_tsig *key);
void acme_tsig_clear(struct acme_tsig *key); /* wipes the secret */

/*
 * Takes the key out of a file's text:
 *     key "name" { algorithm hmac-sha256; secret "base64"; };
 *     key: [ - id: name, algorithm: ..., secret: ... ], one on a line each
 *     [algorithm:]name:secret    (hmac-sha256 if that is missing)
 * with comments and in any white space.  ACME_CONFIG says what is wrong,
 * never with a byte of the text; `key` is empty or as it was then.
 */
enum acme_rc acme_tsig_parse(struct acme_tsig *key, const char *text,
    size_t len, struct acme_error *err);

/* The same of its three parts. */
enum acme_rc acme_tsig_set(struct acme_tsig *key, const char *name,
    const char *alg, const char *secret, size_t len, struct acme_error *err);

#endif
