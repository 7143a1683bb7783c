/*
 * Where the records are that prove a name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "state/acme_dns_owner.h"

#define ACCOUNT "https://example.com/acme/acct/ExampleAccount"

static struct acme_error err;

/* draft-ietf-acme-dns-account-label 3.2 has the first; the others are of
 * Python's base64.b32encode(). */
static void
test_label(void **state)
{
    static const struct {
        const char *url, *label;
    } cases[] = {
        { ACCOUNT, "_ujmmovf2vn55tgye" },
        { "https://ca.test/acct/1", "_bb55pyrwl3od577j" },
        { "", "_4oymiquy7qobjgx3" },
    };
    char label[ACME_ACCOUNT_LABEL];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        acme_error_clear(&err);
        assert_int_equal(acme_dns_account_label(cases[i].url, label, &err),
            ACME_OK);
        assert_string_equal(label, cases[i].label);
    }
}

static void
test_owner(void **state)
{
    static const struct {
        enum acme_challenge_type type;
        const char *name, *owner; /* NULL: there is none */
    } cases[] = {
        { ACME_DNS_01, "example.org", "_acme-challenge.example.org" },
        { ACME_DNS_01, "*.example.org", "_acme-challenge.example.org" },
        { ACME_DNS_ACCOUNT_01, "example.org",
            "_ujmmovf2vn55tgye._acme-challenge.example.org" },
        { ACME_DNS_ACCOUNT_01, "*.a.example.org",
            "_ujmmovf2vn55tgye._acme-challenge.a.example.org" },
        { ACME_DNS_PERSIST_01, "*.example.org",
            "_validation-persist.example.org" },
        { ACME_HTTP_01, "example.org", NULL },
        { ACME_TLS_ALPN_01, "example.org", NULL },
        { ACME_DNS_01, "192.0.2.1", NULL },
        { ACME_DNS_PERSIST_01, "2001:db8::1", NULL },
    };
    char owner[ACME_NAME_MAX + 1];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        acme_error_clear(&err);
        assert_int_equal(
            acme_dns_owner(cases[i].type, cases[i].name, ACCOUNT, owner, &err),
            cases[i].owner != NULL ? ACME_OK : ACME_CONFIG);
        if (cases[i].owner != NULL)
            assert_string_equal(owner, cases[i].owner);
    }
}

/* Also of what an alias leads to. */
static void
test_domain(void **state)
{
    static const struct {
        enum acme_challenge_type type;
        const char *owner, *domain;
    } cases[] = {
        { ACME_DNS_01, "_acme-challenge.a.test", "a.test" },
        { ACME_DNS_01, "_acme-challenge.x_1.dyn.test", "x_1.dyn.test" },
        { ACME_DNS_01, "_acme-challenge-a.test", NULL },
        { ACME_DNS_01, "_acme-challenge", NULL },
        { ACME_DNS_01, "_acme-challenge.", NULL },
        { ACME_DNS_01, "_x._acme-challenge.a.test", NULL },
        { ACME_DNS_ACCOUNT_01, "_x._acme-challenge.a.test", "a.test" },
        { ACME_DNS_ACCOUNT_01, "_acme-challenge.a.test", NULL },
        { ACME_DNS_ACCOUNT_01, "test", NULL },
        { ACME_DNS_PERSIST_01, "_validation-persist.a.test", "a.test" },
    };
    const char *domain;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        domain = acme_dns_owner_domain(cases[i].type, cases[i].owner);
        assert_int_equal(domain != NULL, cases[i].domain != NULL);
        if (domain != NULL)
            assert_string_equal(domain, cases[i].domain);
    }
}

/* A name may be as long as the DNS allows, and then has no room for a label
 * before it. */
static void
test_long(void **state)
{
    char name[ACME_NAME_MAX + 1], owner[ACME_NAME_MAX + 1];
    size_t len = ACME_NAME_MAX - strlen("_acme-challenge."), i;

    (void)state;
    for (i = 0; i <= len; i++)
        name[i] = i % 60 == 59 ? '.' : 'a';
    name[len] = '\0';
    acme_error_clear(&err);
    assert_int_equal(acme_dns_owner(ACME_DNS_01, name, ACCOUNT, owner, &err),
        ACME_OK);
    assert_int_equal(strlen(owner), ACME_NAME_MAX);
    name[len] = 'a';
    name[len + 1] = '\0';
    assert_int_equal(acme_dns_owner(ACME_DNS_01, name, ACCOUNT, owner, &err),
        ACME_CONFIG);
    assert_non_null(strstr(err.what, "too long to be proved by a record at "
                                     "\"_acme-challenge\""));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_label),
        cmocka_unit_test(test_owner),
        cmocka_unit_test(test_domain),
        cmocka_unit_test(test_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
