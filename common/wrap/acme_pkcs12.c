/*
 * PKCS#12.
 */
#include "wrap/acme_pkcs12.h"

#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include "wrap/acme_openssl.h"

/* Guesses of a password are slowed down by so many rounds; readers of old
 * have no trouble with it. */
#define ROUNDS 100000

/* The issuers, borrowed.  NULL: out of memory. */
static STACK_OF(X509) * issuers(const struct acme_chain *chain)
{
    STACK_OF(X509) *list = sk_X509_new_null();
    size_t i;

    for (i = 1; list != NULL && i < acme_chain_count(chain); i++) {
        if (sk_X509_push(list, acme_chain_x509(chain, i)) <= 0) {
            sk_X509_free(list);
            return NULL;
        }
    }
    return list;
}

static enum acme_rc
add_der(const PKCS12 *sealed, struct acme_buf *out, struct acme_error *err)
{
    int len = i2d_PKCS12(sealed, NULL);
    unsigned char *der;

    if (len <= 0)
        return acme_openssl_fail(err, ACME_CRYPTO, "cannot write PKCS#12");
    der = acme_buf_extend(out, (size_t)len);
    if (der == NULL)
        return acme_error_nomem(err);
    if (i2d_PKCS12(sealed, &der) != len)
        return acme_openssl_fail(err, ACME_CRYPTO, "cannot write PKCS#12");
    return ACME_OK;
}

enum acme_rc
acme_pkcs12_render(const struct acme_chain *chain, const struct acme_key *key,
    const char *title, const char *password, struct acme_buf *out,
    struct acme_error *err)
{
    STACK_OF(X509) * list;
    PKCS12 *sealed = NULL;
    enum acme_rc rc = ACME_OK;

    (void)ERR_set_mark();
    list = issuers(chain);
    if (list != NULL)
        sealed = PKCS12_create(password, title, acme_key_evp(key),
            acme_chain_x509(chain, 0), list, NID_aes_256_cbc, NID_aes_256_cbc,
            ROUNDS, -1, 0);
    if (sealed != NULL && PKCS12_set_mac(sealed, password, -1, NULL, 0, ROUNDS,
                              EVP_sha256()) != 1) {
        PKCS12_free(sealed);
        sealed = NULL;
    }
    if (list == NULL)
        rc = acme_error_nomem(err);
    else if (sealed == NULL)
        rc = acme_openssl_fail(err, ACME_CRYPTO, "cannot make PKCS#12");
    else
        rc = add_der(sealed, out, err);
    PKCS12_free(sealed);
    sk_X509_free(list);
    (void)ERR_pop_to_mark();
    return rc;
}
