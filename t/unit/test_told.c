/*
 * What a store remembers of hooks and events: bounded, and printable whatever
 * is in the file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "state/acme_told.h"

static struct acme_told told, back;
static struct acme_error err;

static void
add(const char *stage, const char *text)
{
    struct acme_told_hook hook;

    memset(&hook, 0, sizeof(hook));
    (void)snprintf(hook.stage, sizeof(hook.stage), "%s", stage);
    (void)snprintf(hook.text, sizeof(hook.text), "%s", text);
    hook.at = 1700000000;
    acme_told_add(&told, &hook);
}

static int
setup(void **state)
{
    (void)state;
    memset(&told, 0, sizeof(told));
    acme_error_clear(&err);
    return 0;
}

static void
test_last_run_of_each_stage(void **state)
{
    (void)state;
    add("pre", "one");
    add("deploy", "two");
    add("deploy", "three");
    acme_told_begin(&told, "deploy");
    add("deploy", "four");
    assert_int_equal(told.nhooks, 2);
    assert_string_equal(told.hook[0].text, "one");
    assert_string_equal(told.hook[1].text, "four");
}

static void
test_bounds(void **state)
{
    char word[32];
    size_t i;

    (void)state;
    for (i = 0; i < 100; i++) {
        add("post", "x");
        (void)snprintf(word, sizeof(word), "word-%zu", i);
        acme_told_note(&told, word, (time_t)i + 1);
    }
    assert_int_equal(told.nhooks, ACME_TOLD_HOOKS_MAX);
    assert_int_equal(told.nevents, ACME_TOLD_EVENTS_MAX);
    assert_int_equal(acme_told_at(&told, "word-3"), 4);
    assert_int_equal(acme_told_at(&told, "word-99"), 0);
    acme_told_note(&told, "word-3", 1000);
    assert_int_equal(acme_told_at(&told, "word-3"), 1000);
}

static void
test_there_and_back(void **state)
{
    struct acme_buf out;

    (void)state;
    acme_buf_init(&out, (size_t)1 << 20);
    add("deploy", "reload \"it\"");
    strcpy(told.hook[0].error, "exit status 3");
    strcpy(told.hook[0].tail, "the end");
    told.hook[0].ms = 17;
    acme_told_note(&told, "renewed", 1700000001);
    assert_int_equal(acme_told_render(&told, &out, &err), ACME_OK);
    acme_told_parse(acme_buf_str(&out), out.len, &back);
    assert_memory_equal(&back.hook[0], &told.hook[0], sizeof(told.hook[0]));
    assert_int_equal(back.nhooks, 1);
    assert_int_equal(acme_told_at(&back, "renewed"), 1700000001);
    acme_buf_clear(&out);
}

/* Somebody else's words in it do nothing to a terminal. */
static void
test_planted(void **state)
{
    static const char text[] =
        "{\"events\": {\"renewed\": 7, \"x\": \"2026-01-01T00:00:00Z\"},"
        " \"hooks\": [7, {\"stage\": \"a-very-long-name-of-a-stage\","
        " \"command\": \"\\u001b]0;x\\u0007\\nline\", \"output\": []}]}";
    static const char *const bad[] = { "", "[]", "7", "{", "{\"hooks\": 7}",
        "{\"events\": []}" };
    size_t i;

    (void)state;
    acme_told_parse(text, strlen(text), &back);
    assert_int_equal(back.nevents, 0);
    assert_int_equal(back.nhooks, 2);
    assert_null(strpbrk(back.hook[1].text, "\033\007\n"));
    assert_true(strlen(back.hook[1].stage) < sizeof(back.hook[1].stage));
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        acme_told_parse(bad[i], strlen(bad[i]), &back);
        assert_int_equal(back.nhooks + back.nevents, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_last_run_of_each_stage, setup),
        cmocka_unit_test_setup(test_bounds, setup),
        cmocka_unit_test_setup(test_there_and_back, setup),
        cmocka_unit_test_setup(test_planted, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
