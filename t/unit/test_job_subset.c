/*
 * acme_job.h, acme_engine.h: a certificate without the names that could not
 * be proved (allow_subset), and when they are tried again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_job.h"

#define DAY 86400
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Names that the CA cannot validate, with spaces between; and after three
 * validations, an order's, unless NULL. */
static const char *failing, *later;
static unsigned validations;

static const char *
validate(void *ctx, const struct fake_validation *v)
{
    (void)ctx;
    if (++validations > 3 && later != NULL)
        failing = later;
    return strstr(failing, v->name) != NULL ? "looked in vain" : NULL;
}

static int
setup(void **state)
{
    int rc = fake_drive_setup(state);
    struct fake_drive *d = *state;
    size_t i;

    i = fake_drive_lineage(d, "a.test", 0, "a.test b.test c.test", NULL);
    d->config->lineage[i].allow_subset = true;
    d->ca->conf.validate = validate;
    failing = "b.test";
    later = NULL;
    validations = 0;
    fake_drive_open(d);
    return rc;
}

static void
expect_names(struct fake_drive *d, bool a, bool b, bool c)
{
    assert_int_equal(fake_drive_covers(d, "a.test", "a.test"), a);
    assert_int_equal(fake_drive_covers(d, "a.test", "b.test"), b);
    assert_int_equal(fake_drive_covers(d, "a.test", "c.test"), c);
}

static unsigned
orders(const struct fake_drive *d)
{
    return fake_ca_count(d->ca, FAKE_NEW_ORDER);
}

/* Which names fail, and what is in the certificate; NULL: there is none. */
static void
test_names(void **state)
{
    static const struct {
        bool allowed;
        const char *failing, *has;
        unsigned orders, left_out;
    } cases[] = {
        { true, "", "abc", 1, 0 },
        { true, "b.test", "ac", 2, 1 },
        { true, "a.test", "bc", 2, 1 }, /* the lineage's own name */
        { true, "a.test c.test", "b", 2, 2 },
        { true, "a.test b.test c.test", NULL, 1, 0 },
        { false, "b.test", NULL, 1, 0 },
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        struct fake_job_outcome out;
        struct acme_record record;
        struct fake_drive *d;
        void *own;

        setup(&own);
        d = own;
        d->config->lineage[0].allow_subset = cases[i].allowed;
        fake_drive_restart(d);
        failing = cases[i].failing;
        fake_job_run(d, 0, false, &out);
        assert_int_equal(orders(d), cases[i].orders);
        assert_int_equal(out.result.left_out, cases[i].left_out);
        assert_false(fake_drive_has_order(d, "a.test"));
        if (cases[i].has == NULL) {
            fake_job_expect(&out, ACME_PROBLEM, "looked in vain");
            assert_int_equal(fake_drive_version(d, "a.test"), 0);
        } else {
            fake_job_expect(&out, ACME_OK, "");
            expect_names(d, strchr(cases[i].has, 'a') != NULL,
                strchr(cases[i].has, 'b') != NULL,
                strchr(cases[i].has, 'c') != NULL);
            fake_drive_close(d);
            fake_drive_open(d);
            fake_drive_record(d, "a.test", &record);
            assert_int_equal(record.left_out.n, cases[i].left_out);
        }
        fake_drive_teardown(&own);
    }
}

/* What else goes wrong is no reason to leave a name out. */
static void
test_other_failures(void **state)
{
    static const struct {
        enum fake_step step;
        unsigned nth;
        const char *type;
    } cases[] = {
        { FAKE_NEW_ORDER, 1, "rejectedIdentifier" },
        { FAKE_NEW_ORDER, 1, "unauthorized" },
        { FAKE_CHALLENGE, 2, "malformed" },
        { FAKE_FINALIZE, 1, "badCSR" },
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        struct fake_job_outcome out;
        struct fake_drive *d;
        void *own;

        setup(&own);
        d = own;
        failing = "";
        fake_ca_problem(d->ca, cases[i].step, cases[i].nth, 403, cases[i].type,
            "no");
        fake_job_run(d, 0, false, &out);
        fake_job_expect(&out, ACME_PROBLEM, cases[i].type);
        assert_int_equal(orders(d), 1);
        fake_drive_teardown(&own);
    }
}

/* The second order fails for another name: the attempt has failed, and the
 * next one begins with all of them. */
static void
test_fails_again(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;

    later = "c.test";
    fake_job_run(d, 0, false, &out);
    fake_job_expect(&out, ACME_PROBLEM, "c.test");
    assert_int_equal(orders(d), 2);
    assert_int_equal(out.result.left_out, 0);
    assert_false(fake_drive_has_order(d, "a.test"));
    fake_job_need(d, 0, false, &out);
    assert_int_equal(orders(d), 4);
    expect_names(d, true, true, false);
}

/* The order for the rest is taken over like any other. */
static void
test_resumed(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;

    fake_ca_fail(d->ca, FAKE_FINALIZE, 1, ACME_NET);
    fake_job_run(d, 0, false, &out);
    fake_job_expect(&out, ACME_NET, "");
    assert_int_equal(orders(d), 2);
    assert_true(fake_drive_has_order(d, "a.test"));
    fake_job_need(d, 0, false, &out);
    assert_int_equal(orders(d), 2);
    assert_int_equal(out.result.left_out, 1);
    expect_names(d, true, false, true);
}

/* An order for the rest is none any more when less or more is wanted. */
static void
test_names_change(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;

    fake_ca_fail(d->ca, FAKE_FINALIZE, 1, ACME_NET);
    fake_job_run(d, 0, false, &out);
    fake_job_expect(&out, ACME_NET, "");
    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", 0, "a.test c.test", NULL);
    d->config->lineage[0].allow_subset = true;
    fake_drive_open(d);
    fake_job_need(d, 0, false, &out);
    assert_int_equal(orders(d), 3);
    assert_int_equal(out.result.left_out, 0);
    assert_false(d->killed);
}

/* ---- in the long run -------------------------------------------------- */

/* Tried again after a day, and then only if something came of it is there a
 * new certificate. */
static void
test_tried_again(void **state)
{
    struct fake_drive *d = *state;
    struct acme_record record;
    time_t begun = d->host.now, first;

    fake_drive_until(d, "a.test", 1, 2);
    expect_names(d, true, false, true);
    assert_true(fake_host_logged(&d->host,
        "is without names that could not be proved, lineage \"a.test\": "
        "\"b.test\" (incorrectResponse: looked in vain); tried again at"));
    assert_int_equal(fake_drive_run(d), 0);
    fake_drive_record(d, "a.test", &record);
    assert_int_equal(record.failures, 0);
    assert_in_range(record.complete_at, begun + DAY, begun + 2 * DAY);
    fake_drive_restart(d); /* nothing is forgotten, nothing is at once */
    assert_int_equal(fake_drive_run(d), 0);
    assert_int_equal(orders(d), 2);

    fake_drive_next(d);
    assert_true(d->host.now >= record.complete_at);
    assert_int_equal(orders(d), 3); /* but none for what there is already */
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    first = record.complete_at;
    fake_drive_record(d, "a.test", &record);
    assert_true(record.complete_at >= first + 2 * DAY);
    assert_int_equal(record.failures, 0);
    assert_false(fake_drive_has_order(d, "a.test"));

    failing = "";
    fake_drive_next(d);
    assert_int_equal(orders(d), 4);
    assert_int_equal(fake_drive_version(d, "a.test"), 2);
    expect_names(d, true, true, true);
    fake_drive_record(d, "a.test", &record);
    assert_int_equal(record.left_out.n, 0);
    assert_int_equal(record.left_out_times, 0);
    assert_int_equal(fake_drive_run(d), 0);
}

static void
test_at_a_change(void **state)
{
    struct fake_drive *d = *state;

    fake_drive_until(d, "a.test", 1, 2);
    failing = "";
    d->config->issuer[0].profile = "other";
    fake_drive_restart(d);
    assert_int_equal(fake_drive_run(d), 1);
    expect_names(d, true, true, true);
}

static void
test_not_allowed_any_more(void **state)
{
    struct fake_drive *d = *state;

    fake_drive_until(d, "a.test", 1, 2);
    d->config->lineage[0].allow_subset = false;
    fake_drive_restart(d);
    assert_int_equal(fake_drive_run(d), 1);
    assert_int_equal(orders(d), 3);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
}

/* At its renewal the rest gets a certificate although it has one. */
static void
test_renewed(void **state)
{
    struct fake_drive *d = *state;
    struct acme_record record;

    fake_drive_until(d, "a.test", 1, 2);
    fake_drive_record(d, "a.test", &record);
    d->host.now = record.renew_at;
    fake_drive_run(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 2);
    expect_names(d, true, false, true);
    assert_int_equal(orders(d), 4);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, setup, fake_drive_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_other_failures),
        TEST(test_fails_again),
        TEST(test_resumed),
        TEST(test_names_change),
        TEST(test_tried_again),
        TEST(test_at_a_change),
        TEST(test_not_allowed_any_more),
        TEST(test_renewed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
