/*
 * acme_status.h: what the documents say of lineages as engine and servers
 * leave them, and how long ones are cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drive/acme_status.h"
#include "fake_drive.h"
#include "helper_store.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DAY 86400

static int
setup(void **state)
{
    struct fake_drive *d;

    fake_drive_setup(state);
    d = *state;
    fake_drive_lineage(d, "a.test", 0, "a.test www.a.test", NULL);
    fake_drive_open(d);
    return 0;
}

static int
setup_live(void **state)
{
    struct fake_drive *d;

    setup(state);
    d = *state;
    fake_drive_run(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    return 0;
}

/* The caller's. */
static struct acme_json *
status_of(struct fake_drive *d, const char *name,
    struct acme_status_lineage *status)
{
    assert_int_equal(acme_status_lineage(d->store, name, d->host.now, NULL,
                         status, &d->err),
        ACME_OK);
    return status->json;
}

static struct acme_json *
json_of(struct fake_drive *d, const char *name)
{
    struct acme_status_lineage status;

    return status_of(d, name, &status);
}

static void
expect_str(const struct acme_json *json, const char *name, const char *want)
{
    const char *is = acme_json_str(json, name);

    if (want == NULL ? acme_json_get(json, name) != NULL
                     : is == NULL || strcmp(is, want) != 0)
        fail_msg("%s: \"%s\" instead of \"%s\"", name,
            is != NULL ? is : "nothing", want != NULL ? want : "nothing");
}

static void
expect_state(struct fake_drive *d, const char *name, const char *want)
{
    struct acme_json *json = json_of(d, name);

    expect_str(json, "state", want);
    assert_non_null(acme_json_str(json, "state_text"));
    acme_json_free(json);
}

static void
expect_list(const struct acme_json *json, const char *name, const char *want)
{
    const struct acme_json *list = acme_json_get(json, name);
    char text[512] = "";
    size_t i;

    for (i = 0; i < acme_json_count(list); i++)
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text),
            "%s%s", i > 0 ? " " : "", acme_json_text(acme_json_at(list, i)));
    assert_string_equal(text, want);
}

/* ---- without a certificate -------------------------------------------- */

static void
test_missing(void **state)
{
    static const char *const absent[] = { "version", "versions", "serial",
        "fingerprint", "not_after", "files", "certificates", "renew_at",
        "renewal_info", "next_attempt", "error", "steps", "left_out",
        "preflight", "conflict", "damage", "test_ca", "asked", "at_work",
        "names_missing" };
    struct fake_drive *d = *state;
    struct acme_json *json = json_of(d, "a.test");
    size_t i;

    expect_str(json, "name", "a.test");
    expect_str(json, "state", "missing");
    expect_str(json, "state_text",
        "there is no certificate yet; an order is due");
    expect_list(json, "names", "a.test www.a.test");
    expect_list(json, "keys", "ecdsa:256");
    expect_list(json, "declared", "nginx:/etc/nginx/nginx.conf");
    expect_str(acme_json_get(json, "issuer"), "name", "test");
    expect_str(acme_json_get(json, "issuer"), "directory", FAKE_CA_DIRECTORY);
    expect_str(json, "renew_why", "there is no certificate");
    assert_int_equal(acme_json_int(json, "failures", -1), 0);
    for (i = 0; i < COUNT(absent); i++)
        if (acme_json_get(json, absent[i]) != NULL)
            fail_msg("%s is there", absent[i]);
    acme_json_free(json);
}

static void
test_pending(void **state)
{
    struct fake_drive *d = *state;
    struct acme_record record;
    struct acme_json *json;

    acme_record_init(&record);
    record.attempt = d->host.now;
    record.attempt_open = true;
    acme_record_step(&record, "order", d->host.now);
    fake_drive_write_record(d, "a.test", &record);
    json = json_of(d, "a.test");
    expect_str(json, "state", "pending");
    assert_true(acme_json_bool(json, "at_work", false));
    assert_int_equal(acme_json_time(json, "last_attempt"), d->host.now);
    assert_int_equal(acme_json_count(acme_json_get(json, "steps")), 1);
    acme_json_free(json);
}

/* A record that is not on the disk yet goes before the one that is. */
static void
test_note(void **state)
{
    struct fake_drive *d = *state;
    const struct acme_buf *notes[ACME_ALGORITHMS] = { NULL };
    struct acme_status_lineage status;
    struct acme_record record;
    struct acme_buf text;

    acme_record_init(&record);
    record.attempt_open = true;
    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    assert_int_equal(acme_record_render(&record, &text, &d->err), ACME_OK);
    notes[acme_key_algorithm_number(ACME_KEY_ECDSA_256)] = &text;
    expect_state(d, "a.test", "missing");
    assert_int_equal(acme_status_lineage(d->store, "a.test", d->host.now,
                         notes, &status, &d->err),
        ACME_OK);
    assert_int_equal(status.condition, ACME_IS_PENDING);
    acme_json_free(status.json);
    acme_buf_reset(&text);
    record.failures = 1;
    fake_drive_write_record(d, "a.test", &record);
    assert_int_equal(acme_status_lineage(d->store, "a.test", d->host.now,
                         notes, &status, &d->err),
        ACME_OK);
    assert_int_equal(status.condition, ACME_IS_FAILING);
    acme_json_free(status.json);
    acme_buf_clear(&text);
}

/* ---- with certificates ------------------------------------------------ */

static void
expect_leaf(const struct acme_json *json, const struct acme_leaf *leaf)
{
    expect_str(json, "serial", leaf->serial);
    expect_str(json, "fingerprint", leaf->fingerprint);
    expect_str(json, "signed_by", leaf->issuer);
    assert_int_equal(acme_json_time(json, "not_before"), leaf->not_before);
    assert_int_equal(acme_json_time(json, "not_after"), leaf->not_after);
}

static void
test_one(void **state)
{
    struct fake_drive *d = *state;
    const struct acme_json *one;
    struct acme_status_lineage status;
    struct acme_json *json = status_of(d, "a.test", &status);
    struct acme_leaf leaf;

    fake_drive_leaf(d, "a.test", &leaf);
    expect_str(json, "state", "ok");
    expect_leaf(json, &leaf);
    assert_int_equal(acme_json_int(json, "version", 0), 1);
    assert_int_equal(acme_json_count(acme_json_get(json, "versions")), 1);
    expect_str(acme_json_get(json, "files"), "certificate",
        "live/a.test/fullchain.pem");
    expect_str(acme_json_get(json, "files"), "key", "live/a.test/privkey.pem");
    assert_true(acme_json_time(json, "renew_at") > d->host.now);
    assert_int_equal(acme_json_time(json, "renew_at"), status.until);
    expect_str(json, "renew_why", "two thirds of its life");
    assert_int_equal(acme_json_count(acme_json_get(json, "certificates")), 1);
    one = acme_json_at(acme_json_get(json, "certificates"), 0);
    expect_str(one, "key", "ecdsa:256");
    expect_leaf(one, &leaf);
    expect_str(one, "ari_id", leaf.ari_id);
    expect_str(one, "issued_by", FAKE_CA_DIRECTORY);
    assert_int_equal(acme_json_time(one, "obtained"), d->host.now);
    assert_int_equal(acme_json_time(one, "renew_at"), status.until);
    assert_null(acme_json_get(one, "revoked"));
    assert_null(acme_json_get(json, "names_missing"));
    assert_null(acme_json_get(json, "error"));
    acme_json_free(json);
}

static void
test_two_types(void **state)
{
    struct fake_drive *d = *state;
    const struct acme_json *list;
    struct acme_json *json;

    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", 0, "a.test www.a.test",
        "ecdsa:256 rsa:2048");
    fake_drive_open(d);
    json = json_of(d, "a.test");
    expect_str(json, "state", "due");
    expect_str(json, "renew_why", "a key type has no certificate yet");
    expect_str(json, "renew_at", NULL);
    acme_json_free(json);
    fake_drive_run(d);
    json = json_of(d, "a.test");
    list = acme_json_get(json, "certificates");
    expect_str(json, "state", "ok");
    assert_int_equal(acme_json_count(list), 2);
    expect_str(acme_json_at(list, 0), "key", "ecdsa:256");
    expect_str(acme_json_at(list, 1), "key", "rsa:2048");
    assert_non_null(acme_json_str(acme_json_at(list, 1), "renew_at"));
    assert_string_equal(acme_json_str(acme_json_at(list, 0), "serial"),
        acme_json_str(json, "serial"));
    assert_int_equal(acme_json_count(acme_json_get(json, "versions")), 2);
    acme_json_free(json);
}

static void
test_names_missing(void **state)
{
    struct fake_drive *d = *state;
    struct acme_json *json;

    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", 0, "a.test b.test www.a.test c.test",
        NULL);
    fake_drive_open(d);
    json = json_of(d, "a.test");
    expect_str(json, "state", "due");
    expect_str(json, "renew_why", "names missing");
    expect_list(json, "names_missing", "b.test c.test");
    acme_json_free(json);
}

static void
test_other_ca(void **state)
{
    struct fake_drive *d = *state;
    struct acme_json *json;

    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", 1, "a.test www.a.test", NULL);
    fake_drive_open(d);
    json = json_of(d, "a.test");
    expect_str(json, "state", "due");
    expect_str(json, "renew_why", "another CA is configured");
    acme_json_free(json);
    /* where it is one to fall back to, its certificates are good */
    fake_drive_new_config(d);
    d->fall_back = true;
    fake_drive_lineage(d, "a.test", 1, "a.test www.a.test", NULL);
    fake_drive_open(d);
    json = json_of(d, "a.test");
    expect_str(json, "state", "ok");
    assert_int_equal(acme_json_count(acme_json_get(json, "fallbacks")), 1);
    expect_str(acme_json_at(acme_json_get(json, "fallbacks"), 0), "name",
        "test");
    acme_json_free(json);
}

static void
test_window(void **state)
{
    struct fake_drive *d = *state;
    const struct acme_json *window;
    struct acme_record record;
    struct acme_json *json;

    fake_drive_record(d, "a.test", &record);
    record.window.start = d->host.now + DAY;
    record.window.end = d->host.now + 3 * DAY;
    record.window.pick = record.renew_at = d->host.now + 2 * DAY;
    (void)snprintf(record.window.explanation,
        sizeof(record.window.explanation), "https://ca.test/why");
    fake_drive_write_record(d, "a.test", &record);
    json = json_of(d, "a.test");
    window = acme_json_get(json, "renewal_info");
    expect_str(json, "renew_why", "suggested by the CA");
    assert_int_equal(acme_json_time(json, "renew_at"), record.renew_at);
    assert_int_equal(acme_json_time(window, "start"), record.window.start);
    assert_int_equal(acme_json_time(window, "end"), record.window.end);
    assert_int_equal(acme_json_time(window, "pick"), record.window.pick);
    expect_str(window, "url", "https://ca.test/why");
    acme_json_free(json);
    /* a plan for another certificate */
    record.renew_serial[0] = '\0';
    fake_drive_write_record(d, "a.test", &record);
    json = json_of(d, "a.test");
    expect_str(json, "renew_at", NULL);
    expect_str(json, "renew_why", NULL);
    acme_json_free(json);
}

/* Names that a certificate is without are no reason to order now. */
static void
test_left_out(void **state)
{
    struct fake_drive *d = *state;
    struct acme_record record;
    struct acme_error why;
    struct acme_leaf leaf;
    struct acme_json *json;

    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", 0, "a.test www.a.test b.test", NULL);
    fake_drive_open(d);
    acme_error_clear(&why);
    (void)acme_error_set(&why, ACME_PROBLEM, "no");
    memcpy(why.type, "dns", 4);
    fake_drive_leaf(d, "a.test", &leaf);
    fake_drive_record(d, "a.test", &record);
    assert_true(acme_left_out_add(&record.left_out, "b.test", &why));
    memcpy(record.left_out_serial, leaf.serial, sizeof(leaf.serial));
    record.complete_at = d->host.now + DAY;
    fake_drive_write_record(d, "a.test", &record);
    json = json_of(d, "a.test");
    expect_str(json, "state", "ok");
    assert_null(acme_json_get(json, "names_missing"));
    assert_int_equal(acme_json_count(acme_json_get(json, "left_out")), 1);
    assert_int_equal(acme_json_time(json, "renew_at"), record.complete_at);
    expect_str(json, "renew_why", "names that were left out are tried again");
    acme_json_free(json);
    /* of another certificate */
    record.left_out_serial[0] = '\0';
    fake_drive_write_record(d, "a.test", &record);
    json = json_of(d, "a.test");
    expect_list(json, "names_missing", "b.test");
    acme_json_free(json);
}

static void
test_time_passes(void **state)
{
    static const char *const want[] = { "ok", "due", "expiring", "expired" };
    struct fake_drive *d = *state;
    struct acme_status_lineage status;
    size_t i;

    for (i = 0; i < COUNT(want); i++) {
        expect_str(status_of(d, "a.test", &status), "state", want[i]);
        acme_json_free(status.json);
        if (i + 1 == COUNT(want))
            break;
        d->host.now = status.until - 1;
        expect_state(d, "a.test", want[i]);
        d->host.now = status.until;
    }
    assert_int_equal(status.until, 0);
}

/* Each of the ways in which it is known. */
static void
test_revoked(void **state)
{
    struct fake_drive *d = *state;
    const struct acme_json *one;
    struct acme_record record;
    struct acme_leaf leaf;
    struct acme_json *json;
    char path[128];

    fake_drive_leaf(d, "a.test", &leaf);
    fake_drive_record(d, "a.test", &record);
    (void)snprintf(record.revocation.certificate,
        sizeof(record.revocation.certificate), "%s", leaf.fingerprint);
    record.revocation.revoked = true;
    memcpy(record.revocation.by, "crl", 4);
    fake_drive_write_record(d, "a.test", &record);
    json = json_of(d, "a.test");
    one = acme_json_at(acme_json_get(json, "certificates"), 0);
    expect_str(json, "state", "revoked");
    expect_str(json, "renew_why", "revoked");
    expect_str(json, "renew_at", NULL);
    assert_true(acme_json_bool(one, "revoked", false));
    expect_str(one, "revoked_by", "crl");
    acme_json_free(json);

    record.revocation.revoked = false;
    fake_drive_write_record(d, "a.test", &record);
    expect_state(d, "a.test", "ok");
    (void)snprintf(path, sizeof(path), "revoked/%s.json", leaf.fingerprint);
    helper_tmp_puts(&d->tmp, fake_drive_path("%s", path),
        "{\"by\":\"acmectl\",\"reason\":\"superseded\"}");
    json = json_of(d, "a.test");
    one = acme_json_at(acme_json_get(json, "certificates"), 0);
    expect_str(json, "state", "revoked");
    expect_str(one, "revoked_by", "acmectl");
    expect_str(one, "revocation_reason", "superseded");
    acme_json_free(json);
}

/* ---- trouble ---------------------------------------------------------- */

static void
make_error(struct acme_record *record, time_t now)
{
    struct acme_error *err = &record->error;

    (void)acme_error_set(err, ACME_PROBLEM, "new order");
    memcpy(err->type, "compound", 9);
    (void)snprintf(err->detail, sizeof(err->detail), "two names failed");
    (void)snprintf(err->instance, sizeof(err->instance),
        "https://ca.test/problem/1");
    err->http_status = 403;
    err->nsub = 2;
    err->nsub_total = 7;
    memcpy(err->sub[0].type, "caa", 4);
    memcpy(err->sub[0].identifier, "a.test", 7);
    (void)snprintf(err->sub[0].detail, sizeof(err->sub[0].detail),
        "forbidden by \"CAA\"");
    memcpy(err->sub[1].type, "dns", 4);
    memcpy(err->sub[1].identifier, "www.a.test", 11);
    record->error_time = now - 60;
    record->failures = 3;
    record->next_attempt = now + 600;
}

static void
test_failing(void **state)
{
    struct fake_drive *d = *state;
    const struct acme_json *error, *sub;
    struct acme_record record;
    struct acme_json *json;

    fake_drive_record(d, "a.test", &record);
    make_error(&record, d->host.now);
    fake_drive_write_record(d, "a.test", &record);
    json = json_of(d, "a.test");
    error = acme_json_get(json, "error");
    sub = acme_json_get(error, "subproblems");
    expect_str(json, "state", "failing");
    assert_int_equal(acme_json_int(json, "failures", 0), 3);
    assert_int_equal(acme_json_time(json, "next_attempt"), d->host.now + 600);
    expect_str(error, "result", "problem");
    expect_str(error, "type", "compound");
    expect_str(error, "detail", "two names failed");
    expect_str(error, "url", "https://ca.test/problem/1");
    assert_int_equal(acme_json_int(error, "http_status", 0), 403);
    assert_int_equal(acme_json_time(error, "at"), d->host.now - 60);
    assert_int_equal(acme_json_int(error, "subproblems_total", 0), 7);
    assert_int_equal(acme_json_count(sub), 2);
    expect_str(acme_json_at(sub, 0), "identifier", "a.test");
    expect_str(acme_json_at(sub, 0), "type", "caa");
    expect_str(acme_json_at(sub, 0), "detail", "forbidden by \"CAA\"");
    expect_str(acme_json_at(sub, 1), "identifier", "www.a.test");
    expect_str(acme_json_at(sub, 1), "detail", NULL);
    assert_non_null(strstr(acme_json_str(error, "text"), "and 5 more"));
    acme_json_free(json);

    record.wait_for_config = true;
    fake_drive_write_record(d, "a.test", &record);
    json = json_of(d, "a.test");
    expect_str(json, "state", "waiting");
    assert_true(acme_json_bool(json, "wait_for_config", false));
    acme_json_free(json);
}

/* S46: what somebody has put into the files is shown to root's terminal. */
static void
test_foreign_text(void **state)
{
    static const char hostile[] =
        "{\"failures\":1,\"preflight\":\"a\\u001b]0;x\\u0007\","
        "\"issuer\":\"b\\nfake line\",\"issuer_since\":"
        "\"2026-11-21T12:00:00Z\",\"steps\":[{\"step\":\"c\\u202e\"}],"
        "\"error\":{\"result\":\"problem\",\"what\":\"d\\r\\nlog\","
        "\"detail\":\"<script>\\u009b\",\"type\":\"e\\u007f\","
        "\"instance\":\"javascript:alert(1)\",\"subproblems\":["
        "{\"identifier\":\"f\\u2066\",\"detail\":\"g\\u0008\"}]}}";
    static const char *const bad[] = { "\\u00", "\x1b", "\n", "\r",
        "\xe2\x80\xae", "\xe2\x81\xa6", "\xc2\x9b", "javascript" };
    struct fake_drive *d = *state;
    struct acme_json *json;
    struct acme_buf text;
    size_t i;

    helper_tmp_puts(&d->tmp, fake_drive_path("record/a.test.json"), hostile);
    json = json_of(d, "a.test");
    acme_buf_init(&text, ACME_JSON_MAX);
    assert_int_equal(acme_json_render(json, false, &text, &d->err), ACME_OK);
    assert_non_null(strstr(acme_buf_str(&text), "<script>"));
    assert_non_null(strstr(acme_buf_str(&text), "fake line"));
    for (i = 0; i < COUNT(bad); i++)
        if (strstr(acme_buf_str(&text), bad[i]) != NULL)
            fail_msg("%zu is in %s", i, acme_buf_str(&text));
    acme_buf_clear(&text);
    acme_json_free(json);
}

static void
test_conflict(void **state)
{
    struct fake_drive *d = *state;
    struct acme_json *json;

    d->instance = "/etc/nginx/other.conf";
    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", 1, "a.test", NULL);
    fake_drive_open(d);
    json = json_of(d, "a.test");
    expect_str(json, "state", "conflict");
    assert_non_null(strstr(acme_json_str(json, "conflict"), FAKE_DRIVE_OTHER));
    assert_int_equal(acme_json_count(acme_json_get(json, "declared")), 2);
    acme_json_free(json);
}

static void
test_dormant(void **state)
{
    struct fake_drive *d = *state;
    struct acme_json *json;

    fake_drive_new_config(d);
    fake_drive_lineage(d, "b.test", 0, "b.test", NULL);
    fake_drive_open(d);
    json = json_of(d, "a.test");
    expect_str(json, "state", "dormant");
    expect_str(json, "renew_why", NULL);
    assert_int_equal(acme_json_count(acme_json_get(json, "declared")), 0);
    assert_non_null(acme_json_str(json, "not_after"));
    acme_json_free(json);
    d->host.now += (time_t)4000 * DAY;
    expect_state(d, "a.test", "dormant");
}

static void
test_damaged(void **state)
{
    struct fake_drive *d = *state;
    struct acme_json *json;

    helper_tmp_puts(&d->tmp, fake_drive_path("archive/a.test/1/cert.pem"),
        "rubbish");
    helper_tmp_puts(&d->tmp, fake_drive_path("archive/a.test/1/fullchain.pem"),
        "rubbish");
    json = json_of(d, "a.test");
    expect_str(json, "state", "damaged");
    assert_non_null(strstr(acme_json_str(json, "damage"), "archive/a.test"));
    acme_json_free(json);
}

static void
test_damaged_settings(void **state)
{
    struct fake_drive *d = *state;

    helper_tmp_puts(&d->tmp, fake_drive_path("renewal/a.test.json"), "[");
    expect_state(d, "a.test", "damaged");
}

static void
test_staging(void **state)
{
    static const enum acme_key_type types[] = { ACME_KEY_ECDSA_256 };
    struct fake_drive *d = *state;
    struct acme_version version;
    struct acme_json *json;

    helper_store_version(&version, 1, types);
    (void)snprintf(version.pair[0].origin.issuer,
        sizeof(version.pair[0].origin.issuer), "%s",
        acme_issuer_directory("letsencrypt-staging"));
    assert_int_equal(acme_store_version_write(d->store, "a.test", &version,
                         d->host.now, &d->err),
        ACME_OK);
    acme_version_clear(&version);
    json = json_of(d, "a.test");
    assert_true(acme_json_bool(json, "test_ca", false));
    assert_true(
        acme_json_bool(acme_json_at(acme_json_get(json, "certificates"), 0),
            "test_ca", false));
    acme_json_free(json);
}

/* ---- documents -------------------------------------------------------- */

static void
test_all(void **state)
{
    struct fake_drive *d = *state;
    const struct acme_json *counts;
    struct acme_json *all = NULL;
    int64_t sum = 0;
    size_t i;

    fake_drive_new_config(d);
    fake_drive_lineage(d, "b.test", 0, "b.test", NULL);
    fake_drive_open(d);
    assert_int_equal(
        acme_status_all(d->store, "/var/state", d->host.now, &all, &d->err),
        ACME_OK);
    assert_int_equal(acme_json_int(all, "schema", 0), 1);
    expect_str(all, "state_dir", "/var/state");
    assert_int_equal(acme_json_count(acme_json_get(all, "lineages")), 2);
    assert_int_equal(acme_json_count(acme_json_get(all, "servers")), 0);
    counts = acme_json_get(all, "counts");
    for (i = 0; i < ACME_CONDITIONS; i++)
        sum += acme_json_int(counts,
            acme_condition_word((enum acme_condition)i), 100);
    assert_int_equal(sum, 2);
    assert_int_equal(acme_json_int(counts, "dormant", 0), 1);
    assert_int_equal(acme_json_int(counts, "missing", 0), 1);
    acme_json_free(all);
}

/* ---- for others than root --------------------------------------------- */

/* The member, as others are told of it; "": not at all. */
static void
expect_public(const char *member, const char *value, const char *want)
{
    struct acme_error err;
    struct acme_json *json = NULL, *told;
    struct acme_buf text;
    char one[512];

    acme_error_clear(&err);
    (void)snprintf(one, sizeof(one), "{\"%s\":%s}", member, value);
    assert_int_equal(acme_json_parse(one, strlen(one), "test", &json, &err),
        ACME_OK);
    told = acme_status_public(json);
    acme_buf_init(&text, ACME_JSON_MAX);
    assert_int_equal(acme_json_render(told, false, &text, &err), ACME_OK);
    (void)snprintf(one, sizeof(one), *want ? "{\"%s\":%s}" : "{}", member,
        want);
    assert_string_equal(acme_buf_str(&text), one);
    acme_buf_clear(&text);
    acme_json_free(told);
    acme_json_free(json);
}

/* S47: no paths, no commands, nothing that a program wrote. */
static void
test_public(void **state)
{
    static const struct {
        const char *member, *value, *want;
    } rows[] = {
        { "name", "\"a.test\"", "\"a.test\"" },
        { "issuer", "{\"directory\":\"https://ca.test/d\"}",
            "{\"directory\":\"https://ca.test/d\"}" },
        { "files", "{\"key\":\"live/a.test/privkey.pem\"}", "" },
        { "new", "\"not known\"", "" },
        { "declared", "[\"nginx:/etc/n.conf\",\"httpd:C:\",\"x\",7]",
            "[\"nginx\",\"httpd\",\"x\",\"\"]" },
        { "conflict", "\"nginx:/etc/n.conf\"", "\"acmectl status tells it\"" },
        { "damage", "\"archive/a.test\"", "\"acmectl status tells it\"" },
        { "preflight", "\"http://a.test/x says 404\"",
            "\"http://a.test/x says 404\"" },
        { "preflight", "\"/bin/x says 404\"", "\"acmectl status tells it\"" },
        { "preflight", "\"\\\"/bin/x\\\" says 404\"",
            "\"acmectl status tells it\"" },
        { "hooks",
            "[{\"stage\":\"pre\",\"command\":\"/bin/x\",\"at\":\"T\","
            "\"ms\":3,\"output\":\"secret\"}]",
            "[{\"stage\":\"pre\",\"at\":\"T\",\"ms\":3}]" },
        { "hooks", "[{\"stage\":\"pre\",\"error\":\"exit 1\"}]",
            "[{\"stage\":\"pre\",\"failed\":true}]" },
        { "error", "{\"result\":\"net\",\"text\":\"no answer\"}",
            "{\"result\":\"net\",\"text\":\"no answer\"}" },
        { "error", "{\"result\":\"net\",\"text\":\"CAs (/etc/ca)\"}",
            "{\"result\":\"net\",\"text\":\"acmectl status tells it\"}" },
        { "error",
            "{\"result\":\"problem\",\"text\":\"a (b)\",\"detail\":\"b\"}",
            "{\"result\":\"problem\",\"text\":\"a (b)\",\"detail\":\"b\"}" },
        { "error",
            "{\"result\":\"io\",\"text\":\"program \\\"x\\\" failed: "
            "secret\"}",
            "{\"result\":\"io\",\"text\":\"acmectl status tells it\"}" },
        { "error", "{\"text\":\"x\"}",
            "{\"text\":\"acmectl status tells it\"}" },
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(rows); i++)
        expect_public(rows[i].member, rows[i].value, rows[i].want);
}

/* What could not be built is not half told. */
static void
test_public_nomem(void **state)
{
    struct acme_json *json = acme_json_object();

    (void)state;
    assert_null(acme_status_public(NULL));
    acme_json_append(json, NULL);
    assert_null(acme_status_public(json));
    acme_json_free(json);
}

/* ---- too long --------------------------------------------------------- */

static struct acme_json *
long_one(size_t nnames)
{
    struct acme_json *json = acme_json_object(), *names = acme_json_array();
    char name[64];
    size_t i;

    acme_json_set_str(json, "name", "a.test");
    acme_json_set_str(json, "state", "ok");
    acme_json_set_str(json, "state_text", "fine");
    for (i = 0; i < nnames; i++) {
        (void)snprintf(name, sizeof(name), "name-%zu.a.test", i);
        acme_json_append_str(names, name);
    }
    acme_json_set(json, "names", names);
    return json;
}

/* As text and back. */
static struct acme_json *
shorten(struct acme_json *json, size_t max)
{
    struct acme_json *back = NULL;
    struct acme_error err;
    struct acme_buf text;

    acme_error_clear(&err);
    acme_buf_init(&text, ACME_JSON_MAX);
    assert_int_equal(acme_status_text(json, max, &text, &err), ACME_OK);
    assert_in_range(text.len, 2, max);
    assert_int_equal(
        acme_json_parse(acme_buf_str(&text), text.len, "status", &back, &err),
        ACME_OK);
    acme_buf_clear(&text);
    acme_json_free(json);
    return back;
}

static void
test_shorten(void **state)
{
    static const struct {
        size_t names, max, left;
    } rows[] = {
        { 10, 4096, 10 },
        { 300, 65536, 300 },
        { 1000, 16384, 256 },
        { 1000, 4096, 64 },
        { 1000, 1024, 16 },
    };
    struct acme_json *back;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        back = shorten(long_one(rows[i].names), rows[i].max);
        assert_int_equal(acme_json_count(acme_json_get(back, "names")),
            rows[i].left);
        assert_int_equal(acme_json_int(back, "names_omitted", 0),
            rows[i].names - rows[i].left);
        expect_str(acme_json_at(acme_json_get(back, "names"), 0), "", NULL);
        expect_str(back, "state", "ok");
        acme_json_free(back);
    }
}

/* What no list is to blame for. */
static void
test_brief(void **state)
{
    struct acme_json *json = long_one(3), *back;
    char text[2001];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    acme_json_set_str(json, "damage", text);
    back = shorten(json, 1024);
    expect_str(back, "name", "a.test");
    expect_str(back, "state", "ok");
    expect_str(back, "state_text", "fine");
    assert_true(acme_json_bool(back, "brief", false));
    expect_str(back, "damage", NULL);
    acme_json_free(back);
}

#define TEST(f, setup) \
    cmocka_unit_test_setup_teardown(f, setup, fake_drive_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_missing, setup),
        TEST(test_pending, setup),
        TEST(test_note, setup),
        TEST(test_one, setup_live),
        TEST(test_two_types, setup_live),
        TEST(test_names_missing, setup_live),
        TEST(test_other_ca, setup_live),
        TEST(test_window, setup_live),
        TEST(test_left_out, setup_live),
        TEST(test_time_passes, setup_live),
        TEST(test_revoked, setup_live),
        TEST(test_failing, setup_live),
        TEST(test_foreign_text, setup_live),
        TEST(test_conflict, setup_live),
        TEST(test_dormant, setup_live),
        TEST(test_damaged, setup_live),
        TEST(test_damaged_settings, setup_live),
        TEST(test_staging, setup),
        TEST(test_all, setup_live),
        cmocka_unit_test(test_public),
        cmocka_unit_test(test_public_nomem),
        cmocka_unit_test(test_shorten),
        cmocka_unit_test(test_brief),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
