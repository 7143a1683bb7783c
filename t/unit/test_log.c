#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/acme_limits.h"
#include "base/acme_log.h"

static const struct {
    const char *text;
    const char *clean;
} texts[] = {
    { "plain \\ text, \"quoted\"", "plain \\ text, \"quoted\"" },
    { "", "" },
    { "two\nlines\r\n", "two\\x0alines\\x0d\\x0a" },
    { "\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m" },
    { "tab\tdel\x7f", "tab\\x09del\\x7f" },
    /* good UTF-8 of each length, and the edges of each */
    { "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x94\x92",
        "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x94\x92" },
    { "\xc2\xa0 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 "
      "\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf",
        "\xc2\xa0 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 "
        "\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf" },
    /* C1: CSI and NEL as characters, and as the bare bytes */
    { "\xc2\x9b"
      "31m\xc2\x85",
        "\\xc2\\x9b31m\\xc2\\x85" },
    { "\x9b"
      "31m",
        "\\x9b31m" },
    /* what turns or splits lines: RLO, LRM, ALM, isolates, LS, PS */
    { "a\xe2\x80\xae"
      "b",
        "a\\xe2\\x80\\xaeb" },
    { "\xe2\x80\x8e\xd8\x9c", "\\xe2\\x80\\x8e\\xd8\\x9c" },
    { "\xe2\x81\xa6\xe2\x81\xa9", "\\xe2\\x81\\xa6\\xe2\\x81\\xa9" },
    { "\xe2\x80\xa8\xe2\x80\xa9", "\\xe2\\x80\\xa8\\xe2\\x80\\xa9" },
    /* cut short, at the end and in the middle */
    { "\xe2\x82", "\\xe2\\x82" },
    { "\xf0\x9f\x94x", "\\xf0\\x9f\\x94x" },
    { "\xc3(", "\\xc3(" },
    /* overlong NUL, slash and newline; surrogate; past U+10FFFF */
    { "\xc0\x80", "\\xc0\\x80" },
    { "\xc0\xaf", "\\xc0\\xaf" },
    { "\xc1\xbf", "\\xc1\\xbf" },
    { "\xe0\x80\x8a", "\\xe0\\x80\\x8a" },
    { "\xe0\x9f\xbf", "\\xe0\\x9f\\xbf" },
    { "\xf0\x80\x80\x8a", "\\xf0\\x80\\x80\\x8a" },
    { "\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf" },
    { "\xed\xa0\x80", "\\xed\\xa0\\x80" },
    { "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },
    { "\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80" },
    { "\xff\xfe", "\\xff\\xfe" },
};

static void
foreign_text_is_made_safe(void **state)
{
    char out[128];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_ptr_equal(acme_log_clean(out, sizeof(out), texts[i].text,
                             strlen(texts[i].text)),
            out);
        assert_string_equal(out, texts[i].clean);
    }
    acme_log_clean(out, sizeof(out), "a\0b", 3);
    assert_string_equal(out, "a\\x00b");
    acme_log_clean(out, sizeof(out), "\xe2\x82\xac", 2); /* what is behind? */
    assert_string_equal(out, "\\xe2\\x82");
    acme_log_clean(out, sizeof(out), NULL, 0);
    assert_string_equal(out, "");
}

/* Whatever the size: a whole number of characters and escapes. */
static void
cut_is_between_characters(void **state)
{
    static const char text[] = "a\xc3\xa4\xe2\x82\xac\x1b\xf0\x9f\x94\x92!";
    static const size_t lengths[] = { 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10, 10,
        10, 14, 15, 15 };
    char out[32];
    size_t size;

    (void)state;
    memset(out, '#', sizeof(out));
    acme_log_clean(out, 0, text, strlen(text));
    assert_int_equal(out[0], '#');
    for (size = 1; size <= sizeof(lengths) / sizeof(lengths[0]); size++) {
        memset(out, '#', sizeof(out));
        acme_log_clean(out, size, text, strlen(text));
        assert_int_equal(strlen(out), lengths[size - 1]);
        assert_int_equal(out[size], '#');
    }
}

static char last_line[2 * ACME_LOG_LINE_MAX];
static enum acme_level last_level;

static void
keep_line(void *ctx, enum acme_level level, const char *line)
{
    assert_string_equal(ctx, "ctx");
    last_level = level;
    strcpy(last_line, line);
}

static void
a_line_is_one_clean_line(void **state)
{
    char ctx[] = "ctx";
    struct acme_host host = { ctx, keep_line, NULL, NULL };
    char longer[2 * ACME_LOG_LINE_MAX];
    size_t i;

    (void)state;
    acme_log(&host, ACME_LOG_WARN, "lineage \"%s\", %d", "a\nb", 7);
    assert_int_equal(last_level, ACME_LOG_WARN);
    assert_string_equal(last_line, "lineage \"a\\x0ab\", 7");
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    acme_log(&host, ACME_LOG_DEBUG, "%s", longer);
    assert_int_equal(strlen(last_line), ACME_LOG_LINE_MAX - 1);
    for (i = 0; i + 3 < sizeof(longer); i += 3)
        memcpy(longer + i, "\xe2\x82\xac", 4);
    acme_log(&host, ACME_LOG_DEBUG, "%s", longer);
    assert_int_equal(strlen(last_line), (ACME_LOG_LINE_MAX - 1) / 3 * 3);
    assert_null(strchr(last_line, '\\'));
    acme_log(&host, ACME_LOG_DEBUG, "xx%s", longer);
    assert_null(strchr(last_line, '\\'));
}

static void
levels_have_names(void **state)
{
    (void)state;
    assert_string_equal(acme_level_name(ACME_LOG_ALERT), "alert");
    assert_string_equal(acme_level_name(ACME_LOG_ERROR), "error");
    assert_string_equal(acme_level_name(ACME_LOG_NOTICE), "notice");
    assert_string_equal(acme_level_name(ACME_LOG_DEBUG), "debug");
    assert_string_equal(acme_level_name((enum acme_level)(ACME_LOG_DEBUG + 1)),
        "unknown");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(foreign_text_is_made_safe),
        cmocka_unit_test(cut_is_between_characters),
        cmocka_unit_test(a_line_is_one_clean_line),
        cmocka_unit_test(levels_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
