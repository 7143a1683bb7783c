/*
 * The mirror, as the store asks a runner for it: after the deploy hooks, due
 * until it has the version, again after a pause that doubles.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_asked.h"

struct fixture {
    struct fake_drive *d;
    struct acme_hooks hooks;
    int runner; /* our end: the runner's */
};

static struct fixture f;

/* What becomes of a program: UNABLE, it is not even begun. */
enum how {
    GOOD,
    BAD,
    UNABLE
};

static void
on_moved(void *ctx, size_t lineage)
{
    (void)ctx;
    (void)lineage;
}

/* The service starts, with a runner. */
static void
open_with_runner(void)
{
    fake_drive_open(f.d);
    f.runner = fake_asked_open(f.d);
}

static int
setup(void **state)
{
    static const char *const program = "/bin/true";
    struct fake_drive *d;

    fake_drive_setup(state);
    d = *state;
    memset(&f, 0, sizeof(f));
    f.d = d;
    acme_hooks_init(&f.hooks);
    assert_int_equal(
        acme_hooks_set(&f.hooks, ACME_HOOKS_MIRROR, &program, 1, &d->err),
        ACME_OK);
    fake_drive_lineage(d, "a.test", 0, "a.test", NULL);
    fake_drive_lineage(d, "b.test", 0, "b.test", NULL);
    d->config->lineage[0].hooks = &f.hooks;
    d->config->lineage[1].hooks = &f.hooks;
    open_with_runner();
    return 0;
}

/* The runner takes the next question, if there is one.  Events are not asked
 * for, as there is no command for them. */
static bool
take(struct acme_stage_ask *ask)
{
    return fake_asked_take(f.d, f.runner, ask, NULL);
}

static void
answer(const struct acme_stage_ask *ask, enum how how)
{
    const struct acme_stage_outcome outcome = { .text = "/bin/true" };

    fake_asked_answer(f.d, f.runner, ask, how != GOOD ? "no room" : NULL,
        how != UNABLE ? &outcome : NULL);
}

/* Both; what it was asked for, or "". */
static const char *
serve(enum how how)
{
    static char text[64];
    struct acme_stage_ask ask;

    if (!take(&ask))
        return "";
    (void)snprintf(text, sizeof(text), "%s %u of %u",
        acme_hooks_item_name(ask.stage), ask.version, (unsigned)ask.unit);
    answer(&ask, how);
    return text;
}

/* After so many seconds. */
static const char *
serve_after(time_t seconds, enum how how)
{
    fake_host_pass(&f.d->host, seconds);
    acme_keeper_look(f.d->keeper, on_moved, NULL);
    return serve(how);
}

static bool
is_due(const char *name)
{
    struct acme_due due;

    return acme_store_due_read(f.d->store, ACME_DUE_MIRROR, name, &due);
}

/* Both certificates, up to their deploy hooks. */
static void
issue(void)
{
    fake_drive_run(f.d);
    assert_int_equal(fake_drive_version(f.d, "a.test"), 1);
    assert_true(is_due("a.test") && is_due("b.test"));
    assert_memory_equal(serve(GOOD), "deploy 1 of ", 12);
    assert_memory_equal(serve(GOOD), "deploy 1 of ", 12);
}

static void
one_at_a_time_after_deploy_hooks(void **state)
{
    struct acme_stage_ask ask, next;

    (void)state;
    issue();
    assert_true(take(&ask));
    assert_int_equal(ask.stage, ACME_HOOKS_MIRROR);
    assert_false(take(&next));
    answer(&ask, GOOD);
    assert_int_not_equal(is_due("a.test"), is_due("b.test"));
    assert_memory_equal(serve(GOOD), "mirror 1 of ", 12);
    assert_false(is_due("a.test") || is_due("b.test"));
    assert_string_equal(serve_after(7200, GOOD), "");
}

static void
a_failure_is_tried_again(void **state)
{
    static const time_t pause[] = { 60, 120, 240, 480, 960, 1920, 3600, 3600 };
    char unit[64];
    size_t i;

    (void)state;
    issue();
    (void)serve(GOOD);
    (void)snprintf(unit, sizeof(unit), "%s", serve(BAD));
    assert_memory_equal(unit, "mirror 1 of ", 12);
    for (i = 0; i < sizeof(pause) / sizeof(pause[0]); i++) {
        assert_string_equal(serve_after(pause[i] - 1, BAD), "");
        assert_string_equal(serve_after(1, BAD), unit);
        assert_true(is_due("a.test") != is_due("b.test"));
    }
    assert_string_equal(serve_after(3600, GOOD), unit);
    assert_false(is_due("a.test") || is_due("b.test"));
    assert_string_equal(serve_after(7200, GOOD), "");
}

static void
a_failure_can_be_ignored(void **state)
{
    (void)state;
    f.hooks.mirror_ignore = true;
    issue();
    assert_memory_equal(serve(BAD), "mirror 1 of ", 12);
    assert_memory_equal(serve(BAD), "mirror 1 of ", 12);
    assert_false(is_due("a.test") || is_due("b.test"));
    assert_string_equal(serve_after(7200, GOOD), "");
}

static void
what_was_not_begun_stays_due(void **state)
{
    (void)state;
    f.hooks.mirror_ignore = true;
    issue();
    assert_memory_equal(serve(UNABLE), "mirror 1 of ", 12);
    assert_memory_equal(serve(UNABLE), "mirror 1 of ", 12);
    assert_true(is_due("a.test") && is_due("b.test"));
    assert_memory_equal(serve_after(60, GOOD), "mirror 1 of ", 12);
    assert_memory_equal(serve(GOOD), "mirror 1 of ", 12);
    assert_false(is_due("a.test") || is_due("b.test"));
}

static void
a_newer_version_does_not_wait(void **state)
{
    (void)state;
    issue();
    assert_memory_equal(serve(BAD), "mirror 1 of ", 12);
    assert_memory_equal(serve(BAD), "mirror 1 of ", 12);
    fake_drive_ask(f.d, 0, ACME_RENEW_FORCE, 1);
    fake_drive_run(f.d);
    assert_int_equal(fake_drive_version(f.d, "a.test"), 2);
    assert_memory_equal(serve(GOOD), "deploy 2 of 0", 13);
    assert_memory_equal(serve(GOOD), "mirror 2 of 0", 13);
    assert_false(is_due("a.test"));
    assert_true(is_due("b.test"));
}

/* Another store has made a certificate since it was judged. */
static void
what_is_newer_is_not_forgotten(void **state)
{
    const struct acme_due newer = { .fingerprint = "newer" };
    struct acme_due due;

    (void)state;
    issue();
    assert_int_equal(acme_store_due_write(f.d->store, ACME_DUE_MIRROR,
                         "a.test", &newer, &f.d->err),
        ACME_OK);
    assert_int_equal(acme_store_due_done(f.d->store, ACME_DUE_MIRROR, "a.test",
                         "older", &f.d->err),
        ACME_OK);
    assert_true(is_due("a.test"));
    assert_true(
        acme_store_due_read(f.d->store, ACME_DUE_MIRROR, "a.test", &due));
    assert_string_equal(due.fingerprint, "newer");
    assert_int_equal(acme_store_due_done(f.d->store, ACME_DUE_MIRROR, "a.test",
                         "newer", &f.d->err),
        ACME_OK);
    assert_false(is_due("a.test"));
}

static void
what_was_due_at_an_end_is_due_after_a_start(void **state)
{
    (void)state;
    issue();
    assert_memory_equal(serve(BAD), "mirror 1 of ", 12);
    fake_drive_close(f.d);
    close(f.runner);
    open_with_runner();
    assert_memory_equal(serve_after(0, GOOD), "mirror 1 of ", 12);
    assert_memory_equal(serve(GOOD), "mirror 1 of ", 12);
    assert_false(is_due("a.test") || is_due("b.test"));
}

static int
teardown(void **state)
{
    close(f.runner);
    return fake_drive_teardown(state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_at_a_time_after_deploy_hooks,
            setup, teardown),
        cmocka_unit_test_setup_teardown(a_failure_is_tried_again, setup,
            teardown),
        cmocka_unit_test_setup_teardown(a_failure_can_be_ignored, setup,
            teardown),
        cmocka_unit_test_setup_teardown(what_was_not_begun_stays_due, setup,
            teardown),
        cmocka_unit_test_setup_teardown(a_newer_version_does_not_wait, setup,
            teardown),
        cmocka_unit_test_setup_teardown(what_is_newer_is_not_forgotten, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            what_was_due_at_an_end_is_due_after_a_start, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
