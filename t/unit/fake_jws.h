/*
 * The receiving side of RFC 8555 6.2, independent of the code under test:
 * takes a flattened JWS apart and verifies it with a JWK.
 */
#ifndef FAKE_JWS_H
#define FAKE_JWS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct fake_jws {
    json_t *header;  /* decoded protected header; NULL: not a JWS */
    char *protected; /* the same as text */
    char *payload;   /* decoded, NUL added */
    size_t payload_len;
    char *input; /* what is signed */
    unsigned char *signature;
    size_t signature_len;
};

/* Always to be cleared; false: not a flattened JWS. */
bool fake_jws_parse(const char *text, size_t len, struct fake_jws *jws);
void fake_jws_clear(struct fake_jws *jws);

/* NULL, or what is wrong with it: members, algorithm, signature. */
const char *fake_jws_verify(const struct fake_jws *jws, const json_t *jwk);

/* The same of a MAC (RFC 8555 7.3.4): alg, kid and url, and no nonce. */
const char *fake_jws_verify_mac(const struct fake_jws *jws, const void *key,
    size_t len);

/* RFC 7638; `out` has room for 44 bytes. */
bool fake_jws_thumbprint(const json_t *jwk, char *out);

/* Strict base64url; a new NUL-terminated buffer or NULL. */
unsigned char *fake_b64_decode(const char *text, size_t *len);

#endif
