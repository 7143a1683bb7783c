/*
 * acme_live_status.h: what workers can tell of lineages is what acmectl reads
 * from the disk, as soon as it has changed, and whoever changed it.
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
#include "state/acme_live_status.h"

/* Looks until all of few lineages have been looked at for changes. */
#define ALL_LOOKS 4

static int
setup(void **state)
{
    struct fake_drive *d;

    fake_drive_setup(state);
    d = *state;
    fake_drive_lineage(d, "a.test", 0, "a.test www.a.test",
        "ecdsa:256 rsa:2048");
    fake_drive_lineage(d, "b.test", 0, "b.test", NULL);
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
    assert_int_equal(fake_drive_version(d, "a.test"), 2);
    return 0;
}

static void
ignore_move(void *ctx, size_t lineage)
{
    (void)ctx;
    (void)lineage;
}

/* As often as it takes: a look ends when its time is over, and it takes some
 * to see what others have changed. */
static void
look(struct fake_drive *d)
{
    int i;

    for (i = 0; i < ALL_LOOKS; i++)
        acme_keeper_look(d->keeper, ignore_move, NULL);
}

/* As workers have it; the caller's. */
static struct acme_json *
in_memory(struct fake_drive *d, size_t lineage)
{
    struct acme_json *json = NULL;
    struct acme_buf text;

    acme_buf_init(&text, ACME_JSON_MAX);
    if (!acme_live_status(d->area, lineage, &text))
        fail_msg("lineage %zu: nothing", lineage);
    assert_int_equal(acme_json_parse(acme_buf_str(&text), text.len, "status",
                         &json, &d->err),
        ACME_OK);
    acme_buf_clear(&text);
    return json;
}

static void
expect_state(struct fake_drive *d, size_t lineage, const char *want)
{
    struct acme_json *json = in_memory(d, lineage);

    assert_string_equal(acme_json_str(json, "state"), want);
    acme_json_free(json);
}

/* The same text, byte by byte, from the disk: what of it is for others than
 * root. */
static void
expect_same(struct fake_drive *d, size_t lineage)
{
    struct acme_buf memory, disk;
    struct acme_status_lineage status;
    struct acme_json *told;

    acme_buf_init(&memory, ACME_JSON_MAX);
    acme_buf_init(&disk, ACME_JSON_MAX);
    assert_true(acme_live_status(d->area, lineage, &memory));
    assert_int_equal(acme_status_lineage(d->store,
                         d->config->lineage[lineage].name, d->host.now, NULL,
                         &status, &d->err),
        ACME_OK);
    told = acme_status_public(status.json);
    assert_int_equal(acme_json_render(told, false, &disk, &d->err), ACME_OK);
    assert_string_equal(acme_buf_str(&memory), acme_buf_str(&disk));
    assert_null(strstr(acme_buf_str(&memory), "/nginx.conf"));
    acme_json_free(told);
    acme_json_free(status.json);
    acme_buf_clear(&memory);
    acme_buf_clear(&disk);
}

/* ---- what is told ----------------------------------------------------- */

static void
test_same(void **state)
{
    struct fake_drive *d = *state;

    look(d);
    expect_state(d, 0, "missing");
    expect_same(d, 0);
    expect_same(d, 1);
    fake_drive_run(d);
    expect_state(d, 0, "missing"); /* until somebody looks */
    look(d);
    expect_state(d, 0, "ok");
    expect_same(d, 0);
    expect_same(d, 1);
    fake_drive_restart(d);
    look(d);
    expect_same(d, 0);
}

static void
send_note(struct fake_drive *d, const struct acme_record *record)
{
    struct acme_buf text, frame, reply;

    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    acme_buf_init(&frame, ACME_FRAME_MAX);
    acme_buf_init(&reply, ACME_FRAME_MAX);
    assert_int_equal(acme_record_render(record, &text, &d->err), ACME_OK);
    acme_frame_begin(&frame, ACME_VERB_NOTE, (uint32_t)acme_unit(1, 0));
    acme_frame_add(&frame, text.data, text.len);
    assert_int_equal(fake_drive_exchange(d, &frame, &reply, &d->err), ACME_OK);
    acme_buf_clear(&text);
    acme_buf_clear(&frame);
    acme_buf_clear(&reply);
}

/* A job at work: its steps are in memory only. */
static void
test_note(void **state)
{
    struct fake_drive *d = *state;
    struct acme_record record;
    struct acme_json *json;

    look(d);
    acme_record_init(&record);
    record.attempt_open = true;
    acme_record_step(&record, "order", d->host.now);
    send_note(d, &record);
    look(d);
    json = in_memory(d, 1);
    assert_string_equal(acme_json_str(json, "state"), "pending");
    assert_int_equal(acme_json_count(acme_json_get(json, "steps")), 1);
    acme_json_free(json);
}

/* Each change has its time, without a write. */
static void
test_time_passes(void **state)
{
    static const char *const want[] = { "ok", "due", "expiring", "expired" };
    struct fake_drive *d = *state;
    struct acme_status_lineage status;
    size_t i;

    for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        look(d);
        expect_state(d, 1, want[i]);
        expect_same(d, 1);
        assert_int_equal(acme_status_lineage(d->store, "b.test", d->host.now,
                             NULL, &status, &d->err),
            ACME_OK);
        acme_json_free(status.json);
        if (status.until == 0)
            break;
        d->host.now = status.until - 1;
        look(d);
        expect_state(d, 1, want[i]);
        d->host.now = status.until;
    }
}

/* ---- others ----------------------------------------------------------- */

static void
test_others(void **state)
{
    struct fake_drive *d = *state;
    struct acme_record record;
    struct acme_leaf leaf;
    time_t began = d->host.now;

    look(d);
    expect_state(d, 0, "ok");
    fake_drive_record(d, "a.test", &record);
    record.failures = 1;
    (void)acme_error_set(&record.error, ACME_NET, "no answer");
    fake_drive_write_record(d, "a.test", &record);
    look(d);
    expect_state(d, 0, "failing");
    expect_same(d, 0);
    expect_state(d, 1, "ok");
    /* acmectl revoke */
    fake_drive_leaf(d, "b.test", &leaf);
    helper_tmp_puts(&d->tmp,
        fake_drive_path("revoked/%s.json", leaf.fingerprint), "{}");
    look(d);
    expect_state(d, 1, "revoked");
    /* the clock is set, and set back */
    d->host.now += (time_t)1000 * 86400;
    look(d);
    expect_state(d, 1, "expired");
    d->host.now = began;
    look(d);
    expect_state(d, 1, "revoked");
    expect_same(d, 1);
}

/* What nobody is meant to touch is read again after an hour. */
static void
test_damage(void **state)
{
    struct fake_drive *d = *state;

    look(d);
    helper_tmp_puts(&d->tmp, fake_drive_path("archive/b.test/1/cert.pem"),
        "rubbish");
    helper_tmp_puts(&d->tmp, fake_drive_path("archive/b.test/1/fullchain.pem"),
        "rubbish");
    look(d);
    expect_state(d, 1, "ok");
    fake_host_pass(&d->host, 3600);
    look(d);
    expect_state(d, 1, "damaged");
    expect_same(d, 1);
}

/* ---- documents -------------------------------------------------------- */

static struct acme_json *
document(struct fake_drive *d)
{
    struct acme_json *json = NULL;
    struct acme_buf text;

    acme_buf_init(&text, ACME_JSON_MAX);
    acme_buf_add_str(&text, " ");
    assert_true(acme_live_status_all(d->area, d->config->nlineages, &text));
    assert_int_equal(acme_json_parse(acme_buf_str(&text), text.len, "status",
                         &json, &d->err),
        ACME_OK);
    acme_buf_clear(&text);
    return json;
}

static void
test_document(void **state)
{
    struct fake_drive *d = *state;
    const struct acme_json *server, *lineages;
    struct acme_json *json;

    look(d);
    json = document(d);
    server = acme_json_get(json, "server");
    lineages = acme_json_get(json, "lineages");
    assert_int_equal(acme_json_int(json, "schema", 0), 1);
    assert_string_equal(acme_json_str(server, "name"), "nginx");
    assert_non_null(acme_json_str(server, "version"));
    assert_in_range(acme_json_time(server, "since"), FAKE_NOW, d->host.now);
    assert_int_equal(acme_json_int(acme_json_get(json, "counts"), "ok", 0), 2);
    assert_int_equal(acme_json_count(lineages), 2);
    assert_string_equal(acme_json_str(acme_json_at(lineages, 0), "name"),
        "a.test");
    assert_string_equal(acme_json_str(acme_json_at(lineages, 1), "name"),
        "b.test");
    assert_null(acme_json_get(json, "lineages_omitted"));
    acme_json_free(json);
    d->host.now += (time_t)1000 * 86400;
    look(d);
    json = document(d);
    assert_int_equal(acme_json_int(acme_json_get(json, "counts"), "ok", 9), 0);
    assert_int_equal(
        acme_json_int(acme_json_get(json, "counts"), "expired", 0), 2);
    acme_json_free(json);
}

static void
test_counted(void **state)
{
    struct fake_drive *d = *state;
    struct acme_tally tally = { .count = { 0 } };
    const struct acme_json *issuer;
    struct acme_json *json;

    look(d);
    tally.count[ACME_TALLY_ORDERS] = 7;
    acme_tally_request(&tally, 51, true);
    acme_vault_tally(d->vault, 0, &tally);
    look(d);
    json = document(d);
    issuer = acme_json_at(acme_json_get(json, "issuers"), 0);
    assert_string_equal(acme_json_str(issuer, "name"),
        d->config->issuer[0].name);
    assert_int_equal(acme_json_int(issuer, "orders", 0), 7);
    issuer = acme_json_get(issuer, "requests");
    assert_int_equal(acme_json_int(issuer, "count", 0), 1);
    assert_int_equal(acme_json_int(issuer, "ms", 0), 51);
    acme_json_free(json);
}

static void
write_event(struct fake_drive *d, enum acme_event_kind kind,
    const char *lineage, const char *problem, const char *text)
{
    struct acme_event event;

    acme_event_init(&event, kind);
    event.at = d->host.now;
    (void)snprintf(event.lineage, sizeof(event.lineage), "%s", lineage);
    acme_event_put(event.problem, problem);
    acme_event_put(event.text, text);
    assert_int_equal(acme_store_event_write(d->store, &event, &d->err),
        ACME_OK);
}

static void
expect_recent(struct fake_drive *d, size_t n, const char *event,
    const char *text)
{
    struct acme_json *json = document(d);
    const struct acme_json *list = acme_json_get(json, "recent");

    assert_int_equal(acme_json_count(list), n);
    list = acme_json_at(list, 0);
    assert_string_equal(acme_json_str(list, "event"), event);
    assert_string_equal(acme_json_str(list, "text"), text);
    acme_json_free(json);
}

/* What others than root may know, of lineages that are ours. */
static void
test_recent(void **state)
{
    struct fake_drive *d = *state;
    const struct acme_json *list;
    struct acme_json *json;
    size_t i;

    look(d);
    expect_recent(d, 3, "renewed", "certificate obtained");
    write_event(d, ACME_EVENT_ERRORED, "other.test", "dns", "theirs");
    write_event(d, ACME_EVENT_INSTALLED, "a.test", "", "no news");
    look(d);
    expect_recent(d, 3, "renewed", "certificate obtained");
    write_event(d, ACME_EVENT_ERRORED, "a.test", "", "no /etc/secret");
    write_event(d, ACME_EVENT_ERRORED, "b.test", "dns", "the CA's words");
    d->host.now += 11; /* others' are looked for once in a while */
    look(d);
    expect_recent(d, 5, "errored", "the CA's words");
    write_event(d, ACME_EVENT_ERRORED, "a.test", "dns", "see /etc/secret");
    d->host.now += 11;
    look(d);
    expect_recent(d, 6, "errored", "acmectl status tells it");
    for (i = 0; i < 20; i++)
        write_event(d, ACME_EVENT_REVOKED, "a.test", "", "revoked");
    fake_drive_restart(d);
    look(d);
    expect_recent(d, 16, "revoked", "revoked");

    /* failures do not take all of the room */
    for (i = 0; i < 40; i++)
        write_event(d, ACME_EVENT_ERRORED, "a.test", "dns", "no");
    d->host.now += 11;
    look(d);
    expect_recent(d, 16, "errored", "no");
    json = document(d);
    list = acme_json_get(json, "recent");
    assert_string_equal(acme_json_str(acme_json_at(list, 7), "event"),
        "errored");
    assert_string_equal(acme_json_str(acme_json_at(list, 8), "event"),
        "revoked");
    acme_json_free(json);
}

static void
test_document_early(void **state)
{
    struct fake_drive *d = *state;
    struct acme_json *json = document(d);
    struct acme_buf text;

    assert_int_equal(acme_json_int(json, "schema", 0), 1);
    assert_int_equal(acme_json_count(acme_json_get(json, "lineages")), 0);
    assert_int_equal(acme_json_int(json, "lineages_omitted", 0), 2);
    acme_json_free(json);
    assert_int_equal(
        acme_area_put_status(d->area, 1, "{\"name\":\"b\"}", 12, &d->err),
        ACME_OK);
    json = document(d);
    assert_int_equal(acme_json_count(acme_json_get(json, "lineages")), 1);
    assert_int_equal(acme_json_int(json, "lineages_omitted", 0), 1);
    acme_json_free(json);
    acme_buf_init(&text, 20);
    assert_false(acme_live_status_all(d->area, 2, &text));
    acme_buf_clear(&text);
}

/* A certificate of so many names that they do not fit. */
static void
test_many_names(void **state)
{
    struct fake_drive *d = *state;
    const char *names[ACME_NAMES_MAX];
    struct acme_lineage lineage = { .name = "many",
        .nnames = ACME_NAMES_MAX,
        .names = names,
        .ntypes = 1,
        .type = { ACME_KEY_ECDSA_256 } };
    struct acme_json *json;
    size_t i, index;

    for (i = 0; i < ACME_NAMES_MAX; i++) {
        char *name = malloc(64);

        (void)snprintf(name, 64, "the-name-with-number-%zu.many.test", i);
        names[i] = name;
    }
    fake_drive_new_config(d);
    assert_int_equal(
        acme_config_add_lineage(d->config, &lineage, &index, &d->err),
        ACME_OK);
    fake_drive_open(d);
    look(d);
    json = in_memory(d, index);
    assert_int_equal(acme_json_count(acme_json_get(json, "names")), 256);
    assert_int_equal(acme_json_int(json, "names_omitted", 0),
        ACME_NAMES_MAX - 256);
    assert_string_equal(acme_json_str(json, "state"), "missing");
    acme_json_free(json);
    for (i = 0; i < ACME_NAMES_MAX; i++)
        free((void *)(uintptr_t)names[i]);
}

#define TEST(f, setup) \
    cmocka_unit_test_setup_teardown(f, setup, fake_drive_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_same, setup),
        TEST(test_note, setup),
        TEST(test_time_passes, setup_live),
        TEST(test_others, setup_live),
        TEST(test_damage, setup_live),
        TEST(test_document, setup_live),
        TEST(test_counted, setup),
        TEST(test_recent, setup_live),
        TEST(test_document_early, setup),
        TEST(test_many_names, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
