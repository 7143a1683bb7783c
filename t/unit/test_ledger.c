/*
 * acme_ledger.h: buckets, their JSON form, and that the engine keeps within
 * them; the latter over the real engine and store and a CA in memory.
 */
#include <limits.h>

#include "helper_engine.h"
#include "state/acme_ledger.h"

#define NOW ((time_t)1795262400)
#define LETSENCRYPT "https://acme-v02.api.letsencrypt.org"
#define STAGING "https://acme-staging-v02.api.letsencrypt.org"

static const struct acme_limits *
limits(void)
{
    const struct acme_limits *found = acme_limits_of(LETSENCRYPT "/directory");

    assert_non_null(found);
    return found;
}

/* Each as it is published: so many in a time, which they never come back
 * sooner than in. */
static void
test_rows(void **state)
{
    static const struct {
        const char *directory;
        enum acme_ledger_kind kind;
        unsigned count;
        long in;
    } rows[] = {
        { LETSENCRYPT "/directory", ACME_LEDGER_ORDERS, 300, 3L * HOUR },
        { LETSENCRYPT "/directory", ACME_LEDGER_FAILURES, 5, HOUR },
        { LETSENCRYPT "/directory", ACME_LEDGER_SETS, 5, 7L * DAY },
        { LETSENCRYPT "/directory", ACME_LEDGER_ACCOUNTS, 10, 3L * HOUR },
        { STAGING "/directory", ACME_LEDGER_ORDERS, 1500, 3L * HOUR },
        { STAGING "/directory", ACME_LEDGER_FAILURES, 200, HOUR },
        { STAGING "/directory", ACME_LEDGER_SETS, 30000, 7L * DAY },
        { STAGING "/directory", ACME_LEDGER_ACCOUNTS, 50, 3L * HOUR },
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct acme_limits *found = acme_limits_of(rows[i].directory);
        const struct acme_limit *limit;

        assert_non_null(found);
        limit = &found->of[rows[i].kind];
        assert_int_equal(limit->count, rows[i].count);
        assert_in_range((long)limit->every * limit->count, rows[i].in,
            rows[i].in + rows[i].in / 8); /* rounded */
    }
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
        ACME_LEDGER_FAILURES, ACME_LEDGER_SETS, ACME_LEDGER_ACCOUNTS };
    struct acme_ledger ledger;
    time_t now = NOW, next;
    unsigned i;
    size_t k;

    (void)state;
    for (k = 0; k < 4; k++) {
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
                             kinds[(k + 1) % 4], "a.test", now),
            0);
        assert_int_equal(
            acme_ledger_next(&ledger, NULL, kinds[k], "a.test", now), 0);
        acme_ledger_clear(&ledger);
    }
}

/* What was not used can be used again, and no more than that. */
static void
test_give_back(void **state)
{
    struct acme_ledger ledger;
    int i;

    (void)state;
    acme_ledger_init(&ledger);
    acme_ledger_give_back(&ledger, limits(), ACME_LEDGER_ACCOUNTS, "", NOW);
    assert_int_equal(ledger.nmarks, 0);
    for (i = 0; i < 10; i++)
        acme_ledger_take(&ledger, limits(), ACME_LEDGER_ACCOUNTS, "", NOW);
    assert_true(acme_ledger_next(&ledger, limits(), ACME_LEDGER_ACCOUNTS, "",
                    NOW) > NOW);
    acme_ledger_give_back(&ledger, limits(), ACME_LEDGER_ACCOUNTS, "", NOW);
    acme_ledger_give_back(&ledger, NULL, ACME_LEDGER_ACCOUNTS, "", NOW);
    assert_int_equal(
        acme_ledger_next(&ledger, limits(), ACME_LEDGER_ACCOUNTS, "", NOW), 0);
    acme_ledger_take(&ledger, limits(), ACME_LEDGER_ACCOUNTS, "", NOW);
    assert_true(acme_ledger_next(&ledger, limits(), ACME_LEDGER_ACCOUNTS, "",
                    NOW) > NOW);
    acme_ledger_clear(&ledger);
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

static const char *
refuse_b(void *ctx, const struct fake_validation *v)
{
    (void)ctx;
    return strcmp(v->name, "b.test") == 0 ? "found a parking page" : NULL;
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

/* Names that a certificate does without are counted like those that it is
 * not made without: here b.test, of three certificates, each attempt. */
static void
test_engine_left_out(void **state)
{
    struct fake_drive *d = *state;
    unsigned i, made = 0;

    open_as(d, LETSENCRYPT);
    d->ca->conf.validate = refuse_b;
    for (i = 0; i < 7; i++) {
        char name[16], names[32];
        size_t index;

        (void)snprintf(name, sizeof(name), "l%u", i);
        (void)snprintf(names, sizeof(names), "b.test x%u.test", i);
        index = fake_drive_lineage(d, name, 0, names, NULL);
        d->config->lineage[index].allow_subset = true;
    }
    fake_drive_open(d);
    fake_drive_run(d);
    /* An order each and one for the rest: five in an hour, and no more. */
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ORDER), 10);
    for (i = 0; i < 7; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "l%u", i);
        made += fake_drive_version(d, name);
    }
    assert_int_equal(made, 5);
    fake_drive_restart(d);
    fake_drive_run(d);
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ORDER), 10);
    fake_host_pass(&d->host, 12L * MINUTE);
    fake_drive_run(d);
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ORDER), 12);
}

/* ---- new accounts ----------------------------------------------------- */

static time_t
account_room(struct fake_drive *d)
{
    time_t at = 1;

    assert_int_equal(acme_vault_account_room(d->vault, 0, &at, &d->err),
        ACME_OK);
    return at;
}

/* Ten of this machine in three hours, whatever their keys are. */
static void
test_engine_accounts(void **state)
{
    struct fake_drive *d = *state;
    unsigned i;

    open_as(d, LETSENCRYPT);
    fake_drive_lineage(d, "a.test", 0, "a.test", NULL);
    fake_drive_lineage(d, "b.test", 0, "b.test", NULL);
    fake_drive_open(d);
    for (i = 0; i < 10; i++)
        assert_int_equal(account_room(d), 0);
    assert_int_equal(account_room(d), FAKE_NOW + 18 * MINUTE);
    fake_drive_run(d);
    /* Nobody but the first asks whether there is one already. */
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ACCOUNT), 1);
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ORDER), 0);
    assert_true(fake_host_logged(&d->host,
        "lineage \"a.test\" waits: account: the CA's limit of new accounts"));
    assert_int_equal(acme_engine_next(d->engine), FAKE_NOW + 18 * MINUTE);
    fake_drive_ask(d, 0, 0, 7);
    fake_drive_run(d);
    assert_int_equal(d->ndone, 1);
    assert_false(d->done_ok);
    fake_drive_restart(d);
    fake_drive_run(d);
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ORDER), 0);
    fake_drive_next(d);
    assert_in_range(d->host.now, FAKE_NOW + 18 * MINUTE,
        FAKE_NOW + 19 * MINUTE);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    assert_int_equal(fake_drive_version(d, "b.test"), 1);
}

/* There is another CA to ask. */
static void
test_engine_accounts_elsewhere(void **state)
{
    struct fake_drive *d = *state;
    unsigned i;

    open_as(d, LETSENCRYPT);
    d->fall_back = true;
    fake_drive_lineage(d, "a.test", 0, "a.test", NULL);
    fake_drive_open(d);
    for (i = 0; i < 10; i++)
        assert_int_equal(account_room(d), 0);
    fake_drive_run(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ORDER), 0);
    assert_int_equal(fake_ca_count(d->other, FAKE_NEW_ORDER), 1);
}

/* What the CA has refused, or takes no notice of, leaves room. */
static void
test_engine_accounts_refused(void **state)
{
    static const struct {
        const char *base;
        int status; /* of the CA's answer; 0: none comes */
        unsigned left;
    } cases[] = { { LETSENCRYPT, 400, 10 }, { LETSENCRYPT, 429, 9 },
        { LETSENCRYPT, 500, 9 }, { LETSENCRYPT, 0, 9 },
        { "https://ca.test", 0, 30 } };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fake_drive *d;
        unsigned left = 0;
        void *own;

        fake_drive_setup(&own);
        d = own;
        open_as(d, cases[i].base);
        fake_drive_lineage(d, "a.test", 0, "a.test", NULL);
        if (cases[i].status == 0)
            fake_ca_fail(d->ca, FAKE_NEW_ACCOUNT, 2, ACME_NET);
        else
            fake_ca_problem(d->ca, FAKE_NEW_ACCOUNT, 2, cases[i].status,
                "malformed", "no");
        fake_drive_open(d);
        fake_drive_run(d);
        assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ACCOUNT), 2);
        while (left < 30 && account_room(d) == 0)
            left++;
        assert_int_equal(left, cases[i].left);
        fake_drive_teardown(&own);
    }
}

#define TEST(f) \
    cmocka_unit_test_setup_teardown(f, fake_drive_setup, fake_drive_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_bucket),
        cmocka_unit_test(test_give_back),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_round),
        cmocka_unit_test(test_nonsense),
        TEST(test_engine_failures),
        TEST(test_engine_no_limits),
        TEST(test_engine_sets),
        TEST(test_engine_left_out),
        TEST(test_engine_accounts),
        TEST(test_engine_accounts_elsewhere),
        cmocka_unit_test(test_engine_accounts_refused),
    };

    return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
