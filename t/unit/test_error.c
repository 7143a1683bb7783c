#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/acme_error.h"

static void
first_error_wins(void **state)
{
    struct acme_error err;

    (void)state;
    acme_error_clear(&err);
    assert_int_equal(err.rc, ACME_OK);
    assert_int_equal(acme_error_set(&err, ACME_WIRE, "bad \"%s\"", "x"),
        ACME_WIRE);
    assert_string_equal(err.what, "bad \"x\"");
    assert_int_equal(acme_error_set(&err, ACME_NET, "later"), ACME_WIRE);
    assert_int_equal(acme_error_nomem(&err), ACME_WIRE);
    assert_string_equal(err.what, "bad \"x\"");
    acme_error_clear(&err);
    assert_int_equal(acme_error_nomem(&err), ACME_NOMEM);
    assert_string_equal(err.what, "out of memory");
}

static void
errno_is_named(void **state)
{
    struct acme_error err;
    char expected[128];

    (void)state;
    acme_error_clear(&err);
    assert_int_equal(
        acme_error_errno(&err, ACME_IO, EACCES, "cannot open \"%s\"", "x"),
        ACME_IO);
    snprintf(expected, sizeof(expected),
        "cannot open \"x\": Permission denied (%d)", EACCES);
    assert_string_equal(err.what, expected);
}

static void
wrap_puts_context_in_front(void **state)
{
    struct acme_error err;

    (void)state;
    acme_error_clear(&err);
    assert_int_equal(acme_error_wrap(&err, "nothing"), ACME_OK);
    assert_string_equal(err.what, "");
    acme_error_set(&err, ACME_NET, "no answer");
    assert_int_equal(acme_error_wrap(&err, "new %s", "order"), ACME_NET);
    assert_string_equal(err.what, "new order: no answer");
}

static void
long_text_is_cut_between_characters(void **state)
{
    char text[600];
    struct acme_error err;
    size_t i;

    (void)state;
    /* 3-byte characters; 511 is no multiple of 3 */
    for (i = 0; i + 3 < sizeof(text); i += 3)
        memcpy(text + i, "\xe2\x82\xac", 4);
    acme_error_clear(&err);
    acme_error_set(&err, ACME_NET, "%s", text);
    assert_int_equal(strlen(err.what), 510);
    acme_error_wrap(&err, "x");
    assert_int_equal(strlen(err.what), 3 + 507);
    acme_error_clear(&err);
    acme_error_set(&err, ACME_NET, "x%s", text);
    assert_int_equal(strlen(err.what), 511);
}

static void
line_has_all_parts(void **state)
{
    struct acme_error err;
    char line[1024];

    (void)state;
    acme_error_clear(&err);
    acme_error_set(&err, ACME_PROBLEM, "new order");
    assert_string_equal(acme_error_line(&err, line, sizeof(line)),
        "new order");
    strcpy(err.detail, "No.");
    assert_string_equal(acme_error_line(&err, line, sizeof(line)),
        "new order (No.)");
    strcpy(err.type, "compound");
    err.nsub = 2;
    err.nsub_total = 5;
    strcpy(err.sub[0].identifier, "a.example");
    strcpy(err.sub[0].type, "caa");
    strcpy(err.sub[0].detail, "Forbidden.");
    strcpy(err.sub[1].identifier, "b.example");
    strcpy(err.sub[1].type, "dns");
    assert_string_equal(acme_error_line(&err, line, sizeof(line)),
        "new order (compound: No.); \"a.example\" caa: Forbidden.; "
        "\"b.example\" dns; and 3 more");
}

static void
line_keeps_within_its_size(void **state)
{
    struct acme_error err;
    char line[64];
    size_t size;

    (void)state;
    acme_error_clear(&err);
    acme_error_set(&err, ACME_PROBLEM, "new order");
    strcpy(err.type, "compound");
    strcpy(err.detail, "\xc3\xa4\xc3\xb6\xc3\xbc");
    err.nsub_total = 1000;
    for (size = 0; size < sizeof(line); size++) {
        memset(line, '#', sizeof(line));
        acme_error_line(&err, line, size);
        if (size > 0)
            assert_true(memchr(line, '\0', size) != NULL);
        assert_int_equal(line[size], '#');
    }
    acme_error_line(&err, line, 25); /* 24 bytes end in half a character */
    assert_string_equal(line, "new order (compound: \xc3\xa4");
}

/* Records may come from a file: a count out of range must not matter. */
static void
line_trusts_no_count(void **state)
{
    struct acme_error err;
    char line[256];

    (void)state;
    acme_error_clear(&err);
    err.nsub = 4000000000U;
    assert_string_equal(acme_error_line(&err, line, sizeof(line)),
        "; \"\" ; \"\" ; \"\" ; \"\" ");
}

static void
results_have_names(void **state)
{
    (void)state;
    assert_string_equal(acme_rc_name(ACME_OK), "ok");
    assert_string_equal(acme_rc_name(ACME_PROBLEM), "problem");
    assert_string_equal(acme_rc_name(ACME_NET), "net");
    assert_string_equal(acme_rc_name(ACME_STOPPING), "stopping");
    assert_string_equal(acme_rc_name((enum acme_rc)(ACME_STOPPING + 1)),
        "unknown");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_error_wins),
        cmocka_unit_test(errno_is_named),
        cmocka_unit_test(wrap_puts_context_in_front),
        cmocka_unit_test(long_text_is_cut_between_characters),
        cmocka_unit_test(line_has_all_parts),
        cmocka_unit_test(line_keeps_within_its_size),
        cmocka_unit_test(line_trusts_no_count),
        cmocka_unit_test(results_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
