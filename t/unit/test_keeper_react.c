/*
 * The command for events, as the store has it told: how often, and what of
 * events that happen while it runs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "drive/acme_keeper_private.h"
#include "fake_asked.h"

#define HOUR 3600

struct fixture {
    struct fake_drive *d;
    struct acme_hooks hooks;
    int runner; /* our end: the runner's */
};

static struct fixture f;

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
        acme_hooks_set(&f.hooks, ACME_HOOKS_EVENT, &program, 1, &d->err),
        ACME_OK);
    fake_drive_lineage(d, "a.test", 0, "a.test", NULL);
    fake_drive_lineage(d, "b.test", 0, "b.test", NULL);
    d->config->lineage[0].hooks = &f.hooks;
    d->config->lineage[1].hooks = &f.hooks;
    fake_drive_open(d);
    f.runner = fake_asked_open(d);
    return 0;
}

static int
teardown(void **state)
{
    close(f.runner);
    return fake_drive_teardown(state);
}

/* It happens, with this number of a version. */
static void
happens(enum acme_event_kind kind, const char *lineage, unsigned version)
{
    struct acme_event event;

    acme_event_init(&event, kind);
    (void)snprintf(event.lineage, sizeof(event.lineage), "%s", lineage);
    event.version = version;
    event.at = f.d->host.now;
    acme_keeper_react(f.d->keeper, &event);
}

static bool
take(struct acme_stage_ask *ask)
{
    return fake_asked_take(f.d, f.runner, ask, NULL);
}

/* The command runs, and ends. */
static void
answer(const struct acme_stage_ask *ask, const char *error)
{
    const struct acme_stage_outcome outcome = { .text = "/bin/true" };

    fake_asked_answer(f.d, f.runner, ask, error, &outcome);
}

static bool
nothing(void)
{
    struct acme_stage_ask ask;

    return !take(&ask);
}

static void
look(time_t seconds)
{
    fake_host_pass(&f.d->host, seconds);
    acme_keeper_send_asked(f.d->keeper);
}

static void
once_an_hour(void **state)
{
    struct acme_stage_ask ask;

    (void)state;
    happens(ACME_EVENT_ERRORED, "a.test", 0);
    assert_true(take(&ask));
    assert_string_equal(ask.event, "errored");
    answer(&ask, NULL);
    look(HOUR - 1);
    happens(ACME_EVENT_ERRORED, "a.test", 0);
    assert_true(nothing());
    look(1);
    happens(ACME_EVENT_ERRORED, "a.test", 0);
    assert_true(take(&ask));
}

/* Both keys of a lineage fail at once: the command that is told of the first
 * has not ended. */
static void
once_while_it_runs(void **state)
{
    static const enum acme_event_kind kinds[] = { ACME_EVENT_ERRORED,
        ACME_EVENT_RENEWED, ACME_EVENT_INSTALLED, ACME_EVENT_EXPIRING };
    struct acme_stage_ask ask;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        happens(kinds[i], "a.test", 1);
        assert_true(take(&ask));
        look(5);
        happens(kinds[i], "a.test", 1);
        assert_true(nothing());
        answer(&ask, NULL);
        assert_true(nothing());
        happens(kinds[i], "a.test", 1);
        assert_true(nothing());
    }
}

static void
not_of_others(void **state)
{
    struct acme_stage_ask ask;

    (void)state;
    happens(ACME_EVENT_ERRORED, "a.test", 0);
    happens(ACME_EVENT_ERRORED, "b.test", 0);
    happens(ACME_EVENT_RENEWED, "a.test", 1);
    assert_true(take(&ask) && take(&ask) && take(&ask));
    assert_true(nothing());
}

/* Each of these is told: none says what another does. */
static void
without_a_rate(void **state)
{
    struct acme_stage_ask ask;

    (void)state;
    happens(ACME_EVENT_FAILED_OVER, "a.test", 0);
    happens(ACME_EVENT_FAILED_OVER, "a.test", 0);
    assert_true(take(&ask) && take(&ask));
}

/* The program fails: what is told again is the newest. */
static void
the_newest_again(void **state)
{
    struct acme_stage_ask ask;

    (void)state;
    happens(ACME_EVENT_RENEWED, "a.test", 1);
    assert_true(take(&ask));
    assert_int_equal(ask.version, 1);
    happens(ACME_EVENT_RENEWED, "a.test", 2);
    assert_true(nothing());
    answer(&ask, "failed");
    look(59);
    assert_true(nothing());
    look(1);
    assert_true(take(&ask));
    assert_int_equal(ask.version, 2);
    answer(&ask, NULL);
    look(HOUR);
    assert_true(nothing());
}

/* A failure that nobody has heard of is told of with the next one. */
static void
not_heard_of(void **state)
{
    struct acme_stage_ask ask;

    (void)state;
    happens(ACME_EVENT_ERRORED, "a.test", 0);
    assert_true(take(&ask));
    answer(&ask, "failed");
    look(HOUR);
    assert_true(nothing());
    happens(ACME_EVENT_ERRORED, "a.test", 0);
    assert_true(take(&ask));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(once_an_hour),
        TEST(once_while_it_runs),
        TEST(not_of_others),
        TEST(without_a_rate),
        TEST(the_newest_again),
        TEST(not_heard_of),
    };

    return cmocka_run_group_tests_name("keeper_react", tests, NULL, NULL);
}
