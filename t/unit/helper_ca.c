#include "helper_ca.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "base/acme_name.h"

#define need(condition) assert_true(condition)
#define YEAR (365 * 86400L)

struct pair {
    X509 *cert;
    EVP_PKEY *key;
};

struct helper_ca {
    struct pair root;
    struct pair intermediate;
    struct acme_buf root_pem;
};

/* What a certificate is made of. */
struct spec {
    const char *subject; /* CN; NULL: none */
    EVP_PKEY *key;
    const struct pair *issuer; /* NULL: itself */
    EVP_PKEY *signer;          /* NULL: the issuer's key */
    long not_before;
    long not_after;
    const char *serial;
};

static void
set_serial(X509 *cert, const char *hex)
{
    BIGNUM *number = BN_new();

    need(number != NULL);
    if (hex != NULL)
        need(BN_hex2bn(&number, hex) > 0);
    else
        need(BN_rand(number, 120, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY));
    need(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL);
    BN_free(number);
}

/* All but the extensions and the signature. */
static X509 *
new_cert(const struct spec *spec)
{
    X509 *cert = X509_new();
    X509_NAME *subject = X509_NAME_new();

    need(cert != NULL && subject != NULL);
    need(X509_set_version(cert, X509_VERSION_3));
    set_serial(cert, spec->serial);
    if (spec->subject != NULL)
        need(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
            (const unsigned char *)spec->subject, -1, -1, 0));
    need(X509_set_subject_name(cert, subject));
    need(X509_set_issuer_name(cert,
        spec->issuer ? X509_get_subject_name(spec->issuer->cert) : subject));
    X509_NAME_free(subject);
    need(X509_gmtime_adj(X509_getm_notBefore(cert), spec->not_before));
    need(X509_gmtime_adj(X509_getm_notAfter(cert), spec->not_after));
    need(X509_set_pubkey(cert, spec->key));
    return cert;
}

static void
add_extension(X509 *cert, const struct spec *spec, int nid, const char *value)
{
    X509_EXTENSION *extension;
    X509V3_CTX ctx;

    X509V3_set_ctx(&ctx, spec->issuer ? spec->issuer->cert : cert, cert, NULL,
        NULL, 0);
    X509V3_set_ctx_nodb(&ctx);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    need(extension != NULL);
    need(X509_add_ext(cert, extension, -1));
    X509_EXTENSION_free(extension);
}

static void
sign_cert(X509 *cert, const struct spec *spec)
{
    EVP_PKEY *signer = spec->signer   ? spec->signer
                       : spec->issuer ? spec->issuer->key
                                      : spec->key;

    need(X509_sign(cert, signer, EVP_sha256()) > 0);
}

static X509 *
new_ca_cert(const struct spec *spec, bool is_ca)
{
    X509 *cert = new_cert(spec);

    add_extension(cert, spec, NID_basic_constraints,
        is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    add_extension(cert, spec, NID_key_usage, "critical,keyCertSign,cRLSign");
    add_extension(cert, spec, NID_subject_key_identifier, "hash");
    if (spec->issuer != NULL)
        add_extension(cert, spec, NID_authority_key_identifier, "keyid");
    sign_cert(cert, spec);
    return cert;
}

static struct helper_ca *
new_ca(bool rsa)
{
    struct helper_ca *ca = calloc(1, sizeof(*ca));
    struct spec spec = { .not_before = -5 * YEAR, .not_after = 15 * YEAR };
    char *pem = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    long len;

    need(ca != NULL && bio != NULL);
    ca->root.key = rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
    ca->intermediate.key = rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
    need(ca->root.key != NULL && ca->intermediate.key != NULL);
    spec.subject = "Test Root";
    spec.key = ca->root.key;
    ca->root.cert = new_ca_cert(&spec, true);
    spec.subject = "Test Intermediate";
    spec.key = ca->intermediate.key;
    spec.issuer = &ca->root;
    ca->intermediate.cert = new_ca_cert(&spec, true);

    need(PEM_write_bio_X509(bio, ca->root.cert));
    len = BIO_get_mem_data(bio, &pem);
    acme_buf_init(&ca->root_pem, 65536);
    acme_buf_add(&ca->root_pem, pem, (size_t)len);
    need(acme_buf_ok(&ca->root_pem));
    BIO_free(bio);
    return ca;
}

struct helper_ca *
helper_ca_new(void)
{
    return new_ca(false);
}

struct helper_ca *
helper_ca_new_rsa(void)
{
    return new_ca(true);
}

static void
clear_pair(struct pair *pair)
{
    X509_free(pair->cert);
    EVP_PKEY_free(pair->key);
}

void
helper_ca_free(struct helper_ca *ca)
{
    if (ca == NULL)
        return;
    clear_pair(&ca->root);
    clear_pair(&ca->intermediate);
    acme_buf_clear(&ca->root_pem);
    free(ca);
}

const char *
helper_ca_root_pem(const struct helper_ca *ca)
{
    return acme_buf_str(&ca->root_pem);
}

/* The root's name and key, certified by an older CA that has expired since. */
static X509 *
new_cross(const struct helper_ca *ca)
{
    struct spec old = { .subject = "Old Root",
        .not_before = -9 * YEAR,
        .not_after = -86400 };
    struct spec cross = { .subject = "Test Root",
        .key = ca->root.key,
        .not_before = -5 * YEAR,
        .not_after = -86400 };
    struct pair issuer = { NULL, EVP_EC_gen("P-256") };
    X509 *cert;

    need(issuer.key != NULL);
    old.key = issuer.key;
    issuer.cert = new_ca_cert(&old, true);
    cross.issuer = &issuer;
    cert = new_ca_cert(&cross, true);
    clear_pair(&issuer);
    return cert;
}

/* A public key of that size which nobody has the other half of: a real one
 * takes minutes to make. */
static EVP_PKEY *
fake_rsa(unsigned bits)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params;
    BIGNUM *n = BN_new();
    EVP_PKEY *key = NULL;

    need(ctx != NULL && build != NULL && n != NULL);
    need(BN_rand(n, (int)bits, BN_RAND_TOP_TWO, BN_RAND_BOTTOM_ODD));
    need(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n));
    need(OSSL_PARAM_BLD_push_uint(build, OSSL_PKEY_PARAM_RSA_E, 65537));
    params = OSSL_PARAM_BLD_to_param(build);
    need(params != NULL && EVP_PKEY_fromdata_init(ctx) == 1);
    need(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) == 1);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(n);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static EVP_PKEY *
explicit_ec(void)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    char group[] = "P-256";
    char encoding[] = "explicit";
    OSSL_PARAM params[] = {
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_ENCODING, encoding, 0),
        OSSL_PARAM_END,
    };
    EVP_PKEY *key = NULL;

    params[0].data_size = strlen(group);
    params[1].data_size = strlen(encoding);
    need(ctx != NULL && EVP_PKEY_keygen_init(ctx) == 1);
    need(EVP_PKEY_CTX_set_params(ctx, params) == 1);
    need(EVP_PKEY_generate(ctx, &key) == 1);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static EVP_PKEY *
link_key(const char *kind)
{
    EVP_PKEY *key;

    if (kind == NULL)
        key = EVP_EC_gen("P-256");
    else if (strncmp(kind, "RSA-", 4) == 0)
        key = fake_rsa((unsigned)atoi(kind + 4));
    else
        key = explicit_ec();
    need(key != NULL);
    return key;
}

/* The intermediates of options->extra_links: links[0] issues the leaf. */
static struct pair *
new_links(struct helper_ca *ca, const struct helper_ca_options *options)
{
    size_t n = options->extra_links;
    struct pair *links = calloc(n + 1, sizeof(*links));
    size_t i = n;

    need(links != NULL);
    while (i-- > 0) {
        struct spec spec = { .not_before = -YEAR, .not_after = YEAR };
        char name[32];

        snprintf(name, sizeof(name), "Test Link %zu", i);
        spec.subject = name;
        spec.key = link_key(i == 0 ? options->link_key : NULL);
        spec.issuer = i + 1 < n ? &links[i + 1] : &ca->intermediate;
        links[i].key = spec.key;
        links[i].cert = new_ca_cert(&spec, i > 0 || !options->link_not_ca);
    }
    return links;
}

static void
add_aki(X509 *cert, const struct spec *spec, const char *hex)
{
    AUTHORITY_KEYID *aki;
    unsigned char *bytes;
    long len = 0;

    if (hex == NULL) {
        add_extension(cert, spec, NID_authority_key_identifier, "keyid");
        return;
    }
    aki = AUTHORITY_KEYID_new();
    bytes = OPENSSL_hexstr2buf(hex, &len);
    need(aki != NULL && bytes != NULL);
    aki->keyid = ASN1_OCTET_STRING_new();
    need(ASN1_OCTET_STRING_set(aki->keyid, bytes, (int)len));
    need(X509_add1_ext_i2d(cert, NID_authority_key_identifier, aki, 0, 0));
    OPENSSL_free(bytes);
    AUTHORITY_KEYID_free(aki);
}

static void
add_unknown(X509 *cert)
{
    ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.4.1.55555.1", 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *extension;

    need(ASN1_OCTET_STRING_set(value, (const unsigned char *)"\x05\0", 2));
    extension = X509_EXTENSION_create_by_OBJ(NULL, oid, 1, value);
    need(extension != NULL && X509_add_ext(cert, extension, -1));
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(oid);
}

static X509 *
new_leaf(const struct spec *spec, const struct helper_ca_options *options,
    const GENERAL_NAMES *sans)
{
    X509 *cert = new_cert(spec);

    add_extension(cert, spec, NID_basic_constraints,
        options->is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    add_extension(cert, spec, NID_key_usage, "critical,digitalSignature");
    if (!options->no_eku)
        add_extension(cert, spec, NID_ext_key_usage,
            options->client_only ? "clientAuth" : "serverAuth,clientAuth");
    if (!options->no_aki)
        add_aki(cert, spec, options->aki);
    if (options->must_staple)
        add_extension(cert, spec, NID_tlsfeature, "status_request");
    if (options->crl_url != NULL)
        add_extension(cert, spec, NID_crl_distribution_points,
            options->crl_url);
    if (options->ocsp_url != NULL)
        add_extension(cert, spec, NID_info_access, options->ocsp_url);
    if (options->critical_unknown)
        add_unknown(cert);
    if (options->san != NULL)
        add_extension(cert, spec, NID_subject_alt_name, options->san);
    else if (!options->no_san)
        need(X509_add1_ext_i2d(cert, NID_subject_alt_name,
            (void *)(uintptr_t)sans, 0, 0));
    sign_cert(cert, spec);
    return cert;
}

static void
write_chain(struct helper_ca *ca, const struct helper_ca_options *options,
    X509 *leaf, const struct pair *links, struct acme_buf *pem)
{
    BIO *bio = BIO_new(BIO_s_mem());
    X509 *cross = NULL;
    char *text = NULL;
    long len;
    size_t i;

    need(bio != NULL && PEM_write_bio_X509(bio, leaf));
    for (i = 0; !options->leaf_only && i < options->extra_links; i++)
        need(PEM_write_bio_X509(bio, links[i].cert));
    if (!options->leaf_only && !options->issued_by_root)
        need(PEM_write_bio_X509(bio, ca->intermediate.cert));
    if (!options->leaf_only && (options->issued_by_root || options->with_root))
        need(PEM_write_bio_X509(bio, ca->root.cert));
    if (options->with_cross) {
        cross = new_cross(ca);
        need(PEM_write_bio_X509(bio, cross));
        X509_free(cross);
    }
    len = BIO_get_mem_data(bio, &text);
    acme_buf_add(pem, text, (size_t)len);
    need(acme_buf_ok(pem));
    BIO_free(bio);
}

static void
add_revoked(X509_CRL *list, const char *hex, int reason)
{
    X509_REVOKED *revoked = X509_REVOKED_new();
    ASN1_ENUMERATED *coded = ASN1_ENUMERATED_new();
    ASN1_TIME *when = ASN1_TIME_set(NULL, 0);
    BIGNUM *number = NULL;
    ASN1_INTEGER *serial;

    need(revoked != NULL && coded != NULL && when != NULL);
    need(BN_hex2bn(&number, hex) > 0);
    serial = BN_to_ASN1_INTEGER(number, NULL);
    need(serial != NULL && X509_REVOKED_set_serialNumber(revoked, serial));
    need(X509_REVOKED_set_revocationDate(revoked, when));
    need(ASN1_ENUMERATED_set(coded, reason));
    if (reason != 0)
        need(X509_REVOKED_add1_ext_i2d(revoked, NID_crl_reason, coded, 0, 0));
    need(X509_CRL_add0_revoked(list, revoked));
    ASN1_INTEGER_free(serial);
    ASN1_ENUMERATED_free(coded);
    ASN1_TIME_free(when);
    BN_free(number);
}

static void
add_scope(X509_CRL *list, const struct helper_ca_crl *options)
{
    ISSUING_DIST_POINT *scope = ISSUING_DIST_POINT_new();
    GENERAL_NAME *name;

    need(scope != NULL);
    scope->onlyCA = options->only_ca ? 0xff : -1;
    scope->onlyuser = options->only_ca ? -1 : 0xff;
    if (options->scope != NULL) {
        name = a2i_GENERAL_NAME(NULL, NULL, NULL, GEN_URI, options->scope, 0);
        scope->distpoint = DIST_POINT_NAME_new();
        need(name != NULL && scope->distpoint != NULL);
        scope->distpoint->type = 0;
        scope->distpoint->name.fullname = GENERAL_NAMES_new();
        need(sk_GENERAL_NAME_push(scope->distpoint->name.fullname, name) > 0);
    }
    need(X509_CRL_add1_ext_i2d(list, NID_issuing_distribution_point, scope, 1,
        0));
    ISSUING_DIST_POINT_free(scope);
}

static void
add_delta(X509_CRL *list)
{
    ASN1_INTEGER *base = ASN1_INTEGER_new();

    need(base != NULL && ASN1_INTEGER_set(base, 1));
    need(X509_CRL_add1_ext_i2d(list, NID_delta_crl, base, 1, 0));
    ASN1_INTEGER_free(base);
}

static void
set_crl_times(X509_CRL *list, const struct helper_ca_crl *options)
{
    ASN1_TIME *when = ASN1_TIME_set(NULL, options->this_update);

    need(when != NULL && X509_CRL_set1_lastUpdate(list, when));
    need(ASN1_TIME_set(when, options->next_update) != NULL);
    if (options->next_update != 0)
        need(X509_CRL_set1_nextUpdate(list, when));
    ASN1_TIME_free(when);
}

void
helper_ca_crl(const struct helper_ca *ca, const struct helper_ca_crl *options,
    struct acme_buf *der)
{
    const struct pair *by = options->by_root ? &ca->root : &ca->intermediate;
    EVP_PKEY *stranger = EVP_EC_gen("P-256");
    X509_CRL *list = X509_CRL_new();
    unsigned char *out = NULL;
    int len;

    need(list != NULL && stranger != NULL && X509_CRL_set_version(list, 1));
    need(X509_CRL_set_issuer_name(list, X509_get_subject_name(by->cert)));
    set_crl_times(list, options);
    if (options->serial != NULL)
        add_revoked(list, options->serial, options->reason);
    if (options->scope != NULL || options->only_ca)
        add_scope(list, options);
    if (options->delta)
        add_delta(list);
    need(X509_CRL_sort(list));
    need(X509_CRL_sign(list, options->wrong_signature ? stranger : by->key,
             EVP_sha256()) > 0);
    len = i2d_X509_CRL(list, &out);
    need(len > 0);
    acme_buf_add(der, out, (size_t)len);
    need(acme_buf_ok(der));
    OPENSSL_free(out);
    X509_CRL_free(list);
    EVP_PKEY_free(stranger);
}

/* Whose certificate and key sign an answer. */
static struct pair
new_signer(const struct helper_ca *ca, enum helper_ca_signer kind)
{
    struct spec spec = { .subject = "Test Responder",
        .issuer = &ca->intermediate,
        .not_before = -20 * YEAR,
        .not_after = 20 * YEAR };
    struct pair pair = { NULL, EVP_EC_gen("P-256") };

    need(pair.key != NULL);
    spec.key = pair.key;
    if (kind == HELPER_CA_NAMESAKE) {
        spec.subject = "Test Intermediate";
        spec.issuer = &ca->root;
        pair.cert = new_ca_cert(&spec, true);
        return pair;
    }
    if (kind == HELPER_CA_DELEGATE_OF_ROOT)
        spec.issuer = &ca->root;
    if (kind == HELPER_CA_DELEGATE_EXPIRED)
        spec.not_after = -YEAR;
    pair.cert = new_cert(&spec);
    add_extension(pair.cert, &spec, NID_key_usage,
        "critical,digitalSignature");
    add_extension(pair.cert, &spec, NID_ext_key_usage,
        kind == HELPER_CA_DELEGATE_NOT ? "serverAuth" : "OCSPSigning");
    sign_cert(pair.cert, &spec);
    return pair;
}

static OCSP_CERTID *
new_certificate_id(const X509 *issuer, const char *hex)
{
    BIGNUM *number = NULL;
    ASN1_INTEGER *serial;
    OCSP_CERTID *id;

    need(BN_hex2bn(&number, hex) > 0);
    serial = BN_to_ASN1_INTEGER(number, NULL);
    need(serial != NULL);
    id = OCSP_cert_id_new(EVP_sha1(), X509_get_subject_name(issuer),
        X509_get0_pubkey_bitstr(issuer), serial);
    need(id != NULL);
    ASN1_INTEGER_free(serial);
    BN_free(number);
    return id;
}

static void
add_single(OCSP_BASICRESP *basic, const struct helper_ca *ca,
    const struct helper_ca_ocsp *options)
{
    const X509 *issuer =
        options->about_root ? ca->root.cert : ca->intermediate.cert;
    OCSP_CERTID *id = new_certificate_id(issuer, options->serial);
    ASN1_TIME *start = ASN1_GENERALIZEDTIME_set(NULL, options->this_update);
    ASN1_TIME *end = ASN1_GENERALIZEDTIME_set(NULL, options->next_update);
    ASN1_TIME *revoked = ASN1_GENERALIZEDTIME_set(NULL, 0);
    OCSP_SINGLERESP *single;

    need(start != NULL && end != NULL && revoked != NULL);
    single = OCSP_basic_add1_status(basic, id, options->status,
        options->reason, revoked, start, options->next_update ? end : NULL);
    need(single != NULL);
    if (options->critical)
        need(OCSP_SINGLERESP_add1_ext_i2d(single,
            NID_id_pkix_OCSP_archiveCutoff, start, 1, 0));
    OCSP_CERTID_free(id);
    ASN1_TIME_free(start);
    ASN1_TIME_free(end);
    ASN1_TIME_free(revoked);
}

/* Only a delegate's certificate comes with the answer. */
static void
sign_answer(OCSP_BASICRESP *basic, const struct helper_ca *ca,
    enum helper_ca_signer kind)
{
    struct pair other = new_signer(ca, kind);
    bool own = kind == HELPER_CA_ISSUER;

    need(OCSP_basic_sign(basic, own ? ca->intermediate.cert : other.cert,
        own ? ca->intermediate.key : other.key, EVP_sha256(), NULL,
        own || kind == HELPER_CA_NAMESAKE ? OCSP_NOCERTS : 0));
    clear_pair(&other);
}

void
helper_ca_ocsp(const struct helper_ca *ca,
    const struct helper_ca_ocsp *options, struct acme_buf *der)
{
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_RESPONSE *response;
    unsigned char *out = NULL;
    int len;

    need(basic != NULL);
    add_single(basic, ca, options);
    sign_answer(basic, ca, options->signer);
    response = OCSP_response_create(options->error,
        options->error != 0 ? NULL : basic);
    need(response != NULL);
    len = i2d_OCSP_RESPONSE(response, &out);
    need(len > 0);
    acme_buf_add(der, out, (size_t)len);
    need(acme_buf_ok(der));
    OPENSSL_free(out);
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
}

void
helper_ca_add_cross(const struct helper_ca *ca, struct acme_buf *pem)
{
    BIO *bio = BIO_new(BIO_s_mem());
    X509 *cross = new_cross(ca);
    char *text = NULL;
    long len;

    need(bio != NULL && PEM_write_bio_X509(bio, cross));
    len = BIO_get_mem_data(bio, &text);
    acme_buf_add(pem, text, (size_t)len);
    need(acme_buf_ok(pem));
    X509_free(cross);
    BIO_free(bio);
}

static void
issue(struct helper_ca *ca, EVP_PKEY *key, const GENERAL_NAMES *sans,
    const struct helper_ca_options *options, struct acme_buf *pem)
{
    struct pair *links = new_links(ca, options);
    EVP_PKEY *stranger = NULL;
    X509 *leaf;
    struct spec spec = {
        .key = key,
        .issuer = options->issued_by_root    ? &ca->root
                  : options->extra_links > 0 ? &links[0]
                                             : &ca->intermediate,
        .not_before = options->not_before ? options->not_before : -3600,
        .not_after = options->not_after ? options->not_after : 90 * 86400L,
        .serial = options->serial,
    };
    size_t i;

    if (options->wrong_signature) {
        stranger = EVP_EC_gen("P-256");
        need(stranger != NULL);
        spec.signer = stranger;
    }
    if (options->link_key != NULL && strncmp(options->link_key, "RSA", 3) == 0)
        spec.signer = ca->intermediate.key; /* see fake_rsa() */
    leaf = new_leaf(&spec, options, sans);
    write_chain(ca, options, leaf, links, pem);
    X509_free(leaf);
    EVP_PKEY_free(stranger);
    for (i = 0; i < options->extra_links; i++)
        clear_pair(&links[i]);
    free(links);
}

static GENERAL_NAMES *
to_sans(const char *const *names)
{
    GENERAL_NAMES *sans = GENERAL_NAMES_new();

    need(sans != NULL);
    for (; *names != NULL; names++) {
        GENERAL_NAME *name = a2i_GENERAL_NAME(NULL, NULL, NULL,
            acme_name_is_ip(*names) ? GEN_IPADD : GEN_DNS, *names, 0);

        need(name != NULL && sk_GENERAL_NAME_push(sans, name) > 0);
    }
    return sans;
}

void
helper_ca_issue(struct helper_ca *ca, const struct acme_key *key,
    const char *const *names, const struct helper_ca_options *options,
    struct acme_buf *pem)
{
    static const struct helper_ca_options ordinary = { 0 };
    GENERAL_NAMES *sans = to_sans(names);

    issue(ca, acme_key_evp(key), sans, options ? options : &ordinary, pem);
    GENERAL_NAMES_free(sans);
}

struct acme_chain *
helper_ca_chain(struct helper_ca *ca, const struct acme_key *key,
    const char *const *names, const struct helper_ca_options *options)
{
    struct acme_chain *chain = NULL;
    struct acme_error err;
    struct acme_buf pem;

    acme_error_clear(&err);
    acme_buf_init(&pem, 1 << 20);
    helper_ca_issue(ca, key, names, options, &pem);
    need(acme_chain_from_pem(acme_buf_str(&pem), pem.len, &chain, &err) ==
         ACME_OK);
    acme_buf_clear(&pem);
    return chain;
}

void
helper_ca_issue_csr(struct helper_ca *ca, const void *csr, size_t len,
    const struct helper_ca_options *options, struct acme_buf *pem)
{
    static const struct helper_ca_options ordinary = { 0 };
    const unsigned char *p = csr;
    X509_REQ *request = d2i_X509_REQ(NULL, &p, (long)len);
    STACK_OF(X509_EXTENSION) * extensions;
    struct helper_ca_options wanted = options != NULL ? *options : ordinary;
    GENERAL_NAMES *sans;
    EVP_PKEY *key;

    need(request != NULL && p == (const unsigned char *)csr + len);
    key = X509_REQ_get0_pubkey(request);
    need(key != NULL && X509_REQ_verify(request, key) == 1);
    extensions = X509_REQ_get_extensions(request);
    sans = X509V3_get_d2i(extensions, NID_subject_alt_name, NULL, NULL);
    need(sans != NULL);
    if (X509v3_get_ext_by_NID(extensions, NID_tlsfeature, -1) >= 0)
        wanted.must_staple = !wanted.no_staple;
    issue(ca, key, sans, &wanted, pem);
    GENERAL_NAMES_free(sans);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    X509_REQ_free(request);
}
