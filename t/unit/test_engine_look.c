/*
 * Renewal information (RFC 9773) in the engine: whom it asks and when, what
 * that does to the time of a renewal, and that none of it is lost in a
 * restart or costs a certificate.
 */
#include "helper_engine.h"

static void
suggest(struct fake_ca *ca, time_t start, time_t end)
{
    ca->conf.renewal_info = true;
    ca->conf.renewal_start = start;
    ca->conf.renewal_end = end;
}

/* A CA that has renewal information, and its first certificate; the look at
 * it is still to come. */
static int
setup_with(struct fake_drive *d)
{
    d->renewal_info = true;
    suggest(d->ca, FAKE_NOW + 40L * DAY, FAKE_NOW + 42L * DAY);
    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", 0, "a.test", NULL);
    fake_drive_open(d);
    fake_drive_until(d, "a.test", 1, 1);
    fake_ca_forget_log(d->ca);
    return 0;
}

static int
setup(void **state)
{
    fake_drive_setup(state);
    return setup_with(*state);
}

static unsigned
orders(const struct fake_drive *d)
{
    return fake_ca_count(d->ca, FAKE_NEW_ORDER);
}

static unsigned
looks(const struct fake_drive *d)
{
    return fake_ca_count(d->ca, FAKE_RENEWAL_INFO);
}

/* Goes to the time of the next look and does what is due then. */
static void
look(struct fake_drive *d)
{
    d->host.now = record_of(d, "a.test").window.next_look;
    fake_drive_run(d);
}

/* The administrator's interval, for a CA that names none. */
static int
setup_interval(void **state)
{
    const char *word = "30m";
    struct fake_drive *d;

    fake_drive_setup(state);
    d = *state;
    assert_int_equal(acme_timing_set(&d->timing, ACME_TIMING_CHECK_INTERVAL,
                         &word, 1, &d->err),
        ACME_OK);
    return setup_with(d);
}

/* With the first look done. */
static int
setup_looked(void **state)
{
    setup(state);
    look(*state);
    return 0;
}

/* ---- a window --------------------------------------------------------- */

static void
test_first_look(void **state)
{
    struct fake_drive *d = *state;
    struct acme_leaf leaf;
    struct acme_record record = record_of(d, "a.test");
    time_t usual = record.renew_at;

    assert_int_equal(record.window.end, 0);
    assert_int_equal(record.renew_usual, usual);
    assert_in_range(record.window.next_look, d->host.now, d->host.now + 2);
    d->ca->conf.explanation = "https://ca.test/why";
    look(d);
    fake_drive_leaf(d, "a.test", &leaf);
    assert_string_equal(fake_ca_payload(d->ca, FAKE_RENEWAL_INFO),
        leaf.ari_id);
    assert_int_equal(looks(d), 1);
    record = record_of(d, "a.test");
    assert_int_equal(record.window.start, FAKE_NOW + 40L * DAY);
    assert_int_equal(record.window.end, FAKE_NOW + 42L * DAY);
    assert_int_equal(record.window.pick, FAKE_NOW + 41L * DAY);
    assert_int_equal(record.renew_at, FAKE_NOW + 41L * DAY);
    assert_int_equal(record.renew_usual, usual);
    assert_string_equal(record.window.explanation, "https://ca.test/why");
    assert_in_range(record.window.next_look, d->host.now + 6L * HOUR,
        d->host.now + 7L * HOUR);
    assert_true(fake_host_logged(&d->host,
        "notice: renewal suggested, lineage \"a.test\", issuer \"test\""));
    assert_true(fake_host_logged(&d->host, "; see https://ca.test/why"));
    assert_int_equal(acme_engine_next(d->engine), FAKE_NOW + 41L * DAY);
}

static void
test_interval(void **state)
{
    struct fake_drive *d = *state;

    look(d);
    assert_in_range(record_of(d, "a.test").window.next_look - d->host.now,
        30 * MINUTE, 32 * MINUTE);
    d->host.now += 29 * MINUTE;
    fake_drive_run(d);
    assert_int_equal(looks(d), 1);
    look(d);
    assert_int_equal(looks(d), 2);
    fake_ca_header(d->ca, FAKE_RENEWAL_INFO, 1, "Retry-After", "7200");
    look(d);
    assert_in_range(record_of(d, "a.test").window.next_look - d->host.now,
        2 * HOUR, 2 * HOUR + 7 * MINUTE);
}

/* The draw, the window and the next look survive a restart. */
static void
test_persisted(void **state)
{
    struct fake_drive *d = *state;
    struct acme_record before = record_of(d, "a.test"), after;

    d->random = 12345;
    fake_drive_restart(d);
    assert_int_equal(acme_engine_next(d->engine), before.window.pick);
    fake_drive_run(d);
    assert_int_equal(looks(d), 1);
    look(d);
    assert_int_equal(looks(d), 2);
    after = record_of(d, "a.test");
    assert_int_equal(after.window.pick, before.window.pick);
    assert_int_equal(after.renew_at, before.renew_at);
}

static void
test_renewed_at_pick(void **state)
{
    struct fake_drive *d = *state;
    time_t pick = record_of(d, "a.test").window.pick;
    struct acme_record record;
    char expected[160];
    struct acme_leaf leaf;

    fake_drive_leaf(d, "a.test", &leaf);
    d->host.now = pick - 1;
    fake_drive_run(d);
    assert_int_equal(orders(d), 1);
    d->host.now = pick;
    fake_drive_run(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 2);
    (void)snprintf(expected, sizeof(expected), "\"replaces\":\"%s\"",
        leaf.ari_id);
    assert_non_null(strstr(fake_ca_payload(d->ca, FAKE_NEW_ORDER), expected));
    /* Nothing of it is true of the new one. */
    record = record_of(d, "a.test");
    assert_int_equal(record.window.end, 0);
    assert_int_equal(record.window.pick, 0);
    assert_in_range(record.window.suggested, pick, d->host.now);
    assert_in_range(record.window.next_look, d->host.now, d->host.now + 2);
    assert_int_equal(record.renew_at, record.renew_usual);
    assert_true(record.renew_usual > pick + 50L * DAY);
}

static void
test_moved(void **state)
{
    static const struct {
        long start, end; /* days from FAKE_NOW */
        long pick;
    } rows[] = {
        { 40, 42, 41 },
        { 39, 50, 41 },
        { 41, 42, 41 }, /* kept */
        { 30, 40, 35 },
        { 34, 36, 35 }, /* drawn, kept */
        { 50, 60, 55 },
    };
    struct fake_drive *d = *state;
    size_t i;

    for (i = 0; i < COUNT(rows); i++) {
        suggest(d->ca, FAKE_NOW + rows[i].start * DAY,
            FAKE_NOW + rows[i].end * DAY);
        look(d);
        assert_int_equal(record_of(d, "a.test").window.pick,
            FAKE_NOW + rows[i].pick * DAY);
        assert_int_equal(acme_engine_next(d->engine),
            FAKE_NOW + rows[i].pick * DAY);
    }
    assert_int_equal(orders(d), 1);
}

/* Both ways, but not to the end. */
static void
test_later(void **state)
{
    struct fake_drive *d = *state;
    struct acme_leaf leaf;

    suggest(d->ca, FAKE_NOW + 70L * DAY, FAKE_NOW + 72L * DAY);
    look(d);
    assert_int_equal(acme_engine_next(d->engine), FAKE_NOW + 71L * DAY);
    suggest(d->ca, FAKE_NOW + 700L * DAY, FAKE_NOW + 702L * DAY);
    look(d);
    fake_drive_leaf(d, "a.test", &leaf);
    assert_int_equal(acme_engine_next(d->engine),
        leaf.not_after - (leaf.not_after - leaf.not_before) / 10);
}

/* A window that is over: at once, without a restart; and not again and again
 * if that is what the CA always says. */
static void
test_past(void **state)
{
    struct fake_drive *d = *state;
    unsigned i, before;
    time_t start;

    suggest(d->ca, FAKE_NOW - 2L * DAY, FAKE_NOW - DAY);
    look(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 2);
    assert_true(fake_host_logged(&d->host, "notice: renewal suggested"));
    start = d->host.now;
    assert_int_equal(record_of(d, "a.test").window.suggested, start);
    look(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 2);
    assert_in_range(acme_engine_next(d->engine), start + 4L * DAY,
        start + 5L * DAY);
    d->ca->conf.certificate.not_after = DAY - HOUR;
    fake_drive_next(d);
    before = orders(d);
    for (i = 0, start = d->host.now; d->host.now < start + DAY; i++) {
        if (record_of(d, "a.test").window.next_look <
            acme_engine_next(d->engine))
            look(d);
        else
            fake_drive_next(d);
        assert_in_range(i, 0, 40);
    }
    assert_in_range(orders(d) - before, 1, 4);
}

/* ---- no window -------------------------------------------------------- */

static void
test_failures(void **state)
{
    static const struct {
        int status;
        const char *type;
        const char *retry_after;
        long least, most;
    } rows[] = {
        { 404, "malformed", NULL, 150, 300 },
        { 409, "alreadyReplaced", NULL, 300, 600 },
        { 404, "malformed", "9999999", DAY, DAY + 2 * HOUR },
        { 404, "malformed", "1", MINUTE, 2 * MINUTE },
    };
    struct fake_drive *d = *state;
    struct acme_record before = record_of(d, "a.test"), after;
    size_t i;

    for (i = 0; i < COUNT(rows); i++) {
        fake_ca_behave(d->ca);
        fake_ca_problem(d->ca, FAKE_RENEWAL_INFO, 1, rows[i].status,
            rows[i].type, "no");
        if (rows[i].retry_after != NULL)
            fake_ca_header(d->ca, FAKE_RENEWAL_INFO, 1, "Retry-After",
                rows[i].retry_after);
        look(d);
        after = record_of(d, "a.test");
        assert_int_equal(after.window.start, before.window.start);
        assert_int_equal(after.window.end, before.window.end);
        assert_int_equal(after.window.pick, before.window.pick);
        assert_int_equal(after.renew_at, before.renew_at);
        assert_int_equal(after.window.failures, i + 1);
        assert_in_range(after.window.next_look - d->host.now, rows[i].least,
            rows[i].most);
        assert_int_equal(after.failures, 0);
        assert_int_equal(after.error.rc, ACME_OK);
        assert_int_equal(looks(d), i + 2);
    }
    fake_ca_behave(d->ca);
    look(d);
    assert_int_equal(record_of(d, "a.test").window.failures, 0);
    assert_true(fake_host_logged(&d->host,
        "info: no renewal information, lineage \"a.test\", issuer \"test\""));
    assert_false(fake_host_logged(&d->host, "error: "));
    assert_false(fake_host_logged(&d->host, "warn: "));
}

/* A CA that is down is not asked about one certificate after the other. */
static void
test_pause(void **state)
{
    struct fake_drive *d = *state;
    time_t start;

    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", 0, "a.test", NULL);
    fake_drive_lineage(d, "b.test", 0, "b.test", NULL);
    fake_drive_open(d);
    while (fake_drive_version(d, "b.test") == 0)
        fake_drive_next(d);
    d->host.now = record_of(d, "a.test").window.next_look + 1;
    start = d->host.now;
    fake_ca_fail(d->ca, FAKE_RENEWAL_INFO, FAKE_ALWAYS, ACME_NET);
    fake_drive_restart(d);
    fake_host_pass(&d->host, 4);
    fake_drive_run(d);
    fake_drive_run(d);
    assert_int_equal(looks(d), 1 + 1);
    d->host.now = start + MINUTE + 4;
    fake_drive_run(d);
    fake_drive_run(d);
    assert_int_equal(looks(d), 1 + 2);
    /* two minutes now */
    d->host.now = start + 2 * MINUTE + 4;
    fake_drive_run(d);
    assert_int_equal(looks(d), 1 + 2);
    fake_ca_behave(d->ca);
    fake_host_pass(&d->host, HOUR);
    fake_drive_run(d);
    fake_drive_run(d);
    assert_int_equal(looks(d), 1 + 4);
    assert_int_equal(record_of(d, "a.test").failures, 0);
}

static void
test_not_offered(void **state)
{
    struct fake_drive *d = *state;
    struct acme_record record;

    d->ca->conf.renewal_info = false;
    fake_host_pass(&d->host, 2 * HOUR); /* the directory is read again */
    fake_drive_restart(d);
    fake_host_pass(&d->host, 2);
    fake_drive_run(d);
    assert_string_equal(fake_ca_log(d->ca), "directory");
    record = record_of(d, "a.test");
    assert_in_range(record.window.next_look, d->host.now + DAY,
        d->host.now + DAY + 2 * HOUR);
    assert_int_equal(record.renew_at, record.renew_usual);
    assert_false(fake_host_logged(&d->host, "info: no renewal"));
}

/* Without it, the pick by the life counts again, and the CA hears nothing. */
static void
test_off(void **state)
{
    struct fake_drive *d = *state;
    struct acme_record record;

    d->renewal_info = false;
    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", 0, "a.test", NULL);
    fake_drive_open(d);
    record = record_of(d, "a.test");
    assert_int_equal(record.renew_at, record.renew_usual);
    assert_int_equal(record.window.end, 0);
    assert_int_equal(acme_engine_next(d->engine), record.renew_usual);
    fake_host_pass(&d->host, 30L * DAY);
    fake_drive_run(d);
    assert_int_equal(looks(d), 1);
    assert_int_equal(orders(d), 1);
    /* and on again */
    d->renewal_info = true;
    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", 0, "a.test", NULL);
    fake_drive_open(d);
    fake_host_pass(&d->host, 2);
    fake_drive_run(d);
    assert_int_equal(record_of(d, "a.test").renew_at, FAKE_NOW + 41L * DAY);
}

/* A CA that is in trouble, maybe over what is replaced: the next attempt goes
 * without. */
static void
test_replaces_stumbled(void **state)
{
    struct fake_drive *d = *state;

    fake_ca_problem(d->ca, FAKE_NEW_ORDER, 1, 503, "serverInternal", "no");
    d->host.now = record_of(d, "a.test").window.pick;
    fake_drive_run(d);
    assert_non_null(
        strstr(fake_ca_payload(d->ca, FAKE_NEW_ORDER), "replaces"));
    assert_int_equal(record_of(d, "a.test").failures, 1);
    fake_drive_until(d, "a.test", 2, 2);
    assert_null(strstr(fake_ca_payload(d->ca, FAKE_NEW_ORDER), "replaces"));
}

/* ---- whom, and when --------------------------------------------------- */

/* The CA that issued it, not the one that will: nor is that one told what it
 * replaces. */
static void
test_issuing_ca(void **state)
{
    struct fake_drive *d = *state;

    suggest(d->other, FAKE_NOW + 20L * DAY, FAKE_NOW + 22L * DAY);
    fake_ca_problem(d->other, FAKE_NEW_ORDER, FAKE_ALWAYS, 500,
        "serverInternal", "not now");
    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", 1, "a.test", NULL);
    fake_drive_open(d);
    fake_host_pass(&d->host, 2);
    fake_drive_run(d);
    assert_int_equal(looks(d), 1);
    assert_int_equal(fake_ca_count(d->other, FAKE_RENEWAL_INFO), 0);
    assert_int_equal(record_of(d, "a.test").window.end, FAKE_NOW + 42L * DAY);
    assert_int_equal(fake_ca_count(d->other, FAKE_NEW_ORDER), 1);
    assert_null(strstr(fake_ca_payload(d->other, FAKE_NEW_ORDER), "replaces"));
    fake_ca_behave(d->other);
    fake_drive_until(d, "a.test", 2, 5);
    fake_host_pass(&d->host, 2);
    fake_drive_run(d);
    assert_int_equal(looks(d), 1);
    assert_int_equal(fake_ca_count(d->other, FAKE_RENEWAL_INFO), 1);
    assert_int_equal(record_of(d, "a.test").window.end, FAKE_NOW + 22L * DAY);
}

static void
test_expired(void **state)
{
    struct fake_drive *d = *state;

    fake_ca_fail(d->ca, FAKE_NEW_ORDER, FAKE_ALWAYS, ACME_NET);
    fake_host_pass(&d->host, 91L * DAY);
    fake_drive_restart(d);
    fake_host_pass(&d->host, 2);
    fake_drive_run(d);
    fake_drive_run(d);
    assert_int_equal(looks(d), 1);
    assert_int_equal(orders(d), 2);
}

/* Looks that were due while nobody was there are not all due at once. */
static void
test_spread(void **state)
{
    static const char *const names[] = { "a.test", "b.test", "c.test",
        "d.test" };
    struct fake_drive *d = *state;
    size_t i;

    fake_drive_new_config(d);
    for (i = 0; i < COUNT(names); i++)
        fake_drive_lineage(d, names[i], 0, names[i], NULL);
    fake_drive_open(d);
    while (fake_drive_version(d, "d.test") == 0)
        fake_drive_next(d);
    fake_host_pass(&d->host, DAY);
    d->random = UINT32_MAX; /* the last of the 4 * 2 seconds */
    fake_drive_restart(d);
    fake_drive_run(d);
    fake_host_pass(&d->host, 7);
    fake_drive_run(d);
    assert_int_equal(looks(d), 1);
    fake_host_pass(&d->host, 1);
    for (i = 0; i < COUNT(names); i++) {
        fake_drive_run(d); /* one at a time */
        assert_int_equal(looks(d), 1 + i + 1);
    }
    fake_drive_run(d);
    assert_int_equal(looks(d), 1 + COUNT(names));
}

/* Who asked to be left alone is. */
static void
test_patience(void **state)
{
    struct fake_drive *d = *state;

    fake_ca_problem(d->ca, FAKE_NEW_ORDER, 1, 503, "serverInternal", "busy");
    fake_ca_header(d->ca, FAKE_NEW_ORDER, 1, "Retry-After", "36000");
    fake_drive_ask(d, 0, ACME_RENEW_FORCE, 7);
    fake_drive_run(d);
    assert_false(d->done_ok);
    look(d);
    assert_int_equal(looks(d), 1);
    fake_host_pass(&d->host, 4 * HOUR);
    fake_drive_run(d);
    assert_int_equal(looks(d), 2);
}

/* Somebody else works on the lineage: its record is left to him. */
static void
test_busy(void **state)
{
    struct fake_drive *d = *state;
    struct acme_store *other = NULL;
    time_t before = record_of(d, "a.test").window.next_look;
    int fd = -1;

    assert_int_equal(acme_store_open(d->config->state_dir, ACME_STORE_WRITE,
                         &other, &d->err),
        ACME_OK);
    assert_int_equal(acme_store_lock(other, "lineage", "a.test", &fd, &d->err),
        ACME_OK);
    suggest(d->ca, FAKE_NOW - 2L * DAY, FAKE_NOW - DAY);
    look(d);
    assert_int_equal(looks(d), 2);
    assert_int_equal(record_of(d, "a.test").window.next_look, before);
    assert_int_equal(orders(d), 1);
    close(fd);
    acme_store_close(other);
    fake_host_pass(&d->host, MINUTE);
    fake_drive_run(d);
    assert_int_equal(looks(d), 3);
    assert_int_equal(fake_drive_version(d, "a.test"), 2);
}

/* A record that knows nothing of windows yet. */
static void
test_older_record(void **state)
{
    struct fake_drive *d = *state;
    struct acme_record record = record_of(d, "a.test");
    time_t usual = record.renew_usual;

    record.renew_at = usual;
    record.renew_usual = 0;
    memset(&record.window, 0, sizeof(record.window));
    fake_drive_close(d);
    fake_drive_write_record(d, "a.test", &record);
    fake_drive_open(d);
    assert_int_equal(acme_engine_next(d->engine), usual);
    fake_host_pass(&d->host, 2);
    fake_drive_run(d);
    assert_int_equal(looks(d), 2);
    record = record_of(d, "a.test");
    assert_int_equal(record.renew_usual, usual);
    assert_int_equal(record.renew_at, FAKE_NOW + 41L * DAY);
}

/* A failed renewal is tried again when the retries say so, whatever the
 * window. */
static void
test_failing(void **state)
{
    struct fake_drive *d = *state;

    fake_ca_problem(d->ca, FAKE_NEW_ORDER, FAKE_ALWAYS, 429, "rateLimited",
        "slowly");
    suggest(d->ca, FAKE_NOW - 2L * DAY, FAKE_NOW - DAY);
    fake_ca_header(d->ca, FAKE_RENEWAL_INFO, FAKE_ALWAYS, "Retry-After", "60");
    look(d);
    assert_int_equal(orders(d), 2);
    look(d);
    look(d);
    assert_int_equal(orders(d), 2);
    assert_int_equal(record_of(d, "a.test").failures, 1);
    assert_true(acme_engine_next(d->engine) >= d->host.now + 50 * MINUTE);
}

/* A sweep ends, and says when there is a look to come. */
static void
test_sweep_looks(void **state)
{
    struct fake_drive *d = *state;

    d->sweeps = true;
    fake_drive_restart(d);
    assert_int_equal(acme_engine_loop(d->engine, false, &d->err), ACME_OK);
    assert_int_equal(acme_engine_next_sweep(d->engine),
        record_of(d, "a.test").window.next_look);
}

#define TEST(name, setup) \
    cmocka_unit_test_setup_teardown(name, setup, fake_drive_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_first_look, setup),
        TEST(test_sweep_looks, setup),
        TEST(test_persisted, setup_looked),
        TEST(test_renewed_at_pick, setup_looked),
        TEST(test_interval, setup_interval),
        TEST(test_moved, setup_looked),
        TEST(test_later, setup_looked),
        TEST(test_past, setup_looked),
        TEST(test_failures, setup_looked),
        TEST(test_pause, setup_looked),
        TEST(test_not_offered, setup),
        TEST(test_off, setup_looked),
        TEST(test_replaces_stumbled, setup_looked),
        TEST(test_issuing_ca, setup),
        TEST(test_expired, setup_looked),
        TEST(test_spread, setup_looked),
        TEST(test_patience, setup_looked),
        TEST(test_busy, setup_looked),
        TEST(test_older_record, setup_looked),
        TEST(test_failing, setup_looked),
    };

    return cmocka_run_group_tests_name("engine_look", tests, NULL, NULL);
}
