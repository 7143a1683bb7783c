/*
 * Learned revocation in the engine: when it looks, what follows from a list
 * that has the certificate, and that nothing follows from anything else.
 */
#include "helper_engine.h"

#define URL "http://crl.test/1.crl"

static struct acme_buf crl;

/* Each certificate has a list; three of them, issued. */
static int
setup(void **state)
{
    static const char *const names[] = { "a.test", "b.test", "c.test" };
    struct fake_drive *d;
    size_t i;

    acme_buf_init(&crl, 1 << 20);
    fake_drive_setup(state);
    d = *state;
    d->renewal_info = true;
    d->ca->conf.certificate.crl_url = "URI:" URL;
    fake_drive_new_config(d);
    for (i = 0; i < 3; i++)
        fake_drive_lineage(d, names[i], 0, names[i], NULL);
    fake_drive_open(d);
    for (i = 0; i < 3; i++)
        fake_drive_until(d, names[i], 1, 3);
    return 0;
}

static int
teardown(void **state)
{
    int rc = fake_drive_teardown(state);

    acme_buf_clear(&crl);
    return rc;
}

static struct acme_record_revocation
is(struct fake_drive *d, const char *name)
{
    return record_of(d, name).revocation;
}

/* The list from now on; `revoked`: a lineage, or NULL. */
static void
publish(struct fake_drive *d, const char *revoked, long life)
{
    struct helper_ca_crl list = { .this_update = d->host.now - HOUR,
        .next_update = d->host.now + life,
        .reason = 1 };
    struct acme_leaf leaf;

    if (revoked != NULL) {
        fake_drive_leaf(d, revoked, &leaf);
        list.serial = leaf.serial;
    }
    acme_buf_clear(&crl);
    acme_buf_init(&crl, 1 << 20);
    fake_ca_crl(d->ca, &list, &crl);
    d->crl = &crl;
}

/* Goes to the time of the lineage's look. */
static void
advance(struct fake_drive *d, const char *name)
{
    if (is(d, name).next_look > d->host.now)
        d->host.now = is(d, name).next_look;
}

/* Does what is due within seconds: one look at a time, and those that are
 * planned anew at this moment are spread out. */
static void
run(struct fake_drive *d)
{
    unsigned i;

    for (i = 0; i < 12; i++) {
        fake_drive_run(d);
        d->host.now++;
    }
}

static void
look(struct fake_drive *d, const char *name)
{
    advance(d, name);
    run(d);
}

static void
test_good(void **state)
{
    struct fake_drive *d = *state;
    struct acme_record_revocation first = is(d, "a.test");

    assert_in_range(first.next_look, d->host.now + 5L * HOUR,
        d->host.now + 7L * HOUR);
    publish(d, NULL, 40L * DAY);
    look(d, "a.test");
    assert_int_equal(d->fetched, 1);
    assert_false(is(d, "a.test").revoked);
    assert_in_range(is(d, "a.test").next_look, d->host.now + DAY - HOUR,
        d->host.now + 26L * HOUR);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    /* The others' has come from what is kept. */
    assert_true(is(d, "b.test").next_look > d->host.now + DAY - HOUR);
    assert_true(is(d, "c.test").next_look > d->host.now + DAY - HOUR);
    look(d, "a.test");
    assert_int_equal(d->fetched, 2);
}

static void
test_revoked(void **state)
{
    struct fake_drive *d = *state;
    struct acme_leaf before, after;

    fake_drive_leaf(d, "b.test", &before);
    publish(d, "b.test", 8L * HOUR);
    look(d, "b.test");
    assert_true(fake_host_logged(&d->host,
        "notice: certificate is revoked by its CA, lineage \"b.test\""));
    assert_true(fake_host_logged(&d->host, "reason keyCompromise"));
    assert_int_equal(fake_drive_version(d, "b.test"), 2);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    assert_int_equal(fake_drive_version(d, "c.test"), 1);
    fake_drive_leaf(d, "b.test", &after);
    assert_string_not_equal(before.fingerprint, after.fingerprint);
    /* Nothing of it is true of the new one, which is not looked at soon. */
    assert_string_equal(is(d, "b.test").certificate, after.fingerprint);
    assert_false(is(d, "b.test").revoked);
    assert_in_range(is(d, "b.test").next_look, d->host.now + 5L * HOUR,
        d->host.now + 7L * HOUR);
}

/* What was learned outlives a restart, and a CA that cannot issue. */
static void
test_persisted(void **state)
{
    struct fake_drive *d = *state;

    publish(d, "a.test", DAY);
    fake_ca_problem(d->ca, FAKE_NEW_ORDER, 1, 500, "serverInternal", "no");
    look(d, "a.test");
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    assert_int_equal(fake_drive_served(d, "a.test"), 1);
    assert_true(is(d, "a.test").revoked);
    assert_string_equal(is(d, "a.test").reason, "keyCompromise");
    d->crl = NULL;
    fake_drive_restart(d);
    fake_drive_until(d, "a.test", 2, 3);
}

/* Nothing follows but another look. */
static void
test_failures(void **state)
{
    struct fake_drive *d = *state;
    struct acme_record_revocation now;
    unsigned i, k;

    for (i = 1; i <= 3; i++) {
        if (i == 1)
            d->crl = NULL;
        else
            publish(d, "a.test", -HOUR);
        if (i == 3)
            acme_buf_add(&crl, "x", 1);
        /* That a list is bad is kept for a while, too. */
        for (k = 0; k < 60 && is(d, "a.test").failures < i; k++) {
            d->host.now += MINUTE;
            look(d, "a.test");
        }
        now = is(d, "a.test");
        assert_false(now.revoked);
        assert_int_equal(now.failures, i);
        assert_in_range(now.next_look, d->host.now + 2L * MINUTE,
            d->host.now + 7L * HOUR);
        assert_int_equal(fake_drive_version(d, "a.test"), 1);
        assert_true(fake_host_logged(&d->host,
            "info: not known whether the certificate is revoked"));
    }
    publish(d, NULL, DAY);
    look(d, "a.test");
    assert_int_equal(is(d, "a.test").failures, 0);
}

/* A CA that revokes whatever it issues. */
static void
test_patience(void **state)
{
    struct fake_drive *d = *state;
    time_t end = d->host.now + DAY;
    unsigned looks = 0;

    while (is(d, "a.test").next_look < end) {
        advance(d, "a.test");
        publish(d, "a.test", HOUR);
        run(d);
        assert_in_range(looks++, 0, 40);
    }
    assert_in_range(fake_drive_version(d, "a.test"), 3, 5);
}

static void
test_off(void **state)
{
    struct fake_drive *d = *state;

    publish(d, "a.test", DAY);
    d->renewal_info = false;
    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", 0, "a.test", NULL);
    fake_drive_open(d);
    look(d, "a.test");
    assert_int_equal(d->fetched, 0);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_good),
        TEST(test_revoked),
        TEST(test_persisted),
        TEST(test_failures),
        TEST(test_patience),
        TEST(test_off),
    };

    return cmocka_run_group_tests_name("engine_revocation", tests, NULL, NULL);
}
