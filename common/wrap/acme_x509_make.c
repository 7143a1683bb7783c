/*
 * Making: what is common to certificates and requests, and the placeholder.
 */
#include <openssl/bn.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/acme_log.h"
#include "base/acme_name.h"
#include "wrap/acme_openssl.h"
#include "wrap/acme_x509_private.h"

/* Takes nothing; false: out of memory. */
static bool
add_san(GENERAL_NAMES *sans, const char *name)
{
    bool ip = acme_name_is_ip(name);
    GENERAL_NAME *entry = GENERAL_NAME_new();
    ASN1_STRING *value = NULL;

    if (ip)
        value = a2i_IPADDRESS(name);
    else if ((value = ASN1_IA5STRING_new()) != NULL &&
             !ASN1_STRING_set(value, name, (int)strlen(name))) {
        ASN1_STRING_free(value);
        value = NULL;
    }
    if (entry == NULL || value == NULL) {
        ASN1_STRING_free(value);
        GENERAL_NAME_free(entry);
        return false;
    }
    GENERAL_NAME_set0_value(entry, ip ? GEN_IPADD : GEN_DNS, value);
    if (sk_GENERAL_NAME_push(sans, entry) > 0)
        return true;
    GENERAL_NAME_free(entry);
    return false;
}

GENERAL_NAMES *
acme_x509_new_sans(const char *const *names, size_t nnames)
{
    GENERAL_NAMES *sans = GENERAL_NAMES_new();
    size_t i;

    for (i = 0; sans != NULL && i < nnames; i++) {
        if (!add_san(sans, names[i])) {
            GENERAL_NAMES_free(sans);
            return NULL;
        }
    }
    return sans;
}

bool
acme_x509_add_cn(X509_NAME *subject, const char *cn)
{
    return X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
               (const unsigned char *)cn, -1, -1, 0) == 1;
}

const EVP_MD *
acme_x509_digest(const struct acme_key *key)
{
    switch (acme_key_type_of(key)) {
    case ACME_KEY_ECDSA_384:
        return EVP_sha384();
    case ACME_KEY_ECDSA_521:
        return EVP_sha512();
    default:
        return EVP_sha256();
    }
}

/* ---- the placeholder -------------------------------------------------- */

static bool
set_random_serial(X509 *cert)
{
    unsigned char bytes[16];
    BIGNUM *number = NULL;
    bool ok;

    ok = RAND_bytes(bytes, sizeof(bytes)) == 1;
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    ok = ok && (number = BN_bin2bn(bytes, sizeof(bytes), NULL)) != NULL &&
         BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;
    BN_free(number);
    return ok;
}

static bool
set_common_name(X509 *cert, const char *name)
{
    X509_NAME *subject = X509_get_subject_name(cert);
    char shown[ACME_CN_MAX + 1];

    acme_log_clean(shown, sizeof(shown), name, strlen(name));
    return acme_x509_add_cn(subject, shown) &&
           X509_set_issuer_name(cert, subject);
}

static bool
add_extension(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    bool ok = extension != NULL && X509_add_ext(cert, extension, -1);

    X509_EXTENSION_free(extension);
    return ok;
}

static bool
add_sans(X509 *cert, const char *const *names, size_t nnames)
{
    GENERAL_NAMES *sans;
    bool ok;

    if (nnames == 0)
        return true;
    sans = acme_x509_new_sans(names, nnames);
    ok = sans != NULL &&
         X509_add1_ext_i2d(cert, NID_subject_alt_name, sans, 0, 0) == 1;
    GENERAL_NAMES_free(sans);
    return ok;
}

static X509 *
self_signed(const char *title, const struct acme_key *key)
{
    X509 *cert = X509_new();

    if (cert != NULL && X509_set_version(cert, X509_VERSION_3) &&
        set_random_serial(cert) && set_common_name(cert, title) &&
        X509_gmtime_adj(X509_getm_notBefore(cert), -86400L) != NULL &&
        X509_gmtime_adj(X509_getm_notAfter(cert), 364 * 86400L) != NULL &&
        X509_set_pubkey(cert, acme_key_evp(key)) &&
        add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
        add_extension(cert, NID_ext_key_usage, "serverAuth") &&
        X509_sign(cert, acme_key_evp(key), acme_x509_digest(key)) > 0)
        return cert;
    X509_free(cert);
    return NULL;
}

enum acme_rc
acme_placeholder_new(const char *title, struct acme_key **key,
    struct acme_chain **chain, struct acme_error *err)
{
    struct acme_key *new_key = NULL;
    struct acme_chain *made = NULL;
    enum acme_rc rc;

    ERR_set_mark();
    rc = acme_key_generate(ACME_KEY_ECDSA_256, &new_key, err);
    if (rc != ACME_OK)
        goto done;
    made = calloc(1, sizeof(*made));
    if (made == NULL) {
        rc = acme_error_nomem(err);
        goto done;
    }
    made->cert[0] = self_signed(title, new_key);
    if (made->cert[0] == NULL) {
        rc = acme_openssl_fail(err, ACME_CRYPTO, "cannot make a certificate");
        goto done;
    }
    made->count = 1;
    *key = new_key;
    *chain = made;
    new_key = NULL;
    made = NULL;

done:
    acme_chain_free(made);
    acme_key_unref(new_key);
    ERR_pop_to_mark();
    return rc;
}

enum acme_rc
acme_placeholder_rename(struct acme_chain *chain, const struct acme_key *key,
    const char *const *names, size_t nnames, struct acme_error *err)
{
    X509 *cert = chain->cert[0];
    enum acme_rc rc = ACME_OK;
    int at;

    ERR_set_mark();
    at = X509_get_ext_by_NID(cert, NID_subject_alt_name, -1);
    if (at >= 0)
        X509_EXTENSION_free(X509_delete_ext(cert, at));
    if (!add_sans(cert, names, nnames) ||
        X509_sign(cert, acme_key_evp(key), acme_x509_digest(key)) <= 0)
        rc = acme_openssl_fail(err, ACME_CRYPTO, "cannot name a certificate");
    ERR_pop_to_mark();
    return rc;
}
