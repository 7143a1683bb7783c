/*
 * What CAA records say: RFC 8659 4 and RFC 8657, one row each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/acme_caa.h"

#define ACCOUNT "https://ca.test/acct/1"

static const char *const own[] = { "ca.test", "ca.example" };

static const struct acme_caa_asker plain = { 2, own, ACCOUNT, "http-01",
    false };
static const struct acme_caa_asker wild = { 2, own, ACCOUNT, "dns-01", true };
static const struct acme_caa_asker silent = { 0, NULL, ACCOUNT, "http-01",
    false };
static const struct acme_caa_asker newcomer = { 2, own, NULL, "http-01",
    false };

struct row {
    const struct acme_caa_asker *asker;
    /* flags in one digit of 1, then "tag value"; lines */
    const char *record[4];
    enum acme_caa_answer answer;
    const char *why;
};

#define ALLOWED ACME_CAA_ALLOWED
#define FORBIDDEN ACME_CAA_FORBIDDEN
#define UNKNOWN ACME_CAA_UNKNOWN

static const struct row rows[] = {
    /* RFC 8659 4.2 */
    { &plain, { "0 issue ca.test" }, ALLOWED, "allow it" },
    { &plain, { "0 ISSUE CA.Test" }, ALLOWED, "" },
    { &plain, { "0 issue ca.example" }, ALLOWED, "" },
    { &plain, { "0 issue \t ca.test \t " }, ALLOWED, "" },
    { &plain, { "0 issue ca.test;" }, ALLOWED, "" },
    { &plain, { "0 issue ca.test ; foo=bar; baz=" }, ALLOWED, "" },
    { &plain, { "1 issue ca.test" }, ALLOWED, "" },
    { &plain, { "0 issue other.test" }, FORBIDDEN,
        "allow \"other.test\", not \"ca.test\"" },
    { &plain, { "0 issue other.test", "0 issue third.test" }, FORBIDDEN,
        "\"other.test\", \"third.test\"" },
    { &plain, { "0 issue other.test", "0 issue ca.test" }, ALLOWED, "" },
    { &plain, { "0 issue ;" }, FORBIDDEN, "allow no CA at all" },
    { &plain, { "0 issue " }, FORBIDDEN, "no CA" },
    { &plain, { "0 issue ;", "0 issue ca.test" }, ALLOWED, "" },
    { &plain, { "0 issue ca.test.evil" }, FORBIDDEN, "" },
    { &plain, { "0 issue evil.ca.test" }, FORBIDDEN, "" },
    /* what the grammar does not have is for nobody */
    { &plain, { "0 issue ca.test ca.test" }, FORBIDDEN, "no CA" },
    { &plain, { "0 issue ca.test; foo" }, FORBIDDEN, "no CA" },
    { &plain, { "0 issue ca.test; =bar" }, FORBIDDEN, "no CA" },
    { &plain, { "0 issue ca.test; foo=b r" }, FORBIDDEN, "no CA" },
    { &plain, { "0 issue %%%%%" }, FORBIDDEN, "no CA" },
    { &plain, { "0 issue ca.test\n" }, FORBIDDEN, "no CA" },
    /* nothing of who may issue */
    { &plain, { "0 iodef mailto:a@a.test" }, ALLOWED, "say nothing" },
    { &plain, { "0 issuewild ;" }, ALLOWED, "say nothing" },
    { &plain, { "0 foo bar" }, ALLOWED, "say nothing" },
    /* RFC 8659 4.3 */
    { &wild, { "0 issue ca.test" }, ALLOWED, "" },
    { &wild, { "0 issue ca.test", "0 issuewild ;" }, FORBIDDEN, "no CA" },
    { &wild, { "0 issue ;", "0 issuewild ca.test" }, ALLOWED, "" },
    { &plain, { "0 issue ;", "0 issuewild ca.test" }, FORBIDDEN, "no CA" },
    { &wild, { "0 issue ca.test", "0 issuewild other.test" }, FORBIDDEN,
        "other.test" },
    /* RFC 8659 4.1: the critical flag */
    { &plain, { "1 foo bar", "0 issue ca.test" }, FORBIDDEN,
        "critical \"foo\"" },
    { &plain, { "1 iodef mailto:a@a.test" }, ALLOWED, "" },
    { &plain, { "1 issuemail ;" }, ALLOWED, "" },
    { &plain, { "1 f\033[31m bar" }, FORBIDDEN, "\\x1b" },
    /* RFC 8657 3 */
    { &plain, { "0 issue ca.test; accounturi=" ACCOUNT }, ALLOWED, "" },
    { &plain, { "0 issue ca.test; AccountURI=" ACCOUNT }, ALLOWED, "" },
    { &plain, { "0 issue ca.test; accounturi=" ACCOUNT "2" }, FORBIDDEN,
        "another account at the CA, not " ACCOUNT },
    { &plain,
        { "0 issue ca.test; accounturi=" ACCOUNT "2",
            "0 issue ca.test; accounturi=" ACCOUNT },
        ALLOWED, "" },
    { &plain,
        { "0 issue ca.test; accounturi=" ACCOUNT "; accounturi=" ACCOUNT },
        FORBIDDEN, "another account" },
    { &newcomer, { "0 issue ca.test; accounturi=" ACCOUNT }, UNKNOWN,
        "none of ours yet" },
    { &newcomer, { "0 issue ca.test" }, ALLOWED, "" },
    { &newcomer, { "0 issue other.test; accounturi=" ACCOUNT }, FORBIDDEN,
        "other.test" },
    /* RFC 8657 4 */
    { &plain, { "0 issue ca.test; validationmethods=http-01" }, ALLOWED, "" },
    { &plain, { "0 issue ca.test; validationmethods=dns-01,http-01" }, ALLOWED,
        "" },
    { &plain, { "0 issue ca.test; validationmethods=dns-01" }, FORBIDDEN,
        "do not allow http-01" },
    { &plain, { "0 issue ca.test; validationmethods=" }, FORBIDDEN,
        "do not allow http-01" },
    { &plain, { "0 issue ca.test; validationmethods=http-011" }, FORBIDDEN,
        "" },
    { &wild, { "0 issue ca.test; validationmethods=dns-01" }, ALLOWED, "" },
    { &plain,
        { "0 issue ca.test; validationmethods=http-01; "
          "validationmethods=http-01" },
        FORBIDDEN, "" },
    { &plain,
        { "0 issue ca.test; accounturi=" ACCOUNT
          "; validationmethods=http-01" },
        ALLOWED, "" },
    /* a CA that does not say what it is called */
    { &silent, { "0 issue ca.test" }, UNKNOWN, "allow \"ca.test\"; the CA" },
    { &silent, { "0 issue ;" }, FORBIDDEN, "no CA" },
    { &silent, { "1 foo bar" }, FORBIDDEN, "critical" },
    { &silent, { "0 iodef mailto:a@a.test" }, ALLOWED, "" },
};

static void
test_rows(void **state)
{
    struct acme_caa_property property[4];
    enum acme_caa_answer answer;
    char why[256];
    size_t i, n;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (n = 0; n < 4 && rows[i].record[n] != NULL; n++) {
            const char *text = rows[i].record[n];

            property[n].flags = text[0] == '1' ? 128 : 0;
            property[n].tag = text + 2;
            property[n].tag_len = strcspn(text + 2, " ");
            property[n].value = text + 2 + property[n].tag_len + 1;
            property[n].value_len = strlen(property[n].value);
        }
        answer = acme_caa_judge(property, n, rows[i].asker, why, sizeof(why));
        if (answer != rows[i].answer || strstr(why, rows[i].why) == NULL)
            fail_msg("row %zu, %s: %d, %s", i, rows[i].record[0], (int)answer,
                why);
    }
}

/* Bytes that are no text, and values that fill the room for `why`. */
static void
test_odd_bytes(void **state)
{
    static const char bytes[] = "issue\0ca.test";
    char longest[2048], why[64];
    struct acme_caa_property property = { 0, bytes, sizeof(bytes) - 1, bytes,
        0 };

    (void)state;
    assert_int_equal(acme_caa_judge(&property, 1, &plain, why, sizeof(why)),
        ACME_CAA_ALLOWED); /* that tag is none we know */
    memset(longest, 'a', sizeof(longest));
    property =
        (struct acme_caa_property){ 0, "issue", 5, longest, sizeof(longest) };
    assert_int_equal(acme_caa_judge(&property, 1, &plain, why, sizeof(why)),
        ACME_CAA_FORBIDDEN);
    assert_true(strlen(why) < sizeof(why));
    property.value_len = 0;
    assert_int_equal(acme_caa_judge(&property, 1, &plain, why, sizeof(why)),
        ACME_CAA_FORBIDDEN);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_odd_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
