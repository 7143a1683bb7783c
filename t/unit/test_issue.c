/*
 * What records say of who may issue: dns-persist-01 and CAA.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "state/acme_issue.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define URL "https://ca.test/acct/1"
#define OURS "ca.test; accounturi=" URL
#define NOW 1800000000

/* ---- dns-persist-01 --------------------------------------------------- */

static void
test_render(void **state)
{
    static const struct {
        struct acme_persist persist;
        const char *text;
    } cases[] = {
        { { "ca.test", URL, false, 0 }, OURS },
        { { "ca.test", URL, true, 0 }, OURS "; policy=wildcard" },
        { { "ca.test", URL, false, NOW }, OURS "; persistUntil=1800000000" },
        { { "ca.test", URL, true, NOW },
            OURS "; policy=wildcard; persistUntil=1800000000" },
    };
    struct acme_buf out;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        acme_buf_init(&out, 4096);
        acme_persist_render(&cases[i].persist, &out);
        assert_true(acme_buf_ok(&out));
        assert_string_equal(acme_buf_str(&out), cases[i].text);
        /* What we write we think good, until it is over. */
        assert_int_equal(acme_persist_judge(acme_buf_str(&out), out.len,
                             &cases[i].persist, NOW),
            ACME_PERSIST_GOOD);
        if (cases[i].persist.until != 0)
            assert_int_equal(acme_persist_judge(acme_buf_str(&out), out.len,
                                 &cases[i].persist, NOW + 1),
                ACME_PERSIST_EXPIRED);
        acme_buf_clear(&out);
    }
}

static const struct {
    const char *text;
    enum acme_persist_verdict exact, wildcard;
} persists[] = {
    { OURS, ACME_PERSIST_GOOD, ACME_PERSIST_EXACT },
    { OURS "; policy=wildcard", ACME_PERSIST_GOOD, ACME_PERSIST_GOOD },
    { " \tca.test\t ;\taccounturi \t=\t " URL " \t", ACME_PERSIST_GOOD,
        ACME_PERSIST_EXACT },
    { "ca.test;accounturi=" URL ";policy=wildcard", ACME_PERSIST_GOOD,
        ACME_PERSIST_GOOD },
    { "ca.test;AccountURI=" URL ";POLICY=WildCard", ACME_PERSIST_GOOD,
        ACME_PERSIST_GOOD },
    { "ca.test; policy=wildcard; accounturi=" URL, ACME_PERSIST_GOOD,
        ACME_PERSIST_GOOD },
    { OURS "; policy=other", ACME_PERSIST_GOOD, ACME_PERSIST_EXACT },
    { OURS "; policy=", ACME_PERSIST_GOOD, ACME_PERSIST_EXACT },
    { OURS "; some-day=x; 2=y", ACME_PERSIST_GOOD, ACME_PERSIST_EXACT },
    { OURS "; persistUntil=1800000000", ACME_PERSIST_GOOD,
        ACME_PERSIST_EXACT },
    { OURS "; PERSISTUNTIL=1799999999", ACME_PERSIST_EXPIRED,
        ACME_PERSIST_EXACT },
    { OURS "; persistUntil=", ACME_PERSIST_MALFORMED, ACME_PERSIST_MALFORMED },
    { OURS "; persistUntil=-1", ACME_PERSIST_MALFORMED,
        ACME_PERSIST_MALFORMED },
    { OURS "; persistUntil=+1800000001", ACME_PERSIST_MALFORMED,
        ACME_PERSIST_MALFORMED },
    { OURS "; persistUntil=0x7fffffff", ACME_PERSIST_MALFORMED,
        ACME_PERSIST_MALFORMED },
    { OURS "; persistUntil=99999999999999999999", ACME_PERSIST_MALFORMED,
        ACME_PERSIST_MALFORMED },
    { OURS "; persistUntil=999999999999999999999999999999",
        ACME_PERSIST_MALFORMED, ACME_PERSIST_MALFORMED },
    { OURS ";", ACME_PERSIST_MALFORMED, ACME_PERSIST_MALFORMED },
    { OURS "; ; a=b", ACME_PERSIST_MALFORMED, ACME_PERSIST_MALFORMED },
    { OURS "; wildcard", ACME_PERSIST_MALFORMED, ACME_PERSIST_MALFORMED },
    { OURS "; a_b=c", ACME_PERSIST_MALFORMED, ACME_PERSIST_MALFORMED },
    { OURS "; -a=c", ACME_PERSIST_MALFORMED, ACME_PERSIST_MALFORMED },
    { OURS "; =c", ACME_PERSIST_MALFORMED, ACME_PERSIST_MALFORMED },
    { OURS "; a=b c", ACME_PERSIST_MALFORMED, ACME_PERSIST_MALFORMED },
    { OURS "; a=\xc3\xa4", ACME_PERSIST_MALFORMED, ACME_PERSIST_MALFORMED },
    { OURS "; accountURI=" URL, ACME_PERSIST_MALFORMED,
        ACME_PERSIST_MALFORMED }, /* twice */
    { "CA.test; accounturi=" URL, ACME_PERSIST_MALFORMED,
        ACME_PERSIST_MALFORMED },
    { "ca.test", ACME_PERSIST_ACCOUNT, ACME_PERSIST_ACCOUNT },
    { "ca.test;", ACME_PERSIST_ACCOUNT, ACME_PERSIST_ACCOUNT },
    { "ca.test; policy=wildcard", ACME_PERSIST_ACCOUNT, ACME_PERSIST_ACCOUNT },
    { OURS "0", ACME_PERSIST_ACCOUNT, ACME_PERSIST_ACCOUNT },
    { "ca.test; accounturi=https://CA.test/acct/1", ACME_PERSIST_ACCOUNT,
        ACME_PERSIST_ACCOUNT },
    { "ca.test; accounturi=", ACME_PERSIST_ACCOUNT, ACME_PERSIST_ACCOUNT },
    { "ca.test.; accounturi=" URL, ACME_PERSIST_OTHER, ACME_PERSIST_OTHER },
    { "other.test; accounturi=" URL, ACME_PERSIST_OTHER, ACME_PERSIST_OTHER },
    { "; accounturi=" URL, ACME_PERSIST_OTHER, ACME_PERSIST_OTHER },
    { "ca.test accounturi=" URL, ACME_PERSIST_OTHER, ACME_PERSIST_OTHER },
    { "ca .test; accounturi=" URL, ACME_PERSIST_OTHER, ACME_PERSIST_OTHER },
    { "v=spf1 -all", ACME_PERSIST_OTHER, ACME_PERSIST_OTHER },
    { "", ACME_PERSIST_OTHER, ACME_PERSIST_OTHER },
};

static void
test_judge(void **state)
{
    struct acme_persist persist = { "ca.test", URL, false, 0 };
    enum acme_persist_verdict verdict;
    unsigned both;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(persists); i++)
        for (both = 0; both < 2; both++) {
            persist.wildcard = both == 1;
            verdict = acme_persist_judge(persists[i].text,
                strlen(persists[i].text), &persist, NOW);
            if (verdict != (both ? persists[i].wildcard : persists[i].exact))
                fail_msg("\"%s\", wildcard %u: %s", persists[i].text, both,
                    acme_persist_text(verdict));
        }
    /* A NUL is no end. */
    assert_int_equal(
        acme_persist_judge(OURS "\0x", sizeof(OURS) + 1, &persist, NOW),
        ACME_PERSIST_MALFORMED);
}

/* So many parameters, and one more. */
static void
test_many(void **state)
{
    struct acme_persist persist = { "ca.test", URL, false, 0 };
    char text[1024] = OURS;
    unsigned i;

    (void)state;
    for (i = 1; i < ACME_ISSUE_PARAMS_MAX; i++)
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text),
            "; p%u=x", i);
    assert_int_equal(acme_persist_judge(text, strlen(text), &persist, NOW),
        ACME_PERSIST_GOOD);
    (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "; q=x");
    assert_int_equal(acme_persist_judge(text, strlen(text), &persist, NOW),
        ACME_PERSIST_MALFORMED);
}

/* ---- CAA -------------------------------------------------------------- */

static const enum acme_challenge_type methods[] = { ACME_HTTP_01,
    ACME_DNS_01 };

static void
test_caa_render(void **state)
{
    struct acme_caa_wish wish = { "ca.test", URL, false, 2, methods };
    struct acme_buf out;

    (void)state;
    acme_buf_init(&out, 4096);
    acme_caa_render(&wish, &out);
    assert_string_equal(acme_buf_str(&out),
        OURS "; validationmethods=http-01,dns-01");
    acme_buf_reset(&out);
    wish.nmethods = 0;
    acme_caa_render(&wish, &out);
    assert_string_equal(acme_buf_str(&out), OURS);
    acme_buf_reset(&out);
    wish.account = NULL;
    acme_caa_render(&wish, &out);
    assert_string_equal(acme_buf_str(&out), "ca.test");
    acme_buf_clear(&out);
}

/* A set is written "TAG VALUE", with " | " between; "!": critical. */
static const struct {
    const char *set;
    enum acme_caa_verdict exact, wildcard;
} sets[] = {
    { "", ACME_CAA_OPEN, ACME_CAA_OPEN },
    { "iodef mailto:a@a.test", ACME_CAA_OPEN, ACME_CAA_OPEN },
    { "issue ca.test", ACME_CAA_ALLOWED, ACME_CAA_ALLOWED },
    { "ISSUE CA.Test", ACME_CAA_ALLOWED, ACME_CAA_ALLOWED },
    { "!issue ca.test", ACME_CAA_ALLOWED, ACME_CAA_ALLOWED },
    { "issue ;", ACME_CAA_ISSUER, ACME_CAA_ISSUER },
    { "issue %%%%", ACME_CAA_ISSUER, ACME_CAA_ISSUER },
    { "issue other.test", ACME_CAA_ISSUER, ACME_CAA_ISSUER },
    { "issue other.test | issue ca.test", ACME_CAA_ALLOWED, ACME_CAA_ALLOWED },
    { "issue ; | issue ca.test", ACME_CAA_ALLOWED, ACME_CAA_ALLOWED },
    { "issue ca.test | issuewild ;", ACME_CAA_ALLOWED, ACME_CAA_ISSUER },
    { "issue ; | issuewild ca.test", ACME_CAA_ISSUER, ACME_CAA_ALLOWED },
    { "issuewild ca.test", ACME_CAA_OPEN, ACME_CAA_ALLOWED },
    { "issue " OURS, ACME_CAA_ALLOWED, ACME_CAA_ALLOWED },
    { "issue " OURS "0", ACME_CAA_ACCOUNT, ACME_CAA_ACCOUNT },
    { "issue " OURS "0 | issue " OURS, ACME_CAA_ALLOWED, ACME_CAA_ALLOWED },
    { "issue " OURS "; accounturi=" URL, ACME_CAA_ISSUER, ACME_CAA_ISSUER },
    { "issue ca.test; validationmethods=dns-01", ACME_CAA_ALLOWED,
        ACME_CAA_ALLOWED },
    { "issue ca.test; validationmethods=tls-alpn-01,http-01", ACME_CAA_ALLOWED,
        ACME_CAA_ALLOWED },
    { "issue ca.test; validationmethods=tls-alpn-01", ACME_CAA_METHOD,
        ACME_CAA_METHOD },
    { "issue ca.test; validationmethods=", ACME_CAA_METHOD, ACME_CAA_METHOD },
    { "issue ca.test; validationmethods=xdns-01,dns-01x", ACME_CAA_METHOD,
        ACME_CAA_METHOD },
    { "issue other.test | issue " OURS "0 | issue ca.test; "
      "validationmethods=x-01",
        ACME_CAA_METHOD, ACME_CAA_METHOD },
    { "issue ca.test; cansignhttpexchanges=yes", ACME_CAA_ALLOWED,
        ACME_CAA_ALLOWED },
    { "issue ca.test | !tbs x", ACME_CAA_CRITICAL, ACME_CAA_CRITICAL },
    { "issue ca.test | tbs x", ACME_CAA_ALLOWED, ACME_CAA_ALLOWED },
};

static size_t
parse_set(char *text, struct acme_caa *set)
{
    size_t n = 0;

    while (text != NULL && *text != '\0') {
        char *next = strstr(text, " | "), *value;

        if (next != NULL) {
            *next = '\0';
            next += strlen(" | ");
        }
        value = strchr(text, ' ');
        *value++ = '\0';
        set[n].critical = *text == '!';
        set[n].tag = text + (*text == '!');
        set[n].value = value;
        set[n++].value_len = strlen(value);
        text = next;
    }
    return n;
}

static void
test_caa(void **state)
{
    struct acme_caa_wish wish = { "ca.test", URL, false, 2, methods };
    enum acme_caa_verdict verdict;
    struct acme_caa set[8];
    char text[1024];
    unsigned both;
    size_t i, n;

    (void)state;
    for (i = 0; i < COUNT(sets); i++)
        for (both = 0; both < 2; both++) {
            (void)snprintf(text, sizeof(text), "%s", sets[i].set);
            n = parse_set(text, set);
            wish.wildcard = both == 1;
            verdict = acme_caa_judge(set, n, &wish);
            if (verdict != (both ? sets[i].wildcard : sets[i].exact))
                fail_msg("\"%s\", wildcard %u: %s", sets[i].set, both,
                    acme_caa_text(verdict));
        }
    assert_false(acme_caa_forbids(ACME_CAA_OPEN));
    assert_false(acme_caa_forbids(ACME_CAA_ALLOWED));
    assert_false(acme_caa_forbids(ACME_CAA_UNKNOWN));
    assert_true(acme_caa_forbids(ACME_CAA_CRITICAL));
    assert_true(acme_caa_forbids(ACME_CAA_METHOD));
}

/* Of a CA whose domain nobody has said, nothing but "nobody" is known. */
static void
test_caa_unknown(void **state)
{
    struct acme_caa_wish wish = { NULL, URL, false, 2, methods };
    struct acme_caa set[] = { { false, "issue", ";", 1 },
        { false, "issue", "ca.test", 7 } };

    (void)state;
    assert_int_equal(acme_caa_judge(set, 1, &wish), ACME_CAA_ISSUER);
    assert_int_equal(acme_caa_judge(set, 2, &wish), ACME_CAA_UNKNOWN);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_render),
        cmocka_unit_test(test_judge),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_caa_render),
        cmocka_unit_test(test_caa),
        cmocka_unit_test(test_caa_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
