#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/acme_base64.h"

/* RFC 4648 10 (without padding), RFC 7515 C, and both special characters */
static const struct {
    const char *data;
    size_t len;
    const char *text;
} vectors[] = {
    { "", 0, "" },
    { "f", 1, "Zg" },
    { "fo", 2, "Zm8" },
    { "foo", 3, "Zm9v" },
    { "foob", 4, "Zm9vYg" },
    { "fooba", 5, "Zm9vYmE" },
    { "foobar", 6, "Zm9vYmFy" },
    { "\x03\xec\xff\xe0\xc1", 5, "A-z_4ME" },
    { "\xfb\xff\xbf", 3, "-_-_" },
    { "\0\0\0", 3, "AAAA" },
};

static void
vectors_go_both_ways(void **state)
{
    struct acme_buf out;
    struct acme_error err;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        acme_buf_init(&out, 100);
        acme_buf_add_str(&out, "<");
        acme_base64_encode(&out, vectors[i].data, vectors[i].len);
        assert_string_equal(acme_buf_str(&out) + 1, vectors[i].text);
        acme_buf_reset(&out);
        acme_error_clear(&err);
        assert_int_equal(acme_base64_decode(&out, vectors[i].text,
                             strlen(vectors[i].text), &err),
            ACME_OK);
        assert_int_equal(out.len, vectors[i].len);
        if (out.len > 0)
            assert_memory_equal(out.data, vectors[i].data, out.len);
        acme_buf_clear(&out);
    }
}

static void
malformed_is_refused(void **state)
{
    static const char *const bad[] = { "Z", "Zg==", "Zg=", "Zm8=", "Zm9v ",
        " Zm9v", "Zm9v\n", "Zm+v", "Zm/v", "Zm9vY", "Zh", "Zm9", "Zm9vYmF",
        "Zm.v", "Zm9\xc3", "Zm\x80v" };
    struct acme_buf out;
    struct acme_error err;
    size_t i;

    (void)state;
    acme_buf_init(&out, 100);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        acme_error_clear(&err);
        assert_int_equal(
            acme_base64_decode(&out, bad[i], strlen(bad[i]), &err), ACME_WIRE);
        assert_int_equal(out.len, 0);
        assert_true(acme_buf_ok(&out));
    }
    acme_error_clear(&err);
    assert_int_equal(acme_base64_decode(&out, "Zm\0v", 4, &err), ACME_WIRE);
    acme_buf_clear(&out);
}

static void
bounds_hold(void **state)
{
    struct acme_buf out;
    struct acme_error err;

    (void)state;
    acme_error_clear(&err);
    acme_buf_init(&out, 5);
    acme_base64_encode(&out, "foob", 4);
    assert_false(acme_buf_ok(&out));
    acme_buf_reset(&out);
    acme_base64_encode(&out, "foo", 3);
    assert_true(acme_buf_ok(&out));
    assert_int_equal(acme_base64_decode(&out, "Zm8", 3, &err), ACME_NOMEM);
    acme_buf_clear(&out);
}

/* RFC 8555 8.1; security S28: nothing else is ever reflected. */
static void
tokens_are_base64url_and_bounded(void **state)
{
    char longest[ACME_TOKEN_MAX + 1];

    (void)state;
    memset(longest, 'a', sizeof(longest));
    assert_true(
        acme_token_ok("LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0", 43));
    assert_true(acme_token_ok("-", 1));
    assert_true(acme_token_ok(longest, ACME_TOKEN_MAX));
    assert_false(acme_token_ok(longest, ACME_TOKEN_MAX + 1));
    assert_false(acme_token_ok("", 0));
    assert_false(acme_token_ok("..", 2));
    assert_false(acme_token_ok("a/b", 3));
    assert_false(acme_token_ok("a\nb", 3));
    assert_false(acme_token_ok("ab\n", 3));
    assert_false(acme_token_ok("a\0b", 3));
    assert_false(acme_token_ok("<b>", 3));
    assert_false(acme_token_ok("\xc3\xa4", 2));
    assert_true(acme_base64_is(longest, sizeof(longest)));
    assert_false(acme_base64_is("", 0));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_go_both_ways),
        cmocka_unit_test(malformed_is_refused),
        cmocka_unit_test(bounds_hold),
        cmocka_unit_test(tokens_are_base64url_and_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
