#include "wrap/acme_csr.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/acme_limits.h"
#include "base/acme_log.h"
#include "base/acme_name.h"
#include "wrap/acme_openssl.h"
#include "wrap/acme_x509_private.h"

struct acme_csr {
    struct acme_key *key;
    struct acme_buf der;
    bool must_staple;
    size_t nnames;
    char (*name)[ACME_NAME_MAX + 1];
};

void
acme_csr_free(struct acme_csr *csr)
{
    if (csr == NULL)
        return;
    acme_key_unref(csr->key);
    acme_buf_clear(&csr->der);
    free(csr->name);
    free(csr);
}

const struct acme_buf *
acme_csr_der(const struct acme_csr *csr)
{
    return &csr->der;
}

enum acme_rc
acme_csr_to_pem(const struct acme_csr *csr, struct acme_buf *pem,
    struct acme_error *err)
{
    BIO *bio;
    char *data = NULL;
    long len;

    ERR_set_mark();
    bio = BIO_new(BIO_s_mem());
    if (bio != NULL && PEM_write_bio(bio, PEM_STRING_X509_REQ, "",
                           csr->der.data, (long)csr->der.len) > 0) {
        len = BIO_get_mem_data(bio, &data);
        acme_buf_add(pem, data, (size_t)len);
    } else {
        pem->failed = true;
    }
    BIO_free(bio);
    ERR_pop_to_mark();
    return acme_buf_ok(pem) ? ACME_OK : acme_error_nomem(err);
}

struct acme_key *
acme_csr_key(const struct acme_csr *csr)
{
    return csr->key;
}

size_t
acme_csr_nnames(const struct acme_csr *csr)
{
    return csr->nnames;
}

const char *
acme_csr_name(const struct acme_csr *csr, size_t i)
{
    return csr->name[i];
}

static void
add_clean(struct acme_buf *text, const char *data, size_t len)
{
    const size_t size = 4 * len + 1; /* \\xNN for each byte */
    char *clean = malloc(size);

    if (clean != NULL)
        acme_buf_add_str(text, acme_log_clean(clean, size, data, len));
    else
        text->failed = true;
    free(clean);
}

enum acme_rc
acme_csr_subject(const struct acme_csr *csr, struct acme_buf *text,
    struct acme_error *err)
{
    const unsigned char *der = csr->der.data;
    X509_REQ *request;
    char *data = NULL;
    BIO *bio;
    long len;

    ERR_set_mark();
    request = d2i_X509_REQ(NULL, &der, (long)csr->der.len);
    bio = BIO_new(BIO_s_mem());
    text->failed =
        text->failed || request == NULL || bio == NULL ||
        X509_NAME_print_ex(bio, X509_REQ_get_subject_name(request), 0,
            XN_FLAG_SEP_CPLUS_SPC | ASN1_STRFLGS_UTF8_CONVERT) < 0;
    if (!text->failed) {
        len = BIO_get_mem_data(bio, &data);
        add_clean(text, data, len > 0 ? (size_t)len : 0);
    }
    BIO_free(bio);
    X509_REQ_free(request);
    ERR_pop_to_mark();
    return acme_buf_ok(text) ? ACME_OK : acme_error_nomem(err);
}

bool
acme_csr_must_staple(const struct acme_csr *csr)
{
    return csr->must_staple;
}

/* ---- names ------------------------------------------------------------ */

static bool
has_name(const struct acme_csr *csr, const char *name)
{
    size_t i;

    for (i = 0; i < csr->nnames; i++)
        if (strcmp(csr->name[i], name) == 0)
            return true;
    return false;
}

/* What a CA would put into the certificate without being asked for it by us
 * has no place in the request. */
static enum acme_rc
take_names(struct acme_csr *csr, const GENERAL_NAMES *sans,
    struct acme_error *err)
{
    int count = sans != NULL ? sk_GENERAL_NAME_num(sans) : 0, i;
    char name[ACME_NAME_MAX + 1];

    if (count <= 0)
        return acme_error_set(err, ACME_CONFIG,
            "it has no subjectAltName; make it anew with all names there");
    if (count > ACME_NAMES_MAX)
        return acme_error_set(err, ACME_CONFIG,
            "it has %d names; %d are allowed", count, ACME_NAMES_MAX);
    csr->name = calloc((size_t)count, sizeof(*csr->name));
    if (csr->name == NULL)
        return acme_error_nomem(err);
    for (i = 0; i < count; i++) {
        if (!acme_x509_name(sk_GENERAL_NAME_value(sans, i), name))
            return acme_error_set(err, ACME_CONFIG,
                "entry %d of its subjectAltName is no DNS name or address "
                "that a CA could be asked for; make it anew without it",
                i + 1);
        if (!has_name(csr, name))
            memcpy(csr->name[csr->nnames++], name, sizeof(name));
    }
    return ACME_OK;
}

/* RFC 8555 7.4: a common name is a name that is asked for. */
static enum acme_rc
check_subject(const struct acme_csr *csr, X509_REQ *request,
    struct acme_error *err)
{
    const X509_NAME *subject = X509_REQ_get_subject_name(request);
    char name[ACME_NAME_MAX + 1];
    struct acme_error ignored;
    unsigned char *text;
    int at = -1, len;
    bool known;

    while (
        (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0) {
        text = NULL;
        len = ASN1_STRING_to_UTF8(&text,
            X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
        if (len < 0)
            return acme_openssl_fail(err, ACME_CONFIG,
                "it has a malformed common name");
        acme_error_clear(&ignored);
        known = acme_name_parse((const char *)text, (size_t)len, name,
                    &ignored) == ACME_OK &&
                has_name(csr, name);
        OPENSSL_free(text);
        if (!known)
            return acme_error_set(err, ACME_CONFIG,
                "its common name is not in its subjectAltName; make it anew "
                "with the name in both");
    }
    return ACME_OK;
}

static enum acme_rc
read_names(struct acme_csr *csr, X509_REQ *request, struct acme_error *err)
{
    STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(request);
    GENERAL_NAMES *sans = NULL;
    int critical = -1;
    enum acme_rc rc;

    csr->must_staple = extensions != NULL && X509v3_get_ext_by_NID(extensions,
                                                 NID_tlsfeature, -1) >= 0;
    if (extensions != NULL)
        sans =
            X509V3_get_d2i(extensions, NID_subject_alt_name, &critical, NULL);
    if (sans == NULL && acme_openssl_no_memory())
        rc = acme_error_nomem(err);
    else if (sans == NULL && critical == -2)
        rc = acme_error_set(err, ACME_CONFIG,
            "it has more than one subjectAltName");
    else
        rc = take_names(csr, sans, err);
    if (rc == ACME_OK)
        rc = check_subject(csr, request, err);
    GENERAL_NAMES_free(sans);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    return rc;
}

static void
list(struct acme_buf *text, const char *name)
{
    acme_buf_addf(text, "%s%s", text->len > 0 ? ", " : "", name);
}

static bool
is_among(const char *name, const char *const *names, size_t nnames)
{
    size_t i;

    for (i = 0; i < nnames; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* The difference first: a line for people has an end. */
static enum acme_rc
differ(const struct acme_csr *csr, const char *const *names, size_t nnames,
    struct acme_error *err)
{
    struct acme_buf extra, missing, has, wanted;
    size_t i;

    acme_buf_init(&extra, ACME_STATE_JSON_MAX);
    acme_buf_init(&missing, ACME_STATE_JSON_MAX);
    acme_buf_init(&has, ACME_STATE_JSON_MAX);
    acme_buf_init(&wanted, ACME_STATE_JSON_MAX);
    for (i = 0; i < csr->nnames; i++) {
        list(&has, csr->name[i]);
        if (!is_among(csr->name[i], names, nnames))
            list(&extra, csr->name[i]);
    }
    for (i = 0; i < nnames; i++) {
        list(&wanted, names[i]);
        if (!has_name(csr, names[i]))
            list(&missing, names[i]);
    }
    (void)acme_error_set(err, ACME_CONFIG,
        "its names are not those configured:%s%s%s%s%s it has %s; configured "
        "are %s",
        extra.len > 0 ? " too many: " : "", acme_buf_str(&extra),
        extra.len > 0 && missing.len > 0 ? ";" : "",
        missing.len > 0 ? " missing: " : "", acme_buf_str(&missing),
        acme_buf_str(&has), acme_buf_str(&wanted));
    acme_buf_clear(&extra);
    acme_buf_clear(&missing);
    acme_buf_clear(&has);
    acme_buf_clear(&wanted);
    return err->rc;
}

enum acme_rc
acme_csr_check_names(const struct acme_csr *csr, const char *const *names,
    size_t nnames, struct acme_error *err)
{
    size_t i;

    for (i = 0; i < csr->nnames; i++)
        if (!is_among(csr->name[i], names, nnames))
            return differ(csr, names, nnames, err);
    for (i = 0; i < nnames; i++)
        if (!has_name(csr, names[i]))
            return differ(csr, names, nnames, err);
    return ACME_OK;
}

/* ---- reading ---------------------------------------------------------- */

/* DER begins with a SEQUENCE, which is no text. */
static X509_REQ *
read_request(const unsigned char *data, size_t len)
{
    const unsigned char *p = data;
    X509_REQ *request = NULL;
    BIO *bio;

    if (len == 0 || len > ACME_STATE_PEM_MAX)
        return NULL;
    if (data[0] == 0x30) {
        request = d2i_X509_REQ(NULL, &p, (long)len);
        if (request != NULL && p != data + len) {
            X509_REQ_free(request);
            request = NULL;
        }
        return request;
    }
    bio = BIO_new_mem_buf(data, (int)len);
    if (bio != NULL)
        request = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return request;
}

static enum acme_rc
keep_der(struct acme_csr *csr, X509_REQ *request, struct acme_error *err)
{
    int len = i2d_X509_REQ(request, NULL);
    unsigned char *p;

    if (len <= 0)
        return acme_openssl_fail(err, ACME_CONFIG, "it cannot be sent");
    p = acme_buf_extend(&csr->der, (size_t)len);
    if (p == NULL)
        return acme_error_nomem(err);
    (void)i2d_X509_REQ(request, &p);
    return ACME_OK;
}

static enum acme_rc
parse(struct acme_csr *csr, const void *data, size_t len,
    struct acme_error *err)
{
    X509_REQ *request = read_request(data, len);
    EVP_PKEY *evp;
    enum acme_rc rc;

    if (request == NULL)
        return acme_openssl_fail(err, ACME_CONFIG,
            "it is no signing request, in PEM or in DER");
    evp = X509_REQ_get0_pubkey(request);
    if (evp == NULL)
        rc = acme_openssl_fail(err, ACME_CONFIG, "its key cannot be read");
    else
        rc = acme_key_from_public(evp, &csr->key, err);
    if (rc == ACME_OK && X509_REQ_verify(request, evp) != 1)
        rc = acme_openssl_fail(err, ACME_CONFIG,
            "it is not signed with the key that it is for");
    if (rc == ACME_OK)
        rc = read_names(csr, request, err);
    if (rc == ACME_OK)
        rc = keep_der(csr, request, err);
    X509_REQ_free(request);
    return rc;
}

enum acme_rc
acme_csr_parse(const void *data, size_t len, struct acme_csr **csr,
    struct acme_error *err)
{
    struct acme_csr *made = calloc(1, sizeof(*made));
    enum acme_rc rc;

    if (made == NULL)
        return acme_error_nomem(err);
    acme_buf_init(&made->der, ACME_STATE_PEM_MAX);
    ERR_set_mark();
    rc = parse(made, data, len, err);
    ERR_pop_to_mark();
    if (rc == ACME_OK)
        *csr = made;
    else
        acme_csr_free(made);
    return rc;
}

/* ---- making ----------------------------------------------------------- */

/* Parts of a subject, by the names that people have for them (X.520). */
static const struct {
    const char *name, *other;
    int nid;
} parts[] = { { "C", "country", NID_countryName },
    { "ST", "state", NID_stateOrProvinceName },
    { "L", "city", NID_localityName },
    { "O", "company", NID_organizationName },
    { "OU", "unit", NID_organizationalUnitName },
    { "street", "streetAddress", NID_streetAddress },
    { "postalCode", "postal_code", NID_postalCode },
    { "emailAddress", "email", NID_pkcs9_emailAddress } };

/* No CA has more in one of them (RFC 5280 A.1: ub-organization-name and so
 * on; e-mail addresses have 255). */
#define PART_MAX 255

static bool
add_field(X509_NAME *subject, const struct acme_csr_field *field)
{
    size_t i;

    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (strcasecmp(field->name, parts[i].name) == 0 ||
            strcasecmp(field->name, parts[i].other) == 0)
            return X509_NAME_add_entry_by_NID(subject, parts[i].nid,
                       MBSTRING_UTF8, (const unsigned char *)field->value, -1,
                       -1, 0) == 1;
    return false;
}

static bool
is_part(const char *name)
{
    size_t i;

    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (strcasecmp(name, parts[i].name) == 0 ||
            strcasecmp(name, parts[i].other) == 0)
            return true;
    return false;
}

enum acme_rc
acme_csr_field_check(const struct acme_csr_field *field,
    struct acme_error *err)
{
    const size_t len = strlen(field->value);
    X509_NAME *subject;
    enum acme_rc rc = ACME_OK;

    if (!is_part(field->name))
        return acme_error_set(err, ACME_CONFIG,
            "a subject has C, ST, L, O, OU, street, postalCode and "
            "emailAddress; its CN is the first of the names");
    ERR_set_mark();
    subject = X509_NAME_new();
    if (subject == NULL)
        rc = acme_error_nomem(err);
    else if (len == 0 || len > PART_MAX || !add_field(subject, field))
        rc = acme_error_set(err, ACME_CONFIG,
            "it cannot have that value: too long, too short, or no UTF-8");
    X509_NAME_free(subject);
    ERR_pop_to_mark();
    return rc;
}

static bool
add_subject(X509_NAME *subject, const struct acme_csr_terms *terms)
{
    size_t i;

    if (terms == NULL)
        return true;
    if (terms->cn != NULL && !acme_x509_add_cn(subject, terms->cn))
        return false;
    for (i = 0; i < terms->nfields; i++)
        if (!add_field(subject, &terms->field[i]))
            return false;
    return true;
}

static bool
add_feature(STACK_OF(X509_EXTENSION) * extensions)
{
    X509_EXTENSION *feature =
        X509V3_EXT_conf_nid(NULL, NULL, NID_tlsfeature, "status_request");

    if (feature != NULL && sk_X509_EXTENSION_push(extensions, feature) > 0)
        return true;
    X509_EXTENSION_free(feature);
    return false;
}

static bool
add_extensions(X509_REQ *request, const char *const *names, size_t nnames,
    bool must_staple)
{
    GENERAL_NAMES *sans = acme_x509_new_sans(names, nnames);
    STACK_OF(X509_EXTENSION) *extensions = NULL;
    bool ok;

    ok = sans != NULL &&
         X509V3_add1_i2d(&extensions, NID_subject_alt_name, sans, 0, 0) == 1 &&
         (!must_staple || add_feature(extensions)) &&
         X509_REQ_add_extensions(request, extensions);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    GENERAL_NAMES_free(sans);
    return ok;
}

enum acme_rc
acme_csr_new(const struct acme_key *key, const char *const *names,
    size_t nnames, const struct acme_csr_terms *terms, struct acme_buf *der,
    struct acme_error *err)
{
    X509_REQ *request;
    unsigned char *p;
    int len = -1;
    enum acme_rc rc = ACME_OK;

    ERR_set_mark();
    request = X509_REQ_new();
    if (request != NULL && X509_REQ_set_version(request, X509_REQ_VERSION_1) &&
        X509_REQ_set_pubkey(request, acme_key_evp(key)) &&
        add_subject(X509_REQ_get_subject_name(request), terms) &&
        add_extensions(request, names, nnames,
            terms != NULL && terms->must_staple) &&
        X509_REQ_sign(request, acme_key_evp(key), acme_x509_digest(key)) > 0)
        len = i2d_X509_REQ(request, NULL);
    if (len <= 0) {
        rc = acme_openssl_fail(err, ACME_CRYPTO,
            "cannot make a signing request");
        goto done;
    }
    p = acme_buf_extend(der, (size_t)len);
    if (p == NULL)
        rc = acme_error_nomem(err);
    else
        i2d_X509_REQ(request, &p);

done:
    X509_REQ_free(request);
    ERR_pop_to_mark();
    return rc;
}
