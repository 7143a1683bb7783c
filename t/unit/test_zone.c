/*
 * Lines of zone files; what a real parser makes of them is t/acmectl_dns.t's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "state/acme_zone.h"

static struct acme_buf out;

static int
setup(void **state)
{
    (void)state;
    acme_buf_init(&out, 65536);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    acme_buf_clear(&out);
    return 0;
}

static void
test_lines(void **state)
{
    (void)state;
    acme_zone_caa(&out, "a.test", 600, "issue", "ca.test; accounturi=x");
    assert_string_equal(acme_buf_str(&out),
        "a.test. 600 IN CAA 0 issue \"ca.test; accounturi=x\"");
    acme_buf_reset(&out);
    acme_zone_cname(&out, "_acme-challenge.a.test", 0, "a.test.acme.test");
    assert_string_equal(acme_buf_str(&out),
        "_acme-challenge.a.test. 0 IN CNAME a.test.acme.test.");
}

static void
test_quoting(void **state)
{
    static const char text[] = "a;b \"c\" \\d\t\0\xff";

    (void)state;
    acme_zone_txt(&out, "a.test", 1, text, sizeof(text) - 1);
    assert_string_equal(acme_buf_str(&out),
        "a.test. 1 IN TXT \"a;b \\\"c\\\" \\\\d\\009\\000\\255\"");
    acme_buf_reset(&out);
    acme_zone_txt(&out, "a.test", 1, "", 0);
    assert_string_equal(acme_buf_str(&out), "a.test. 1 IN TXT \"\"");
}

/* 255 bytes are one string, 256 are two, however many characters they make. */
static void
test_long(void **state)
{
    static const size_t lengths[] = { 254, 255, 256, 510, 511, 1000 };
    char text[1000];
    const char *at;
    size_t i, n, bytes;

    (void)state;
    memset(text, '"', sizeof(text));
    for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        acme_buf_reset(&out);
        acme_zone_txt(&out, "a.test", 1, text, lengths[i]);
        at = acme_buf_str(&out) + strlen("a.test. 1 IN TXT ");
        for (n = bytes = 0; *at != '\0'; n++) {
            assert_int_equal(*at++, '"');
            while (*at == '\\') {
                at += 2;
                bytes++;
            }
            assert_true(bytes <= (n + 1) * 255);
            assert_int_equal(*at++, '"');
            at += *at == ' ';
        }
        assert_int_equal(bytes, lengths[i]);
        assert_int_equal(n, (lengths[i] + 254) / 255);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_quoting, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
