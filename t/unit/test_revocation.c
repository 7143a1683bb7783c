/*
 * acme_revocation.h: which lists are believed, and what they say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "helper_ca.h"
#include "helper_errors.h"
#include "wrap/acme_revocation.h"

#define URL "http://crl.test/1.crl"
#define SERIAL "0a0b0c0d0e"
#define NOW ((time_t)1795500000)
#define DAY 86400
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct helper_ca *ca, *other;
static struct acme_key *key;
static struct acme_chain *leaf;
static struct acme_error err;

static struct acme_chain *
new_leaf(struct helper_ca *issuer, const struct helper_ca_options *options)
{
    static const char *const names[] = { "a.test", NULL };
    return helper_ca_chain(issuer, key, names, options);
}

static int
before_all(void **state)
{
    struct helper_ca_options options = { .serial = SERIAL,
        .crl_url = "URI:" URL };

    (void)state;
    ca = helper_ca_new();
    other = helper_ca_new();
    if (acme_key_generate(ACME_KEY_ECDSA_256, &key, &err) != ACME_OK)
        return -1;
    leaf = new_leaf(ca, &options);
    return 0;
}

static int
after_all(void **state)
{
    (void)state;
    acme_chain_free(leaf);
    acme_key_unref(key);
    helper_ca_free(ca);
    helper_ca_free(other);
    return 0;
}

static int
before_each(void **state)
{
    (void)state;
    acme_error_clear(&err);
    helper_errors_begin();
    return 0;
}

static int
after_each(void **state)
{
    (void)state;
    helper_errors_end();
    return 0;
}

static struct helper_ca_crl
good(void)
{
    return (struct helper_ca_crl){ .this_update = NOW - DAY,
        .next_update = NOW + DAY };
}

/* The list, or NULL and err. */
static struct acme_crl *
read_list(const struct helper_ca_crl *options)
{
    struct acme_crl *crl = NULL;
    struct acme_buf der;

    acme_error_clear(&err);
    acme_buf_init(&der, 1 << 20);
    helper_ca_crl(ca, options, &der);
    (void)acme_crl_read(der.data, der.len, leaf, NOW, &crl, &err);
    assert_true((crl != NULL) == (err.rc == ACME_OK));
    acme_buf_clear(&der);
    return crl;
}

static void
test_url(void **state)
{
    static const struct {
        const char *points;
        const char *url;
    } rows[] = {
        { "URI:" URL, URL },
        { "URI:ldap://ldap.test/cn=x,URI:" URL ",URI:http://b.test/", URL },
        { "URI:HTTP://crl.test/1.crl", "HTTP://crl.test/1.crl" },
        { "URI:https://crl.test/1.crl", NULL },
        { "DNS:crl.test", NULL },
        { NULL, NULL },
    };
    char url[ACME_URL_MAX];
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        struct helper_ca_options options = { .crl_url = rows[i].points };
        struct acme_chain *chain = new_leaf(ca, &options);

        assert_int_equal(acme_crl_url(chain, url), rows[i].url != NULL);
        if (rows[i].url != NULL)
            assert_string_equal(url, rows[i].url);
        acme_chain_free(chain);
    }
}

static void
test_good(void **state)
{
    struct helper_ca_crl options = good();
    const char *reason = NULL;
    struct acme_crl *crl;

    (void)state;
    crl = read_list(&options);
    assert_non_null(crl);
    assert_false(acme_crl_has(crl, leaf, &reason));
    assert_int_equal(acme_crl_next_update(crl), NOW + DAY);
    acme_crl_free(crl);
    options.serial = "0a0b0c0d0f";
    crl = read_list(&options);
    assert_non_null(crl);
    assert_false(acme_crl_has(crl, leaf, &reason));
    assert_null(reason);
    acme_crl_free(crl);
}

static void
test_revoked(void **state)
{
    static const struct {
        int code;
        const char *reason; /* NULL: not revoked */
    } rows[] = {
        { 0, "" },
        { 1, "keyCompromise" },
        { 4, "superseded" },
        { 8, NULL }, /* removeFromCRL */
        { 9, "privilegeWithdrawn" },
        { 99, "" },
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        struct helper_ca_crl options = good();
        const char *reason = NULL;
        struct acme_crl *crl;

        options.serial = SERIAL;
        options.reason = rows[i].code;
        crl = read_list(&options);
        assert_non_null(crl);
        assert_int_equal(acme_crl_has(crl, leaf, &reason),
            rows[i].reason != NULL);
        if (rows[i].reason != NULL)
            assert_string_equal(reason, rows[i].reason);
        acme_crl_free(crl);
    }
}

static void
test_refused(void **state)
{
    static const char out_of_date[] = "out of date";
    static const char not_this[] = "not for this certificate";
    const struct {
        struct helper_ca_crl list;
        const char *what; /* NULL: taken */
    } rows[] = {
        { { NOW - DAY, NOW - 299, SERIAL, 0, NULL, 0, 0, 0, 0 }, NULL },
        { { NOW - DAY, NOW - 301, SERIAL, 0, NULL, 0, 0, 0, 0 }, out_of_date },
        { { NOW + 299, NOW + DAY, SERIAL, 0, NULL, 0, 0, 0, 0 }, NULL },
        { { NOW + 301, NOW + DAY, SERIAL, 0, NULL, 0, 0, 0, 0 },
            "not valid yet" },
        { { NOW - DAY, 0, SERIAL, 0, NULL, 0, 0, 0, 0 }, "does not say when" },
        { { NOW - DAY, NOW + DAY, SERIAL, 0, NULL, 0, 1, 0, 0 },
            "not of the certificate's issuer" },
        { { NOW - DAY, NOW + DAY, SERIAL, 0, NULL, 0, 0, 1, 0 },
            "not signed by the certificate's issuer" },
        { { NOW - DAY, NOW + DAY, SERIAL, 0, NULL, 0, 0, 0, 1 },
            "unknown critical extension" },
        { { NOW - DAY, NOW + DAY, SERIAL, 0, URL, 0, 0, 0, 0 }, NULL },
        { { NOW - DAY, NOW + DAY, SERIAL, 0, "http://crl.test/2.crl", 0, 0, 0,
              0 },
            not_this },
        { { NOW - DAY, NOW + DAY, SERIAL, 0, NULL, 1, 0, 0, 0 }, not_this },
    };
    struct acme_crl *crl;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        crl = read_list(&rows[i].list);
        if (rows[i].what == NULL) {
            assert_non_null(crl);
        } else {
            assert_null(crl);
            assert_int_equal(err.rc, ACME_WIRE);
            assert_non_null(strstr(err.what, rows[i].what));
        }
        acme_crl_free(crl);
    }
}

/* Of a CA of the same name with another key. */
static void
test_other_ca(void **state)
{
    struct helper_ca_crl options = good();
    struct acme_crl *crl = NULL;
    struct acme_buf der;

    (void)state;
    acme_buf_init(&der, 1 << 20);
    helper_ca_crl(other, &options, &der);
    assert_int_equal(acme_crl_read(der.data, der.len, leaf, NOW, &crl, &err),
        ACME_WIRE);
    assert_null(crl);
    acme_buf_clear(&der);
}

static void
test_alone(void **state)
{
    struct helper_ca_options options = { .leaf_only = true,
        .crl_url = "URI:" URL };
    struct helper_ca_crl list = good();
    struct acme_chain *chain = new_leaf(ca, &options);
    struct acme_crl *crl = NULL;
    struct acme_buf der;

    (void)state;
    acme_buf_init(&der, 1 << 20);
    helper_ca_crl(ca, &list, &der);
    assert_int_equal(acme_crl_read(der.data, der.len, chain, NOW, &crl, &err),
        ACME_WIRE);
    acme_buf_clear(&der);
    acme_chain_free(chain);
    crl = read_list(&list);
    assert_true(acme_crl_is_for(crl, leaf));
    chain = new_leaf(other, NULL);
    assert_false(acme_crl_is_for(crl, chain));
    acme_chain_free(chain);
    acme_crl_free(crl);
}

/* Whatever is not the whole list is no list. */
static void
test_damaged(void **state)
{
    struct helper_ca_crl options = good();
    struct acme_crl *crl = NULL;
    struct acme_buf der;
    size_t i;

    (void)state;
    options.serial = SERIAL;
    acme_buf_init(&der, 1 << 20);
    helper_ca_crl(ca, &options, &der);
    for (i = 0; i < der.len; i++) {
        acme_error_clear(&err);
        assert_int_equal(acme_crl_read(der.data, i, leaf, NOW, &crl, &err),
            ACME_WIRE);
        assert_null(crl);
    }
    for (i = 0; i < der.len; i++) {
        unsigned char *byte = (unsigned char *)der.data + i;

        acme_error_clear(&err);
        *byte ^= 0x40;
        assert_int_equal(
            acme_crl_read(der.data, der.len, leaf, NOW, &crl, &err),
            ACME_WIRE);
        assert_null(crl);
        *byte ^= 0x40;
    }
    acme_buf_add(&der, "", 1);
    acme_error_clear(&err);
    assert_int_equal(acme_crl_read(der.data, der.len, leaf, NOW, &crl, &err),
        ACME_WIRE);
    acme_error_clear(&err);
    assert_int_equal(acme_crl_read("<html>", 6, leaf, NOW, &crl, &err),
        ACME_WIRE);
    acme_buf_clear(&der);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, before_each, after_each)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_url),
        TEST(test_good),
        TEST(test_revoked),
        TEST(test_refused),
        TEST(test_other_ca),
        TEST(test_alone),
        TEST(test_damaged),
    };

    return cmocka_run_group_tests_name("revocation", tests, before_all,
        after_all);
}
