/*
 * acme_job_dns.h: which records a job makes and takes away, and what it knows
 * of them after it was interrupted; with a runner of our own.
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
#include "fake_runner.h"

static struct fake_runner runner;
static struct acme_proof proof;
static const char *bad; /* the name that how() is about */

static int
setup_kind(void **state, enum acme_command_kind kind, const char *names)
{
    struct fake_drive *d;
    int rc = fake_drive_setup(state);

    d = *state;
    fake_runner_proof(&proof, kind);
    d->proof = &proof;
    fake_drive_lineage(d, "a.test", 0, names, NULL);
    fake_drive_open(d);
    fake_runner_open(&runner, d);
    bad = NULL;
    return rc;
}

static int
setup(void **state)
{
    return setup_kind(state, ACME_COMMAND_CERTBOT, "a.test *.a.test");
}

static int
setup_uacme(void **state)
{
    return setup_kind(state, ACME_COMMAND_UACME, "a.test b.test");
}

static int
teardown(void **state)
{
    fake_runner_close(&runner);
    return fake_drive_teardown(state);
}

static bool
is_about(const struct acme_errand *errand)
{
    return bad != NULL && strcmp(errand->name, bad) == 0;
}

/* ---- a plain order ---------------------------------------------------- */

static void
says_which(struct fake_run *run, const struct acme_errand *errand)
{
    assert_string_equal(errand->owner, "_acme-challenge.a.test");
    assert_int_equal(errand->all_len, strlen("a.test,*.a.test"));
    assert_memory_equal(errand->all, "a.test,*.a.test", errand->all_len);
    assert_int_equal(errand->remaining, errand->name[0] != '*');
    if (errand->add)
        (void)snprintf(run->output, sizeof(run->output), "of\t%.40s",
            errand->name);
}

static void
test_wildcard(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;

    runner.how = says_which;
    fake_job_need(d, 0, false, &out);
    assert_int_equal(out.result.version, 1);
    assert_string_equal(runner.log, "add a.test add *.a.test "
                                    "remove a.test done (of\ta.test) "
                                    "remove *.a.test done (of\t*.a.test) ");
    assert_int_equal(runner.n, 0);
    assert_true(fake_drive_covers(d, "a.test", "x.a.test"));
    assert_false(fake_drive_has_order(d, "a.test"));
}

/* ---- failures --------------------------------------------------------- */

static void
fails(struct fake_run *run, const struct acme_errand *errand)
{
    if (!errand->add || !is_about(errand))
        return;
    (void)acme_error_set(&run->err, ACME_IO, "it failed");
}

static void
refuses(struct fake_run *run, const struct acme_errand *errand)
{
    fails(run, errand);
    run->end.refused = run->err.rc != ACME_OK;
}

/* What was made is not made again, what was begun is taken away. */
static void
test_fails(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;

    bad = "*.a.test";
    runner.how = fails;
    (void)fake_job_run(d, 0, false, &out);
    fake_job_expect(&out, ACME_IO, "dns-01 of \"*.a.test\": it failed");
    assert_true(fake_drive_has_order(d, "a.test"));
    assert_int_equal(runner.n, 1);

    fake_drive_restart(d);
    bad = NULL;
    fake_job_need(d, 0, false, &out);
    assert_string_equal(runner.log, "add a.test add *.a.test "
                                    "add *.a.test "
                                    "remove a.test done "
                                    "remove *.a.test done ");
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ORDER), 1);
}

/* The order is dropped: all that may be there goes, and is told why. */
static void
test_order_dropped(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;

    bad = "*.a.test";
    runner.how = fails;
    (void)fake_job_run(d, 0, false, &out);
    fake_ca_json(d->ca, FAKE_ORDER, 1, "status", "\"invalid\"");
    bad = NULL;
    fake_job_need(d, 0, false, &out);
    assert_string_equal(runner.log, "add a.test add *.a.test "
                                    "remove a.test failed "
                                    "remove *.a.test failed "
                                    "add a.test add *.a.test "
                                    "remove a.test done "
                                    "remove *.a.test done ");
    assert_int_equal(runner.n, 0);
}

/* Where nothing was done, nothing is undone. */
static void
test_refused(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;

    bad = "a.test";
    runner.how = refuses;
    (void)fake_job_run(d, 0, false, &out);
    fake_job_expect(&out, ACME_IO, "dns-01 of \"a.test\": it failed");
    fake_ca_json(d->ca, FAKE_ORDER, 1, "status", "\"invalid\"");
    (void)fake_job_run(d, 0, false, &out);
    assert_string_equal(runner.log, "add a.test add a.test ");
}

static void
fails_to_remove(struct fake_run *run, const struct acme_errand *errand)
{
    if (!errand->add && is_about(errand))
        (void)acme_error_set(&run->err, ACME_IO, "it failed");
}

static void
test_stays(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;

    bad = "a.test";
    runner.how = fails_to_remove;
    fake_job_need(d, 0, false, &out);
    assert_int_equal(runner.n, 1);
    assert_true(fake_host_logged(&d->host,
        "the TXT record \"_acme-challenge.a.test\" may still be there, "
        "lineage \"a.test\": it failed"));
}

/* ---- interruptions ---------------------------------------------------- */

static void
never_ends(struct fake_run *run, const struct acme_errand *errand)
{
    if (is_about(errand)) {
        run->silent = true;
        runner.d->host.stopping = true;
    }
}

/* It may have been made, or not. */
static void
test_stopped(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;

    bad = "*.a.test";
    runner.how = never_ends;
    (void)fake_job_run(d, 0, false, &out);
    fake_job_expect(&out, ACME_STOPPING, "");
    assert_int_equal(runner.n, 1);
    fake_drive_restart(d);
    runner.how = NULL;
    fake_job_need(d, 0, false, &out);
    assert_string_equal(runner.log, "add a.test add *.a.test "
                                    "add *.a.test "
                                    "remove a.test done "
                                    "remove *.a.test done ");
    assert_int_equal(runner.n, 0);
}

static void
stops_at_removal(struct fake_run *run, const struct acme_errand *errand)
{
    if (!errand->add)
        never_ends(run, errand);
}

/* The names are proved; whether the records were taken away, nobody heard. */
static void
test_stopped_late(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;

    bad = "a.test";
    runner.how = stops_at_removal;
    (void)fake_job_run(d, 0, false, &out);
    fake_job_expect(&out, ACME_STOPPING, "");
    assert_int_equal(runner.n, 1);
    fake_drive_restart(d);
    runner.how = NULL;
    fake_job_need(d, 0, false, &out);
    assert_string_equal(runner.log, "add a.test add *.a.test "
                                    "remove a.test done "
                                    "remove *.a.test done "
                                    "remove a.test done "
                                    "remove *.a.test done ");
    assert_int_equal(runner.n, 0);
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ORDER), 1);
}

/* ---- uacme: declined -------------------------------------------------- */

static void
declines(struct fake_run *run, const struct acme_errand *errand)
{
    refuses(run, errand);
    run->end.declined = run->end.refused;
}

static void
test_declined(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;

    bad = "b.test";
    runner.how = declines;
    fake_job_need(d, 0, false, &out);
    assert_string_equal(runner.log,
        "add a.test add b.test remove a.test done ");
    assert_true(fake_host_logged(&d->host,
        "the program declines dns-01 of \"b.test\", lineage \"a.test\": "
        "http-01 is tried"));
    assert_int_equal(fake_ca_count(d->ca, FAKE_CHALLENGE), 2);
}

/* In the meantime it has changed its mind: what the CA was told stays. */
static void
test_declined_before(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;

    bad = "b.test";
    runner.how = declines;
    d->ca->conf.validation_polls = 4;
    fake_ca_header(d->ca, FAKE_AUTHZ, FAKE_ALWAYS, "Retry-After", "60");
    assert_int_equal(fake_job_run(d, 0, false, &out), ACME_LATER);
    runner.how = NULL;
    while (out.err.rc == ACME_LATER) {
        d->host.now = out.err.retry_at;
        fake_drive_restart(d);
        (void)fake_job_run(d, 0, false, &out);
    }
    fake_job_expect(&out, ACME_OK, "");
    assert_string_equal(runner.log,
        "add a.test add b.test remove a.test done ");
    assert_int_equal(fake_ca_count(d->ca, FAKE_CHALLENGE), 2);
}

/* Asked again by the next attempt, with the same order. */
static void
test_declined_by_all(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;

    fake_ca_json(d->ca, FAKE_AUTHZ, FAKE_ALWAYS, "challenges.0.type",
        "\"other-01\"");
    fake_ca_json(d->ca, FAKE_AUTHZ, FAKE_ALWAYS, "challenges.1.type",
        "\"other-02\"");
    bad = "b.test";
    runner.how = declines;
    (void)fake_job_run(d, 0, false, &out);
    fake_job_expect(&out, ACME_IO, "dns-01 of \"b.test\": it failed");
    assert_true(fake_drive_has_order(d, "a.test"));
    runner.how = NULL;
    fake_job_need(d, 0, false, &out);
    assert_string_equal(runner.log, "add a.test add b.test add b.test "
                                    "remove a.test done remove b.test done ");
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ORDER), 1);
}

#define TEST(f, setup) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_wildcard, setup),
        TEST(test_fails, setup),
        TEST(test_order_dropped, setup),
        TEST(test_refused, setup),
        TEST(test_stays, setup),
        TEST(test_stopped, setup),
        TEST(test_stopped_late, setup),
        TEST(test_declined, setup_uacme),
        TEST(test_declined_before, setup_uacme),
        TEST(test_declined_by_all, setup_uacme),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
