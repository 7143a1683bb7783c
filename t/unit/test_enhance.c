/*
 * What brings clients to https: words, what grows, what a request gets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "state/acme_live_enhance.h"

#define DAY ((time_t)24 * 3600)
#define START ((time_t)1795262400)

static struct acme_error err;

static int
setup(void **state)
{
    (void)state;
    acme_error_clear(&err);
    return 0;
}

/* Up to four words of ACMEHSTS, as text. */
static enum acme_rc
set(struct acme_hsts *hsts, const char *text)
{
    struct acme_enhance enhance = { .hsts = *hsts };
    enum acme_rc rc;
    const char *words[4];
    char copy[128], *rest = NULL, *word;
    size_t n = 0;

    (void)strncpy(copy, text, sizeof(copy) - 1);
    copy[sizeof(copy) - 1] = '\0';
    for (word = strtok_r(copy, " ", &rest); word != NULL && n < 4;
         word = strtok_r(NULL, " ", &rest))
        words[n++] = word;
    acme_error_clear(&err);
    rc = acme_enhance_set(&enhance, ACME_ENHANCE_HSTS, words, n, &err);
    *hsts = enhance.hsts;
    return rc;
}

static void
test_hsts_words(void **state)
{
    static const struct {
        const char *words, *header;
    } right[] = {
        { "31536000", "max-age=31536000" },
        { "0", "max-age=0" },
        { "365d", "max-age=31536000" },
        { "10s subdomains", "max-age=10; includeSubDomains" },
        { "63072000 SubDomains preload",
            "max-age=63072000; includeSubDomains; preload" },
        { "31536000 preload subdomains",
            "max-age=31536000; includeSubDomains; preload" },
    };
    static const struct {
        const char *words, *text;
    } wrong[] = {
        { "", "too many or too few" },
        { "x", "\"x\": it must be off, auto" },
        { "-1", "\"-1\": it must" },
        { "+1", "\"+1\": it must" },
        { "1w", "\"1w\": it must" },
        { "d", "\"d\": it must" },
        { "99999999999999999999", "it must" },
        { "3651d", "\"3651d\": it must" },
        { "60 x", "\"x\": only" },
        { "off subdomains", "\"subdomains\": only" },
        { "auto preload", "\"preload\": only" },
        { "60 subdomains subdomains", "\"subdomains\": it is there twice" },
        { "31536000 preload", "\"preload\": the lists" },
        { "31535999 subdomains preload", "\"preload\": the lists" },
    };
    char text[ACME_HSTS_TEXT];
    struct acme_hsts hsts = { 0 };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        assert_int_equal(set(&hsts, right[i].words), ACME_OK);
        assert_int_equal(hsts.mode, ACME_HSTS_FIXED);
        assert_string_equal(acme_hsts_text(&hsts, hsts.max_age, text),
            right[i].header);
    }
    assert_int_equal(set(&hsts, "OFF"), ACME_OK);
    assert_int_equal(hsts.mode, ACME_HSTS_OFF);
    assert_int_equal(set(&hsts, "auto"), ACME_OK);
    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (set(&hsts, wrong[i].words) != ACME_CONFIG ||
            strstr(err.what, wrong[i].text) == NULL)
            fail_msg("\"%s\": %s", wrong[i].words, err.what);
        assert_int_equal(hsts.mode, ACME_HSTS_AUTO);
    }
}

static void
test_other_words(void **state)
{
    static const struct {
        enum acme_enhance_item item;
        const char *word;
        size_t n;
        enum acme_rc rc;
    } cases[] = {
        { ACME_ENHANCE_REDIRECT, "", 1, ACME_CONFIG },
        { ACME_ENHANCE_REDIRECT, "on", 1, ACME_CONFIG },
        { ACME_ENHANCE_REDIRECT, "off", 0, ACME_CONFIG },
        { ACME_ENHANCE_REDIRECT, "off", 2, ACME_CONFIG },
        { ACME_ENHANCE_REDIRECT, "Temporary", 1, ACME_OK },
        { ACME_ENHANCE_UPGRADE, "maybe", 1, ACME_CONFIG },
        { ACME_ENHANCE_UPGRADE, "on", 2, ACME_CONFIG },
        { ACME_ENHANCE_UPGRADE, "on", 1, ACME_OK },
    };
    struct acme_enhance enhance = { 0 };
    const char *words[2];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        words[0] = words[1] = cases[i].word;
        acme_error_clear(&err);
        assert_int_equal(
            acme_enhance_set(&enhance, cases[i].item, words, cases[i].n, &err),
            cases[i].rc);
        assert_int_equal(acme_enhance_is_said(&enhance, cases[i].item),
            cases[i].rc == ACME_OK);
    }
    assert_false(acme_enhance_is_said(&enhance, ACME_ENHANCE_HSTS));
    assert_int_equal(enhance.redirect, ACME_REDIRECT_TEMPORARY);
    assert_string_equal(acme_redirect_word(enhance.redirect), "temporary");
    assert_string_equal(acme_redirect_word(ACME_REDIRECT_UNSAID), "");
    assert_int_equal(enhance.upgrade, ACME_UPGRADE_ON);
}

/* Certbot's ladder, X151. */
static void
test_auto(void **state)
{
    static const struct {
        time_t age, issued; /* both from the beginning on */
        unsigned max_age;
        time_t next;
    } steps[] = {
        { -1, 0, 60, 0 }, /* a clock that was set back */
        { 0, 0, 60, 2 * DAY },
        { 2 * DAY - 1, -DAY, 60, 2 * DAY },
        { 2 * DAY, -DAY, 300, 4 * DAY },
        { 4 * DAY, -DAY, 900, 6 * DAY },
        { 6 * DAY, 5 * DAY, 3600, 8 * DAY }, /* renewed before the end */
        { 8 * DAY, -DAY, 21600, 10 * DAY },
        { 10 * DAY, -DAY, 43200, 12 * DAY },
        { 12 * DAY - 1, -DAY, 43200, 12 * DAY },
        { 12 * DAY, -DAY, 86400, 0 },
        { 400 * DAY, -DAY, 86400, 0 },
        { 400 * DAY, 12 * DAY - 1, 86400, 0 },
        { 13 * DAY, 12 * DAY, 31536000, 0 },
        { 400 * DAY, 399 * DAY, 31536000, 0 },
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        const time_t now = START + steps[i].age;
        const time_t next = acme_hsts_auto_next(START, now);
        const unsigned age =
            acme_hsts_auto(START, START + steps[i].issued, now);

        if (age != steps[i].max_age ||
            next != (steps[i].next != 0 ? START + steps[i].next : 0))
            fail_msg("step %zu: %u, next %lld", i, age, (long long)next);
    }
    assert_int_equal(acme_hsts_auto(0, START, START), 60);
    assert_int_equal(acme_hsts_auto(START, 0, START + 400 * DAY), 86400);
    assert_int_equal(acme_hsts_auto_next(0, START), 0);
}

static void
test_merge(void **state)
{
    struct acme_enhance wide = { ACME_REDIRECT_PERMANENT, { 0 },
        ACME_UPGRADE_ON };
    struct acme_enhance narrow = { .upgrade = ACME_UPGRADE_OFF };
    struct acme_enhance before;

    (void)state;
    wide.hsts.mode = ACME_HSTS_FIXED;
    wide.hsts.max_age = 7;
    wide.hsts.subdomains = true;
    before = narrow;
    assert_true(acme_enhance_equal(&narrow, &before));
    acme_enhance_merge(&narrow, &wide);
    assert_false(acme_enhance_equal(&narrow, &before));
    assert_int_equal(narrow.redirect, ACME_REDIRECT_PERMANENT);
    assert_int_equal(narrow.hsts.max_age, 7);
    assert_int_equal(narrow.upgrade, ACME_UPGRADE_OFF);
    before = narrow;
    wide.hsts.mode = ACME_HSTS_OFF;
    wide.redirect = ACME_REDIRECT_OFF;
    acme_enhance_merge(&narrow, &wide);
    assert_true(acme_enhance_equal(&narrow, &before));
}

static void
check_stored(const struct acme_enhance *enhance)
{
    struct acme_enhance back;
    struct acme_json *json = acme_enhance_render(enhance);

    memset(&back, 0xff, sizeof(back));
    acme_enhance_parse(json, &back);
    assert_true(acme_enhance_equal(enhance, &back));
    acme_json_free(json);
}

static void
test_stored(void **state)
{
    static const char *const bad[] = { "[]", "{\"redirect\":\"x\"}",
        "{\"redirect\":1,\"hsts\":[],\"uir\":\"on\"}", "{\"hsts\":\"fixed\"}",
        "{\"hsts\":\"fixed\",\"max_age\":-1}",
        "{\"hsts\":\"fixed\",\"max_age\":4294967296}",
        "{\"hsts\":\"fixed\",\"max_age\":\"5\"}" };
    struct acme_enhance enhance = { 0 }, nothing = { 0 };
    struct acme_json *json;
    size_t i;

    (void)state;
    check_stored(&enhance);
    enhance.redirect = ACME_REDIRECT_PERMANENT;
    enhance.hsts.mode = ACME_HSTS_FIXED;
    enhance.hsts.max_age = 5;
    enhance.hsts.preload = true;
    enhance.upgrade = ACME_UPGRADE_ON;
    check_stored(&enhance);
    enhance.hsts = (struct acme_hsts){ .mode = ACME_HSTS_AUTO };
    enhance.upgrade = ACME_UPGRADE_OFF;
    check_stored(&enhance);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        json = NULL;
        assert_int_equal(
            acme_json_parse(bad[i], strlen(bad[i]), "it", &json, &err),
            ACME_OK);
        memset(&enhance, 0xff, sizeof(enhance));
        acme_enhance_parse(json, &enhance);
        assert_true(acme_enhance_equal(&enhance, &nothing));
        acme_json_free(json);
    }
}

static void
test_redirect(void **state)
{
    static const struct {
        int https;
        unsigned named, port;
    } ports[] = { { 0, 0, 0 }, { 0, 8080, 0 }, { 8443, 0, 0 }, { 8443, 80, 0 },
        { 8443, 8080, 8443 }, { 443, 8080, 0 }, { -1, 8080, 0 } };
    size_t i;

    (void)state;
    assert_int_equal(acme_redirect_status(ACME_REDIRECT_TEMPORARY, true), 302);
    assert_int_equal(acme_redirect_status(ACME_REDIRECT_TEMPORARY, false),
        307);
    assert_int_equal(acme_redirect_status(ACME_REDIRECT_PERMANENT, true), 301);
    assert_int_equal(acme_redirect_status(ACME_REDIRECT_PERMANENT, false),
        308);
    for (i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
        assert_int_equal(acme_redirect_port(ports[i].https, ports[i].named),
            ports[i].port);
}

static void
test_csp(void **state)
{
    static const char *const with[] = { "upgrade-insecure-requests",
        "default-src 'self'; upgrade-insecure-requests",
        "Upgrade-Insecure-Requests;", "a b ;;\tupgrade-insecure-requests ",
        "default-src 'self', upgrade-insecure-requests" };
    static const char *const without[] = { "", ";", "default-src 'self'",
        "upgrade-insecure-requests-not", "xupgrade-insecure-requests",
        "report-uri /upgrade-insecure-requests" };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(with) / sizeof(with[0]); i++)
        assert_true(acme_csp_upgrades(with[i], strlen(with[i])));
    for (i = 0; i < sizeof(without) / sizeof(without[0]); i++)
        assert_false(acme_csp_upgrades(without[i], strlen(without[i])));
    assert_false(acme_csp_upgrades(with[0], strlen(with[0]) - 1));
}

/* ---- of a request ----------------------------------------------------- */

static void
test_live(void **state)
{
    struct acme_enhance said = { 0 }, lineage = { 0 };
    struct acme_live_enhance live;
    struct acme_area *area = NULL;

    (void)state;
    assert_int_equal(acme_area_new(2, 1, &area, &err), ACME_OK);
    said.redirect = ACME_REDIRECT_PERMANENT;
    said.upgrade = ACME_UPGRADE_ON;

    /* nothing to come to */
    assert_false(acme_live_enhance(area, 1, &said, START, &live));
    assert_false(acme_live_enhance(area, 2, &said, START, &live));
    assert_int_equal(live.redirect, ACME_REDIRECT_OFF);
    assert_false(live.upgrade);
    assert_string_equal(live.hsts, "");
    acme_area_put_life(area, 1, START - DAY, START);
    assert_false(acme_live_enhance(area, 1, &said, START, &live));
    assert_true(acme_live_enhance(area, 1, &said, START - 1, &live));

    /* what a permanent redirect implies */
    assert_int_equal(live.redirect, ACME_REDIRECT_PERMANENT);
    assert_true(live.upgrade);
    assert_string_equal(live.hsts, "max-age=15768000");
    said.redirect = ACME_REDIRECT_TEMPORARY;
    assert_true(acme_live_enhance(area, 1, &said, START - 1, &live));
    assert_string_equal(live.hsts, "");
    assert_false(acme_live_enhance(area, 0, &said, START - 1, &live));

    /* what is said of the lineage; it implies nothing */
    memset(&said, 0, sizeof(said));
    lineage.redirect = ACME_REDIRECT_PERMANENT;
    acme_area_put_enhance(area, 1, &lineage, 0);
    assert_true(acme_live_enhance(area, 1, &said, START - 1, &live));
    assert_int_equal(live.redirect, ACME_REDIRECT_PERMANENT);
    assert_string_equal(live.hsts, "");

    /* it goes before what is implied, and behind what is said */
    lineage.hsts.mode = ACME_HSTS_FIXED;
    lineage.hsts.max_age = 31536000;
    lineage.hsts.subdomains = true;
    lineage.upgrade = ACME_UPGRADE_ON;
    acme_area_put_enhance(area, 1, &lineage, 0);
    said.redirect = ACME_REDIRECT_PERMANENT;
    said.upgrade = ACME_UPGRADE_OFF;
    assert_true(acme_live_enhance(area, 1, &said, START - 1, &live));
    assert_string_equal(live.hsts, "max-age=31536000; includeSubDomains");
    assert_false(live.upgrade);
    said.hsts.mode = ACME_HSTS_OFF;
    assert_true(acme_live_enhance(area, 1, &said, START - 1, &live));
    assert_string_equal(live.hsts, "");

    /* what grows */
    said.hsts.mode = ACME_HSTS_AUTO;
    acme_area_put_enhance(area, 1, &lineage, START);
    acme_area_put_life(area, 1, START - DAY, START + 90 * DAY);
    assert_true(acme_live_enhance(area, 1, &said, START + 5 * DAY, &live));
    assert_string_equal(live.hsts, "max-age=900");
    acme_area_put_life(area, 1, START + 20 * DAY, START + 90 * DAY);
    assert_true(acme_live_enhance(area, 1, &said, START + 20 * DAY, &live));
    assert_string_equal(live.hsts, "max-age=31536000");
    acme_live_enhance_own(&said, &live);
    assert_string_equal(live.hsts, "max-age=60");
    acme_area_free(area);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_hsts_words, setup),
        cmocka_unit_test_setup(test_other_words, setup),
        cmocka_unit_test_setup(test_auto, setup),
        cmocka_unit_test_setup(test_merge, setup),
        cmocka_unit_test_setup(test_stored, setup),
        cmocka_unit_test_setup(test_redirect, setup),
        cmocka_unit_test_setup(test_csp, setup),
        cmocka_unit_test_setup(test_live, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
