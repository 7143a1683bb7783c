/*
 * The events of an installation: what is told of which step, once, by whom,
 * and what an engine may not tell.
 */
#include "helper_engine.h"
#include "helper_store.h"
#include "state/acme_event.h"
#include "state/acme_store.h"

static char told[8192];
static struct acme_events_place place;
static struct acme_event last, over;

static int
setup(void **state)
{
    memset(&place, 0, sizeof(place));
    return fake_drive_setup(state);
}

/* One lineage, not yet ordered. */
static int
setup_one(void **state)
{
    int rc = setup(state);
    struct fake_drive *d = *state;

    fake_drive_lineage(d, "a.test", 0, "a.test", NULL);
    fake_drive_open(d);
    return rc;
}

static enum acme_rc
add(void *ctx, const struct acme_event *event, struct acme_error *err)
{
    size_t len = strlen(told);

    (void)ctx;
    (void)err;
    (void)snprintf(told + len, sizeof(told) - len, "%s%s%s%s%s%s",
        len > 0 ? ", " : "", acme_event_word(event->kind),
        event->lineage[0] != '\0' ? " " : "", event->lineage,
        event->kind == ACME_EVENT_CHALLENGE_SETUP ? " " : "",
        event->kind == ACME_EVENT_CHALLENGE_SETUP ? event->subject : "");
    if (event->kind == ACME_EVENT_FAILED_OVER)
        over = *event;
    last = *event;
    return ACME_OK;
}

/* Since the last call. */
static const char *
news(struct fake_drive *d)
{
    struct acme_error err;

    told[0] = '\0';
    acme_error_clear(&err);
    if (acme_store_events(d->store, NULL, SIZE_MAX, &place, add, NULL, &err) !=
        ACME_OK)
        fail_msg("%s", err.what);
    return told;
}

/* ---- the way of a certificate ----------------------------------------- */

static void
test_obtained_and_renewed(void **state)
{
    struct fake_drive *d = *state;
    struct acme_leaf leaf;

    assert_string_equal(news(d), "");
    fake_drive_run(d);
    assert_string_equal(news(d),
        "account-created, renewing a.test, "
        "challenge-setup a.test http-01:a.test, renewed a.test, "
        "installed a.test");
    fake_drive_leaf(d, "a.test", &leaf);
    assert_string_equal(last.serial, leaf.serial);
    assert_int_equal(last.not_after, leaf.not_after);
    assert_int_equal(last.version, 1);
    assert_int_equal(last.key, ACME_KEY_ECDSA_256);
    assert_string_equal(last.issuer, "test");
    assert_true(strncmp(last.by, "nginx:", 6) == 0);
    assert_true(last.at >= FAKE_NOW && last.at <= d->host.now);

    d->ca->conf.authz_valid = true;
    fake_drive_until(d, "a.test", 2, 5);
    assert_string_equal(news(d),
        "renewing a.test, renewed a.test, installed a.test");
    assert_int_equal(last.version, 2);
    fake_drive_leaf(d, "a.test", &leaf);
    assert_string_equal(last.serial, leaf.serial);

    /* a start is nothing new */
    fake_drive_restart(d);
    fake_drive_run(d);
    assert_string_equal(news(d), "");
}

/* An order that waits is begun once, and told of once. */
static void
test_resumed(void **state)
{
    struct fake_drive *d = *state;

    d->ca->conf.validation_polls = 25;
    d->ca->conf.issuance_polls = 25;
    fake_drive_run(d);
    assert_string_equal(news(d), "account-created, renewing a.test, "
                                 "challenge-setup a.test http-01:a.test");
    fake_drive_restart(d);
    fake_drive_until(d, "a.test", 1, 20);
    assert_string_equal(news(d), "renewed a.test, installed a.test");
}

/* A name that cannot be proved is left out: two orders, one attempt. */
static const char *
cannot_prove(void *ctx, const struct fake_validation *v)
{
    (void)ctx;
    return strcmp(v->name, "b.test") == 0 ? "unauthorized" : NULL;
}

static void
test_two_orders(void **state)
{
    struct fake_drive *d = *state;

    fake_drive_lineage(d, "a.test", 0, "a.test b.test", NULL);
    d->config->lineage[0].allow_subset = true;
    fake_drive_open(d);
    d->ca->conf.validate = cannot_prove;
    d->ca->conf.validate_ctx = NULL;
    fake_drive_run(d);
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ORDER), 2);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    assert_non_null(strstr(news(d), "renewing a.test"));
    assert_null(strstr(strstr(told, "renewing") + 1, "renewing"));
}

/* Each key of a lineage is a certificate. */
static void
test_two_keys(void **state)
{
    struct fake_drive *d = *state;

    fake_drive_lineage(d, "b.test", 0, "b.test", "ecdsa:256 rsa:2048");
    fake_drive_open(d);
    fake_drive_run(d);
    assert_int_equal(fake_drive_version(d, "b.test"), 2);
    assert_string_equal(news(d),
        "account-created, "
        "renewing b.test, challenge-setup b.test http-01:b.test, "
        "renewed b.test, installed b.test, "
        "renewing b.test, challenge-setup b.test http-01:b.test, "
        "renewed b.test, installed b.test");
    assert_int_equal(last.key, ACME_KEY_RSA_2048);
    assert_int_equal(last.version, 2);
}

/* ---- failures --------------------------------------------------------- */

static void
test_errored(void **state)
{
    struct fake_drive *d = *state;

    fake_ca_problem(d->ca, FAKE_NEW_ORDER, FAKE_ALWAYS, 429, "rateLimited",
        "slow\x1b[2Jly\n[alert] forged");
    fake_drive_run(d);
    assert_string_equal(news(d),
        "account-created, renewing a.test, errored a.test");
    assert_string_equal(last.problem, "rateLimited");
    assert_string_equal(last.issuer, "test");
    assert_non_null(strstr(last.text, "slow\\x1b[2Jly\\x0a[alert] forged"));
    assert_int_equal(last.next_attempt, record_of(d, "a.test").next_attempt);
    assert_true(last.next_attempt > d->host.now);

    /* before there is an order, none is begun */
    fake_ca_behave(d->ca);
    fake_ca_fail(d->ca, FAKE_DIRECTORY, FAKE_ALWAYS, ACME_NET);
    fake_drive_restart(d);
    fake_drive_next(d);
    assert_string_equal(news(d), "errored a.test");
    assert_string_equal(last.problem, "");
}

static void
test_engine_died(void **state)
{
    struct fake_drive *d = *state;

    d->ca->conf.validation_polls = 25;
    fake_drive_die(d, 25, false);
    fake_drive_run(d);
    assert_true(d->dead);
    (void)news(d);
    d->crashed = true;
    fake_drive_restart(d);
    assert_string_equal(news(d), "errored a.test");
    assert_non_null(strstr(last.text, "the engine died at step \""));
    assert_int_equal(last.next_attempt, record_of(d, "a.test").next_attempt);
}

static void
test_failed_over(void **state)
{
    struct fake_drive *d = *state;

    d->fall_back = true;
    fake_drive_lineage(d, "a.test", 0, "a.test", NULL);
    fake_drive_open(d);
    fake_ca_problem(d->ca, FAKE_NEW_ORDER, FAKE_ALWAYS, 403,
        "rejectedIdentifier", "not here");
    fake_drive_run(d);
    assert_non_null(
        strstr(news(d), "renewing a.test, errored a.test, failed-over a.test, "
                        "account-created, renewing a.test"));
    assert_string_equal(last.issuer, "other");
    assert_int_equal(last.kind, ACME_EVENT_INSTALLED);
    assert_string_equal(over.issuer, "other");
    assert_string_equal(over.subject, "test");
    assert_true(over.text[0] != '\0');
}

/* The evidence is one thing, what becomes of the attempt another. */
static void
test_refused(void **state)
{
    struct fake_drive *d = *state;

    d->ca->conf.certificate.not_after = -10;
    fake_drive_run(d);
    assert_non_null(strstr(news(d), "refused a.test, errored a.test"));
}

/* ---- what somebody else did ------------------------------------------- */

static struct acme_store *
another_store(struct fake_drive *d)
{
    struct acme_store *store = NULL;
    struct acme_error err;

    acme_error_clear(&err);
    assert_int_equal(acme_store_open(helper_tmp_path(&d->tmp, "state"),
                         ACME_STORE_WRITE, &store, &err),
        ACME_OK);
    return store;
}

static void
ignore_move(void *ctx, size_t lineage)
{
    (void)ctx;
    (void)lineage;
}

static void
look(struct fake_drive *d)
{
    acme_keeper_look(d->keeper, ignore_move, NULL);
}

/* A version like the live one, made by another server. */
static void
make_version(struct fake_drive *d)
{
    struct acme_store *store = another_store(d);
    struct acme_version version;
    struct acme_error err;

    acme_error_clear(&err);
    acme_version_init(&version);
    assert_int_equal(acme_store_live_read(store, "a.test", &version, &err),
        ACME_OK);
    assert_int_equal(
        acme_store_version_write(store, "a.test", &version, d->host.now, &err),
        ACME_OK);
    acme_version_clear(&version);
    acme_store_close(store);
}

static void
test_by_others(void **state)
{
    struct fake_drive *d = *state;

    fake_drive_run(d);
    (void)news(d);
    make_version(d);
    look(d);
    assert_string_equal(news(d), "installed a.test");
    assert_int_equal(last.version, 2);
    look(d);
    assert_string_equal(news(d), "");

    /* and back, by hand */
    helper_tmp_remove(&d->tmp, "state/live/a.test");
    helper_tmp_link(&d->tmp, "../archive/a.test/1", "state/live/a.test");
    look(d);
    assert_string_equal(news(d), "installed a.test, rolled-back a.test");
    assert_int_equal(last.version, 1);
    assert_int_equal(fake_drive_served(d, "a.test"), 1);
}

/* A lineage that was removed goes on being served; what is made anew is
 * another certificate, whatever its number. */
static void
test_made_anew(void **state)
{
    static const enum acme_key_type type[] = { ACME_KEY_ECDSA_256 };
    struct fake_drive *d = *state;
    struct acme_store *store;
    struct acme_version version;
    struct acme_error err;

    acme_error_clear(&err);
    fake_drive_run(d);
    (void)news(d);
    store = another_store(d);
    assert_int_equal(acme_store_forget(store, "a.test", &err), ACME_OK);
    look(d);
    assert_string_equal(news(d), "");
    assert_int_equal(fake_drive_served(d, "a.test"), 1);

    helper_store_version(&version, 1, type);
    assert_int_equal(
        acme_store_version_write(store, "a.test", &version, d->host.now, &err),
        ACME_OK);
    assert_int_equal(version.number, 1);
    look(d);
    assert_string_equal(news(d), "installed a.test");
    look(d);
    assert_string_equal(news(d), "");
    acme_version_clear(&version);
    acme_store_close(store);
}

/* A crash between the version and its switch. */
static void
test_mended(void **state)
{
    struct fake_drive *d = *state;

    fake_drive_run(d);
    make_version(d);
    look(d);
    (void)news(d);
    fake_drive_close(d);
    helper_tmp_remove(&d->tmp, "state/live/a.test");
    helper_tmp_link(&d->tmp, "../archive/a.test/1", "state/live/a.test");
    helper_tmp_puts(&d->tmp, "state/archive/a.test/2/pending", "");
    fake_drive_open(d);
    assert_int_equal(fake_drive_served(d, "a.test"), 2);
    assert_string_equal(news(d), "renewed a.test");
    assert_int_equal(last.version, 2);
    assert_non_null(strstr(last.text, "after an interrupted renewal"));
}

/* ---- accounts --------------------------------------------------------- */

static void
test_contacts(void **state)
{
    struct fake_drive *d = *state;

    d->contact = "mailto:a@a.test";
    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", 0, "a.test", NULL);
    fake_drive_open(d);
    fake_drive_run(d);
    assert_null(strstr(news(d), "account-updated"));
    d->contact = "mailto:b@a.test";
    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", 0, "a.test", NULL);
    fake_drive_open(d);
    fake_drive_run(d);
    assert_string_equal(news(d), "account-updated");
    assert_string_equal(last.lineage, "");
    assert_string_equal(last.issuer, "test");
    assert_int_equal(strlen(last.subject), ACME_ACCOUNT_ID_LEN);
}

/* ---- the end of a certificate ----------------------------------------- */

/* The CA is away: days before the end, then daily, over restarts. */
static void
test_expiring(void **state)
{
    struct fake_drive *d = *state;
    struct acme_leaf leaf;
    time_t warn;

    d->ca->conf.certificate.not_after = 20L * DAY;
    fake_drive_run(d);
    (void)news(d);
    fake_drive_leaf(d, "a.test", &leaf);
    warn = leaf.not_after - (leaf.not_after - leaf.not_before) / 10;
    d->host.now = warn - 120;
    look(d);
    assert_string_equal(news(d), "");
    d->host.now = warn + 120;
    look(d);
    look(d);
    assert_string_equal(news(d), "expiring a.test");
    assert_string_equal(last.serial, leaf.serial);
    assert_int_equal(last.not_after, leaf.not_after);
    assert_string_equal(last.issuer, "test");
    assert_non_null(strstr(last.text, "certificate expires at"));

    d->host.now += 23L * HOUR;
    fake_drive_restart(d);
    look(d);
    assert_string_equal(news(d), "");
    d->host.now += HOUR;
    look(d);
    look(d);
    assert_string_equal(news(d), "expiring a.test");
    d->host.now = leaf.not_after + DAY;
    look(d);
    assert_string_equal(news(d), "expiring a.test");
    assert_non_null(strstr(last.text, "certificate has expired at"));
    assert_string_equal(last.problem, "");

    /* why, and when it is tried again, once that is known */
    fake_ca_problem(d->ca, FAKE_NEW_ORDER, FAKE_ALWAYS, 403,
        "rejectedIdentifier", "not here");
    fake_drive_run(d);
    (void)news(d);
    d->host.now += 2L * DAY;
    look(d);
    assert_string_equal(news(d), "expiring a.test");
    assert_non_null(strstr(last.text, "and has not been renewed: "));
    assert_non_null(strstr(last.text, "not here"));
    assert_string_equal(last.problem, "rejectedIdentifier");
    assert_int_equal(last.next_attempt, record_of(d, "a.test").next_attempt);
    assert_true(last.next_attempt != 0);
    fake_ca_behave(d->ca);

    /* with a new one it is over */
    fake_drive_run(d);
    (void)news(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 2);
    d->host.now += 2L * DAY;
    look(d);
    assert_string_equal(news(d), "");
}

/* Failures of somebody who can wait, and of somebody who cannot. */
static void
test_level(void **state)
{
    struct fake_drive *d = *state;
    struct acme_leaf leaf;

    d->ca->conf.certificate.not_after = 20L * DAY;
    fake_drive_run(d);
    fake_drive_leaf(d, "a.test", &leaf);
    fake_ca_fail(d->ca, FAKE_NEW_ORDER, FAKE_ALWAYS, ACME_NET);
    d->host.now = leaf.not_after - 3L * DAY;
    fake_drive_run(d);
    assert_true(fake_host_logged(&d->host,
        "warn: certificate not renewed, lineage \"a.test\""));
    assert_false(fake_host_logged(&d->host, "crit:"));
    fake_host_forget(&d->host);
    d->host.now = leaf.not_after - DAY;
    fake_drive_run(d);
    assert_true(fake_host_logged(&d->host,
        "crit: certificate not renewed, lineage \"a.test\""));
    assert_false(fake_host_logged(&d->host, "warn: certificate not"));
    fake_host_forget(&d->host);
    d->host.now = leaf.not_after + DAY;
    fake_drive_run(d);
    assert_true(fake_host_logged(&d->host, "crit: certificate not renewed"));
}

/* ---- the journal fails ------------------------------------------------ */

/* Said once; certificates do not care. */
static void
test_no_journal(void **state)
{
    struct fake_drive *d = *state;
    const char *lines, *first;
    char *outside;

    helper_tmp_puts(&d->tmp, "outside", "mine");
    helper_tmp_link(&d->tmp, "../outside", "state/events.jsonl");
    fake_drive_run(d);
    assert_int_equal(fake_drive_served(d, "a.test"), 1);
    lines = fake_host_lines(&d->host);
    first = strstr(lines, "error: cannot note event: cannot open "
                          "\"events.jsonl\": it is a symbolic link");
    assert_non_null(first);
    assert_null(strstr(first + 10, "cannot note event"));
    outside = helper_tmp_gets(&d->tmp, "outside");
    assert_string_equal(outside, "mine");
    free(outside);

    helper_tmp_remove(&d->tmp, "state/events.jsonl");
    fake_drive_until(d, "a.test", 2, 5);
    assert_non_null(strstr(news(d), "installed a.test"));
}

/* ---- what an engine may say ------------------------------------------- */

struct lie {
    const char *label;
    uint64_t kind, issuer, next;
    size_t len; /* of the text */
};

/* As it arrives: its length is put right by a socket. */
static bool
deliver(struct fake_drive *d, struct acme_buf *frame)
{
    uint32_t length = (uint32_t)(frame->len - 16);
    struct acme_buf reply;
    bool good;

    acme_buf_init_secret(&reply, ACME_FRAME_MAX);
    memcpy(frame->data + 12, &length, sizeof(length));
    good = acme_keeper_answer(d->keeper, frame, &reply);
    acme_buf_clear(&reply);
    return good;
}

static bool
say(struct fake_drive *d, uint32_t unit, const struct lie *lie,
    const char *subject)
{
    struct acme_buf frame;
    char text[2000];
    bool good;

    memset(text, 'x', sizeof(text));
    text[lie->len] = '\0';
    acme_buf_init(&frame, ACME_FRAME_MAX);
    acme_frame_begin(&frame, ACME_VERB_EVENT, unit);
    acme_frame_add_u64(&frame, lie->kind);
    acme_frame_add_u64(&frame, lie->issuer);
    acme_frame_add_u64(&frame, lie->next);
    acme_frame_add_text(&frame, subject);
    acme_frame_add_text(&frame, "");
    acme_frame_add_text(&frame, text);
    good = deliver(d, &frame);
    acme_buf_clear(&frame);
    return good;
}

static void
test_lies(void **state)
{
    static const struct lie lies[] = {
        { "renewed", ACME_EVENT_RENEWED, 0, 0, 1 },
        { "installed", ACME_EVENT_INSTALLED, 0, 0, 1 },
        { "expiring", ACME_EVENT_EXPIRING, 0, 0, 1 },
        { "rolled-back", ACME_EVENT_ROLLED_BACK, 0, 0, 1 },
        { "revoked", ACME_EVENT_REVOKED, 0, 0, 1 },
        { "refused", ACME_EVENT_REFUSED, 0, 0, 1 },
        { "account-created", ACME_EVENT_ACCOUNT_CREATED, 0, 0, 1 },
        { "account-deactivated", ACME_EVENT_ACCOUNT_DEACTIVATED, 0, 0, 1 },
        { "hook", ACME_EVENT_HOOK, 0, 0, 1 },
        { "nothing", 0, 0, 0, 1 },
        { "no kind", ACME_EVENT_KINDS, 0, 0, 1 },
        { "far from one", UINT64_MAX, 0, 0, 1 },
        { "one cut to 32 bits", (1ull << 32) | ACME_EVENT_ERRORED, 0, 0, 1 },
        { "not its CA", ACME_EVENT_ERRORED, 1, 0, 1 },
        { "no CA", ACME_EVENT_ERRORED, 7, 0, 1 },
        { "before all time", ACME_EVENT_ERRORED, 0, UINT64_MAX, 1 },
        { "too long", ACME_EVENT_ERRORED, 0, 0, ACME_EVENT_TEXT_MAX },
    };
    static const struct lie may[] = {
        { "", ACME_EVENT_RENEWING, 0, 0, 1 },
        { "", ACME_EVENT_CHALLENGE_SETUP, 0, 0, 0 },
        { "", ACME_EVENT_ERRORED, 0, INT64_MAX, ACME_EVENT_TEXT_MAX - 1 },
        { "", ACME_EVENT_FAILED_OVER, 0, 1, 1 },
    };
    struct fake_drive *d = *state;
    size_t i;

    for (i = 0; i < COUNT(lies); i++) {
        if (say(d, 0, &lies[i], ""))
            fail_msg("%s: believed", lies[i].label);
        assert_string_equal(news(d), "");
    }
    for (i = 0; i < COUNT(may); i++) {
        assert_true(say(d, 0, &may[i], "x\x1b[2J\n{\"event\":\"renewed\"}"));
        assert_string_equal(strrchr(news(d), ' ') != NULL ? "one" : told,
            "one");
        assert_int_equal(last.kind, may[i].kind);
        assert_string_equal(last.lineage, "a.test");
        assert_string_equal(last.subject,
            "x\\x1b[2J\\x0a{\"event\":\"renewed\"}");
        assert_int_equal(last.at, d->host.now);
        assert_true(strncmp(last.by, "nginx:", 6) == 0);
    }
    assert_false(say(d, 2, &may[0], ""));
}

int
main(void)
{
#define TEST(name, setup) \
    cmocka_unit_test_setup_teardown(name, setup, fake_drive_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_obtained_and_renewed, setup_one),
        TEST(test_resumed, setup_one),
        TEST(test_two_orders, setup),
        TEST(test_two_keys, setup),
        TEST(test_errored, setup_one),
        TEST(test_engine_died, setup_one),
        TEST(test_failed_over, setup),
        TEST(test_refused, setup_one),
        TEST(test_by_others, setup_one),
        TEST(test_made_anew, setup_one),
        TEST(test_mended, setup_one),
        TEST(test_contacts, setup),
        TEST(test_expiring, setup_one),
        TEST(test_level, setup_one),
        TEST(test_no_journal, setup_one),
        TEST(test_lies, setup_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
