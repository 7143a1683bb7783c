#include "wrap/acme_key.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/acme_log.h"
#include "wrap/acme_key_private.h"
#include "wrap/acme_openssl.h"

static const struct acme_key_kind kinds[] = {
    [ACME_KEY_NONE] = { "", "", NULL, "", "", "", 0, 0 },
    [ACME_KEY_ECDSA_256] = { "ecdsa:256", "ecdsa", "prime256v1", "P-256",
        "ES256", "SHA256", 256, 32 },
    [ACME_KEY_ECDSA_384] = { "ecdsa:384", "ecdsa", "secp384r1", "P-384",
        "ES384", "SHA384", 384, 48 },
    [ACME_KEY_ECDSA_521] = { "ecdsa:521", "ecdsa", "secp521r1", "P-521",
        "ES512", "SHA512", 521, 66 },
    [ACME_KEY_RSA_2048] = { "rsa:2048", "rsa", NULL, "", "RS256", "SHA256",
        2048, 0 },
    [ACME_KEY_RSA_3072] = { "rsa:3072", "rsa", NULL, "", "RS256", "SHA256",
        3072, 0 },
    [ACME_KEY_RSA_4096] = { "rsa:4096", "rsa", NULL, "", "RS256", "SHA256",
        4096, 0 },
    [ACME_KEY_ED25519] = { "ed25519", "ed25519", NULL, "Ed25519", "EdDSA", "",
        256, 32 },
};

/* Of those that are used. */
#define KINDS ((size_t)ACME_KEY_ED25519)

const struct acme_key_kind *
acme_key_kind_of(enum acme_key_type type)
{
    return &kinds[(size_t)type <= KINDS ? type : ACME_KEY_NONE];
}

const struct acme_key_kind *
acme_key_kind_of_curve(const char *curve)
{
    size_t i;

    for (i = 1; curve != NULL && i < KINDS; i++)
        if (kinds[i].group != NULL && strcmp(kinds[i].curve, curve) == 0)
            return &kinds[i];
    return NULL;
}

enum acme_rc
acme_key_type_parse(const char *spec, enum acme_key_type *type,
    struct acme_error *err)
{
    size_t len = strlen(spec);
    char shown[64];
    size_t i;

    for (i = 1; i < KINDS; i++) {
        const char *name = kinds[i].name;

        /* a bare algorithm: the first of its kinds comes first */
        if (strcasecmp(spec, name) == 0 ||
            strcasecmp(spec, kinds[i].algorithm) == 0) {
            *type = (enum acme_key_type)i;
            return ACME_OK;
        }
    }
    acme_log_clean(shown, sizeof(shown), spec, len);
    return acme_error_set(err, ACME_CONFIG,
        "unknown key type \"%s\": use ecdsa[:256|384|521] or "
        "rsa[:2048|3072|4096]",
        shown);
}

const char *
acme_key_type_name(enum acme_key_type type)
{
    return acme_key_kind_of(type)->name;
}

const char *
acme_key_algorithm(enum acme_key_type type)
{
    return acme_key_kind_of(type)->algorithm;
}

size_t
acme_key_algorithm_number(enum acme_key_type type)
{
    return strcmp(acme_key_algorithm(type), "rsa") == 0;
}

/*
 * The name of a curve, "" if its parameters are spelled out instead.  False:
 * out of memory, as a key of a curve that is not spelled out has its name.
 */
static bool
named_curve(const EVP_PKEY *evp, char *group, size_t size)
{
    int is_explicit = 1;

    group[0] = '\0';
    if (!EVP_PKEY_get_int_param(evp,
            OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &is_explicit))
        return false;
    return is_explicit || EVP_PKEY_get_utf8_string_param(evp,
                              OSSL_PKEY_PARAM_GROUP_NAME, group, size, NULL);
}

/* What a key is, ACME_KEY_NONE if it is none of ours; false: out of memory. */
static bool
classify(const EVP_PKEY *evp, enum acme_key_type *type)
{
    bool rsa = acme_openssl_is_a(evp, "RSA");
    unsigned bits = (unsigned)EVP_PKEY_get_bits(evp);
    char group[64] = "";
    size_t i;

    *type = ACME_KEY_NONE;
    if (!acme_openssl_is_whole(evp) ||
        (acme_openssl_is_a(evp, "EC") &&
            !named_curve(evp, group, sizeof(group))))
        return false;
    for (i = 1; i < KINDS; i++) {
        if (kinds[i].group == NULL ? rsa && kinds[i].bits == bits
                                   : strcmp(kinds[i].group, group) == 0)
            *type = (enum acme_key_type)i;
    }
    if (acme_openssl_is_a(evp, "ED25519"))
        *type = ACME_KEY_ED25519;
    return true;
}

/* As OpenSSL calls it: "ED25519". */
static const char *
name_of(const EVP_PKEY *evp)
{
    const char *name = EVP_PKEY_get0_type_name(evp);

    return name != NULL ? name : "unknown";
}

enum acme_rc
acme_key_wrap(EVP_PKEY *evp, enum acme_key_use use, struct acme_key **out,
    struct acme_error *err)
{
    enum acme_key_type type;
    struct acme_key *key;

    if (!classify(evp, &type))
        return acme_error_nomem(err);
    if (type == ACME_KEY_NONE ||
        (type == ACME_KEY_ED25519 && use != ACME_KEY_TO_SHOW))
        return acme_error_set(err, ACME_CONFIG,
            "a key of this type or size cannot be used (%s, %d bits): it must "
            "be ECDSA (P-256, P-384, P-521) or RSA (2048, 3072, 4096 bits)",
            name_of(evp), EVP_PKEY_get_bits(evp));
    key = calloc(1, sizeof(*key));
    if (key == NULL)
        return acme_error_nomem(err);
    key->evp = evp;
    key->type = type;
    atomic_init(&key->refs, 1);
    *out = key;
    return ACME_OK;
}

enum acme_rc
acme_key_from_public(EVP_PKEY *evp, struct acme_key **key,
    struct acme_error *err)
{
    enum acme_rc rc;

    ERR_set_mark();
    rc = acme_key_wrap(evp, ACME_KEY_TO_USE, key, err);
    if (rc == ACME_OK) {
        EVP_PKEY_up_ref(evp);
        (*key)->is_public = true;
    }
    ERR_pop_to_mark();
    return rc;
}

bool
acme_key_is_public(const struct acme_key *key)
{
    return key->is_public;
}

static enum acme_rc
generate(enum acme_key_type type, struct acme_key **key,
    struct acme_error *err)
{
    const struct acme_key_kind *kind = acme_key_kind_of(type);
    EVP_PKEY *evp = NULL;
    enum acme_rc rc;

    if (kind->bits == 0)
        return acme_error_set(err, ACME_CONFIG, "no key type given");
    evp = kind->group ? EVP_EC_gen(kind->group)
                      : EVP_RSA_gen((size_t)kind->bits);
    if (evp == NULL)
        return acme_openssl_fail(err, ACME_CRYPTO, "cannot make a key");
    rc = acme_key_wrap(evp, ACME_KEY_TO_USE, key, err);
    if (rc != ACME_OK)
        EVP_PKEY_free(evp);
    return rc;
}

enum acme_rc
acme_key_generate(enum acme_key_type type, struct acme_key **key,
    struct acme_error *err)
{
    enum acme_rc rc;

    ERR_set_mark();
    rc = generate(type, key, err);
    ERR_pop_to_mark();
    return rc;
}

struct acme_key *
acme_key_ref(struct acme_key *key)
{
    atomic_fetch_add_explicit(&key->refs, 1, memory_order_relaxed);
    return key;
}

void
acme_key_unref(struct acme_key *key)
{
    if (key == NULL ||
        atomic_fetch_sub_explicit(&key->refs, 1, memory_order_acq_rel) != 1)
        return;
    EVP_PKEY_free(key->evp); /* wipes the private part */
    free(key);
}

static enum acme_rc
encrypted(struct acme_error *err)
{
    return acme_error_set(err, ACME_CONFIG,
        "the private key is encrypted: remove its passphrase, as nobody is "
        "there to type it");
}

/* RFC 5958 3: EncryptedPrivateKeyInfo has the shape of an X509_SIG. */
static bool
is_encrypted_der(const unsigned char *der, size_t len)
{
    X509_SIG *sealed = d2i_X509_SIG(NULL, &der, (long)len);

    X509_SIG_free(sealed);
    return sealed != NULL;
}

/* EVP_PKCS82PKEY() would take three times as long to find a decoder. */
static EVP_PKEY *
decode(const PKCS8_PRIV_KEY_INFO *info, const unsigned char *der, size_t len)
{
    const ASN1_OBJECT *algorithm = NULL;

    if (!PKCS8_pkey_get0(&algorithm, NULL, NULL, NULL, info))
        return NULL;
    return d2i_PrivateKey(OBJ_obj2nid(algorithm), NULL, &der, (long)len);
}

static enum acme_rc
from_der(const unsigned char *der, size_t len, struct acme_key **key,
    struct acme_error *err)
{
    const unsigned char *p = der;
    PKCS8_PRIV_KEY_INFO *info = NULL;
    EVP_PKEY *evp = NULL;
    enum acme_rc rc;

    if (len > LONG_MAX)
        return acme_error_set(err, ACME_CONFIG, "private key too long");
    info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)len);
    if (info != NULL && p == der + len)
        evp = decode(info, der, len);
    if (evp != NULL)
        rc = acme_key_wrap(evp, ACME_KEY_TO_USE, key, err);
    else if (info == NULL && is_encrypted_der(der, len))
        rc = encrypted(err);
    else
        rc = acme_openssl_fail(err, ACME_CONFIG, "malformed private key");
    if (rc != ACME_OK)
        EVP_PKEY_free(evp);
    PKCS8_PRIV_KEY_INFO_free(info); /* wipes the key */
    return rc;
}

enum acme_rc
acme_key_from_der(const void *der, size_t len, struct acme_key **key,
    struct acme_error *err)
{
    enum acme_rc rc;

    ERR_set_mark();
    rc = from_der(der, len, key, err);
    ERR_pop_to_mark();
    return rc;
}

/* OpenSSL would ask at the terminal; -1 is "no passphrase". */
static int
refuse_passphrase(char *buf, int size, int rwflag, void *asked)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    *(bool *)asked = true;
    return -1;
}

/* In any of the forms there are. */
static enum acme_rc
from_any_pem(BIO *bio, enum acme_key_use use, struct acme_key **key,
    struct acme_error *err)
{
    bool asked = false;
    EVP_PKEY *evp;
    enum acme_rc rc;

    evp = PEM_read_bio_PrivateKey(bio, NULL, refuse_passphrase, &asked);
    if (evp != NULL)
        rc = acme_key_wrap(evp, use, key, err);
    else if (asked)
        rc = encrypted(err);
    else
        rc = acme_openssl_fail(err, ACME_CONFIG, "no private key found");
    if (rc != ACME_OK)
        EVP_PKEY_free(evp);
    return rc;
}

/* Our own form first, for which nothing has to be tried out. */
static enum acme_rc
from_pem(const char *pem, size_t len, struct acme_key **key,
    struct acme_error *err)
{
    char *name = NULL, *header = NULL;
    unsigned char *der = NULL;
    long der_len = 0;
    BIO *bio = NULL;
    enum acme_rc rc;

    if (len > INT_MAX)
        return acme_error_set(err, ACME_CONFIG, "private key too long");
    bio = BIO_new_mem_buf(pem, (int)len);
    if (bio == NULL)
        return acme_error_nomem(err);
    if (PEM_read_bio(bio, &name, &header, &der, &der_len) &&
        strcmp(name, PEM_STRING_PKCS8INF) == 0 && header[0] == '\0') {
        rc = from_der(der, (size_t)der_len, key, err);
    } else {
        (void)BIO_reset(bio);
        rc = from_any_pem(bio, ACME_KEY_TO_USE, key, err);
    }
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_clear_free(der, (size_t)der_len);
    BIO_free(bio);
    return rc;
}

enum acme_rc
acme_key_from_pem(const char *pem, size_t len, struct acme_key **key,
    struct acme_error *err)
{
    enum acme_rc rc;

    ERR_set_mark();
    rc = from_pem(pem, len, key, err);
    ERR_pop_to_mark();
    return rc;
}

/* PEM_read_bio_PrivateKey() asks for it here. */
static int
give_passphrase(char *out, int size, int writing, void *ctx)
{
    const struct acme_buf *passphrase = ctx;

    if (writing || size < 0 || passphrase->len > (size_t)size)
        return -1;
    memcpy(out, passphrase->data, passphrase->len);
    return (int)passphrase->len;
}

/* A passphrase that is NULL: there is none. */
static enum acme_rc
from_sealed_pem(const char *pem, size_t len, const struct acme_buf *passphrase,
    enum acme_key_use use, struct acme_key **key, struct acme_error *err)
{
    EVP_PKEY *evp = NULL;
    BIO *bio = NULL;
    enum acme_rc rc;

    if (len > INT_MAX)
        return acme_error_set(err, ACME_CONFIG, "private key too long");
    ERR_set_mark();
    bio = BIO_new_mem_buf(pem, (int)len);
    if (bio == NULL) {
        rc = acme_error_nomem(err);
        goto done;
    }
    if (passphrase == NULL) {
        rc = from_any_pem(bio, use, key, err);
        goto done;
    }
    evp = PEM_read_bio_PrivateKey(bio, NULL, give_passphrase,
        (void *)(uintptr_t)passphrase);
    if (evp != NULL)
        rc = acme_key_wrap(evp, use, key, err);
    else
        rc = acme_openssl_fail(err, ACME_CONFIG,
            "no private key found that opens with the passphrase");
    if (rc != ACME_OK)
        EVP_PKEY_free(evp);

done:
    BIO_free(bio);
    ERR_pop_to_mark();
    return rc;
}

enum acme_rc
acme_key_from_encrypted_pem(const char *pem, size_t len,
    const struct acme_buf *passphrase, struct acme_key **key,
    struct acme_error *err)
{
    return from_sealed_pem(pem, len, passphrase, ACME_KEY_TO_USE, key, err);
}

/* Whether a text begins like JSON. */
static bool
is_json(const char *text, size_t len)
{
    size_t i = 0;

    while (i < len && strchr(" \t\r\n", text[i]) != NULL && text[i] != '\0')
        i++;
    return i < len && text[i] == '{';
}

enum acme_rc
acme_key_from_any_text(const char *text, size_t len,
    const struct acme_buf *passphrase, struct acme_key **key,
    struct acme_error *err)
{
    return is_json(text, len)
               ? acme_key_read_jwk(text, len, ACME_KEY_TO_SHOW, key, err)
               : from_sealed_pem(text, len, passphrase, ACME_KEY_TO_SHOW, key,
                     err);
}

enum acme_rc
acme_key_from_text(const char *text, size_t len, struct acme_key **key,
    struct acme_error *err)
{
    return is_json(text, len) ? acme_key_from_jwk(text, len, key, err)
                              : acme_key_from_pem(text, len, key, err);
}

/* ---- writing ---------------------------------------------------------- */

static enum acme_rc
to_der(const struct acme_key *key, struct acme_buf *der,
    struct acme_error *err)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key->evp);
    unsigned char *p;
    int len = -1;
    enum acme_rc rc = ACME_OK;

    if (info != NULL)
        len = i2d_PKCS8_PRIV_KEY_INFO(info, NULL);
    if (len <= 0) {
        rc = acme_openssl_fail(err, ACME_NOMEM, "cannot encode the key");
        goto done;
    }
    p = acme_buf_extend(der, (size_t)len);
    if (p == NULL)
        rc = acme_error_nomem(err);
    else
        i2d_PKCS8_PRIV_KEY_INFO(info, &p);

done:
    PKCS8_PRIV_KEY_INFO_free(info); /* wipes the key */
    return rc;
}

enum acme_rc
acme_key_to_der(const struct acme_key *key, struct acme_buf *der,
    struct acme_error *err)
{
    enum acme_rc rc;

    ERR_set_mark();
    rc = to_der(key, der, err);
    ERR_pop_to_mark();
    return rc;
}

static enum acme_rc
to_pem(const struct acme_key *key, struct acme_buf *pem,
    struct acme_error *err)
{
    BIO *bio = BIO_new(BIO_s_mem()); /* wipes what it frees */
    char *data = NULL;
    long len;
    enum acme_rc rc = ACME_OK;

    if (bio == NULL || !PEM_write_bio_PKCS8PrivateKey(bio, key->evp, NULL,
                           NULL, 0, NULL, NULL)) {
        rc = acme_openssl_fail(err, ACME_NOMEM, "cannot encode the key");
        goto done;
    }
    len = BIO_get_mem_data(bio, &data);
    acme_buf_add(pem, data, (size_t)len);
    if (!acme_buf_ok(pem))
        rc = acme_error_nomem(err);

done:
    BIO_free(bio);
    return rc;
}

enum acme_rc
acme_key_to_pem(const struct acme_key *key, struct acme_buf *pem,
    struct acme_error *err)
{
    enum acme_rc rc;

    ERR_set_mark();
    rc = to_pem(key, pem, err);
    ERR_pop_to_mark();
    return rc;
}

enum acme_key_type
acme_key_type_of(const struct acme_key *key)
{
    return key->type;
}

enum acme_rc
acme_key_sha256(const void *data, size_t len,
    unsigned char out[SHA256_DIGEST_LENGTH], struct acme_error *err)
{
    /* Only memory can be missing for it. */
    if (!EVP_Q_digest(NULL, "SHA256", NULL, data, len, out, NULL))
        return acme_openssl_fail(err, ACME_NOMEM, "cannot hash");
    return ACME_OK;
}

enum acme_rc
acme_key_id(const struct acme_key *key, char id[ACME_KEY_ID_LEN + 1],
    struct acme_error *err)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char hash[SHA256_DIGEST_LENGTH];
    unsigned char *spki = NULL;
    enum acme_rc rc;
    size_t i;
    int len;

    ERR_set_mark();
    len = i2d_PUBKEY(key->evp, &spki);
    if (len <= 0)
        rc = acme_openssl_fail(err, ACME_NOMEM, "cannot encode the key");
    else
        rc = acme_key_sha256(spki, (size_t)len, hash, err);
    for (i = 0; rc == ACME_OK && i < ACME_KEY_ID_LEN; i++)
        id[i] = hex[i % 2 ? hash[i / 2] & 15 : hash[i / 2] >> 4];
    if (rc == ACME_OK)
        id[ACME_KEY_ID_LEN] = '\0';
    OPENSSL_free(spki);
    ERR_pop_to_mark();
    return rc;
}

struct evp_pkey_st *
acme_key_evp(const struct acme_key *key)
{
    return key->evp;
}
