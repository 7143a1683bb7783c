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
    struct acme_caa_wish wish = { "ca.test", URL, 2, methods };
    struct acme_buf out;

    (void)state;
    acme_buf_init(&out, 4096);
    acme_issue_caa(&wish, &out);
    assert_string_equal(acme_buf_str(&out),
        OURS "; validationmethods=http-01,dns-01");
    acme_buf_reset(&out);
    wish.nmethods = 0;
    acme_issue_caa(&wish, &out);
    assert_string_equal(acme_buf_str(&out), OURS);
    acme_buf_clear(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_render),
        cmocka_unit_test(test_judge),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_caa_render),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
