/*
 * Clocks that are wrong, the CA's or ours, and ours being set; over the real
 * engine and store and CAs in memory.
 */
#include "helper_engine.h"

enum {
    N = 6
};

static const char *const names[N] = { "a.test", "b.test", "c.test", "d.test",
    "e.test", "f.test" };

/* All of them live, of one CA. */
static int
setup(void **state)
{
    int rc = fake_drive_setup(state);
    struct fake_drive *d = *state;
    int i;

    for (i = 0; i < N; i++)
        fake_drive_lineage(d, names[i], 0, names[i], NULL);
    fake_drive_open(d);
    fake_drive_run(d);
    for (i = 0; i < N; i++)
        assert_int_equal(fake_drive_version(d, names[i]), 1);
    return rc;
}

static unsigned
orders(const struct fake_drive *d)
{
    return fake_ca_count(d->ca, FAKE_NEW_ORDER) - N;
}

/* Somebody sets our clock; the CA's and the certificates' stay. */
static void
set_clock(struct fake_drive *d, long by)
{
    d->host.now += by;
    d->set += by;
    d->ahead[0] -= by;
    d->ca->conf.certificate.not_before = d->ahead[0] - HOUR;
    d->ca->conf.certificate.not_after = d->ahead[0] + 90L * DAY;
}

static void
expect_served(struct fake_drive *d)
{
    int i;

    for (i = 0; i < N; i++)
        assert_true(fake_drive_served(d, names[i]) > 0);
}

/* ---- a difference ----------------------------------------------------- */

/* Told once, and shown; nothing else is made of it. */
static void
test_minutes(void **state)
{
    struct fake_drive *d = *state;
    time_t next = acme_engine_next(d->engine);

    d->ahead[0] = -10L * MINUTE;
    fake_drive_ask(d, 0, ACME_RENEW_FORCE, 7);
    fake_drive_run(d);
    assert_true(fake_host_logged(&d->host,
        "warn: the clock of issuer \"test\" is 600 seconds behind ours"));
    assert_int_equal(record_of(d, names[0]).clock_ahead, -600);
    assert_in_range(acme_engine_next(d->engine), next, next + 10L * DAY);
    d->ahead[0] = 30;
    fake_host_pass(&d->host, 2L * HOUR);
    fake_drive_ask(d, 0, ACME_RENEW_FORCE, 8);
    fake_drive_run(d);
    assert_true(fake_host_logged(&d->host, "agree again"));
    assert_int_equal(record_of(d, names[0]).clock_ahead, 0);
}

/* Our clock is months ahead at start: all of it seems due, or expired.  The
 * CA knows better, and nothing is ordered. */
static void
test_ours_ahead(void **state)
{
    struct fake_drive *d = *state;

    fake_drive_close(d);
    set_clock(d, 100L * DAY);
    d->set = 0;
    fake_drive_open(d);
    assert_true(acme_engine_next(d->engine) <= d->host.now);
    fake_drive_run(d);
    assert_int_equal(orders(d), 0);
    expect_served(d);
    assert_true(fake_host_logged(&d->host, "is 100 days behind ours"));
    /* It is renewed when its time comes, by the CA's clock. */
    assert_in_range(acme_engine_next(d->engine) - d->host.now, 50L * DAY,
        70L * DAY);
    assert_int_equal(record_of(d, names[0]).failures, 0);
}

/* A CA that lies, by more than a renewal: what is due by its clock is
 * renewed, but not all at once, and not for ever. */
static void
test_lie_of_40_days(void **state)
{
    struct fake_drive *d = *state;
    time_t began;

    fake_host_pass(&d->host, 30L * DAY);
    d->ahead[0] = 40L * DAY;
    fake_drive_ask(d, 0, ACME_RENEW_FORCE, 7);
    fake_drive_run(d);
    began = d->host.now;
    assert_in_range(orders(d), 1, 2);
    while (orders(d) < N)
        fake_drive_next(d);
    assert_true(d->host.now >= began + (N - 2) * MINUTE);
    expect_served(d);
    assert_true(acme_engine_next(d->engine) > d->host.now + 10L * DAY);
}

/* By two hours: nothing is due because of that. */
static void
test_lie_of_2_hours(void **state)
{
    struct fake_drive *d = *state;
    time_t next = acme_engine_next(d->engine);

    d->ahead[0] = 2L * HOUR;
    fake_drive_ask(d, 0, ACME_RENEW_FORCE, 7);
    fake_drive_run(d);
    assert_int_equal(orders(d), 1);
    assert_in_range(acme_engine_next(d->engine), next - 2L * HOUR,
        next + 10L * DAY);
    expect_served(d);
}

/* One CA's lie is nothing to the other's certificates. */
static void
test_one_of_two(void **state)
{
    struct fake_drive *d = *state;

    fake_drive_close(d);
    fake_drive_lineage(d, "z.test", 1, "z.test", NULL);
    d->ahead[1] = 80L * DAY;
    fake_drive_open(d);
    fake_drive_run(d);
    assert_int_equal(fake_drive_version(d, "z.test"), 1);
    assert_int_equal(orders(d), 0);
    fake_drive_run(d);
    assert_int_equal(orders(d), 0);
    assert_true(fake_ca_count(d->other, FAKE_NEW_ORDER) <= 2);
}

/* ---- renewal information (RFC 9773) ----------------------------------- */

/* a.test alone, of a CA with renewal information. */
static int
setup_window(void **state)
{
    int rc = fake_drive_setup(state);
    struct fake_drive *d = *state;

    d->renewal_info = true;
    d->ca->conf.renewal_info = true;
    d->ca->conf.renewal_start = FAKE_NOW + 40L * DAY;
    d->ca->conf.renewal_end = FAKE_NOW + 42L * DAY;
    fake_drive_new_config(d);
    fake_drive_lineage(d, names[0], 0, names[0], NULL);
    fake_drive_open(d);
    fake_drive_until(d, names[0], 1, 1);
    fake_host_pass(&d->host, 10);
    fake_drive_run(d);
    assert_int_equal(fake_ca_count(d->ca, FAKE_RENEWAL_INFO), 1);
    return rc;
}

/* From the next start on. */
static void
start_ahead(struct fake_drive *d, long by)
{
    fake_drive_close(d);
    set_clock(d, by);
    d->set = 0;
    fake_drive_open(d);
    fake_drive_run(d);
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ORDER), 1);
}

/* By our clock the certificate has expired: the CA is asked on about it, and
 * its window is kept to by its clock. */
static void
test_looks(void **state)
{
    struct fake_drive *d = *state;
    unsigned looks;
    int days;

    start_ahead(d, 100L * DAY);
    looks = fake_ca_count(d->ca, FAKE_RENEWAL_INFO);
    for (days = 0; days < 3; days++) {
        fake_host_pass(&d->host, DAY);
        fake_drive_run(d);
    }
    assert_true(fake_ca_count(d->ca, FAKE_RENEWAL_INFO) >= looks + 3);
    assert_int_equal(record_of(d, names[0]).window.end, FAKE_NOW + 42L * DAY);
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ORDER), 1);
    assert_in_range(acme_engine_next(d->engine),
        FAKE_NOW + (100 + 40) * (time_t)DAY,
        FAKE_NOW + (100 + 42) * (time_t)DAY);
}

/* Windows that are always over: the second renewal comes when 1/20 of the
 * life is, and not at the usual time. */
static void
test_window_over(void **state)
{
    struct fake_drive *d = *state;
    time_t began;
    int i;

    start_ahead(d, 30L * DAY);
    d->ca->conf.renewal_start = FAKE_NOW - 2L * DAY;
    d->ca->conf.renewal_end = FAKE_NOW - DAY;
    fake_host_pass(&d->host, DAY);
    fake_drive_run(d);
    fake_drive_run(d);
    assert_int_equal(fake_drive_version(d, names[0]), 2);
    began = d->host.now;
    assert_in_range(record_of(d, names[0]).window.suggested, FAKE_NOW,
        FAKE_NOW + 2L * DAY);
    for (i = 0; i < 8 * 24; i++) {
        fake_host_pass(&d->host, HOUR);
        fake_drive_run(d);
        if (fake_drive_version(d, names[0]) == 3)
            break;
    }
    assert_in_range(d->host.now - began, 4L * DAY, 5L * DAY);
}

/* ---- ours is set ------------------------------------------------------ */

/* While we run, as NTP does: noticed, and nothing is ordered for that. */
static void
test_set_while_running(void **state)
{
    static const long by[] = { 80L * DAY, -80L * DAY, -40L * DAY, 40L * DAY };
    struct fake_drive *d = *state;
    size_t i;

    for (i = 0; i < sizeof(by) / sizeof(by[0]); i++) {
        set_clock(d, by[i]);
        (void)fake_drive_run(d);
        assert_int_equal(orders(d), 0);
        expect_served(d);
    }
    assert_true(fake_host_logged(&d->host, "jumped forward by 80 days"));
    assert_true(fake_host_logged(&d->host, "jumped back by 40 days"));
    assert_in_range(acme_engine_next(d->engine) - d->host.now, 50L * DAY,
        70L * DAY);
}

/* Set back for good: what is due is renewed all the same, by the CA's clock.
 */
static void
test_set_back_for_good(void **state)
{
    struct fake_drive *d = *state;

    set_clock(d, -80L * DAY);
    (void)fake_drive_run(d);
    fake_host_pass(&d->host, 75L * DAY);
    (void)fake_drive_run(d);
    while (orders(d) < N)
        fake_drive_next(d);
    assert_true(d->host.now < FAKE_NOW);
    expect_served(d);
}

/* Slept through the time of renewal: they are renewed at once. */
static void
test_slept(void **state)
{
    struct fake_drive *d = *state;

    fake_host_pass(&d->host, 75L * DAY);
    d->set += 75L * DAY; /* no tick has passed */
    (void)fake_drive_run(d);
    assert_int_equal(orders(d), N);
    assert_true(fake_host_logged(&d->host, "jumped forward by 75 days"));
}

/* A back-off does not become months because the clock is put right. */
static void
test_back_off_and_set_back(void **state)
{
    struct fake_drive *d = *state;

    fake_drive_close(d);
    fake_drive_lineage(d, "new.test", 0, "new.test", NULL);
    fake_ca_problem(d->ca, FAKE_NEW_ORDER, 1, 500, "serverInternal", "oops");
    fake_drive_open(d);
    fake_drive_run(d);
    assert_in_range(acme_engine_next(d->engine) - d->host.now, 1, MINUTE);
    set_clock(d, -60L * DAY);
    fake_drive_run(d);
    assert_in_range(acme_engine_next(d->engine) - d->host.now, 0, MINUTE);
    fake_drive_restart(d);
    assert_in_range(acme_engine_next(d->engine) - d->host.now, 0, MINUTE);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, fake_drive_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_minutes),
        TEST(test_ours_ahead),
        TEST(test_lie_of_40_days),
        TEST(test_lie_of_2_hours),
        TEST(test_one_of_two),
        cmocka_unit_test_setup_teardown(test_looks, setup_window,
            fake_drive_teardown),
        cmocka_unit_test_setup_teardown(test_window_over, setup_window,
            fake_drive_teardown),
        TEST(test_set_while_running),
        TEST(test_set_back_for_good),
        TEST(test_slept),
        TEST(test_back_off_and_set_back),
    };

    return cmocka_run_group_tests_name("engine clock", tests, NULL, NULL);
}
