#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wrap/acme_json.h"

static struct acme_error err;

static int
before_each(void **state)
{
    (void)state;
    acme_error_clear(&err);
    return 0;
}

static struct acme_json *
parse(const char *text)
{
    struct acme_json *root = NULL;

    if (acme_json_parse(text, strlen(text), "test", &root, &err) != ACME_OK)
        fail_msg("%s", err.what);
    return root;
}

static void
assert_refused(const char *text, size_t len, const char *reason)
{
    struct acme_json *root = NULL;

    acme_error_clear(&err);
    if (acme_json_parse(text, len, "test", &root, &err) != ACME_WIRE)
        fail_msg("\"%.20s\" was taken", text);
    assert_null(root);
    if (strstr(err.what, reason) == NULL)
        fail_msg("%s", err.what);
}

static void
members_are_found_by_type(void **state)
{
    struct acme_json *root =
        parse("{\"s\":\"text\",\"i\":-42,\"big\":9223372036854775807,"
              "\"r\":1.5,\"t\":true,\"f\":false,\"n\":null,\"a\":[\"x\",1],"
              "\"o\":{\"s\":\"inner\"},\"e\":\"\\u00e4\\n\"}");
    const struct acme_json *o = acme_json_get(root, "o");
    const struct acme_json *a = acme_json_get(root, "a");

    (void)state;
    assert_string_equal(acme_json_str(root, "s"), "text");
    assert_string_equal(acme_json_str(root, "e"), "\xc3\xa4\n");
    assert_null(acme_json_str(root, "i"));
    assert_null(acme_json_str(root, "absent"));
    assert_null(acme_json_str(root, "o"));
    assert_true(acme_json_int(root, "i", 7) == -42);
    assert_true(acme_json_int(root, "big", 7) == INT64_MAX);
    assert_true(acme_json_int(root, "r", 7) == 7);
    assert_true(acme_json_int(root, "s", 7) == 7);
    assert_true(acme_json_int(root, "absent", -1) == -1);
    assert_true(acme_json_bool(root, "t", false));
    assert_false(acme_json_bool(root, "f", true));
    assert_true(acme_json_bool(root, "n", true));
    assert_true(acme_json_bool(root, "absent", true));
    assert_true(acme_json_is_object(o));
    assert_string_equal(acme_json_str(o, "s"), "inner");
    assert_false(acme_json_is_object(a));
    assert_int_equal(acme_json_count(a), 2);
    assert_string_equal(acme_json_text(acme_json_at(a, 0)), "x");
    assert_null(acme_json_text(acme_json_at(a, 1)));
    assert_null(acme_json_at(a, 2));
    assert_int_equal(acme_json_count(o), 0);
    assert_null(acme_json_at(o, 0));
    acme_json_free(root);
}

static void
nothing_has_nothing(void **state)
{
    (void)state;
    assert_null(acme_json_get(NULL, "a"));
    assert_null(acme_json_str(NULL, "a"));
    assert_true(acme_json_int(NULL, "a", 5) == 5);
    assert_int_equal(acme_json_count(NULL), 0);
    assert_null(acme_json_text(NULL));
    assert_false(acme_json_is_object(NULL));
    assert_null(acme_json_next(NULL, NULL));
    assert_null(acme_json_copy(NULL));
    acme_json_free(NULL);
}

static void
needed_strings_are_bounded(void **state)
{
    struct acme_json *root = parse("{\"a\":\"12345\",\"n\":1,\"e\":\"\"}");
    const char *value = "untouched";

    (void)state;
    assert_int_equal(acme_json_need_str(root, "n", 9, &value, &err),
        ACME_WIRE);
    assert_string_equal(err.what, "member \"n\" is not a string");
    acme_error_clear(&err);
    assert_int_equal(acme_json_need_str(root, "x", 9, &value, &err),
        ACME_WIRE);
    assert_string_equal(err.what, "member \"x\" is missing");
    acme_error_clear(&err);
    assert_int_equal(acme_json_need_str(root, "e", 9, &value, &err),
        ACME_WIRE);
    assert_string_equal(err.what, "member \"e\" is empty");
    acme_error_clear(&err);
    assert_int_equal(acme_json_need_str(root, "a", 4, &value, &err),
        ACME_WIRE);
    assert_string_equal(err.what, "member \"a\" is too long");
    assert_string_equal(value, "untouched");
    acme_error_clear(&err);
    assert_int_equal(acme_json_need_str(root, "a", 5, &value, &err), ACME_OK);
    assert_string_equal(value, "12345");
    acme_json_free(root);
}

static void
members_come_in_their_order(void **state)
{
    static const char *const names[] = { "z", "a", "m" };
    struct acme_json *root = parse("{\"z\":1,\"a\":\"2\",\"m\":[]}");
    struct acme_json *empty = parse("{}");
    void *iter = NULL;
    size_t n = 0;

    (void)state;
    while ((iter = acme_json_next(root, iter)) != NULL) {
        assert_string_equal(acme_json_iter_name(iter), names[n]);
        assert_ptr_equal(acme_json_iter_value(iter),
            acme_json_get(root, names[n]));
        n++;
    }
    assert_int_equal(n, 3);
    assert_null(acme_json_next(empty, NULL));
    acme_json_free(empty);
    acme_json_free(root);
}

static void
malformed_is_refused(void **state)
{
    static const char *const bad[] = { "", " ", "{", "[", "{\"a\":1", "]",
        "}{", "{\"a\":1,}", "{\"a\" 1}", "{a:1}", "[1,2,]", "1", "\"text\"",
        "{\"a\":\"\x01\"}", "{\"a\":\"\xff\"}", "{\"a\":\"\\u0000\"}",
        "{\"a\\u0000\":1}", "{} x", "{\"a\":\"\\ud800\"}",
        "[99999999999999999999999]", "[1e999]", "[\"unterminated" };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_refused(bad[i], strlen(bad[i]), "test: malformed JSON at line");
    assert_refused("{}\0", 3, "malformed");
    assert_refused("{\"a\":\"b\0\"}", 10, "malformed");
    /* security E10: accepted by jansson's default */
    assert_refused("{\"a\":1,\"a\":2}", 13, "malformed JSON at line 1");
    assert_refused("{\n \"b\":{\"a\":1,\n\"a\":2}}", 22, "line 3, column 3");
}

/* jansson's own text is: ... near '"CANARY"'. */
static void
input_is_not_quoted(void **state)
{
    static const char text[] = "{\"mac_key\": \"SECRET\" \"CANARY\"}";

    (void)state;
    assert_refused(text, strlen(text), "line 1, column");
    assert_null(strstr(err.what, "CANARY"));
    assert_null(strstr(err.what, "SECRET"));
}

static void
fill(char *text, char c, size_t n)
{
    memset(text, c, n);
    text[n] = '\0';
}

static void
depth_is_bounded(void **state)
{
    char text[5000];
    size_t n;

    (void)state;
    for (n = 1; n <= ACME_JSON_DEPTH_MAX; n++) {
        fill(text, '[', n);
        fill(text + n, ']', n);
        acme_json_free(parse(text));
    }
    fill(text, '[', ACME_JSON_DEPTH_MAX + 1);
    fill(text + n, ']', ACME_JSON_DEPTH_MAX + 1);
    assert_refused(text, strlen(text), "nested too deeply");
    fill(text, '[', 2047);
    assert_refused(text, strlen(text), "nested too deeply");
    for (n = 0; n < 40; n += 2)
        memcpy(text + n * 5 / 2, "{\"a\":", 6);
    assert_refused(text, strlen(text), "nested too deeply");
    /* brackets in a string nest nothing, quotes in it do not end it */
    acme_json_free(
        parse("[\"[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[[[[[[[[[[[[[[\"]"));
    acme_json_free(parse("[\"\\\\\",[],[],[],[],[],[],[],[],[],[],[],[],[],[],"
                         "[],[],[],[],[],[]]"));
    strcpy(text, "[\"\\\\\",");
    fill(text + 6, '[', 20);
    assert_refused(text, strlen(text), "nested too deeply");
    strcpy(text, "[\"\\");
    assert_refused(text, strlen(text), "malformed");
}

static void
size_is_bounded(void **state)
{
    static char text[ACME_JSON_MAX + 2];
    size_t i;

    (void)state;
    fill(text, ' ', ACME_JSON_MAX);
    memcpy(text, "[]", 2);
    acme_json_free(parse(text));
    fill(text + 2, ' ', ACME_JSON_MAX - 1);
    assert_refused(text, strlen(text), "JSON too long");
    text[0] = '[';
    for (i = 1; i < 2 * ACME_JSON_VALUES_MAX; i += 2)
        memcpy(text + i, "1,", 2);
    memcpy(text + i, "1]", 3);
    assert_refused(text, strlen(text), "too many values");
    memcpy(text + 2 * ACME_JSON_VALUES_MAX - 2, "1]", 3);
    acme_json_free(parse(text));
}

static void
assert_renders(const struct acme_json *root, bool indent, const char *expected)
{
    struct acme_buf out;

    acme_buf_init(&out, 10000);
    assert_int_equal(acme_json_render(root, indent, &out, &err), ACME_OK);
    assert_string_equal(acme_buf_str(&out), expected);
    acme_buf_clear(&out);
}

static struct acme_json *
build(void)
{
    struct acme_json *root = acme_json_object();
    struct acme_json *names = acme_json_array();
    struct acme_json *inner = acme_json_object();

    acme_json_set_str(root, "z", "first \"\\/\n\x11\xc3\xa4");
    acme_json_set_str(root, "absent", NULL);
    acme_json_set_int(root, "i", INT64_MIN);
    acme_json_set_bool(root, "b", true);
    acme_json_set_time(root, "t", 1795262400);
    acme_json_set_time(root, "never", 0);
    acme_json_set(root, "names", names);
    acme_json_append_str(names, "a.example"); /* behind it is set */
    acme_json_append(names, inner);
    acme_json_set(inner, "empty", acme_json_array());
    acme_json_set(inner, "none", acme_json_object());
    return root;
}

static const char compact[] =
    "{\"z\":\"first \\\"\\\\/\\n\\u0011\xc3\xa4\",\"i\":-9223372036854775808,"
    "\"b\":true,\"t\":\"2026-11-21T12:00:00Z\",\"names\":[\"a.example\","
    "{\"empty\":[],\"none\":{}}]}";

static void
documents_are_built_and_rendered(void **state)
{
    struct acme_json *root = build();
    struct acme_json *parsed = parse(compact);
    struct acme_json *copy = acme_json_copy(root);

    (void)state;
    assert_renders(root, false, compact);
    assert_renders(parsed, false, compact);
    assert_renders(root, true,
        "{\n"
        "  \"z\": \"first \\\"\\\\/\\n\\u0011\xc3\xa4\",\n"
        "  \"i\": -9223372036854775808,\n"
        "  \"b\": true,\n"
        "  \"t\": \"2026-11-21T12:00:00Z\",\n"
        "  \"names\": [\n"
        "    \"a.example\",\n"
        "    {\n"
        "      \"empty\": [],\n"
        "      \"none\": {}\n"
        "    }\n"
        "  ]\n"
        "}\n");
    acme_json_free(root);
    assert_renders(copy, false, compact);
    acme_json_free(copy);
    acme_json_free(parsed);
}

static void
a_copy_is_independent(void **state)
{
    struct acme_json *root = parse("{\"a\":{\"b\":[1,null,2.5]}}");
    struct acme_json *copy = acme_json_copy(acme_json_get(root, "a"));

    (void)state;
    acme_json_free(root);
    acme_json_set_int(copy, "c", 3);
    assert_renders(copy, false, "{\"b\":[1,null,2.5],\"c\":3}");
    acme_json_free(copy);
}

static void
a_set_member_is_replaced_in_place(void **state)
{
    struct acme_json *root = parse("{\"a\":1,\"b\":[2],\"c\":3}");

    (void)state;
    acme_json_set_str(root, "b", "x");
    acme_json_set_int(root, "c", 4);
    acme_json_set_int(root, "d", 5);
    assert_renders(root, false, "{\"a\":1,\"b\":\"x\",\"c\":4,\"d\":5}");
    acme_json_free(root);
}

static void
many_members_stay_in_order(void **state)
{
    struct acme_json *root = acme_json_array();
    char text[16];
    int i;

    (void)state;
    for (i = 0; i < 1000; i++) {
        snprintf(text, sizeof(text), "%d", i);
        acme_json_append_str(root, text);
    }
    assert_int_equal(acme_json_count(root), 1000);
    for (i = 0; i < 1000; i++)
        assert_int_equal(atoi(acme_json_text(acme_json_at(root, (size_t)i))),
            i);
    acme_json_free(root);
}

static void
times_are_read(void **state)
{
    struct acme_json *root =
        parse("{\"t\":\"2026-11-21T12:00:00Z\",\"x\":\"yesterday\",\"n\":5}");

    (void)state;
    assert_true(acme_json_time(root, "t") == 1795262400);
    assert_true(acme_json_time(root, "x") == 0);
    assert_true(acme_json_time(root, "n") == 0);
    assert_true(acme_json_time(root, "absent") == 0);
    acme_json_free(root);
}

static void
assert_failed(struct acme_json *root)
{
    struct acme_buf out;

    acme_error_clear(&err);
    acme_buf_init(&out, 10000);
    assert_int_equal(acme_json_render(root, false, &out, &err), ACME_NOMEM);
    assert_null(acme_json_copy(root));
    acme_buf_clear(&out);
    acme_json_free(root);
}

/* Whatever went wrong, and however deep, render tells. */
static void
failures_are_remembered(void **state)
{
    struct acme_json *root = acme_json_object();
    struct acme_json *inner = acme_json_array();

    (void)state;
    acme_json_set(root, "a", NULL);
    acme_json_set_int(root, "a", 1);
    assert_failed(root);

    root = acme_json_object();
    acme_json_set(root, "a", inner);
    acme_json_append(inner, NULL);
    assert_failed(root);

    root = acme_json_object();
    acme_json_set_str(root, "a", "\xff"); /* would not be read back */
    assert_failed(root);

    acme_json_set(NULL, "a", acme_json_object());
    acme_json_append(NULL, acme_json_object());
    acme_json_set_str(NULL, "a", "b");
    assert_failed(NULL);
}

static void
a_full_buffer_is_an_error(void **state)
{
    struct acme_json *root = build();
    struct acme_buf out;
    size_t max;

    (void)state;
    for (max = 0; max < strlen(compact); max++) {
        acme_error_clear(&err);
        acme_buf_init(&out, max);
        assert_int_equal(acme_json_render(root, false, &out, &err),
            ACME_NOMEM);
        acme_buf_clear(&out);
    }
    acme_json_free(root);
}

#define test(f) cmocka_unit_test_setup(f, before_each)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        test(members_are_found_by_type),
        test(nothing_has_nothing),
        test(needed_strings_are_bounded),
        test(members_come_in_their_order),
        test(malformed_is_refused),
        test(input_is_not_quoted),
        test(depth_is_bounded),
        test(size_is_bounded),
        test(documents_are_built_and_rendered),
        test(a_copy_is_independent),
        test(a_set_member_is_replaced_in_place),
        test(many_members_stay_in_order),
        test(times_are_read),
        test(failures_are_remembered),
        test(a_full_buffer_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
