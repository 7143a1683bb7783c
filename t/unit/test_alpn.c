/*
 * What is read of a ClientHello, against real ones and each of their pieces
 * missing or wrong, the certificate, which OpenSSL reads back, and how others
 * are judged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "wrap/acme_alpn.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ANSWER "token.ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopq"

/* printf %s ANSWER | openssl dgst -sha256 */
static const char answer_digest[] =
    "23fb27819cde2ac693c5df3315f7d9485c00a26d8137d53c0d6f6ed3f5424260";

/* ---- extensions ------------------------------------------------------- */

static const struct {
    const char *bytes;
    size_t len;
    bool offered;
} offers[] = {
    { "\0\x0b\x0a"
      "acme-tls/1",
        13, true },
    { "\0\x0b\x0a"
      "acme-tls/2",
        13, false },
    { "\0\x0b\x0a"
      "ACME-TLS/1",
        13, false },
    { "\0\x0e\x0a"
      "acme-tls/1"
      "\x02h2",
        16, false },
    { "\0\x0e\x02h2\x0a"
      "acme-tls/1",
        16, false },
    { "\0\x16\x0a"
      "acme-tls/1\x0a"
      "acme-tls/1",
        24, false },
    { "\0\x0c\x0a"
      "acme-tls/1\0",
        14, false },
    { "\0\x0a\x0a"
      "acme-tls/1",
        13, false }, /* lengths that do not fit */
    { "\0\x0c\x0a"
      "acme-tls/1",
        13, false },
    { "\0\x0b\x09"
      "acme-tls/1",
        13, false },
    { "\0\x0b\x0b"
      "acme-tls/1",
        13, false },
    { "\0\x0b\x0a"
      "acme-tls/1x",
        14, false },
    { "\0\0", 2, false },
    { "\0", 1, false },
    { "", 0, false },
};

static void
test_offered(void **state)
{
    size_t i, len;

    (void)state;
    for (i = 0; i < COUNT(offers); i++)
        if (acme_alpn_is_offered(offers[i].bytes, offers[i].len) !=
            offers[i].offered)
            fail_msg("offer %zu", i);
    for (len = 0; len < offers[0].len; len++)
        assert_false(acme_alpn_is_offered(offers[0].bytes, len));
}

static const struct {
    const char *bytes;
    size_t len;
    const char *name;
} server_names[] = {
    { "\0\x09\0\0\x06"
      "a.test",
        11, "a.test" },
    { "\0\x09\0\0\x06"
      "A.Test",
        11, "a.test" },
    { "\0\x09\x01\0\x06"
      "a.test",
        11, NULL }, /* another type of name */
    { "\0\x09\0\0\x06"
      "a/test",
        11, NULL },
    { "\0\x09\0\0\x06"
      "*.test",
        11, NULL },
    { "\0\x09\0\0\x06"
      "a.t\0st",
        11, NULL },
    { "\0\x12\0\0\x06"
      "a.test\0\0\x06"
      "b.test",
        20, NULL }, /* two */
    { "\0\x08\0\0\x06"
      "a.test",
        11, NULL },
    { "\0\x09\0\0\x05"
      "a.test",
        11, NULL },
    { "\0\x09\0\0\x07"
      "a.test",
        11, NULL },
    { "\0\x03\0\0\0", 5, NULL },
    { "", 0, NULL },
};

static void
test_server_name(void **state)
{
    char name[ACME_NAME_MAX + 1];
    size_t i, len;
    bool found;

    (void)state;
    for (i = 0; i < COUNT(server_names); i++) {
        found = acme_alpn_server_name(server_names[i].bytes,
            server_names[i].len, name);
        if (found != (server_names[i].name != NULL))
            fail_msg("name %zu", i);
        if (found)
            assert_string_equal(name, server_names[i].name);
    }
    for (len = 0; len < server_names[0].len; len++)
        assert_false(acme_alpn_server_name(server_names[0].bytes, len, name));
}

/* ---- whole messages --------------------------------------------------- */

struct hello {
    unsigned char bytes[4096];
    size_t len;
};

static void
keep(int written, int version, int type, const void *data, size_t len,
    SSL *ssl, void *arg)
{
    struct hello *hello = arg;

    (void)version;
    (void)ssl;
    if (!written || type != SSL3_RT_HANDSHAKE)
        return;
    assert_in_range(len, 1, sizeof(hello->bytes));
    memcpy(hello->bytes, data, len);
    hello->len = len;
}

/* OpenSSL's own; NULL: without. */
static void
make_hello(struct hello *hello, int version, const char *protocols,
    const char *name)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    char text[64];

    memset(hello, 0, sizeof(*hello));
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_max_proto_version(ssl, version);
    if (protocols != NULL)
        assert_int_equal(SSL_set_alpn_protos(ssl,
                             (const unsigned char *)protocols,
                             (unsigned)strlen(protocols)),
            0);
    if (name != NULL) {
        (void)snprintf(text, sizeof(text), "%s", name); /* casts const away */
        assert_true(SSL_set_tlsext_host_name(ssl, text));
    }
    SSL_set_msg_callback(ssl, keep);
    SSL_set_msg_callback_arg(ssl, hello);
    (void)SSL_connect(ssl);
    ERR_clear_error();
    assert_int_not_equal(hello->len, 0);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

static void
test_hello(void **state)
{
    static const struct {
        const char *protocols, *name, *found;
    } cases[] = {
        { "\012acme-tls/1", "a.test", "a.test" },
        { "\012acme-tls/1", "7.2.0.192.in-addr.arpa",
            "7.2.0.192.in-addr.arpa" },
        { "\012acme-tls/1", NULL, NULL },
        { "\012acme-tls/1\002h2", "a.test", NULL },
        { "\002h2", "a.test", NULL },
        { NULL, "a.test", NULL },
    };
    char name[ACME_NAME_MAX + 1];
    struct hello hello;
    int version;
    size_t i;

    (void)state;
    for (version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++)
        for (i = 0; i < COUNT(cases); i++) {
            make_hello(&hello, version, cases[i].protocols, cases[i].name);
            assert_int_equal(acme_alpn_hello(hello.bytes, hello.len, name),
                cases[i].found != NULL);
            if (cases[i].found != NULL)
                assert_string_equal(name, cases[i].found);
        }
}

/* However it is cut off or changed, nothing behind it is read: that is the
 * sanitizers' to see. */
static void
test_broken_hello(void **state)
{
    char name[ACME_NAME_MAX + 1];
    unsigned char *copy;
    struct hello hello;
    size_t i, len;

    (void)state;
    make_hello(&hello, TLS1_3_VERSION, "\012acme-tls/1", "a.test");
    for (len = 0; len < hello.len; len++) {
        copy = malloc(len + 1);
        memcpy(copy, hello.bytes, len);
        copy = realloc(copy, len > 0 ? len : 1);
        assert_false(acme_alpn_hello(copy, len, name));
        free(copy);
    }
    copy = malloc(hello.len);
    for (i = 0; i < hello.len * 8; i++) {
        memcpy(copy, hello.bytes, hello.len);
        copy[i / 8] ^= (unsigned char)(1u << i % 8);
        (void)acme_alpn_hello(copy, hello.len, name);
    }
    memcpy(copy, hello.bytes, hello.len);
    copy[0] = 2; /* a ServerHello */
    assert_false(acme_alpn_hello(copy, hello.len, name));
    free(copy);
}

/* ---- the certificate -------------------------------------------------- */

static X509_EXTENSION *
find_extension(const X509 *cert, const char *oid)
{
    ASN1_OBJECT *type = OBJ_txt2obj(oid, 1);
    int at = X509_get_ext_by_OBJ(cert, type, -1);

    assert_int_not_equal(at, -1);
    assert_int_equal(X509_get_ext_by_OBJ(cert, type, at), -1);
    ASN1_OBJECT_free(type);
    return X509_get_ext(cert, at);
}

/* RFC 8737 3 */
static void
check_certificate(const struct acme_chain *chain, const char *identifier)
{
    X509 *cert = acme_chain_x509(chain, 0);
    X509_EXTENSION *extension = find_extension(cert, "1.3.6.1.5.5.7.1.31");
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(extension);
    const unsigned char *p = ASN1_STRING_get0_data(value);
    char hex[2 * 32 + 1], line[ACME_NAME_MAX + 2];
    struct acme_error err;
    struct acme_buf names;
    size_t i;

    assert_int_equal(acme_chain_count(chain), 1);
    assert_true(X509_EXTENSION_get_critical(extension));
    assert_int_equal(ASN1_STRING_length(value), 34);
    assert_int_equal(p[0], V_ASN1_OCTET_STRING);
    assert_int_equal(p[1], 32);
    for (i = 0; i < 32; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", p[2 + i]);
    assert_string_equal(hex, answer_digest);

    acme_error_clear(&err);
    acme_buf_init(&names, 1000);
    assert_int_equal(acme_chain_names(chain, &names, &err), ACME_OK);
    (void)snprintf(line, sizeof(line), "%s\n", identifier);
    assert_string_equal(acme_buf_str(&names), line);
    acme_buf_clear(&names);

    assert_int_equal(X509_verify(cert, X509_get0_pubkey(cert)), 1);
    assert_int_equal(
        X509_NAME_cmp(X509_get_subject_name(cert), X509_get_issuer_name(cert)),
        0);
    assert_true(X509_cmp_current_time(X509_get0_notBefore(cert)) < 0);
    assert_true(X509_cmp_current_time(X509_get0_notAfter(cert)) > 0);
    assert_int_equal(X509_get_version(cert), X509_VERSION_3);
}

static void
test_certificate(void **state)
{
    static const enum acme_key_type types[] = { ACME_KEY_ECDSA_256,
        ACME_KEY_RSA_2048 };
    static const char *const identifiers[] = { "a.test", "192.0.2.7",
        "2001:db8::1" };
    struct acme_chain *chain = NULL;
    struct acme_key *key = NULL;
    struct acme_error err;
    size_t i, k;

    (void)state;
    acme_error_clear(&err);
    for (i = 0; i < COUNT(types); i++) {
        assert_int_equal(acme_key_generate(types[i], &key, &err), ACME_OK);
        for (k = 0; k < COUNT(identifiers); k++) {
            assert_int_equal(acme_alpn_certificate(key, identifiers[k], ANSWER,
                                 &chain, &err),
                ACME_OK);
            check_certificate(chain, identifiers[k]);
            assert_true(acme_chain_matches(chain, key));
            acme_chain_free(chain);
        }
        acme_key_unref(key);
    }
    assert_int_equal(ERR_peek_error(), 0);
}

/* ---- judging ---------------------------------------------------------- */

#define IDENTIFIER "1.3.6.1.5.5.7.1.31"
#define DIGEST \
    "23fb27819cde2ac693c5df3315f7d9485c00a26d8137d53c0d6f6ed3f5424260"

/* What is not as it should be; NULL and false: it is. */
struct fault {
    enum acme_alpn_proof wanted;
    const char *identifier;
    const char *names;    /* "none": no extension */
    const char *value[2]; /* of acmeIdentifier; "" is none */
    bool issued;          /* another name as the issuer */
    bool forged;          /* another key has signed it */
};

#define RIGHT "critical,DER:0420" DIGEST

static const struct fault faults[] = {
    { ACME_ALPN_PROVEN, "a.test", "DNS:a.test", { RIGHT, "" }, false, false },
    { ACME_ALPN_PROVEN, "a.test", "DNS:A.Test", { RIGHT, "" }, false, false },
    { ACME_ALPN_PROVEN, "192.0.2.7", "IP:192.0.2.7", { RIGHT, "" }, false,
        false },
    { ACME_ALPN_PROVEN, "2001:db8::1", "IP:2001:db8::1", { RIGHT, "" }, false,
        false },
    { ACME_ALPN_ORDINARY, "a.test", "DNS:a.test", { "", "" }, false, false },
    { ACME_ALPN_OTHER_NAME, "a.test", "DNS:b.test", { RIGHT, "" }, false,
        false },
    { ACME_ALPN_OTHER_NAME, "a.test", "DNS:a.test,DNS:b.test", { RIGHT, "" },
        false, false },
    { ACME_ALPN_OTHER_NAME, "a.test", "DNS:a.test,email:a@a.test",
        { RIGHT, "" }, false, false },
    { ACME_ALPN_OTHER_NAME, "a.test", "DNS:a.test,DNS:a.test", { RIGHT, "" },
        false, false },
    { ACME_ALPN_OTHER_NAME, "a.test", "DNS:*.test", { RIGHT, "" }, false,
        false },
    { ACME_ALPN_OTHER_NAME, "a.test", "none", { RIGHT, "" }, false, false },
    { ACME_ALPN_OTHER_NAME, "192.0.2.7", "DNS:192.0.2.7", { RIGHT, "" }, false,
        false },
    { ACME_ALPN_OTHER_NAME, "192.0.2.7", "DNS:7.2.0.192.in-addr.arpa",
        { RIGHT, "" }, false, false },
    { ACME_ALPN_MALFORMED, "a.test", "DNS:a.test", { "DER:0420" DIGEST, "" },
        false, false },
    { ACME_ALPN_MALFORMED, "a.test", "DNS:a.test", { RIGHT, RIGHT }, false,
        false },
    { ACME_ALPN_MALFORMED, "a.test", "DNS:a.test",
        { "critical,DER:" DIGEST, "" }, false, false },
    { ACME_ALPN_MALFORMED, "a.test", "DNS:a.test",
        { "critical,DER:0421" DIGEST, "" }, false, false },
    { ACME_ALPN_MALFORMED, "a.test", "DNS:a.test",
        { "critical,DER:0520" DIGEST, "" }, false, false },
    { ACME_ALPN_MALFORMED, "a.test", "DNS:a.test",
        { "critical,DER:0420" DIGEST "00", "" }, false, false },
    { ACME_ALPN_MALFORMED, "a.test", "DNS:a.test", { "critical,DER:04", "" },
        false, false },
    { ACME_ALPN_ISSUED, "a.test", "DNS:a.test", { RIGHT, "" }, true, false },
    { ACME_ALPN_ISSUED, "a.test", "DNS:a.test", { RIGHT, "" }, false, true },
    { ACME_ALPN_OTHER_ANSWER, "a.test", "DNS:a.test",
        { "critical,DER:04202"
          "4fb27819cde2ac693c5df3315f7d9485c00a26d8137d53c0d6f6ed3f5424260",
            "" },
        false, false },
};

static void
add_extension(X509 *cert, const char *name, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf(NULL, NULL, name, value);

    assert_non_null(extension);
    assert_true(X509_add_ext(cert, extension, -1));
    X509_EXTENSION_free(extension);
}

static void
set_cn(X509_NAME *name, const char *cn)
{
    assert_true(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
        (const unsigned char *)cn, -1, -1, 0));
}

/* Not by the code under test. */
static X509 *
make_faulty(const struct fault *fault, EVP_PKEY *key, EVP_PKEY *other)
{
    X509 *cert = X509_new();
    size_t i;

    X509_set_version(cert, X509_VERSION_3);
    set_cn(X509_get_subject_name(cert), "challenge");
    set_cn(X509_get_issuer_name(cert), fault->issued ? "ca" : "challenge");
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    if (strcmp(fault->names, "none") != 0)
        add_extension(cert, "subjectAltName", fault->names);
    for (i = 0; i < 2; i++)
        if (fault->value[i][0] != '\0')
            add_extension(cert, IDENTIFIER, fault->value[i]);
    assert_true(X509_sign(cert, fault->forged ? other : key, EVP_sha256()));
    return cert;
}

static void
test_judge(void **state)
{
    EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
    enum acme_alpn_proof proof;
    X509 *cert;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(faults); i++) {
        cert = make_faulty(&faults[i], key, other);
        proof = acme_alpn_judge(cert, faults[i].identifier, ANSWER);
        if (proof != faults[i].wanted)
            fail_msg("certificate %zu: %d", i, (int)proof);
        assert_int_equal(ERR_peek_error(), 0);
        X509_free(cert);
    }
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
}

/* What we answer is what a CA wants. */
static void
test_own(void **state)
{
    struct acme_chain *chain = NULL;
    struct acme_key *key = NULL;
    struct acme_error err;

    (void)state;
    acme_error_clear(&err);
    assert_int_equal(acme_key_generate(ACME_KEY_ECDSA_256, &key, &err),
        ACME_OK);
    assert_int_equal(
        acme_alpn_certificate(key, "192.0.2.7", ANSWER, &chain, &err),
        ACME_OK);
    assert_int_equal(
        acme_alpn_judge(acme_chain_x509(chain, 0), "192.0.2.7", ANSWER),
        ACME_ALPN_PROVEN);
    assert_int_equal(
        acme_alpn_judge(acme_chain_x509(chain, 0), "192.0.2.7", ANSWER "x"),
        ACME_ALPN_OTHER_ANSWER);
    acme_chain_free(chain);
    acme_key_unref(key);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offered),
        cmocka_unit_test(test_server_name),
        cmocka_unit_test(test_hello),
        cmocka_unit_test(test_broken_hello),
        cmocka_unit_test(test_certificate),
        cmocka_unit_test(test_judge),
        cmocka_unit_test(test_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
