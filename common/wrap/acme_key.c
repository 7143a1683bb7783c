#include "wrap/acme_key.h"

#include <limits.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/acme_base64.h"
#include "base/acme_log.h"
#include "wrap/acme_json.h"
#include "wrap/acme_openssl.h"

#define BN_MAX (4096 / 8) /* the largest number of a key in a JWK */

struct acme_key {
    EVP_PKEY *evp;
    enum acme_key_type type;
    bool is_public;
    atomic_int refs;
};

/* RFC 7518 3.1, 6.2.1.1; field: bytes of a coordinate, and of r and s. */
static const struct kind {
    const char *name;
    const char *algorithm;
    const char *group; /* NULL: RSA */
    const char *curve; /* "crv" */
    const char *alg;
    const char *digest;
    unsigned bits;
    size_t field;
} kinds[] = {
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
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const struct kind *
kind_of(enum acme_key_type type)
{
    return &kinds[(size_t)type < KINDS ? type : ACME_KEY_NONE];
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
    return kind_of(type)->name;
}

const char *
acme_key_algorithm(enum acme_key_type type)
{
    return kind_of(type)->algorithm;
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
    return true;
}

/* Takes `evp` on success only. */
static enum acme_rc
wrap_key(EVP_PKEY *evp, struct acme_key **out, struct acme_error *err)
{
    enum acme_key_type type;
    struct acme_key *key;

    if (!classify(evp, &type))
        return acme_error_nomem(err);
    if (type == ACME_KEY_NONE)
        return acme_error_set(err, ACME_CONFIG,
            "a key of this type or size cannot be used: it must be "
            "ECDSA (P-256, P-384, P-521) or RSA (2048, 3072, 4096 bits)");
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
    rc = wrap_key(evp, key, err);
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
    const struct kind *kind = kind_of(type);
    EVP_PKEY *evp = NULL;
    enum acme_rc rc;

    if (kind->bits == 0)
        return acme_error_set(err, ACME_CONFIG, "no key type given");
    evp = kind->group ? EVP_EC_gen(kind->group)
                      : EVP_RSA_gen((size_t)kind->bits);
    if (evp == NULL)
        return acme_openssl_fail(err, ACME_CRYPTO, "cannot make a key");
    rc = wrap_key(evp, key, err);
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
        rc = wrap_key(evp, key, err);
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
from_any_pem(BIO *bio, struct acme_key **key, struct acme_error *err)
{
    bool asked = false;
    EVP_PKEY *evp;
    enum acme_rc rc;

    evp = PEM_read_bio_PrivateKey(bio, NULL, refuse_passphrase, &asked);
    if (evp != NULL)
        rc = wrap_key(evp, key, err);
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
        rc = from_any_pem(bio, key, err);
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

/* ---- JWK -------------------------------------------------------------- */

/* RFC 7518 6.3: member of the JWK, parameter of OpenSSL; the first three must
 * be there, of the rest all or none. */
#define RSA_NEEDED 3
static const struct {
    const char *member, *param;
} rsa_numbers[] = { { "n", OSSL_PKEY_PARAM_RSA_N },
    { "e", OSSL_PKEY_PARAM_RSA_E }, { "d", OSSL_PKEY_PARAM_RSA_D },
    { "p", OSSL_PKEY_PARAM_RSA_FACTOR1 }, { "q", OSSL_PKEY_PARAM_RSA_FACTOR2 },
    { "dp", OSSL_PKEY_PARAM_RSA_EXPONENT1 },
    { "dq", OSSL_PKEY_PARAM_RSA_EXPONENT2 },
    { "qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1 } };

#define RSA_NUMBERS (sizeof(rsa_numbers) / sizeof(rsa_numbers[0]))

/* What a JWK is turned into; its numbers live until the parameters are made
 * of them. */
struct jwk {
    const struct acme_json *json;
    OSSL_PARAM_BLD *params;
    BIGNUM *number[RSA_NUMBERS];
    size_t nnumbers;
    unsigned char point[1 + 2 * 66]; /* the largest curve's */
};

static enum acme_rc
bad_member(const char *name, struct acme_error *err)
{
    return acme_error_set(err, ACME_CONFIG,
        "the JWK's member \"%s\" is missing or malformed: all of a private "
        "key has to be there",
        name);
}

/* The bytes of a member, base64url. */
static enum acme_rc
get_bytes(const struct jwk *jwk, const char *name, struct acme_buf *bytes,
    struct acme_error *err)
{
    const char *text = acme_json_str(jwk->json, name);
    struct acme_error ignored;
    enum acme_rc rc;

    acme_error_clear(&ignored);
    if (text == NULL || text[0] == '\0' || strlen(text) / 4 * 3 > BN_MAX)
        return bad_member(name, err);
    rc = acme_base64_decode(bytes, text, strlen(text), &ignored);
    if (rc == ACME_NOMEM)
        return acme_error_nomem(err);
    return rc == ACME_OK ? rc : bad_member(name, err);
}

static enum acme_rc
push_number(struct jwk *jwk, const char *member, const char *param,
    struct acme_error *err)
{
    struct acme_buf bytes;
    BIGNUM *number = NULL;
    enum acme_rc rc;

    acme_buf_init_secret(&bytes, BN_MAX + 3);
    rc = get_bytes(jwk, member, &bytes, err);
    if (rc == ACME_OK) {
        number = BN_bin2bn(bytes.data, (int)bytes.len, NULL);
        if (number == NULL ||
            !OSSL_PARAM_BLD_push_BN(jwk->params, param, number))
            rc = acme_error_nomem(err);
    }
    acme_buf_clear(&bytes);
    if (number != NULL)
        jwk->number[jwk->nnumbers++] = number;
    return rc;
}

static enum acme_rc
get_coordinate(const struct jwk *jwk, const char *member, size_t field,
    unsigned char *out, struct acme_error *err)
{
    struct acme_buf bytes;
    enum acme_rc rc;

    acme_buf_init(&bytes, BN_MAX + 3);
    rc = get_bytes(jwk, member, &bytes, err);
    if (rc == ACME_OK && bytes.len != field)
        rc = bad_member(member, err);
    if (rc == ACME_OK)
        memcpy(out, bytes.data, field);
    acme_buf_clear(&bytes);
    return rc;
}

static const struct kind *
kind_of_curve(const char *curve)
{
    size_t i;

    for (i = 1; curve != NULL && i < KINDS; i++)
        if (kinds[i].group != NULL && strcmp(kinds[i].curve, curve) == 0)
            return &kinds[i];
    return NULL;
}

static enum acme_rc
push_ec(struct jwk *jwk, struct acme_error *err)
{
    const struct kind *kind = kind_of_curve(acme_json_str(jwk->json, "crv"));
    enum acme_rc rc;

    if (kind == NULL)
        return acme_error_set(err, ACME_CONFIG,
            "the JWK's curve cannot be used: it must be P-256, P-384 or "
            "P-521");
    jwk->point[0] = POINT_CONVERSION_UNCOMPRESSED;
    rc = get_coordinate(jwk, "x", kind->field, jwk->point + 1, err);
    if (rc == ACME_OK)
        rc = get_coordinate(jwk, "y", kind->field,
            jwk->point + 1 + kind->field, err);
    if (rc == ACME_OK &&
        (!OSSL_PARAM_BLD_push_utf8_string(jwk->params,
             OSSL_PKEY_PARAM_GROUP_NAME, kind->group, 0) ||
            !OSSL_PARAM_BLD_push_octet_string(jwk->params,
                OSSL_PKEY_PARAM_PUB_KEY, jwk->point, 1 + 2 * kind->field)))
        rc = acme_error_nomem(err);
    if (rc == ACME_OK)
        rc = push_number(jwk, "d", OSSL_PKEY_PARAM_PRIV_KEY, err);
    return rc;
}

static enum acme_rc
push_rsa(struct jwk *jwk, struct acme_error *err)
{
    size_t n = RSA_NEEDED, i;
    enum acme_rc rc = ACME_OK;

    for (i = RSA_NEEDED; i < RSA_NUMBERS; i++)
        if (acme_json_get(jwk->json, rsa_numbers[i].member) != NULL)
            n = RSA_NUMBERS;
    for (i = 0; i < n && rc == ACME_OK; i++)
        rc =
            push_number(jwk, rsa_numbers[i].member, rsa_numbers[i].param, err);
    return rc;
}

/* OpenSSL copies the numbers and does not wipe them. */
static void
free_params(OSSL_PARAM *params)
{
    OSSL_PARAM *p;

    for (p = params; p != NULL && p->key != NULL; p++)
        OPENSSL_cleanse(p->data, p->data_size);
    OSSL_PARAM_free(params);
}

/* OpenSSL's own check of an RSA key wants its primes, and takes long to see
 * that they are. */
static bool
is_pair(EVP_PKEY *evp)
{
    static const unsigned char text[] = "one of the other";
    EVP_MD_CTX *sign = EVP_MD_CTX_new(), *verify = EVP_MD_CTX_new();
    unsigned char signature[BN_MAX];
    size_t len = sizeof(signature);
    bool good;

    good = sign != NULL && verify != NULL &&
           EVP_DigestSignInit_ex(sign, NULL, "SHA256", NULL, NULL, evp,
               NULL) == 1 &&
           EVP_DigestSign(sign, signature, &len, text, sizeof(text)) == 1 &&
           EVP_DigestVerifyInit_ex(verify, NULL, "SHA256", NULL, NULL, evp,
               NULL) == 1 &&
           EVP_DigestVerify(verify, signature, len, text, sizeof(text)) == 1;
    EVP_MD_CTX_free(sign);
    EVP_MD_CTX_free(verify);
    return good;
}

static enum acme_rc
make_key(const struct jwk *jwk, const char *type, struct acme_key **key,
    struct acme_error *err)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(jwk->params);
    EVP_PKEY_CTX *make = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    struct acme_key *made = NULL;
    EVP_PKEY *evp = NULL;
    enum acme_rc rc;

    if (params == NULL || make == NULL || EVP_PKEY_fromdata_init(make) != 1)
        rc = acme_error_nomem(err);
    else if (EVP_PKEY_fromdata(make, &evp, EVP_PKEY_KEYPAIR, params) != 1)
        rc = acme_openssl_fail(err, ACME_CONFIG, "malformed JWK");
    else
        rc = wrap_key(evp, &made, err);
    if (rc != ACME_OK)
        EVP_PKEY_free(evp);
    else if (!is_pair(evp))
        rc = acme_openssl_fail(err, ACME_CONFIG,
            "the JWK's private part is not that of its public part");
    if (rc == ACME_OK)
        *key = made;
    else
        acme_key_unref(made);
    EVP_PKEY_CTX_free(make);
    free_params(params);
    return rc;
}

static enum acme_rc
from_object(const struct acme_json *json, struct acme_key **key,
    struct acme_error *err)
{
    struct jwk jwk = { .json = json, .params = OSSL_PARAM_BLD_new() };
    const char *kty = acme_json_str(json, "kty");
    enum acme_rc rc;
    size_t i;

    if (jwk.params == NULL)
        rc = acme_error_nomem(err);
    else if (kty != NULL && strcmp(kty, "EC") == 0)
        rc = push_ec(&jwk, err);
    else if (kty != NULL && strcmp(kty, "RSA") == 0)
        rc = push_rsa(&jwk, err);
    else
        rc = acme_error_set(err, ACME_CONFIG,
            "a JWK of this type cannot be used: \"kty\" must be EC (P-256, "
            "P-384, P-521) or RSA (2048, 3072, 4096 bits)");
    if (rc == ACME_OK)
        rc = make_key(&jwk, kty, key, err);
    for (i = 0; i < jwk.nnumbers; i++)
        BN_clear_free(jwk.number[i]);
    OSSL_PARAM_BLD_free(jwk.params);
    return rc;
}

enum acme_rc
acme_key_from_jwk(const char *json, size_t len, struct acme_key **key,
    struct acme_error *err)
{
    struct acme_json *root = NULL;
    enum acme_rc rc;

    ERR_set_mark();
    rc = acme_json_parse(json, len, "JWK", &root, err);
    if (rc == ACME_WIRE)
        rc = err->rc = ACME_CONFIG;
    if (rc == ACME_OK)
        rc = from_object(root, key, err);
    acme_json_free(root);
    ERR_pop_to_mark();
    return rc;
}

enum acme_rc
acme_key_from_text(const char *text, size_t len, struct acme_key **key,
    struct acme_error *err)
{
    size_t i = 0;

    while (i < len && strchr(" \t\r\n", text[i]) != NULL && text[i] != '\0')
        i++;
    return i < len && text[i] == '{' ? acme_key_from_jwk(text, len, key, err)
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

/*
 * Appends `"NAME":"..."` with a number of the public key as base64url,
 * padded to `width` bytes (0: as short as it gets, RFC 7518 6.3.1).
 */
static bool
add_number(const struct acme_key *key, const char *name, const char *param,
    size_t width, struct acme_buf *jwk)
{
    unsigned char bytes[BN_MAX];
    BIGNUM *number = NULL;
    bool ok = false;

    if (EVP_PKEY_get_bn_param(key->evp, param, &number)) {
        if (width == 0)
            width = (size_t)BN_num_bytes(number);
        ok = width <= sizeof(bytes) &&
             BN_bn2binpad(number, bytes, (int)width) == (int)width;
    }
    BN_free(number);
    if (!ok)
        return false;
    acme_buf_addf(jwk, "\"%s\":\"", name);
    acme_base64_encode(jwk, bytes, width);
    acme_buf_add_str(jwk, "\"");
    return true;
}

static enum acme_rc
add_jwk(const struct acme_key *key, struct acme_buf *jwk,
    struct acme_error *err)
{
    const struct kind *kind = kind_of(key->type);
    bool ok;

    acme_buf_add_str(jwk, "{");
    if (kind->group != NULL) {
        acme_buf_addf(jwk, "\"crv\":\"%s\",\"kty\":\"EC\",", kind->curve);
        ok = add_number(key, "x", OSSL_PKEY_PARAM_EC_PUB_X, kind->field, jwk);
        acme_buf_add_str(jwk, ",");
        ok = ok &&
             add_number(key, "y", OSSL_PKEY_PARAM_EC_PUB_Y, kind->field, jwk);
    } else {
        ok = add_number(key, "e", OSSL_PKEY_PARAM_RSA_E, 0, jwk);
        acme_buf_add_str(jwk, ",\"kty\":\"RSA\",");
        ok = ok && add_number(key, "n", OSSL_PKEY_PARAM_RSA_N, 0, jwk);
    }
    acme_buf_add_str(jwk, "}");
    if (!ok)
        return acme_openssl_fail(err, ACME_CRYPTO, "cannot read the key");
    return acme_buf_ok(jwk) ? ACME_OK : acme_error_nomem(err);
}

enum acme_rc
acme_key_jwk(const struct acme_key *key, struct acme_buf *jwk,
    struct acme_error *err)
{
    enum acme_rc rc;

    ERR_set_mark();
    rc = add_jwk(key, jwk, err);
    ERR_pop_to_mark();
    return rc;
}

static enum acme_rc
sha256(const void *data, size_t len, unsigned char out[SHA256_DIGEST_LENGTH],
    struct acme_error *err)
{
    /* Only memory can be missing for it. */
    if (!EVP_Q_digest(NULL, "SHA256", NULL, data, len, out, NULL))
        return acme_openssl_fail(err, ACME_NOMEM, "cannot hash");
    return ACME_OK;
}

enum acme_rc
acme_key_thumbprint(const struct acme_key *key,
    char thumbprint[ACME_THUMBPRINT_LEN + 1], struct acme_error *err)
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    struct acme_buf jwk;
    struct acme_buf text;
    enum acme_rc rc;

    acme_buf_init(&jwk, 2048);
    acme_buf_init(&text, ACME_THUMBPRINT_LEN);
    ERR_set_mark();
    rc = add_jwk(key, &jwk, err);
    if (rc == ACME_OK)
        rc = sha256(jwk.data, jwk.len, hash, err);
    if (rc != ACME_OK)
        goto done;
    acme_base64_encode(&text, hash, sizeof(hash));
    if (acme_buf_ok(&text))
        memcpy(thumbprint, text.data, ACME_THUMBPRINT_LEN + 1);
    else
        rc = acme_error_nomem(err);

done:
    ERR_pop_to_mark();
    acme_buf_clear(&text);
    acme_buf_clear(&jwk);
    return rc;
}

const char *
acme_key_jws_alg(const struct acme_key *key)
{
    return kind_of(key->type)->alg;
}

/* OpenSSL's signature, in memory to be freed with OPENSSL_free(). */
static enum acme_rc
sign(const struct acme_key *key, const void *data, size_t len,
    unsigned char **out, size_t *out_len, struct acme_error *err)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char *signature = NULL;
    size_t room = (size_t)EVP_PKEY_get_size(key->evp);
    size_t made = room;
    enum acme_rc rc = ACME_OK;

    signature = OPENSSL_malloc(room);
    if (ctx == NULL || signature == NULL) {
        rc = acme_error_nomem(err);
        goto done;
    }
    if (!EVP_DigestSignInit_ex(ctx, NULL, kind_of(key->type)->digest, NULL,
            NULL, key->evp, NULL) ||
        !EVP_DigestSign(ctx, signature, &made, data, len) ||
        made > room) { /* OpenSSL 3.0, memory being short: "4 GB made" */
        rc = acme_openssl_fail(err, ACME_CRYPTO, "cannot sign");
        goto done;
    }
    *out = signature;
    *out_len = made;
    signature = NULL;

done:
    OPENSSL_free(signature);
    EVP_MD_CTX_free(ctx);
    return rc;
}

/* RFC 7518 3.4: r and s, each padded to the size of the field. */
static enum acme_rc
add_r_s(const unsigned char *der, size_t der_len, size_t field,
    struct acme_buf *out, struct acme_error *err)
{
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)der_len);
    unsigned char bytes[2 * 66];
    enum acme_rc rc = ACME_OK;

    if (pair == NULL ||
        BN_bn2binpad(ECDSA_SIG_get0_r(pair), bytes, (int)field) < 0 ||
        BN_bn2binpad(ECDSA_SIG_get0_s(pair), bytes + field, (int)field) < 0) {
        rc = acme_openssl_fail(err, ACME_NOMEM, "cannot encode a signature");
        goto done;
    }
    acme_buf_add(out, bytes, 2 * field);
    if (!acme_buf_ok(out))
        rc = acme_error_nomem(err);

done:
    ECDSA_SIG_free(pair);
    return rc;
}

enum acme_rc
acme_key_sign(const struct acme_key *key, const void *data, size_t len,
    struct acme_buf *signature, struct acme_error *err)
{
    const struct kind *kind = kind_of(key->type);
    unsigned char *bytes = NULL;
    size_t bytes_len = 0;
    enum acme_rc rc;

    ERR_set_mark();
    rc = sign(key, data, len, &bytes, &bytes_len, err);
    if (rc != ACME_OK)
        goto done;
    if (kind->group != NULL) {
        rc = add_r_s(bytes, bytes_len, kind->field, signature, err);
    } else {
        acme_buf_add(signature, bytes, bytes_len);
        if (!acme_buf_ok(signature))
            rc = acme_error_nomem(err);
    }

done:
    OPENSSL_free(bytes);
    ERR_pop_to_mark();
    return rc;
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
        rc = sha256(spki, (size_t)len, hash, err);
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
