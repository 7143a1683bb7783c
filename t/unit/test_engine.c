/*
 * acme_engine.h: when a job runs, what its end means, and that all of it
 * survives a restart; over the real store and a CA in memory.
 */
#include "helper_engine.h"

static int
setup_one(void **state)
{
    int rc = fake_drive_setup(state);

    fake_drive_lineage(*state, "a.test", 0, "a.test www.a.test", NULL);
    fake_drive_open(*state);
    return rc;
}

/* With its first certificate. */
static int
setup_live(void **state)
{
    struct fake_drive *d;

    setup_one(state);
    d = *state;
    fake_drive_until(d, "a.test", 1, 1);
    fake_ca_forget_log(d->ca);
    return 0;
}

/* Two lineages of two CAs. */
static int
setup_two(void **state)
{
    int rc = fake_drive_setup(state);

    fake_drive_lineage(*state, "a.test", 0, "a.test", NULL);
    fake_drive_lineage(*state, "b.test", 1, "b.test", NULL);
    fake_drive_open(*state);
    return rc;
}

static unsigned
orders(const struct fake_drive *d)
{
    return fake_ca_count(d->ca, FAKE_NEW_ORDER);
}

static time_t
next(const struct fake_drive *d)
{
    return acme_engine_next(d->engine);
}

/* The next job of all is due between `least` and `most` seconds from now,
 * also for an engine that knows only what is on disk. */
static void
expect_next(struct fake_drive *d, long least, long most)
{
    long first = (long)(next(d) - d->host.now), again;

    assert_in_range(first, least, most);
    fake_drive_restart(d);
    again = (long)(next(d) - d->host.now);
    if (again != first)
        fail_msg("%ld s before, %ld s after a restart", first, again);
}

/* ---- first, renewal --------------------------------------------------- */

/* The steps of the record are these, none earlier than the one before. */
static void
expect_steps(const struct acme_record *record, const char *expected)
{
    char names[256] = "";
    unsigned i;

    for (i = 0; i < record->nsteps; i++) {
        strcat(strcat(names, i > 0 ? " " : ""), record->step[i].name);
        assert_true(record->step[i].at >= record->attempt);
        assert_true(i == 0 || record->step[i].at >= record->step[i - 1].at);
    }
    assert_string_equal(names, expected);
}

static void
test_first(void **state)
{
    struct fake_drive *d = *state;
    struct acme_record record;

    assert_true(next(d) <= d->host.now);
    assert_int_equal(fake_drive_run(d), 1);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    record = record_of(d, "a.test");
    assert_int_equal(record.failures, 0);
    assert_false(record.attempt_open);
    assert_in_range(record.attempt, FAKE_NOW, d->host.now);
    expect_steps(&record, "account order authorize finalize download done");
    assert_true(fake_host_logged(&d->host,
        "notice: certificate obtained, lineage \"a.test\", issuer \"test\", "
        "version 1"));
}

static void
test_nothing_due(void **state)
{
    struct fake_drive *d = *state;

    fake_drive_restart(d);
    assert_int_equal(fake_drive_run(d), 0);
    assert_string_equal(fake_ca_log(d->ca), "");
    fake_host_pass(&d->host, 30 * DAY);
    assert_int_equal(fake_drive_run(d), 0);
    assert_string_equal(fake_ca_log(d->ca), "");
}

static void
test_pick_persisted(void **state)
{
    struct fake_drive *d = *state;
    time_t picked = next(d);

    assert_int_equal(record_of(d, "a.test").renew_at, picked);
    assert_in_range(picked - FAKE_NOW, 55 * DAY, 65 * DAY);
    d->random = 0;
    fake_drive_restart(d);
    assert_int_equal(next(d), picked);
}

static void
test_renewal(void **state)
{
    struct fake_drive *d = *state;
    struct acme_leaf before, after;
    time_t picked = next(d);

    fake_drive_leaf(d, "a.test", &before);
    d->host.now = picked - 1;
    assert_int_equal(fake_drive_run(d), 0);
    d->host.now = picked;
    assert_int_equal(fake_drive_run(d), 1);
    fake_drive_leaf(d, "a.test", &after);
    assert_string_not_equal(before.serial, after.serial);
    assert_int_equal(fake_drive_served(d, "a.test"), 2);
    assert_true(next(d) > picked + 50 * DAY);
    assert_true(fake_host_logged(&d->host, "notice: certificate renewed"));
}

/* The clock is wrong, or the CA's: one certificate is enough for a while. */
static void
test_due_at_once(void **state)
{
    struct fake_drive *d = *state;

    d->ca->conf.certificate.not_before = -80L * DAY;
    d->ca->conf.certificate.not_after = 10L * DAY;
    fake_drive_run(d);
    assert_int_equal(orders(d), 1);
    expect_next(d, 4 * DAY, 5 * DAY);
    fake_drive_next(d);
    assert_int_equal(orders(d), 2);
}

/* One of that kind that was there before is renewed, of course. */
static void
test_expired_while_away(void **state)
{
    struct fake_drive *d = *state;

    fake_drive_close(d);
    helper_tmp_remove(&d->tmp, "state/record/a.test.json");
    fake_host_pass(&d->host, 100 * DAY);
    fake_drive_open(d);
    assert_true(next(d) <= d->host.now);
    fake_drive_run(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 2);
}

static void
test_names_added(void **state)
{
    struct fake_drive *d = *state;

    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", 0, "a.test www.a.test new.a.test", NULL);
    fake_drive_open(d);
    assert_true(next(d) <= d->host.now);
    fake_drive_run(d);
    assert_true(fake_drive_covers(d, "a.test", "new.a.test"));
}

/* Also when another CA is wanted by now. */
static void
test_issued_by(void **state)
{
    struct fake_drive *d = *state;
    struct acme_vault_unit view;

    fake_drive_until(d, "b.test", 1, 2);
    fake_drive_new_config(d);
    fake_drive_lineage(d, "b.test", 0, "b.test", NULL);
    fake_drive_open(d);
    assert_int_equal(
        acme_vault_unit(d->vault, acme_unit(0, 0), &view, &d->err), ACME_OK);
    assert_true(view.other_issuer);
    assert_true(view.issued_by_known);
    assert_int_equal(view.issued_by, 1);
    acme_vault_unit_clear(&view);
}

static void
test_record_damaged(void **state)
{
    struct fake_drive *d = *state;

    fake_drive_close(d);
    helper_tmp_puts(&d->tmp, "state/record/a.test.json", "[ { nonsense");
    fake_drive_open(d);
    assert_int_equal(fake_drive_run(d), 0);
    assert_true(next(d) > d->host.now + 50 * DAY);
}

static void
test_loop(void **state)
{
    struct fake_drive *d = *state;

    d->host.stop_after = 50;
    assert_int_equal(acme_engine_loop(d->engine, false, &d->err), ACME_OK);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    assert_int_equal(d->host.waits, 50);
}

/* ---- a sweep ---------------------------------------------------------- */

/* What is due is done; then it is over, and what comes next is known. */
static void
test_sweep(void **state)
{
    struct fake_drive *d = *state;
    time_t at;

    d->sweeps = true;
    fake_drive_restart(d);
    assert_int_equal(acme_engine_loop(d->engine, false, &d->err), ACME_OK);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    at = acme_engine_next_sweep(d->engine);
    assert_int_equal(at, record_of(d, "a.test").renew_at);

    d->host.now = at;
    fake_ca_problem(d->ca, FAKE_NEW_ORDER, 1, 500, "serverInternal", "oops");
    fake_drive_restart(d);
    assert_int_equal(acme_engine_loop(d->engine, false, &d->err), ACME_OK);
    at = acme_engine_next_sweep(d->engine);
    assert_in_range(at - d->host.now, 7, 15);

    fake_drive_restart(d); /* too early */
    assert_int_equal(acme_engine_loop(d->engine, false, &d->err), ACME_OK);
    assert_int_equal(orders(d), 2);
    assert_int_equal(acme_engine_next_sweep(d->engine), at);
    d->host.now = at;
    fake_drive_restart(d);
    assert_int_equal(acme_engine_loop(d->engine, false, &d->err), ACME_OK);
    assert_int_equal(fake_drive_version(d, "a.test"), 2);
}

/* ---- asked for by people ---------------------------------------------- */

static void
test_asked_nothing_due(void **state)
{
    struct fake_drive *d = *state;

    fake_drive_ask(d, 0, 0, 7);
    fake_drive_run(d);
    assert_int_equal(d->ndone, 1);
    assert_int_equal(d->done_id, 7);
    assert_true(d->done_ok);
    assert_ptr_equal(strstr(d->done_text, "nothing was due, valid until 20"),
        d->done_text);
    assert_string_equal(fake_ca_log(d->ca), "");
}

static void
test_forced(void **state)
{
    struct fake_drive *d = *state;

    fake_drive_ask(d, 0, ACME_RENEW_FORCE, 7);
    fake_drive_run(d);
    assert_true(d->done_ok);
    assert_non_null(strstr(d->done_text, "certificate renewed, version 2"));
    assert_int_equal(record_of(d, "a.test").forced / HOUR, FAKE_NOW / HOUR);
    assert_int_equal(fake_drive_run(d), 0);
}

/* Also for an engine that has just begun. */
static void
test_forced_too_soon(void **state)
{
    struct fake_drive *d = *state;

    fake_drive_ask(d, 0, ACME_RENEW_FORCE, 7);
    fake_drive_run(d);
    fake_drive_restart(d);
    fake_drive_ask(d, 0, ACME_RENEW_FORCE, 8);
    assert_int_equal(d->done_id, 8);
    assert_false(d->done_ok);
    assert_non_null(strstr(d->done_text, "less than an hour ago"));
    assert_int_equal(fake_drive_run(d), 0);
    fake_host_pass(&d->host, HOUR);
    fake_drive_ask(d, 0, ACME_RENEW_FORCE, 9);
    fake_drive_run(d);
    assert_true(d->done_ok);
    assert_int_equal(orders(d), 3);
}

static void
test_asked_twice(void **state)
{
    struct fake_drive *d = *state;

    fake_drive_ask(d, 0, 0, 7);
    fake_drive_ask(d, 0, ACME_RENEW_FORCE, 8);
    assert_int_equal(d->done_id, 7);
    assert_false(d->done_ok);
    fake_drive_run(d);
    assert_int_equal(d->done_id, 8);
    assert_true(d->done_ok);
    assert_int_equal(d->ndone, 2);
}

/* Two key types are two orders, and one answer. */
static void
test_two_types(void **state)
{
    struct fake_drive *d = *state;

    fake_drive_lineage(d, "a.test", 0, "a.test", "ecdsa:256 rsa:2048");
    fake_drive_open(d);
    fake_drive_run(d);
    while (fake_drive_version(d, "a.test") < 2)
        fake_drive_next(d); /* one waits for the other */
    assert_int_equal(orders(d), 2);
    fake_drive_ask(d, 0, ACME_RENEW_FORCE, 7);
    while (d->ndone == 0)
        fake_drive_next(d);
    assert_int_equal(d->ndone, 1);
    assert_true(d->done_ok);
    assert_non_null(strstr(d->done_text, "key ecdsa:256, version 3"));
    assert_non_null(strstr(d->done_text, "key rsa:2048, version 4"));
    assert_int_equal(orders(d), 4);
}

/* Nobody waits for the answer of a key that is not wanted. */
static void
test_one_type_of_two(void **state)
{
    struct fake_drive *d = *state;

    fake_drive_lineage(d, "a.test", 0, "a.test", "ecdsa:256 rsa:2048");
    fake_drive_open(d);
    while (fake_drive_version(d, "a.test") < 2)
        fake_drive_next(d);
    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", 0, "a.test", "rsa:2048");
    fake_drive_open(d);
    fake_drive_ask(d, 0, ACME_RENEW_FORCE, 7);
    fake_drive_run(d);
    assert_int_equal(d->ndone, 1);
    assert_int_equal(fake_drive_version(d, "a.test"), 3);
    assert_false(helper_tmp_exists(&d->tmp,
        fake_drive_path("archive/a.test/3/privkey.ecdsa.pem")));
    assert_int_equal(orders(d), 3);
}

static void
test_asked_fails(void **state)
{
    struct fake_drive *d = *state;

    fake_ca_problem(d->ca, FAKE_NEW_ORDER, 1, 500, "serverInternal", "oops");
    fake_drive_ask(d, 0, ACME_RENEW_FORCE, 7);
    fake_drive_run(d);
    assert_int_equal(d->done_id, 7);
    assert_false(d->done_ok);
    assert_non_null(strstr(d->done_text, "oops"));
    /* No order was made: a second try by force is free. */
    assert_int_equal(record_of(d, "a.test").forced, 0);
}

/* A person does not wait for a back-off. */
static void
test_asked_in_back_off(void **state)
{
    struct fake_drive *d = *state;

    fake_ca_fail(d->ca, FAKE_DIRECTORY, 1, ACME_NET);
    fake_drive_run(d);
    assert_true(next(d) > d->host.now);
    fake_drive_ask(d, 0, 0, 7);
    fake_drive_run(d);
    assert_true(d->done_ok);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
}

/* ---- a long wait ------------------------------------------------------ */

static void
test_later(void **state)
{
    struct fake_drive *d = *state;
    struct acme_record record;

    fake_ca_header(d->ca, FAKE_FINALIZE, 1, "Retry-After", "45");
    fake_drive_ask(d, 0, 0, 7);
    assert_int_equal(fake_drive_run(d), 1);
    assert_int_equal(d->ndone, 0);
    record = record_of(d, "a.test");
    assert_int_equal(record.failures, 0);
    assert_int_equal(record.error.rc, ACME_OK);
    assert_false(record.attempt_open);
    expect_steps(&record, "account order authorize finalize");
    assert_int_equal(next(d), d->host.now + 45);
    assert_int_equal(fake_drive_next(d), 1);
    assert_int_equal(d->ndone, 1);
    assert_true(d->done_ok);
    assert_int_equal(orders(d), 1);
    record = record_of(d, "a.test");
    assert_string_equal(acme_record_last_step(&record), "done");
    assert_string_equal(record.step[4].name, "account");
}

static void
test_later_restart(void **state)
{
    struct fake_drive *d = *state;

    fake_ca_header(d->ca, FAKE_FINALIZE, 1, "Retry-After", "45");
    fake_drive_run(d);
    expect_next(d, 45, 45);
    fake_drive_next(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    assert_int_equal(orders(d), 1);
}

/* ---- refused certificates --------------------------------------------- */

static void
wrong_key(struct fake_drive *d)
{
    static const char *const names[] = { "a.test", "www.a.test", NULL };
    struct helper_ca_options options = { 0 };
    struct helper_ca *ca = helper_ca_new();
    struct acme_key *key = NULL;
    struct acme_buf pem;
    long ahead = (long)(d->host.now - time(NULL));

    options.not_before = ahead - HOUR;
    options.not_after = ahead + 90L * DAY;
    acme_buf_init(&pem, ACME_CHAIN_PEM_MAX);
    assert_int_equal(acme_key_generate(ACME_KEY_ECDSA_256, &key, &d->err),
        ACME_OK);
    helper_ca_issue(ca, key, names, &options, &pem);
    fake_ca_reply(d->ca, FAKE_CERTIFICATE, 1, 200,
        "application/pem-certificate-chain", acme_buf_str(&pem));
    acme_buf_clear(&pem);
    acme_key_unref(key);
    helper_ca_free(ca);
}

static void
wrong_name(struct fake_drive *d)
{
    d->ca->conf.certificate.san = "DNS:a.test,DNS:ww.a.test";
}

static void
expired(struct fake_drive *d)
{
    d->ca->conf.certificate.not_before = -90L * DAY;
    d->ca->conf.certificate.not_after = -10;
}

static void
not_yet_valid(struct fake_drive *d)
{
    d->ca->conf.certificate.not_before = 2L * HOUR;
}

static void
broken_chain(struct fake_drive *d)
{
    d->ca->conf.certificate.wrong_signature = true;
}

static void
is_a_ca(struct fake_drive *d)
{
    d->ca->conf.certificate.is_ca = true;
}

static const struct {
    const char *label;
    void (*bend)(struct fake_drive *d);
} bad_certificates[] = {
    { "wrong key", wrong_key },
    { "wrong name", wrong_name },
    { "expired", expired },
    { "not yet valid", not_yet_valid },
    { "broken chain", broken_chain },
    { "is a CA", is_a_ca },
};

static void
behave(struct fake_drive *d)
{
    memset(&d->ca->conf.certificate, 0, sizeof(d->ca->conf.certificate));
    fake_ca_behave(d->ca);
}

static void
expect_refused(struct fake_drive *d, const char *label, unsigned version)
{
    struct acme_record record = record_of(d, "a.test");
    char *evidence =
        helper_tmp_gets(&d->tmp, "state/record/a.test.refused.pem");

    if (record.error.rc != ACME_REFUSED || !record.wait_for_config ||
        record.next_attempt < d->host.now + DAY)
        fail_msg("%s: record: %s", label, record.error.what);
    if (evidence == NULL ||
        strstr(evidence, "-----BEGIN CERTIFICATE-----") == NULL)
        fail_msg("%s: no evidence", label);
    if (fake_drive_version(d, "a.test") != version ||
        fake_drive_served(d, "a.test") != version)
        fail_msg("%s: the old version is not served", label);
    if (fake_drive_has_order(d, "a.test"))
        fail_msg("%s: the order is left", label);
    free(evidence);
}

/* The old one stays, and no second one is ordered before a day has passed. */
static void
test_refused(void **state)
{
    struct fake_drive *d;
    void *own;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(bad_certificates); i++) {
        setup_live(&own);
        d = own;
        d->host.now = next(d);
        bad_certificates[i].bend(d);
        assert_int_equal(fake_drive_run(d), 1);
        assert_int_equal(orders(d), 2);
        expect_refused(d, bad_certificates[i].label, 1);
        expect_next(d, DAY, 2 * DAY);
        behave(d);
        fake_host_pass(&d->host, DAY - MINUTE);
        assert_int_equal(fake_drive_run(d), 0);
        fake_drive_next(d);
        assert_int_equal(fake_drive_version(d, "a.test"), 2);
        fake_drive_teardown(&own);
    }
}

static void
test_refused_then_configured(void **state)
{
    struct fake_drive *d = *state;

    wrong_name(d);
    fake_drive_run(d);
    expect_refused(d, "first", 0);
    behave(d);
    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", 0, "a.test", NULL);
    fake_drive_open(d);
    assert_int_equal(fake_drive_run(d), 1);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    assert_false(record_of(d, "a.test").wait_for_config);
}

/* ---- retries ---------------------------------------------------------- */

static void
test_rate_limit(void **state)
{
    struct fake_drive *d = *state;

    fake_ca_problem(d->ca, FAKE_NEW_ORDER, 1, 429, "rateLimited", "slowly");
    fake_ca_header(d->ca, FAKE_NEW_ORDER, 1, "Retry-After", "7200");
    fake_drive_run(d);
    expect_next(d, 7200, 7300);
    fake_ca_forget_log(d->ca);
    fake_host_pass(&d->host, 7190);
    fake_drive_run(d);
    assert_string_equal(fake_ca_log(d->ca), "");
    fake_drive_next(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
}

/* A CA that is down for everybody is not asked for the next lineage. */
static void
test_patience_of_all(void **state)
{
    struct fake_drive *d = *state;

    fake_drive_lineage(d, "a.test", 0, "a.test", NULL);
    fake_drive_lineage(d, "b.test", 0, "b.test", NULL);
    fake_drive_lineage(d, "c.test", 1, "c.test", NULL);
    fake_ca_reply(d->ca, FAKE_NEW_ACCOUNT, 1, 503, "text/plain", "down");
    fake_ca_header(d->ca, FAKE_NEW_ACCOUNT, 1, "Retry-After", "600");
    fake_drive_open(d);
    fake_drive_run(d);
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ACCOUNT), 1);
    assert_int_equal(fake_drive_version(d, "c.test"), 1);
    fake_drive_restart(d);
    fake_drive_run(d);
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ACCOUNT), 1);
    fake_host_pass(&d->host, 620);
    fake_drive_run(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    assert_int_equal(fake_drive_version(d, "b.test"), 1);
}

static void
test_back_off(void **state)
{
    struct fake_drive *d = *state;
    time_t wait, last = 0;
    unsigned i;

    fake_ca_problem(d->ca, FAKE_NEW_ORDER, FAKE_ALWAYS, 500, "serverInternal",
        "oops");
    for (i = 1; i <= 15; i++) {
        assert_int_equal(fake_drive_next(d), 1);
        assert_int_equal(record_of(d, "a.test").failures, i);
        wait = next(d) - d->host.now;
        assert_true(wait >= last);
        assert_in_range(wait, 7, 6 * HOUR);
        assert_true(i > 1 || wait <= 15);
        last = wait;
    }
    assert_true(wait >= 3 * HOUR);
    expect_next(d, 3 * HOUR, 6 * HOUR);
    behave(d);
    fake_drive_next(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    assert_int_equal(record_of(d, "a.test").failures, 0);
}

static const char *
refuse_all(void *ctx, const struct fake_validation *v)
{
    (void)ctx;
    (void)v;
    return "found a parking page";
}

static void
test_validation_fails(void **state)
{
    struct fake_drive *d = *state;
    struct acme_record record;

    d->ca->conf.validate = refuse_all;
    fake_drive_run(d);
    record = record_of(d, "a.test");
    assert_int_equal(record.error.rc, ACME_PROBLEM);
    assert_string_equal(record.error.type, "incorrectResponse");
    assert_non_null(strstr(record.error.what, "a.test"));
    assert_false(fake_drive_has_order(d, "a.test"));
    expect_next(d, 15 * MINUTE, 17 * MINUTE);
    fake_drive_next(d);
    expect_next(d, 30 * MINUTE, 33 * MINUTE);
    assert_int_equal(orders(d), 2);
}

static void
test_policy(void **state)
{
    struct fake_drive *d = *state;

    fake_ca_problem(d->ca, FAKE_NEW_ORDER, 1, 400, "rejectedIdentifier",
        "not this one");
    fake_drive_run(d);
    assert_true(record_of(d, "a.test").wait_for_config);
    assert_true(fake_host_logged(&d->host,
        "error: certificate not obtained, lineage \"a.test\""));
    assert_true(fake_host_logged(&d->host, "when the configuration changes"));
    expect_next(d, DAY, 2 * DAY);
}

/* Nothing is asked any more; what to do about it is told, and a change of the
 * configuration is a reason to try. */
static void
test_paused(void **state)
{
    static const char portal[] = "https://portal.test/unpause?jwt=a.b.c";
    struct fake_drive *d = *state;
    struct acme_record record;
    char detail[256];

    snprintf(detail, sizeof(detail),
        "Your account is temporarily prevented from requesting certificates "
        "for a.test and possibly others. Please visit: %s",
        portal);
    fake_ca_problem(d->ca, FAKE_NEW_ORDER, 1, 429, "rateLimited", detail);
    fake_drive_run(d);
    record = record_of(d, "a.test");
    assert_true(record.wait_for_config);
    assert_string_equal(record.error.instance, portal);
    assert_true(fake_host_logged(&d->host,
        "notice: lineage \"a.test\": see https://portal.test/unpause?"));
    expect_next(d, DAY, 2 * DAY);
    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", 0, "a.test new.a.test", NULL);
    fake_drive_open(d);
    assert_true(next(d) <= d->host.now);
    fake_drive_run(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
}

static void
test_account_unknown(void **state)
{
    struct fake_drive *d = *state;

    fake_ca_drop_accounts(d->ca);
    d->host.now = next(d);
    assert_int_equal(fake_drive_run(d), 1);
    assert_int_equal(fake_drive_version(d, "a.test"), 2);
    assert_int_equal(fake_ca_accounts(d->ca), 2);
}

/* ---- contacts --------------------------------------------------------- */

/* A reload with another contact. */
static void
reload_with(struct fake_drive *d, const char *contact)
{
    d->contact = contact;
    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", 0, "a.test www.a.test", NULL);
    fake_ca_forget_log(d->ca);
    fake_host_forget(&d->host);
    fake_drive_open(d);
    assert_int_equal(fake_drive_run(d), 0);
    assert_int_equal(orders(d), 1);
}

/* RFC 8555 7.3.2: told at the reload, though no certificate is due, and once.
 */
static void
test_contacts(void **state)
{
    struct fake_drive *d = *state;

    reload_with(d, "mailto:admin@a.test");
    assert_string_equal(fake_ca_log(d->ca), "");
    reload_with(d, "mailto:new@a.test");
    assert_string_equal(fake_ca_payload(d->ca, FAKE_ACCOUNT),
        "{\"contact\":[\"mailto:new@a.test\"]}");
    assert_true(fake_host_logged(&d->host, "contacts of the account changed"));
    reload_with(d, "mailto:new@a.test");
    assert_string_equal(fake_ca_log(d->ca), "");
    reload_with(d, NULL);
    assert_string_equal(fake_ca_payload(d->ca, FAKE_ACCOUNT),
        "{\"contact\":[]}");
    reload_with(d, NULL);
    assert_string_equal(fake_ca_log(d->ca), "");
}

/* Another server has contacts of its own, or none: they do not tell the CA in
 * turn. */
static void
test_contacts_of_others(void **state)
{
    struct fake_drive *d = *state;

    d->instance = "/etc/nginx/other.conf";
    reload_with(d, NULL);
    assert_string_equal(fake_ca_log(d->ca), "");
    reload_with(d, "mailto:other@a.test");
    assert_string_equal(fake_ca_payload(d->ca, FAKE_ACCOUNT),
        "{\"contact\":[\"mailto:other@a.test\"]}");
    d->instance = "/etc/nginx/nginx.conf";
    reload_with(d, "mailto:admin@a.test");
    assert_string_equal(fake_ca_log(d->ca), "");
}

/* Said once, and certificates are renewed all the same. */
static void
test_contacts_refused(void **state)
{
    struct fake_drive *d = *state;

    fake_ca_problem(d->ca, FAKE_ACCOUNT, 2, 400, "invalidContact", "bad@");
    reload_with(d, "mailto:bad@a.test");
    assert_true(fake_host_logged(&d->host, "does not take the contacts"));
    assert_true(fake_host_logged(&d->host, "bad@"));
    reload_with(d, "mailto:bad@a.test");
    assert_string_equal(fake_ca_log(d->ca), "");
    assert_false(fake_host_logged(&d->host, "contacts"));
    d->host.now = next(d);
    assert_int_equal(fake_drive_run(d), 1);
    assert_int_equal(fake_drive_version(d, "a.test"), 2);
    assert_false(fake_host_logged(&d->host, "contacts"));
}

/* A CA that cannot be reached hears of it later. */
static void
test_contacts_later(void **state)
{
    struct fake_drive *d = *state;

    fake_ca_fail(d->ca, FAKE_ACCOUNT, 2, ACME_NET);
    reload_with(d, "mailto:new@a.test");
    assert_true(fake_host_logged(&d->host, "contacts of the account not"));
    assert_false(fake_host_logged(&d->host, "changed at the CA"));
    fake_host_pass(&d->host, MINUTE);
    assert_int_equal(fake_drive_run(d), 0);
    assert_true(fake_host_logged(&d->host, "changed at the CA"));
    assert_int_equal(orders(d), 1);
}

/* RFC 8555 6.7 in the middle of a job: the same attempt goes on with another
 * account. */
static void
test_account_lost(void **state)
{
    struct fake_drive *d = *state;

    fake_ca_problem(d->ca, FAKE_NEW_ORDER, 1, 400, "accountDoesNotExist", "");
    d->host.now = next(d);
    assert_int_equal(fake_drive_run(d), 1);
    assert_int_equal(fake_drive_version(d, "a.test"), 2);
    assert_int_equal(record_of(d, "a.test").failures, 0);

    /* once: a CA that always says so is not asked for ever */
    fake_ca_forget_log(d->ca);
    fake_ca_problem(d->ca, FAKE_NEW_ORDER, FAKE_ALWAYS, 400,
        "accountDoesNotExist", "");
    d->host.now = next(d);
    assert_int_equal(fake_drive_run(d), 1);
    assert_int_equal(fake_drive_version(d, "a.test"), 2);
    assert_int_equal(record_of(d, "a.test").failures, 1);
    fake_ca_behave(d->ca);
}

/* ---- cut off ---------------------------------------------------------- */

/* Dies in the middle of an attempt, once it is on disk. */
static void
die(struct fake_drive *d, bool crashed)
{
    if (next(d) > d->host.now)
        d->host.now = next(d);
    fake_drive_die(d, 7, true);
    fake_drive_run(d);
    assert_true(d->dead);
    assert_true(record_of(d, "a.test").attempt_open);
    d->crashed = crashed;
    fake_drive_restart(d);
    assert_false(record_of(d, "a.test").attempt_open);
}

static void
test_crash(void **state)
{
    static const struct {
        long least, most;
    } waits[] = { { 60, 70 }, { 120, 140 }, { HOUR, HOUR + 400 },
        { HOUR, HOUR + 400 } };
    struct fake_drive *d = *state;
    struct acme_record record;
    unsigned i;

    for (i = 0; i < COUNT(waits); i++) {
        die(d, true);
        record = record_of(d, "a.test");
        assert_int_equal(record.failures, i + 1);
        assert_int_equal(record.crashes, i + 1);
        assert_non_null(strstr(record.error.what, "died at step"));
        d->crashed = false;
        expect_next(d, waits[i].least, waits[i].most);
    }
    fake_drive_next(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    assert_int_equal(record_of(d, "a.test").crashes, 0);
}

/* The store went, or an admin killed all of it. */
static void
test_nobodys_fault(void **state)
{
    struct fake_drive *d = *state;
    struct acme_record record;
    unsigned i;

    for (i = 0; i < 4; i++) {
        die(d, false);
        record = record_of(d, "a.test");
        assert_int_equal(record.failures, 0);
        assert_int_equal(record.error.rc, ACME_OK);
        assert_true(next(d) <= d->host.now);
    }
    fake_drive_run(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
}

/* An attempt of another process is not ours to close. */
static void
test_open_elsewhere(void **state)
{
    struct fake_drive *d = *state;
    struct acme_record record = record_of(d, "a.test");
    struct acme_store *other = NULL;
    int fd = -1;

    record.attempt_open = true;
    fake_drive_write_record(d, "a.test", &record);
    assert_int_equal(acme_store_open(d->config->state_dir, ACME_STORE_WRITE,
                         &other, &d->err),
        ACME_OK);
    assert_int_equal(acme_store_lock(other, "lineage", "a.test", &fd, &d->err),
        ACME_OK);
    d->crashed = true;
    fake_drive_restart(d);
    record = record_of(d, "a.test");
    assert_true(record.attempt_open);
    assert_int_equal(record.failures, 0);
    close(fd);
    acme_store_close(other);
}

static void
test_stop(void **state)
{
    struct fake_drive *d = *state;
    struct acme_record record;

    d->host.stop_after = 3;
    fake_drive_run(d);
    assert_true(d->host.stopping);
    record = record_of(d, "a.test");
    assert_int_equal(record.failures, 0);
    assert_int_equal(record.error.rc, ACME_OK);
    assert_false(record.attempt_open);
    assert_true(fake_drive_has_order(d, "a.test"));
    d->crashed = true; /* it was not: nothing is open */
    fake_drive_restart(d);
    assert_int_equal(fake_drive_run(d), 1);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    assert_int_equal(orders(d), 1);
}

static void
test_busy(void **state)
{
    struct fake_drive *d = *state;
    struct acme_store *other = NULL;
    int fd = -1;

    assert_int_equal(acme_store_open(d->config->state_dir, ACME_STORE_WRITE,
                         &other, &d->err),
        ACME_OK);
    assert_int_equal(acme_store_lock(other, "lineage", "a.test", &fd, &d->err),
        ACME_OK);
    fake_drive_ask(d, 0, 0, 7);
    assert_int_equal(fake_drive_run(d), 1);
    assert_in_range(next(d) - d->host.now, 1, 10);
    assert_false(helper_tmp_exists(&d->tmp, "state/record/a.test.json"));
    assert_string_equal(fake_ca_log(d->ca), "");
    assert_int_equal(d->ndone, 0); /* who has asked is still waiting */
    close(fd);
    acme_store_close(other);
    fake_drive_next(d);
    assert_true(d->done_ok);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
}

/* ---- several lineages ------------------------------------------------- */

static void
test_one_fails(void **state)
{
    struct fake_drive *d = *state;
    struct acme_record record;

    fake_ca_fail(d->ca, FAKE_DIRECTORY, FAKE_ALWAYS, ACME_NET);
    fake_drive_run(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 0);
    assert_int_equal(fake_drive_version(d, "b.test"), 1);
    record = record_of(d, "a.test");
    assert_int_equal(record.failures, 1);
    assert_string_equal(acme_record_last_step(&record), "failed");
    assert_int_equal(record_of(d, "b.test").failures, 0);
}

static void
test_other_fails(void **state)
{
    struct fake_drive *d = *state;

    fake_ca_problem(d->other, FAKE_NEW_ORDER, FAKE_ALWAYS, 429, "rateLimited",
        "slowly");
    fake_drive_run(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    assert_int_equal(fake_drive_version(d, "b.test"), 0);
}

/* Neither CA hears of the other one's names; one key serves both. */
static void
test_two_cas(void **state)
{
    struct fake_drive *d = *state;

    fake_drive_run(d);
    assert_non_null(strstr(fake_ca_payload(d->ca, FAKE_NEW_ORDER), "a.test"));
    assert_null(strstr(fake_ca_payload(d->ca, FAKE_NEW_ORDER), "b.test"));
    assert_non_null(
        strstr(fake_ca_payload(d->other, FAKE_NEW_ORDER), "b.test"));
    assert_int_equal(helper_tmp_count(&d->tmp, "state/keys"), 2);
}

static size_t
place_of(struct fake_drive *d, const char *name)
{
    char text[64];
    const char *at;

    (void)snprintf(text, sizeof(text), "certificate renewed, lineage \"%s\"",
        name);
    at = strstr(fake_host_lines(&d->host), text);
    if (at == NULL)
        fail_msg("%s is not renewed: %s", name, fake_host_lines(&d->host));
    return (size_t)(at - fake_host_lines(&d->host));
}

/* Makes a lineage due at a time of the test's choice. */
static void
put_off(struct fake_drive *d, const char *name, time_t at)
{
    struct acme_record record = record_of(d, name);

    record.next_attempt = at;
    fake_drive_write_record(d, name, &record);
}

/* What is in danger goes first, however late it became due, and what nobody
 * has asked for last. */
static void
test_urgency(void **state)
{
    static const struct {
        const char *name;
        long life;
    } lineages[] = { { "idle.test", 120 }, { "normal.test", 120 },
        { "near.test", 90 }, { "expired.test", 60 } };
    struct fake_drive *d = *state;
    size_t i, j;

    for (i = 0; i < COUNT(lineages); i++) {
        fake_drive_new_config(d);
        for (j = 0; j <= i; j++)
            fake_drive_lineage(d, lineages[j].name, 0, lineages[j].name, NULL);
        fake_drive_open(d);
        d->ca->conf.certificate.not_after = lineages[i].life * DAY;
        assert_int_equal(fake_drive_run(d), 1);
    }
    d->ca->conf.certificate.not_after = 0;
    fake_host_pass(&d->host, 85 * DAY);
    acme_area_note_traffic(d->area, 1);
    put_off(d, "idle.test", d->host.now - 4);
    put_off(d, "normal.test", d->host.now - 3);
    put_off(d, "near.test", d->host.now - 2);
    put_off(d, "expired.test", d->host.now - 1);
    fake_drive_restart(d);
    assert_int_equal(fake_drive_run(d), 4);
    assert_true(place_of(d, "expired.test") < place_of(d, "near.test"));
    assert_true(place_of(d, "near.test") < place_of(d, "normal.test"));
    assert_true(place_of(d, "normal.test") < place_of(d, "idle.test"));
}

/* ---- what the store says on its own ----------------------------------- */

static void
send_notice(int fd, enum acme_verb verb, uint32_t lineage, bool ask)
{
    struct acme_error err;
    struct acme_buf frame;

    acme_error_clear(&err);
    acme_buf_init(&frame, ACME_FRAME_MAX);
    acme_frame_begin(&frame, verb, lineage);
    if (ask) {
        acme_frame_add_u64(&frame, ACME_RENEW_FORCE);
        acme_frame_add_u64(&frame, 42);
    }
    if (verb == ACME_VERB_UNLOCK)
        acme_frame_add_error(&frame, &err);
    assert_int_equal(acme_frame_send(fd, &frame, &err), ACME_OK);
    acme_buf_clear(&frame);
}

static void
expect_notice(struct acme_vault *vault, enum acme_verb verb, size_t lineage)
{
    struct acme_notice notice;
    enum acme_rc rc;

    assert_true(acme_vault_notice(vault, &notice, &rc));
    assert_int_equal(notice.verb, verb);
    assert_int_equal(notice.lineage, lineage);
    if (verb == ACME_VERB_RENEW) {
        assert_int_equal(notice.flags, ACME_RENEW_FORCE);
        assert_int_equal(notice.id, 42);
    }
}

static void
test_notices(void **state)
{
    struct acme_vault *vault = NULL;
    struct acme_notice notice;
    struct acme_error err;
    enum acme_rc rc = ACME_IO;
    int fds[2];

    (void)state;
    acme_error_clear(&err);
    assert_int_equal(acme_frame_pair(fds, &err), ACME_OK);
    assert_int_equal(acme_vault_new(fds[0], &vault, &err), ACME_OK);
    assert_false(acme_vault_notice(vault, &notice, &rc));
    assert_int_equal(rc, ACME_OK);
    /* between a question and its answer */
    send_notice(fds[1], ACME_VERB_CHANGED, 3, false);
    send_notice(fds[1], ACME_VERB_UNLOCK, 0, false);
    acme_vault_unlock(vault, 0);
    send_notice(fds[1], ACME_VERB_RENEW, 5, true);
    expect_notice(vault, ACME_VERB_CHANGED, 3);
    expect_notice(vault, ACME_VERB_RENEW, 5);
    close(fds[1]);
    assert_false(acme_vault_notice(vault, &notice, &rc));
    assert_int_equal(rc, ACME_IO);
    acme_vault_free(vault);
    close(fds[0]);
}

#define TEST(name, setup) \
    cmocka_unit_test_setup_teardown(name, setup, fake_drive_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_first, setup_one),
        TEST(test_nothing_due, setup_live),
        TEST(test_pick_persisted, setup_live),
        TEST(test_renewal, setup_live),
        TEST(test_due_at_once, setup_one),
        TEST(test_expired_while_away, setup_live),
        TEST(test_names_added, setup_live),
        TEST(test_issued_by, setup_two),
        TEST(test_record_damaged, setup_live),
        TEST(test_loop, setup_one),
        TEST(test_sweep, setup_one),
        TEST(test_asked_nothing_due, setup_live),
        TEST(test_forced, setup_live),
        TEST(test_forced_too_soon, setup_live),
        TEST(test_asked_twice, setup_live),
        TEST(test_asked_fails, setup_live),
        TEST(test_two_types, fake_drive_setup),
        TEST(test_one_type_of_two, fake_drive_setup),
        TEST(test_asked_in_back_off, setup_one),
        TEST(test_later, setup_one),
        TEST(test_later_restart, setup_one),
        cmocka_unit_test(test_refused),
        TEST(test_refused_then_configured, setup_one),
        TEST(test_rate_limit, setup_one),
        TEST(test_patience_of_all, fake_drive_setup),
        TEST(test_back_off, setup_one),
        TEST(test_validation_fails, setup_one),
        TEST(test_policy, setup_one),
        TEST(test_paused, setup_one),
        TEST(test_account_unknown, setup_live),
        TEST(test_contacts, setup_live),
        TEST(test_contacts_of_others, setup_live),
        TEST(test_contacts_refused, setup_live),
        TEST(test_contacts_later, setup_live),
        TEST(test_account_lost, setup_live),
        TEST(test_crash, setup_one),
        TEST(test_nobodys_fault, setup_one),
        TEST(test_open_elsewhere, setup_live),
        TEST(test_stop, setup_one),
        TEST(test_busy, setup_one),
        TEST(test_one_fails, setup_two),
        TEST(test_other_fails, setup_two),
        TEST(test_two_cas, setup_two),
        TEST(test_urgency, fake_drive_setup),
        cmocka_unit_test(test_notices),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
