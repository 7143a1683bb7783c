/*
 * The acceptance check: what a certificate has to be before it is served.
 */
#include <openssl/core_names.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "wrap/acme_openssl.h"
#include "wrap/acme_x509_private.h"

#define RSA_BITS_MAX 8192
#define CLOCK_SLACK 3600 /* of a CA whose clock is ahead of ours */

/* Before a signature is checked with them: what makes that slow or odd. */
static enum acme_rc
check_public_keys(const struct acme_chain *chain, struct acme_error *err)
{
    const EVP_PKEY *evp;
    int is_explicit;
    size_t i;

    for (i = 0; i < chain->count; i++) {
        evp = X509_get0_pubkey(chain->cert[i]);
        if (evp == NULL)
            return acme_error_set(err, ACME_REFUSED,
                "certificate %zu has a key that cannot be read", i + 1);
        is_explicit = 0;
        if (acme_openssl_is_a(evp, "EC") &&
            (!EVP_PKEY_get_int_param(evp,
                 OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
                 &is_explicit) ||
                is_explicit))
            return acme_error_set(err, ACME_REFUSED,
                "certificate %zu has a key that is on no named curve", i + 1);
        if ((acme_openssl_is_a(evp, "RSA") ||
                acme_openssl_is_a(evp, "RSA-PSS")) &&
            EVP_PKEY_get_bits(evp) > RSA_BITS_MAX)
            return acme_error_set(err, ACME_REFUSED,
                "certificate %zu has an RSA key of more than %d bits", i + 1,
                RSA_BITS_MAX);
    }
    return ACME_OK;
}

static enum acme_rc
check_leaf(X509 *leaf, struct acme_error *err)
{
    uint32_t flags = X509_get_extension_flags(leaf);
    const char *reason = NULL;

    if (flags & EXFLAG_INVALID)
        reason = "has malformed extensions";
    else if (flags & EXFLAG_CRITICAL)
        reason = "has an unknown critical extension";
    else if ((flags & EXFLAG_CA) || X509_check_ca(leaf) != 0)
        reason = "is one of a CA";
    else if ((flags & EXFLAG_XKUSAGE) &&
             !(X509_get_extended_key_usage(leaf) & XKU_SSL_SERVER))
        reason = "is not for servers (extended key usage)";
    if (reason == NULL)
        return ACME_OK;
    return acme_error_set(err, ACME_REFUSED, "the certificate %s", reason);
}

static enum acme_rc
check_times(X509 *leaf, time_t now, struct acme_error *err)
{
    time_t not_before = 0;
    time_t not_after = 0;

    if (!acme_x509_time(X509_get0_notBefore(leaf), &not_before) ||
        !acme_x509_time(X509_get0_notAfter(leaf), &not_after))
        return acme_openssl_fail(err, ACME_REFUSED,
            "the certificate has a malformed time");
    if (not_after <= now)
        return acme_error_set(err, ACME_REFUSED,
            "the certificate has expired");
    if (not_before > now + CLOCK_SLACK)
        return acme_error_set(err, ACME_REFUSED,
            "the certificate is not valid yet: is this clock right?");
    return ACME_OK;
}

/* Who issued whom.  Whether the last one is trusted is not asked, nor are
 * times: old clients are given chains that end with an expired root. */
static enum acme_rc
check_links(const struct acme_chain *chain, struct acme_error *err)
{
    size_t i;

    for (i = 0; i + 1 < chain->count; i++) {
        X509 *subject = chain->cert[i];
        X509 *issuer = chain->cert[i + 1];

        if (X509_check_ca(issuer) == 0)
            return acme_error_set(err, ACME_REFUSED,
                "certificate %zu of the chain is none of a CA", i + 2);
        if (X509_check_issued(issuer, subject) != X509_V_OK ||
            X509_verify(subject, X509_get0_pubkey(issuer)) != 1)
            return acme_error_set(err, ACME_REFUSED,
                "certificate %zu of the chain is not signed by the next one",
                i + 1);
    }
    return ACME_OK;
}

/* Whether `wanted` is a line of `names`. */
static bool
has_line(const char *names, const char *wanted)
{
    char san[ACME_NAME_MAX + 1];

    while (acme_x509_next_name(&names, san) != NULL) {
        if (strcmp(san, wanted) == 0)
            return true;
    }
    return false;
}

static unsigned
count_surplus(const char *found, const char *const *names, size_t nnames)
{
    char san[ACME_NAME_MAX + 1];
    unsigned surplus = 0;
    size_t i;

    while (acme_x509_next_name(&found, san) != NULL) {
        for (i = 0; i < nnames; i++) {
            if (strcmp(names[i], san) == 0)
                break;
        }
        surplus += i == nnames;
    }
    return surplus;
}

static enum acme_rc
check_names(const X509 *leaf, const char *const *names, size_t nnames,
    unsigned *surplus, struct acme_error *err)
{
    struct acme_buf found;
    enum acme_rc rc;
    size_t i;

    acme_buf_init(&found, ACME_X509_NAMES_MAX);
    rc = acme_x509_names(leaf, &found, err);
    for (i = 0; rc == ACME_OK && i < nnames; i++) {
        if (!has_line(acme_buf_str(&found), names[i]))
            rc = acme_error_set(err, ACME_REFUSED,
                "the certificate is not for \"%s\"", names[i]);
    }
    if (rc == ACME_OK && surplus != NULL)
        *surplus = count_surplus(acme_buf_str(&found), names, nnames);
    acme_buf_clear(&found);
    return rc;
}

/* What a certificate has to match. */
struct wish {
    const struct acme_key *key;
    const char *const *names;
    size_t nnames;
    time_t now;
};

/* `wish` NULL: its links only. */
static enum acme_rc
check(const struct acme_chain *chain, const struct wish *wish,
    unsigned *surplus, struct acme_error *err)
{
    X509 *leaf = chain->cert[0];
    enum acme_rc rc;

    rc = check_public_keys(chain, err);
    if (rc == ACME_OK && wish == NULL)
        return check_links(chain, err);
    if (rc == ACME_OK && !acme_x509_matches(leaf, wish->key))
        rc = acme_error_set(err, ACME_REFUSED,
            "the certificate is for another key than the one asked for");
    if (rc == ACME_OK)
        rc = check_leaf(leaf, err);
    if (rc == ACME_OK)
        rc = check_times(leaf, wish->now, err);
    if (rc == ACME_OK)
        rc = check_links(chain, err);
    if (rc == ACME_OK)
        rc = check_names(leaf, wish->names, wish->nnames, surplus, err);
    return rc;
}

/*
 * OpenSSL remembers what it could not find out when memory was short, and
 * does not always say that this was it: a refusal counts if a copy that is
 * read anew is refused too.
 */
static bool
is_refused_again(const struct acme_chain *chain, const struct wish *wish)
{
    struct acme_chain *copy = NULL;
    struct acme_error err;
    struct acme_buf der;
    bool refused;

    acme_error_clear(&err);
    acme_buf_init(&der, ACME_CHAIN_DER_MAX);
    refused = acme_chain_to_der(chain, 0, 0, &der, &err) == ACME_OK &&
              acme_chain_from_der(der.data, der.len, &copy, &err) == ACME_OK &&
              check(copy, wish, NULL, &err) == ACME_REFUSED;
    acme_chain_free(copy);
    acme_buf_clear(&der);
    return refused && !acme_openssl_no_memory();
}

static enum acme_rc
check_twice(const struct acme_chain *chain, const struct wish *wish,
    unsigned *surplus, struct acme_error *err)
{
    enum acme_rc rc;

    ERR_set_mark();
    rc = check(chain, wish, surplus, err);
    if (rc == ACME_REFUSED &&
        (acme_openssl_no_memory() || !is_refused_again(chain, wish))) {
        acme_error_clear(err);
        rc = acme_error_nomem(err);
    }
    ERR_pop_to_mark();
    return rc;
}

enum acme_rc
acme_chain_check(const struct acme_chain *chain, const struct acme_key *key,
    const char *const *names, size_t nnames, time_t now, unsigned *surplus,
    struct acme_error *err)
{
    const struct wish wish = { key, names, nnames, now };

    return check_twice(chain, &wish, surplus, err);
}

enum acme_rc
acme_chain_check_links(const struct acme_chain *chain, struct acme_error *err)
{
    return check_twice(chain, NULL, NULL, err);
}
