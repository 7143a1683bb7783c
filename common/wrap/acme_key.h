/*
 * Private keys: making, reading, writing, and what JOSE needs of them.
 * OpenSSL's EVP_PKEY stays inside; every function leaves OpenSSL's error
 * queue as it found it.
 */
#ifndef ACME_KEY_H
#define ACME_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_buf.h"
#include "base/acme_error.h"

enum acme_key_type {
    ACME_KEY_NONE = 0,
    ACME_KEY_ECDSA_256,
    ACME_KEY_ECDSA_384,
    ACME_KEY_ECDSA_521,
    ACME_KEY_RSA_2048,
    ACME_KEY_RSA_3072,
    ACME_KEY_RSA_4096,
    ACME_KEY_ED25519 /* of acme_key_from_any_text() alone */
};

struct acme_key; /* reference counted, immutable */

/*
 * `ecdsa[:256|384|521]` or `rsa[:2048|3072|4096]`, any case; a bare algorithm
 * is its first size.  ACME_CONFIG naming the value and what is known.
 */
enum acme_rc acme_key_type_parse(const char *spec, enum acme_key_type *type,
    struct acme_error *err);

/* "ecdsa:256"; "" for ACME_KEY_NONE. */
const char *acme_key_type_name(enum acme_key_type type);

/* "ecdsa" or "rsa": one key per algorithm can be served. */
const char *acme_key_algorithm(enum acme_key_type type);

/* The algorithms as numbers: 0 "ecdsa", 1 "rsa". */
#define ACME_ALGORITHMS 2
size_t acme_key_algorithm_number(enum acme_key_type type);

/* A new key.  RSA 4096 takes seconds of CPU. */
enum acme_rc acme_key_generate(enum acme_key_type type, struct acme_key **key,
    struct acme_error *err);

struct acme_key *acme_key_ref(struct acme_key *key);
void acme_key_unref(struct acme_key *key); /* accepts NULL */

/*
 * Unencrypted PKCS#8 (DER), and PEM in any unencrypted form OpenSSL reads (an
 * `EC PARAMETERS` block first is allowed).  An encrypted key is an error that
 * says so, never a prompt.  The input is not quoted in the error.  Only the
 * types of enum acme_key_type are accepted.
 */
enum acme_rc acme_key_from_der(const void *der, size_t len,
    struct acme_key **key, struct acme_error *err);
enum acme_rc acme_key_from_pem(const char *pem, size_t len,
    struct acme_key **key, struct acme_error *err);

/* The same of PEM that is encrypted with these bytes; unencrypted PEM is fine
 * too. */
enum acme_rc acme_key_from_encrypted_pem(const char *pem, size_t len,
    const struct acme_buf *passphrase, struct acme_key **key,
    struct acme_error *err);

/*
 * A private key as a JWK (RFC 7517; its members: RFC 7518 6.2, 6.3), as
 * Certbot keeps account keys: EC with "crv", "x", "y" and "d", or RSA with
 * "n", "e" and "d", and with all of "p", "q", "dp", "dq" and "qi" or none of
 * them; other members are ignored.  ACME_CONFIG says what is wrong without
 * quoting it.
 */
enum acme_rc acme_key_from_jwk(const char *json, size_t len,
    struct acme_key **key, struct acme_error *err);

/* A JWK if the text begins with a brace, else PEM. */
enum acme_rc acme_key_from_text(const char *text, size_t len,
    struct acme_key **key, struct acme_error *err);

/*
 * The same for a key that is only to be shown or converted: an Ed25519 key
 * (RFC 8037) will do too, and encrypted PEM with its passphrase (NULL: there
 * is none).  Such a key signs nothing.
 */
enum acme_rc acme_key_from_any_text(const char *text, size_t len,
    const struct acme_buf *passphrase, struct acme_key **key,
    struct acme_error *err);

/* The public half alone (its own reference to `evp`): for comparing, it signs
 * nothing and is never written. */
struct evp_pkey_st;
enum acme_rc acme_key_from_public(struct evp_pkey_st *evp,
    struct acme_key **key, struct acme_error *err);
bool acme_key_is_public(const struct acme_key *key);

/* Appends PKCS#8 to a secret buffer. */
enum acme_rc acme_key_to_der(const struct acme_key *key, struct acme_buf *der,
    struct acme_error *err);
enum acme_rc acme_key_to_pem(const struct acme_key *key, struct acme_buf *pem,
    struct acme_error *err);

/*
 * The private key in one of the forms that programs read, appended to a secret
 * buffer.  ACME_CONFIG: there is no such form of a key of its type.
 */
enum acme_key_form {
    ACME_KEY_FORM_PKCS8, /* "BEGIN PRIVATE KEY" */
    ACME_KEY_FORM_PKCS1, /* "BEGIN RSA PRIVATE KEY", "BEGIN EC PRIVATE KEY" */
    ACME_KEY_FORM_DER8,
    ACME_KEY_FORM_DER1,
    ACME_KEY_FORM_JWK /* one line, the members of RFC 7518 6.2, 6.3 or of RFC
                         8037 2; numbers of EC keys padded */
};
enum acme_rc acme_key_to_form(const struct acme_key *key,
    enum acme_key_form form, struct acme_buf *out, struct acme_error *err);

/* What Certbot calls the account of a key: MD5 over its public key as PEM. */
#define ACME_KEY_CERTBOT_ID_LEN 32
enum acme_rc acme_key_certbot_id(const struct acme_key *key,
    char id[ACME_KEY_CERTBOT_ID_LEN + 1], struct acme_error *err);

enum acme_key_type acme_key_type_of(const struct acme_key *key);

/*
 * The public key as a JWK with just the members RFC 7638 3.2 asks for, in its
 * order and without white space; EC coordinates are padded to the field size
 * (RFC 7518 6.2.1.2).
 */
enum acme_rc acme_key_jwk(const struct acme_key *key, struct acme_buf *jwk,
    struct acme_error *err);

/* base64url(SHA-256(JWK)), RFC 7638. */
enum acme_rc acme_key_thumbprint(const struct acme_key *key,
    char thumbprint[ACME_THUMBPRINT_LEN + 1], struct acme_error *err);

/* JWS "alg": ES256, ES384, ES512 or RS256. */
const char *acme_key_jws_alg(const struct acme_key *key);

/* Appends the JWS signature bytes (RFC 7518 3.3, 3.4: r||s, padded). */
enum acme_rc acme_key_sign(const struct acme_key *key, const void *data,
    size_t len, struct acme_buf *signature, struct acme_error *err);

/*
 * First 32 hex digits of SHA-256 over the public key (SubjectPublicKeyInfo):
 * the name of a key in the state directory.
 */
#define ACME_KEY_ID_LEN 32
enum acme_rc acme_key_id(const struct acme_key *key,
    char id[ACME_KEY_ID_LEN + 1], struct acme_error *err);

/* The EVP_PKEY (borrowed), for certificates and the TLS side only. */
struct evp_pkey_st *acme_key_evp(const struct acme_key *key);

#endif
