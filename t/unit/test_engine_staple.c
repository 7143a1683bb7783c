/*
 * Staples: which answers of responders are fetched when, believed, kept and
 * published with the certificate that they are about.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/ocsp.h>

#include "drive/acme_status.h"
#include "fake_drive.h"

#define SERIAL "0a0b0c0d0e"
#define OTHER "0a0b0c0d0f"

enum {
    HOUR = 3600,
    DAY = 24 * HOUR
};

static struct acme_buf answer;

static void
open_drive(struct fake_drive *d, bool stapling)
{
    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", 0, "a.test www.a.test", NULL);
    d->config->lineage[0].stapling = stapling;
    fake_drive_open(d);
}

/* What the responder says from now on. */
static void
put_answer(struct fake_drive *d, const struct helper_ca_ocsp *options)
{
    acme_buf_clear(&answer);
    acme_buf_init(&answer, 1 << 20);
    fake_ca_ocsp(d->ca, options, &answer);
    d->ocsp = &answer;
}

static struct helper_ca_ocsp
good(const struct fake_drive *d, const char *serial)
{
    return (struct helper_ca_ocsp){ .this_update = d->host.now - HOUR,
        .next_update = d->host.now + 3L * DAY - HOUR,
        .serial = serial,
        .reason = -1 };
}

static void
say_good(struct fake_drive *d, const char *serial)
{
    struct helper_ca_ocsp options = good(d, serial);

    put_answer(d, &options);
}

/* A certificate that names a responder, which says that it is good. */
static int
setup(void **state)
{
    struct fake_drive *d;

    acme_buf_init(&answer, 1 << 20);
    fake_drive_setup(state);
    d = *state;
    d->ca->conf.certificate.ocsp_url = "OCSP;URI:" FAKE_DRIVE_RESPONDER;
    d->ca->conf.certificate.serial = SERIAL;
    say_good(d, SERIAL);
    open_drive(d, true);
    return 0;
}

static int
teardown(void **state)
{
    int rc = fake_drive_teardown(state);

    acme_buf_clear(&answer);
    return rc;
}

static struct acme_record_staple
is(struct fake_drive *d)
{
    struct acme_record record;

    fake_drive_record(d, "a.test", &record);
    return record.staple;
}

/* Does what is due in the next seconds. */
static void
run(struct fake_drive *d)
{
    unsigned i;

    for (i = 0; i < 5; i++) {
        fake_drive_run(d);
        d->host.now++;
    }
}

static void
run_at(struct fake_drive *d, time_t at)
{
    assert_true(at >= d->host.now);
    d->host.now = at;
    run(d);
}

/* Whether these bytes are what workers send. */
static bool
is_stapled(const struct fake_drive *d, const struct acme_buf *der)
{
    struct acme_area_pair pairs[ACME_SLOT_PAIRS_MAX];
    struct acme_buf copy;
    uint32_t generation;
    size_t n = 0;
    bool same;

    acme_buf_init_secret(&copy, ACME_SLOT_BYTES);
    assert_true(acme_area_get(d->area, 0, &copy, pairs, &n, &generation));
    same =
        pairs[0].staple_len == der->len &&
        (der->len == 0 || memcmp(pairs[0].staple, der->data, der->len) == 0);
    acme_buf_clear(&copy);
    return same;
}

static bool
has_none(const struct fake_drive *d)
{
    struct acme_buf none;

    acme_buf_init(&none, 1);
    return is_stapled(d, &none);
}

static void
test_stapled(void **state)
{
    struct fake_drive *d = *state;
    time_t before = d->host.now;

    run(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    assert_int_equal(d->asked, 1);
    assert_true(is_stapled(d, &answer));
    assert_int_equal(
        helper_tmp_mode(&d->tmp, fake_drive_path("staples/a.test.der")), 0600);
    assert_int_equal(is(d).this_update, before - HOUR);
    assert_int_equal(is(d).next_update, before + 3L * DAY - HOUR);
    assert_int_equal(is(d).failures, 0);
    assert_true(fake_host_logged(&d->host, "answer of OCSP is stapled"));
    /* Again when a third is left, or a bit before. */
    assert_in_range(is(d).next_look, before + 2L * DAY - 4L * HOUR,
        before + 2L * DAY);
    run_at(d, is(d).next_look - 10);
    assert_int_equal(d->asked, 1);
    run_at(d, is(d).next_look);
    assert_int_equal(d->asked, 2);
}

static void
test_newer(void **state)
{
    struct fake_drive *d = *state;
    struct acme_buf old;

    run(d);
    acme_buf_init(&old, 1 << 20);
    acme_buf_add(&old, answer.data, answer.len);
    run_at(d, is(d).next_look - 10);
    say_good(d, SERIAL);
    assert_true(is_stapled(d, &old));
    run_at(d, is(d).next_look);
    assert_false(is_stapled(d, &old));
    assert_true(is_stapled(d, &answer));
    assert_in_range(is(d).next_look, d->host.now + DAY,
        d->host.now + 2L * DAY);
    acme_buf_clear(&old);
}

/* A responder that says the same for long is asked again, not all the time. */
static void
test_the_same(void **state)
{
    struct fake_drive *d = *state;
    unsigned asked;
    time_t until;

    run(d);
    until = is(d).next_update;
    for (asked = 1; asked < 8; asked++) {
        assert_int_equal(d->asked, asked);
        assert_true(is(d).next_look > d->host.now);
        assert_true(is(d).next_look < until);
        run_at(d, is(d).next_look);
        assert_true(is_stapled(d, &answer));
    }
}

static void
test_window(void **state)
{
    struct fake_drive *d = *state;

    d->config->stapling.window_percent = 50;
    run(d);
    assert_in_range(is(d).next_look, d->host.now + 34L * HOUR - 4L * HOUR,
        d->host.now + 36L * HOUR);
}

/* Whether the status says something of it. */
static bool
is_told(struct fake_drive *d)
{
    struct acme_status_lineage one;
    const struct acme_json *list;
    bool told;

    assert_int_equal(acme_status_lineage(d->store, "a.test", d->host.now, NULL,
                         &one, &d->err),
        ACME_OK);
    list = acme_json_get(one.json, "certificates");
    assert_int_equal(acme_json_count(list), 1);
    told = acme_json_get(acme_json_at(list, 0), "staple") != NULL;
    acme_json_free(one.json);
    return told;
}

static void
test_off(void **state)
{
    struct fake_drive *d = *state;

    open_drive(d, false);
    run(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    assert_int_equal(d->asked, 0);
    assert_true(has_none(d));
    assert_string_equal(is(d).certificate, "");
    assert_false(is_told(d));
    /* Turned on, and off again: what is kept is not sent. */
    open_drive(d, true);
    run(d);
    assert_true(is_stapled(d, &answer));
    assert_true(is_told(d));
    open_drive(d, false);
    assert_true(has_none(d));
    assert_false(is_told(d));
    /* And on: what is kept is good still. */
    open_drive(d, true);
    assert_true(is_stapled(d, &answer));
    assert_true(is_told(d));
}

/* Nobody to ask, and nothing to say about it. */
static void
test_no_responder(void **state)
{
    struct fake_drive *d = *state;

    d->ca->conf.certificate.ocsp_url = NULL;
    run(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    run_at(d, d->host.now + DAY);
    assert_int_equal(d->asked, 0);
    assert_true(has_none(d));
    assert_false(fake_host_logged(&d->host, "OCSP"));
}

static void
test_restart(void **state)
{
    struct fake_drive *d = *state;

    run(d);
    fake_drive_close(d);
    acme_area_put(d->area, 0, NULL, 0, 0, &d->err);
    d->ocsp = NULL;
    fake_drive_open(d);
    assert_true(is_stapled(d, &answer));
    run(d);
    assert_int_equal(d->asked, 1);
    /* What is on the disk is not believed, but fetched again. */
    fake_drive_close(d);
    acme_area_put(d->area, 0, NULL, 0, 0, &d->err);
    helper_tmp_puts(&d->tmp, fake_drive_path("staples/a.test.der"), "0");
    d->ocsp = &answer;
    fake_drive_open(d);
    assert_true(has_none(d));
    run(d);
    assert_int_equal(d->asked, 2);
    assert_true(is_stapled(d, &answer));
    /* Nor what is over by then. */
    fake_drive_close(d);
    acme_area_put(d->area, 0, NULL, 0, 0, &d->err);
    d->host.now = is(d).next_update;
    d->ocsp = NULL;
    fake_drive_open(d);
    assert_true(has_none(d));
}

/* None of these is sent. */
static void
test_refused(void **state)
{
    const struct {
        struct helper_ca_ocsp says; /* of the time since now */
        const char *why;
    } rows[] = {
        { { -HOUR, DAY, OTHER, V_OCSP_CERTSTATUS_GOOD, -1, 0, 0, 0, 0 },
            "not about this certificate" },
        { { -HOUR, DAY, SERIAL, V_OCSP_CERTSTATUS_UNKNOWN, -1, 0, 0, 0, 0 },
            "does not know the certificate" },
        { { -HOUR, DAY, SERIAL, V_OCSP_CERTSTATUS_REVOKED, 1, 0, 0, 0, 0 },
            "says that the certificate is revoked" },
        { { -2L * DAY, -DAY, SERIAL, V_OCSP_CERTSTATUS_GOOD, -1, 0, 0, 0, 0 },
            "out of date" },
        { { -DAY, -60, SERIAL, V_OCSP_CERTSTATUS_GOOD, -1, 0, 0, 0, 0 },
            "the answer is over" },
        { { HOUR, DAY, SERIAL, V_OCSP_CERTSTATUS_GOOD, -1, 0, 0, 0, 0 },
            "not valid yet" },
        { { -HOUR, DAY, SERIAL, V_OCSP_CERTSTATUS_GOOD, -1, 0,
              HELPER_CA_DELEGATE_OF_ROOT, 0, 0 },
            "not signed for the certificate's issuer" },
        { { -HOUR, DAY, SERIAL, V_OCSP_CERTSTATUS_GOOD, -1,
              OCSP_RESPONSE_STATUS_TRYLATER, 0, 0, 0 },
            "trylater" },
    };
    struct fake_drive *d = *state;
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct helper_ca_ocsp options = rows[i].says;

        if (i > 0)
            d->host.now = is(d).next_look;
        options.this_update += d->host.now;
        options.next_update += d->host.now;
        put_answer(d, &options);
        run(d);
        assert_int_equal(d->asked, i + 1);
        assert_true(has_none(d));
        assert_int_equal(is(d).failures, i + 1);
        assert_non_null(strstr(is(d).problem, rows[i].why));
        assert_int_equal(is(d).next_update, 0);
        assert_in_range(is(d).next_look, d->host.now + 60,
            d->host.now + 6L * HOUR);
        assert_false(
            helper_tmp_exists(&d->tmp, fake_drive_path("staples/a.test.der")));
    }
    assert_true(fake_host_logged(&d->host,
        "info: no new answer of OCSP to be stapled, lineage \"a.test\""));
    d->host.now = is(d).next_look;
    say_good(d, SERIAL);
    run(d);
    assert_true(is_stapled(d, &answer));
    assert_int_equal(is(d).failures, 0);
    assert_string_equal(is(d).problem, "");
}

/* What was good stays until it is over, and not longer. */
static void
test_outage(void **state)
{
    struct fake_drive *d = *state;
    unsigned most = 40;
    time_t until;

    run(d);
    until = is(d).next_update;
    d->ocsp = NULL;
    d->ocsp_status = 503;
    d->host.now = is(d).next_look;
    while (d->host.now + 10 < until && most-- > 0) {
        run(d);
        assert_true(is_stapled(d, &answer));
        assert_true(is(d).failures > 0);
        d->host.now =
            is(d).next_look > d->host.now ? is(d).next_look : d->host.now + 60;
    }
    assert_in_range(most, 1, 39);
    d->ocsp_status = 0;
    run_at(d, d->host.now > until ? d->host.now : until);
    assert_int_equal(is(d).next_update, 0);
}

/* What was garbage, or too much. */
static void
test_garbage(void **state)
{
    struct fake_drive *d = *state;

    acme_buf_reset(&answer);
    acme_buf_add_str(&answer, "<html>");
    run(d);
    assert_true(has_none(d));
    assert_non_null(strstr(is(d).problem, "malformed answer"));
}

/* The CA is down for longer than its directory is kept: that does not matter,
 * but is the reason that is told if the responder is down too. */
static void
test_silent_ca(void **state)
{
    struct fake_drive *d = *state;
    time_t until;

    run(d);
    until = is(d).next_update;
    d->silent = true;
    d->host.now = is(d).next_look;
    say_good(d, SERIAL);
    run(d);
    assert_int_equal(d->asked, 2);
    assert_true(is_stapled(d, &answer));
    assert_int_equal(is(d).failures, 0);
    assert_true(is(d).next_update > until);
    d->ocsp = NULL;
    run_at(d, is(d).next_look);
    assert_int_equal(d->asked, 3);
    assert_string_equal(is(d).problem, "OCSP: directory: the CA is silent");
}

/* Answers that are none: nobody is followed elsewhere, and what was there
 * before stays. */
static void
test_elsewhere(void **state)
{
    static const struct {
        int status; /* 0: no connection, or none that is allowed */
        const char *why;
    } rows[] = {
        { 301, "OCSP: HTTP status 301" },
        { 302, "OCSP: HTTP status 302" },
        { 307, "OCSP: HTTP status 307" },
        { 404, "OCSP: HTTP status 404" },
        { 500, "OCSP: HTTP status 500" },
        { 0, "OCSP: nobody answers" },
    };
    struct fake_drive *d = *state;
    time_t until;
    size_t i;

    run(d);
    until = is(d).next_update;
    d->ocsp = NULL;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        d->ocsp_status = rows[i].status;
        run_at(d, is(d).next_look);
        assert_int_equal(d->asked, i + 2);
        assert_true(is_stapled(d, &answer));
        assert_int_equal(is(d).failures, i + 1);
        assert_non_null(strstr(is(d).problem, rows[i].why));
        assert_int_equal(is(d).next_update, until);
        assert_true(d->host.now < until);
    }
}

/* Told by a responder that it is revoked: sent no more, and renewed. */
static void
test_revoked(void **state)
{
    struct fake_drive *d = *state;
    struct helper_ca_ocsp options;
    struct acme_leaf leaf;

    d->renewal_info = true;
    open_drive(d, true);
    run(d);
    assert_true(is_stapled(d, &answer));
    fake_drive_leaf(d, "a.test", &leaf);
    options = good(d, SERIAL);
    options.status = V_OCSP_CERTSTATUS_REVOKED;
    options.reason = 4;
    put_answer(d, &options);
    d->ca->conf.certificate.serial = OTHER;
    d->host.now = is(d).next_look;
    fake_drive_run(d);
    assert_int_equal(
        helper_tmp_exists(&d->tmp, fake_drive_path("staples/a.test.der")), 0);
    run(d);
    assert_true(fake_host_logged(&d->host,
        "notice: certificate is revoked by its CA, lineage \"a.test\""));
    assert_int_equal(fake_drive_version(d, "a.test"), 2);
    assert_true(has_none(d));
}

/* The new one is never sent with what was said of the old one. */
static void
test_renewed(void **state)
{
    struct fake_drive *d = *state;

    run(d);
    assert_true(is_stapled(d, &answer));
    d->ca->conf.certificate.serial = OTHER;
    d->ocsp = NULL;
    fake_drive_until(d, "a.test", 2, 5);
    assert_true(has_none(d));
    d->ocsp = &answer; /* of the old one */
    run_at(d, d->host.now + DAY);
    assert_true(has_none(d));
    say_good(d, OTHER);
    run_at(d, is(d).next_look > d->host.now ? is(d).next_look : d->host.now);
    assert_true(is_stapled(d, &answer));
    /* Nor the other way round. */
    assert_int_equal(acme_store_switch(d->store, "a.test", 1, &d->err),
        ACME_OK);
    d->ocsp = NULL;
    fake_drive_restart(d);
    assert_true(has_none(d));
}

/* Others on the state directory send what one has fetched, and no more what
 * one has removed. */
static void
move(void *ctx, size_t lineage)
{
    (void)ctx;
    (void)lineage;
}

static void
test_others(void **state)
{
    struct fake_drive *d = *state;

    d->ocsp = NULL;
    run(d);
    assert_true(has_none(d));
    say_good(d, SERIAL);
    assert_int_equal(acme_store_staple_write(d->store, "a.test", answer.data,
                         answer.len, &d->err),
        ACME_OK);
    acme_keeper_look(d->keeper, move, NULL);
    assert_true(is_stapled(d, &answer));
    /* That of another certificate is one that somebody is about to make
     * live. */
    assert_int_equal(
        acme_store_staple_write(d->store, "a.test", "x", 1, &d->err), ACME_OK);
    acme_keeper_look(d->keeper, move, NULL);
    assert_true(is_stapled(d, &answer));
    assert_int_equal(
        acme_store_staple_write(d->store, "a.test", NULL, 0, &d->err),
        ACME_OK);
    acme_keeper_look(d->keeper, move, NULL);
    assert_true(has_none(d));
}

static void
open_must_staple(struct fake_drive *d)
{
    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", 0, "a.test", NULL);
    d->config->lineage[0].stapling = true;
    d->config->lineage[0].must_staple = true;
    fake_drive_open(d);
}

/* It is there from the moment on that the certificate is. */
static void
test_must_staple(void **state)
{
    struct fake_drive *d = *state;

    open_must_staple(d);
    fake_drive_until(d, "a.test", 1, 1);
    assert_int_equal(d->asked, 1);
    assert_true(is_stapled(d, &answer));
    run(d);
    assert_int_equal(d->asked, 1);
    assert_true(is(d).next_look > d->host.now + DAY);
}

/* It does not wait for ever. */
static void
test_must_staple_late(void **state)
{
    struct fake_drive *d = *state;
    time_t before = d->host.now;

    open_must_staple(d);
    d->ocsp = NULL;
    fake_drive_until(d, "a.test", 1, 1);
    assert_true(has_none(d));
    assert_in_range(d->host.now, before + ACME_STAPLE_WAIT,
        before + ACME_STAPLE_WAIT + 60);
    assert_true(fake_host_logged(&d->host,
        "warn: certificate with must-staple has no answer of its responder"));
    run(d);
    assert_true(fake_host_logged(&d->host,
        "warn: no new answer of OCSP to be stapled"));
}

/* ---- what the store believes ------------------------------------------ */

static void
test_lies(void **state)
{
    static const struct {
        bool locked, other, spoilt;
        enum acme_rc rc;
        bool killed;
    } rows[] = {
        { true, false, false, ACME_OK, false },
        { true, true, false, ACME_NOENT, false },
        { true, false, true, ACME_WIRE, false },
        { false, false, false, ACME_IO, true },
    };
    struct fake_drive *d = *state;
    struct acme_leaf leaf;
    size_t i = sizeof(rows) / sizeof(rows[0]);

    d->ocsp = NULL;
    run(d);
    fake_drive_leaf(d, "a.test", &leaf);
    while (i-- > 0) {
        fake_drive_restart(d);
        d->killed = false;
        acme_error_clear(&d->err);
        if (rows[i].locked)
            assert_int_equal(acme_vault_lock(d->vault, 0, &d->err), ACME_OK);
        assert_int_equal(acme_vault_staple(d->vault, 0,
                             rows[i].other ? "00" : leaf.fingerprint,
                             answer.data, answer.len - rows[i].spoilt,
                             &d->err),
            rows[i].rc);
        assert_int_equal(d->killed, rows[i].killed);
        assert_int_equal(is_stapled(d, &answer), rows[i].rc == ACME_OK);
    }
    acme_error_clear(&d->err);
}

static void
test_too_long(void **state)
{
    static const unsigned char much[ACME_STAPLE_MAX + 1] = { 0x30 };
    struct fake_drive *d = *state;
    struct acme_leaf leaf;

    d->ocsp = NULL;
    run(d);
    fake_drive_leaf(d, "a.test", &leaf);
    assert_int_equal(acme_vault_lock(d->vault, 0, &d->err), ACME_OK);
    assert_int_equal(acme_vault_staple(d->vault, 0, leaf.fingerprint, much,
                         sizeof(much), &d->err),
        ACME_IO);
    assert_true(d->killed);
    acme_error_clear(&d->err);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_stapled),
        TEST(test_newer),
        TEST(test_the_same),
        TEST(test_window),
        TEST(test_off),
        TEST(test_no_responder),
        TEST(test_restart),
        TEST(test_refused),
        TEST(test_outage),
        TEST(test_garbage),
        TEST(test_silent_ca),
        TEST(test_elsewhere),
        TEST(test_revoked),
        TEST(test_renewed),
        TEST(test_others),
        TEST(test_must_staple),
        TEST(test_must_staple_late),
        TEST(test_lies),
        TEST(test_too_long),
    };

    return cmocka_run_group_tests_name("engine_staple", tests, NULL, NULL);
}
