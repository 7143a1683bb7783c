/*
 * acme_idn.h: names as people write them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wrap/acme_idn.h"

#define UE "\xc3\xbc"           /* u with diaeresis */
#define UE_COMBINED "u\xcc\x88" /* the same in two characters */
#define UE_LARGE "\xc3\x9c"
#define SZ "\xc3\x9f"
#define FULL_STOP "\xe3\x80\x82" /* ideographic */
#define UE10 UE UE UE UE UE UE UE UE UE UE

static void
names_become_ascii(void **state)
{
    static const char *const good[][2] = {
        { "Example.COM", "example.com" },
        { "example.com.", "example.com" },
        { "localhost.", "localhost" },
        { "b" UE "cher.example.", "xn--bcher-kva.example" },
        { "192.0.2.1", "192.0.2.1" },
        { "2001:DB8::1", "2001:db8::1" },
        { "b" UE "cher.example", "xn--bcher-kva.example" },
        { "B" UE_LARGE "CHER.Example", "xn--bcher-kva.example" },
        { "b" UE_COMBINED "cher.example", "xn--bcher-kva.example" },
        { "xn--bcher-kva.example", "xn--bcher-kva.example" },
        { "a.b" UE "cher" FULL_STOP "example", "a.xn--bcher-kva.example" },
        { "xn--bcher-kva.b" UE "cher", "xn--bcher-kva.xn--bcher-kva" },
        { "*.b" UE "cher.example", "*.xn--bcher-kva.example" },
        /* transitional processing would make "fass.example" of it */
        { "fa" SZ ".example", "xn--fa-hia.example" },
    };
    char out[ACME_NAME_MAX + 1];
    struct acme_error err;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        acme_error_clear(&err);
        if (acme_idn_parse(good[i][0], strlen(good[i][0]), out, &err) !=
            ACME_OK)
            fail_msg("%s", err.what);
        assert_string_equal(out, good[i][1]);
    }
    acme_error_clear(&err);
    assert_int_equal(acme_idn_parse("b" UE "cher.example/path", 15, out, &err),
        ACME_OK);
    assert_string_equal(out, "xn--bcher-kva.example");
}

static void
what_has_no_ascii_form_is_refused(void **state)
{
    static const char *const bad[][2] = {
        { "a b.example", "character other than" },
        { "b\xfc"
          "cher.example",
            "encoding" },
        { "\xe2\x98\x83.example", "disallowed character" },
        { UE "-.example", "hyphen" },
        { "a_" UE ".example", "underscore" },
        { UE "*.example", "roundtrip" },
        { "*." UE, "top-level" },
        { "*.", "empty label" },
        { UE "..example", "empty label" },
        { UE ".example..", "empty label" },
        { "example.com..", "empty label" },
        { ".", "empty label" },
        { "", "is empty" },
        { "xn--zzzzz99999." UE, "punycode" },
        { UE10 UE10 UE10 UE10 UE10 UE10 UE10 ".example", "too large" },
        { UE10 "." UE10 "." UE10 "." UE10 "." UE10 "." UE10 "." UE10 "." UE10
               "." UE10 "." UE10 "." UE10 "." UE10 "." UE10 "." UE10 "." UE10,
            "longer than" },
        /* full-width digits: "192.0.2.1" */
        { "\xef\xbc\x91\xef\xbc\x99\xef\xbc\x92.0.2.1", "is an address" },
    };
    char out[ACME_NAME_MAX + 1] = "untouched";
    char text[ACME_IDN_TEXT_MAX + 2];
    struct acme_error err;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        acme_error_clear(&err);
        if (acme_idn_parse(bad[i][0], strlen(bad[i][0]), out, &err) !=
            ACME_CONFIG)
            fail_msg("\"%s\" was taken", bad[i][0]);
        if (strstr(err.what, bad[i][1]) == NULL)
            fail_msg("\"%s\": %s", bad[i][0], err.what);
        assert_string_equal(out, "untouched");
    }
    acme_error_clear(&err);
    assert_int_equal(acme_idn_parse(UE "\0.example", 11, out, &err),
        ACME_CONFIG);
    assert_non_null(strstr(err.what, "NUL"));
    acme_error_clear(&err);
    memset(text, 0xc3, sizeof(text));
    assert_int_equal(acme_idn_parse(text, sizeof(text), out, &err),
        ACME_CONFIG);
    assert_non_null(strstr(err.what, "too long"));
    assert_string_equal(out, "untouched");
}

/* The name as it was written, and what to do. */
static void
refusals_say_the_cure(void **state)
{
    char out[ACME_NAME_MAX + 1];
    struct acme_error err;

    (void)state;
    acme_error_clear(&err);
    assert_int_equal(acme_idn_parse("-b" UE ".example", 12, out, &err),
        ACME_CONFIG);
    assert_non_null(strstr(err.what, "\"-b" UE ".example\""));
    assert_non_null(strstr(err.what, "xn--"));
}

static void
names_are_shown_as_written(void **state)
{
    char out[ACME_IDN_TEXT_MAX + 1];

    (void)state;
    assert_true(acme_idn_show("www.xn--bcher-kva.example", out));
    assert_string_equal(out, "www.b" UE "cher.example");
    assert_false(acme_idn_show("example.com", out));
    assert_false(acme_idn_show("xn--zzzzz99999.example", out));
    assert_false(acme_idn_show("2001:db8::1", out));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_become_ascii),
        cmocka_unit_test(what_has_no_ascii_form_is_refused),
        cmocka_unit_test(refusals_say_the_cure),
        cmocka_unit_test(names_are_shown_as_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
