#include "wrap/acme_revocation.h"

#include <limits.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "wrap/acme_hash.h"
#include "wrap/acme_openssl.h"
#include "wrap/acme_revocation_private.h"

#define CLOCK_SLACK 300

/* RFC 5280 4.1.2.2: at most 20 octets; CAs have sent a zero in front. */
#define SERIAL_MAX 21

struct entry {
    unsigned char len;
    signed char reason; /* -1: none */
    unsigned char serial[SERIAL_MAX];
};

struct acme_crl {
    char issuer[ACME_HASH_HEX]; /* its certificate */
    time_t next_update;
    size_t n;
    struct entry entry[]; /* sorted */
};

static const char *const reasons[] = { "unspecified", "keyCompromise",
    "cACompromise", "affiliationChanged", "superseded", "cessationOfOperation",
    "certificateHold", "", "removeFromCRL", "privilegeWithdrawn",
    "aACompromise" };

#define REASONS (sizeof(reasons) / sizeof(reasons[0]))
#define REMOVED 8 /* of a delta, which this is not */

/* ---- what the answers of responders have too -------------------------- */

const char *
acme_revocation_reason(long code)
{
    return code >= 0 && code < (long)REASONS ? reasons[code] : "";
}

bool
acme_revocation_is_told(const struct acme_chain *chain)
{
    const X509 *leaf = acme_chain_x509(chain, 0);

    return X509_get_ext_by_NID(leaf, NID_info_access, -1) >= 0 ||
           X509_get_ext_by_NID(leaf, NID_crl_distribution_points, -1) >= 0;
}

bool
acme_revocation_is_reason(const char *word)
{
    size_t i;

    for (i = 0; i < REASONS; i++)
        if (strcmp(word, reasons[i]) == 0)
            return true;
    return false;
}

bool
acme_revocation_url(const GENERAL_NAME *name, char url[ACME_URL_MAX])
{
    static const char scheme[] = "http://";
    const unsigned char *text;
    int len;

    if (name->type != GEN_URI)
        return false;
    text = ASN1_STRING_get0_data(name->d.uniformResourceIdentifier);
    len = ASN1_STRING_length(name->d.uniformResourceIdentifier);
    if (len < (int)strlen(scheme) || len >= ACME_URL_MAX ||
        memchr(text, '\0', (size_t)len) != NULL ||
        strncasecmp((const char *)text, scheme, strlen(scheme)) != 0)
        return false;
    memcpy(url, text, (size_t)len);
    url[len] = '\0';
    return true;
}

static bool
to_time(const ASN1_TIME *asn1, time_t *t)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0, seconds = 0;
    bool ok = epoch != NULL && asn1 != NULL &&
              ASN1_TIME_diff(&days, &seconds, epoch, asn1);

    if (ok)
        *t = (time_t)days * 86400 + seconds;
    ASN1_TIME_free(epoch);
    return ok;
}

enum acme_rc
acme_revocation_times(const char *what, const ASN1_TIME *this_update,
    const ASN1_TIME *next_update, time_t now, time_t *start, time_t *next,
    struct acme_error *err)
{
    if (!to_time(this_update, start) ||
        (next_update != NULL && !to_time(next_update, next)))
        return acme_openssl_no_memory()
                   ? acme_error_nomem(err)
                   : acme_error_set(err, ACME_WIRE,
                         "the %s does not say when it is valid", what);
    if (*start > now + CLOCK_SLACK)
        return acme_error_set(err, ACME_WIRE, "the %s is not valid yet", what);
    if (next_update == NULL)
        *next = *start + ACME_CRL_LIFE_MAX;
    if (*next < now - CLOCK_SLACK)
        return acme_error_set(err, ACME_WIRE, "the %s is out of date", what);
    return ACME_OK;
}

/* ---- where a list is -------------------------------------------------- */

/* The first http URL. */
static bool
point_url(const DIST_POINT_NAME *point, char url[ACME_URL_MAX])
{
    int i;

    if (point == NULL || point->type != 0)
        return false;
    for (i = 0; i < sk_GENERAL_NAME_num(point->name.fullname); i++) {
        if (acme_revocation_url(sk_GENERAL_NAME_value(point->name.fullname, i),
                url))
            return true;
    }
    return false;
}

bool
acme_crl_url(const struct acme_chain *chain, char url[ACME_URL_MAX])
{
    CRL_DIST_POINTS *points;
    bool found = false;
    int i;

    ERR_set_mark();
    points = X509_get_ext_d2i(acme_chain_x509(chain, 0),
        NID_crl_distribution_points, NULL, NULL);
    for (i = 0; !found && i < sk_DIST_POINT_num(points); i++) {
        const DIST_POINT *point = sk_DIST_POINT_value(points, i);

        found = point->reasons == NULL && point->CRLissuer == NULL &&
                point_url(point->distpoint, url);
    }
    CRL_DIST_POINTS_free(points);
    ERR_pop_to_mark();
    return found;
}

/* ---- what it says ----------------------------------------------------- */

static bool
hash_issuer(const struct acme_chain *chain, char hash[ACME_HASH_HEX])
{
    unsigned char *der = NULL;
    int len = -1;

    hash[0] = '\0';
    ERR_set_mark();
    if (acme_chain_count(chain) > 1)
        len = i2d_X509(acme_chain_x509(chain, 1), &der);
    if (len > 0)
        acme_hash_hex(der, (size_t)len, hash);
    OPENSSL_free(der);
    ERR_pop_to_mark();
    return hash[0] != '\0';
}

static enum acme_rc
check_signer(X509_CRL *list, const struct acme_chain *chain,
    struct acme_error *err)
{
    X509 *issuer = acme_chain_x509(chain, 1);
    EVP_PKEY *key = X509_get0_pubkey(issuer);

    if (X509_NAME_cmp(X509_CRL_get_issuer(list),
            X509_get_subject_name(issuer)) != 0 ||
        (X509_get_key_usage(issuer) & KU_CRL_SIGN) == 0)
        return acme_error_set(err, ACME_WIRE,
            "the revocation list is not of the certificate's issuer");
    if (key == NULL || X509_CRL_verify(list, key) != 1)
        return acme_openssl_fail(err, ACME_WIRE,
            "the revocation list is not signed by the certificate's issuer");
    return ACME_OK;
}

static enum acme_rc
check_times(const X509_CRL *list, time_t now, time_t *next_update,
    struct acme_error *err)
{
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(list);
    time_t ignored;

    if (next == NULL) /* RFC 5280 5.1.2.5: it must be there */
        return acme_error_set(err, ACME_WIRE,
            "the revocation list does not say when it is valid");
    return acme_revocation_times("revocation list",
        X509_CRL_get0_lastUpdate(list), next, now, &ignored, next_update, err);
}

/* A CA may have one list for each part of its certificates, all signed by
 * one key: another part's would tell of none of ours. */
static bool
is_our_part(const DIST_POINT_NAME *point, const struct acme_chain *chain)
{
    char url[ACME_URL_MAX], own[ACME_URL_MAX];
    int i;

    if (point == NULL)
        return true;
    if (point->type != 0 || !acme_crl_url(chain, own))
        return false;
    for (i = 0; i < sk_GENERAL_NAME_num(point->name.fullname); i++) {
        if (acme_revocation_url(sk_GENERAL_NAME_value(point->name.fullname, i),
                url) &&
            strcmp(url, own) == 0)
            return true;
    }
    return false;
}

static bool
is_in_scope(X509_CRL *list, const struct acme_chain *chain)
{
    int found = -1;
    ISSUING_DIST_POINT *scope = X509_CRL_get_ext_d2i(list,
        NID_issuing_distribution_point, &found, NULL);
    bool good;

    if (scope == NULL)
        return found == -1; /* else it is malformed, or there twice */
    good = scope->onlyCA <= 0 && scope->onlyattr <= 0 &&
           scope->indirectCRL <= 0 && scope->onlysomereasons == NULL &&
           is_our_part(scope->distpoint, chain);
    ISSUING_DIST_POINT_free(scope);
    return good;
}

static bool
has_unknown(const X509_CRL *list)
{
    int i;

    for (i = 0; i < X509_CRL_get_ext_count(list); i++) {
        X509_EXTENSION *extension = X509_CRL_get_ext(list, i);

        if (X509_EXTENSION_get_critical(extension) &&
            OBJ_obj2nid(X509_EXTENSION_get_object(extension)) !=
                NID_issuing_distribution_point)
            return true;
    }
    return false;
}

static enum acme_rc
check_scope(X509_CRL *list, const struct acme_chain *chain,
    struct acme_error *err)
{
    if (has_unknown(list))
        return acme_error_set(err, ACME_WIRE,
            "the revocation list has an unknown critical extension");
    if (!is_in_scope(list, chain))
        return acme_error_set(err, ACME_WIRE,
            "the revocation list is not for this certificate");
    return ACME_OK;
}

static bool
set_serial(struct entry *entry, const ASN1_INTEGER *serial)
{
    int len = ASN1_STRING_length(serial);

    memset(entry->serial, 0, sizeof(entry->serial));
    if (len < 1 || len > SERIAL_MAX ||
        ASN1_STRING_type(serial) != V_ASN1_INTEGER)
        return false; /* a negative one is no certificate's */
    entry->len = (unsigned char)len;
    memcpy(entry->serial, ASN1_STRING_get0_data(serial), (size_t)len);
    return true;
}

static int
reason_of(const X509_REVOKED *revoked)
{
    ASN1_ENUMERATED *coded =
        X509_REVOKED_get_ext_d2i(revoked, NID_crl_reason, NULL, NULL);
    long reason = coded != NULL ? ASN1_ENUMERATED_get(coded) : -1;

    ASN1_ENUMERATED_free(coded);
    return reason >= 0 && reason < (long)REASONS ? (int)reason : -1;
}

static bool
has_critical(const X509_REVOKED *revoked)
{
    int i;

    for (i = 0; i < X509_REVOKED_get_ext_count(revoked); i++)
        if (X509_EXTENSION_get_critical(X509_REVOKED_get_ext(revoked, i)))
            return true;
    return false;
}

static int
compare(const void *a, const void *b)
{
    const struct entry *one = a, *other = b;

    if (one->len != other->len)
        return one->len < other->len ? -1 : 1;
    return memcmp(one->serial, other->serial, one->len);
}

static enum acme_rc
take_entries(STACK_OF(X509_REVOKED) * revoked, struct acme_crl *crl,
    struct acme_error *err)
{
    int i;

    for (i = 0; i < sk_X509_REVOKED_num(revoked); i++) {
        const X509_REVOKED *one = sk_X509_REVOKED_value(revoked, i);
        struct entry *entry = &crl->entry[crl->n];

        if (has_critical(one))
            return acme_error_set(err, ACME_WIRE,
                "the revocation list has an unknown critical extension");
        entry->reason = (signed char)reason_of(one);
        if (entry->reason != REMOVED &&
            set_serial(entry, X509_REVOKED_get0_serialNumber(one)))
            crl->n++;
    }
    qsort(crl->entry, crl->n, sizeof(crl->entry[0]), compare);
    return ACME_OK;
}

static enum acme_rc
read_list(X509_CRL *list, const struct acme_chain *chain, time_t now,
    struct acme_crl **out, struct acme_error *err)
{
    STACK_OF(X509_REVOKED) *revoked = X509_CRL_get_REVOKED(list);
    int n = sk_X509_REVOKED_num(revoked);
    struct acme_crl *crl;
    enum acme_rc rc;

    crl =
        malloc(sizeof(*crl) + (size_t)(n > 0 ? n : 0) * sizeof(crl->entry[0]));
    if (crl == NULL)
        return acme_error_nomem(err);
    crl->n = 0;
    rc = hash_issuer(chain, crl->issuer) ? ACME_OK : acme_error_nomem(err);
    if (rc == ACME_OK)
        rc = check_signer(list, chain, err);
    if (rc == ACME_OK)
        rc = check_times(list, now, &crl->next_update, err);
    if (rc == ACME_OK)
        rc = check_scope(list, chain, err);
    if (rc == ACME_OK)
        rc = take_entries(revoked, crl, err);
    if (rc == ACME_OK)
        *out = crl;
    else
        acme_crl_free(crl);
    return rc;
}

enum acme_rc
acme_crl_read(const void *der, size_t len, const struct acme_chain *chain,
    time_t now, struct acme_crl **crl, struct acme_error *err)
{
    const unsigned char *p = der, *end = p + len;
    X509_CRL *list = NULL;
    enum acme_rc rc;

    if (acme_chain_count(chain) < 2)
        return acme_error_set(err, ACME_WIRE,
            "the certificate's issuer is not known");
    ERR_set_mark();
    if (len <= LONG_MAX)
        list = d2i_X509_CRL(NULL, &p, (long)len);
    if (list == NULL)
        rc = acme_openssl_fail(err, ACME_WIRE, "malformed revocation list");
    else if (p != end)
        rc = acme_error_set(err, ACME_WIRE,
            "something follows the revocation list");
    else
        rc = read_list(list, chain, now, crl, err);
    X509_CRL_free(list);
    ERR_pop_to_mark();
    return rc;
}

void
acme_crl_free(struct acme_crl *crl)
{
    free(crl);
}

bool
acme_crl_is_for(const struct acme_crl *crl, const struct acme_chain *chain)
{
    char issuer[ACME_HASH_HEX];

    return hash_issuer(chain, issuer) && strcmp(issuer, crl->issuer) == 0;
}

time_t
acme_crl_next_update(const struct acme_crl *crl)
{
    return crl->next_update;
}

size_t
acme_crl_size(const struct acme_crl *crl)
{
    return sizeof(*crl) + crl->n * sizeof(crl->entry[0]);
}

bool
acme_crl_has(const struct acme_crl *crl, const struct acme_chain *chain,
    const char **reason)
{
    const X509 *leaf = acme_chain_x509(chain, 0);
    const struct entry *found;
    struct entry wanted = { 0 };

    if (!set_serial(&wanted, X509_get0_serialNumber(leaf)))
        return false;
    found =
        bsearch(&wanted, crl->entry, crl->n, sizeof(crl->entry[0]), compare);
    if (found != NULL)
        *reason = acme_revocation_reason(found->reason);
    return found != NULL;
}
