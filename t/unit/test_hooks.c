/*
 * What is to be run for a lineage: the words of directives, merging, JSON.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "state/acme_hooks.h"

static struct acme_error err;
static struct acme_arena *arena;

static int
setup(void **state)
{
    (void)state;
    acme_error_clear(&err);
    arena = acme_arena_new();
    return arena == NULL;
}

static int
teardown(void **state)
{
    (void)state;
    acme_arena_free(arena);
    return 0;
}

/* The words are separated by "|", as a command line has spaces. */
static enum acme_rc
set(struct acme_hooks *hooks, enum acme_hooks_item item, const char *text)
{
    char *copy = acme_arena_strdup(arena, text), *at;
    const char *word[32];
    size_t n = 0;

    for (at = strtok(copy, "|"); at != NULL; at = strtok(NULL, "|"))
        word[n++] = at;
    acme_error_clear(&err);
    return acme_hooks_set(hooks, item, word, n, &err);
}

static void
assert_refused(enum acme_hooks_item item, const char *before, const char *text,
    const char *why)
{
    struct acme_hooks hooks, same;

    acme_hooks_init(&hooks);
    if (before != NULL)
        assert_int_equal(set(&hooks, item, before), ACME_OK);
    same = hooks;
    assert_int_equal(set(&hooks, item, text), ACME_CONFIG);
    if (strstr(err.what, why) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.what, why);
    assert_int_equal(hooks.said, same.said);
}

static void
words_of_hooks_are_kept(void **state)
{
    struct acme_hooks hooks;
    char text[64];

    (void)state;
    acme_hooks_init(&hooks);
    assert_false(acme_hooks_any(&hooks));
    assert_int_equal(set(&hooks, ACME_HOOKS_DEPLOY, "systemctl reload x"),
        ACME_OK);
    assert_int_equal(set(&hooks, ACME_HOOKS_DEPLOY, "/bin/copy|a b"), ACME_OK);
    assert_int_equal(hooks.n[ACME_HOOKS_DEPLOY], 2);
    assert_int_equal(hooks.list[ACME_HOOKS_DEPLOY][0].nwords, 1);
    assert_int_equal(hooks.list[ACME_HOOKS_DEPLOY][1].nwords, 2);
    assert_string_equal(hooks.list[ACME_HOOKS_DEPLOY][1].word[1], "a b");
    assert_string_equal(
        acme_hook_text(&hooks.list[ACME_HOOKS_DEPLOY][1], text, sizeof(text)),
        "/bin/copy a b");
    assert_true(acme_hooks_any(&hooks));
}

static void
settings_are_read(void **state)
{
    struct acme_hooks hooks;

    (void)state;
    acme_hooks_init(&hooks);
    assert_true(hooks.directories && hooks.validation);
    assert_int_equal(acme_hooks_warn_window(&hooks, 1000), 100);
    assert_int_equal(set(&hooks, ACME_HOOKS_DIRECTORIES, "off"), ACME_OK);
    assert_int_equal(set(&hooks, ACME_HOOKS_VALIDATION, "OFF"), ACME_OK);
    assert_int_equal(set(&hooks, ACME_HOOKS_TIMEOUT, "2m"), ACME_OK);
    assert_int_equal(set(&hooks, ACME_HOOKS_WARN_WINDOW, "7d"), ACME_OK);
    assert_false(hooks.directories || hooks.validation);
    assert_int_equal(hooks.timeout, 120);
    assert_int_equal(acme_hooks_warn_window(&hooks, 1000), 7 * 86400);
    assert_int_equal(set(&hooks, ACME_HOOKS_WARN_WINDOW, "36h"), ACME_OK);
    assert_int_equal(acme_hooks_warn_window(&hooks, 1000), 36 * 3600);
    assert_int_equal(set(&hooks, ACME_HOOKS_WARN_WINDOW, "50%"), ACME_OK);
    assert_int_equal(acme_hooks_warn_window(&hooks, 90 * 86400), 45 * 86400);
}

static void
bad_words_are_refused_with_the_cure(void **state)
{
    (void)state;
    assert_refused(ACME_HOOKS_PRE, NULL, "", "it needs a command");
    assert_refused(ACME_HOOKS_PRE, NULL, "  ", "\"  \": the command is empty");
    assert_refused(ACME_HOOKS_PRE, "x", "none", "there is a command beside");
    assert_refused(ACME_HOOKS_PRE, "none", "x", "there is \"none\" beside it");
    assert_refused(ACME_HOOKS_EVENT, "x", "y", "one command too many");
    assert_refused(ACME_HOOKS_POST, NULL, "1|2|3|4|5|6|7|8|9|a|b|c|d|e|f|g|h",
        "\"h\": it is one word too many");
    assert_refused(ACME_HOOKS_DIRECTORIES, NULL, "maybe", "on or off");
    assert_refused(ACME_HOOKS_DIRECTORIES, NULL, "on|on", "it needs one");
    assert_refused(ACME_HOOKS_TIMEOUT, NULL, "0", "1 to 3600 seconds");
    assert_refused(ACME_HOOKS_TIMEOUT, NULL, "2h", "1 to 3600 seconds");
    assert_refused(ACME_HOOKS_WARN_WINDOW, NULL, "100%", "1% to 99%");
    assert_refused(ACME_HOOKS_WARN_WINDOW, NULL, "7w", "days such as 7d");
    assert_refused(ACME_HOOKS_WARN_WINDOW, NULL, "-1", "days such as 7d");
    assert_refused(ACME_HOOKS_MIRROR, "x", "y", "one command too many");
    assert_refused(ACME_HOOKS_MIRROR, "none", "y", "\"none\" beside it");
    assert_refused(ACME_HOOKS_MIRROR_FAILURE, NULL, "no", "retry or ignore");
    assert_refused(ACME_HOOKS_TRACKING, NULL, "dir", "file:/DIRECTORY");
    assert_refused(ACME_HOOKS_TRACKING, NULL, "file:dir", "file:/DIRECTORY");
    assert_refused(ACME_HOOKS_TRACKING, NULL, "cmd:", "cmd:/PROGRAM");
    assert_refused(ACME_HOOKS_TRACKING, NULL, "file:/a|b", "stands alone");
    assert_refused(ACME_HOOKS_TRACKING_DATA, NULL, "key", "csr, crt, lineage");
    assert_refused(ACME_HOOKS_TRACKING_DATA, NULL, "csr|none", "none alone");
    assert_refused(ACME_HOOKS_TRACKING_REQUIRED, NULL, "x", "on or off");
}

static void
stages_have_names(void **state)
{
    enum acme_hooks_item item;

    (void)state;
    acme_error_clear(&err);
    assert_int_equal(acme_hooks_stage("Deploy", &item, &err), ACME_OK);
    assert_int_equal(item, ACME_HOOKS_DEPLOY);
    assert_int_equal(acme_hooks_stage("event", &item, &err), ACME_CONFIG);
    assert_non_null(strstr(err.what, "pre, deploy or post"));
}

static void
what_is_not_said_is_inherited(void **state)
{
    struct acme_hooks narrow, wide;

    (void)state;
    acme_hooks_init(&narrow);
    acme_hooks_init(&wide);
    (void)set(&wide, ACME_HOOKS_PRE, "wide");
    (void)set(&wide, ACME_HOOKS_DEPLOY, "wide");
    (void)set(&wide, ACME_HOOKS_TIMEOUT, "7");
    (void)set(&narrow, ACME_HOOKS_DEPLOY, "none");
    (void)set(&narrow, ACME_HOOKS_POST, "narrow");
    acme_hooks_merge(&narrow, &wide);
    assert_int_equal(narrow.n[ACME_HOOKS_PRE], 1);
    assert_int_equal(narrow.n[ACME_HOOKS_DEPLOY], 0);
    assert_int_equal(narrow.n[ACME_HOOKS_POST], 1);
    assert_int_equal(narrow.timeout, 7);
}

static void
json_says_the_same(void **state)
{
    struct acme_hooks hooks, back;
    struct acme_json *json;

    (void)state;
    acme_hooks_init(&hooks);
    (void)set(&hooks, ACME_HOOKS_PRE, "none");
    (void)set(&hooks, ACME_HOOKS_DEPLOY, "one line");
    (void)set(&hooks, ACME_HOOKS_DEPLOY, "two|words");
    (void)set(&hooks, ACME_HOOKS_EVENT, "/bin/event");
    (void)set(&hooks, ACME_HOOKS_DIRECTORIES, "off");
    (void)set(&hooks, ACME_HOOKS_VALIDATION, "off");
    (void)set(&hooks, ACME_HOOKS_TIMEOUT, "9");
    (void)set(&hooks, ACME_HOOKS_WARN_WINDOW, "3d");
    (void)set(&hooks, ACME_HOOKS_MIRROR, "/bin/mirror|a b");
    (void)set(&hooks, ACME_HOOKS_MIRROR_FAILURE, "Ignore");
    (void)set(&hooks, ACME_HOOKS_TRACKING, "cmd:/bin/track|a b");
    (void)set(&hooks, ACME_HOOKS_TRACKING_DATA, "lineage|CSR");
    (void)set(&hooks, ACME_HOOKS_TRACKING_REQUIRED, "on");
    assert_true(hooks.mirror_ignore && hooks.tracking_required);
    assert_string_equal(hooks.list[ACME_HOOKS_TRACKING][0].word[0],
        "/bin/track");
    assert_int_equal(hooks.tracking_data,
        1u << ACME_TRACK_CSR | 1u << ACME_TRACK_LINEAGE);
    json = acme_hooks_render(&hooks);
    assert_int_equal(acme_hooks_parse(arena, json, &back, &err), ACME_OK);
    assert_true(acme_hooks_equal(&hooks, &back));
    back.list[ACME_HOOKS_DEPLOY][1].word[1] = "others";
    assert_false(acme_hooks_equal(&hooks, &back));
    (void)acme_hooks_parse(arena, json, &back, &err);
    back.mirror_ignore = false;
    assert_false(acme_hooks_equal(&hooks, &back));
    (void)acme_hooks_parse(arena, json, &back, &err);
    back.tracking_data = 0;
    assert_false(acme_hooks_equal(&hooks, &back));
    (void)acme_hooks_parse(arena, json, &back, &err);
    back.tracking_required = false;
    assert_false(acme_hooks_equal(&hooks, &back));
    acme_json_free(json);
    assert_int_equal(acme_hooks_parse(arena, NULL, &back, &err), ACME_OK);
    assert_int_equal(back.said, 0);
}

static void
malformed_json_is_refused(void **state)
{
    static const char *const bad[] = { "{\"pre\":\"x\"}", "{\"pre\":[\"x\"]}",
        "{\"pre\":[[1]]}", "{\"pre\":[[]]}", "{\"timeout\":[]}",
        "{\"timeout\":\"-1\"}", "{\"event\":[[\"a\"],[\"b\"]]}" };
    struct acme_hooks hooks;
    struct acme_json *json;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        acme_error_clear(&err);
        assert_int_equal(
            acme_json_parse(bad[i], strlen(bad[i]), "test", &json, &err),
            ACME_OK);
        if (acme_hooks_parse(arena, json, &hooks, &err) != ACME_WIRE)
            fail_msg("%s", bad[i]);
        acme_json_free(json);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_of_hooks_are_kept),
        cmocka_unit_test(settings_are_read),
        cmocka_unit_test(bad_words_are_refused_with_the_cure),
        cmocka_unit_test(stages_have_names),
        cmocka_unit_test(what_is_not_said_is_inherited),
        cmocka_unit_test(json_says_the_same),
        cmocka_unit_test(malformed_json_is_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
