/*
 * acme_trial.h: whole orders of which nothing is left, and what is said of
 * them; over a keeper that tries, without threads.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <cmocka.h>

#include "drive/acme_trial.h"
#include "fake_drive.h"
#include "state/acme_ledger.h"

static const size_t all[] = { 0, 1 };

/* a.test and b.test, both with a certificate. */
static int
setup(void **state)
{
    struct fake_drive *d;

    fake_drive_setup(state);
    d = *state;
    fake_drive_lineage(d, "a.test", 0, "a.test www.a.test", NULL);
    fake_drive_lineage(d, "b.test", 0, "b.test", "ecdsa:256 rsa:2048");
    fake_drive_open(d);
    fake_drive_run(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    assert_int_equal(fake_drive_version(d, "b.test"), 2);
    fake_drive_close(d);
    d->role = ACME_KEEPER_TRIES;
    return 0;
}

static enum acme_rc
open_line(void *ctx, size_t issuer, struct acme_transport *transport,
    struct acme_error *err)
{
    (void)err;
    *transport = fake_drive_transport(ctx, issuer);
    return ACME_OK;
}

/* What has no end is no test. */
static time_t deadline;

static bool
idle(void *ctx, unsigned ms)
{
    struct fake_drive *d = ctx;

    if (d->host.now > deadline)
        fail_msg("no end:\n%s", fake_host_lines(&d->host));
    return d->host.host.wait(d->host.host.ctx, ms);
}

/* Nothing of it is left afterwards. */
static void
try(struct fake_drive *d, const size_t *lineages, size_t n)
{
    struct acme_crew_conf crew = { .config = d->config,
        .host = &d->host.host,
        .network = { d, open_line },
        .trial = true };
    struct acme_trial trial = { &crew, lineages, n, idle, d };
    char *before, *after;
    char line[1024];

    fake_drive_open(d);
    crew.vault = d->vault;
    deadline = d->host.now + 3600;
    before = fake_drive_listing(d);
    d->ndone = 0;
    if (acme_trial_run(&trial, &d->err) != ACME_OK)
        fail_msg("%s", acme_error_line(&d->err, line, sizeof(line)));
    assert_false(d->killed);
    assert_int_equal(d->ndone, n);
    after = fake_drive_listing(d);
    if (strcmp(before, after) != 0)
        fail_msg("changed\n%s\nto\n%s", before, after);
    free(after);
    fake_drive_close(d);
    after = fake_drive_listing(d);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static void
expect(struct fake_drive *d, bool ok, const char *text)
{
    if (d->done_ok != ok || strstr(d->done_text, text) == NULL)
        fail_msg("%d: %s", (int)d->done_ok, d->done_text);
}

static void
test_all(void **state)
{
    struct fake_drive *d = *state;
    const unsigned issued = fake_ca_issued(d->ca);

    try(d, all, 2);
    assert_int_equal(fake_ca_issued(d->ca), issued + 3);
    assert_int_equal(fake_ca_accounts(d->ca), 1);
    assert_int_equal(d->done_id, 2);
    expect(d, true,
        "dry run succeeded, key ecdsa:256, issuer \"test\", "
        "https://ca.test/dir: a certificate valid until ");
    expect(d, true, "; dry run succeeded, key rsa:2048, ");
}

/* What a renewal would remember of it is not there for the next one. */
static void
test_unaffected(void **state)
{
    struct fake_drive *d = *state;

    fake_ca_problem(d->ca, FAKE_NEW_ORDER, 1, 500, "serverInternal", "no");
    try(d, all, 1);
    expect(d, false,
        "dry run failed, issuer \"test\", https://ca.test/dir: "
        "new order: the CA answered 500");
    d->role = ACME_KEEPER_DECLARES;
    fake_drive_open(d);
    assert_int_equal(fake_drive_run(d), 0);
    fake_drive_ask(d, 0, ACME_RENEW_FORCE, 5);
    fake_drive_run(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 2);
}

/* The CA remembers, and is told to forget. */
static void
test_proved_anew(void **state)
{
    struct fake_drive *d = *state;
    const unsigned proofs = fake_ca_count(d->ca, FAKE_CHALLENGE);

    d->ca->conf.reuse_authz = true;
    try(d, all, 1);
    expect(d, true, "succeeded");
    assert_int_equal(fake_ca_count(d->ca, FAKE_CHALLENGE), proofs + 2);
}

/* It does not: the order goes on all the same, and that is said. */
static void
test_not_forgotten(void **state)
{
    struct fake_drive *d = *state;
    const unsigned proofs = fake_ca_count(d->ca, FAKE_CHALLENGE);

    d->ca->conf.reuse_authz = true;
    fake_ca_problem(d->ca, FAKE_AUTHZ, 3, 403, "unauthorized", "never");
    fake_ca_problem(d->ca, FAKE_AUTHZ, 4, 403, "unauthorized", "never");
    try(d, all, 1);
    expect(d, true, "succeeded");
    assert_int_equal(fake_ca_count(d->ca, FAKE_CHALLENGE), proofs);
    assert_true(fake_host_logged(&d->host,
        "\"a.test\" is not proved anew, lineage \"a.test\": deactivation"));
}

/* RFC 9773 5: whatever is tried, nothing is replaced. */
static void
test_replaces(void **state)
{
    struct fake_drive *d = *state;

    d->ca->conf.renewal_info = d->renewal_info = true;
    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", 0, "a.test www.a.test", NULL);
    try(d, all, 1);
    expect(d, true, "succeeded");
    assert_null(strstr(fake_ca_payload(d->ca, FAKE_NEW_ORDER), "replaces"));
}

static void
test_later(void **state)
{
    struct fake_drive *d = *state;
    const time_t began = d->host.now;

    d->ca->conf.validation_polls = 1;
    fake_ca_header(d->ca, FAKE_AUTHZ, FAKE_ALWAYS, "Retry-After", "60");
    try(d, all, 1);
    expect(d, true, "succeeded");
    assert_true(d->host.now >= began + 60);
}

static void
test_never(void **state)
{
    struct fake_drive *d = *state;
    const time_t began = d->host.now;

    d->ca->conf.validation_polls = 1000;
    fake_ca_header(d->ca, FAKE_AUTHZ, FAKE_ALWAYS, "Retry-After", "60");
    try(d, all, 1);
    expect(d, false, "not through after 10 minutes: ");
    assert_true(d->host.now >= began + 300);
    assert_true(d->host.now <= began + 660);
}

/* What the CA has asked for counts for a dry run as well. */
static void
test_left_alone(void **state)
{
    struct fake_drive *d = *state;
    struct acme_ledger ledger;
    struct acme_buf text;
    const unsigned orders = fake_ca_count(d->ca, FAKE_NEW_ORDER);

    acme_ledger_init(&ledger);
    ledger.not_before = d->host.now + 3600;
    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    d->role = ACME_KEEPER_DECLARES;
    fake_drive_open(d);
    assert_int_equal(acme_ledger_render(&ledger, d->host.now, &text, &d->err),
        ACME_OK);
    assert_int_equal(acme_vault_ledger_put(d->vault, 0, &text, &d->err),
        ACME_OK);
    fake_drive_close(d);
    d->role = ACME_KEEPER_TRIES;
    try(d, all, 1);
    expect(d, false, "the CA asked not to be called before ");
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ORDER), orders);
    acme_buf_clear(&text);
    acme_ledger_clear(&ledger);
}

/* Somebody else works on it, for ever. */
static void
test_busy(void **state)
{
    struct fake_drive *d = *state;
    const time_t began = d->host.now;
    int lock =
        open(helper_tmp_path(&d->tmp, "state/locks/lineage-a.test"), O_RDWR);

    assert_int_equal(flock(lock, LOCK_EX), 0);
    try(d, all, 1);
    expect(d, false, "dry run failed");
    assert_true(d->host.now >= began + 55);
    assert_true(d->host.now <= began + 90);
    close(lock);
}

/* Its host wants it to end. */
static void
test_stopped(void **state)
{
    struct fake_drive *d = *state;
    struct acme_crew_conf crew = { .config = d->config,
        .host = &d->host.host,
        .network = { d, open_line },
        .trial = true };
    struct acme_trial trial = { &crew, all, 2, idle, d };

    fake_drive_open(d);
    crew.vault = d->vault;
    d->host.stopping = true;
    assert_int_equal(acme_trial_run(&trial, &d->err), ACME_STOPPING);
    acme_error_clear(&d->err);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, setup, fake_drive_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_all),
        TEST(test_unaffected),
        TEST(test_proved_anew),
        TEST(test_not_forgotten),
        TEST(test_replaces),
        TEST(test_later),
        TEST(test_never),
        TEST(test_left_alone),
        TEST(test_busy),
        TEST(test_stopped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
