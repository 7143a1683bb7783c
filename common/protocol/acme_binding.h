/*
 * What a CA hands out to bind a new account to one it has already (RFC 8555
 * 7.3.4): a key identifier and a MAC key, and how administrators write them
 * into files.  Reads no file.
 */
#ifndef ACME_BINDING_H
#define ACME_BINDING_H

#include "base/acme_buf.h"
#include "base/acme_error.h"
#include "base/acme_limits.h"

struct acme_binding {
    char kid[ACME_EAB_KID_MAX + 1]; /* "": there is none */
    char alg[8];                    /* "HS256", "HS384", "HS512" */
    struct acme_buf key;            /* secret */
};

void acme_binding_init(struct acme_binding *binding);
void acme_binding_clear(struct acme_binding *binding); /* wipes the key */

/*
 * Takes the MAC key out of `text`, white space around it left out: base64url
 * (RFC 4648 5, with or without padding), or with kid NULL a JSON object with
 * the members "kid", "hmac" and, if that is not HS256, "alg".  ACME_CONFIG
 * says what is wrong, never with a byte of the text; `binding` is untouched
 * then.
 */
enum acme_rc acme_binding_parse(struct acme_binding *binding, const char *kid,
    const char *alg, const char *text, size_t len, struct acme_error *err);

/* The same of what a frame brought: the bytes of the key. */
enum acme_rc acme_binding_set(struct acme_binding *binding, const char *kid,
    const char *alg, const void *key, size_t len, struct acme_error *err);

/* The OpenSSL name of an algorithm's digest, or NULL: none of the three. */
const char *acme_binding_digest(const char *alg);

#endif
