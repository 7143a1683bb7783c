/*
 * What is said of a lineage's times: words, merging, JSON; and what the
 * schedule makes of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "state/acme_schedule.h"
#include "state/acme_timing.h"

#define DAY ((time_t)24 * 3600)
#define NOW ((time_t)1795262400)

static struct acme_error err;

static enum acme_rc
set(struct acme_timing *timing, enum acme_timing_item item, const char *word)
{
    acme_error_clear(&err);
    return acme_timing_set(timing, item, &word, 1, &err);
}

static struct acme_timing
with(enum acme_timing_item item, const char *word)
{
    struct acme_timing timing = { .said = 0 };

    assert_int_equal(set(&timing, item, word), ACME_OK);
    return timing;
}

/* ---- words ------------------------------------------------------------ */

static void
test_words(void **state)
{
    static const struct {
        enum acme_timing_item item;
        const char *word, *text; /* NULL: refused */
    } rows[] = {
        { ACME_TIMING_MODE, "Always", "always" },
        { ACME_TIMING_MODE, "manual", "manual" },
        { ACME_TIMING_MODE, "never", NULL },
        { ACME_TIMING_MODE, "", NULL },
        { ACME_TIMING_WINDOW, "33%", "33%" },
        { ACME_TIMING_WINDOW, "99%", "99%" },
        { ACME_TIMING_WINDOW, "100%", NULL },
        { ACME_TIMING_WINDOW, "0%", NULL },
        { ACME_TIMING_WINDOW, "%", NULL },
        { ACME_TIMING_WINDOW, "5%%", NULL },
        { ACME_TIMING_WINDOW, "30d", "2592000s" },
        { ACME_TIMING_WINDOW, "30", "2592000s" },
        { ACME_TIMING_WINDOW, "90min", "5400s" },
        { ACME_TIMING_WINDOW, "0", NULL },
        { ACME_TIMING_WINDOW, "2w", NULL },
        { ACME_TIMING_WINDOW, "10 d", NULL },
        { ACME_TIMING_WINDOW, "1 month", NULL },
        { ACME_TIMING_WINDOW, "-3d", NULL },
        { ACME_TIMING_WINDOW, "+3d", NULL },
        { ACME_TIMING_WINDOW, "3651d", NULL },
        { ACME_TIMING_WINDOW, "18446744073709551617d", NULL },
        { ACME_TIMING_CHECK_INTERVAL, "12H", "43200s" },
        { ACME_TIMING_CHECK_INTERVAL, "0", NULL },
        { ACME_TIMING_INITIAL_DELAY, "0", "0s" },
        { ACME_TIMING_INITIAL_DELAY, "10m", "600s" },
        { ACME_TIMING_INITIAL_DELAY, "31d", NULL },
        { ACME_TIMING_RETRY_DELAY, "30", "30s" },
        { ACME_TIMING_RETRY_DELAY, "1d", "86400s" },
        { ACME_TIMING_RETRY_DELAY, "25h", NULL },
        { ACME_TIMING_RETRY_DELAY, "0s", NULL },
        { ACME_TIMING_RETRY_FAILOVER, "13", "13" },
        { ACME_TIMING_RETRY_FAILOVER, "0", NULL },
        { ACME_TIMING_RETRY_FAILOVER, "1001", NULL },
        { ACME_TIMING_RETRY_FAILOVER, "3s", NULL },
        { ACME_TIMING_ACTIVATION_DELAY, "1", "86400s" },
        { ACME_TIMING_ACTIVATION_DELAY, "8d", NULL },
    };
    char text[ACME_TIMING_TEXT];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct acme_timing timing = { .said = 0 }, none = timing;
        enum acme_rc rc = set(&timing, rows[i].item, rows[i].word);

        if (rows[i].text == NULL) {
            if (rc != ACME_CONFIG || strstr(err.what, "it must be") == NULL ||
                strstr(err.what, rows[i].word) == NULL)
                fail_msg("\"%s\": %s", rows[i].word, err.what);
            assert_true(acme_timing_equal(&timing, &none));
            continue;
        }
        if (rc != ACME_OK ||
            strcmp(acme_timing_text(&timing, rows[i].item, text),
                rows[i].text) != 0)
            fail_msg("\"%s\": %s %s", rows[i].word, err.what, text);
        assert_int_equal(timing.said, 1u << rows[i].item);
    }
}

static void
test_count(void **state)
{
    static const char *const words[] = { "10", "d" };
    struct acme_timing timing = { .said = 0 };
    size_t n;

    (void)state;
    for (n = 0; n <= 2; n += 2) {
        acme_error_clear(&err);
        assert_int_equal(
            acme_timing_set(&timing, ACME_TIMING_WINDOW, words, n, &err),
            ACME_CONFIG);
        assert_non_null(strstr(err.what, "parameters: it must be 1% to 99%"));
    }
}

static void
test_merge(void **state)
{
    struct acme_timing wide = with(ACME_TIMING_WINDOW, "14d");
    struct acme_timing narrow = with(ACME_TIMING_WINDOW, "30%");
    struct acme_timing nothing = { .said = 0 };

    (void)state;
    (void)set(&wide, ACME_TIMING_MODE, "manual");
    (void)set(&wide, ACME_TIMING_RETRY_DELAY, "7");
    acme_timing_merge(&narrow, &wide);
    assert_int_equal(narrow.window_percent, 30);
    assert_int_equal(narrow.window, 0);
    assert_int_equal(narrow.mode, ACME_RENEW_MANUAL);
    assert_int_equal(narrow.retry_delay, 7);
    acme_timing_merge(&nothing, &wide);
    assert_true(acme_timing_equal(&nothing, &wide));
    assert_false(acme_timing_equal(&nothing, &narrow));
}

static void
test_json(void **state)
{
    struct acme_timing timing = with(ACME_TIMING_WINDOW, "25%"), again;
    struct acme_json *json;

    (void)state;
    (void)set(&timing, ACME_TIMING_MODE, "always");
    (void)set(&timing, ACME_TIMING_CHECK_INTERVAL, "1h");
    (void)set(&timing, ACME_TIMING_INITIAL_DELAY, "0");
    (void)set(&timing, ACME_TIMING_RETRY_FAILOVER, "4");
    json = acme_timing_render(&timing);
    assert_string_equal(acme_json_str(json, "window"), "25%");
    assert_int_equal(acme_timing_parse(json, &again, &err), ACME_OK);
    assert_true(acme_timing_equal(&timing, &again));
    acme_json_set_str(json, "retry_delay", "soon");
    assert_int_equal(acme_timing_parse(json, &again, &err), ACME_WIRE);
    acme_json_set_int(json, "retry_delay", 3);
    assert_int_equal(acme_timing_parse(json, &again, &err), ACME_WIRE);
    acme_json_free(json);
    assert_int_equal(acme_timing_parse(NULL, &again, &err), ACME_OK);
    assert_int_equal(again.said, 0);
}

/* ---- the schedule ----------------------------------------------------- */

/* Which certificates are due, by the days before and after today (502_201 of
 * mod_md's tests has such a table). */
static void
test_window(void **state)
{
    static const struct {
        const char *window;
        int before, after;
        bool due;
    } rows[] = { { "14d", 5, 180, false }, { "14d", 200, 15, false },
        { "14d", 200, 13, true }, { "30%", 0, 180, false },
        { "30%", 120, 60, false }, { "30%", 126, 53, true },
        { "50%", 44, 46, false }, { "50%", 46, 44, true },
        { "99%", 2, 88, true }, { "1%", 88, 2, false } };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct acme_timing timing = with(ACME_TIMING_WINDOW, rows[i].window);
        time_t from = NOW - rows[i].before * DAY;
        time_t to = NOW + rows[i].after * DAY;
        bool first = acme_schedule_usual(&timing, from, to, 0) <= NOW;
        bool last = acme_schedule_usual(&timing, from, to, UINT32_MAX) <= NOW;

        if (first != rows[i].due || last != rows[i].due)
            fail_msg("%s, %d days left", rows[i].window, rows[i].after);
    }
}

static void
test_no_window(void **state)
{
    struct acme_timing timing = { .said = 0 };

    (void)state;
    assert_int_equal(acme_schedule_usual(&timing, NOW, NOW + 90 * DAY, 7),
        acme_schedule_renew_at(NOW, NOW + 90 * DAY, 7));

    /* it would be renewed all the time */
    timing = with(ACME_TIMING_WINDOW, "30d");
    assert_int_equal(acme_schedule_usual(&timing, NOW, NOW + 6 * DAY, 7),
        acme_schedule_renew_at(NOW, NOW + 6 * DAY, 7));
    assert_int_equal(acme_schedule_usual(&timing, NOW, NOW, 7), NOW);
    assert_int_equal(acme_schedule_usual(&timing, NOW, NOW - DAY, 7),
        NOW - DAY);
}

static void
test_strict(void **state)
{
    struct acme_schedule_renewal renewal = { .not_before = NOW,
        .not_after = NOW + 90 * DAY,
        .usual = NOW + 45 * DAY,
        .pick = NOW + 60 * DAY };

    (void)state;
    assert_int_equal(acme_schedule_renewal(&renewal), NOW + 60 * DAY);
    renewal.strict = true;
    assert_int_equal(acme_schedule_renewal(&renewal), NOW + 45 * DAY);
    renewal.pick = NOW + 30 * DAY;
    assert_int_equal(acme_schedule_renewal(&renewal), NOW + 30 * DAY);
}

/* Seconds after failure n of that kind, as late as can be. */
static long
wait(const struct acme_timing *timing, enum acme_rc rc, const char *type,
    unsigned n)
{
    acme_error_clear(&err);
    err.rc = rc;
    strcpy(err.type, type);
    return (long)(acme_schedule_after(timing, &err, n, 0, NOW, 0, 0).at - NOW);
}

static void
test_retry_delay(void **state)
{
    struct acme_timing quick = with(ACME_TIMING_RETRY_DELAY, "1");
    struct acme_timing slow = with(ACME_TIMING_RETRY_DELAY, "1h");
    struct acme_timing slowest = with(ACME_TIMING_RETRY_DELAY, "1d");

    (void)state;
    assert_int_equal(wait(&quick, ACME_NET, "", 1), 1);
    assert_int_equal(wait(&quick, ACME_NET, "", 4), 8);
    assert_int_equal(wait(&quick, ACME_NET, "", 60), 6 * 3600);
    assert_int_equal(wait(&slow, ACME_NET, "", 2), 7200);
    assert_int_equal(wait(&slowest, ACME_NET, "", 1), DAY);
    assert_int_equal(wait(&slowest, ACME_NET, "", 3), DAY);

    /* what the CA counts is not tried sooner, but later */
    assert_int_equal(wait(&quick, ACME_PROBLEM, "dns", 1), 15 * 60);
    assert_int_equal(wait(&slow, ACME_PROBLEM, "dns", 1), 3600);
    assert_int_equal(wait(&slow, ACME_PROBLEM, "dns", 2), 7200);
    assert_int_equal(wait(&slowest, ACME_PROBLEM, "dns", 2), DAY);
    assert_int_equal(wait(NULL, ACME_NET, "", 1), 15);
}

static bool
goes(const struct acme_timing *timing, enum acme_rc rc, const char *type,
    unsigned n, time_t not_after)
{
    acme_error_clear(&err);
    err.rc = rc;
    strcpy(err.type, type);
    return acme_schedule_after(timing, &err, n, 0, NOW, not_after, 9).next_ca;
}

static void
test_failover(void **state)
{
    struct acme_timing timing = with(ACME_TIMING_RETRY_FAILOVER, "5");
    const time_t valid = NOW + 60 * DAY;

    (void)state;
    assert_false(goes(&timing, ACME_NET, "", 4, 0));
    assert_true(goes(&timing, ACME_NET, "", 5, 0));
    assert_false(goes(&timing, ACME_NET, "", 4, valid));
    assert_true(goes(&timing, ACME_NET, "", 5, valid));
    assert_false(goes(&timing, ACME_PROBLEM, "dns", 9, 0));
    assert_true(goes(&timing, ACME_PROBLEM, "rejectedIdentifier", 1, 0));
    assert_true(goes(NULL, ACME_NET, "", 3, 0));
    assert_false(goes(NULL, ACME_NET, "", 9, valid));
}

static void
test_interval(void **state)
{
    struct acme_timing timing = with(ACME_TIMING_CHECK_INTERVAL, "1h");

    (void)state;
    assert_int_equal(acme_schedule_look_after(&timing, -1, NOW, 0),
        NOW + 3600);
    assert_int_equal(acme_schedule_look_after(&timing, 600, NOW, 0),
        NOW + 600);
    assert_int_equal(acme_schedule_look_after(NULL, -1, NOW, 0),
        NOW + 6 * 3600);
    timing = with(ACME_TIMING_CHECK_INTERVAL, "1s");
    assert_int_equal(acme_schedule_look_after(&timing, -1, NOW, 0), NOW + 60);
}

static void
test_first(void **state)
{
    struct acme_timing timing = with(ACME_TIMING_INITIAL_DELAY, "10m");
    struct acme_timing none = { .said = 0 };

    (void)state;
    assert_int_equal(acme_schedule_first(&timing, NOW, 0), NOW + 600);
    assert_int_equal(acme_schedule_first(&timing, NOW, NOW + 601), NOW + 601);
    assert_int_equal(acme_schedule_first(&none, NOW, 0), 0);
}

static void
test_activation(void **state)
{
    struct acme_timing timing = with(ACME_TIMING_ACTIVATION_DELAY, "2d");
    const time_t end = NOW + 30 * DAY, from = end - 90 * DAY;

    (void)state;
    assert_int_equal(acme_schedule_activate_at(&timing, NOW, from, end),
        NOW + 2 * DAY);

    /* in the last tenth of the old one's life at once */
    assert_int_equal(
        acme_schedule_activate_at(&timing, end - 10 * DAY, from, end),
        end - 9 * DAY);
    assert_true(acme_schedule_activate_at(&timing, end, from, end) < end);
}

static void
test_manual(void **state)
{
    struct acme_timing timing = with(ACME_TIMING_MODE, "manual");

    (void)state;
    assert_true(acme_schedule_is_manual(&timing));
    timing = with(ACME_TIMING_MODE, "always");
    assert_false(acme_schedule_is_manual(&timing));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_count),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_no_window),
        cmocka_unit_test(test_strict),
        cmocka_unit_test(test_retry_delay),
        cmocka_unit_test(test_failover),
        cmocka_unit_test(test_interval),
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_activation),
        cmocka_unit_test(test_manual),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
