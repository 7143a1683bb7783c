#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "helper_ca.h"
#include "helper_errors.h"
#include "wrap/acme_csr.h"
#include "wrap/acme_x509.h"

static struct helper_ca *ca;
static struct acme_key *key;
static struct acme_error err;
static struct acme_buf pem;

static const char *const names[] = { "a.example", "*.a.example", "2001:db8::1",
    NULL };
#define NNAMES 3

static int
before_all(void **state)
{
    (void)state;
    ca = helper_ca_new();
    return acme_key_generate(ACME_KEY_ECDSA_256, &key, &err);
}

static int
after_all(void **state)
{
    (void)state;
    acme_key_unref(key);
    helper_ca_free(ca);
    return 0;
}

static int
before_each(void **state)
{
    (void)state;
    acme_error_clear(&err);
    acme_buf_init(&pem, 1 << 20);
    helper_errors_begin();
    return 0;
}

static int
after_each(void **state)
{
    (void)state;
    acme_buf_clear(&pem);
    helper_errors_end();
    return 0;
}

static struct acme_chain *
read_pem(void)
{
    struct acme_chain *chain = NULL;

    if (acme_chain_from_pem(acme_buf_str(&pem), pem.len, &chain, &err) !=
        ACME_OK)
        fail_msg("%s", err.what);
    return chain;
}

static struct acme_chain *
issue(const struct helper_ca_options *options)
{
    acme_buf_reset(&pem);
    helper_ca_issue(ca, key, names, options, &pem);
    return read_pem();
}

static void
assert_refused_pem(const char *reason)
{
    struct acme_chain *chain = NULL;

    acme_error_clear(&err);
    assert_int_equal(
        acme_chain_from_pem(acme_buf_str(&pem), pem.len, &chain, &err),
        ACME_WIRE);
    assert_null(chain);
    if (strstr(err.what, reason) == NULL)
        fail_msg("%s", err.what);
}

static void
chains_go_through_pem_and_der(void **state)
{
    struct acme_chain *chain;
    struct acme_chain *again = NULL;
    struct acme_buf der;
    struct acme_buf text;
    size_t i;

    (void)state;
    acme_buf_add_str(&pem, "subject=/CN=a.example\n"); /* RFC 8555 9.1 */
    helper_ca_issue(ca, key, names, NULL, &pem);
    acme_buf_add_str(&pem, "\n  Text behind it.\n");
    chain = read_pem();
    assert_int_equal(acme_chain_count(chain), 2);
    acme_buf_init(&der, 1 << 20);
    acme_buf_init(&text, 1 << 20);
    assert_int_equal(acme_chain_to_der(chain, 0, 0, &der, &err), ACME_OK);
    assert_int_equal(acme_chain_from_der(der.data, der.len, &again, &err),
        ACME_OK);
    assert_int_equal(acme_chain_count(again), 2);
    for (i = 0; i < 2; i++)
        assert_int_equal(
            X509_cmp(acme_chain_x509(chain, i), acme_chain_x509(again, i)), 0);
    assert_null(acme_chain_x509(chain, 2));
    acme_chain_free(again);

    /* parts: the leaf alone, and what is behind it */
    assert_int_equal(acme_chain_to_pem(chain, 0, 1, &text, &err), ACME_OK);
    assert_int_equal(acme_chain_to_pem(chain, 1, 0, &text, &err), ACME_OK);
    assert_int_equal(
        acme_chain_from_pem(acme_buf_str(&text), text.len, &again, &err),
        ACME_OK);
    assert_int_equal(acme_chain_count(again), 2);
    acme_chain_free(again);
    i = text.len;
    assert_int_equal(acme_chain_to_pem(chain, 2, 0, &text, &err), ACME_OK);
    assert_int_equal(text.len, i);
    acme_buf_clear(&text);
    acme_buf_clear(&der);
    acme_chain_free(chain);
    acme_chain_free(NULL);
}

static void
other_pem_is_refused(void **state)
{
    static const char broken[] = "-----BEGIN CERTIFICATE-----\n"
                                 "CANARY/CANARY/CANARY\n"
                                 "-----END CERTIFICATE-----\n";

    (void)state;
    assert_refused_pem("no certificate");
    acme_buf_add_str(&pem, "just text\n");
    assert_refused_pem("no certificate");
    acme_buf_add_str(&pem, broken);
    assert_refused_pem("malformed");
    assert_null(strstr(err.what, "CANARY"));
    acme_buf_reset(&pem);
    helper_ca_issue(ca, key, names, NULL, &pem);
    assert_int_equal(acme_key_to_pem(key, &pem, &err), ACME_OK);
    assert_refused_pem("something other than certificates");
    acme_buf_reset(&pem);
    helper_ca_issue(ca, key, names, NULL, &pem);
    pem.data[pem.len - 40] = '\0'; /* in the second certificate */
    assert_refused_pem("malformed");
    pem.len -= 100; /* cut short */
    assert_refused_pem("malformed");
}

/* A block may hold one certificate and nothing behind it. */
static void
a_byte_too_many_is_refused(void **state)
{
    struct acme_chain *chain = issue(NULL);
    struct acme_buf der;
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    long len;

    (void)state;
    acme_buf_init(&der, 100000);
    assert_int_equal(acme_chain_to_der(chain, 0, 1, &der, &err), ACME_OK);
    acme_buf_add_str(&der, "x");
    assert_true(
        PEM_write_bio(bio, PEM_STRING_X509, "", der.data, (long)der.len));
    len = BIO_get_mem_data(bio, &text);
    acme_buf_reset(&pem);
    acme_buf_add(&pem, text, (size_t)len);
    assert_refused_pem("malformed certificate");
    BIO_free(bio);
    acme_buf_clear(&der);
    acme_chain_free(chain);
}

static void
other_der_is_refused(void **state)
{
    struct acme_chain *chain = issue(NULL);
    struct acme_chain *none = NULL;
    struct acme_buf der;
    size_t first;
    size_t len;

    (void)state;
    acme_buf_init(&der, 1 << 20);
    assert_int_equal(acme_chain_to_der(chain, 0, 1, &der, &err), ACME_OK);
    first = der.len;
    assert_int_equal(acme_chain_to_der(chain, 1, 2, &der, &err), ACME_OK);
    for (len = 0; len < der.len; len++) {
        assert_int_equal(acme_chain_der_first(der.data, len),
            len < first ? 0 : first);
        if (len == first)
            continue;
        acme_error_clear(&err);
        assert_int_equal(acme_chain_from_der(der.data, len, &none, &err),
            ACME_WIRE);
    }
    assert_int_equal(acme_chain_der_first("x", 1), 0);
    acme_buf_add_str(&der, "x");
    acme_error_clear(&err);
    assert_int_equal(acme_chain_from_der(der.data, der.len, &none, &err),
        ACME_WIRE);
    assert_null(none);
    acme_buf_clear(&der);
    acme_chain_free(chain);
}

/* Security S31. */
static void
chains_are_bounded(void **state)
{
    struct helper_ca_options options = { .extra_links = 8 };
    static char label[64];
    char san[30000] = "DNS:x.example";
    struct acme_chain *chain = issue(&options);
    size_t i;

    (void)state;
    assert_int_equal(acme_chain_count(chain), ACME_CHAIN_CERTS_MAX);
    assert_int_equal(
        acme_chain_check(chain, key, names, NNAMES, time(NULL), NULL, &err),
        ACME_OK);
    acme_chain_free(chain);
    options.extra_links = 9;
    acme_buf_reset(&pem);
    helper_ca_issue(ca, key, names, &options, &pem);
    assert_refused_pem("more than 10 certificates");

    memset(label, 'a', 60);
    for (i = 0; i < 135; i++)
        snprintf(san + strlen(san), sizeof(san) - strlen(san),
            ",DNS:%s.%s.%s.%zu.example", label, label, label, i);
    options.extra_links = 0;
    options.san = san;
    acme_buf_reset(&pem);
    helper_ca_issue(ca, key, names, &options, &pem);
    assert_refused_pem("bytes of certificates");

    acme_buf_reset(&pem);
    for (i = 0; i <= ACME_CHAIN_PEM_MAX; i++)
        acme_buf_add(&pem, "\n", 1);
    assert_refused_pem("bytes");
}

static void
a_leaf_is_described(void **state)
{
    struct helper_ca_options options = { .not_before = -1000,
        .not_after = 86400,
        .serial = "0102030405ff" };
    struct acme_chain *chain = issue(&options);
    struct acme_leaf leaf;
    time_t now = time(NULL);
    unsigned char digest[32];
    char hex[65];
    size_t i;

    (void)state;
    assert_int_equal(acme_chain_leaf(chain, &leaf, &err), ACME_OK);
    assert_in_range(leaf.not_before, now - 1010, now - 1000);
    assert_in_range(leaf.not_after, now + 86390, now + 86400);
    assert_string_equal(leaf.serial, "0102030405ff");
    assert_string_equal(leaf.issuer, "Test Intermediate");
    X509_digest(acme_chain_x509(chain, 0), EVP_sha256(), digest, NULL);
    for (i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    assert_string_equal(leaf.fingerprint, hex);
    acme_chain_free(chain);
}

/* RFC 9773 4.1 and appendix A */
static void
ari_id_is_as_in_rfc9773(void **state)
{
    static const char rfc9773_a[] =
        "-----BEGIN CERTIFICATE-----\n"
        "MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt\n"
        "cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS\n"
        "BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu\n"
        "7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf\n"
        "qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B\n"
        "yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb\n"
        "+FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK\n"
        "-----END CERTIFICATE-----\n";
    static const char *const hex[] = { "1", "7f", "80", "0102", "ff00" };
    static const char *const text[] = { "AQ", "fw", "AIA", "AQI", "AP8A" };
    struct helper_ca_options options = {
        .aki = "69885B6B87464041E1B37B847BA0AE2CDE01C8D4"
    };
    struct acme_chain *chain;
    struct acme_leaf leaf;
    size_t i;

    (void)state;
    acme_buf_add_str(&pem, rfc9773_a);
    chain = read_pem();
    assert_int_equal(acme_chain_leaf(chain, &leaf, &err), ACME_OK);
    assert_string_equal(leaf.ari_id, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
    assert_string_equal(leaf.serial, "87654321");
    assert_true(leaf.not_after < 0); /* in the year 1 */
    acme_chain_free(chain);
    for (i = 0; i < sizeof(hex) / sizeof(hex[0]); i++) {
        options.serial = hex[i];
        chain = issue(&options);
        assert_int_equal(acme_chain_leaf(chain, &leaf, &err), ACME_OK);
        assert_string_equal(leaf.ari_id + 28, text[i]);
        acme_chain_free(chain);
    }
    options.no_aki = true;
    chain = issue(&options);
    assert_int_equal(acme_chain_leaf(chain, &leaf, &err), ACME_OK);
    assert_string_equal(leaf.ari_id, "");
    acme_chain_free(chain);
}

static void
absurd_leaves_are_refused(void **state)
{
    char hex[401];
    struct helper_ca_options options = { .serial = hex };
    struct acme_leaf leaf;
    struct acme_chain *chain;

    (void)state;
    memset(hex, '1', sizeof(hex));
    hex[200] = '\0';
    chain = issue(&options);
    assert_int_equal(acme_chain_leaf(chain, &leaf, &err), ACME_WIRE);
    assert_non_null(strstr(err.what, "serial number too long"));
    acme_chain_free(chain);
    options.serial = NULL;
    options.aki = hex;
    acme_error_clear(&err);
    chain = issue(&options);
    assert_int_equal(acme_chain_leaf(chain, &leaf, &err), ACME_WIRE);
    assert_non_null(strstr(err.what, "authority key id too long"));
    acme_chain_free(chain);
}

static void
names_are_canonical(void **state)
{
    struct helper_ca_options options = {
        .san = "DNS:Example.COM,DNS:a_b.example,email:x@y.example,"
               "IP:192.0.2.1,IP:2001:DB8::1,DNS:*.example.net,"
               "DNS:192.0.2.7,URI:https://u.example/"
    };
    struct acme_chain *chain = issue(&options);
    struct acme_buf found;

    (void)state;
    acme_buf_init(&found, 1000);
    assert_int_equal(acme_chain_names(chain, &found, &err), ACME_OK);
    assert_string_equal(acme_buf_str(&found),
        "example.com\n192.0.2.1\n2001:db8::1\n*.example.net\n");
    assert_true(acme_chain_covers(chain, "example.com"));
    assert_true(acme_chain_covers(chain, "a.example.net"));
    assert_true(acme_chain_covers(chain, "*.example.net"));
    assert_true(acme_chain_covers(chain, "2001:db8::1"));
    assert_false(acme_chain_covers(chain, "example.net"));
    assert_false(acme_chain_covers(chain, "192.0.2.7"));
    assert_false(acme_chain_covers(chain, "a.b.example.net"));
    acme_chain_free(chain);

    options.san = NULL;
    options.no_san = true;
    chain = issue(&options);
    acme_buf_reset(&found);
    assert_int_equal(acme_chain_names(chain, &found, &err), ACME_OK);
    assert_int_equal(found.len, 0);
    acme_buf_clear(&found);
    acme_chain_free(chain);
}

/* "a.example\0b" as a dNSName, and an OCTET STRING for the list */
static void
odd_names_are_refused(void **state)
{
    static const struct {
        const char *san;
        const char *reason;
    } sans[] = {
        { "DER:30:0d:82:0b:61:2e:65:78:61:6d:70:6c:65:00:62", "NUL" },
        { "DER:04:01:00", "malformed names" },
        { "DER:30:0d:82:0b:61", "malformed names" },
    };
    struct helper_ca_options options = { 0 };
    struct acme_chain *chain;
    struct acme_buf found;
    size_t i;

    (void)state;
    acme_buf_init(&found, 1000);
    for (i = 0; i < sizeof(sans) / sizeof(sans[0]); i++) {
        options.san = sans[i].san;
        acme_error_clear(&err);
        chain = issue(&options);
        assert_int_equal(acme_chain_names(chain, &found, &err), ACME_REFUSED);
        if (strstr(err.what, sans[i].reason) == NULL)
            fail_msg("%s", err.what);
        assert_int_equal(found.len, 0);
        assert_false(acme_chain_covers(chain, "a.example"));
        acme_error_clear(&err);
        assert_int_equal(
            acme_chain_check(chain, key, NULL, 0, time(NULL), NULL, &err),
            ACME_REFUSED);
        acme_chain_free(chain);
    }
    acme_buf_clear(&found);
}

static void
good_chains_are_accepted(void **state)
{
    static const struct helper_ca_options good[] = {
        { 0 },
        { .with_root = true },
        { .with_cross = true }, /* an expired root is for old clients */
        { .issued_by_root = true },
        { .leaf_only = true },
        { .no_eku = true },
        { .no_aki = true },
        { .extra_links = 3 },
        { .must_staple = true },
        { .not_before = 3500 },
        { .not_after = 60 },
        { .link_key = "RSA-8192", .extra_links = 1, .leaf_only = true },
    };
    unsigned surplus = 77;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct acme_chain *chain = issue(&good[i]);

        if (acme_chain_check(chain, key, names, NNAMES, time(NULL), &surplus,
                &err) != ACME_OK)
            fail_msg("%zu: %s", i, err.what);
        assert_int_equal(surplus, 0);
        assert_true(acme_chain_matches(chain, key));
        acme_chain_free(chain);
    }
}

static void
rsa_chains_are_accepted(void **state)
{
    struct helper_ca *rsa = helper_ca_new_rsa();
    struct acme_key *rsa_key = NULL;
    struct acme_chain *chain;

    (void)state;
    assert_int_equal(acme_key_generate(ACME_KEY_RSA_2048, &rsa_key, &err),
        ACME_OK);
    helper_ca_issue(rsa, rsa_key, names, NULL, &pem);
    chain = read_pem();
    assert_int_equal(acme_chain_check(chain, rsa_key, names, NNAMES,
                         time(NULL), NULL, &err),
        ACME_OK);
    assert_false(acme_chain_matches(chain, key));
    acme_chain_free(chain);
    acme_key_unref(rsa_key);
    helper_ca_free(rsa);
}

static void
assert_refused_chain(const struct acme_chain *chain, const char *reason)
{
    unsigned surplus = 77;

    acme_error_clear(&err);
    if (acme_chain_check(chain, key, names, NNAMES, time(NULL), &surplus,
            &err) != ACME_REFUSED)
        fail_msg("accepted, not \"%s\"", reason);
    if (strstr(err.what, reason) == NULL)
        fail_msg("%s", err.what);
    assert_int_equal(surplus, 77);
}

static void
each_flaw_is_refused(void **state)
{
    static const struct {
        struct helper_ca_options options;
        const char *reason;
    } flaws[] = {
        { { .not_after = -1 }, "has expired" },
        { { .not_before = 3700 }, "not valid yet" },
        { { .is_ca = true }, "is one of a CA" },
        { { .client_only = true }, "not for servers" },
        { { .critical_unknown = true }, "unknown critical extension" },
        { { .no_san = true }, "not for \"a.example\"" },
        { { .san = "DNS:a.example,DNS:*.a.example" },
            "not for \"2001:db8::1\"" },
        { { .san = "DNS:a.example,DNS:b.a.example,IP:2001:db8::1" },
            "not for \"*.a.example\"" },
        { { .san = "DNS:*.example,DNS:*.a.example,IP:2001:db8::1" },
            "not for \"a.example\"" },
        { { .wrong_signature = true }, "certificate 1 of the chain is not" },
        { { .aki = "0102" }, "certificate 1 of the chain is not" },
        { { .extra_links = 2, .link_not_ca = true },
            "certificate 2 of the chain is none of a CA" },
        { { .extra_links = 1, .link_key = "RSA-8200" },
            "certificate 2 has an RSA key of more than 8192" },
        { { .extra_links = 1, .link_key = "RSA-16384" },
            "certificate 2 has an RSA key of more than 8192" },
        { { .extra_links = 1, .link_key = "explicit" },
            "certificate 2 has a key that is on no named curve" },
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(flaws) / sizeof(flaws[0]); i++) {
        struct acme_chain *chain = issue(&flaws[i].options);
        clock_t began = clock();

        assert_refused_chain(chain, flaws[i].reason);
        /* nor does a key of any size keep us busy */
        assert_true(clock() - began < CLOCKS_PER_SEC);
        acme_chain_free(chain);
    }
}

/* A root that a CA sends along is nothing for clients. */
static void
roots_are_not_useful(void **state)
{
    static const struct {
        struct helper_ca_options options;
        size_t useful;
    } cases[] = {
        { { 0 }, 2 }, { { .with_root = true }, 2 },
        { { .issued_by_root = true }, 1 }, { { .leaf_only = true }, 1 },
        { { .extra_links = 2, .with_root = true }, 4 },
        { { .with_cross = true }, 3 }, /* signed by another one */
    };
    struct acme_key *own = NULL;
    struct acme_chain *chain;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        chain = issue(&cases[i].options);
        if (acme_chain_useful(chain) != cases[i].useful)
            fail_msg("%zu: %zu", i, acme_chain_useful(chain));
        acme_chain_free(chain);
    }
    /* what has nothing but itself keeps that */
    assert_int_equal(acme_placeholder_new("self", &own, &chain, &err),
        ACME_OK);
    assert_int_equal(acme_chain_useful(chain), 1);
    acme_chain_free(chain);
    acme_key_unref(own);
}

/* A key has one name, in a certificate too. */
static void
keys_of_leaves_have_names(void **state)
{
    char id[ACME_KEY_ID_LEN + 1], other[ACME_KEY_ID_LEN + 1];
    struct acme_chain *chain = issue(NULL);

    (void)state;
    assert_int_equal(acme_key_id(key, id, &err), ACME_OK);
    assert_int_equal(acme_chain_key_id(chain, other, &err), ACME_OK);
    assert_string_equal(id, other);
    acme_chain_free(chain);
}

static void
another_key_is_refused(void **state)
{
    struct acme_key *other = NULL;
    struct acme_chain *chain;

    (void)state;
    assert_int_equal(acme_key_generate(ACME_KEY_ECDSA_256, &other, &err),
        ACME_OK);
    helper_ca_issue(ca, other, names, NULL, &pem);
    chain = read_pem();
    assert_refused_chain(chain, "another key");
    assert_false(acme_chain_matches(chain, key));
    acme_chain_free(chain);
    acme_key_unref(other);
}

/* Certificates of a chain in an order of our own. */
static struct acme_chain *
reorder(const struct acme_chain *chain, const size_t *order, size_t n)
{
    size_t i;

    acme_buf_reset(&pem);
    for (i = 0; i < n; i++)
        assert_int_equal(
            acme_chain_to_pem(chain, order[i], order[i] + 1, &pem, &err),
            ACME_OK);
    return read_pem();
}

static void
order_matters(void **state)
{
    static const size_t orders[][3] = { { 0, 2, 1 }, { 0, 0, 1 },
        { 0, 1, 1 } };
    struct helper_ca_options options = { .with_root = true };
    struct acme_chain *chain = issue(&options);
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        struct acme_chain *other = reorder(chain, orders[i], 3);

        assert_refused_chain(other, "of the chain is");
        acme_chain_free(other);
    }
    acme_chain_free(chain);
}

static void
surplus_names_are_counted(void **state)
{
    struct helper_ca_options options = {
        .san = "DNS:a.example,DNS:b.example,DNS:*.A.example,IP:2001:db8::1,"
               "IP:192.0.2.1"
    };
    struct acme_chain *chain = issue(&options);
    unsigned surplus = 0;

    (void)state;
    assert_int_equal(acme_chain_check(chain, key, names, NNAMES, time(NULL),
                         &surplus, &err),
        ACME_OK);
    assert_int_equal(surplus, 2);
    acme_chain_free(chain);
}

static void
time_is_the_callers(void **state)
{
    struct acme_chain *chain = issue(NULL);
    struct acme_leaf leaf;

    (void)state;
    assert_int_equal(acme_chain_leaf(chain, &leaf, &err), ACME_OK);
    assert_int_equal(acme_chain_check(chain, key, names, NNAMES,
                         leaf.not_after - 1, NULL, &err),
        ACME_OK);
    assert_int_equal(acme_chain_check(chain, key, names, NNAMES,
                         leaf.not_after, NULL, &err),
        ACME_REFUSED);
    acme_error_clear(&err);
    assert_int_equal(acme_chain_check(chain, key, names, NNAMES,
                         leaf.not_before - 3600, NULL, &err),
        ACME_OK);
    assert_int_equal(acme_chain_check(chain, key, names, NNAMES,
                         leaf.not_before - 3601, NULL, &err),
        ACME_REFUSED);
    acme_chain_free(chain);
}

static void
check_request(enum acme_key_type type, int signature_nid)
{
    struct acme_key *own = NULL;
    struct acme_buf der;
    const unsigned char *p;
    X509_REQ *request;
    STACK_OF(X509_EXTENSION) * extensions;
    GENERAL_NAMES *sans;
    struct acme_chain *chain;

    acme_error_clear(&err);
    acme_buf_init(&der, 100000);
    assert_int_equal(acme_key_generate(type, &own, &err), ACME_OK);
    assert_int_equal(acme_csr_new(own, names, NNAMES, NULL, &der, &err),
        ACME_OK);
    p = der.data;
    request = d2i_X509_REQ(NULL, &p, (long)der.len);
    assert_non_null(request);
    assert_ptr_equal(p, der.data + der.len);
    assert_int_equal(X509_REQ_get_version(request), 0);
    assert_int_equal(X509_NAME_entry_count(X509_REQ_get_subject_name(request)),
        0);
    assert_int_equal(X509_REQ_get_signature_nid(request), signature_nid);
    assert_int_equal(X509_REQ_verify(request, X509_REQ_get0_pubkey(request)),
        1);
    extensions = X509_REQ_get_extensions(request);
    assert_int_equal(sk_X509_EXTENSION_num(extensions), 1);
    sans = X509V3_get_d2i(extensions, NID_subject_alt_name, NULL, NULL);
    assert_int_equal(sk_GENERAL_NAME_num(sans), NNAMES);
    GENERAL_NAMES_free(sans);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    X509_REQ_free(request);

    acme_buf_reset(&pem); /* what a CA makes of it fits */
    helper_ca_issue_csr(ca, der.data, der.len, NULL, &pem);
    chain = read_pem();
    assert_int_equal(
        acme_chain_check(chain, own, names, NNAMES, time(NULL), NULL, &err),
        ACME_OK);
    acme_chain_free(chain);
    acme_buf_clear(&der);
    acme_key_unref(own);
}

static void
requests_name_all_names(void **state)
{
    (void)state;
    check_request(ACME_KEY_ECDSA_256, NID_ecdsa_with_SHA256);
    check_request(ACME_KEY_ECDSA_384, NID_ecdsa_with_SHA384);
    check_request(ACME_KEY_ECDSA_521, NID_ecdsa_with_SHA512);
    check_request(ACME_KEY_RSA_2048, NID_sha256WithRSAEncryption);
}

/* What it may have besides: a CN, and the TLS feature (RFC 7633). */
static void
requests_have_terms(void **state)
{
    static const unsigned char feature[] = { 0x30, 0x03, 0x02, 0x01, 0x05 };
    const struct acme_csr_terms terms = { .cn = "a.example",
        .must_staple = true };
    char cn[80];
    struct acme_buf der;
    const unsigned char *p;
    const ASN1_OCTET_STRING *value;
    X509_REQ *request;
    STACK_OF(X509_EXTENSION) * extensions;
    struct acme_chain *chain;
    int i;

    (void)state;
    acme_error_clear(&err);
    acme_buf_init(&der, 100000);
    assert_int_equal(acme_csr_new(key, names, NNAMES, &terms, &der, &err),
        ACME_OK);
    p = der.data;
    request = d2i_X509_REQ(NULL, &p, (long)der.len);
    assert_non_null(request);
    assert_int_equal(
        X509_NAME_get_text_by_NID(X509_REQ_get_subject_name(request),
            NID_commonName, cn, sizeof(cn)),
        9);
    assert_string_equal(cn, "a.example");
    extensions = X509_REQ_get_extensions(request);
    assert_int_equal(sk_X509_EXTENSION_num(extensions), 2);
    i = X509v3_get_ext_by_NID(extensions, NID_tlsfeature, -1);
    assert_true(i >= 0);
    value = X509_EXTENSION_get_data(sk_X509_EXTENSION_value(extensions, i));
    assert_int_equal(ASN1_STRING_length(value), sizeof(feature));
    assert_memory_equal(ASN1_STRING_get0_data(value), feature,
        sizeof(feature));
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    X509_REQ_free(request);

    acme_buf_reset(&pem);
    helper_ca_issue_csr(ca, der.data, der.len, NULL, &pem);
    chain = read_pem();
    assert_true(acme_chain_must_staple(chain));
    acme_chain_free(chain);
    chain = issue(NULL);
    assert_false(acme_chain_must_staple(chain));
    acme_chain_free(chain);
    acme_buf_clear(&der);
}

static void
a_placeholder_is_self_signed(void **state)
{
    static const char *const texts[] = { "a.example", "x",
        "\xc3\xbc \"ACME\" placeholder" };
    struct acme_chain *chain = NULL;
    struct acme_key *own = NULL;
    struct acme_leaf leaf;
    time_t now = time(NULL);
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        own = NULL;
        assert_int_equal(acme_placeholder_new(texts[i], &own, &chain, &err),
            ACME_OK);
        assert_int_equal(acme_chain_count(chain), 1);
        assert_true(acme_chain_matches(chain, own));
        assert_int_equal(
            X509_verify(acme_chain_x509(chain, 0), acme_key_evp(own)), 1);
        assert_int_equal(acme_chain_leaf(chain, &leaf, &err), ACME_OK);
        assert_string_equal(leaf.issuer, texts[i]);
        assert_in_range(leaf.not_before, now - 86400, now - 86390);
        assert_in_range(leaf.not_after, now + 363 * 86400L,
            now + 365 * 86400L);
        assert_int_equal(X509_get_ext_by_NID(acme_chain_x509(chain, 0),
                             NID_subject_alt_name, -1),
            -1);
        acme_chain_free(chain);
        acme_key_unref(own);
    }
}

/* Again and again: what it was called before is gone. */
static void
a_placeholder_is_renamed(void **state)
{
    static const char *const before[] = { "before.example" };
    static const char *const wanted[] = { "a.example", "192.0.2.1",
        "2001:db8::1" };
    struct acme_chain *chain = NULL;
    struct acme_key *own = NULL;
    struct acme_buf found;
    X509 *cert;

    (void)state;
    acme_buf_init(&found, 10000);
    assert_int_equal(acme_placeholder_new("a placeholder", &own, &chain, &err),
        ACME_OK);
    assert_int_equal(acme_placeholder_rename(chain, own, before, 1, &err),
        ACME_OK);
    assert_int_equal(acme_placeholder_rename(chain, own, wanted, 3, &err),
        ACME_OK);

    /* as others will see it */
    assert_int_equal(acme_chain_to_pem(chain, 0, 0, &found, &err), ACME_OK);
    acme_chain_free(chain);
    assert_int_equal(
        acme_chain_from_pem(acme_buf_str(&found), found.len, &chain, &err),
        ACME_OK);
    acme_buf_clear(&found);
    acme_buf_init(&found, 10000);
    assert_int_equal(acme_chain_names(chain, &found, &err), ACME_OK);
    assert_string_equal(acme_buf_str(&found),
        "a.example\n192.0.2.1\n2001:db8::1\n");
    cert = acme_chain_x509(chain, 0);
    assert_int_equal(X509_check_host(cert, "a.example", 0, 0, NULL), 1);
    assert_int_equal(X509_check_ip_asc(cert, "2001:db8::1", 0), 1);
    assert_int_equal(X509_verify(cert, acme_key_evp(own)), 1);
    acme_buf_clear(&found);
    acme_chain_free(chain);
    acme_key_unref(own);
}

/* A CN is one character at least; what was made before is freed. */
static void
a_failed_placeholder_changes_nothing(void **state)
{
    struct acme_chain *chain = NULL;
    struct acme_key *own = NULL;

    (void)state;
    assert_int_equal(acme_placeholder_new("", &own, &chain, &err),
        ACME_CRYPTO);
    assert_null(own);
    assert_null(chain);
}

/* A CN has at most 64 characters. */
static void
a_long_placeholder_name_is_cut(void **state)
{
    char text[300];
    struct acme_chain *chain = NULL;
    struct acme_key *own = NULL;
    struct acme_leaf leaf;

    (void)state;
    memset(text, 'a', sizeof(text));
    text[299] = '\0';
    assert_int_equal(acme_placeholder_new(text, &own, &chain, &err), ACME_OK);
    assert_int_equal(acme_chain_leaf(chain, &leaf, &err), ACME_OK);
    assert_int_equal(strlen(leaf.issuer), 64);
    acme_chain_free(chain);
    acme_key_unref(own);
}

static void
full_buffers_are_out_of_memory(void **state)
{
    struct acme_chain *chain = issue(NULL);
    struct acme_buf out;

    (void)state;
    acme_buf_init(&out, 10);
    assert_int_equal(acme_chain_to_pem(chain, 0, 0, &out, &err), ACME_NOMEM);
    acme_error_clear(&err);
    acme_buf_reset(&out);
    assert_int_equal(acme_chain_to_der(chain, 0, 0, &out, &err), ACME_NOMEM);
    acme_error_clear(&err);
    acme_buf_reset(&out);
    assert_int_equal(acme_chain_names(chain, &out, &err), ACME_NOMEM);
    acme_error_clear(&err);
    acme_buf_reset(&out);
    assert_int_equal(acme_csr_new(key, names, NNAMES, NULL, &out, &err),
        ACME_NOMEM);
    acme_buf_clear(&out);
    acme_chain_free(chain);
}

#define test(f) cmocka_unit_test_setup_teardown(f, before_each, after_each)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        test(chains_go_through_pem_and_der),
        test(other_pem_is_refused),
        test(a_byte_too_many_is_refused),
        test(other_der_is_refused),
        test(chains_are_bounded),
        test(a_leaf_is_described),
        test(ari_id_is_as_in_rfc9773),
        test(absurd_leaves_are_refused),
        test(names_are_canonical),
        test(odd_names_are_refused),
        test(good_chains_are_accepted),
        test(rsa_chains_are_accepted),
        test(each_flaw_is_refused),
        test(roots_are_not_useful),
        test(keys_of_leaves_have_names),
        test(another_key_is_refused),
        test(order_matters),
        test(surplus_names_are_counted),
        test(time_is_the_callers),
        test(requests_name_all_names),
        test(requests_have_terms),
        test(a_placeholder_is_self_signed),
        test(a_placeholder_is_renamed),
        test(a_failed_placeholder_changes_nothing),
        test(a_long_placeholder_name_is_cut),
        test(full_buffers_are_out_of_memory),
    };

    return cmocka_run_group_tests(tests, before_all, after_all);
}
