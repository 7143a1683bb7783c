/* SHA-256, as the state directory writes it, and MACs. */
#ifndef ACME_HASH_H
#define ACME_HASH_H

#include <stddef.h>

#include "base/acme_buf.h"
#include "base/acme_error.h"

#define ACME_HASH_HEX 65

#define ACME_HASH_LEN 32

/* SHA-256 of `len` bytes.  ACME_NOMEM. */
enum acme_rc acme_hash(const void *data, size_t len,
    unsigned char digest[ACME_HASH_LEN], struct acme_error *err);

/* Lower-case hex of SHA-256 over `len` bytes; "" when OpenSSL fails. */
void acme_hash_hex(const void *data, size_t len, char hex[ACME_HASH_HEX]);

/* Appends HMAC of `len` bytes (RFC 2104); digest: "SHA256", "SHA384",
 * "SHA512". */
enum acme_rc acme_hash_mac(const char *digest, const void *key, size_t key_len,
    const void *data, size_t len, struct acme_buf *out,
    struct acme_error *err);

#endif
