/*
 * From when on somebody is warned of the end of a certificate.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "state/acme_warn.h"

#define DAY ((time_t)24 * 3600)
#define START ((time_t)1795262400)

static bool
is_due(time_t life, time_t age)
{
    return acme_warn_is_due(NULL, START, START + life, START + age);
}

static void
test_tenth(void **state)
{
    static const time_t lives[] = { 10, 3600, 99 * 60, 101 * 60, 6 * DAY,
        47 * DAY, 90 * DAY, 398 * DAY };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
        time_t life = lives[i], from = life - life / 10;

        if (is_due(life, 0) || is_due(life, life / 2) ||
            is_due(life, from - life / 1000) || is_due(life, from - 1))
            fail_msg("life %lld: too soon", (long long)life);
        if (!is_due(life, from + life / 1000 + 1) || !is_due(life, life) ||
            !is_due(life, 10 * life))
            fail_msg("life %lld: too late", (long long)life);
    }
}

static void
test_nothing(void **state)
{
    (void)state;
    assert_false(acme_warn_is_due(NULL, 0, 0, START));
}

static void
test_configured(void **state)
{
    static const char *const words[] = { "7d", "50%" };
    struct acme_hooks hooks;
    struct acme_error err;

    (void)state;
    acme_error_clear(&err);
    acme_hooks_init(&hooks);
    assert_int_equal(
        acme_hooks_set(&hooks, ACME_HOOKS_WARN_WINDOW, words, 1, &err),
        ACME_OK);
    assert_int_equal(acme_warn_at(&hooks, START, START + 90 * DAY),
        START + 83 * DAY);
    assert_int_equal(
        acme_hooks_set(&hooks, ACME_HOOKS_WARN_WINDOW, &words[1], 1, &err),
        ACME_OK);
    assert_int_equal(acme_warn_at(&hooks, START, START + 90 * DAY),
        START + 45 * DAY);
    /* longer than it lives: always */
    (void)acme_hooks_set(&hooks, ACME_HOOKS_WARN_WINDOW, words, 1, &err);
    assert_true(acme_warn_is_due(&hooks, START, START + DAY, START));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tenth),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_configured),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
