/*
 * What a CA says of a certificate: revocation lists and the answers of
 * responders, and where a certificate has them from.  The input is tried as
 * each of the three.  An answer is tried as it is, and signed by the CA after
 * all: few mutations leave a signature good, and behind it there is more.
 */
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <strings.h>

#include "fuzz.h"
#include "wrap/acme_ocsp.h"
#include "wrap/acme_revocation.h"

const unsigned fuzz_replay_step = 2;

#define NOW ((time_t)1795600000) /* 2026-11-25 */

static const char key_pem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgWGgo2WqCQlVEkmQO\n"
    "Gp6b3mYKpybbQjR8aU9604kXyoWhRANCAATg/SSdlAUlejYEWjrpzlEOaWbNaanS\n"
    "8pi26NXR6APo/ms9NwybwKnheFByFe0dOl6QAggxR1U25j5hCP5O4VlM\n"
    "-----END PRIVATE KEY-----\n";
static const char issuer_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBeDCCAR6gAwIBAgIBATAKBggqhkjOPQQDAjASMRAwDgYDVQQDDAdGdXp6IENB\n"
    "MCAXDTI2MTEyMjAzMjEwM1oYDzIxMjYxMDI5MDMyMTAzWjASMRAwDgYDVQQDDAdG\n"
    "dXp6IENBMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE4P0knZQFJXo2BFo66c5R\n"
    "DmlmzWmp0vKYtujV0egD6P5rPTcMm8Cp4XhQchXtHTpekAIIMUdVNuY+YQj+TuFZ\n"
    "TKNjMGEwHQYDVR0OBBYEFAT3D11uc5ycloHQjzTw7hNb81SeMB8GA1UdIwQYMBaA\n"
    "FAT3D11uc5ycloHQjzTw7hNb81SeMA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/\n"
    "BAQDAgEGMAoGCCqGSM49BAMCA0gAMEUCIBie+9sbFeBGPp5t/uHdpbuMjkpZ6XsW\n"
    "uh24gtP0u7iIAiEA/UM5bQLEXUU7WbtxanSOTqg59lL45WP8AJBUvq272kc=\n"
    "-----END CERTIFICATE-----\n";
static const char leaf_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBtzCCAVygAwIBAgIFCgsMDQ4wCgYIKoZIzj0EAwIwEjEQMA4GA1UEAwwHRnV6\n"
    "eiBDQTAgFw0yNjExMjIwMzIxMDNaGA8yMTI2MTAyOTAzMjEwM1owADBZMBMGByqG\n"
    "SM49AgEGCCqGSM49AwEHA0IABJRnRKIOJFp1+tfHjqt/3myXA9R4cvQj4JxvmQru\n"
    "9cANyak0kwVg639HLl2KVLBM9dSR40p/nX9YlkcKxGcJHzOjga4wgaswLgYIKwYB\n"
    "BQUHAQEEIjAgMB4GCCsGAQUFBzABhhJodHRwOi8vb2NzcC50ZXN0L3IwJgYDVR0f\n"
    "BB8wHTAboBmgF4YVaHR0cDovL2NybC50ZXN0LzEuY3JsMBEGA1UdEQQKMAiCBmEu\n"
    "dGVzdDAdBgNVHQ4EFgQU8vJCkc4o3GNNohNdCiXfTckhWYEwHwYDVR0jBBgwFoAU\n"
    "BPcPXW5znJyWgdCPNPDuE1vzVJ4wCgYIKoZIzj0EAwIDSQAwRgIhAJMVIuCQQsfP\n"
    "jFC1mb331bBUwhu+5a3o80QhYUdsl5N9AiEAwcjY/EJJ42b6nFEndvp0KGAagx+Z\n"
    "C4hR1N5uvRIibVg=\n"
    "-----END CERTIFICATE-----\n";

static struct world {
    EVP_PKEY *key;
    X509 *issuer;
    struct acme_chain *chain;
    struct acme_buf issuer_der;
} * world;

static void
begin_world(void)
{
    char both[sizeof(leaf_pem) + sizeof(issuer_pem)];
    BIO *key = BIO_new_mem_buf(key_pem, -1);
    struct acme_error err;

    acme_error_clear(&err);
    world = calloc(1, sizeof(*world));
    FUZZ_CHECK(world != NULL && key != NULL);
    world->key = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);
    BIO_free(key);
    (void)snprintf(both, sizeof(both), "%s%s", leaf_pem, issuer_pem);
    FUZZ_CHECK(acme_chain_from_pem(both, strlen(both), &world->chain, &err) ==
               ACME_OK);
    world->issuer = acme_chain_x509(world->chain, 1);
    acme_buf_init(&world->issuer_der, 1 << 16);
    FUZZ_CHECK(acme_chain_to_der(world->chain, 1, 2, &world->issuer_der,
                   &err) == ACME_OK);
}

/* Whatever it is: a result or a reason, and nothing in OpenSSL's queue. */
static void
check_end(enum acme_rc rc, const struct acme_error *err)
{
    FUZZ_CHECK(rc == err->rc);
    FUZZ_CHECK(rc == ACME_OK || (rc == ACME_WIRE && err->what[0] != '\0'));
    FUZZ_CHECK_QUEUE();
}

static enum acme_rc
try_list(const void *der, size_t len)
{
    struct acme_crl *crl = NULL;
    const char *reason = "";
    struct acme_error err;
    enum acme_rc rc;

    acme_error_clear(&err);
    rc = acme_crl_read(der, len, world->chain, NOW, &crl, &err);
    check_end(rc, &err);
    FUZZ_CHECK((crl != NULL) == (rc == ACME_OK));
    if (crl == NULL)
        return rc;
    FUZZ_CHECK(acme_crl_next_update(crl) >= NOW - 300);
    FUZZ_CHECK(acme_crl_is_for(crl, world->chain));
    /* An entry has a serial of two bytes in DER at least, and a time. */
    FUZZ_CHECK(acme_crl_size(crl) <= len * 4 + 256);
    (void)acme_crl_has(crl, world->chain, &reason);
    FUZZ_CHECK(acme_revocation_is_reason(reason));
    acme_crl_free(crl);
    return rc;
}

/* What is sent to clients is what they take. */
static void
try_staple(const void *der, size_t len)
{
    struct acme_ocsp_answer answer = { .revoked = true };
    struct acme_error err;

    acme_error_clear(&err);
    if (acme_ocsp_read_staple(der, len, world->chain, NOW, &answer, &err) !=
        ACME_OK)
        return;
    FUZZ_CHECK(!answer.revoked && answer.next_update > NOW);
    FUZZ_CHECK(len <= ACME_STAPLE_MAX);
}

static enum acme_rc
try_answer(const void *der, size_t len)
{
    struct acme_ocsp_answer answer = { .reason = "" };
    struct acme_error err;
    enum acme_rc rc;

    acme_error_clear(&err);
    rc = acme_ocsp_read(der, len, world->chain, NOW, &answer, &err);
    check_end(rc, &err);
    if (rc != ACME_OK)
        return rc;
    FUZZ_CHECK(answer.next_update >= NOW - 300);
    FUZZ_CHECK(answer.this_update <= NOW + 300);
    try_staple(der, len);
    FUZZ_CHECK(acme_revocation_is_reason(answer.reason));
    FUZZ_CHECK(answer.revoked || answer.reason[0] == '\0');
    return rc;
}

static void
try_signed_list(const uint8_t *data, size_t size)
{
    const unsigned char *at = data;
    X509_CRL *list = d2i_X509_CRL(NULL, &at, (long)size);
    unsigned char *der = NULL;
    int len = -1;

    if (list != NULL && X509_CRL_sign(list, world->key, EVP_sha256()) > 0)
        len = i2d_X509_CRL(list, &der);
    ERR_clear_error();
    if (len > 0)
        (void)try_list(der, (size_t)len);
    OPENSSL_free(der);
    X509_CRL_free(list);
}

/* OCSP_basic_sign() takes an identifier of the other kind for a name. */
static bool
is_by_name(const OCSP_BASICRESP *basic)
{
    const ASN1_OCTET_STRING *id = NULL;
    const X509_NAME *name = NULL;

    return OCSP_resp_get0_id(basic, &id, &name) && name != NULL;
}

static void
try_signed_answer(const uint8_t *data, size_t size)
{
    const unsigned char *at = data;
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long)size);
    OCSP_BASICRESP *basic =
        response != NULL ? OCSP_response_get1_basic(response) : NULL;
    unsigned char *der = NULL;
    int len = -1;

    OCSP_RESPONSE_free(response);
    response = NULL;
    if (basic != NULL && is_by_name(basic) &&
        OCSP_basic_sign(basic, world->issuer, world->key, EVP_sha256(), NULL,
            OCSP_NOCERTS | OCSP_NOTIME))
        response =
            OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    if (response != NULL)
        len = i2d_OCSP_RESPONSE(response, &der);
    ERR_clear_error();
    if (len > 0)
        (void)try_answer(der, (size_t)len);
    OPENSSL_free(der);
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
}

static void
check_url(const char url[ACME_URL_MAX])
{
    FUZZ_CHECK(memchr(url, '\0', ACME_URL_MAX) != NULL);
    FUZZ_CHECK(strncasecmp(url, "http://", 7) == 0);
}

/* Of the CA, whoever signed it. */
static void
try_certificate(const uint8_t *data, size_t size)
{
    char url[ACME_URL_MAX], question[ACME_URL_MAX];
    struct acme_chain *chain = NULL;
    struct acme_error err;
    struct acme_buf der;

    acme_error_clear(&err);
    acme_buf_init(&der, (size_t)1 << 20);
    acme_buf_add(&der, data, size);
    acme_buf_add(&der, world->issuer_der.data, world->issuer_der.len);
    if (acme_chain_from_der(der.data, der.len, &chain, &err) == ACME_OK) {
        if (acme_crl_url(chain, url))
            check_url(url);
        if (acme_ocsp_url(chain, url)) {
            check_url(url);
            if (acme_ocsp_question(chain, url, question, &err) == ACME_OK) {
                check_url(question);
                FUZZ_CHECK(strncmp(url, question, strlen(url)) == 0);
            }
        }
    }
    acme_chain_free(chain);
    acme_buf_clear(&der);
    FUZZ_CHECK_QUEUE();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (world == NULL)
        begin_world();
    (void)try_list(data, size);
    (void)try_answer(data, size);
    try_signed_list(data, size);
    try_signed_answer(data, size);
    try_certificate(data, size);
    return 0;
}
