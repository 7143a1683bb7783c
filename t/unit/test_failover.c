/*
 * Several CAs for a lineage: who is asked when, and that it survives a
 * restart; over the real engine and store and two CAs in memory.
 */
#include "helper_engine.h"

/* One lineage: "test" first, then "other". */
static int
setup(void **state)
{
    int rc = fake_drive_setup(state);
    struct fake_drive *d = *state;

    d->fall_back = true;
    fake_drive_lineage(d, "a.test", 0, "a.test", NULL);
    fake_drive_open(d);
    return rc;
}

static void
expect_issuer(struct fake_drive *d, const char *name)
{
    assert_string_equal(record_of(d, "a.test").issuer, name);
}

static unsigned
orders(struct fake_ca *ca)
{
    return fake_ca_count(ca, FAKE_NEW_ORDER);
}

/* ---- when ------------------------------------------------------------- */

/* Three times within minutes, while there is nothing to serve. */
static void
test_down(void **state)
{
    struct fake_drive *d = *state;

    fake_ca_fail(d->ca, FAKE_DIRECTORY, FAKE_ALWAYS, ACME_NET);
    fake_drive_run(d);
    assert_int_equal(fake_ca_count(d->ca, FAKE_DIRECTORY), 1);
    fake_drive_next(d);
    fake_drive_restart(d);
    assert_int_equal(fake_ca_count(d->other, FAKE_DIRECTORY), 0);
    fake_drive_next(d);
    assert_int_equal(fake_ca_count(d->ca, FAKE_DIRECTORY), 3);
    fake_drive_run(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    assert_true(d->host.now < FAKE_NOW + 5 * MINUTE);
    assert_int_equal(orders(d->ca), 0);
    assert_int_equal(orders(d->other), 1);
    expect_issuer(d, "other");
    assert_true(fake_host_logged(&d->host, "issuer \"other\" (there is"));
    assert_true(fake_host_logged(&d->host,
        "certificate obtained, lineage \"a.test\", issuer \"other\""));
}

/* While a certificate is valid there is time for an outage to pass. */
static void
test_down_at_renewal(void **state)
{
    struct fake_drive *d = *state;
    unsigned i;

    fake_drive_run(d);
    assert_int_equal(orders(d->ca), 1);
    fake_ca_fail(d->ca, FAKE_DIRECTORY, FAKE_ALWAYS, ACME_NET);
    for (i = 0; i < 10; i++) {
        assert_int_equal(orders(d->other), 0);
        fake_drive_next(d);
    }
    fake_drive_run(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 2);
    expect_issuer(d, "other");
}

static void
test_at_once(void **state)
{
    static const char *const types[] = { "rejectedIdentifier",
        "externalAccountRequired", "userActionRequired", "invalidProfile",
        "badSignatureAlgorithm" };
    struct fake_drive *d = *state;
    unsigned version = 0;
    size_t i;

    for (i = 0; i < COUNT(types); i++) {
        fake_ca_problem(d->ca, FAKE_NEW_ORDER, 1, 403, types[i], "no");
        fake_drive_until(d, "a.test", ++version, 2);
        assert_int_equal(orders(d->other), version);
        assert_int_equal(orders(d->ca), version);
    }
}

/* They would fail there too. */
static void
test_validation(void **state)
{
    static const char *const types[] = { "unauthorized", "dns", "caa",
        "connection", "tls", "incorrectResponse" };
    struct fake_drive *d = *state;
    char error[64];
    size_t i;

    for (i = 0; i < 3 * COUNT(types); i++) {
        fake_ca_behave(d->ca);
        (void)snprintf(error, sizeof(error),
            "{\"type\":\"urn:ietf:params:acme:error:%s\"}",
            types[i % COUNT(types)]);
        fake_ca_json(d->ca, FAKE_AUTHZ, FAKE_ALWAYS, "status", "\"invalid\"");
        fake_ca_json(d->ca, FAKE_AUTHZ, FAKE_ALWAYS, "challenges.0.status",
            "\"invalid\"");
        fake_ca_json(d->ca, FAKE_AUTHZ, FAKE_ALWAYS, "challenges.0.error",
            error);
        fake_drive_next(d);
        assert_int_equal(orders(d->ca), i + 1);
        assert_string_equal(record_of(d, "a.test").error.type,
            types[i % COUNT(types)]);
    }
    assert_int_equal(fake_ca_count(d->other, FAKE_DIRECTORY), 0);
}

/* A time that costs too much; also for those that have not been told. */
static void
test_patience(void **state)
{
    struct fake_drive *d = *state;

    fake_drive_close(d);
    fake_drive_lineage(d, "b.test", 0, "b.test", NULL);
    d->fall_back = false;
    fake_drive_lineage(d, "c.test", 0, "c.test", NULL);
    fake_ca_reply(d->ca, FAKE_NEW_ACCOUNT, 1, 503, "text/plain", "down");
    fake_ca_header(d->ca, FAKE_NEW_ACCOUNT, 1, "Retry-After", "86400");
    fake_drive_open(d);
    fake_drive_run(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    assert_int_equal(fake_drive_version(d, "b.test"), 1);
    assert_int_equal(fake_drive_version(d, "c.test"), 0);
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ACCOUNT), 1);
    assert_true(fake_host_logged(&d->host,
        "does not wait for issuer \"test\", but asks \"other\""));
}

/* A day is no reason when a month is left. */
static void
test_patience_with_time(void **state)
{
    struct fake_drive *d = *state;

    fake_drive_run(d);
    d->host.now = acme_engine_next(d->engine);
    fake_ca_problem(d->ca, FAKE_NEW_ORDER, 1, 429, "rateLimited", "slowly");
    fake_ca_header(d->ca, FAKE_NEW_ORDER, 1, "Retry-After", "86400");
    fake_drive_run(d);
    assert_int_equal(orders(d->other), 0);
    fake_drive_next(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 2);
    expect_issuer(d, "test");
}

/* ---- and then --------------------------------------------------------- */

/* What another CA of the list gave is good until its renewal, which begins
 * with the first again. */
static void
test_return(void **state)
{
    struct fake_drive *d = *state;

    fake_ca_problem(d->ca, FAKE_NEW_ORDER, 1, 403, "rejectedIdentifier", "no");
    fake_drive_run(d);
    expect_issuer(d, "other");
    assert_int_equal(record_of(d, "a.test").failures, 0);
    fake_drive_restart(d);
    assert_true(acme_engine_next(d->engine) > d->host.now + 50 * DAY);
    fake_drive_next(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 2);
    assert_int_equal(orders(d->ca), 2);
    assert_int_equal(orders(d->other), 1);
    expect_issuer(d, "test");
    assert_in_range(record_of(d, "a.test").issuer_since, FAKE_NOW + 50 * DAY,
        d->host.now);
}

/* All of them refuse: a change is waited for, and a day. */
static void
test_all_refuse(void **state)
{
    struct fake_drive *d = *state;
    struct acme_record record;

    fake_ca_problem(d->ca, FAKE_NEW_ORDER, FAKE_ALWAYS, 403,
        "rejectedIdentifier", "no");
    fake_ca_problem(d->other, FAKE_NEW_ORDER, FAKE_ALWAYS, 403,
        "rejectedIdentifier", "nor we");
    fake_drive_run(d);
    assert_int_equal(orders(d->ca), 1);
    assert_int_equal(orders(d->other), 1);
    record = record_of(d, "a.test");
    assert_true(record.wait_for_config);
    assert_int_equal(record.failures, 2);
    assert_true(acme_engine_next(d->engine) >= d->host.now + DAY);
    fake_drive_restart(d);
    assert_true(acme_engine_next(d->engine) >= d->host.now + DAY);
    fake_drive_next(d);
    assert_int_equal(orders(d->ca), 2);
}

/* One refuses, the other is down: that one is tried again soon. */
static void
test_one_refuses(void **state)
{
    struct fake_drive *d = *state;

    fake_ca_problem(d->ca, FAKE_NEW_ORDER, FAKE_ALWAYS, 403,
        "rejectedIdentifier", "no");
    fake_ca_fail(d->other, FAKE_NEW_ORDER, 1, ACME_NET);
    fake_drive_run(d);
    assert_false(record_of(d, "a.test").wait_for_config);
    assert_in_range(acme_engine_next(d->engine) - d->host.now, 1, MINUTE);
    fake_drive_restart(d);
    fake_drive_next(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    assert_int_equal(orders(d->ca), 1);
    expect_issuer(d, "other");
}

/* Outages of both: no storm, and both are asked. */
static void
test_both_down(void **state)
{
    struct fake_drive *d = *state;
    unsigned i, first, second;

    fake_ca_fail(d->ca, FAKE_DIRECTORY, FAKE_ALWAYS, ACME_NET);
    fake_ca_fail(d->other, FAKE_DIRECTORY, FAKE_ALWAYS, ACME_NET);
    for (i = 0; i < 60; i++)
        fake_drive_next(d);
    first = fake_ca_count(d->ca, FAKE_DIRECTORY);
    second = fake_ca_count(d->other, FAKE_DIRECTORY);
    assert_in_range(first, 15, 45);
    assert_in_range(second, 15, 45);
    assert_true(d->host.now > FAKE_NOW + DAY);
    fake_ca_behave(d->other);
    while (fake_drive_version(d, "a.test") == 0)
        fake_drive_next(d);
    expect_issuer(d, "other");
}

/* An order in flight is gone on with where it is. */
static void
test_in_flight(void **state)
{
    struct fake_drive *d = *state;

    fake_ca_problem(d->ca, FAKE_NEW_ORDER, 1, 403, "rejectedIdentifier", "no");
    fake_ca_header(d->other, FAKE_FINALIZE, 1, "Retry-After", "45");
    fake_drive_run(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 0);
    fake_drive_restart(d);
    fake_drive_next(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    assert_int_equal(orders(d->ca), 1);
    assert_int_equal(orders(d->other), 1);
}

/* Another configuration begins with its first. */
static void
test_other_configuration(void **state)
{
    struct fake_drive *d = *state;

    fake_ca_problem(d->ca, FAKE_NEW_ORDER, 1, 403, "rejectedIdentifier", "no");
    fake_ca_fail(d->other, FAKE_NEW_ORDER, 1, ACME_NET);
    fake_drive_run(d);
    assert_int_equal(record_of(d, "a.test").ca, 1);
    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", 0, "a.test new.a.test", NULL);
    fake_drive_open(d);
    fake_drive_next(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    expect_issuer(d, "test");
}

/* Whoever waits is told when nobody is left to be asked. */
static void
test_asked(void **state)
{
    struct fake_drive *d = *state;

    fake_ca_problem(d->ca, FAKE_NEW_ORDER, 1, 403, "rejectedIdentifier", "no");
    fake_drive_ask(d, 0, 0, 7);
    fake_drive_run(d);
    assert_int_equal(d->ndone, 1);
    assert_true(d->done_ok);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, fake_drive_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_down),
        TEST(test_down_at_renewal),
        TEST(test_at_once),
        TEST(test_validation),
        TEST(test_patience),
        TEST(test_patience_with_time),
        TEST(test_return),
        TEST(test_all_refuse),
        TEST(test_one_refuses),
        TEST(test_both_down),
        TEST(test_in_flight),
        TEST(test_other_configuration),
        TEST(test_asked),
    };

    return cmocka_run_group_tests_name("failover", tests, NULL, NULL);
}
