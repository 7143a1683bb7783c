/*
 * acme_job.h: one certificate from due to live, over the real store, and its
 * continuation after an abort at every step.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "drive/acme_job.h"
#include "fake_job.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Whether the lock is free: another store can have it. */
static void
expect_unlocked(struct fake_drive *d, const char *name)
{
    struct acme_store *other = NULL;
    int fd = -1;

    assert_int_equal(acme_store_open(d->config->state_dir, ACME_STORE_WRITE,
                         &other, &d->err),
        ACME_OK);
    assert_int_equal(acme_store_lock(other, "lineage", name, &fd, &d->err),
        ACME_OK);
    close(fd);
    acme_store_close(other);
}

/* ---- what is needed --------------------------------------------------- */

static void
test_needed(void **state)
{
    static const char *const have[] = { "a.test", "*.b.test", NULL };
    static const struct {
        const char *names[3];
        enum acme_key_type type;
        bool leaf;
        const char *why;
    } cases[] = {
        { { "a.test" }, ACME_KEY_ECDSA_256, false, "no certificate" },
        { { "a.test" }, ACME_KEY_ECDSA_256, true, NULL },
        { { "a.test", "*.b.test" }, ACME_KEY_ECDSA_256, true, NULL },
        { { "a.test" }, ACME_KEY_RSA_2048, true, "key type" },
        { { "a.test", "c.test" }, ACME_KEY_ECDSA_256, true, "all names" },
    };
    struct acme_vault_unit lineage = { .live_type = ACME_KEY_ECDSA_256 };
    struct acme_chain *chain = fake_job_chain(have);
    const char *names[3], *why;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        memcpy(names, cases[i].names, sizeof(names));
        lineage.names = names;
        lineage.nnames = names[1] != NULL ? 2 : 1;
        lineage.type = cases[i].type;
        lineage.leaf = cases[i].leaf ? chain : NULL;
        assert_int_equal(acme_job_is_needed(&lineage, &why),
            cases[i].why != NULL);
        assert_true(cases[i].why == NULL ? why == NULL
                                         : strstr(why, cases[i].why) != NULL);
    }
    acme_chain_free(chain);
}

/* ---- a plain run ------------------------------------------------------ */

static void
test_first(void **state)
{
    struct fake_drive *d = *state;
    struct acme_leaf leaf;
    struct fake_job_outcome out;

    fake_job_need(d, 0, false, &out);
    assert_string_equal(fake_ca_log(d->ca),
        "directory new-nonce new-account new-account new-order authz authz "
        "challenge challenge authz authz authz authz order finalize order "
        "certificate");
    assert_true(out.result.ordered);
    assert_int_equal(out.result.version, 1);
    fake_drive_leaf(d, "a.test", &leaf);
    assert_string_equal(leaf.serial, out.result.leaf.serial);
    assert_int_equal(leaf.not_after, out.result.leaf.not_after);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    assert_int_equal(fake_drive_served(d, "a.test"), 1);
    assert_true(fake_drive_covers(d, "a.test", "www.a.test"));
    assert_false(fake_drive_has_order(d, "a.test"));
    expect_unlocked(d, "a.test");
}

static void
test_nothing_due(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;
    char *before, *after;

    fake_job_need(d, 0, false, &out);
    before = fake_drive_listing(d);
    fake_ca_forget_log(d->ca);
    fake_job_need(d, 0, false, &out);
    assert_string_equal(fake_ca_log(d->ca), "");
    assert_false(out.result.ordered);
    assert_int_equal(out.result.version, 0);
    after = fake_drive_listing(d);
    assert_string_equal(after, before);
    free(before);
    free(after);
}

static void
test_forced(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;
    char first[64];

    fake_job_need(d, 0, false, &out);
    (void)snprintf(first, sizeof(first), "%s", out.result.leaf.serial);
    fake_job_need(d, 0, true, &out);
    assert_true(out.result.ordered);
    assert_int_equal(out.result.version, 2);
    assert_string_not_equal(out.result.leaf.serial, first);
    assert_int_equal(fake_drive_served(d, "a.test"), 2);
    assert_int_equal(fake_ca_accounts(d->ca), 1);
}

static enum acme_key_type
live_key_type(struct fake_drive *d, const char *name)
{
    char *pem =
        helper_tmp_gets(&d->tmp, fake_drive_path("live/%s/privkey.pem", name));
    struct acme_key *key = NULL;
    enum acme_key_type type;

    assert_non_null(pem);
    assert_int_equal(acme_key_from_pem(pem, strlen(pem), &key, &d->err),
        ACME_OK);
    type = acme_key_type_of(key);
    acme_key_unref(key);
    free(pem);
    return type;
}

static void
test_key_types(void **state)
{
    static const char *const types[] = { "ecdsa:256", "ecdsa:384",
        "rsa:2048" };
    struct fake_drive *d = *state;
    struct fake_job_outcome out;
    size_t i;

    for (i = 0; i < COUNT(types); i++)
        fake_drive_lineage(d, types[i], 0, "k.test", types[i]);
    fake_drive_open(d);
    for (i = 0; i < COUNT(types); i++) {
        fake_job_need(d, i, false, &out);
        assert_string_equal(acme_key_type_name(live_key_type(d, types[i])),
            types[i]);
    }
}

static void
test_other_key_type(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;

    fake_job_need(d, 0, false, &out);
    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", 0, "a.test www.a.test", "rsa:2048");
    fake_drive_open(d);
    fake_job_need(d, 0, false, &out);
    assert_int_equal(out.result.version, 2);
    assert_int_equal(live_key_type(d, "a.test"), ACME_KEY_RSA_2048);
}

static void
test_names_added(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;

    fake_job_need(d, 0, false, &out);
    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", 0, "a.test www.a.test new.a.test", NULL);
    fake_drive_open(d);
    fake_job_need(d, 0, false, &out);
    assert_int_equal(out.result.version, 2);
    assert_true(fake_drive_covers(d, "a.test", "new.a.test"));
}

/* What is in the certificate already needs no new one. */
static void
test_names_taken_away(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;

    fake_job_need(d, 0, false, &out);
    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", 0, "a.test", NULL);
    fake_drive_open(d);
    fake_job_need(d, 0, false, &out);
    assert_int_equal(out.result.version, 0);
}

static void
test_authz_reused(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;

    d->ca->conf.reuse_authz = true;
    fake_job_need(d, 0, false, &out);
    assert_int_equal(fake_ca_count(d->ca, FAKE_CHALLENGE), 2);
    fake_ca_forget_log(d->ca);
    fake_job_need(d, 0, true, &out);
    assert_int_equal(out.result.version, 2);
    assert_int_equal(fake_ca_count(d->ca, FAKE_CHALLENGE), 2);
    assert_string_equal(fake_ca_log(d->ca),
        "directory new-nonce account "
        "new-order finalize order certificate");
}

/* Others get the time they need to see the challenge, once. */
static void
test_present(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;
    unsigned long long without;

    fake_job_need(d, 0, false, &out);
    without = d->host.waited_ms;
    d->present_ms = 2500;
    fake_job_need(d, 0, true, &out);
    assert_int_equal(d->host.waited_ms - without, without + 2500);
}

/* A CA that offers nothing else. */
static void
test_tls_alpn(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;

    d->ca->conf.challenges[0] = "tls-alpn-01";
    fake_drive_lineage(d, "a.test", 0, "a.test b.test", NULL);
    fake_drive_open(d);
    fake_job_need(d, 0, true, &out);
    assert_int_equal(fake_ca_count(d->ca, FAKE_CHALLENGE), 2);
}

/* ---- no order --------------------------------------------------------- */

/* Nothing is tried that cannot work. */
static void
test_challenge_mismatch(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;

    d->ca->conf.challenges[0] = "dns-01";
    d->ca->conf.challenges[1] = "new-99";
    fake_drive_lineage(d, "a.test", 0, "a.test", NULL);
    fake_drive_open(d);
    fake_job_run(d, 0, false, &out);
    fake_job_expect(&out, ACME_CONFIG,
        "challenge mismatch: \"a.test\" could be proved by http-01 or "
        "tls-alpn-01 here, but the CA offers: dns-01, new-99");
    assert_int_equal(fake_ca_count(d->ca, FAKE_CHALLENGE), 0);
    assert_false(fake_drive_has_order(d, "a.test"));
    expect_unlocked(d, "a.test");
}

static void
test_terms_not_accepted(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;

    d->ca->conf.terms = "https://ca.test/terms";
    d->terms_accepted = false;
    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", 0, "a.test", NULL);
    fake_drive_open(d);
    fake_job_run(d, 0, false, &out);
    fake_job_expect(&out, ACME_CONFIG, "https://ca.test/terms");
    assert_int_equal(fake_ca_accounts(d->ca), 0);
}

static void
test_busy(void **state)
{
    struct fake_drive *d = *state;
    struct acme_store *other = NULL;
    struct fake_job_outcome out;
    int fd = -1;

    assert_int_equal(acme_store_open(d->config->state_dir, ACME_STORE_WRITE,
                         &other, &d->err),
        ACME_OK);
    assert_int_equal(acme_store_lock(other, "lineage", "a.test", &fd, &d->err),
        ACME_OK);
    fake_job_run(d, 0, false, &out);
    fake_job_expect(&out, ACME_BUSY, "");
    assert_string_equal(fake_ca_log(d->ca), "");
    assert_false(helper_tmp_exists(&d->tmp, "state/record/a.test.json"));
    close(fd);
    acme_store_close(other);
    fake_job_need(d, 0, false, &out);
}

/* A wait of more than ten seconds is not slept. */
static void
test_later(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;

    fake_ca_header(d->ca, FAKE_FINALIZE, 1, "Retry-After", "40");
    fake_job_run(d, 0, false, &out);
    fake_job_expect(&out, ACME_LATER, "40 s");
    assert_int_equal(out.err.retry_at, d->host.now + 40);
    assert_true(fake_drive_has_order(d, "a.test"));
    expect_unlocked(d, "a.test");
    fake_host_pass(&d->host, 40);
    fake_job_need(d, 0, false, &out);
    assert_false(out.result.ordered);
    assert_int_equal(out.result.version, 1);
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ORDER), 1);
    assert_int_equal(fake_ca_count(d->ca, FAKE_FINALIZE), 1);
}

/* ---- an order that is stored ------------------------------------------ */

/* Leaves an order behind that waits for its finalize. */
static void
leave_order(struct fake_drive *d)
{
    struct fake_job_outcome out;

    fake_ca_fail(d->ca, FAKE_FINALIZE, 1, ACME_NET);
    fake_job_run(d, 0, false, &out);
    fake_job_expect(&out, ACME_NET, "");
    assert_true(fake_drive_has_order(d, "a.test"));
    fake_ca_behave(d->ca);
    fake_ca_forget_log(d->ca);
}

/* The order's URL is on disk before anything else is asked. */
static void
test_stored_at_once(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;

    fake_ca_fail(d->ca, FAKE_AUTHZ, 1, ACME_NET);
    fake_job_run(d, 0, false, &out);
    assert_true(out.result.ordered);
    assert_true(fake_drive_has_order(d, "a.test"));
    fake_job_need(d, 0, false, &out);
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ORDER), 1);
}

static void
test_resumed(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;

    leave_order(d);
    fake_job_need(d, 0, false, &out);
    assert_string_equal(fake_ca_log(d->ca),
        "directory new-nonce account order finalize order certificate");
    assert_false(out.result.ordered);
}

static void
order_gone(struct fake_drive *d)
{
    fake_ca_problem(d->ca, FAKE_ORDER, 1, 404, "malformed", "no such order");
}

static void
order_invalid(struct fake_drive *d)
{
    fake_ca_json(d->ca, FAKE_ORDER, 1, "status", "\"invalid\"");
}

/* RFC 8555 7.1.3: after `expires` the server considers it invalid; not every
 * one says so. */
static void
order_expired(struct fake_drive *d)
{
    fake_ca_json(d->ca, FAKE_ORDER, 1, "status", "\"pending\"");
    fake_ca_json(d->ca, FAKE_ORDER, 1, "expires", "\"2026-11-21T12:00:00Z\"");
}

static void
order_foreign(struct fake_drive *d)
{
    fake_ca_json(d->ca, FAKE_ORDER, 1, "identifiers.0.value", "\"evil.test\"");
}

static void
account_unknown(struct fake_drive *d)
{
    fake_ca_drop_accounts(d->ca);
}

static void
names_changed(struct fake_drive *d)
{
    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", 0, "a.test other.a.test", NULL);
    fake_drive_open(d);
}

static void
type_changed(struct fake_drive *d)
{
    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", 0, "a.test www.a.test", "ecdsa:384");
    fake_drive_open(d);
}

static void
issuer_changed(struct fake_drive *d)
{
    char *text = helper_tmp_gets(&d->tmp, "state/orders/a.test/order.json");
    char *at = strstr(text, "ca.test/dir");

    assert_non_null(at);
    memcpy(at, "cb", 2);
    helper_tmp_puts(&d->tmp, "state/orders/a.test/order.json", text);
    free(text);
}

static void
file_damaged(struct fake_drive *d)
{
    helper_tmp_puts(&d->tmp, "state/orders/a.test/order.json", "{ \"url\"");
}

static void
key_damaged(struct fake_drive *d)
{
    helper_tmp_puts(&d->tmp, "state/orders/a.test/privkey.pem", "no key");
}

static void
key_missing(struct fake_drive *d)
{
    helper_tmp_remove(&d->tmp, "state/orders/a.test/privkey.pem");
}

static void
file_linked(struct fake_drive *d)
{
    helper_tmp_remove(&d->tmp, "state/orders/a.test/order.json");
    helper_tmp_link(&d->tmp, "../../../elsewhere",
        "state/orders/a.test/order.json");
}

/* An order that can't be gone on with is replaced, once, in the same run. */
static void
test_replaced(void **state)
{
    static const struct {
        const char *label;
        void (*bend)(struct fake_drive *d);
    } cases[] = {
        { "gone", order_gone },
        { "invalid", order_invalid },
        { "expired", order_expired },
        { "of other names", order_foreign },
        { "of an account the CA forgot", account_unknown },
        { "names changed", names_changed },
        { "key type changed", type_changed },
        { "issuer changed", issuer_changed },
        { "file damaged", file_damaged },
        { "key damaged", key_damaged },
        { "key missing", key_missing },
        { "file is a link", file_linked },
    };
    struct fake_drive *d;
    struct fake_job_outcome out;
    void *own;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        fake_job_setup(&own);
        d = own;
        leave_order(d);
        cases[i].bend(d);
        if (fake_job_run(d, 0, false, &out) != ACME_OK ||
            !out.result.ordered || fake_ca_count(d->ca, FAKE_NEW_ORDER) != 2 ||
            fake_drive_version(d, "a.test") != 1 ||
            fake_drive_has_order(d, "a.test"))
            fail_msg("%s: %s: %s", cases[i].label, out.err.what,
                fake_ca_log(d->ca));
        fake_drive_teardown(&own);
    }
}

/* Trouble that says nothing of the order keeps it. */
static void
test_kept(void **state)
{
    static const struct {
        enum fake_step step;
        int status; /* 0: no answer */
        const char *type;
    } cases[] = {
        { FAKE_ORDER, 500, "serverInternal" },
        { FAKE_ORDER, 503, "serverInternal" },
        { FAKE_ORDER, 429, "rateLimited" },
        { FAKE_ORDER, 0, NULL },
        { FAKE_FINALIZE, 502, "serverInternal" },
        { FAKE_FINALIZE, 429, "rateLimited" },
        { FAKE_CERTIFICATE, 500, "serverInternal" },
        { FAKE_CERTIFICATE, 0, NULL },
        { FAKE_DIRECTORY, 0, NULL },
        { FAKE_ACCOUNT, 500, "serverInternal" },
    };
    struct fake_drive *d = *state;
    struct fake_job_outcome out;
    size_t i;

    leave_order(d);
    for (i = 0; i < COUNT(cases); i++) {
        if (cases[i].status != 0)
            fake_ca_problem(d->ca, cases[i].step, 1, cases[i].status,
                cases[i].type, "not now");
        else
            fake_ca_fail(d->ca, cases[i].step, 1, ACME_NET);
        assert_int_not_equal(fake_job_run(d, 0, false, &out), ACME_OK);
        if (!fake_drive_has_order(d, "a.test"))
            fail_msg("case %zu: the order is dropped", i);
        fake_ca_behave(d->ca);
    }
    fake_job_need(d, 0, false, &out);
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ORDER), 1);
}

/* What fails for good is not gone on with. */
static void
test_dropped(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;

    fake_ca_problem(d->ca, FAKE_FINALIZE, 1, 403, "unauthorized", "CAA");
    fake_job_run(d, 0, false, &out);
    fake_job_expect(&out, ACME_PROBLEM, "CAA");
    assert_false(fake_drive_has_order(d, "a.test"));
    fake_job_need(d, 0, false, &out);
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ORDER), 2);
}

/* A CA that never gets ready: looked at ever less often, and given up in the
 * end, as a failure; then another one is ordered. */
static void
stick(struct fake_drive *d, const char *expires, time_t least, time_t most)
{
    const time_t began = d->host.now;
    struct fake_job_outcome out;
    unsigned polls = 0;

    d->ca->conf.issuance_polls = 1000000;
    if (expires != NULL)
        fake_ca_json(d->ca, FAKE_ORDER, FAKE_ALWAYS, "expires", expires);
    while (fake_job_run(d, 0, false, &out) == ACME_LATER && ++polls < 1000)
        d->host.now = out.err.retry_at;
    fake_job_expect(&out, ACME_WIRE, "still in processing when it expired");
    assert_in_range(d->host.now - began, least, most);
    assert_in_range(fake_ca_count(d->ca, FAKE_ORDER), 10, most / 3600 * 20);
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ORDER), 1);
    assert_false(fake_drive_has_order(d, "a.test"));

    fake_ca_behave(d->ca);
    d->ca->conf.issuance_polls = 1;
    fake_job_need(d, 0, false, &out);
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ORDER), 2);
}

static void
test_stuck(void **state)
{
    stick(*state, "\"2026-11-23T12:00:00Z\"", 48 * 3600, 49 * 3600);
}

static void
test_stuck_for_ever(void **state)
{
    stick(*state, "\"2099-01-01T00:00:00Z\"", ACME_ORDER_AGE_MAX,
        ACME_ORDER_AGE_MAX + 3600);
}

/* ---- aborts at every step --------------------------------------------- */

/* An abort at the n-th of something: each, or each stride-th. */
struct abort_kind {
    const char *label;
    void (*arm)(struct fake_drive *d, unsigned n);
    bool (*hit)(const struct fake_drive *d);
    bool crash; /* told to the next engine */
    unsigned stride;
};

static void
arm_request(struct fake_drive *d, unsigned n)
{
    fake_drive_cut(d, n, FAKE_CUT_REQUEST, ACME_NET);
}

static void
arm_answer(struct fake_drive *d, unsigned n)
{
    fake_drive_cut(d, n, FAKE_CUT_ANSWER, ACME_NET);
}

static void
arm_stop_request(struct fake_drive *d, unsigned n)
{
    fake_drive_cut(d, n, FAKE_CUT_REQUEST, ACME_STOPPING);
}

static void
arm_stop_answer(struct fake_drive *d, unsigned n)
{
    fake_drive_cut(d, n, FAKE_CUT_ANSWER, ACME_STOPPING);
}

static bool
is_cut(const struct fake_drive *d)
{
    return d->exchanges >= d->cut_at;
}

static void
arm_death(struct fake_drive *d, unsigned n)
{
    fake_drive_die(d, n, false);
}

static void
arm_late_death(struct fake_drive *d, unsigned n)
{
    fake_drive_die(d, n, true);
}

static bool
is_dead(const struct fake_drive *d)
{
    return d->dead;
}

static void
arm_stop_wait(struct fake_drive *d, unsigned n)
{
    d->host.stop_after = (int)(d->host.waits + n - 1);
}

static bool
is_stopping(const struct fake_drive *d)
{
    return d->host.stopping;
}

static const struct abort_kind kinds[] = {
    { "request lost", arm_request, is_cut, false, 1 },
    { "answer lost", arm_answer, is_cut, false, 1 },
    { "stop before a request", arm_stop_request, is_cut, false, 2 },
    { "stop in a request", arm_stop_answer, is_cut, false, 1 },
    { "death", arm_death, is_dead, false, 2 },
    { "death, counted", arm_death, is_dead, true, 7 },
    { "death after a frame", arm_late_death, is_dead, false, 1 },
    { "stop in a wait", arm_stop_wait, is_stopping, false, 1 },
};

/* What the CA saw of a story with one abort in it. */
static void
check_story(struct fake_drive *d, const char *label, unsigned n, bool stored,
    unsigned orders_then)
{
    unsigned orders = fake_ca_count(d->ca, FAKE_NEW_ORDER);
    unsigned answers = fake_ca_count(d->ca, FAKE_CHALLENGE);
    const char *wrong = NULL;

    if (orders > 2 || (stored && orders != orders_then))
        wrong = "too many orders";
    else if (orders == 1 && answers != 2)
        wrong = "a challenge was not answered once";
    else if (fake_ca_complaints(d->ca)[0] != '\0')
        wrong = fake_ca_complaints(d->ca);
    else if (fake_ca_accounts(d->ca) != 1)
        wrong = "too many accounts";
    else if (fake_drive_has_order(d, "a.test"))
        wrong = "the order is left";
    else if (fake_drive_served(d, "a.test") != fake_drive_version(d, "a.test"))
        wrong = "not served";
    if (wrong != NULL)
        fail_msg("%s, %u: %s\n%s\n%s", label, n, wrong, fake_ca_log(d->ca),
            fake_host_lines(&d->host));
}

/* False: the story was over before the n-th. */
static bool
abort_story(const struct abort_kind *kind, unsigned n)
{
    struct fake_drive *d;
    unsigned orders, before;
    bool hit, stored;
    void *own;

    fake_job_setup(&own);
    d = own;
    kind->arm(d, n);
    fake_drive_run(d);
    hit = kind->hit(d);
    if (hit) {
        stored = fake_drive_has_order(d, "a.test");
        orders = fake_ca_count(d->ca, FAKE_NEW_ORDER);
        before = fake_drive_version(d, "a.test");
        d->crashed = kind->crash;
        fake_drive_restart(d);
        fake_drive_until(d, "a.test", 1, 3);
        /* A version that was live already is not ordered once more. */
        assert_true(before == 0 || fake_drive_version(d, "a.test") == 1);
        check_story(d, kind->label, n, stored, orders);
    } else {
        fake_drive_until(d, "a.test", 1, 0);
    }
    fake_drive_teardown(&own);
    return hit;
}

static void
test_aborts(void **state)
{
    unsigned n;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(kinds); i++) {
        for (n = 1; abort_story(&kinds[i], n); n += kinds[i].stride)
            assert_true(n < 200);
        /* directory ... certificate; frames; polls */
        assert_true(n > (kinds[i].hit == is_stopping ? 2 : 15));
    }
}

/* Boulder's challenges stay "pending" while it validates. */
static void
test_answered_but_pending(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;

    d->ca->conf.validation_polls = 3;
    fake_ca_json(d->ca, FAKE_AUTHZ, FAKE_ALWAYS, "challenges.0.status",
        "\"pending\"");
    d->host.stop_after = (int)d->host.waits + 1;
    fake_job_run(d, 0, false, &out);
    fake_job_expect(&out, ACME_STOPPING, "");
    assert_int_equal(fake_ca_count(d->ca, FAKE_CHALLENGE), 2);
    d->host.stopping = false;
    d->host.stop_after = -1;
    fake_job_need(d, 0, false, &out);
    assert_int_equal(fake_ca_count(d->ca, FAKE_CHALLENGE), 2);
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ORDER), 1);
}

/* An answer whose fate is unknown gets time to show before it is sent once
 * more. */
static void
test_answer_unknown(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;
    time_t sent = d->host.now;

    fake_ca_fail(d->ca, FAKE_CHALLENGE, 1, ACME_STOPPING);
    fake_job_run(d, 0, false, &out);
    fake_job_expect(&out, ACME_STOPPING, "");
    fake_host_pass(&d->host, 2);
    fake_job_run(d, 0, false, &out);
    fake_job_expect(&out, ACME_LATER, "");
    assert_in_range(out.err.retry_at, sent + 20, sent + 60);
    assert_int_equal(fake_ca_count(d->ca, FAKE_CHALLENGE), 2); /* 1, other */
    d->host.now = out.err.retry_at;
    fake_job_need(d, 0, false, &out);
    assert_int_equal(fake_ca_count(d->ca, FAKE_CHALLENGE), 3);
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ORDER), 1);
}

/* ---- replaces (RFC 9773 5) -------------------------------------------- */

/* What the CA says to an order that replaces the live certificate, and what
 * becomes of it. */
static void
test_replaces(void **state)
{
    static const struct {
        const char *label;
        bool on, offered;
        int status; /* of the first newOrder; 0: good */
        const char *type;
        unsigned orders;
        bool sent; /* in the last newOrder */
        enum acme_rc rc;
    } cases[] = {
        { "good", true, true, 0, "", 1, true, ACME_OK },
        { "off", false, true, 0, "", 1, false, ACME_OK },
        { "not offered", true, false, 0, "", 1, false, ACME_OK },
        { "replaced", true, true, 409, "alreadyReplaced", 2, false, ACME_OK },
        { "malformed", true, true, 400, "malformed", 2, false, ACME_OK },
        { "unknown", true, true, 404, "malformed", 2, false, ACME_OK },
        { "another's", true, true, 403, "unauthorized", 2, false, ACME_OK },
        { "limit", true, true, 429, "rateLimited", 1, true, ACME_PROBLEM },
        { "stumbled", true, true, 500, "serverInternal", 2, false, ACME_OK },
        { "trouble", true, true, 503, "serverInternal", 1, true,
            ACME_PROBLEM },
        { "not offered, malformed", true, false, 400, "malformed", 1, false,
            ACME_PROBLEM },
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        struct fake_drive *d;
        struct fake_job_outcome out;
        struct acme_leaf leaf;
        char expected[160];
        const char *payload;
        void *own;

        fake_job_setup(&own);
        d = own;
        d->config->issuer[0].renewal_info = cases[i].on;
        d->ca->conf.renewal_info = cases[i].offered;
        fake_job_need(d, 0, false, &out);
        assert_null(strstr(fake_ca_payload(d->ca, FAKE_NEW_ORDER), "repl"));
        fake_drive_leaf(d, "a.test", &leaf);
        assert_true(leaf.ari_id[0] != '\0');
        (void)snprintf(expected, sizeof(expected), "\"replaces\":\"%s\"",
            leaf.ari_id);
        if (cases[i].status != 0)
            fake_ca_problem(d->ca, FAKE_NEW_ORDER, 1, cases[i].status,
                cases[i].type, "no");
        fake_job_run(d, 0, true, &out);
        if (out.err.rc != cases[i].rc)
            fail_msg("%s: %s", cases[i].label, acme_rc_name(out.err.rc));
        assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ORDER) - 1,
            cases[i].orders);
        payload = fake_ca_payload(d->ca, FAKE_NEW_ORDER);
        if ((strstr(payload, expected) != NULL) != cases[i].sent ||
            (strstr(payload, "replaces") != NULL) != cases[i].sent)
            fail_msg("%s: %s", cases[i].label, payload);
        fake_drive_teardown(&own);
    }
}

/* Nothing less is asked for than has to be. */
static void
test_replaces_with_profile(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;

    d->ca->conf.renewal_info = d->config->issuer[0].renewal_info = true;
    d->config->issuer[0].profile = "s";
    fake_ca_json(d->ca, FAKE_DIRECTORY, FAKE_ALWAYS, "meta.profiles",
        "{\"s\":\"\"}");
    fake_job_need(d, 0, false, &out);
    fake_ca_problem(d->ca, FAKE_NEW_ORDER, 1, 409, "alreadyReplaced", "no");
    fake_job_need(d, 0, true, &out);
    assert_non_null(
        strstr(fake_ca_payload(d->ca, FAKE_NEW_ORDER), "\"profile\":\"s\""));
    assert_null(strstr(fake_ca_payload(d->ca, FAKE_NEW_ORDER), "replaces"));
    fake_ca_problem(d->ca, FAKE_NEW_ORDER, 1, 400, "invalidProfile", "no");
    fake_job_need(d, 0, true, &out);
    assert_null(strstr(fake_ca_payload(d->ca, FAKE_NEW_ORDER), "profile"));
    assert_non_null(
        strstr(fake_ca_payload(d->ca, FAKE_NEW_ORDER), "replaces"));
    fake_ca_problem(d->ca, FAKE_NEW_ORDER, 1, 400, "invalidProfile", "no");
    fake_ca_problem(d->ca, FAKE_NEW_ORDER, 2, 400, "malformed", "no");
    fake_ca_problem(d->ca, FAKE_NEW_ORDER, 3, 400, "malformed", "no");
    fake_job_run(d, 0, true, &out);
    fake_job_expect(&out, ACME_PROBLEM, "malformed");
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ORDER), 8);
}

/*
 * While somebody changes the account's key no job begins; what he leaves
 * undone is asked of the CA, which knows the old key here.
 */
static void
test_rekey(void **state)
{
    struct fake_drive *d = *state;
    struct acme_key *key = NULL, *new_key = NULL, *other = NULL;
    char id[ACME_KEY_ID_LEN + 1], other_id[ACME_KEY_ID_LEN + 1];
    struct fake_job_outcome out;
    struct acme_rekey rekey;
    char url[ACME_URL_MAX], same[ACME_URL_MAX];
    int lock = -1;

    fake_job_need(d, 0, false, &out);
    assert_int_equal(acme_vault_account(d->vault, 0, &key, url, &d->err),
        ACME_OK);
    assert_int_equal(acme_key_id(key, id, &d->err), ACME_OK);
    assert_int_equal(acme_key_generate(ACME_KEY_RSA_2048, &new_key, &d->err),
        ACME_OK);
    assert_int_equal(acme_store_lock(d->store, "account", id, &lock, &d->err),
        ACME_OK);
    assert_int_equal(
        acme_store_rekey_begin(d->store, id, new_key, &rekey, &d->err),
        ACME_OK);
    fake_ca_forget_log(d->ca);
    fake_job_run(d, 0, true, &out);
    fake_job_expect(&out, ACME_LATER, "is being changed");
    assert_true(out.err.retry_at > d->host.now);
    assert_null(strstr(fake_ca_log(d->ca), "new-order"));

    close(lock);
    fake_job_need(d, 0, true, &out);
    assert_int_equal(fake_ca_accounts(d->ca), 1);

    /* There and back: the account is found by the type asked for. */
    assert_int_equal(acme_vault_account_moved(d->vault, 0, &d->err), ACME_OK);
    acme_key_unref(key);
    assert_int_equal(acme_vault_account(d->vault, 0, &key, same, &d->err),
        ACME_OK);
    assert_string_equal(same, url);
    assert_int_equal(acme_key_type_of(key), ACME_KEY_RSA_2048);
    assert_int_equal(acme_vault_other_key(d->vault, 0, false, &other, &d->err),
        ACME_OK);
    assert_int_equal(acme_key_id(other, other_id, &d->err), ACME_OK);
    assert_string_equal(other_id, id);
    assert_int_equal(acme_vault_account_moved(d->vault, 0, &d->err), ACME_OK);
    assert_int_equal(acme_store_rekey_end(d->store, &rekey, false, &d->err),
        ACME_OK);
    assert_int_equal(helper_tmp_count(&d->tmp, "state/keys"), 2);
    fake_job_need(d, 0, true, &out);
    assert_int_equal(fake_ca_accounts(d->ca), 1);
    acme_key_unref(other);
    acme_key_unref(new_key);
    acme_key_unref(key);
}

#define TEST(name, setup) \
    cmocka_unit_test_setup_teardown(name, setup, fake_drive_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_needed),
        TEST(test_first, fake_job_setup),
        TEST(test_nothing_due, fake_job_setup),
        TEST(test_forced, fake_job_setup),
        TEST(test_key_types, fake_drive_setup),
        TEST(test_other_key_type, fake_job_setup),
        TEST(test_names_added, fake_job_setup),
        TEST(test_names_taken_away, fake_job_setup),
        TEST(test_authz_reused, fake_job_setup),
        TEST(test_present, fake_job_setup),
        TEST(test_tls_alpn, fake_drive_setup),
        TEST(test_challenge_mismatch, fake_drive_setup),
        TEST(test_terms_not_accepted, fake_drive_setup),
        TEST(test_busy, fake_job_setup),
        TEST(test_later, fake_job_setup),
        TEST(test_stored_at_once, fake_job_setup),
        TEST(test_resumed, fake_job_setup),
        cmocka_unit_test(test_replaced),
        TEST(test_kept, fake_job_setup),
        TEST(test_dropped, fake_job_setup),
        TEST(test_stuck, fake_job_setup),
        TEST(test_stuck_for_ever, fake_job_setup),
        cmocka_unit_test(test_aborts),
        TEST(test_answered_but_pending, fake_job_setup),
        TEST(test_answer_unknown, fake_job_setup),
        cmocka_unit_test(test_replaces),
        TEST(test_replaces_with_profile, fake_job_setup),
        TEST(test_rekey, fake_job_setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
