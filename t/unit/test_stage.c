/*
 * Which programs a stage has, in which order, and what each is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "drive/acme_stage.h"
#include "helper_tmp.h"

static struct helper_tmp tmp;
static struct acme_stage_places places;
static struct acme_arena *arena;
static struct acme_hooks hooks;
static struct acme_error err, trouble;

static int
setup(void **state)
{
    (void)state;
    helper_tmp_init(&tmp);
    acme_error_clear(&err);
    acme_error_clear(&trouble);
    acme_hooks_init(&hooks);
    arena = acme_arena_new();
    helper_tmp_mkdir(&tmp, "one");
    helper_tmp_mkdir(&tmp, "one/pre");
    helper_tmp_mkdir(&tmp, "two");
    helper_tmp_mkdir(&tmp, "two/pre");
    (void)snprintf(places.path[0], PATH_MAX, "%s/one", tmp.path);
    (void)snprintf(places.path[1], PATH_MAX, "%s/two", tmp.path);
    return arena == NULL;
}

static int
teardown(void **state)
{
    (void)state;
    acme_arena_free(arena);
    helper_tmp_clear(&tmp);
    return 0;
}

static void
put(const char *name, mode_t mode)
{
    helper_tmp_puts(&tmp, name, "#!/bin/sh\n");
    assert_int_equal(fchmodat(tmp.fd, name, mode, 0), 0);
}

static void
add(const char *line)
{
    assert_int_equal(acme_hooks_set(&hooks, ACME_HOOKS_PRE, &line, 1, &err),
        ACME_OK);
}

static void
assert_list(bool renews, const char *expected)
{
    struct acme_stage_list list;
    char text[512] = "";
    size_t i;

    acme_error_clear(&trouble);
    assert_int_equal(acme_stage_list(&places, &hooks, ACME_HOOKS_PRE, renews,
                         arena, &list, &trouble, &err),
        ACME_OK);
    for (i = 0; i < list.n; i++) {
        const char *name = strrchr(list.hook[i].text, '/');

        strcat(text, name != NULL ? name + 1 : list.hook[i].text);
        strcat(text, " ");
    }
    assert_string_equal(text, expected);
}

static void
test_order(void **state)
{
    (void)state;
    put("two/pre/0", 0755);
    put("one/pre/b", 0755);
    put("one/pre/B", 0700);
    put("one/pre/10", 0755);
    put("one/pre/9", 0755);
    put("one/pre/old~", 0755);
    put("one/pre/.hidden", 0755);
    put("one/pre/plain", 0644);
    helper_tmp_mkdir(&tmp, "one/pre/dir");
    helper_tmp_fifo(&tmp, "one/pre/fifo");
    helper_tmp_link(&tmp, "nowhere", "one/pre/link");
    add("true");
    assert_list(true, "10 9 B b 0 true ");
    assert_list(false, "true ");
    hooks.directories = false;
    assert_list(true, "true ");
}

static void
test_once(void **state)
{
    char path[PATH_MAX], other[PATH_MAX + 8];

    (void)state;
    put("one/pre/a", 0755);
    (void)snprintf(path, sizeof(path), "%s/one/../one/pre/a", tmp.path);
    (void)snprintf(other, sizeof(other), "%s x", path);
    add(path);
    add(other);
    assert_list(true, "a a x ");
    assert_list(false, "a a x ");
}

static void
test_open_directory(void **state)
{
    (void)state;
    put("one/pre/a", 0755);
    put("two/pre/b", 0755);
    assert_int_equal(fchmodat(tmp.fd, "one/pre", 01777, 0), 0);
    assert_list(true, "b ");
    assert_int_equal(trouble.rc, ACME_IO);
    assert_non_null(strstr(trouble.what, "can be written to by others"));
    assert_int_equal(fchmodat(tmp.fd, "one/pre", 0755, 0), 0);
    assert_list(true, "a b ");
    assert_int_equal(trouble.rc, ACME_OK);
}

static const char *
env(const struct acme_command_run *run, const char *name)
{
    const size_t len = strlen(name);
    size_t i;

    for (i = 0; run->envp[i] != NULL; i++)
        if (strncmp(run->envp[i], name, len) == 0 && run->envp[i][len] == '=')
            return run->envp[i] + len + 1;
    return NULL;
}

/* What we say is in the environment, not in the line. */
static void
test_run(void **state)
{
    static char many[121 * 1024];
    const struct acme_stage_hook hook = { .item = ACME_HOOKS_DEPLOY,
        .hook = { 1, { "/bin/echo \"$RENEWED_DOMAINS\"" } },
        .text = "echo" };
    struct acme_stage_facts facts = { .state_dir = "/var/x",
        .lineage = "a.test",
        .stage = "deploy",
        .domains = "a.test $(id)",
        .version = 3 };
    const struct acme_command_user user = { false, 0, 0 };
    struct acme_command_run run;

    (void)state;
    assert_int_equal(acme_stage_run(&hook, &facts, &user, arena, &run, &err),
        ACME_OK);
    assert_string_equal(run.argv[0], "/bin/sh");
    assert_string_equal(run.argv[1], "-c");
    assert_string_equal(run.argv[2], hook.hook.word[0]);
    assert_null(run.argv[3]);
    assert_string_equal(env(&run, "RENEWED_DOMAINS"), "a.test $(id)");
    assert_string_equal(env(&run, "RENEWED_LINEAGE"), "/var/x/live/a.test");
    assert_string_equal(env(&run, "ACME_VERSION"), "3");
    assert_null(env(&run, "FAILED_DOMAINS"));
    assert_null(env(&run, "LD_PRELOAD"));
    memset(many, 'x', sizeof(many) - 1);
    facts.domains = many;
    assert_int_equal(acme_stage_run(&hook, &facts, &user, arena, &run, &err),
        ACME_OK);
    assert_null(env(&run, "RENEWED_DOMAINS"));
    assert_string_equal(env(&run, "ACME_DOMAINS_OMITTED"), "1");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open_directory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_run, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
