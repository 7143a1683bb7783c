/* SHA-256, as the state directory writes it. */
#ifndef ACME_HASH_H
#define ACME_HASH_H

#include <stddef.h>

#define ACME_HASH_HEX 65

/* Lower-case hex of SHA-256 over `len` bytes; "" when OpenSSL fails. */
void acme_hash_hex(const void *data, size_t len, char hex[ACME_HASH_HEX]);

#endif
