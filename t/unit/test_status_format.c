/* acme_status_format.h: which form of the status a client gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "state/acme_status_format.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define BROWSER                                                         \
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif," \
    "image/webp,*/*;q=0.8"
#define SCRAPER                                               \
    "application/openmetrics-text;version=1.0.0,application/" \
    "openmetrics-text;"                                       \
    "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"

static void
test_accepted(void **state)
{
    static const struct {
        const char *accept;
        enum acme_status_format format;
    } row[] = {
        { NULL, ACME_STATUS_JSON },
        { "", ACME_STATUS_JSON },
        { "*/*", ACME_STATUS_JSON },
        { "application/*", ACME_STATUS_JSON },
        { "image/png", ACME_STATUS_JSON },
        { BROWSER, ACME_STATUS_HTML },
        { "TEXT/HTML", ACME_STATUS_HTML },
        { "text/*", ACME_STATUS_HTML },
        { SCRAPER, ACME_STATUS_OPENMETRICS },
        { "text/plain", ACME_STATUS_PROMETHEUS },
        { "application/json, text/html", ACME_STATUS_JSON },
        { "application/json;q=0.5 , text/html ; q=0.51", ACME_STATUS_HTML },
        { "application/json;q=1.0,text/html;q=1.000", ACME_STATUS_JSON },
        { "text/html;q=0, */*;q=0.1", ACME_STATUS_JSON },
        { "*/*;q=0.9,application/json;q=0.1", ACME_STATUS_HTML },
        { "text/html;q=x", ACME_STATUS_JSON },
        { "text/html;level=1;q=0.3,text/plain;q=0.2", ACME_STATUS_HTML },
        { "text/html;q=9", ACME_STATUS_JSON },
        { "text/htm,text/htmlx,text,/,;,,=", ACME_STATUS_JSON },
        { "text/html;q", ACME_STATUS_HTML },
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(row); i++)
        if (acme_status_format_accepted(row[i].accept) != row[i].format)
            fail_msg("row %zu", i);
}

static void
test_words(void **state)
{
    static const char *const words[] = { "json", "html", "openmetrics",
        "prometheus" };
    enum acme_status_format format = ACME_STATUS_JSON;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(words); i++) {
        assert_true(acme_status_format_parse(words[i], &format));
        assert_int_equal(format, i);
    }
    assert_false(acme_status_format_parse("HTML", &format));
    assert_false(acme_status_format_parse("", &format));
    assert_int_equal(format, COUNT(words) - 1);
    assert_string_equal(acme_status_format_type(ACME_STATUS_OPENMETRICS),
        "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_words) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
