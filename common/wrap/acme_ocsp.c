#include "wrap/acme_ocsp.h"

#include <limits.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "base/acme_limits.h"
#include "wrap/acme_openssl.h"
#include "wrap/acme_revocation_private.h"

/* ---- asking ----------------------------------------------------------- */

bool
acme_ocsp_url(const struct acme_chain *chain, char url[ACME_URL_MAX])
{
    AUTHORITY_INFO_ACCESS *info;
    bool found = false;
    int i;

    ERR_set_mark();
    info = X509_get_ext_d2i(acme_chain_x509(chain, 0), NID_info_access, NULL,
        NULL);
    for (i = 0; !found && i < sk_ACCESS_DESCRIPTION_num(info); i++) {
        const ACCESS_DESCRIPTION *one = sk_ACCESS_DESCRIPTION_value(info, i);

        found = OBJ_obj2nid(one->method) == NID_ad_OCSP &&
                acme_revocation_url(one->location, url) &&
                strpbrk(url, "?#") == NULL;
    }
    AUTHORITY_INFO_ACCESS_free(info);
    ERR_pop_to_mark();
    return found;
}

/* Of the hashes that name an issuer, SHA-1 is the one that all responders
 * know (RFC 5019 2.1.1). */
static OCSP_CERTID *
new_id(const struct acme_chain *chain)
{
    return OCSP_cert_to_id(NULL, acme_chain_x509(chain, 0),
        acme_chain_x509(chain, 1));
}

/* NULL: no memory. */
static OCSP_REQUEST *
new_request(const struct acme_chain *chain)
{
    OCSP_REQUEST *request = OCSP_REQUEST_new();
    OCSP_CERTID *id = new_id(chain);

    if (request != NULL && id != NULL &&
        OCSP_request_add0_id(request, id) != NULL)
        return request;
    OCSP_CERTID_free(id);
    OCSP_REQUEST_free(request);
    return NULL;
}

/* Base 64, of which a path takes three characters in another form. */
static bool
add_base64(const unsigned char *der, int len, char *url, size_t size)
{
    char text[512], *at = url + strlen(url);
    const char *end = url + size;
    int i, n;

    if (len > (int)sizeof(text) / 4 * 3 - 3)
        return false;
    n = EVP_EncodeBlock((unsigned char *)text, der, len);
    for (i = 0; i < n; i++) {
        const char *odd = strchr("+/=", text[i]);

        if (end - at < 4)
            return false;
        if (odd == NULL)
            *at++ = text[i];
        else
            at += snprintf(at, (size_t)(end - at), "%%%02X", text[i]);
    }
    *at = '\0';
    return true;
}

enum acme_rc
acme_ocsp_question(const struct acme_chain *chain, const char *responder,
    char url[ACME_URL_MAX], struct acme_error *err)
{
    OCSP_REQUEST *request = NULL;
    unsigned char *der = NULL;
    size_t len = strlen(responder);
    enum acme_rc rc = ACME_OK;
    int n = -1;

    if (acme_chain_count(chain) < 2)
        return acme_error_set(err, ACME_WIRE,
            "the certificate's issuer is not known");
    ERR_set_mark();
    request = new_request(chain);
    if (request != NULL)
        n = i2d_OCSP_REQUEST(request, &der);
    (void)snprintf(url, ACME_URL_MAX, "%s%s", responder,
        len > 0 && responder[len - 1] == '/' ? "" : "/");
    if (n <= 0)
        rc = acme_openssl_fail(err, ACME_CRYPTO, "cannot ask by OCSP");
    else if (!add_base64(der, n, url, ACME_URL_MAX))
        rc = acme_error_set(err, ACME_WIRE,
            "the responder's URL is too long for a question");
    OPENSSL_free(der);
    OCSP_REQUEST_free(request);
    ERR_pop_to_mark();
    return rc;
}

/* ---- the answer ------------------------------------------------------- */

/* Whom we believe: the leaf's issuer, who need not be anybody's root. */
static X509_STORE *
new_trust(X509 *issuer, time_t now)
{
    X509_STORE *store = X509_STORE_new();

    if (store == NULL)
        return NULL;
    if (X509_STORE_add_cert(store, issuer) &&
        X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN)) {
        X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), now);
        return store;
    }
    X509_STORE_free(store);
    return NULL;
}

/* RFC 6960 4.2.2.2; a root that is trusted for answers about everybody's
 * certificates is not known here. */
static enum acme_rc
check_signer(OCSP_BASICRESP *basic, const struct acme_chain *chain, time_t now,
    struct acme_error *err)
{
    X509 *issuer = acme_chain_x509(chain, 1);
    X509_STORE *trust = new_trust(issuer, now);
    STACK_OF(X509) *signers = sk_X509_new_null();
    enum acme_rc rc = ACME_OK;

    if (trust == NULL || signers == NULL || !sk_X509_push(signers, issuer))
        rc = acme_error_nomem(err);
    else if (OCSP_basic_verify(basic, signers, trust, OCSP_NOEXPLICIT) != 1)
        rc = acme_openssl_fail(err, ACME_WIRE,
            "the answer is not signed for the certificate's issuer");
    sk_X509_free(signers);
    X509_STORE_free(trust);
    return rc;
}

/* None that may be critical says anything that we asked for. */
static bool
has_critical(OCSP_BASICRESP *basic, OCSP_SINGLERESP *single)
{
    int i;

    for (i = 0; i < OCSP_BASICRESP_get_ext_count(basic); i++)
        if (X509_EXTENSION_get_critical(OCSP_BASICRESP_get_ext(basic, i)))
            return true;
    for (i = 0; i < OCSP_SINGLERESP_get_ext_count(single); i++)
        if (X509_EXTENSION_get_critical(OCSP_SINGLERESP_get_ext(single, i)))
            return true;
    return false;
}

static enum acme_rc
take_status(OCSP_SINGLERESP *single, time_t now,
    struct acme_ocsp_answer *answer, struct acme_error *err)
{
    ASN1_GENERALIZEDTIME *this_update = NULL, *next_update = NULL;
    struct acme_ocsp_answer found = { .reason = "" };
    int reason = -1;
    int status = OCSP_single_get0_status(single, &reason, NULL, &this_update,
        &next_update);
    enum acme_rc rc;

    rc = acme_revocation_times("answer", this_update, next_update, now,
        &found.this_update, &found.next_update, err);
    if (rc != ACME_OK)
        return rc;
    if (status != V_OCSP_CERTSTATUS_GOOD &&
        status != V_OCSP_CERTSTATUS_REVOKED)
        return acme_error_set(err, ACME_WIRE,
            "the responder does not know the certificate");
    found.revoked = status == V_OCSP_CERTSTATUS_REVOKED;
    if (found.revoked)
        found.reason = acme_revocation_reason(reason);
    *answer = found;
    return ACME_OK;
}

static enum acme_rc
read_basic(OCSP_BASICRESP *basic, const struct acme_chain *chain, time_t now,
    struct acme_ocsp_answer *answer, struct acme_error *err)
{
    OCSP_SINGLERESP *single = NULL;
    OCSP_CERTID *id = new_id(chain);
    enum acme_rc rc;

    if (id == NULL)
        return acme_error_nomem(err);
    single = OCSP_resp_get0(basic, OCSP_resp_find(basic, id, -1));
    OCSP_CERTID_free(id);
    if (single == NULL)
        return acme_error_set(err, ACME_WIRE,
            "the answer is not about this certificate");
    rc = check_signer(basic, chain, now, err);
    if (rc == ACME_OK && has_critical(basic, single))
        rc = acme_error_set(err, ACME_WIRE,
            "the answer has an unknown critical extension");
    return rc == ACME_OK ? take_status(single, now, answer, err) : rc;
}

static enum acme_rc
read_response(OCSP_RESPONSE *response, const struct acme_chain *chain,
    time_t now, struct acme_ocsp_answer *answer, struct acme_error *err)
{
    long status = OCSP_response_status(response);
    OCSP_BASICRESP *basic;
    enum acme_rc rc;

    if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL)
        return acme_error_set(err, ACME_WIRE, "the responder says \"%s\"",
            OCSP_response_status_str(status));
    basic = OCSP_response_get1_basic(response);
    if (basic == NULL)
        return acme_openssl_fail(err, ACME_WIRE, "malformed answer");
    rc = read_basic(basic, chain, now, answer, err);
    OCSP_BASICRESP_free(basic);
    return rc;
}

enum acme_rc
acme_ocsp_read(const void *der, size_t len, const struct acme_chain *chain,
    time_t now, struct acme_ocsp_answer *answer, struct acme_error *err)
{
    const unsigned char *p = der, *end = p + len;
    OCSP_RESPONSE *response = NULL;
    enum acme_rc rc;

    if (acme_chain_count(chain) < 2)
        return acme_error_set(err, ACME_WIRE,
            "the certificate's issuer is not known");
    ERR_set_mark();
    if (len <= LONG_MAX)
        response = d2i_OCSP_RESPONSE(NULL, &p, (long)len);
    if (response == NULL)
        rc = acme_openssl_fail(err, ACME_WIRE, "malformed answer");
    else if (p != end)
        rc = acme_error_set(err, ACME_WIRE, "something follows the answer");
    else
        rc = read_response(response, chain, now, answer, err);
    OCSP_RESPONSE_free(response);
    ERR_pop_to_mark();
    return rc;
}

enum acme_rc
acme_ocsp_read_staple(const void *der, size_t len,
    const struct acme_chain *chain, time_t now,
    struct acme_ocsp_answer *answer, struct acme_error *err)
{
    struct acme_ocsp_answer found;
    enum acme_rc rc = acme_ocsp_read(der, len, chain, now, &found, err);

    if (rc != ACME_OK)
        return rc;
    if (found.revoked)
        return acme_error_set(err, ACME_REFUSED,
            "the responder says that the certificate is revoked");
    if (found.next_update <= now)
        return acme_error_set(err, ACME_REFUSED, "the answer is over");
    if (len > ACME_STAPLE_MAX)
        return acme_error_set(err, ACME_REFUSED,
            "the answer has %zu bytes, more than the %d that are stapled", len,
            ACME_STAPLE_MAX);
    *answer = found;
    return ACME_OK;
}
