/*
 * INI files as Certbot and acme.sh write them: what a line says, and what is
 * no such file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "state/acme_ini.h"

static struct acme_arena *arena;
static struct acme_ini ini;
static struct acme_error err;

static int
setup(void **state)
{
    (void)state;
    arena = acme_arena_new();
    memset(&ini, 0, sizeof(ini));
    acme_error_clear(&err);
    return arena == NULL;
}

static int
teardown(void **state)
{
    (void)state;
    acme_arena_free(arena);
    return 0;
}

static void
test_values(void **state)
{
    static const struct {
        const char *line, *values; /* with bars between */
    } rows[] = {
        { "a = b", "b" },
        { "a=b", "b" },
        { "a = b # comment", "b" },
        { "a = b c, d", "b c|d" },
        { "a = b,", "b" },
        { "a = ,", "" },
        { "a =", "" },
        { "a = \"b, c # d\"", "b, c # d" },
        { "a = 'it \"is\"', x # y", "it \"is\"|x" },
        { "a = '''x\ny'''", "x\ny" },
        { "a = echo \"x\" y", "echo \"x\" y" },
        { "'a' = b\r", "b" },
    };
    char text[100];
    size_t i, k, n;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct acme_ini_item *item;

        assert_int_equal(acme_ini_parse(arena, rows[i].line,
                             strlen(rows[i].line), &ini, &err),
            ACME_OK);
        item = acme_ini_find(&ini, "", "a");
        assert_non_null(item);
        text[0] = '\0';
        for (k = n = 0; k < item->nvalues; k++)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s",
                k > 0 ? "|" : "", item->value[k]);
        assert_string_equal(text, rows[i].values);
    }
}

static void
test_sections(void **state)
{
    static const char text[] = "# top\nversion = 1\n\n[one]\nx = 1\n"
                               "  [[map]] # inner\na.test = /www\n"
                               "[two]\nx = 2\nx = 3\n";

    (void)state;
    assert_int_equal(acme_ini_parse(arena, text, strlen(text), &ini, &err),
        ACME_OK);
    assert_int_equal(ini.nitems, 5);
    assert_string_equal(acme_ini_text(&ini, "", "version"), "1");
    assert_string_equal(acme_ini_text(&ini, "one", "x"), "1");
    assert_string_equal(acme_ini_text(&ini, "one/map", "a.test"), "/www");
    assert_string_equal(acme_ini_text(&ini, "two", "x"), "3");
    assert_int_equal(acme_ini_find(&ini, "two", "x")->line, 10);
    assert_null(acme_ini_text(&ini, "", "x"));
}

static void
test_malformed(void **state)
{
    static const struct {
        const char *text, *what;
    } rows[] = {
        { "x", "line 1: neither" },
        { "\n= x", "line 2: a value without a name" },
        { "a = 'x", "a quote has no end" },
        { "a = 'x\n'", "a quote has no end" },
        { "a = 'x' y", "text behind a quoted value" },
        { "[x", "no section" },
        { "[[x]]", "no section" },
        { "[x] y", "text behind a section" },
        { "[]", "no section" },
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        acme_error_clear(&err);
        assert_int_equal(acme_ini_parse(arena, rows[i].text,
                             strlen(rows[i].text), &ini, &err),
            ACME_CONFIG);
        assert_non_null(strstr(err.what, rows[i].what));
    }
    acme_error_clear(&err);
    assert_int_equal(acme_ini_parse(arena, "a\0b", 3, &ini, &err),
        ACME_CONFIG);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sections, setup, teardown),
        cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
