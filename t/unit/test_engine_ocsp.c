/*
 * Learned revocation by OCSP in the engine: whom it asks, what follows from
 * the answer, and what a revoked certificate and its key are good for then.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/ocsp.h>

#include "fake_drive.h"

#define LIST "http://crl.test/1.crl"
#define KEY_COMPROMISE 1
#define SUPERSEDED 4

enum {
    HOUR = 3600,
    DAY = 24 * HOUR
};

static struct acme_buf answer, list;

static void
open_drive(struct fake_drive *d, bool reuse_key)
{
    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", 0, "a.test www.a.test", NULL);
    d->config->lineage[0].reuse_key = reuse_key;
    fake_drive_open(d);
}

/* One certificate, with a responder and a list. */
static int
setup(void **state)
{
    struct fake_drive *d;

    acme_buf_init(&answer, 1 << 20);
    acme_buf_init(&list, 1 << 20);
    fake_drive_setup(state);
    d = *state;
    d->renewal_info = true;
    d->ca->conf.certificate.ocsp_url = "OCSP;URI:" FAKE_DRIVE_RESPONDER;
    d->ca->conf.certificate.crl_url = "URI:" LIST;
    open_drive(d, false);
    fake_drive_until(d, "a.test", 1, 1);
    return 0;
}

static int
teardown(void **state)
{
    int rc = fake_drive_teardown(state);

    acme_buf_clear(&answer);
    acme_buf_clear(&list);
    return rc;
}

static struct acme_record_revocation
is(struct fake_drive *d)
{
    struct acme_record record;

    fake_drive_record(d, "a.test", &record);
    return record.revocation;
}

static char serial[64];

/* What the responder says from now on; reason 0: all is well. */
static void
say(struct fake_drive *d, int reason, long life)
{
    struct helper_ca_ocsp options = { .this_update = d->host.now - HOUR,
        .next_update = d->host.now + life,
        .serial = serial,
        .status =
            reason != 0 ? V_OCSP_CERTSTATUS_REVOKED : V_OCSP_CERTSTATUS_GOOD,
        .reason = reason != 0 ? reason : -1 };
    struct acme_leaf leaf;

    fake_drive_leaf(d, "a.test", &leaf);
    memcpy(serial, leaf.serial, sizeof(serial));
    acme_buf_clear(&answer);
    acme_buf_init(&answer, 1 << 20);
    fake_ca_ocsp(d->ca, &options, &answer);
    d->ocsp = &answer;
}

/* The list from now on. */
static void
publish(struct fake_drive *d, bool revoked)
{
    struct helper_ca_crl options = { .this_update = d->host.now - HOUR,
        .next_update = d->host.now + 2L * DAY,
        .reason = SUPERSEDED };
    struct acme_leaf leaf;

    if (revoked) {
        fake_drive_leaf(d, "a.test", &leaf);
        options.serial = leaf.serial;
    }
    acme_buf_clear(&list);
    acme_buf_init(&list, 1 << 20);
    fake_ca_crl(d->ca, &options, &list);
    d->crl = &list;
}

/* Goes to the time of the next look and does what is due then. */
static void
look(struct fake_drive *d)
{
    unsigned i;

    if (is(d).next_look > d->host.now)
        d->host.now = is(d).next_look;
    for (i = 0; i < 5; i++) {
        fake_drive_run(d);
        d->host.now++;
    }
}

static void
test_good(void **state)
{
    struct fake_drive *d = *state;
    struct acme_record_revocation first = is(d);

    assert_in_range(first.next_look, d->host.now + 5L * HOUR,
        d->host.now + 7L * HOUR);
    assert_int_equal(d->asked, 0);
    say(d, 0, 7L * DAY);
    publish(d, true); /* nobody asks for it */
    look(d);
    assert_int_equal(d->asked, 1);
    assert_int_equal(d->fetched, 0);
    assert_false(is(d).revoked);
    assert_int_equal(is(d).failures, 0);
    assert_in_range(is(d).next_look, d->host.now + DAY - HOUR,
        d->host.now + 26L * HOUR);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
}

static void
test_revoked(void **state)
{
    struct fake_drive *d = *state;
    struct acme_leaf before, after;
    struct acme_revoked noted;

    fake_drive_leaf(d, "a.test", &before);
    say(d, SUPERSEDED, DAY);
    assert_false(
        acme_store_revoked_read(d->store, before.fingerprint, &noted));
    look(d);
    assert_true(fake_host_logged(&d->host,
        "notice: certificate is revoked by its CA, lineage \"a.test\""));
    assert_true(fake_host_logged(&d->host,
        "reason superseded, learned by OCSP; it is renewed with another "
        "key"));
    assert_int_equal(d->fetched, 0);
    assert_int_equal(fake_drive_version(d, "a.test"), 2);
    fake_drive_leaf(d, "a.test", &after);
    assert_string_not_equal(before.fingerprint, after.fingerprint);
    assert_string_equal(is(d).certificate, after.fingerprint);
    assert_false(is(d).revoked);
    /* It is known of the old one for good, but of nothing else. */
    assert_true(acme_store_revoked_read(d->store, before.fingerprint, &noted));
    assert_string_equal(noted.by, "ocsp");
    assert_string_equal(noted.reason, "superseded");
    assert_false(acme_store_revoked_read(d->store, after.fingerprint, &noted));
}

/* Where the CA cannot issue: what is known is kept, and served. */
static void
test_persisted(void **state)
{
    struct fake_drive *d = *state;

    say(d, KEY_COMPROMISE, DAY);
    fake_ca_problem(d->ca, FAKE_NEW_ORDER, 1, 500, "serverInternal", "no");
    look(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    assert_int_equal(fake_drive_served(d, "a.test"), 1);
    assert_true(is(d).revoked);
    assert_string_equal(is(d).by, "ocsp");
    assert_string_equal(is(d).reason, "keyCompromise");
    d->ocsp = NULL;
    fake_drive_restart(d);
    fake_drive_until(d, "a.test", 2, 3);
}

/* Where the responder has nothing to say the list has the word. */
static void
test_list_instead(void **state)
{
    struct fake_drive *d = *state;
    unsigned i;

    for (i = 0; i < 3; i++) {
        if (i == 0)
            d->ocsp_status = 503;
        else
            say(d, 0, i == 1 ? -HOUR : DAY);
        if (i == 2)
            acme_buf_add(&answer, "x", 1);
        publish(d, false);
        look(d);
        assert_int_equal(d->asked, i + 1);
        assert_int_equal(is(d).failures, 0);
        assert_false(is(d).revoked);
        assert_true(is(d).next_look > d->host.now + 20L * HOUR);
    }
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    publish(d, true);
    look(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 2);
    assert_true(fake_host_logged(&d->host, "learned by its list (CRL)"));
}

/* Neither says anything: nothing follows. */
static void
test_unknown(void **state)
{
    struct fake_drive *d = *state;
    unsigned i, asked;

    for (i = 1; i <= 4; i++) {
        look(d);
        assert_int_equal(fake_drive_version(d, "a.test"), 1);
        assert_false(is(d).revoked);
        assert_true(is(d).failures > 0);
        assert_true(is(d).next_look > d->host.now);
    }
    assert_true(fake_host_logged(&d->host,
        "info: not known whether the certificate is revoked, lineage "
        "\"a.test\": revocation list: HTTP status 404"));
    assert_true(fake_host_logged(&d->host, "debug: no answer of a responder"));
    asked = d->asked;
    assert_in_range(asked, 1, 4);
    say(d, 0, DAY);
    while (is(d).failures > 0)
        look(d);
    assert_true(d->asked > asked);
}

static void
test_responder_only(void **state)
{
    struct fake_drive *d = *state;
    unsigned i;

    d->ca->conf.certificate.crl_url = NULL;
    fake_drive_ask(d, 0, ACME_RENEW_FORCE, 1);
    fake_drive_until(d, "a.test", 2, 2);
    for (i = 1; i <= 6; i++)
        look(d);
    assert_in_range(d->asked, 3, 6);
    assert_int_equal(d->fetched, 0);
    assert_in_range(is(d).failures, 3, 6);
    assert_true(fake_host_logged(&d->host,
        "not known whether the certificate is revoked, lineage \"a.test\": "
        "OCSP: nobody answers"));
    say(d, SUPERSEDED, DAY);
    while (fake_drive_version(d, "a.test") == 2)
        look(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 3);
}

/* It names nobody whom we could ask. */
static void
test_nobody(void **state)
{
    struct fake_drive *d = *state;
    unsigned i;

    d->ca->conf.certificate.ocsp_url = "caIssuers;URI:http://ca.test/1.cer,"
                                       "OCSP;URI:https://ocsp.test/";
    d->ca->conf.certificate.crl_url = NULL;
    fake_drive_ask(d, 0, ACME_RENEW_FORCE, 1);
    fake_drive_until(d, "a.test", 2, 2);
    for (i = 0; i < 10; i++) {
        d->host.now += HOUR;
        fake_drive_run(d);
    }
    assert_int_equal(d->asked + d->fetched, 0);
    assert_int_equal(is(d).failures, 0);
    assert_int_equal(fake_drive_version(d, "a.test"), 2);
}

/* Two certificates' looks are due. */
static void
look_at_both(struct fake_drive *d)
{
    static const char *const names[] = { "a.test", "b.test" };
    struct acme_record record;
    unsigned i;

    for (i = 0; i < 2; i++) {
        fake_drive_record(d, names[i], &record);
        record.revocation.next_look = d->host.now;
        fake_drive_write_record(d, names[i], &record);
    }
    fake_drive_restart(d);
    d->asked = 0;
    for (i = 0; i < 12; i++) {
        fake_drive_run(d);
        d->host.now++;
    }
}

/* One that gives no answer is not asked about the next certificate, for a
 * while; one that answers with nonsense is. */
static void
test_spared(void **state)
{
    struct fake_drive *d = *state;

    fake_drive_close(d);
    fake_drive_lineage(d, "b.test", 0, "b.test", NULL);
    fake_drive_open(d);
    fake_drive_until(d, "b.test", 1, 1);
    publish(d, false);
    look_at_both(d);
    assert_int_equal(d->asked, 1);
    d->ocsp_status = 500;
    look_at_both(d);
    assert_int_equal(d->asked, 1);
    acme_buf_add(&answer, "<html>", 6);
    d->ocsp = &answer;
    look_at_both(d);
    assert_int_equal(d->asked, 2);
    assert_int_equal(is(d).failures, 0);
}

static void
get_key(struct fake_drive *d, unsigned version, struct acme_key **key)
{
    struct acme_version it;

    acme_version_init(&it);
    assert_int_equal(
        acme_store_version_read(d->store, "a.test", version, &it, &d->err),
        ACME_OK);
    assert_int_equal(acme_key_from_der(it.pair[0].key.data, it.pair[0].key.len,
                         key, &d->err),
        ACME_OK);
    acme_version_clear(&it);
}

static bool
has_key_of(struct fake_drive *d, unsigned one, unsigned other)
{
    struct acme_key *a = NULL, *b = NULL;
    char ida[ACME_KEY_ID_LEN + 1], idb[ACME_KEY_ID_LEN + 1];

    get_key(d, one, &a);
    get_key(d, other, &b);
    assert_int_equal(acme_key_id(a, ida, &d->err), ACME_OK);
    assert_int_equal(acme_key_id(b, idb, &d->err), ACME_OK);
    acme_key_unref(a);
    acme_key_unref(b);
    return strcmp(ida, idb) == 0;
}

/* A renewal that keeps its key is under way when that is found to be nobody's
 * any more: the order is for another one then. */
static void
test_order_in_flight(void **state)
{
    struct fake_drive *d = *state;
    struct acme_key *key = NULL;
    unsigned orders;

    open_drive(d, true);
    fake_drive_until(d, "a.test", 1, 0);
    say(d, 0, 90L * DAY);
    fake_ca_problem(d->ca, FAKE_FINALIZE, FAKE_ALWAYS, 500, "serverInternal",
        "not today");
    while (!fake_drive_has_order(d, "a.test"))
        fake_drive_next(d);
    orders = fake_ca_count(d->ca, FAKE_NEW_ORDER);
    get_key(d, 1, &key);
    assert_false(acme_store_is_barred(d->store, key));
    say(d, KEY_COMPROMISE, 90L * DAY);
    while (!is(d).revoked)
        look(d);
    assert_true(acme_store_is_barred(d->store, key));
    acme_key_unref(key);
    fake_ca_behave(d->ca);
    fake_drive_until(d, "a.test", 2, 5);
    assert_true(fake_ca_count(d->ca, FAKE_NEW_ORDER) > orders);
    assert_false(has_key_of(d, 1, 2));
    /* Renewals keep the new one again. */
    d->ocsp = NULL;
    fake_drive_until(d, "a.test", 3, 5);
    assert_true(has_key_of(d, 2, 3));
}

/* What was revoked for another reason is renewed with another key, which is
 * nevertheless not barred. */
static void
test_reuse_key(void **state)
{
    struct fake_drive *d = *state;
    struct acme_key *key = NULL;

    open_drive(d, true);
    get_key(d, 1, &key);
    say(d, SUPERSEDED, DAY);
    look(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 2);
    assert_false(has_key_of(d, 1, 2));
    assert_false(acme_store_is_barred(d->store, key));
    acme_key_unref(key);
}

static size_t
count_served(struct fake_drive *d, size_t lineage)
{
    struct acme_area_pair pairs[ACME_SLOT_PAIRS_MAX];
    struct acme_buf copy;
    uint32_t generation;
    size_t n = 0;

    acme_buf_init_secret(&copy, ACME_SLOT_BYTES);
    (void)acme_area_get(d->area, lineage, &copy, pairs, &n, &generation);
    acme_buf_clear(&copy);
    return n;
}

/* It is not served for a name that has moved to another lineage. */
static void
test_no_spare(void **state)
{
    struct fake_drive *d = *state;
    unsigned i;

    fake_ca_problem(d->ca, FAKE_NEW_ORDER, FAKE_ALWAYS, 500, "serverInternal",
        "not today");
    for (i = 0; i < 2; i++) {
        if (i == 1) {
            open_drive(d, false);
            say(d, SUPERSEDED, DAY);
            look(d);
            assert_true(is(d).revoked);
        }
        fake_drive_new_config(d);
        acme_area_put(d->area, 0, NULL, 0, 0, &d->err);
        fake_drive_lineage(d, "c.test", 0, "www.a.test", NULL);
        fake_drive_open(d);
        assert_int_equal(count_served(d, 0), i == 0 ? 1 : 0);
    }
}

/* ---- what the store believes ------------------------------------------ */

static void
test_lies(void **state)
{
    static const struct {
        bool locked, other; /* certificate */
        const char *by, *reason;
        enum acme_rc rc;
        bool killed;
    } rows[] = {
        { true, false, "ocsp", "keyCompromise", ACME_OK, false },
        { true, false, "crl", "", ACME_OK, false },
        { true, true, "ocsp", "keyCompromise", ACME_NOENT, false },
        { false, false, "ocsp", "keyCompromise", ACME_IO, true },
        { true, false, "acmectl", "keyCompromise", ACME_IO, true },
        { true, false, "", "keyCompromise", ACME_IO, true },
        { true, false, "ocsp", "keycompromise", ACME_IO, true },
        { true, false, "ocsp", "bo\ndom", ACME_IO, true },
    };
    struct fake_drive *d = *state;
    struct acme_key *key = NULL;
    struct acme_revoked noted;
    struct acme_leaf leaf;
    size_t i = sizeof(rows) / sizeof(rows[0]);
    bool told;

    get_key(d, 1, &key);
    while (i-- > 0) {
        fake_drive_restart(d);
        d->killed = false;
        acme_error_clear(&d->err);
        fake_drive_leaf(d, "a.test", &leaf);
        if (rows[i].locked)
            assert_int_equal(acme_vault_lock(d->vault, 0, &d->err), ACME_OK);
        assert_int_equal(acme_vault_learned(d->vault, 0,
                             rows[i].other ? "00" : leaf.fingerprint,
                             rows[i].by, rows[i].reason, &d->err),
            rows[i].rc);
        assert_int_equal(d->killed, rows[i].killed);
        told = acme_store_revoked_read(d->store, leaf.fingerprint, &noted);
        assert_int_equal(told, i <= 1);
        if (told) {
            assert_string_equal(noted.by, rows[i].by);
            assert_string_equal(noted.reason, rows[i].reason);
        }
        assert_int_equal(acme_store_is_barred(d->store, key), i == 0);
    }
    acme_error_clear(&d->err);
    acme_key_unref(key);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_good),
        TEST(test_revoked),
        TEST(test_persisted),
        TEST(test_list_instead),
        TEST(test_unknown),
        TEST(test_responder_only),
        TEST(test_nobody),
        TEST(test_spared),
        TEST(test_order_in_flight),
        TEST(test_reuse_key),
        TEST(test_no_spare),
        TEST(test_lies),
    };

    return cmocka_run_group_tests_name("engine_ocsp", tests, NULL, NULL);
}
