/*
 * acme_status_page.h, and what it is made of (acme_status_list.h, _reader.h,
 * _words.h): pages of lineages of every kind, and with text of strangers in
 * each place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "state/acme_status_page.h"
#include "state/acme_status_words.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LINEAGES 8
#define MANY 4000
#define NOW ((time_t)1795262400) /* 2026-11-21T12:00:00Z */

#define LIFE                                   \
    "\"not_before\":\"2026-11-01T12:00:00Z\"," \
    "\"not_after\":\"2026-12-11T12:00:00Z\",\"signed_by\":\"E7\""
#define OVER                                   \
    "\"not_before\":\"2026-08-21T12:00:00Z\"," \
    "\"not_after\":\"2026-11-19T12:00:00Z\",\"signed_by\":\"E7\""
#define ISSUER \
    "\"issuer\":{\"name\":\"ca\",\"directory\":\"https://ca.test/dir\"}"

/* The words that none of them may become. */
#define EVIL "</td><script>\\\"'&onload="

static const char *const told[LINEAGES] = {
    "{\"name\":\"ok.test\",\"state\":\"ok\",\"state_text\":\"valid\","
    "\"names\":[\"ok.test\",\"a.ok.test\",\"b.ok.test\",\"c.ok.test\"],"
    "\"names_omitted\":7," LIFE "," ISSUER ",\"certificates\":["
    "{\"key\":\"ecdsa:256\",\"serial\":\"0abc\",\"fingerprint\":\"f1\"," LIFE
    ",\"obtained\":\"2026-11-01T13:00:00Z\",\"staple\":{\"next_update\":"
    "\"2026-11-22T12:00:00Z\",\"problem\":\"no <answer>\"}}],"
    "\"renew_at\":\"2026-11-28T12:00:00Z\",\"renew_why\":\"as configured\"}",

    "{\"name\":\"failing.test\",\"state\":\"failing\",\"state_text\":\"no\","
    "\"names\":[\"failing.test\"]," LIFE "," ISSUER
    ",\"failures\":3,\"next_attempt\":\"2026-11-21T14:00:00Z\",\"error\":"
    "{\"at\":\"2026-11-21T11:00:00Z\",\"result\":\"problem\",\"type\":"
    "\"connection\",\"detail\":\"timeout\",\"text\":\"failed: timeout\","
    "\"subproblems\":[{\"identifier\":\"failing.test\",\"detail\":\"sub\"}]},"
    "\"fallbacks\":[{\"name\":\"zweite\"}]}",

    "{\"name\":\"expired.test\",\"state\":\"expired\",\"state_text\":\"no\","
    "\"names\":[\"expired.test\"]," OVER ",\"failures\":1,"
    "\"wait_for_config\":true,\"next_attempt\":\"2026-11-21T11:59:00Z\","
    "\"error\":{\"result\":\"config\",\"text\":\"acmectl status tells it\"}}",

    "{\"name\":\"" EVIL "\",\"state\":\"waiting\",\"state_text\":\"" EVIL
    "\",\"names\":[\"" EVIL "\"],\"signed_by\":\"" EVIL
    "\",\"renew_why\":\"" EVIL "\",\"issuer\":{\"name\":\"" EVIL
    "\",\"directory\":\"" EVIL "\"},\"fallbacks\":[{\"name\":\"" EVIL
    "\"}],\"not_before\":\"" EVIL
    "\",\"not_after\":\"2026-12-11T12:00:00Z\",\"renewal_info\":{\"url\":"
    "\"javascript:" EVIL "\"},\"error\":{\"result\":\"" EVIL
    "\",\"type\":\"" EVIL "\",\"detail\":\"" EVIL "\",\"text\":\"" EVIL
    "\",\"url\":\"https://ca.test/" EVIL
    "\",\"subproblems\":[{\"identifier\":\"" EVIL "\",\"detail\":\"" EVIL
    "\"}]},\"certificates\":[{\"key\":\"" EVIL "\",\"serial\":\"" EVIL
    "\",\"fingerprint\":\"" EVIL "\",\"signed_by\":\"" EVIL
    "\",\"revoked\":true,\"revocation_reason\":\"" EVIL
    "\"}],\"preflight\":\"" EVIL "\",\"names_missing\":[\"" EVIL
    "\"],\"left_out\":[{\"name\":\"" EVIL "\",\"detail\":\"" EVIL
    "\"}],\"steps\":[{\"step\":\"" EVIL "\"}],\"hooks\":[{\"stage\":\"" EVIL
    "\",\"failed\":true}]}",

    "{\"name\":\"busy.test\",\"state\":\"pending\",\"state_text\":\"no\","
    "\"names\":[\"busy.test\"],\"at_work\":true}",

    NULL, /* not told of yet */

    "{\"name\":\"brief.test\",\"state\":\"due\",\"state_text\":\"an order is "
    "due\",\"not_after\":\"2027-01-30T00:00:00Z\",\"brief\":true}",

    "{\"name\":\"new.test\",\"state\":\"of-a-newer-version\"}",
};

static const char server[] =
    "{\"schema\":1,\"server\":{\"name\":\"nginx\",\"version\":\"" EVIL
    "\",\"since\":\"2026-11-20T12:00:00Z\"},\"recent\":["
    "{\"at\":\"2026-11-21T11:00:00Z\",\"event\":\"errored\",\"lineage\":"
    "\"failing.test\",\"problem\":\"dns\",\"text\":\"" EVIL "\"},"
    "{\"at\":\"2026-11-20T11:00:00Z\",\"event\":\"renewed\",\"lineage\":"
    "\"" EVIL "\",\"issuer\":\"" EVIL "\",\"text\":\"certificate renewed" EVIL
    "\"}]}";

struct world {
    struct acme_area *area;
    struct acme_status_page page;
    struct acme_buf out;
    struct acme_error err;
};

static void
put(struct world *w, size_t lineage, const char *text)
{
    assert_int_equal(
        acme_area_put_status(w->area, lineage, text, strlen(text), &w->err),
        ACME_OK);
}

static void
make_area(struct world *w, size_t n)
{
    assert_int_equal(acme_area_new(n, 1, &w->area, &w->err), ACME_OK);
    put(w, ACME_AREA_SERVER, server);
    acme_area_beat(w->area, NOW - 1);
    w->page.area = w->area;
    w->page.nlineages = n;
}

static int
setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    size_t i;

    assert_non_null(w);
    acme_error_clear(&w->err);
    make_area(w, LINEAGES);
    for (i = 0; i < LINEAGES; i++)
        if (told[i] != NULL)
            put(w, i, told[i]);
    w->page.now = NOW;
    w->page.base = "";
    w->page.number = 1;
    w->page.filter.text = "";
    w->page.filter.condition = ACME_CONDITIONS;
    acme_buf_init(&w->out, (size_t)64 * 1024 * 1024);
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
list(struct world *w)
{
    acme_buf_reset(&w->out);
    assert_true(acme_status_page_list(&w->page, &w->out));
    return acme_buf_str(&w->out);
}

static const char *
one(struct world *w, size_t lineage)
{
    acme_buf_reset(&w->out);
    assert_true(acme_status_page_one(&w->page, lineage, &w->out));
    return acme_buf_str(&w->out);
}

/* Where it is; it must be. */
static const char *
expect(const char *text, const char *part)
{
    const char *at = strstr(text, part);

    if (at == NULL)
        fail_msg("\"%s\" is not there", part);
    return at;
}

static void
refuse(const char *text, const char *part)
{
    if (strstr(text, part) != NULL)
        fail_msg("\"%s\" is there", part);
}

static size_t
times(const char *text, const char *part)
{
    size_t n = 0;

    while ((text = strstr(text, part)) != NULL) {
        text += strlen(part);
        n++;
    }
    return n;
}

/* ---- the list --------------------------------------------------------- */

static void
test_list(void **state)
{
    struct world *w = *state;
    const char *page = list(w), *at;

    /* the most urgent first */
    at = expect(page, ">expired.test</a>");
    at = expect(at, "&lt;script&gt;");
    at = expect(at, ">failing.test</a>");
    at = expect(at, ">busy.test</a>");
    at = expect(at, ">brief.test</a>");
    (void)expect(at, ">ok.test</a>");
    assert_int_equal(times(page, "<tr role=\"row\">\n"), 6);

    (void)expect(page, "3 of 8 certificates need attention.");
    (void)expect(page, "next renewal is due <time "
                       "datetime=\"2026-11-28T12:00:00Z\" "
                       "title=\"28 Nov 2026, 12:00 UTC\">in 7 days</time>");
    (void)expect(page, "2 not known yet");
    (void)expect(page, "up since 20 Nov 2026, 12:00 UTC");
    (void)expect(page, "<small class=\"names\">a.ok.test, b.ok.test and 8 "
                       "more</small>");
    (void)expect(page, "<b>8</b> <span class=\"state all\">");
    (void)expect(page, "<a href=\"?state=failing&amp;page=1\"><b>1</b>");
    (void)expect(page, "20 days left<small>until 11 Dec 2026, by E7");
    (void)expect(page, "ended 2 days ago<small>on 19 Nov 2026, by E7");
    refuse(page, "Renew now");
    refuse(page, "Nothing renews");
}

static void
test_problems(void **state)
{
    struct world *w = *state;
    const char *page = list(w);

    (void)expect(page, "The CA could not connect to this server");
    (void)expect(page, "Next attempt <time datetime=\"2026-11-21T14:00:00Z\" "
                       "title=\"21 Nov 2026, 14:00 UTC\">in 2 hours</time> "
                       "(14:00 UTC).");
    (void)expect(page, "Next attempt now, or when the configuration was "
                       "changed");
    (void)expect(page, "Tried again with <code>acmectl renew</code>.");
    (void)expect(page, "Something in the configuration has to be changed");
}

static void
test_history(void **state)
{
    struct world *w = *state;
    const char *page = expect(list(w), ">Lately<");

    page =
        expect(page, "title=\"21 Nov 2026, 11:00 UTC\">60 minutes ago</"
                     "time> <a href=\"?name=failing.test\">failing.test</a>"
                     " <span class=\"warn\">failed</span>: The CA could not "
                     "look up a name");
    (void)expect(page, "> certificate renewed&lt;");
}

/* The bar: 20 of 40 days, to be renewed with 13 left. */
static void
test_life(void **state)
{
    struct world *w = *state;
    const char *page = list(w);

    (void)expect(page, "<rect class=\"left\" width=\"50\" height=\"6\"/>"
                       "<rect class=\"mark\" x=\"32\"");
    (void)expect(page, "<rect class=\"left\" width=\"0\" height=\"6\"/></svg>"
                       "ended");
}

static void
test_filter(void **state)
{
    static const struct {
        const char *text;
        enum acme_condition condition;
        size_t rows;
    } row[] = { { "ok.test", ACME_CONDITIONS, 1 },
        { "C.OK", ACME_CONDITIONS, 1 }, { "ca", ACME_CONDITIONS, 2 },
        { "e7", ACME_CONDITIONS, 3 }, { "pend", ACME_CONDITIONS, 1 },
        { "none", ACME_CONDITIONS, 0 }, { "test", ACME_IS_FAILING, 1 },
        { "", ACME_IS_EXPIRED, 1 }, { "ok", ACME_IS_EXPIRED, 0 } };
    struct world *w = *state;
    size_t i;

    for (i = 0; i < COUNT(row); i++) {
        w->page.filter.text = row[i].text;
        w->page.filter.condition = row[i].condition;
        if (times(list(w), "<tr role=\"row\">\n") != row[i].rows)
            fail_msg("row %zu", i);
        (void)expect(acme_buf_str(&w->out), "3 of 8 certificates need");
    }
    (void)expect(acme_buf_str(&w->out), "None is like that.");
    w->page.filter.text = "\"><script>";
    (void)expect(list(w), "value=\"&quot;&gt;&lt;script&gt;\"");
    (void)expect(acme_buf_str(&w->out), "?q=%22%3E%3Cscript%3E&amp;state=");
    assert_int_equal(times(acme_buf_str(&w->out), "<script>"), 1);
}

static void
test_well(void **state)
{
    struct world *w = *state;
    size_t i;

    acme_area_free(w->area);
    make_area(w, 1);
    (void)expect(list(w), "1 certificate, of which nothing is known yet.");
    for (i = 0; i < 2; i++) {
        put(w, 0, told[0]);
        (void)expect(list(w), "All is well with 1 certificate.");
    }
    acme_area_beat(w->area, NOW - 600);
    (void)expect(list(w), "Nothing renews certificates at the moment");
    (void)expect(acme_buf_str(&w->out), ">10 minutes ago</time>");
    acme_area_free(w->area);
    make_area(w, 0);
    (void)expect(list(w), "There is none.");
}

static void
test_many(void **state)
{
    struct world *w = *state;
    char text[512];
    size_t i;

    acme_area_free(w->area);
    make_area(w, MANY);
    for (i = 0; i < MANY; i++) {
        (void)snprintf(text, sizeof(text),
            "{\"name\":\"n%zu.test\",\"state\":\"%s\",\"state_text\":\"x\","
            "\"names\":[\"n%zu.test\"]," LIFE "}",
            i, i % 100 == 1 ? "expired" : "ok", i);
        put(w, i, text);
    }
    (void)expect(list(w), "<b>40</b> <span class=\"state bad\">expired");
    assert_in_range(w->out.len, 1, 300 * 1024);
    (void)expect(acme_buf_str(&w->out), "1 to 100 of 4000");
    (void)expect(acme_buf_str(&w->out), "<a rel=\"next\" href=\"?page=2\">");
    refuse(acme_buf_str(&w->out), "rel=\"prev\"");
    assert_int_equal(times(acme_buf_str(&w->out), "<tr role=\"row\">\n"),
        ACME_STATUS_ROWS);
    w->page.number = 40;
    (void)expect(list(w), ">n3999.test</a>");
    (void)expect(acme_buf_str(&w->out),
        "<b>40</b> <span class=\"state bad\">");
    refuse(acme_buf_str(&w->out), "rel=\"next\"");
    w->page.number = 999999999;
    (void)expect(list(w), "3901 to 4000 of 4000");
    w->page.filter.text = "n39";
    w->page.number = 2;
    (void)expect(list(w), "101 to 111 of 111");
}

/* ---- one -------------------------------------------------------------- */

static void
test_one(void **state)
{
    struct world *w = *state;
    const char *page = one(w, 1);

    (void)expect(page, "<title>failing.test - Certificates</title>");
    (void)expect(page, "3 failures in a row, the last ");
    (void)expect(page, "<dt>failing.test</dt><dd>sub</dd>");
    (void)expect(page, "ca, then zweite");
    (void)expect(page, "<a href=\"?\">");
    page = one(w, 0);
    (void)expect(page, "<li>and 7 more</li>");
    (void)expect(page, "<code>0abc</code>");
    (void)expect(page, "<dt>Stapled until</dt><dd><time "
                       "datetime=\"2026-11-22T12:00:00Z\"");
    (void)expect(page,
        "<dt>Last stapling problem</dt><dd>no &lt;answer&gt;</dd>");
    (void)expect(page, "<dt>Planned</dt><dd><time ");
    refuse(page, "Last problem");
    acme_buf_reset(&w->out);
    assert_false(acme_status_page_one(&w->page, 5, &w->out));
    assert_int_equal(w->out.len, 0);
    (void)one(w, 6);
    (void)one(w, 7);
}

static void
test_admin(void **state)
{
    struct world *w = *state;

    w->page.admin = true;
    w->page.base = "./";
    (void)expect(list(w), "<form class=\"renew\" method=\"post\" "
                          "action=\"./?renew=expired.test\">");
    refuse(acme_buf_str(&w->out), "?renew=ok.test");
    (void)expect(one(w, 0), "action=\"./?renew=ok.test\"");

    /* who has asked has to wait */
    acme_area_put_rest(w->area, 0, NOW + 600);
    refuse(one(w, 0), "?renew=");
    (void)expect(acme_buf_str(&w->out), "Asked for here");
}

static void
test_strangers(void **state)
{
    struct world *w = *state;
    const char *page;

    w->page.admin = true;
    page = list(w);
    assert_int_equal(times(page, "<script>"), 1);
    refuse(page, "</td><script");
    page = one(w, 3);
    assert_int_equal(times(page, "<script>"), 1);
    refuse(page, "</td>");
    refuse(page, "href=\"javascript:");
    (void)expect(page, "javascript:&lt;/td&gt;");
    acme_buf_reset(&w->out);
    acme_status_page_error("", "<x>", &w->out);
    (void)expect(acme_buf_str(&w->out), "&lt;x&gt;.");
}

static void
test_words(void **state)
{
    (void)state;
    (void)expect(acme_status_words("rateLimited", "problem"), "too many");
    (void)expect(acme_status_words("new", "net"), "no answer");
    (void)expect(acme_status_words("", ""), "failed");
}

static void
test_policy(void **state)
{
    struct world *w = *state;

    acme_status_page_policy(&w->out);
    assert_int_equal(times(acme_buf_str(&w->out), "'sha256-"), 2);
    (void)expect(acme_buf_str(&w->out), "default-src 'none'; style-src ");
    refuse(acme_buf_str(&w->out), "unsafe");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_list, setup, teardown),
        cmocka_unit_test_setup_teardown(test_problems, setup, teardown),
        cmocka_unit_test_setup_teardown(test_history, setup, teardown),
        cmocka_unit_test_setup_teardown(test_life, setup, teardown),
        cmocka_unit_test_setup_teardown(test_filter, setup, teardown),
        cmocka_unit_test_setup_teardown(test_well, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_admin, setup, teardown),
        cmocka_unit_test_setup_teardown(test_strangers, setup, teardown),
        cmocka_unit_test(test_words),
        cmocka_unit_test_setup_teardown(test_policy, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
