/* acme_json_flat.h: what is read, and that nothing beside it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/acme_limits.h"
#include "wrap/acme_json_flat.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Of memory that ends where the text does. */
static char *
copy(const char *text)
{
    char *own = malloc(strlen(text) + (text[0] == '\0'));

    assert_non_null(own);
    memcpy(own, text, strlen(text));
    return own;
}

static void
test_values(void **state)
{
    static const char json[] =
        " {\"a\":\"x\", \"b\":[1,\"two\",[],{},true] ,\"c\":{\"d\":"
        "\"deep\"},\"t\":true,\"f\":false,\"n\":null,\"e\":\"\"}\n";
    struct acme_json_flat *flat = acme_json_flat_new(1000);
    char *text = copy(json);
    const struct acme_json_value *root, *at;

    (void)state;
    root = acme_json_flat_read(flat, text, strlen(json));
    assert_non_null(root);
    assert_string_equal(acme_json_flat_text(acme_json_flat_get(root, "a")),
        "x");
    assert_string_equal(acme_json_flat_text(acme_json_flat_get(root, "e")),
        "");
    assert_string_equal(acme_json_flat_text(acme_json_flat_get(
                            acme_json_flat_get(root, "c"), "d")),
        "deep");
    assert_true(acme_json_flat_true(acme_json_flat_get(root, "t")));
    assert_false(acme_json_flat_true(acme_json_flat_get(root, "f")));
    assert_false(acme_json_flat_true(acme_json_flat_get(root, "n")));
    assert_null(acme_json_flat_get(root, "x"));
    assert_null(acme_json_flat_text(acme_json_flat_get(root, "b")));
    at = acme_json_flat_first(acme_json_flat_get(root, "b"));
    assert_non_null(at);
    assert_null(acme_json_flat_text(at));
    at = acme_json_flat_next(at);
    assert_string_equal(acme_json_flat_text(at), "two");
    at = acme_json_flat_next(at);
    assert_null(acme_json_flat_first(at));
    at = acme_json_flat_next(acme_json_flat_next(at));
    assert_true(acme_json_flat_true(at));
    assert_null(acme_json_flat_next(at));
    assert_null(acme_json_flat_get(at, "x"));
    assert_null(acme_json_flat_get(NULL, "x"));
    assert_null(acme_json_flat_first(NULL));
    assert_null(acme_json_flat_next(NULL));
    free(text);
    acme_json_flat_free(flat);
}

static void
test_strings(void **state)
{
    static const struct {
        const char *json, *text;
    } row[] = { { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t" },
        { "\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\"",
            "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" },
        { "\"\\u001B[\\u001b\"", "\x1b[\x1b" },
        { "\"\xe2\x82\xac\"", "\xe2\x82\xac" }, { "\"\"", "" } };
    struct acme_json_flat *flat = acme_json_flat_new(100);
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(row); i++) {
        char *text = copy(row[i].json);
        const struct acme_json_value *value =
            acme_json_flat_read(flat, text, strlen(row[i].json));

        assert_non_null(value);
        assert_string_equal(acme_json_flat_text(value), row[i].text);
        free(text);
    }
    acme_json_flat_free(flat);
}

static void
test_garbage(void **state)
{
    static const char *const garbage[] = { "", " ", "{", "[", "}", "]", "\"",
        "\"a", "\"\\", "\"\\\"", "\"\\x\"", "\"\\u\"", "\"\\u12\"",
        "\"\\u12g4\"", "\"\\u0000\"", "\"\\ud83d\"", "\"\\ud83dx\"",
        "\"\\ud83d\\u0041\"", "\"\\ude00\"", "{\"a\"}", "{\"a\":}",
        "{\"a\":1,}", "{a:1}", "{1:1}", "[1,]", "[,1]", "[1 2]", "[1}",
        "{\"a\":1]", "1 2", "{}{}", ",", ":", "[1:2]" };
    struct acme_json_flat *flat = acme_json_flat_new(100);
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(garbage); i++) {
        char *text = copy(garbage[i]);

        if (acme_json_flat_read(flat, text, strlen(garbage[i])) != NULL)
            fail_msg("\"%s\" was read", garbage[i]);
        free(text);
    }
    acme_json_flat_free(flat);
}

static void
test_bounds(void **state)
{
    struct acme_json_flat *flat = acme_json_flat_new(1001);
    char text[1002];
    size_t i;

    (void)state;

    /* as many values as fit */
    memset(text, ',', sizeof(text));
    for (i = 1; i < 1000; i += 2)
        text[i] = '1';
    text[0] = '[';
    text[1000] = ']';
    assert_non_null(acme_json_flat_read(flat, text, 1001));
    assert_null(acme_json_flat_read(flat, text, 1002));

    /* as deep as they may be */
    for (i = 0; i < ACME_JSON_DEPTH_MAX; i++) {
        text[i] = '[';
        text[ACME_JSON_DEPTH_MAX + i] = ']';
    }
    assert_non_null(acme_json_flat_read(flat, text, 2 * ACME_JSON_DEPTH_MAX));
    memset(text, '[', sizeof(text));
    assert_null(acme_json_flat_read(flat, text, 1001));
    for (i = 0; i < 1001; i++)
        text[i] = i <= ACME_JSON_DEPTH_MAX ? '[' : ']';
    assert_null(
        acme_json_flat_read(flat, text, 2 * (ACME_JSON_DEPTH_MAX + 1)));
    acme_json_flat_free(flat);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
