#include "wrap/acme_hash.h"

#include <stdio.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "wrap/acme_openssl.h"

enum acme_rc
acme_hash(const void *data, size_t len, unsigned char digest[ACME_HASH_LEN],
    struct acme_error *err)
{
    enum acme_rc rc = ACME_OK;

    ERR_set_mark();
    /* Only memory can be missing for it. */
    if (EVP_Digest(data, len, digest, NULL, EVP_sha256(), NULL) != 1)
        rc = acme_openssl_fail(err, ACME_NOMEM, "cannot make a hash");
    ERR_pop_to_mark();
    return rc;
}

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

enum acme_rc
acme_hash_mac(const char *digest, const void *key, size_t key_len,
    const void *data, size_t len, struct acme_buf *out, struct acme_error *err)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    size_t n = 0;
    enum acme_rc rc = ACME_OK;

    ERR_set_mark();
    if (EVP_Q_mac(NULL, "HMAC", NULL, digest, NULL, key, key_len, data, len,
            mac, sizeof(mac), &n) == NULL) {
        /* Only memory can be missing for it. */
        rc = acme_openssl_fail(err, ACME_NOMEM, "cannot make a MAC");
    } else {
        acme_buf_add(out, mac, n);
        rc = acme_buf_ok(out) ? ACME_OK : acme_error_nomem(err);
    }
    ERR_pop_to_mark();
    return rc;
}
