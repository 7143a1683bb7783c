/*
 * Keys as JOSE has them: read from a JWK and written as one, and what they
 * sign (RFC 7515, 7517, 7518, 7638).
 */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <stdlib.h>
#include <string.h>

#include "base/acme_base64.h"
#include "wrap/acme_json.h"
#include "wrap/acme_key_private.h"
#include "wrap/acme_openssl.h"

#define BN_MAX (4096 / 8) /* the largest number of a key in a JWK */
#define OKP_LEN 32        /* bytes of either half of an Ed25519 key */

/* ---- reading ---------------------------------------------------------- */

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

static enum acme_rc
push_ec(struct jwk *jwk, struct acme_error *err)
{
    const struct acme_key_kind *kind =
        acme_key_kind_of_curve(acme_json_str(jwk->json, "crv"));
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
        rc = acme_key_wrap(evp, ACME_KEY_TO_USE, &made, err);
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

/* RFC 8037 2: the public key must be that of the private one. */
static enum acme_rc
make_okp(const struct jwk *jwk, struct acme_key **key, struct acme_error *err)
{
    const char *curve = acme_json_str(jwk->json, "crv");
    unsigned char public[OKP_LEN];
    size_t len = sizeof(public);
    struct acme_buf d, x;
    EVP_PKEY *evp = NULL;
    enum acme_rc rc = ACME_OK;

    acme_buf_init_secret(&d, BN_MAX + 3);
    acme_buf_init(&x, BN_MAX + 3);
    if (curve == NULL || strcmp(curve, "Ed25519") != 0)
        rc = acme_error_set(err, ACME_CONFIG,
            "the JWK's curve cannot be used: it must be Ed25519");
    if (rc == ACME_OK)
        rc = get_bytes(jwk, "d", &d, err);
    if (rc == ACME_OK)
        rc = get_bytes(jwk, "x", &x, err);
    if (rc != ACME_OK)
        goto done;
    evp =
        EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, d.data, d.len);
    if (evp == NULL || !EVP_PKEY_get_raw_public_key(evp, public, &len) ||
        x.len != len || memcmp(x.data, public, len) != 0)
        rc = acme_openssl_fail(err, ACME_CONFIG, "malformed JWK");
    else
        rc = acme_key_wrap(evp, ACME_KEY_TO_SHOW, key, err);
    if (rc != ACME_OK)
        EVP_PKEY_free(evp);

done:
    acme_buf_clear(&d);
    acme_buf_clear(&x);
    return rc;
}

static enum acme_rc
from_object(const struct acme_json *json, enum acme_key_use use,
    struct acme_key **key, struct acme_error *err)
{
    struct jwk jwk = { .json = json, .params = OSSL_PARAM_BLD_new() };
    const char *kty = acme_json_str(json, "kty");
    enum acme_rc rc;
    size_t i;

    if (use == ACME_KEY_TO_SHOW && kty != NULL && strcmp(kty, "OKP") == 0) {
        OSSL_PARAM_BLD_free(jwk.params);
        return make_okp(&jwk, key, err);
    }
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
acme_key_read_jwk(const char *json, size_t len, enum acme_key_use use,
    struct acme_key **key, struct acme_error *err)
{
    struct acme_json *root = NULL;
    enum acme_rc rc;

    ERR_set_mark();
    rc = acme_json_parse(json, len, "JWK", &root, err);
    if (rc == ACME_WIRE)
        rc = err->rc = ACME_CONFIG;
    if (rc == ACME_OK)
        rc = from_object(root, use, key, err);
    acme_json_free(root);
    ERR_pop_to_mark();
    return rc;
}

enum acme_rc
acme_key_from_jwk(const char *json, size_t len, struct acme_key **key,
    struct acme_error *err)
{
    return acme_key_read_jwk(json, len, ACME_KEY_TO_USE, key, err);
}

/* ---- writing ---------------------------------------------------------- */

/* Appends `"NAME":"..."` with bytes as base64url. */
static void
add_bytes(struct acme_buf *jwk, const char *name, const void *bytes,
    size_t len)
{
    acme_buf_addf(jwk, "\"%s\":\"", name);
    acme_base64_encode(jwk, bytes, len);
    acme_buf_add_str(jwk, "\"");
}

/* So a number of the key, padded to `width` bytes (0: as short as it gets,
 * RFC 7518 6.3.1). */
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
    BN_clear_free(number);
    if (ok)
        add_bytes(jwk, name, bytes, width);
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return ok;
}

typedef int get_raw(const EVP_PKEY *evp, unsigned char *bytes, size_t *len);

static bool
add_raw(const struct acme_key *key, const char *name, get_raw *get,
    struct acme_buf *jwk)
{
    unsigned char bytes[OKP_LEN];
    size_t len = sizeof(bytes);
    bool ok = get(key->evp, bytes, &len) == 1;

    if (ok)
        add_bytes(jwk, name, bytes, len);
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return ok;
}

static bool
add_ec(const struct acme_key *key, struct acme_buf *jwk)
{
    const struct acme_key_kind *kind = acme_key_kind_of(key->type);
    bool ok;

    acme_buf_addf(jwk, "\"crv\":\"%s\",\"kty\":\"EC\",", kind->curve);
    ok = add_number(key, "x", OSSL_PKEY_PARAM_EC_PUB_X, kind->field, jwk);
    acme_buf_add_str(jwk, ",");
    return ok &&
           add_number(key, "y", OSSL_PKEY_PARAM_EC_PUB_Y, kind->field, jwk);
}

static bool
add_rsa(const struct acme_key *key, struct acme_buf *jwk)
{
    bool ok = add_number(key, "e", OSSL_PKEY_PARAM_RSA_E, 0, jwk);

    acme_buf_add_str(jwk, ",\"kty\":\"RSA\",");
    return ok && add_number(key, "n", OSSL_PKEY_PARAM_RSA_N, 0, jwk);
}

static bool
add_okp(const struct acme_key *key, struct acme_buf *jwk)
{
    acme_buf_add_str(jwk, "\"crv\":\"Ed25519\",\"kty\":\"OKP\",");
    return add_raw(key, "x", EVP_PKEY_get_raw_public_key, jwk);
}

/* All of an RSA key, or what there is of one that came without its primes. */
static bool
add_private_rsa(const struct acme_key *key, struct acme_buf *jwk)
{
    BIGNUM *prime = NULL;
    size_t n = RSA_NEEDED, i;
    bool ok = true;

    if (EVP_PKEY_get_bn_param(key->evp, OSSL_PKEY_PARAM_RSA_FACTOR1, &prime))
        n = RSA_NUMBERS;
    BN_clear_free(prime);
    for (i = 2; i < n && ok; i++) { /* "n" and "e" are there */
        acme_buf_add_str(jwk, ",");
        ok = add_number(key, rsa_numbers[i].member, rsa_numbers[i].param, 0,
            jwk);
    }
    return ok;
}

static bool
add_private(const struct acme_key *key, struct acme_buf *jwk)
{
    const struct acme_key_kind *kind = acme_key_kind_of(key->type);

    if (kind->group == NULL && key->type != ACME_KEY_ED25519)
        return add_private_rsa(key, jwk);
    acme_buf_add_str(jwk, ",");
    return kind->group != NULL
               ? add_number(key, "d", OSSL_PKEY_PARAM_PRIV_KEY, kind->field,
                     jwk)
               : add_raw(key, "d", EVP_PKEY_get_raw_private_key, jwk);
}

static enum acme_rc
add_jwk(const struct acme_key *key, bool private, struct acme_buf *jwk,
    struct acme_error *err)
{
    bool ok;

    acme_buf_add_str(jwk, "{");
    if (key->type == ACME_KEY_ED25519)
        ok = add_okp(key, jwk);
    else if (acme_key_kind_of(key->type)->group != NULL)
        ok = add_ec(key, jwk);
    else
        ok = add_rsa(key, jwk);
    if (private)
        ok = ok && add_private(key, jwk);
    acme_buf_add_str(jwk, "}");
    if (!ok)
        return acme_openssl_fail(err, ACME_CRYPTO, "cannot read the key");
    return acme_buf_ok(jwk) ? ACME_OK : acme_error_nomem(err);
}

enum acme_rc
acme_key_write_jwk(const struct acme_key *key, struct acme_buf *jwk,
    struct acme_error *err)
{
    enum acme_rc rc;

    ERR_set_mark();
    rc = add_jwk(key, true, jwk, err);
    ERR_pop_to_mark();
    return rc;
}

enum acme_rc
acme_key_jwk(const struct acme_key *key, struct acme_buf *jwk,
    struct acme_error *err)
{
    enum acme_rc rc;

    ERR_set_mark();
    rc = add_jwk(key, false, jwk, err);
    ERR_pop_to_mark();
    return rc;
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
    rc = add_jwk(key, false, &jwk, err);
    if (rc == ACME_OK)
        rc = acme_key_sha256(jwk.data, jwk.len, hash, err);
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

/* ---- signing ---------------------------------------------------------- */

const char *
acme_key_jws_alg(const struct acme_key *key)
{
    return acme_key_kind_of(key->type)->alg;
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
    if (!EVP_DigestSignInit_ex(ctx, NULL, acme_key_kind_of(key->type)->digest,
            NULL, NULL, key->evp, NULL) ||
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
    const struct acme_key_kind *kind = acme_key_kind_of(key->type);
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
