#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/acme_time.h"

/* Numbers by `date -u -d TEXT +%s`. */
static const struct {
    long long t;
    const char *text;
} both_ways[] = {
    { 0, "1970-01-01T00:00:00Z" },
    { 86399, "1970-01-01T23:59:59Z" },
    { 68169600, "1972-02-29T00:00:00Z" },
    { 951782400, "2000-02-29T00:00:00Z" },
    { 951868800, "2000-03-01T00:00:00Z" },
    { 1709164800, "2024-02-29T00:00:00Z" },
    { 1735689599, "2024-12-31T23:59:59Z" },
    { 1795262400, "2026-11-21T12:00:00Z" },
    { 2147483648, "2038-01-19T03:14:08Z" },
    { 4107542400, "2100-03-01T00:00:00Z" },
    { 4107542399, "2100-02-28T23:59:59Z" },
    { 253402300799, "9999-12-31T23:59:59Z" },
};

static void
known_times_go_both_ways(void **state)
{
    char text[ACME_TIME_TEXT];
    time_t t;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(both_ways) / sizeof(both_ways[0]); i++) {
        assert_string_equal(acme_time_format((time_t)both_ways[i].t, text),
            both_ways[i].text);
        assert_true(acme_time_parse(both_ways[i].text, &t));
        assert_int_equal(t, both_ways[i].t);
    }
}

static void
every_day_goes_both_ways(void **state)
{
    char text[ACME_TIME_TEXT];
    long long day;
    time_t t;

    (void)state;
    for (day = 0; day <= 253402300799 / 86400; day++) {
        acme_time_format((time_t)(day * 86400 + 45296), text);
        if (!acme_time_parse(text, &t) || t != day * 86400 + 45296)
            fail_msg("day %lld is %s", day, text);
    }
}

static void
other_forms_are_read(void **state)
{
    static const struct {
        const char *text;
        long long t;
    } forms[] = {
        { "2026-11-21t12:00:00z", 1795262400 },
        { "2026-11-21T12:00:00.5Z", 1795262400 },
        { "2026-11-21T12:00:00.123456789012345678901234567890Z", 1795262400 },
        { "2026-11-21T12:00:00+00:00", 1795262400 },
        { "2026-11-21T12:00:00-00:00", 1795262400 },
        { "2026-11-21T13:30:00+01:30", 1795262400 },
        { "2026-11-22T01:00:00.0+13:00", 1795262400 },
        { "2026-11-21T00:00:00-12:00", 1795262400 },
        { "2026-11-20T12:01:00-23:59", 1795262400 },
        { "1970-01-01T01:00:00+01:00", 0 },
        { "2016-12-31T23:59:60Z", 1483228800 },
    };
    time_t t;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        t = -1;
        assert_true(acme_time_parse(forms[i].text, &t));
        assert_int_equal(t, forms[i].t);
    }
}

static void
garbage_is_refused(void **state)
{
    static const char *const bad[] = { "", "T", "2026", "2026-11-21",
        "2026-11-21T12:00:00", "2026-11-21T12:00Z", "2026-11-21 12:00:00Z",
        "2026-11-21T12:00:00ZZ", "2026-11-21T12:00:00Z ",
        " 2026-11-21T12:00:00Z", "26-11-21T12:00:00Z", "02026-11-21T12:00:00Z",
        "2026-1-21T12:00:00Z", "2026-00-21T12:00:00Z", "2026-13-21T12:00:00Z",
        "2026-11-00T12:00:00Z", "2026-11-31T12:00:00Z", "2026-02-29T12:00:00Z",
        "2100-02-29T00:00:00Z", "2024-02-30T00:00:00Z", "2026-11-21T24:00:00Z",
        "2026-11-21T12:60:00Z", "2026-11-21T12:00:61Z",
        "2026-11-21T12:00:00.Z", "2026-11-21T12:00:00,5Z",
        "2026-11-21T12:00:00+1:00", "2026-11-21T12:00:00+0100",
        "2026-11-21T12:00:00+24:00", "2026-11-21T12:00:00+01:60",
        "2026-11-21T12:00:00+01", "+026-11-21T12:00:00Z",
        "2026-11-21T-1:00:00Z", "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
        "10000-01-01T00:00:00Z", "Sat, 21 Nov 2026 12:00:00 GMT",
        "2026-11-2\xd9\xa1T12:00:00Z" };
    time_t t = 77;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (acme_time_parse(bad[i], &t))
            fail_msg("\"%s\" was read as %lld", bad[i], (long long)t);
        assert_int_equal(t, 77);
    }
}

static void
times_out_of_range_are_clamped(void **state)
{
    char text[ACME_TIME_TEXT];

    (void)state;
    assert_string_equal(acme_time_format(-1, text), "1970-01-01T00:00:00Z");
    assert_string_equal(acme_time_format((time_t)(~(uint64_t)0 >> 1), text),
        "9999-12-31T23:59:59Z");
}

/* Of RFC 9110 5.6.7, and days around it. */
static void
times_of_http(void **state)
{
    char text[ACME_TIME_TEXT];

    (void)state;
    assert_string_equal(acme_time_format_http(784111777, text),
        "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_string_equal(acme_time_format_http(0, text),
        "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_string_equal(acme_time_format_http(951825599, text),
        "Tue, 29 Feb 2000 11:59:59 GMT");
    assert_string_equal(acme_time_format_http(1798761599, text),
        "Thu, 31 Dec 2026 23:59:59 GMT");
    assert_string_equal(
        acme_time_format_http((time_t)(~(uint64_t)0 >> 1), text),
        "Fri, 31 Dec 9999 23:59:59 GMT");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_times_go_both_ways),
        cmocka_unit_test(every_day_goes_both_ways),
        cmocka_unit_test(other_forms_are_read),
        cmocka_unit_test(garbage_is_refused),
        cmocka_unit_test(times_out_of_range_are_clamped),
        cmocka_unit_test(times_of_http),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
