#include "fake_jws.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <stdlib.h>
#include <string.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

unsigned char *
fake_b64_decode(const char *text, size_t *len)
{
    unsigned char *out = malloc(strlen(text) + 1);
    unsigned bits = 0, nbits = 0;
    const char *at;

    if (out == NULL)
        return NULL;
    for (*len = 0; *text != '\0'; text++) {
        at = strchr(alphabet, *text);
        if (at == NULL)
            goto bad;
        bits = (bits << 6 | (unsigned)(at - alphabet)) & 0xffff;
        nbits += 6;
        if (nbits >= 8) {
            nbits -= 8;
            out[(*len)++] = (unsigned char)(bits >> nbits);
        }
    }
    if (nbits >= 6 || (bits & ((1u << nbits) - 1)) != 0)
        goto bad;
    out[*len] = '\0';
    return out;
bad:
    free(out);
    return NULL;
}

static void
b64_encode(const unsigned char *data, size_t len, char *out)
{
    unsigned bits = 0, nbits = 0;

    for (; len > 0; len--) {
        bits = (bits << 8 | *data++) & 0xffff;
        for (nbits += 8; nbits >= 6; nbits -= 6)
            *out++ = alphabet[bits >> (nbits - 6) & 63];
    }
    if (nbits > 0)
        *out++ = alphabet[bits << (6 - nbits) & 63];
    *out = '\0';
}

bool
fake_jws_parse(const char *text, size_t len, struct fake_jws *jws)
{
    const char *p = NULL, *d = NULL, *s = NULL;
    size_t plen;
    json_t *root;

    memset(jws, 0, sizeof(*jws));
    root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    if (root == NULL || json_object_size(root) != 3 ||
        json_unpack(root, "{s:s,s:s,s:s}", "protected", &p, "payload", &d,
            "signature", &s) != 0) {
        json_decref(root);
        return false;
    }
    jws->protected = (char *)fake_b64_decode(p, &plen);
    jws->payload = (char *)fake_b64_decode(d, &jws->payload_len);
    jws->signature = fake_b64_decode(s, &jws->signature_len);
    jws->input = malloc(strlen(p) + strlen(d) + 2);
    if (jws->input != NULL) {
        strcpy(jws->input, p);
        strcat(strcat(jws->input, "."), d);
    }
    json_decref(root);
    if (jws->protected == NULL || jws->payload == NULL ||
        jws->signature == NULL || jws->input == NULL)
        return false;
    jws->header =
        json_loadb(jws->protected, plen, JSON_REJECT_DUPLICATES, NULL);
    return json_is_object(jws->header);
}

void
fake_jws_clear(struct fake_jws *jws)
{
    json_decref(jws->header);
    free(jws->protected);
    free(jws->payload);
    free(jws->input);
    free(jws->signature);
    memset(jws, 0, sizeof(*jws));
}

/* ---- keys ---- */

struct alg {
    const char *name, *crv, *group;
    size_t field;
    const EVP_MD *(*md)(void);
};

static const struct alg algs[] = {
    { "ES256", "P-256", "prime256v1", 32, EVP_sha256 },
    { "ES384", "P-384", "secp384r1", 48, EVP_sha384 },
    { "ES512", "P-521", "secp521r1", 66, EVP_sha512 },
    { "RS256", NULL, NULL, 0, EVP_sha256 },
};

static const struct alg *
find_alg(const char *name)
{
    size_t i;

    for (i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
        if (strcmp(algs[i].name, name) == 0)
            return &algs[i];
    }
    return NULL;
}

static EVP_PKEY *
key_from_params(const char *type, OSSL_PARAM_BLD *bld)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;

    if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return key;
}

/* RFC 7518 6.2.1.2: coordinates have the full length of the field. */
static EVP_PKEY *
ec_key(const json_t *jwk, const struct alg *alg)
{
    const char *crv = json_string_value(json_object_get(jwk, "crv"));
    const char *x = json_string_value(json_object_get(jwk, "x"));
    const char *y = json_string_value(json_object_get(jwk, "y"));
    unsigned char *xb = NULL, *yb = NULL, point[1 + 2 * 66];
    OSSL_PARAM_BLD *bld = NULL;
    size_t xlen = 0, ylen = 0;
    EVP_PKEY *key = NULL;

    if (crv == NULL || x == NULL || y == NULL || strcmp(crv, alg->crv) != 0)
        return NULL;
    xb = fake_b64_decode(x, &xlen);
    yb = fake_b64_decode(y, &ylen);
    bld = OSSL_PARAM_BLD_new();
    if (xb != NULL && yb != NULL && bld != NULL && xlen == alg->field &&
        ylen == alg->field) {
        point[0] = 4;
        memcpy(point + 1, xb, xlen);
        memcpy(point + 1 + xlen, yb, ylen);
        OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME,
            alg->group, 0);
        OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point,
            1 + xlen + ylen);
        key = key_from_params("EC", bld);
    }
    OSSL_PARAM_BLD_free(bld);
    free(xb);
    free(yb);
    return key;
}

static BIGNUM *
member_bn(const json_t *jwk, const char *name)
{
    const char *text = json_string_value(json_object_get(jwk, name));
    unsigned char *bytes;
    BIGNUM *bn = NULL;
    size_t len;

    bytes = text != NULL ? fake_b64_decode(text, &len) : NULL;
    if (bytes != NULL && len > 0 && bytes[0] != 0) /* RFC 7518 6.3.1.1 */
        bn = BN_bin2bn(bytes, (int)len, NULL);
    free(bytes);
    return bn;
}

static EVP_PKEY *
rsa_key(const json_t *jwk)
{
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    BIGNUM *n = member_bn(jwk, "n"), *e = member_bn(jwk, "e");
    EVP_PKEY *key = NULL;

    if (bld != NULL && n != NULL && e != NULL) {
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n);
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e);
        key = key_from_params("RSA", bld);
    }
    OSSL_PARAM_BLD_free(bld);
    BN_free(n);
    BN_free(e);
    return key;
}

/* ---- verification ---- */

/* RFC 7518 3.4: r and s, each of the field's length, as DER. */
static int
ec_signature(const struct fake_jws *jws, size_t field, unsigned char **der)
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r, *s;
    int len = -1;

    if (sig != NULL && jws->signature_len == 2 * field) {
        r = BN_bin2bn(jws->signature, (int)field, NULL);
        s = BN_bin2bn(jws->signature + field, (int)field, NULL);
        if (ECDSA_SIG_set0(sig, r, s) == 1)
            len = i2d_ECDSA_SIG(sig, der);
    }
    ECDSA_SIG_free(sig);
    return len;
}

static bool
verify_with(const struct fake_jws *jws, const struct alg *alg, EVP_PKEY *key)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char *der = NULL;
    const unsigned char *sig = jws->signature;
    int len = (int)jws->signature_len;
    bool ok = false;

    if (alg->crv != NULL) {
        len = ec_signature(jws, alg->field, &der);
        sig = der;
    }
    if (ctx != NULL && len > 0 &&
        EVP_DigestVerifyInit(ctx, NULL, alg->md(), NULL, key) == 1)
        ok = EVP_DigestVerify(ctx, sig, (size_t)len,
                 (const unsigned char *)jws->input, strlen(jws->input)) == 1;
    OPENSSL_free(der);
    EVP_MD_CTX_free(ctx);
    return ok;
}

static const char *
check_header(const json_t *header)
{
    if (!json_is_string(json_object_get(header, "alg")))
        return "no alg";
    if (!json_is_string(json_object_get(header, "nonce")))
        return "no nonce";
    if (!json_is_string(json_object_get(header, "url")))
        return "no url";
    if ((json_object_get(header, "jwk") != NULL) ==
        (json_object_get(header, "kid") != NULL))
        return "not just one of jwk and kid";
    return json_object_size(header) == 4 ? NULL : "surplus header members";
}

const char *
fake_jws_verify(const struct fake_jws *jws, const json_t *jwk)
{
    const char *why = check_header(jws->header);
    const struct alg *alg;
    EVP_PKEY *key;
    bool ok;

    if (why != NULL)
        return why;
    alg = find_alg(json_string_value(json_object_get(jws->header, "alg")));
    if (alg == NULL)
        return "unknown alg";
    key = alg->crv != NULL ? ec_key(jwk, alg) : rsa_key(jwk);
    ok = key != NULL && verify_with(jws, alg, key);
    why = key == NULL ? "bad jwk" : ok ? NULL : "bad signature";
    EVP_PKEY_free(key);
    ERR_clear_error();
    return why;
}

const char *
fake_jws_verify_mac(const struct fake_jws *jws, const void *key, size_t len)
{
    const char *alg = json_string_value(json_object_get(jws->header, "alg"));
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    const EVP_MD *md = NULL;

    if (json_object_size(jws->header) != 3 || alg == NULL ||
        json_object_get(jws->header, "kid") == NULL ||
        json_object_get(jws->header, "url") == NULL)
        return "not just alg, kid and url";
    if (strcmp(alg, "HS256") == 0)
        md = EVP_sha256();
    else if (strcmp(alg, "HS384") == 0)
        md = EVP_sha384();
    else if (strcmp(alg, "HS512") == 0)
        md = EVP_sha512();
    if (md == NULL)
        return "unknown alg";
    if (HMAC(md, key, (int)len, (const unsigned char *)jws->input,
            strlen(jws->input), mac, &n) == NULL ||
        n != jws->signature_len || memcmp(mac, jws->signature, n) != 0)
        return "bad MAC";
    return NULL;
}

bool
fake_jws_thumbprint(const json_t *jwk, char *out)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    char *text = json_dumps(jwk, JSON_COMPACT | JSON_SORT_KEYS);
    bool ok;

    ok = text != NULL &&
         EVP_Digest(text, strlen(text), digest, &len, EVP_sha256(), NULL) == 1;
    if (ok)
        b64_encode(digest, len, out);
    free(text);
    return ok;
}
