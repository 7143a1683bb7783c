/*
 * acme_ledger.h: buckets, their JSON form, and that the engine keeps within
 * them; the latter over the real engine and store and a CA in memory.
 */
#include <limits.h>

#include "helper_engine.h"
#include "state/acme_ledger.h"

#define NOW ((time_t)1795262400)
#define LETSENCRYPT "https://acme-v02.api.letsencrypt.org"

static const struct acme_limits *
limits(void)
{
    const struct acme_limits *found = acme_limits_of(LETSENCRYPT "/directory");

    assert_non_null(found);
    return found;
}

static void
test_rows(void **state)
{
    (void)state;
    assert_int_equal(limits()->of[ACME_LEDGER_ORDERS].count, 300);
    assert_int_equal(limits()->of[ACME_LEDGER_FAILURES].count, 5);
    assert_int_equal(limits()->of[ACME_LEDGER_SETS].count, 5);
    assert_null(acme_limits_of("https://acme-v02.api.letsencrypt.org.x/dir"));
    assert_null(acme_limits_of("https://x.test/acme-v02.api.letsencrypt.org"));
    assert_null(acme_limits_of("https://ca.test/dir"));
    assert_null(acme_limits_of("nonsense"));
}

/* So many at once, then one by one as they come back; never more in a
 * window than the CA allows, but for what the bucket held at first. */
static void
test_bucket(void **state)
{
    static const enum acme_ledger_kind kinds[] = { ACME_LEDGER_ORDERS,
        ACME_LEDGER_FAILURES, ACME_LEDGER_SETS };
    struct acme_ledger ledger;
    time_t now = NOW, next;
    unsigned i;
    size_t k;

    (void)state;
    for (k = 0; k < 3; k++) {
        const struct acme_limit *limit = &limits()->of[kinds[k]];

        acme_ledger_init(&ledger);
        for (i = 0; i < limit->count; i++) {
            assert_int_equal(
                acme_ledger_next(&ledger, limits(), kinds[k], "a.test", now),
                0);
            acme_ledger_take(&ledger, limits(), kinds[k], "a.test", now);
        }
        for (i = 1; i < 5; i++) {
            next =
                acme_ledger_next(&ledger, limits(), kinds[k], "a.test", now);
            assert_int_equal(next, now + limit->every);
            now = next;
            assert_int_equal(
                acme_ledger_next(&ledger, limits(), kinds[k], "a.test", now),
                0);
            acme_ledger_take(&ledger, limits(), kinds[k], "a.test", now);
        }
        /* Others' are others'. */
        assert_int_equal(
            acme_ledger_next(&ledger, limits(), kinds[k], "b.test", now), 0);
        assert_int_equal(acme_ledger_next(&ledger, limits(),
                             kinds[(k + 1) % 3], "a.test", now),
            0);
        assert_int_equal(
            acme_ledger_next(&ledger, NULL, kinds[k], "a.test", now), 0);
        acme_ledger_clear(&ledger);
    }
}

/* Set back by a year: an empty bucket is empty, and not for a year. */
static void
test_clock(void **state)
{
    struct acme_ledger ledger;
    time_t next;
    int i;

    (void)state;
    acme_ledger_init(&ledger);
    for (i = 0; i < 9; i++)
        acme_ledger_take(&ledger, limits(), ACME_LEDGER_FAILURES, "a", NOW);
    next = acme_ledger_next(&ledger, limits(), ACME_LEDGER_FAILURES, "a",
        NOW - 365L * DAY);
    assert_int_equal(next, NOW - 365L * DAY + 12 * MINUTE);
    assert_int_equal(acme_ledger_next(&ledger, limits(), ACME_LEDGER_FAILURES,
                         "a", NOW + DAY),
        0);
    acme_ledger_clear(&ledger);
}

static void
render(const struct acme_ledger *ledger, time_t now, struct acme_buf *text)
{
    struct acme_error err;

    acme_error_clear(&err);
    acme_buf_reset(text);
    assert_int_equal(acme_ledger_render(ledger, now, text, &err), ACME_OK);
    assert_true(text->len <= ACME_STATE_JSON_MAX);
}

static enum acme_rc
parse(const char *text, struct acme_ledger *ledger)
{
    struct acme_error err;

    acme_error_clear(&err);
    return acme_ledger_parse(text, strlen(text), ledger, &err);
}

static void
test_round(void **state)
{
    struct acme_ledger ledger, again;
    struct acme_buf text;
    char name[ACME_NAME_MAX + 1];
    unsigned i;

    (void)state;
    acme_ledger_init(&ledger);
    acme_ledger_init(&again);
    acme_buf_init(&text, 2 * ACME_STATE_JSON_MAX);
    ledger.not_before = NOW + 5;
    acme_ledger_take(&ledger, limits(), ACME_LEDGER_ORDERS, "", NOW);
    acme_ledger_take(&ledger, limits(), ACME_LEDGER_SETS, "abc", NOW);
    render(&ledger, NOW, &text);
    assert_int_equal(parse(acme_buf_str(&text), &again), ACME_OK);
    assert_int_equal(again.not_before, NOW + 5);
    assert_int_equal(again.nmarks, 2);
    assert_int_equal(again.mark[0].full, NOW + 36);
    assert_string_equal(again.mark[1].name, "abc");
    assert_int_equal(again.mark[1].kind, ACME_LEDGER_SETS);
    /* What is over is not written. */
    render(&ledger, NOW + HOUR, &text);
    assert_int_equal(parse(acme_buf_str(&text), &again), ACME_OK);
    assert_int_equal(again.not_before, 0);
    assert_int_equal(again.nmarks, 1);
    /* The longest names, and more of them than are kept. */
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    for (i = 0; i < 2 * ACME_LEDGER_MARKS_MAX; i++) {
        (void)snprintf(name, sizeof(name), "%u", i);
        name[strlen(name)] = 'x';
        acme_ledger_take(&ledger, limits(), ACME_LEDGER_FAILURES, name,
            NOW + (time_t)i);
    }
    assert_int_equal(ledger.nmarks, ACME_LEDGER_MARKS_MAX);
    render(&ledger, NOW, &text);
    acme_ledger_clear(&ledger);
    acme_ledger_clear(&again);
    acme_buf_clear(&text);
}

static void
test_nonsense(void **state)
{
    static const char *const texts[] = { "{}", "{\"used\":7}",
        "{\"used\":[1,null,{},{\"kind\":\"orders\"}]}",
        "{\"used\":[{\"kind\":\"x\",\"full\":\"2026-11-21T12:00:00Z\"}]}",
        "{\"not_before\":-1,\"used\":{}}" };
    struct acme_ledger ledger;
    size_t i;

    (void)state;
    acme_ledger_init(&ledger);
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(parse(texts[i], &ledger), ACME_OK);
        assert_int_equal(ledger.nmarks, 0);
        assert_int_equal(ledger.not_before, 0);
    }
    assert_int_equal(parse("[]", &ledger), ACME_WIRE);
    assert_int_equal(parse("", &ledger), ACME_OK);
    acme_ledger_clear(&ledger);
}

/* ---- the engine ------------------------------------------------------- */

static const char *
refuse_all(void *ctx, const struct fake_validation *v)
{
    (void)ctx;
    (void)v;
    return "found a parking page";
}

static void
open_as(struct fake_drive *d, const char *base)
{
    d->ca->conf.base = d->base = base;
    fake_drive_new_config(d);
}

/* Seven lineages with one name that nobody can prove: each has its back-off,
 * and together they keep within five an hour; a restart forgets nothing. */
static void
test_engine_failures(void **state)
{
    static const char *const names[] = { "a.test x1.test", "a.test x2.test",
        "a.test x3.test", "a.test x4.test", "a.test x5.test", "a.test x6.test",
        "a.test x7.test" };
    struct fake_drive *d = *state;
    unsigned i;

    open_as(d, LETSENCRYPT);
    d->ca->conf.validate = refuse_all;
    for (i = 0; i < 7; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "l%u", i);
        fake_drive_lineage(d, name, 0, names[i], NULL);
    }
    fake_drive_open(d);
    fake_drive_run(d);
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ORDER), 5);
    fake_drive_restart(d);
    fake_drive_run(d);
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ORDER), 5);
    assert_true(fake_host_logged(&d->host, "waits: the limits of issuer"));
    while (d->host.now < FAKE_NOW + HOUR)
        fake_drive_next(d);
    assert_in_range(fake_ca_count(d->ca, FAKE_NEW_ORDER), 6, 11);
    /* A person may find out himself. */
    i = fake_ca_count(d->ca, FAKE_NEW_ORDER);
    fake_drive_ask(d, 0, 0, 7);
    fake_drive_run(d);
    assert_true(fake_ca_count(d->ca, FAKE_NEW_ORDER) > i);
    assert_false(d->done_ok);
}

/* The same at a CA without published limits. */
static void
test_engine_no_limits(void **state)
{
    struct fake_drive *d = *state;
    unsigned i;

    d->ca->conf.validate = refuse_all;
    for (i = 0; i < 7; i++) {
        char name[16], names[32];

        (void)snprintf(name, sizeof(name), "l%u", i);
        (void)snprintf(names, sizeof(names), "a.test x%u.test", i);
        fake_drive_lineage(d, name, 0, names, NULL);
    }
    fake_drive_open(d);
    fake_drive_run(d);
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ORDER), 7);
}

/* A certificate that is thrown away each time: not more than five of a set in
 * a week, and then one in 34 hours. */
static void
test_engine_sets(void **state)
{
    struct fake_drive *d = *state;
    time_t began;

    open_as(d, LETSENCRYPT);
    fake_drive_lineage(d, "a.test", 0, "a.test", NULL);
    d->ca->conf.certificate.not_after = -DAY; /* refused */
    fake_drive_open(d);
    began = d->host.now;
    while (d->host.now < began + 60L * DAY)
        fake_drive_next(d);
    assert_in_range(fake_ca_count(d->ca, FAKE_CERTIFICATE), 40, 48);
}

#define TEST(f) \
    cmocka_unit_test_setup_teardown(f, fake_drive_setup, fake_drive_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_bucket),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_round),
        cmocka_unit_test(test_nonsense),
        TEST(test_engine_failures),
        TEST(test_engine_no_limits),
        TEST(test_engine_sets),
    };

    return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
