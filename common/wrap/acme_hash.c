#include "wrap/acme_hash.h"

#include <stdio.h>

#include <openssl/err.h>
#include <openssl/evp.h>

void
acme_hash_hex(const void *data, size_t len, char hex[ACME_HASH_HEX])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0, i;

    hex[0] = '\0';
    ERR_set_mark();
    if (EVP_Digest(data, len, digest, &n, EVP_sha256(), NULL) == 1) {
        for (i = 0; i < n; i++)
            (void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    }
    ERR_pop_to_mark();
}
