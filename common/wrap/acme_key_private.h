/*
 * What the files behind acme_key.h share: what keys there are, how they are
 * kept and stored (acme_key.c), and what JOSE makes of them (acme_key_jose.c).
 */
#ifndef ACME_KEY_PRIVATE_H
#define ACME_KEY_PRIVATE_H

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdatomic.h>

#include "wrap/acme_key.h"

struct acme_key {
    EVP_PKEY *evp;
    enum acme_key_type type;
    bool is_public;
    atomic_int refs;
};

/* RFC 7518 3.1, 6.2.1.1; field: bytes of a coordinate, and of r and s. */
struct acme_key_kind {
    const char *name;
    const char *algorithm;
    const char *group; /* NULL: RSA */
    const char *curve; /* "crv" */
    const char *alg;
    const char *digest;
    unsigned bits;
    size_t field;
};

const struct acme_key_kind *acme_key_kind_of(enum acme_key_type type);

/* Of a "crv"; NULL: none of ours. */
const struct acme_key_kind *acme_key_kind_of_curve(const char *curve);

/* What a key is read for: one that is only shown and converted may be of a
 * type that nobody works with here. */
enum acme_key_use {
    ACME_KEY_TO_USE,
    ACME_KEY_TO_SHOW
};

/* Takes `evp` on success only; no mark is set in OpenSSL's error queue. */
enum acme_rc acme_key_wrap(EVP_PKEY *evp, enum acme_key_use use,
    struct acme_key **out, struct acme_error *err);

enum acme_rc acme_key_read_jwk(const char *json, size_t len,
    enum acme_key_use use, struct acme_key **key, struct acme_error *err);

/* The private key as a JWK, appended. */
enum acme_rc acme_key_write_jwk(const struct acme_key *key,
    struct acme_buf *jwk, struct acme_error *err);

enum acme_rc acme_key_sha256(const void *data, size_t len,
    unsigned char out[SHA256_DIGEST_LENGTH], struct acme_error *err);

#endif
