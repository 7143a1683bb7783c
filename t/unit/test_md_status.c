/*
 * acme_md_status.h: mod_md's forms of the status, of lineages of every kind
 * and with text of strangers in each place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "state/acme_md_status.h"
#include "wrap/acme_json.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LINEAGES 6
#define NOW ((time_t)1795262400) /* 2026-11-21T12:00:00Z */

#define ISSUER \
    "\"issuer\":{\"name\":\"ca\",\"directory\":\"https://ca.test/dir\"}"

/* Good with two keys; failing without a certificate; expired; hostile; not
 * told of yet; brief. */
static const char *const told[LINEAGES] = {
    "{\"name\":\"a.test\",\"state\":\"ok\",\"state_text\":\"valid\","
    "\"names\":[\"a.test\",\"www.a.test\"],"
    "\"keys\":[\"ecdsa:384\",\"rsa:2048\"]," ISSUER ","
    "\"not_before\":\"2026-11-01T00:00:00Z\","
    "\"not_after\":\"2027-01-30T00:00:00Z\","
    "\"certificates\":[{\"key\":\"ecdsa:384\",\"serial\":\"0abc\","
    "\"fingerprint\":\"f1\",\"not_before\":\"2026-11-01T00:00:00Z\","
    "\"not_after\":\"2027-01-30T00:00:00Z\"},"
    "{\"key\":\"rsa:2048\",\"serial\":\"0def\",\"fingerprint\":\"f2\","
    "\"not_before\":\"2026-11-02T00:00:00Z\","
    "\"not_after\":\"2027-01-29T00:00:00Z\"}],"
    "\"renew_at\":\"2026-11-21T13:00:00Z\"}",

    "{\"name\":\"b.test\",\"state\":\"failing\",\"state_text\":\"no "
    "certificate yet\",\"names\":[\"b.test\"],\"keys\":[\"rsa:3072\"]," ISSUER
    ",\"next_attempt\":\"2026-11-21T12:01:00Z\",\"error\":{\"result\":"
    "\"problem\",\"text\":\"the CA said no\",\"type\":\"caa\"}}",

    "{\"name\":\"c.test\",\"state\":\"expired\",\"state_text\":\"it has "
    "expired\",\"names\":[\"c.test\"],\"keys\":[\"ecdsa:256\"]," ISSUER
    ",\"not_before\":\"2026-08-01T00:00:00Z\","
    "\"not_after\":\"2026-11-01T00:00:00Z\",\"at_work\":true,"
    "\"certificates\":[{\"key\":\"ecdsa:256\",\"serial\":\"1\","
    "\"fingerprint\":\"f3\",\"not_before\":\"2026-08-01T00:00:00Z\","
    "\"not_after\":\"2026-11-01T00:00:00Z\"}]}",

    "{\"name\":\"<d>\",\"state\":\"waiting\",\"state_text\":\"<s&>\","
    "\"names\":[\"<n>\"],\"keys\":[\"<k>\"],"
    "\"issuer\":{\"name\":\"<i>\",\"directory\":\"javascript:alert(1)\"},"
    "\"renewal_info\":{\"url\":\"http://plain.test/'onclick=\"},"
    "\"error\":{\"result\":\"<r>\",\"text\":\"<script>\\\"'\","
    "\"type\":\"<t>\",\"url\":\"https://ca.test/\\\"><script>\"},"
    "\"certificates\":[{\"key\":\"<key>\",\"serial\":\"<serial>\","
    "\"fingerprint\":\"\\\"><x>\"}]}",

    NULL,

    "{\"name\":\"f.test\",\"state\":\"ok\",\"state_text\":\"valid\","
    "\"not_after\":\"2027-01-30T00:00:00Z\",\"brief\":true}",
};

static const struct acme_md_check crt_sh = { ACME_MD_CHECK_NAME,
    ACME_MD_CHECK_URL };

struct world {
    struct acme_area *area;
    struct acme_buf out;
    struct acme_error err;
};

static int
setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    size_t i;

    assert_non_null(w);
    acme_error_clear(&w->err);
    assert_int_equal(acme_area_new(LINEAGES, 1, &w->area, &w->err), ACME_OK);
    for (i = 0; i < LINEAGES; i++)
        if (told[i] != NULL)
            assert_int_equal(acme_area_put_status(w->area, i, told[i],
                                 strlen(told[i]), &w->err),
                ACME_OK);
    acme_buf_init(&w->out, acme_md_status_max(LINEAGES));
    *state = w;
    return 0;
}

static int
teardown(void **state)
{
    struct world *w = *state;

    acme_buf_clear(&w->out);
    acme_area_free(w->area);
    free(w);
    return 0;
}

static const char *
table(struct world *w, enum acme_md_form form)
{
    acme_buf_reset(&w->out);
    acme_md_status_table(w->area, LINEAGES, form, &crt_sh, NOW, &w->out);
    assert_true(acme_buf_ok(&w->out));
    return acme_buf_str(&w->out);
}

static void
expect(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not there", part);
}

static void
expect_not(const char *text, const char *part)
{
    if (strstr(text, part) != NULL)
        fail_msg("\"%s\" is there", part);
}

/* ---- for everybody ---------------------------------------------------- */

static void
test_public(void **state)
{
    struct world *w = *state;

    assert_true(acme_md_status_certificate(w->area, 0, &w->out));
    assert_string_equal(acme_buf_str(&w->out),
        "{\n"
        "  \"valid\": {\n"
        "    \"from\": \"Mon, 02 Nov 2026 00:00:00 GMT\",\n"
        "    \"until\": \"Fri, 29 Jan 2027 00:00:00 GMT\"\n"
        "  },\n"
        "  \"secp384r1\": {\n"
        "    \"valid\": {\n"
        "      \"from\": \"Sun, 01 Nov 2026 00:00:00 GMT\",\n"
        "      \"until\": \"Sat, 30 Jan 2027 00:00:00 GMT\"\n"
        "    },\n"
        "    \"serial\": \"0ABC\",\n"
        "    \"sha256-fingerprint\": \"f1\"\n"
        "  },\n"
        "  \"rsa\": {\n"
        "    \"valid\": {\n"
        "      \"from\": \"Mon, 02 Nov 2026 00:00:00 GMT\",\n"
        "      \"until\": \"Fri, 29 Jan 2027 00:00:00 GMT\"\n"
        "    },\n"
        "    \"serial\": \"0DEF\",\n"
        "    \"sha256-fingerprint\": \"f2\"\n"
        "  }\n"
        "}\n");
}

static void
test_public_renewal(void **state)
{
    struct world *w = *state;

    assert_true(acme_md_status_certificate(w->area, 1, &w->out));
    assert_string_equal(acme_buf_str(&w->out), "{\n"
                                               "  \"rsa\": {},\n"
                                               "  \"renewal\": {\n"
                                               "    \"cert\": {}\n"
                                               "  }\n"
                                               "}\n");
    acme_buf_reset(&w->out);
    assert_true(acme_md_status_certificate(w->area, 2, &w->out));
    expect(acme_buf_str(&w->out), "\"secp256r1\": {\n");
    expect(acme_buf_str(&w->out), "\"renewal\"");
    acme_buf_reset(&w->out);
    assert_false(acme_md_status_certificate(w->area, 4, &w->out));
    assert_false(acme_md_status_certificate(w->area, LINEAGES, &w->out));
    assert_string_equal(acme_buf_str(&w->out), "");
}

/* What the CA said is for the administrator. */
static void
test_public_is_silent(void **state)
{
    struct world *w = *state;

    assert_true(acme_md_status_certificate(w->area, 3, &w->out));
    expect_not(acme_buf_str(&w->out), "script");
    expect_not(acme_buf_str(&w->out), "error");
    expect_not(acme_buf_str(&w->out), "javascript");
}

/* ---- for the server's page -------------------------------------------- */

static void
test_auto(void **state)
{
    const char *text = table(*state, ACME_MD_AUTO);
    const char *head = "ManagedCertificatesTotal: 6\n"
                       "ManagedCertificatesOK: 2\n"
                       "ManagedCertificatesRenew: 3\n"
                       "ManagedCertificatesErrored: 2\n"
                       "ManagedCertificatesReady: 0\n"
                       "ManagedDomain[0]Domain: a.test\n"
                       "ManagedDomain[0]Names[0]: a.test\n"
                       "ManagedDomain[0]Names[1]: www.a.test\n"
                       "ManagedDomain[0]Status: good\n"
                       "ManagedDomain[0]ValidUntil: 2027-01-30\n"
                       "ManagedDomain[0]CAName: ca.test\n"
                       "ManagedDomain[0]CAURL: https://ca.test/dir\n"
                       "ManagedDomain[0]CheckAtType: secp384r1\n"
                       "ManagedDomain[0]CheckAtName: crt.sh\n"
                       "ManagedDomain[0]CheckAtURL: https://crt.sh?q=f1\n"
                       "ManagedDomain[0]CheckAtFingerprint: f1\n"
                       "ManagedDomain[0]CheckAtType: rsa\n";

    assert_memory_equal(text, head, strlen(head));
    expect(text, "ManagedDomain[0]ActivityRenew: 3600\n");
    expect(text, "ManagedDomain[1]Status: incomplete: no certificate yet\n");
    expect(text, "ManagedDomain[1]ActivityLastStatus: problem\n");
    expect(text, "ManagedDomain[1]ActivityLastProblem: caa\n");
    expect(text, "ManagedDomain[1]ActivityFinished: no\n");
    expect(text, "ManagedDomain[1]ActivityLastDetail: the CA said no\n");
    expect(text, "ManagedDomain[1]ActivityNextRun: 60\n");
    expect(text, "ManagedDomain[2]Status: expired: it has expired\n");
    expect_not(text, "ManagedDomain[1]ValidUntil");
    expect(text, "ManagedDomain[4]Domain: f.test\n"); /* rows without gaps */
    expect_not(text, "ManagedDomain[5]");
    expect_not(text, "(null)");
}

static void
test_html(void **state)
{
    const char *text = table(*state, ACME_MD_HTML);

    expect(text, "<h3>Managed Certificates</h3>\n");
    expect(text, "<tr class=\"even\"><td>a.test</td><td>a.test www.a.test"
                 "</td><td>good</td><td>until <span title=\"Sun, 01 Nov 2026 "
                 "00:00:00 GMT - Sat, 30 Jan 2027 00:00:00 GMT\">2027-01-30"
                 "</span></td><td><a href=\"https://ca.test/dir\" "
                 "rel=\"noopener noreferrer\">ca.test</a></td>");
    expect(text, "<a href=\"https://crt.sh?q=f1\" rel=\"noopener "
                 "noreferrer\">crt.sh[secp384r1]</a><br>");
    expect(text, "<td>no certificate yet<br>the CA said no</td></tr>\n");
    expect(text, "<tr class=\"odd\"><td>b.test</td>");
}

/* Each tag and each attribute is ours. */
static void
test_html_hostile(void **state)
{
    static const char *const bad[] = { "<d>", "<n>", "<s", "<i>", "<x>", "<k",
        "<r>", "<t>", "\"><", "href=\"javascript",
        "href=\"http:", "'onclick" };
    const char *text = table(*state, ACME_MD_HTML);
    size_t i;

    text = strstr(text, "&lt;d&gt;");
    assert_non_null(text);
    for (i = 0; i < COUNT(bad); i++) {
        const char *at = strstr(text, bad[i]);

        /* those are ours */
        while (at != NULL && strncmp(at, "<span", 5) == 0)
            at = strstr(at + 1, bad[i]);
        if (at != NULL && strncmp(at, "\"><", 3) != 0)
            fail_msg("\"%s\" is in\n%s", bad[i], at);
    }
    expect(text, "javascript:alert(1)</td>"); /* as text */
    expect(text, "<br>http://plain.test/&#39;onclick=</td>");
    expect(text, "&lt;script&gt;&quot;&#39;<br>");
    expect(text, "q=&quot;&gt;&lt;x&gt;\" rel=");
}

static void
test_too_long(void **state)
{
    struct world *w = *state;
    struct acme_buf little;

    acme_buf_init(&little, 1000);
    acme_md_status_table(w->area, LINEAGES, ACME_MD_HTML, &crt_sh, NOW,
        &little);
    assert_false(acme_buf_ok(&little));
    acme_buf_clear(&little);
}

/* Nothing but texts of the store comes there, and still. */
static void
test_garbage(void **state)
{
    static const char *const garbage[] = { "", "x", "[]", "{}", "null",
        "{\"names\":{},\"keys\":[1],\"certificates\":[1,{\"key\":2}],"
        "\"issuer\":[],\"error\":\"x\",\"not_after\":\"2027\"}",
        "{\"names\":[{}],\"keys\":\"x\",\"certificates\":{},\"issuer\":{},"
        "\"error\":{},\"renewal_info\":{\"url\":1}}" };
    struct world *w = *state;
    size_t i;

    for (i = 0; i < COUNT(garbage); i++) {
        assert_int_equal(acme_area_put_status(w->area, 0, garbage[i],
                             strlen(garbage[i]), &w->err),
            ACME_OK);
        (void)table(w, ACME_MD_AUTO);
        (void)table(w, ACME_MD_HTML);
        (void)acme_md_status_certificate(w->area, 0, &w->out);
    }
}

static void
test_check(void **state)
{
    struct world *w = *state;

    assert_int_equal(acme_md_check_parse("https://a.test/?q=", &w->err),
        ACME_OK);
    assert_int_equal(acme_md_check_parse("http://a.test/", &w->err), ACME_OK);
    assert_int_equal(acme_md_check_parse("javascript:x", &w->err),
        ACME_CONFIG);
    assert_int_equal(acme_md_check_parse("a.test", &w->err), ACME_CONFIG);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_public),
        TEST(test_public_renewal),
        TEST(test_public_is_silent),
        TEST(test_auto),
        TEST(test_html),
        TEST(test_html_hostile),
        TEST(test_too_long),
        TEST(test_garbage),
        TEST(test_check),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
