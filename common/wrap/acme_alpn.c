#include "wrap/acme_alpn.h"

#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <string.h>

#include "base/acme_name.h"
#include "wrap/acme_openssl.h"
#include "wrap/acme_x509_private.h"

/* ---- a ClientHello ---------------------------------------------------- */

#define CLIENT_HELLO 1 /* RFC 8446 4 */
#define VERSION_AND_RANDOM (2 + 32)
#define SERVER_NAME 0 /* RFC 6066 1.1 */
#define HOST_NAME 0
#define PROTOCOLS 16 /* RFC 7301 6 */

/* What is left to read. */
struct input {
    const unsigned char *at;
    size_t left;
};

static bool
skip(struct input *in, size_t len)
{
    if (in->left < len)
        return false;
    in->at += len;
    in->left -= len;
    return true;
}

/* A number of that many bytes, 1 to 3. */
static bool
get_number(struct input *in, size_t bytes, size_t *number)
{
    size_t i;

    if (in->left < bytes)
        return false;
    for (*number = 0, i = 0; i < bytes; i++)
        *number = *number << 8 | in->at[i];
    return skip(in, bytes);
}

/* What comes behind its length, which has that many bytes. */
static bool
get_vector(struct input *in, size_t bytes, struct input *vector)
{
    size_t len;

    if (!get_number(in, bytes, &len) || in->left < len)
        return false;
    vector->at = in->at;
    vector->left = len;
    return skip(in, len);
}

bool
acme_alpn_is_offered(const void *extension, size_t len)
{
    const size_t wanted = sizeof(ACME_ALPN_PROTOCOL) - 1;
    struct input in = { extension, len }, list, protocol;

    return get_vector(&in, 2, &list) && in.left == 0 &&
           get_vector(&list, 1, &protocol) && list.left == 0 &&
           protocol.left == wanted &&
           memcmp(protocol.at, ACME_ALPN_PROTOCOL, wanted) == 0;
}

bool
acme_alpn_server_name(const void *extension, size_t len,
    char name[ACME_NAME_MAX + 1])
{
    struct input in = { extension, len }, list, host;
    size_t type;

    return get_vector(&in, 2, &list) && in.left == 0 &&
           get_number(&list, 1, &type) && type == HOST_NAME &&
           get_vector(&list, 2, &host) && list.left == 0 &&
           acme_name_from_host((const char *)host.at, host.left, name);
}

/* The body of the extension of that type; false: it has none, or several. */
static bool
find_extension(struct input extensions, size_t wanted, struct input *found)
{
    struct input body;
    size_t type, n = 0;

    while (extensions.left > 0) {
        if (!get_number(&extensions, 2, &type) ||
            !get_vector(&extensions, 2, &body))
            return false;
        if (type != wanted)
            continue;
        *found = body;
        n++;
    }
    return n == 1;
}

bool
acme_alpn_hello(const void *message, size_t len, char name[ACME_NAME_MAX + 1])
{
    struct input in = { message, len }, body, extensions, found;
    size_t type;

    return get_number(&in, 1, &type) && type == CLIENT_HELLO &&
           get_vector(&in, 3, &body) && in.left == 0 &&
           skip(&body, VERSION_AND_RANDOM) &&
           get_vector(&body, 1, &found) && /* session id */
           get_vector(&body, 2, &found) && /* cipher suites */
           get_vector(&body, 1, &found) && /* compression methods */
           get_vector(&body, 2, &extensions) && body.left == 0 &&
           find_extension(extensions, PROTOCOLS, &found) &&
           acme_alpn_is_offered(found.at, found.left) &&
           find_extension(extensions, SERVER_NAME, &found) &&
           acme_alpn_server_name(found.at, found.left, name);
}

/* ---- the certificate -------------------------------------------------- */

#define IDENTIFIER_OID "1.3.6.1.5.5.7.1.31" /* RFC 8737 6.1 */
#define TITLE "ACME challenge"              /* what people are shown as CN */

/* A validation takes seconds; clocks may differ. */
#define DAY 86400L

/* An OCTET STRING (RFC 8737 3) in DER. */
#define OCTETS 4

static bool
add_digest(X509 *cert, const unsigned char digest[SHA256_DIGEST_LENGTH])
{
    unsigned char der[2 + SHA256_DIGEST_LENGTH] = { OCTETS,
        SHA256_DIGEST_LENGTH };
    ASN1_OBJECT *type = OBJ_txt2obj(IDENTIFIER_OID, 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *extension = NULL;
    bool ok;

    memcpy(der + 2, digest, SHA256_DIGEST_LENGTH);
    ok = type != NULL && value != NULL &&
         ASN1_OCTET_STRING_set(value, der, sizeof(der)) &&
         (extension = X509_EXTENSION_create_by_OBJ(NULL, type, 1, value)) !=
             NULL &&
         X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(type);
    return ok;
}

static bool
add_name(X509 *cert, const char *identifier)
{
    GENERAL_NAMES *sans = acme_x509_new_sans(&identifier, 1);
    bool ok = sans != NULL &&
              X509_add1_ext_i2d(cert, NID_subject_alt_name, sans, 0, 0) == 1;

    GENERAL_NAMES_free(sans);
    return ok;
}

static bool
set_title(X509 *cert)
{
    X509_NAME *subject = X509_get_subject_name(cert);

    return acme_x509_add_cn(subject, TITLE) &&
           X509_set_issuer_name(cert, subject);
}

/* No two for different key authorizations have the same. */
static bool
set_serial(X509 *cert, const unsigned char digest[SHA256_DIGEST_LENGTH])
{
    uint64_t serial;

    memcpy(&serial, digest, sizeof(serial));
    return ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial | 1);
}

static X509 *
self_signed(const struct acme_key *key, const char *identifier,
    const unsigned char digest[SHA256_DIGEST_LENGTH])
{
    X509 *cert = X509_new();

    if (cert != NULL && X509_set_version(cert, X509_VERSION_3) &&
        set_serial(cert, digest) && set_title(cert) &&
        X509_gmtime_adj(X509_getm_notBefore(cert), -DAY) != NULL &&
        X509_gmtime_adj(X509_getm_notAfter(cert), 7 * DAY) != NULL &&
        X509_set_pubkey(cert, acme_key_evp(key)) &&
        add_name(cert, identifier) && add_digest(cert, digest) &&
        X509_sign(cert, acme_key_evp(key), EVP_sha256()) > 0)
        return cert;
    X509_free(cert);
    return NULL;
}

enum acme_rc
acme_alpn_certificate(const struct acme_key *key, const char *identifier,
    const char *key_authorization, struct acme_chain **chain,
    struct acme_error *err)
{
    unsigned char digest[SHA256_DIGEST_LENGTH], *der = NULL;
    X509 *cert = NULL;
    int len = -1;
    enum acme_rc rc;

    ERR_set_mark();
    if (EVP_Digest(key_authorization, strlen(key_authorization), digest, NULL,
            EVP_sha256(), NULL))
        cert = self_signed(key, identifier, digest);
    if (cert != NULL)
        len = i2d_X509(cert, &der);
    if (len > 0)
        rc = acme_chain_from_der(der, (size_t)len, chain, err);
    else
        rc = acme_openssl_fail(err, ACME_CRYPTO,
            "cannot make a challenge's certificate");
    OPENSSL_free(der);
    X509_free(cert);
    ERR_pop_to_mark();
    return rc;
}

/* ---- a certificate that is shown -------------------------------------- */

static enum acme_alpn_proof
read_digest(X509_EXTENSION *extension, const unsigned char **digest)
{
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(extension);
    const unsigned char *bytes = ASN1_STRING_get0_data(value);

    if (!X509_EXTENSION_get_critical(extension) ||
        ASN1_STRING_length(value) != 2 + SHA256_DIGEST_LENGTH ||
        bytes[0] != OCTETS || bytes[1] != SHA256_DIGEST_LENGTH)
        return ACME_ALPN_MALFORMED;
    *digest = bytes + 2;
    return ACME_ALPN_PROVEN;
}

/* What its only acmeIdentifier says.  PROVEN: *digest is there. */
static enum acme_alpn_proof
find_digest(const X509 *cert, const unsigned char **digest)
{
    ASN1_OBJECT *type = OBJ_txt2obj(IDENTIFIER_OID, 1);
    enum acme_alpn_proof proof = ACME_ALPN_ORDINARY;
    int at;

    if (type == NULL)
        return ACME_ALPN_NOT_JUDGED;
    at = X509_get_ext_by_OBJ(cert, type, -1);
    if (at != -1)
        proof = X509_get_ext_by_OBJ(cert, type, at) == -1
                    ? read_digest(X509_get_ext(cert, at), digest)
                    : ACME_ALPN_MALFORMED;
    ASN1_OBJECT_free(type);
    return proof;
}

/* That one and no other, of whatever kind; an address is not a DNS name that
 * looks like one (RFC 8738 6). */
static bool
is_for(const X509 *cert, const char *identifier)
{
    GENERAL_NAMES *sans =
        X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    const int kind = acme_name_is_ip(identifier) ? GEN_IPADD : GEN_DNS;
    char name[ACME_NAME_MAX + 1];
    const GENERAL_NAME *only;
    bool is = false;

    if (sk_GENERAL_NAME_num(sans) == 1) {
        only = sk_GENERAL_NAME_value(sans, 0);
        is = only->type == kind && acme_x509_name(only, name) &&
             strcmp(name, identifier) == 0;
    }
    GENERAL_NAMES_free(sans);
    return is;
}

static bool
is_self_signed(X509 *cert)
{
    return X509_NAME_cmp(X509_get_subject_name(cert),
               X509_get_issuer_name(cert)) == 0 &&
           X509_verify(cert, X509_get0_pubkey(cert)) == 1;
}

static enum acme_alpn_proof
judge(X509 *cert, const char *identifier, const char *key_authorization)
{
    unsigned char wanted[SHA256_DIGEST_LENGTH];
    const unsigned char *digest;
    enum acme_alpn_proof proof = find_digest(cert, &digest);

    if (proof != ACME_ALPN_PROVEN)
        return proof;
    if (!is_for(cert, identifier))
        return ACME_ALPN_OTHER_NAME;
    if (!is_self_signed(cert))
        return ACME_ALPN_ISSUED;
    if (!EVP_Digest(key_authorization, strlen(key_authorization), wanted, NULL,
            EVP_sha256(), NULL))
        return ACME_ALPN_NOT_JUDGED;
    return memcmp(digest, wanted, sizeof(wanted)) == 0
               ? ACME_ALPN_PROVEN
               : ACME_ALPN_OTHER_ANSWER;
}

enum acme_alpn_proof
acme_alpn_judge(struct x509_st *cert, const char *identifier,
    const char *key_authorization)
{
    enum acme_alpn_proof proof;

    ERR_set_mark();
    proof = judge(cert, identifier, key_authorization);
    if (proof != ACME_ALPN_PROVEN && acme_openssl_no_memory())
        proof = ACME_ALPN_NOT_JUDGED;
    ERR_pop_to_mark();
    return proof;
}
