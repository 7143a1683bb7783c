/*
 * Private keys in the forms that other programs read.
 */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>

#include "wrap/acme_key_private.h"
#include "wrap/acme_openssl.h"

/* PKCS#1 (RFC 8017 A.1.2) or SEC 1 (RFC 5915): only RSA and EC keys have one
 * of their own. */
static enum acme_rc
to_der1(const struct acme_key *key, struct acme_buf *out,
    struct acme_error *err)
{
    unsigned char *der = NULL;
    int len = i2d_PrivateKey(key->evp, &der);
    enum acme_rc rc = ACME_OK;

    if (len <= 0)
        return acme_openssl_fail(err, ACME_NOMEM, "cannot encode the key");
    acme_buf_add(out, der, (size_t)len);
    if (!acme_buf_ok(out))
        rc = acme_error_nomem(err);
    OPENSSL_clear_free(der, (size_t)len);
    return rc;
}

static enum acme_rc
to_pkcs1(const struct acme_key *key, struct acme_buf *out,
    struct acme_error *err)
{
    BIO *bio = BIO_new(BIO_s_mem()); /* wipes what it frees */
    char *data = NULL;
    enum acme_rc rc = ACME_OK;
    long len;

    if (bio == NULL || !PEM_write_bio_PrivateKey_traditional(bio, key->evp,
                           NULL, NULL, 0, NULL, NULL)) {
        rc = acme_openssl_fail(err, ACME_NOMEM, "cannot encode the key");
        goto done;
    }
    len = BIO_get_mem_data(bio, &data);
    acme_buf_add(out, data, (size_t)len);
    if (!acme_buf_ok(out))
        rc = acme_error_nomem(err);

done:
    BIO_free(bio);
    return rc;
}

enum acme_rc
acme_key_to_form(const struct acme_key *key, enum acme_key_form form,
    struct acme_buf *out, struct acme_error *err)
{
    const bool own = form == ACME_KEY_FORM_PKCS1 || form == ACME_KEY_FORM_DER1;
    enum acme_rc rc;

    if (own && key->type == ACME_KEY_ED25519)
        return acme_error_set(err, ACME_CONFIG,
            "an Ed25519 key has no form of its own, as RSA and EC keys have "
            "with pkcs1 and der1: take pkcs8, der8 or json");
    ERR_set_mark();
    switch (form) {
    case ACME_KEY_FORM_PKCS1:
        rc = to_pkcs1(key, out, err);
        break;
    case ACME_KEY_FORM_DER1:
        rc = to_der1(key, out, err);
        break;
    case ACME_KEY_FORM_DER8:
        rc = acme_key_to_der(key, out, err);
        break;
    case ACME_KEY_FORM_JWK:
        rc = acme_key_write_jwk(key, out, err);
        break;
    default:
        rc = acme_key_to_pem(key, out, err);
    }
    ERR_pop_to_mark();
    return rc;
}

/* ---- what others call it ---------------------------------------------- */

static enum acme_rc
certbot_id(const struct acme_key *key, char id[ACME_KEY_CERTBOT_ID_LEN + 1],
    struct acme_error *err)
{
    unsigned char hash[ACME_KEY_CERTBOT_ID_LEN / 2];
    BIO *bio = BIO_new(BIO_s_mem());
    enum acme_rc rc = ACME_OK;
    char *data = NULL;
    size_t i, made = 0;
    long len;

    if (bio == NULL || !PEM_write_bio_PUBKEY(bio, key->evp)) {
        rc = acme_openssl_fail(err, ACME_NOMEM, "cannot encode the key");
        goto done;
    }
    len = BIO_get_mem_data(bio, &data);
    if (!EVP_Q_digest(NULL, "MD5", NULL, data, (size_t)len, hash, &made) ||
        made != sizeof(hash)) {
        rc = acme_openssl_fail(err, ACME_CRYPTO,
            "no MD5 here, which Certbot calls accounts by");
        goto done;
    }
    for (i = 0; i < made; i++)
        (void)snprintf(id + 2 * i, 3, "%02x", hash[i]);

done:
    BIO_free(bio);
    return rc;
}

enum acme_rc
acme_key_certbot_id(const struct acme_key *key,
    char id[ACME_KEY_CERTBOT_ID_LEN + 1], struct acme_error *err)
{
    enum acme_rc rc;

    ERR_set_mark();
    rc = certbot_id(key, id, err);
    ERR_pop_to_mark();
    return rc;
}
