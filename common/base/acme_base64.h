/*
 * base64url without padding (RFC 4648 5, as RFC 8555 6.1 asks), strict: no
 * padding, no white space, no character outside the alphabet, no stray bits.
 */
#ifndef ACME_BASE64_H
#define ACME_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_buf.h"
#include "base/acme_error.h"

/* Appends the encoding of `len` bytes to `out`. */
void acme_base64_encode(struct acme_buf *out, const void *data, size_t len);

/* Appends the decoded bytes.  ACME_WIRE on a malformed input. */
enum acme_rc acme_base64_decode(struct acme_buf *out, const char *text,
    size_t len, struct acme_error *err);

/* Whether every one of `len` bytes is in the base64url alphabet; false for
 * len 0. */
bool acme_base64_is(const char *text, size_t len);

/* RFC 8555 8.1: a token is 1 to ACME_TOKEN_MAX base64url characters. */
bool acme_token_ok(const char *token, size_t len);

#endif
