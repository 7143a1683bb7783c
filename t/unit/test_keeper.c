/*
 * acme_keeper.h: what an engine may and may not do to the state directory,
 * and what is noticed of others.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/acme_base64.h"
#include "fake_drive.h"
#include "state/acme_dir.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* a.test and b.test, both with a certificate: lineages 0 and 1. */
static int
setup_live(void **state)
{
    struct fake_drive *d;

    fake_drive_setup(state);
    d = *state;
    fake_drive_lineage(d, "a.test", 0, "a.test www.a.test", NULL);
    fake_drive_lineage(d, "b.test", 0, "b.test", NULL);
    fake_drive_open(d);
    fake_drive_run(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    assert_int_equal(fake_drive_version(d, "b.test"), 1);
    return 0;
}

static int
setup_empty(void **state)
{
    struct fake_drive *d;

    fake_drive_setup(state);
    d = *state;
    fake_drive_lineage(d, "a.test", 0, "a.test www.a.test", NULL);
    fake_drive_open(d);
    return 0;
}

/* ---- frames of an engine ---------------------------------------------- */

/* A frame as it arrives: its length is put right by a socket. */
static void
deliver(struct acme_buf *frame, struct acme_buf *arrived)
{
    struct acme_error err;
    int fds[2];

    acme_error_clear(&err);
    assert_int_equal(acme_frame_pair(fds, &err), ACME_OK);
    assert_int_equal(acme_frame_send(fds[0], frame, &err), ACME_OK);
    assert_int_equal(acme_frame_recv(fds[1], arrived, &err), ACME_OK);
    close(fds[0]);
    close(fds[1]);
}

/* What a frame comes to: false, or *rc. */
static bool
send_frame(struct fake_drive *d, struct acme_buf *frame, enum acme_rc *rc)
{
    struct acme_buf arrived, reply, back;
    struct acme_frame in;
    struct acme_error err;
    bool good;

    acme_error_clear(&err);
    acme_buf_init_secret(&arrived, ACME_FRAME_MAX);
    acme_buf_init_secret(&reply, ACME_FRAME_MAX);
    acme_buf_init_secret(&back, ACME_FRAME_MAX);
    deliver(frame, &arrived);
    good = acme_keeper_answer(d->keeper, &arrived, &reply);
    if (good) {
        deliver(&reply, &back);
        assert_true(acme_frame_open(&in, back.data, back.len));
        *rc = acme_frame_get_error(&in, &err);
    }
    acme_buf_clear(&arrived);
    acme_buf_clear(&reply);
    acme_buf_clear(&back);
    return good;
}

/* The frame is wrong in itself: who sent it is not to be trusted. */
static void
expect_bad(struct fake_drive *d, const char *label, struct acme_buf *frame)
{
    char *before = fake_drive_listing(d), *after;
    enum acme_rc rc = ACME_OK;

    if (send_frame(d, frame, &rc))
        fail_msg("%s: answered (%s)", label, acme_rc_name(rc));
    after = fake_drive_listing(d);
    if (strcmp(before, after) != 0)
        fail_msg("%s: changed\n%s\nto\n%s", label, before, after);
    free(before);
    free(after);
}

/* The frame is one that an honest engine might send too. */
static void
expect_error(struct fake_drive *d, const char *label, struct acme_buf *frame)
{
    char *before = fake_drive_listing(d), *after;
    enum acme_rc rc = ACME_OK;

    if (send_frame(d, frame, &rc) && rc == ACME_OK)
        fail_msg("%s: accepted", label);
    after = fake_drive_listing(d);
    if (strcmp(before, after) != 0)
        fail_msg("%s: changed\n%s\nto\n%s", label, before, after);
    free(before);
    free(after);
}

static void
expect_good(struct fake_drive *d, struct acme_buf *frame)
{
    enum acme_rc rc = ACME_IO;

    assert_true(send_frame(d, frame, &rc));
    assert_int_equal(rc, ACME_OK);
}

static struct acme_buf *
begin(struct acme_buf *frame, enum acme_verb verb, uint32_t index)
{
    acme_buf_init_secret(frame, ACME_FRAME_MAX + 100);
    acme_frame_begin(frame, verb, index);
    return frame;
}

static void
expect_bad_bytes(struct fake_drive *d, const char *label, const void *data,
    size_t len)
{
    struct acme_buf request, reply;

    acme_buf_init(&request, (size_t)1 << 24);
    acme_buf_init(&reply, ACME_FRAME_MAX);
    acme_buf_add(&request, data, len);
    if (acme_keeper_answer(d->keeper, &request, &reply))
        fail_msg("%s: answered", label);
    acme_buf_clear(&request);
    acme_buf_clear(&reply);
}

static void
test_garbage(void **state)
{
    struct fake_drive *d = *state;
    unsigned char bytes[4096];
    char *before = fake_drive_listing(d), *after;
    uint32_t x = 88675123u;
    struct acme_buf frame;
    unsigned i, j;

    expect_bad_bytes(d, "nothing", "", 0);
    expect_bad_bytes(d, "text", "GET / HTTP/1.1\r\n\r\n", 18);
    for (i = 0; i < 2000; i++) {
        for (j = 0; j < sizeof(bytes); j++) {
            x = x * 1664525u + 1013904223u;
            bytes[j] = (unsigned char)(x >> 24);
        }
        expect_bad_bytes(d, "random", bytes, x % sizeof(bytes));
    }
    /* a good header with another length than there is */
    begin(&frame, ACME_VERB_ORDER_DROP, 0);
    acme_buf_add(&frame, "x", 1);
    expect_bad_bytes(d, "length", frame.data, frame.len);
    acme_buf_clear(&frame);
    after = fake_drive_listing(d);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

/* Every bit of a frame once wrong, in head and fields. */
static void
test_flipped(void **state)
{
    struct fake_drive *d = *state;
    struct acme_buf frame, arrived, reply;
    char *before = fake_drive_listing(d), *after;
    size_t i;

    acme_buf_init(&arrived, ACME_FRAME_MAX);
    acme_buf_init(&reply, ACME_FRAME_MAX);
    begin(&frame, ACME_VERB_CHALLENGES, 0);
    acme_frame_add_u64(&frame, 0);
    acme_frame_add_u64(&frame, 1);
    acme_frame_add_u64(&frame, ACME_HTTP_01);
    acme_frame_add_text(&frame, "zz.test"); /* nobody's, as one bit's off */
    acme_frame_add_text(&frame, "token");
    deliver(&frame, &arrived);
    for (i = 0; i < arrived.len * 8; i++) {
        arrived.data[i / 8] ^= (unsigned char)(1u << i % 8);
        acme_buf_reset(&reply);
        if (acme_keeper_answer(d->keeper, &arrived, &reply))
            fail_msg("bit %zu: answered", i);
        arrived.data[i / 8] ^= (unsigned char)(1u << i % 8);
    }
    acme_buf_clear(&frame);
    acme_buf_clear(&arrived);
    acme_buf_clear(&reply);
    after = fake_drive_listing(d);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

/* ---- verbs, indices, fields ------------------------------------------- */

static const struct {
    enum acme_verb verb;
    uint32_t end; /* the first index that there is not */
    unsigned fields;
} verbs[] = {
    { ACME_VERB_UNIT, 4, 0 },
    { ACME_VERB_RECORD, 4, 1 },
    { ACME_VERB_NOTE, 4, 1 },
    { ACME_VERB_LOCK, 4, 0 },
    { ACME_VERB_UNLOCK, 4, 0 },
    { ACME_VERB_ACCOUNT, 2, 0 },
    { ACME_VERB_ACCOUNT_KEY, 2, 1 },
    { ACME_VERB_ACCOUNT_URL, 2, 1 },
    { ACME_VERB_OTHER_KEY, 2, 1 },
    { ACME_VERB_ACCOUNT_MOVED, 2, 0 },
    { ACME_VERB_ORDER, 4, 0 },
    { ACME_VERB_ORDER_PUT, 4, 2 },
    { ACME_VERB_ORDER_NOTE, 4, 1 },
    { ACME_VERB_CHALLENGES, 4, 5 }, /* for one token */
    { ACME_VERB_ORDER_DROP, 4, 0 },
    { ACME_VERB_CSR, 4, 0 },
    { ACME_VERB_BINDING, 2, 0 },
    { ACME_VERB_TSIG, 4, 0 },
    { ACME_VERB_LIVE_KEY, 4, 0 },
    { ACME_VERB_VERSION, 4, 6 }, /* with all names */
    { ACME_VERB_LEDGER, 2, 0 },
    { ACME_VERB_LEDGER_PUT, 2, 1 },
    { ACME_VERB_LEDGER_ACCOUNT, 2, 1 },
    { ACME_VERB_TRAFFIC, 4, 0 },
    { ACME_VERB_STAPLE, 4, 2 },
    { ACME_VERB_EVENT, 4, 6 },
    { ACME_VERB_REQUEST, 4, 1 },
    { ACME_VERB_TALLY, 2, ACME_TALLY_COUNTS },
    { ACME_VERB_DONE, 1, 3 },
};

/* n fields: numbers where numbers are expected. */
static void
add_fields(struct acme_buf *frame, enum acme_verb verb, unsigned n)
{
    unsigned i;

    for (i = 0; i < n; i++) {
        if ((verb == ACME_VERB_DONE && i < 2) || verb == ACME_VERB_OTHER_KEY ||
            verb == ACME_VERB_LEDGER_ACCOUNT || verb == ACME_VERB_TALLY)
            acme_frame_add_u64(frame, 0);
        else if (verb == ACME_VERB_CHALLENGES && i < 3)
            acme_frame_add_u64(frame, i % 2);
        else if (verb == ACME_VERB_EVENT && i < 3)
            acme_frame_add_u64(frame, i == 0 ? ACME_EVENT_ERRORED : 0);
        else if (verb == ACME_VERB_VERSION && (i == 0 || i == 5))
            acme_frame_add_u64(frame, 0);
        else
            acme_frame_add_text(frame, i == 3 ? "a.test" : "text");
    }
}

static void
expect_bad_fields(struct fake_drive *d, size_t i, uint32_t index,
    unsigned fields)
{
    struct acme_buf frame;
    char label[64];

    (void)snprintf(label, sizeof(label), "verb %d, index %u, %u fields",
        verbs[i].verb, index, fields);
    begin(&frame, verbs[i].verb, index);
    add_fields(&frame, verbs[i].verb, fields);
    expect_bad(d, label, &frame);
    acme_buf_clear(&frame);
}

static void
test_index(void **state)
{
    struct fake_drive *d = *state;
    size_t i;

    for (i = 0; i < COUNT(verbs); i++) {
        expect_bad_fields(d, i, verbs[i].end, verbs[i].fields);
        expect_bad_fields(d, i, UINT32_MAX, verbs[i].fields);
    }
}

static void
test_fields(void **state)
{
    struct fake_drive *d = *state;
    size_t i;

    for (i = 0; i < COUNT(verbs); i++) {
        expect_bad_fields(d, i, 0, verbs[i].fields + 1);
        if (verbs[i].fields > 0)
            expect_bad_fields(d, i, 0, verbs[i].fields - 1);
    }
}

static void
test_unknown_verbs(void **state)
{
    struct fake_drive *d = *state;
    struct acme_buf frame;
    int verb;

    for (verb = 0; verb < 300; verb++) {
        if (verb >= ACME_VERB_UNIT && verb <= ACME_VERB_DONE)
            continue;
        begin(&frame, (enum acme_verb)verb, 0);
        expect_bad(d, "verb", &frame);
        acme_buf_clear(&frame);
    }
}

/* Settings are of whoever owns the configuration: no frame gets there. */
static void
test_settings_out_of_reach(void **state)
{
    static const char settings[] = "{\"declared\":[{\"by\":\"engine\"}]}";
    struct fake_drive *d = *state;
    char *before = helper_tmp_gets(&d->tmp, "state/renewal/a.test.json");
    struct acme_buf frame;
    enum acme_rc rc;
    char *after;
    unsigned n, j;
    int verb;

    for (verb = ACME_VERB_UNIT; verb <= ACME_VERB_DONE; verb++) {
        for (n = 0; n <= 3; n++) {
            begin(&frame, (enum acme_verb)verb, 0);
            for (j = 0; j < n; j++)
                acme_frame_add_text(&frame, settings);
            (void)send_frame(d, &frame, &rc);
            acme_buf_clear(&frame);
        }
    }
    after = helper_tmp_gets(&d->tmp, "state/renewal/a.test.json");
    assert_string_equal(before, after);
    assert_int_equal(helper_tmp_count(&d->tmp, "state/renewal"), 2);
    free(before);
    free(after);
}

/* ---- challenges ------------------------------------------------------- */

struct challenge_case {
    const char *label;
    const char *name, *token;
    uint64_t type;
};

static void
add_challenges(struct acme_buf *frame, const char *name, const char *token,
    uint64_t type)
{
    acme_frame_add_u64(frame, 0);
    acme_frame_add_u64(frame, 1);
    acme_frame_add_u64(frame, type);
    acme_frame_add_text(frame, name);
    acme_frame_add_text(frame, token);
}

static void
test_challenges(void **state)
{
    static char long_token[130], long_name[300];
    const struct challenge_case cases[] = {
        { "another lineage's name", "b.test", "token", 0 },
        { "nobody's name", "evil.test", "token", 0 },
        { "a name below", "x.a.test", "token", 0 },
        { "upper case", "A.test", "token", 0 },
        { "no name", "", "token", 0 },
        { "a long name", long_name, "token", 0 },
        { "no token", "a.test", "", 0 },
        { "129 characters", "a.test", long_token, 0 },
        { "a slash", "a.test", "../token", 0 },
        { "a dot", "a.test", "to.ken", 0 },
        { "a line end", "a.test", "token\n", 0 },
        { "padding", "a.test", "token==", 0 },
        { "no type", "a.test", "token", ACME_CHALLENGE_TYPES },
        { "no type", "a.test", "token", UINT64_MAX },
    };
    struct fake_drive *d = *state;
    struct acme_buf frame;
    size_t i;

    memset(long_token, 'a', sizeof(long_token) - 1);
    memset(long_name, 'a', sizeof(long_name) - 1);
    for (i = 0; i < COUNT(cases); i++) {
        begin(&frame, ACME_VERB_CHALLENGES, 0);
        add_challenges(&frame, cases[i].name, cases[i].token, cases[i].type);
        expect_bad(d, cases[i].label, &frame);
        acme_buf_clear(&frame);
    }
    long_token[ACME_TOKEN_MAX] = '\0';
    begin(&frame, ACME_VERB_CHALLENGES, 0);
    add_challenges(&frame, "a.test", long_token, ACME_HTTP_01);
    expect_good(d, &frame);
    acme_buf_clear(&frame);
}

/* Nobody proves names, or delivers, for a CA that the lineage has nothing to
 * do with. */
static void
test_foreign_issuer(void **state)
{
    static const uint64_t bad[] = { 1, 2, UINT32_MAX, UINT64_MAX };
    struct fake_drive *d = *state;
    struct acme_buf frame;
    size_t i;

    for (i = 0; i < COUNT(bad); i++) {
        begin(&frame, ACME_VERB_CHALLENGES, 0);
        acme_frame_add_u64(&frame, bad[i]);
        acme_frame_add_u64(&frame, 1);
        acme_frame_add_u64(&frame, ACME_HTTP_01);
        acme_frame_add_text(&frame, "a.test");
        acme_frame_add_text(&frame, "token");
        expect_bad(d, "challenges", &frame);
        acme_buf_clear(&frame);
        begin(&frame, ACME_VERB_VERSION, 0);
        acme_frame_add_u64(&frame, bad[i]);
        acme_frame_add_text(&frame, "key");
        acme_frame_add_text(&frame, "chain");
        acme_frame_add_text(&frame, "order");
        acme_frame_add_text(&frame, "");
        acme_frame_add_u64(&frame, 0);
        expect_bad(d, "version", &frame);
        acme_buf_clear(&frame);
    }
}

/* A good one first does not help a bad one. */
static void
test_challenges_mixed(void **state)
{
    struct fake_drive *d = *state;
    struct acme_buf frame;

    begin(&frame, ACME_VERB_CHALLENGES, 0);
    acme_frame_add_u64(&frame, 0);
    acme_frame_add_u64(&frame, 2);
    acme_frame_add_u64(&frame, ACME_HTTP_01);
    acme_frame_add_text(&frame, "a.test");
    acme_frame_add_text(&frame, "token");
    acme_frame_add_u64(&frame, ACME_HTTP_01);
    acme_frame_add_text(&frame, "b.test");
    acme_frame_add_text(&frame, "token");
    expect_bad(d, "mixed", &frame);
    acme_buf_clear(&frame);
}

static void
test_challenge_counts(void **state)
{
    static const uint64_t counts[] = { 0, 2, 1000, 1001, UINT32_MAX,
        UINT64_MAX };
    struct fake_drive *d = *state;
    struct acme_buf frame;
    size_t i;

    for (i = 0; i < COUNT(counts); i++) {
        begin(&frame, ACME_VERB_CHALLENGES, 0);
        acme_frame_add_u64(&frame, 0);
        acme_frame_add_u64(&frame, counts[i]);
        acme_frame_add_u64(&frame, ACME_HTTP_01);
        acme_frame_add_text(&frame, "a.test");
        acme_frame_add_text(&frame, "token");
        expect_bad(d, "count", &frame);
        acme_buf_clear(&frame);
    }
}

/* ---- over-long and malformed fields ----------------------------------- */

static void
test_account_url(void **state)
{
    static char url[ACME_URL_MAX + 1];
    struct fake_drive *d = *state;
    struct acme_buf frame;

    memset(url, 'a', ACME_URL_MAX);
    begin(&frame, ACME_VERB_ACCOUNT_URL, 0);
    acme_frame_add_text(&frame, url);
    expect_bad(d, "too long", &frame);
    acme_buf_clear(&frame);
    begin(&frame, ACME_VERB_ACCOUNT_URL, 0);
    acme_frame_add(&frame, "https://ca.test/\0x", 18);
    expect_bad(d, "NUL", &frame);
    acme_buf_clear(&frame);
}

static void
test_keys(void **state)
{
    static const enum acme_verb with_key[] = { ACME_VERB_ACCOUNT_KEY,
        ACME_VERB_ORDER_PUT };
    struct fake_drive *d = *state;
    struct acme_buf frame;
    size_t i;

    for (i = 0; i < COUNT(with_key); i++) {
        begin(&frame, with_key[i], 0);
        if (with_key[i] == ACME_VERB_ORDER_PUT)
            acme_frame_add_text(&frame, "{}");
        acme_frame_add_text(&frame, "this is no key");
        expect_error(d, "no key", &frame);
        acme_buf_clear(&frame);
    }
}

/* The account key is everybody's: an engine cannot exchange it. */
static void
test_account_key_stays(void **state)
{
    struct fake_drive *d = *state;
    struct acme_key *key = NULL, *mine;
    char before[ACME_THUMBPRINT_LEN + 1], after[ACME_THUMBPRINT_LEN + 1];
    char url[ACME_URL_MAX];

    assert_int_equal(acme_vault_account(d->vault, 0, &key, url, &d->err),
        ACME_OK);
    assert_int_equal(acme_key_thumbprint(key, before, &d->err), ACME_OK);
    acme_key_unref(key);
    assert_int_equal(acme_key_generate(ACME_KEY_ECDSA_256, &mine, &d->err),
        ACME_OK);
    assert_int_equal(acme_vault_account_key(d->vault, 0, &mine, &d->err),
        ACME_OK);
    assert_int_equal(acme_key_thumbprint(mine, after, &d->err), ACME_OK);
    assert_string_equal(before, after);
    assert_int_equal(helper_tmp_count(&d->tmp, "state/keys"), 2);
    acme_key_unref(mine);
}

/* Nobody but acmectl ends an account: a server's engine that tries is not ours
 * any more. */
static void
test_account_dead(void **state)
{
    struct fake_drive *d = *state;
    struct acme_buf frame;

    begin(&frame, ACME_VERB_ACCOUNT_DEAD, 0);
    expect_bad(d, "account", &frame);
    acme_buf_clear(&frame);
}

/* ---- versions --------------------------------------------------------- */

struct offer {
    struct acme_key *key;
    struct acme_buf chain; /* DER */
};

/* A pair that would do for `names`, with the given flaws. */
static void
make_offer(struct fake_drive *d, struct offer *offer, const char *const *names,
    const struct helper_ca_options *flaws)
{
    struct helper_ca_options options = { 0 };
    struct helper_ca *ca = helper_ca_new();
    struct acme_chain *chain;
    long ahead = (long)(d->host.now - time(NULL));

    if (flaws != NULL)
        options = *flaws;
    options.not_before += ahead - 3600;
    options.not_after += ahead + 90L * 24 * 3600;
    acme_buf_init(&offer->chain, ACME_CHAIN_DER_MAX);
    assert_int_equal(
        acme_key_generate(ACME_KEY_ECDSA_256, &offer->key, &d->err), ACME_OK);
    chain = helper_ca_chain(ca, offer->key, names, &options);
    assert_int_equal(acme_chain_to_der(chain, 0, 0, &offer->chain, &d->err),
        ACME_OK);
    acme_chain_free(chain);
    helper_ca_free(ca);
}

static void
clear_offer(struct offer *offer)
{
    acme_key_unref(offer->key);
    acme_buf_clear(&offer->chain);
}

/* Names that the certificate is without: `left_out`, NULL at the end. */
static void
add_offer_without(struct fake_drive *d, struct acme_buf *frame,
    const struct acme_key *key, const struct acme_buf *chain,
    const char *const *left_out)
{
    size_t n = 0;

    struct acme_buf der;

    acme_buf_init_secret(&der, ACME_STATE_PEM_MAX);
    assert_int_equal(acme_key_to_der(key, &der, &d->err), ACME_OK);
    begin(frame, ACME_VERB_VERSION, 0);
    acme_frame_add_u64(frame, 0);
    acme_frame_add(frame, der.data, der.len);
    acme_frame_add(frame, chain->data, chain->len);
    acme_frame_add_text(frame, "https://ca.test/order/1");
    acme_frame_add_text(frame, "no answer");
    while (left_out[n] != NULL)
        n++;
    acme_frame_add_u64(frame, n);
    for (n = 0; left_out[n] != NULL; n++)
        acme_frame_add_text(frame, left_out[n]);
    acme_buf_clear(&der);
}

static void
add_offer(struct fake_drive *d, struct acme_buf *frame,
    const struct acme_key *key, const struct acme_buf *chain)
{
    static const char *const nothing[] = { NULL };

    add_offer_without(d, frame, key, chain, nothing);
}

/* Refused, with the evidence and its event as the only traces. */
static void
expect_refused(struct fake_drive *d, const char *label, struct acme_buf *frame)
{
    static const char evidence[] = "state/record/a.test.refused.pem";
    static const char events[] = "state/events.jsonl";
    char *before, *after, *told;
    enum acme_rc rc = ACME_OK;

    if (helper_tmp_exists(&d->tmp, events))
        helper_tmp_remove(&d->tmp, events);
    before = fake_drive_listing(d);
    if (!send_frame(d, frame, &rc) || rc != ACME_REFUSED)
        fail_msg("%s: %s", label, acme_rc_name(rc));
    if (!helper_tmp_exists(&d->tmp, evidence))
        fail_msg("%s: no evidence", label);
    helper_tmp_remove(&d->tmp, evidence);
    told = helper_tmp_gets(&d->tmp, events);
    if (told == NULL || strstr(told, "\"event\":\"refused\"") == NULL)
        fail_msg("%s: told %s", label, told);
    free(told);
    helper_tmp_remove(&d->tmp, events);
    after = fake_drive_listing(d);
    if (strcmp(before, after) != 0)
        fail_msg("%s: changed\n%s\nto\n%s", label, before, after);
    assert_int_equal(fake_drive_served(d, "a.test"), 1);
    free(before);
    free(after);
}

static void
test_versions(void **state)
{
    static const char *const good[] = { "a.test", "www.a.test", NULL };
    static const struct {
        const char *label;
        const char *names[3];
        struct helper_ca_options flaws;
    } cases[] = {
        { "another lineage's name", { "b.test" }, { 0 } },
        { "one name missing", { "a.test" }, { 0 } },
        { "expired", { "a.test", "www.a.test" },
            { .not_after = -91L * 24 * 3600,
                .not_before = -100L * 24 * 3600 } },
        { "broken chain", { "a.test", "www.a.test" },
            { .wrong_signature = true } },
        { "is a CA", { "a.test", "www.a.test" }, { .is_ca = true } },
        { "must-staple", { "a.test", "www.a.test" }, { .must_staple = true } },
    };
    struct fake_drive *d = *state;
    struct offer offer, other;
    struct acme_buf frame;
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        make_offer(d, &offer, cases[i].names, &cases[i].flaws);
        add_offer(d, &frame, offer.key, &offer.chain);
        expect_refused(d, cases[i].label, &frame);
        acme_buf_clear(&frame);
        clear_offer(&offer);
    }
    make_offer(d, &offer, good, NULL);
    make_offer(d, &other, good, NULL);
    add_offer(d, &frame, other.key, &offer.chain);
    expect_refused(d, "a key that does not match", &frame);
    acme_buf_clear(&frame);
    add_offer(d, &frame, offer.key, &offer.chain);
    expect_good(d, &frame);
    acme_buf_clear(&frame);
    assert_int_equal(fake_drive_version(d, "a.test"), 2);
    assert_int_equal(fake_drive_served(d, "a.test"), 2);
    clear_offer(&offer);
    clear_offer(&other);
}

/* Only where it is allowed may names be missing, those that the engine says,
 * and never all. */
static void
test_version_subset(void **state)
{
    static const char *const one[] = { "a.test", NULL };
    static const struct {
        bool allowed;
        const char *left_out[4];
        bool bad;
        enum acme_rc rc;
    } cases[] = {
        { false, { "www.a.test" }, true, ACME_OK },
        { true, { "www.a.test", "a.test" }, true, ACME_OK },
        { true, { "www.a.test", "www.a.test" }, true, ACME_OK },
        { true, { NULL }, false, ACME_REFUSED },
        { true, { "a.test" }, false, ACME_REFUSED },
        { true, { "b.test" }, false, ACME_REFUSED },
        { true, { "www.a.test" }, false, ACME_OK },
    };
    struct fake_drive *d = *state;
    struct acme_buf frame;
    struct offer offer;
    enum acme_rc rc;
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        d->config->lineage[0].allow_subset = cases[i].allowed;
        fake_drive_restart(d);
        make_offer(d, &offer, one, NULL);
        add_offer_without(d, &frame, offer.key, &offer.chain,
            cases[i].left_out);
        if (cases[i].bad) {
            expect_bad(d, "names left out", &frame);
        } else {
            rc = ACME_OK;
            assert_true(send_frame(d, &frame, &rc));
            assert_int_equal(rc, cases[i].rc);
        }
        acme_buf_clear(&frame);
        clear_offer(&offer);
    }
    assert_int_equal(fake_drive_version(d, "a.test"), 2);
}

static void
test_version_garbage(void **state)
{
    static const char *const good[] = { "a.test", "www.a.test", NULL };
    static char url[ACME_URL_MAX + 1];
    struct fake_drive *d = *state;
    struct acme_buf frame, garbage;
    struct offer offer;

    make_offer(d, &offer, good, NULL);
    acme_buf_init(&garbage, 64);
    acme_buf_add_str(&garbage, "no certificate");
    add_offer(d, &frame, offer.key, &garbage);
    expect_error(d, "no chain", &frame);
    acme_buf_clear(&frame);
    begin(&frame, ACME_VERB_VERSION, 0);
    acme_frame_add_u64(&frame, 0);
    acme_frame_add_text(&frame, "no key");
    acme_frame_add(&frame, offer.chain.data, offer.chain.len);
    acme_frame_add_text(&frame, "");
    acme_frame_add_text(&frame, "");
    acme_frame_add_u64(&frame, 0);
    expect_error(d, "no key", &frame);
    acme_buf_clear(&frame);
    memset(url, 'a', ACME_URL_MAX);
    begin(&frame, ACME_VERB_VERSION, 0);
    acme_frame_add_u64(&frame, 0);
    acme_frame_add_text(&frame, "key");
    acme_frame_add(&frame, offer.chain.data, offer.chain.len);
    acme_frame_add_text(&frame, url);
    acme_frame_add_text(&frame, "");
    acme_frame_add_u64(&frame, 0);
    expect_bad(d, "URL too long", &frame);
    acme_buf_clear(&frame);
    acme_buf_clear(&garbage);
    clear_offer(&offer);
}

/* ---- a dry run -------------------------------------------------------- */

static void
become_trial(struct fake_drive *d)
{
    fake_drive_close(d);
    d->role = ACME_KEEPER_TRIES;
    fake_drive_open(d);
}

static void
expect_tried(struct fake_drive *d, const char *label, enum acme_verb verb,
    const char *first, const char *second)
{
    char *before = fake_drive_listing(d), *after;
    enum acme_rc rc = ACME_IO;
    struct acme_buf frame;

    begin(&frame, verb, 0);
    if (first != NULL)
        acme_frame_add_text(&frame, first);
    if (second != NULL)
        acme_frame_add_text(&frame, second);
    if (!send_frame(d, &frame, &rc) || rc != ACME_OK)
        fail_msg("%s: %s", label, acme_rc_name(rc));
    acme_buf_clear(&frame);
    after = fake_drive_listing(d);
    if (strcmp(before, after) != 0)
        fail_msg("%s: changed\n%s\nto\n%s", label, before, after);
    free(before);
    free(after);
}

/* What an honest engine says, and what it gets back. */
static void
test_trial_memory(void **state)
{
    struct fake_drive *d = *state;
    char *before, *after;
    struct acme_vault_unit view;
    struct acme_record record;
    struct acme_error err;

    become_trial(d);
    before = fake_drive_listing(d);
    expect_tried(d, "lock", ACME_VERB_LOCK, NULL, NULL);
    acme_error_clear(&err);
    fake_drive_record(d, "a.test", &record);
    record.failures = 7;
    assert_int_equal(acme_vault_record(d->vault, 0, &record, &err), ACME_OK);
    assert_int_equal(acme_vault_unit(d->vault, 0, &view, &err), ACME_OK);
    assert_int_equal(view.record.failures, 7);
    assert_false(view.order);
    acme_vault_unit_clear(&view);
    expect_tried(d, "order", ACME_VERB_ORDER_PUT, "{\"url\":1}", "");
    expect_tried(d, "note", ACME_VERB_ORDER_NOTE, "{\"url\":2}", NULL);
    expect_tried(d, "unlock", ACME_VERB_UNLOCK, NULL, NULL);
    fake_drive_record(d, "a.test", &record);
    assert_int_equal(record.failures, 0);
    fake_drive_close(d);
    after = fake_drive_listing(d);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

/* Others see the challenges, and no order; the end takes them back. */
static void
test_trial_challenges(void **state)
{
    struct fake_drive *d = *state;
    char *before, *after;
    struct acme_buf frame;

    become_trial(d);
    before = fake_drive_listing(d);
    begin(&frame, ACME_VERB_CHALLENGES, 0);
    acme_frame_add_u64(&frame, 0);
    acme_frame_add_u64(&frame, 1);
    acme_frame_add_u64(&frame, ACME_HTTP_01);
    acme_frame_add_text(&frame, "a.test");
    acme_frame_add_text(&frame, "token");
    expect_good(d, &frame);
    acme_buf_clear(&frame);
    assert_true(helper_tmp_exists(&d->tmp,
        "state/orders/a.test~trial/challenge.json"));
    assert_false(fake_drive_has_order(d, "a.test"));
    fake_drive_close(d);
    after = fake_drive_listing(d);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

/* A good certificate is as good as it gets: nobody has it. */
static void
test_trial_version(void **state)
{
    static const char *const good[] = { "a.test", "www.a.test", NULL };
    static const char *const bad[] = { "b.test", NULL };
    struct fake_drive *d = *state;
    char *before, *after;
    struct acme_buf frame;
    struct offer offer;
    enum acme_rc rc = ACME_OK;

    become_trial(d);
    before = fake_drive_listing(d);
    make_offer(d, &offer, good, NULL);
    add_offer(d, &frame, offer.key, &offer.chain);
    expect_good(d, &frame);
    acme_buf_clear(&frame);
    clear_offer(&offer);
    make_offer(d, &offer, bad, NULL);
    add_offer(d, &frame, offer.key, &offer.chain);
    assert_true(send_frame(d, &frame, &rc));
    assert_int_equal(rc, ACME_REFUSED);
    acme_buf_clear(&frame);
    clear_offer(&offer);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    assert_int_equal(fake_drive_served(d, "a.test"), 1);
    fake_drive_close(d);
    after = fake_drive_listing(d);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

/* Whatever could change more than that is no engine's business. */
static void
test_trial_refused(void **state)
{
    static const enum acme_verb refused[] = { ACME_VERB_LEARNED,
        ACME_VERB_LEDGER_PUT, ACME_VERB_REVOKED, ACME_VERB_ACCOUNT_DEAD,
        ACME_VERB_CHAIN, ACME_VERB_TRAFFIC };
    static const unsigned fields[] = { 3, 1, 3, 0, 0, 0 };
    struct fake_drive *d = *state;
    struct acme_buf frame;
    char label[32];
    size_t i;
    unsigned k;

    become_trial(d);
    for (i = 0; i < COUNT(refused); i++) {
        (void)snprintf(label, sizeof(label), "verb %d", (int)refused[i]);
        begin(&frame, refused[i], 0);
        for (k = 0; k < fields[i]; k++)
            acme_frame_add_text(&frame, "{}");
        expect_bad(d, label, &frame);
        acme_buf_clear(&frame);
    }
}

/* Nobody is told what it says has happened. */
static void
test_trial_event(void **state)
{
    struct fake_drive *d = *state;
    char *before, *after;
    struct acme_event event;

    become_trial(d);
    before = fake_drive_listing(d);
    acme_event_init(&event, ACME_EVENT_ERRORED);
    acme_event_put(event.text, "nothing");
    acme_vault_event(d->vault, 0, 0, &event);
    assert_false(d->killed);
    after = fake_drive_listing(d);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

/* ---- others ----------------------------------------------------------- */

struct moves {
    unsigned n;
    size_t last;
};

static void
on_moved(void *ctx, size_t lineage)
{
    struct moves *moves = ctx;

    moves->n++;
    moves->last = lineage;
}

static void
look(struct fake_drive *d, struct moves *moves)
{
    moves->n = 0;
    fake_host_pass(&d->host, 1);
    acme_keeper_look(d->keeper, on_moved, moves);
}

static struct acme_store *
another_store(struct fake_drive *d)
{
    struct acme_store *store = NULL;

    assert_int_equal(acme_store_open(d->config->state_dir, ACME_STORE_WRITE,
                         &store, &d->err),
        ACME_OK);
    return store;
}

/* Another process renews. */
static void
renew_elsewhere(struct fake_drive *d, const char *name,
    const char *const *names)
{
    struct acme_store *store = another_store(d);
    struct acme_version version;
    struct offer offer;

    make_offer(d, &offer, names, NULL);
    acme_version_init(&version);
    version.npairs = 1;
    version.pair[0].type = ACME_KEY_ECDSA_256;
    assert_int_equal(acme_key_to_der(offer.key, &version.pair[0].key, &d->err),
        ACME_OK);
    acme_buf_add(&version.pair[0].chain, offer.chain.data, offer.chain.len);
    assert_int_equal(
        acme_store_version_write(store, name, &version, d->host.now, &d->err),
        ACME_OK);
    acme_version_clear(&version);
    acme_store_close(store);
    clear_offer(&offer);
}

static const char *const b_names[] = { "b.test", NULL };
static const char *const a_names[] = { "a.test", "www.a.test", NULL };

static void
test_foreign_version(void **state)
{
    struct fake_drive *d = *state;
    struct moves moves;

    look(d, &moves);
    look(d, &moves);
    assert_int_equal(moves.n, 0);
    assert_int_equal(acme_area_last_beat(d->area), d->host.now);
    renew_elsewhere(d, "b.test", b_names);
    look(d, &moves);
    assert_int_equal(moves.n, 1);
    assert_int_equal(moves.last, 1);
    assert_int_equal(fake_drive_served(d, "b.test"), 2);
    assert_int_equal(fake_drive_served(d, "a.test"), 1);
    look(d, &moves);
    assert_int_equal(moves.n, 0);
}

/* A rollback is a move as well; a broken one changes nothing. */
static void
test_foreign_rollback(void **state)
{
    struct fake_drive *d = *state;
    struct moves moves;

    renew_elsewhere(d, "b.test", b_names);
    look(d, &moves);
    assert_int_equal(fake_drive_served(d, "b.test"), 2);
    helper_tmp_remove(&d->tmp, "state/live/b.test");
    helper_tmp_link(&d->tmp, "../archive/b.test/1", "state/live/b.test");
    look(d, &moves);
    assert_int_equal(fake_drive_served(d, "b.test"), 1);
    helper_tmp_remove(&d->tmp, "state/live/b.test");
    helper_tmp_link(&d->tmp, "../../elsewhere/1", "state/live/b.test");
    look(d, &moves);
    assert_int_equal(moves.n, 0);
    assert_int_equal(fake_drive_served(d, "b.test"), 1);
}

/* Whoever gets the lock sees what its last holder has done, without waiting
 * for the next look. */
static void
test_fresh_under_lock(void **state)
{
    struct fake_drive *d = *state;
    struct acme_vault_unit view;

    renew_elsewhere(d, "a.test", a_names);
    assert_int_equal(acme_vault_lock(d->vault, 0, &d->err), ACME_OK);
    assert_int_equal(acme_vault_unit(d->vault, 0, &view, &d->err), ACME_OK);
    assert_int_equal(view.version, 2);
    assert_int_equal(fake_drive_served(d, "a.test"), 2);
    acme_vault_unit_clear(&view);
    acme_vault_unlock(d->vault, 0);
}

static void
account_id(struct fake_drive *d, char id[ACME_ACCOUNT_ID_LEN + 1],
    char thumbprint[ACME_THUMBPRINT_LEN + 1])
{
    struct acme_key *key = NULL;
    char url[ACME_URL_MAX];

    assert_int_equal(acme_vault_account(d->vault, 0, &key, url, &d->err),
        ACME_OK);
    assert_int_equal(acme_key_id(key, id, &d->err), ACME_OK);
    assert_int_equal(acme_key_thumbprint(key, thumbprint, &d->err), ACME_OK);
    acme_key_unref(key);
}

static bool
answers(struct fake_drive *d, const char *name, int issuer, const char *token,
    char *answer)
{
    return acme_area_answer(d->area, name, issuer, token, strlen(token),
        answer);
}

static void
expect_answer(struct fake_drive *d, const char *name, int issuer,
    const char *token, const char *thumbprint)
{
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1];
    char wanted[ACME_KEY_AUTHORIZATION_MAX + 1];

    (void)snprintf(wanted, sizeof(wanted), "%s.%s", token, thumbprint);
    assert_true(answers(d, name, issuer, token, answer));
    assert_string_equal(answer, wanted);
}

/* Of an order that acmectl or another server has in flight. */
static void
test_foreign_order(void **state)
{
    struct acme_area_token token = { .name = "other.test",
        .token = "others-token" };
    struct fake_drive *d = *state;
    struct acme_store *store = another_store(d);
    char id[ACME_ACCOUNT_ID_LEN + 1], thumbprint[ACME_THUMBPRINT_LEN + 1];
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1];
    struct moves moves;

    account_id(d, id, thumbprint);
    assert_false(answers(d, "other.test", -1, "others-token", answer));
    assert_int_equal(
        acme_store_challenges_write(store, "others", id, &token, 1, &d->err),
        ACME_OK);
    look(d, &moves);
    expect_answer(d, "other.test", -1, "others-token", thumbprint);
    assert_false(answers(d, "other.test", -1, "another-token", answer));
    assert_false(answers(d, "third.test", -1, "others-token", answer));
    assert_int_equal(acme_store_order_drop(store, "others", &d->err), ACME_OK);
    look(d, &moves);
    assert_false(answers(d, "other.test", -1, "others-token", answer));
    acme_store_close(store);
}

static void
show_alpn(struct fake_drive *d, const char *token)
{
    struct acme_buf frame;

    begin(&frame, ACME_VERB_CHALLENGES, 0);
    add_challenges(&frame, "a.test", token, ACME_TLS_ALPN_01);
    expect_good(d, &frame);
    acme_buf_clear(&frame);
}

static void
expect_alpn(struct fake_drive *d, const char *token)
{
    char identifier[ACME_NAME_MAX + 1];
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1];

    assert_true(acme_area_alpn_answer(d->area, "a.test", identifier, answer));
    if (strncmp(answer, token, strlen(token)) != 0 ||
        answer[strlen(token)] != '.')
        fail_msg("not %s: %s", token, answer);
}

/* What a pre-flight shows gives way to the order behind it within the same
 * second, though nobody has looked at what was dropped; and to that of anybody
 * else, whenever that was. */
static void
test_trials(void **state)
{
    static const char *const tokens[] = { "m", "z", "a" };
    struct acme_area_token theirs = { .name = "a.test",
        .token = "theirs",
        .type = ACME_TLS_ALPN_01,
        .presented = 1 };
    struct fake_drive *d = *state;
    struct acme_store *store = another_store(d);
    char id[ACME_ACCOUNT_ID_LEN + 1], thumbprint[ACME_THUMBPRINT_LEN + 1];
    struct acme_key *key = NULL;
    struct acme_buf order;
    struct moves moves;
    size_t i;

    account_id(d, id, thumbprint);
    for (i = 0; i < COUNT(tokens); i++) {
        show_alpn(d, tokens[i]);
        expect_alpn(d, tokens[i]);
        assert_int_equal(acme_vault_order_drop(d->vault, 0, &d->err), ACME_OK);
    }
    assert_int_equal(
        acme_store_challenges_write(store, "others", id, &theirs, 1, &d->err),
        ACME_OK);
    look(d, &moves);
    expect_alpn(d, "theirs");
    show_alpn(d, "zzz");
    expect_alpn(d, "theirs");
    acme_buf_init(&order, 16);
    acme_buf_add(&order, "{}", 2);
    assert_int_equal(acme_key_generate(ACME_KEY_ECDSA_256, &key, &d->err),
        ACME_OK);
    assert_int_equal(acme_vault_order_put(d->vault, 0, &order, key, &d->err),
        ACME_OK);
    acme_key_unref(key);
    acme_buf_clear(&order);
    show_alpn(d, "order");
    expect_alpn(d, "order");
    acme_store_close(store);
}

static void
read_alpn_keys(struct fake_drive *d, struct acme_buf keys[ACME_ALGORITHMS])
{
    size_t i;

    for (i = 0; i < ACME_ALGORITHMS; i++) {
        acme_buf_init_secret(&keys[i], ACME_ALPN_KEY_MAX);
        (void)acme_area_alpn_key(d->area, i, &keys[i]);
    }
}

static void
write_pending(struct fake_drive *d, struct acme_store *store,
    enum acme_challenge_type type)
{
    struct acme_area_token token = { .name = "other.test",
        .token = "others-token",
        .type = type };
    char id[ACME_ACCOUNT_ID_LEN + 1], thumbprint[ACME_THUMBPRINT_LEN + 1];
    struct moves moves;

    account_id(d, id, thumbprint);
    assert_int_equal(
        acme_store_challenges_write(store, "others", id, &token, 1, &d->err),
        ACME_OK);
    look(d, &moves);
}

/* Keys for tls-alpn-01 are made when there is such a challenge, once for the
 * area, also for a store that is started anew. */
static void
test_alpn_keys(void **state)
{
    struct fake_drive *d = *state;
    struct acme_store *store = another_store(d);
    struct acme_buf before[ACME_ALGORITHMS], after[ACME_ALGORITHMS];
    struct acme_key *key = NULL;
    size_t i;

    write_pending(d, store, ACME_HTTP_01);
    read_alpn_keys(d, before);
    assert_false(acme_area_alpn_is_pending(d->area));
    for (i = 0; i < ACME_ALGORITHMS; i++)
        assert_int_equal(before[i].len, 0);

    write_pending(d, store, ACME_TLS_ALPN_01);
    assert_true(acme_area_alpn_is_pending(d->area));
    read_alpn_keys(d, before);
    for (i = 0; i < ACME_ALGORITHMS; i++) {
        assert_int_equal(
            acme_key_from_der(before[i].data, before[i].len, &key, &d->err),
            ACME_OK);
        assert_int_equal(acme_key_algorithm_number(acme_key_type_of(key)), i);
        acme_key_unref(key);
    }
    fake_drive_close(d);
    fake_drive_open(d);
    read_alpn_keys(d, after);
    for (i = 0; i < ACME_ALGORITHMS; i++) {
        assert_int_equal(after[i].len, before[i].len);
        assert_memory_equal(after[i].data, before[i].data, after[i].len);
        acme_buf_clear(&before[i]);
        acme_buf_clear(&after[i]);
    }
    assert_int_equal(acme_store_order_drop(store, "others", &d->err), ACME_OK);
    acme_store_close(store);
}

/* S2: only an account of this state directory is ever answered for. */
static void
test_foreign_account(void **state)
{
    struct fake_drive *d = *state;
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1];
    struct moves moves;

    helper_tmp_mkdir(&d->tmp, "state/orders/planted");
    helper_tmp_puts(&d->tmp, "state/orders/planted/challenge.json",
        "{\"account\": \"00112233445566778899aabbccddeeff\","
        " \"challenges\": [ {\"name\": \"planted.test\", \"token\": \"t\","
        " \"keyAuthorization\": \"t.evil\"} ] }");
    look(d, &moves);
    assert_false(answers(d, "planted.test", -1, "t", answer));
    assert_true(fake_host_logged(&d->host, "planted"));
}

/* ---- notes ------------------------------------------------------------ */

static void
note_step(struct fake_drive *d, const char *step)
{
    struct acme_record record;

    acme_record_init(&record);
    record.attempt_open = true;
    acme_record_step(&record, step, 1);
    assert_int_equal(acme_vault_note(d->vault, 0, &record, &d->err), ACME_OK);
}

static void
expect_step(struct fake_drive *d, const char *step)
{
    struct acme_vault_unit unit;

    assert_int_equal(acme_vault_unit(d->vault, 0, &unit, &d->err), ACME_OK);
    assert_string_equal(acme_record_last_step(&unit.record), step);
    acme_vault_unit_clear(&unit);
}

static bool
on_disk(struct fake_drive *d, const char *path, const char *part)
{
    char *text = helper_tmp_gets(&d->tmp, path);
    bool found = text != NULL && strstr(text, part) != NULL;

    free(text);
    return found;
}

/* A note is what is known from then on, but it gets to the disk only when
 * nothing else comes. */
static void
test_note(void **state)
{
    const char *path = "state/record/a.test.json";
    struct fake_drive *d = *state;
    struct acme_record record;

    note_step(d, "one");
    expect_step(d, "one");
    assert_false(on_disk(d, path, "\"one\""));

    acme_record_init(&record);
    acme_record_step(&record, "two", 1);
    assert_int_equal(acme_vault_record(d->vault, 0, &record, &d->err),
        ACME_OK);
    expect_step(d, "two");
    assert_true(on_disk(d, path, "\"two\""));

    note_step(d, "three");
    assert_true(on_disk(d, path, "\"two\""));
    fake_drive_close(d);
    assert_true(on_disk(d, path, "\"three\""));
    fake_drive_open(d);
}

static void
note_order(struct fake_drive *d, const char *text)
{
    struct acme_buf buf;

    acme_buf_init(&buf, 100);
    acme_buf_add_str(&buf, text);
    assert_int_equal(acme_vault_order_note(d->vault, 0, &buf, &d->err),
        ACME_OK);
    acme_buf_clear(&buf);
}

static void
put_order(struct fake_drive *d, const char *text)
{
    struct acme_key *key = NULL;
    struct acme_buf buf;

    acme_buf_init(&buf, 100);
    acme_buf_add_str(&buf, text);
    assert_int_equal(acme_key_generate(ACME_KEY_ECDSA_256, &key, &d->err),
        ACME_OK);
    assert_int_equal(acme_vault_order_put(d->vault, 0, &buf, key, &d->err),
        ACME_OK);
    acme_key_unref(key);
    acme_buf_clear(&buf);
}

static void
expect_order(struct fake_drive *d, const char *text)
{
    struct acme_key *key = NULL;
    struct acme_buf buf;

    acme_buf_init(&buf, 100);
    assert_int_equal(acme_vault_order(d->vault, 0, &buf, &key, &d->err),
        ACME_OK);
    assert_string_equal(acme_buf_str(&buf), text);
    acme_key_unref(key);
    acme_buf_clear(&buf);
}

/* Of an order it is written before somebody else can have the lineage, and
 * never said of another order. */
static void
test_order_note(void **state)
{
    const char *path = "state/orders/a.test/order.json";
    struct fake_drive *d = *state;

    assert_int_equal(acme_vault_lock(d->vault, 0, &d->err), ACME_OK);
    put_order(d, "{\"n\": 1}");
    note_order(d, "{\"n\": 2}");
    expect_order(d, "{\"n\": 2}");
    assert_true(on_disk(d, path, "1"));
    acme_vault_unlock(d->vault, 0);
    assert_true(on_disk(d, path, "2"));
    expect_order(d, "{\"n\": 2}");

    assert_int_equal(acme_vault_lock(d->vault, 0, &d->err), ACME_OK);
    note_order(d, "{\"n\": 3}");
    put_order(d, "{\"n\": 4}");
    expect_order(d, "{\"n\": 4}");
    note_order(d, "{\"n\": 5}");
    assert_int_equal(acme_vault_order_drop(d->vault, 0, &d->err), ACME_OK);
    acme_vault_unlock(d->vault, 0);
    assert_false(helper_tmp_exists(&d->tmp, "state/orders/a.test"));
}

/* The URL is new to one of those that find or register the account. */
static void
test_account_url_new(void **state)
{
    struct fake_drive *d = *state;
    bool is_new = false;

    assert_int_equal(acme_vault_account_url(d->vault, 0,
                         "https://ca.test/account/7", &is_new, &d->err),
        ACME_OK);
    assert_true(is_new);
    assert_int_equal(acme_vault_account_url(d->vault, 0,
                         "https://ca.test/account/7", &is_new, &d->err),
        ACME_OK);
    assert_false(is_new);
}

static void
test_thumbprints(void **state)
{
    struct fake_drive *d = *state;
    char id[ACME_ACCOUNT_ID_LEN + 1], thumbprint[ACME_THUMBPRINT_LEN + 1];
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1];

    account_id(d, id, thumbprint);
    expect_answer(d, "a.test", 0, "any", thumbprint);
    /* the other CA gets the same key, as there is but one */
    expect_answer(d, "a.test", 1, "any", thumbprint);
    assert_false(answers(d, "a.test", 2, "any", answer));
    acme_area_put_thumbprint(d->area, 0, "");
    fake_drive_restart(d);
    expect_answer(d, "a.test", 0, "any", thumbprint);
}

/* ---- who wants what --------------------------------------------------- */

static struct acme_settings *
settings_of(struct fake_drive *d, const char *name)
{
    struct acme_settings *settings = NULL;

    assert_int_equal(
        acme_store_settings_read(d->store, name, &settings, &d->err), ACME_OK);
    return settings;
}

static void
test_declared(void **state)
{
    struct fake_drive *d = *state;
    struct acme_settings *settings = settings_of(d, "a.test");

    assert_int_equal(settings->ndeclared, 1);
    assert_string_equal(settings->declared[0].by,
        "nginx:/etc/nginx/nginx.conf");
    assert_string_equal(settings->declared[0].issuer.directory,
        FAKE_CA_DIRECTORY);
    assert_int_equal(settings->declared[0].nnames, 2);
    acme_settings_free(settings);
}

static void
test_withdrawn(void **state)
{
    struct fake_drive *d = *state;
    struct acme_settings *settings;

    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", 0, "a.test www.a.test", NULL);
    fake_drive_open(d);
    settings = settings_of(d, "b.test");
    assert_int_equal(settings->ndeclared, 0);
    acme_settings_free(settings);
    settings = settings_of(d, "a.test");
    assert_int_equal(settings->ndeclared, 1);
    acme_settings_free(settings);
    assert_int_equal(fake_drive_version(d, "b.test"), 1);
    assert_true(fake_host_logged(&d->host,
        "lineage \"b.test\" is no longer declared by this server"));
}

/* A second server on the same state directory. */
static void
server(struct fake_drive *d, const char *instance, size_t issuer,
    const char *names)
{
    d->instance = instance;
    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", issuer, names, NULL);
    fake_drive_open(d);
}

static void
second_server(struct fake_drive *d, size_t issuer, const char *names)
{
    server(d, "/etc/nginx/other.conf", issuer, names);
}

static void
test_union(void **state)
{
    struct fake_drive *d = *state;
    struct acme_settings *settings;
    struct acme_vault_unit view;

    second_server(d, 0, "a.test new.a.test");
    settings = settings_of(d, "a.test");
    assert_int_equal(settings->ndeclared, 2);
    acme_settings_free(settings);
    assert_int_equal(acme_vault_unit(d->vault, 0, &view, &d->err), ACME_OK);
    assert_int_equal(view.nnames, 3);
    assert_null(view.conflict);
    acme_vault_unit_clear(&view);
    fake_drive_until(d, "a.test", 2, 1);
    assert_true(fake_drive_covers(d, "a.test", "www.a.test"));
    assert_true(fake_drive_covers(d, "a.test", "new.a.test"));
}

/* The first server, which has been running all the time, renews for both. */
static void
test_union_while_running(void **state)
{
    struct fake_drive *d = *state;
    struct acme_settings *settings = settings_of(d, "a.test");
    const char *const *names = settings->declared[0].names;
    static const char *const more[] = { "a.test", "www.a.test", "new.a.test" };
    struct acme_store *store = another_store(d);

    settings->declared[0].names = more;
    settings->declared[0].nnames = 3;
    settings->declared[0].by = "httpd:/etc/apache2";
    assert_int_equal(
        acme_store_settings_write(store, "a.test", settings, &d->err),
        ACME_OK);
    settings->declared[0].names = names;
    acme_settings_free(settings);
    acme_store_close(store);
    fake_drive_ask(d, 0, ACME_RENEW_FORCE, 1);
    fake_drive_run(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 2);
    assert_true(fake_drive_covers(d, "a.test", "new.a.test"));
    settings = settings_of(d, "a.test");
    assert_int_equal(settings->ndeclared, 2);
    acme_settings_free(settings);
}

static void
test_conflict(void **state)
{
    struct fake_drive *d = *state;
    struct acme_vault_unit view;
    struct acme_record record;
    unsigned orders = fake_ca_count(d->ca, FAKE_NEW_ORDER);

    second_server(d, 1, "a.test www.a.test new.a.test");
    assert_int_equal(acme_vault_unit(d->vault, 0, &view, &d->err), ACME_OK);
    assert_non_null(view.conflict);
    acme_vault_unit_clear(&view);
    assert_true(fake_host_logged(&d->host, "until the declarations agree"));
    fake_drive_run(d);
    fake_drive_ask(d, 0, ACME_RENEW_FORCE, 3);
    fake_drive_run(d);
    assert_false(d->done_ok);
    fake_drive_record(d, "a.test", &record);
    assert_int_equal(record.error.rc, ACME_CONFIG);
    assert_true(record.wait_for_config);
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ORDER), orders);
    assert_int_equal(fake_ca_count(d->other, FAKE_NEW_ORDER), 0);
    assert_int_equal(fake_drive_served(d, "a.test"), 1);
}

/* When the other one gives in the lineage goes on at once, not after a day,
 * although nothing has changed for us. */
static void
test_conflict_solved(void **state)
{
    struct fake_drive *d = *state;

    second_server(d, 1, "a.test www.a.test");
    fake_drive_run(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    server(d, "/etc/nginx/nginx.conf", 1, "a.test www.a.test");
    second_server(d, 1, "a.test www.a.test");
    fake_drive_run(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 2);
    assert_int_equal(fake_ca_count(d->other, FAKE_NEW_ORDER), 1);
}

/* ---- what is found at start ------------------------------------------- */

static void
plant_all(struct fake_drive *d)
{
    static const char *const directories[] = { "live", "archive", "renewal",
        "record", "orders", "keys", "accounts", "ledger", "locks", "servers" };
    size_t i;

    for (i = 0; i < COUNT(directories); i++) {
        helper_tmp_fifo(&d->tmp,
            fake_drive_path("%s/fifo.test", directories[i]));
        helper_tmp_fifo(&d->tmp,
            fake_drive_path("%s/fifo.json", directories[i]));
        helper_tmp_link(&d->tmp, "/dev/zero",
            fake_drive_path("%s/zero.test", directories[i]));
        helper_tmp_link(&d->tmp, "../../outside",
            fake_drive_path("%s/out.test", directories[i]));
        helper_tmp_link(&d->tmp, "loop.json",
            fake_drive_path("%s/loop.json", directories[i]));
    }
}

/* In place of what belongs to a lineage. */
static void
plant_for(struct fake_drive *d, const char *name)
{
    helper_tmp_fifo(&d->tmp, fake_drive_path("renewal/%s.json", name));
    helper_tmp_fifo(&d->tmp, fake_drive_path("record/%s.json", name));
    helper_tmp_mkdir(&d->tmp, fake_drive_path("orders/%s", name));
    helper_tmp_fifo(&d->tmp, fake_drive_path("orders/%s/order.json", name));
    helper_tmp_fifo(&d->tmp,
        fake_drive_path("orders/%s/challenge.json", name));
    helper_tmp_link(&d->tmp, "../../outside",
        fake_drive_path("orders/%s/privkey.pem", name));
    helper_tmp_link(&d->tmp, "../../outside",
        fake_drive_path("live/%s", name));
    helper_tmp_link(&d->tmp, "../../outside",
        fake_drive_path("archive/%s", name));
}

static void
test_planted(void **state)
{
    struct fake_drive *d = *state;
    struct moves moves;

    fake_drive_close(d);
    plant_all(d);
    plant_for(d, "c.test");
    helper_tmp_mkdir(&d->tmp, "outside");
    helper_tmp_puts(&d->tmp, "outside/privkey.pem", "precious");
    acme_area_put(d->area, 0, NULL, 0, 0, &d->err);
    fake_drive_new_config(d);
    fake_drive_lineage(d, "a.test", 0, "a.test www.a.test", NULL);
    fake_drive_lineage(d, "c.test", 0, "c.test", NULL);
    alarm(30); /* a FIFO that is waited for ends the test */
    fake_drive_open(d);
    look(d, &moves);
    fake_drive_run(d);
    alarm(0);
    assert_int_equal(fake_drive_served(d, "a.test"), 1);
    assert_int_equal(helper_tmp_count(&d->tmp, "outside"), 1);
    assert_true(fake_host_logged(&d->host, "c.test"));
}

/* One bad version is not the end of what it was to replace. */
static void
test_damaged(void **state)
{
    struct fake_drive *d = *state;

    fake_drive_ask(d, 0, ACME_RENEW_FORCE, 1);
    fake_drive_run(d);
    assert_int_equal(fake_drive_served(d, "a.test"), 2);
    fake_drive_close(d);
    helper_tmp_puts(&d->tmp, "state/archive/a.test/2/privkey.pem", "?");
    acme_area_put(d->area, 0, NULL, 0, 0, &d->err);
    fake_drive_open(d);
    assert_int_equal(fake_drive_served(d, "a.test"), 1);
    assert_true(fake_host_logged(&d->host, "damaged"));
}

/* ---- names that move -------------------------------------------------- */

/* The area of a new generation. */
static void
empty_area(struct fake_drive *d)
{
    acme_area_put(d->area, 0, NULL, 0, 0, &d->err);
    acme_area_put(d->area, 1, NULL, 0, 0, &d->err);
}

/* How many pairs there are in a slot, and whether the i-th is a spare one for
 * that name. */
static size_t
slot_pairs(struct fake_drive *d, size_t lineage, size_t i, bool spare,
    const char *name)
{
    struct acme_area_pair pairs[ACME_SLOT_PAIRS_MAX];
    struct acme_chain *chain = NULL;
    struct acme_buf copy;
    uint32_t generation;
    size_t n = 0;

    acme_buf_init_secret(&copy, ACME_SLOT_BYTES);
    if (acme_area_get(d->area, lineage, &copy, pairs, &n, &generation) &&
        i < n) {
        assert_int_equal(pairs[i].spare, spare);
        assert_int_equal(acme_chain_from_der(pairs[i].chain,
                             pairs[i].chain_len, &chain, &d->err),
            ACME_OK);
        assert_true(acme_chain_covers(chain, name));
    }
    acme_chain_free(chain);
    acme_buf_clear(&copy);
    return n;
}

/* Two lineages become one: both certificates are served until it has its. */
static void
test_names_unite(void **state)
{
    struct fake_drive *d = *state;

    fake_drive_new_config(d);
    empty_area(d);
    fake_drive_lineage(d, "a.test", 0, "a.test b.test", NULL);
    fake_drive_open(d);
    assert_int_equal(slot_pairs(d, 0, 0, false, "a.test"), 2);
    assert_int_equal(slot_pairs(d, 0, 1, true, "b.test"), 2);
    assert_true(fake_host_logged(&d->host,
        "\"b.test\" is served with the certificate of lineage \"b.test\" "
        "until lineage \"a.test\" has one for it"));
    fake_drive_restart(d); /* that is not forgotten */
    empty_area(d);
    fake_drive_restart(d);
    assert_int_equal(slot_pairs(d, 0, 1, true, "b.test"), 2);
    fake_drive_run(d);
    assert_int_equal(fake_drive_served(d, "a.test"), 2);
    assert_int_equal(slot_pairs(d, 0, 0, false, "b.test"), 1);
    fake_drive_restart(d);
    assert_int_equal(slot_pairs(d, 0, 0, false, "b.test"), 1);
}

/* One becomes two: the second has nothing yet, but what covers it. */
static void
test_names_part(void **state)
{
    struct fake_drive *d = *state;

    fake_drive_new_config(d);
    empty_area(d);
    fake_drive_lineage(d, "a.test", 0, "a.test", NULL);
    fake_drive_lineage(d, "c.test", 0, "c.test www.a.test", NULL);
    fake_drive_open(d);
    assert_int_equal(slot_pairs(d, 0, 0, false, "a.test"), 1);
    assert_int_equal(slot_pairs(d, 1, 0, true, "www.a.test"), 1);
    assert_int_equal(fake_drive_version(d, "c.test"), 0);
    assert_int_equal(fake_drive_run(d), 1);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    assert_int_equal(fake_drive_version(d, "c.test"), 1);
    assert_int_equal(slot_pairs(d, 1, 0, false, "c.test"), 1);
}

static void
test_names_of_expired(void **state)
{
    struct fake_drive *d = *state;

    fake_drive_new_config(d);
    empty_area(d);
    fake_drive_lineage(d, "c.test", 0, "www.a.test", NULL);
    d->host.now += 400 * 86400;
    fake_drive_open(d);
    assert_int_equal(slot_pairs(d, 0, 0, true, ""), 0);
}

static void
test_names_of_revoked(void **state)
{
    struct fake_drive *d = *state;
    struct acme_revoked is = { "acmectl", "superseded" };
    struct acme_chain *chain = NULL;
    struct acme_version version;

    acme_version_init(&version);
    assert_int_equal(
        acme_store_live_read(d->store, "a.test", &version, &d->err), ACME_OK);
    assert_int_equal(acme_chain_from_der(version.pair[0].chain.data,
                         version.pair[0].chain.len, &chain, &d->err),
        ACME_OK);
    assert_int_equal(acme_store_revoked_write(d->store, chain, &is, false,
                         d->host.now, &d->err),
        ACME_OK);
    acme_chain_free(chain);
    acme_version_clear(&version);
    fake_drive_new_config(d);
    empty_area(d);
    fake_drive_lineage(d, "c.test", 0, "www.a.test", NULL);
    fake_drive_open(d);
    assert_int_equal(slot_pairs(d, 0, 0, true, ""), 0);
}

/* Lost or damaged it is as if nothing had moved. */
static void
test_names_damaged(void **state)
{
    struct fake_drive *d = *state;
    struct acme_dir_names files;
    size_t i, found = 0;
    int fd;

    fake_drive_close(d);
    fd = open(helper_tmp_path(&d->tmp, "state"), O_RDONLY | O_DIRECTORY);
    assert_int_equal(
        acme_dir_names_read(fd, "servers", false, &files, &d->err), ACME_OK);
    for (i = 0; i < files.count; i++)
        if (strstr(files.name[i], ".names") != NULL) {
            helper_tmp_puts(&d->tmp,
                fake_drive_path("servers/%s", files.name[i]), "?\n");
            found++;
        }
    acme_dir_names_free(&files);
    close(fd);
    assert_int_equal(found, 1);
    fake_drive_new_config(d);
    empty_area(d);
    fake_drive_lineage(d, "a.test", 0, "a.test b.test", NULL);
    fake_drive_open(d);
    assert_true(fake_host_logged(&d->host, "is damaged: the first line"));
    assert_int_equal(slot_pairs(d, 0, 0, false, "a.test"), 1);
    fake_drive_run(d);
    assert_int_equal(fake_drive_served(d, "a.test"), 2);
}

/* As a crash leaves it between "complete" and "live". */
static void
unswitch(struct fake_drive *d)
{
    helper_tmp_puts(&d->tmp, "state/archive/a.test/2/pending", "");
    helper_tmp_remove(&d->tmp, "state/live/a.test");
    helper_tmp_link(&d->tmp, "../archive/a.test/1", "state/live/a.test");
}

static void
test_recovered(void **state)
{
    struct fake_drive *d = *state;

    fake_drive_ask(d, 0, ACME_RENEW_FORCE, 1);
    fake_drive_run(d);
    fake_drive_close(d);
    unswitch(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    fake_drive_open(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 2);
    assert_int_equal(fake_drive_served(d, "a.test"), 2);
    assert_true(fake_host_logged(&d->host, "interrupted renewal"));
    fake_drive_restart(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 2);
}

/* An admin's rollback is left alone. */
static void
test_not_recovered(void **state)
{
    struct fake_drive *d = *state;

    fake_drive_ask(d, 0, ACME_RENEW_FORCE, 1);
    fake_drive_run(d);
    fake_drive_close(d);
    helper_tmp_remove(&d->tmp, "state/live/a.test");
    helper_tmp_link(&d->tmp, "../archive/a.test/1", "state/live/a.test");
    fake_drive_open(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    assert_int_equal(fake_drive_served(d, "a.test"), 1);
}

/* ---- the operator's own key ------------------------------------------- */

static void
own_key_config(struct fake_drive *d, const char *path)
{
    struct acme_issuer issuer = { .name = "own",
        .directory = "https://own.test/dir",
        .terms_accepted = true,
        .key_type = ACME_KEY_ECDSA_256,
        .key_file = path,
        .verify = true };
    size_t index;

    fake_drive_new_config(d);
    assert_int_equal(
        acme_config_add_issuer(d->config, &issuer, &index, &d->err), ACME_OK);
    assert_int_equal(index, 2);
    fake_drive_lineage(d, "a.test", 0, "a.test www.a.test", NULL);
    acme_area_free(d->area);
    assert_int_equal(acme_area_new(8, 3, &d->area, &d->err), ACME_OK);
}

static void
write_key(struct fake_drive *d, const char *name,
    char id[ACME_ACCOUNT_ID_LEN + 1], char thumbprint[ACME_THUMBPRINT_LEN + 1])
{
    struct acme_key *key = NULL;
    struct acme_buf pem;

    acme_buf_init_secret(&pem, ACME_STATE_PEM_MAX);
    assert_int_equal(acme_key_generate(ACME_KEY_ECDSA_256, &key, &d->err),
        ACME_OK);
    assert_int_equal(acme_key_to_pem(key, &pem, &d->err), ACME_OK);
    assert_int_equal(acme_key_id(key, id, &d->err), ACME_OK);
    assert_int_equal(acme_key_thumbprint(key, thumbprint, &d->err), ACME_OK);
    helper_tmp_write(&d->tmp, name, pem.data, pem.len);
    acme_buf_clear(&pem);
    acme_key_unref(key);
}

static void
test_own_key(void **state)
{
    struct acme_area_token token = { .name = "other.test",
        .token = "others-token" };
    struct fake_drive *d = *state;
    char id[ACME_ACCOUNT_ID_LEN + 1], thumbprint[ACME_THUMBPRINT_LEN + 1];
    struct moves moves;

    write_key(d, "own.pem", id, thumbprint);
    own_key_config(d, helper_tmp_path(&d->tmp, "own.pem"));
    fake_drive_open(d);
    expect_answer(d, "a.test", 2, "any", thumbprint);
    /* an order of acmectl with that key */
    assert_int_equal(acme_store_challenges_write(d->store, "others", id,
                         &token, 1, &d->err),
        ACME_OK);
    look(d, &moves);
    expect_answer(d, "other.test", -1, "others-token", thumbprint);
    /* never copied into the state directory */
    assert_int_equal(helper_tmp_count(&d->tmp, "state/keys"), 0);
}

/* Trouble of that issuer alone; nothing of the file is shown (S24). */
static void
test_own_key_bad(void **state)
{
    struct fake_drive *d = *state;
    struct acme_key *key = NULL;
    char url[ACME_URL_MAX];

    helper_tmp_puts(&d->tmp, "own.pem",
        "-----BEGIN PRIVATE KEY-----\n"
        "CANARYCANARY\n-----END PRIVATE KEY-----\n");
    own_key_config(d, helper_tmp_path(&d->tmp, "own.pem"));
    fake_drive_open(d);
    assert_true(fake_host_logged(&d->host, "own.pem"));
    assert_false(fake_host_logged(&d->host, "CANARY"));
    assert_int_equal(acme_vault_account(d->vault, 2, &key, url, &d->err),
        ACME_CONFIG);
    acme_error_clear(&d->err);
    assert_int_equal(fake_drive_run(d), 1);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
}

/* ---- keys of the DNS -------------------------------------------------- */

#define SECRET "c2VjcmV0IG9mIGFuIHVwZGF0ZSBrZXk="

/* A lineage for each file, "b.test" without one. */
static int
setup_tsig(void **state)
{
    static const char *const files[] = { "good.key", NULL, "open.key",
        "bad.key", "none.key" };
    static const char *const names[] = { "a.test", "b.test", "c.test",
        "d.test", "e.test" };
    char path[5][512];
    struct acme_proof proof;
    struct fake_drive *d;
    size_t i;

    fake_drive_setup(state);
    d = *state;
    helper_tmp_puts(&d->tmp, "good.key", "hmac-sha512:Update.:" SECRET "\n");
    helper_tmp_puts(&d->tmp, "open.key", "update:" SECRET "\n");
    helper_tmp_puts(&d->tmp, "bad.key", "update " SECRET "\n");
    assert_int_equal(chmod(helper_tmp_path(&d->tmp, "good.key"), 0600), 0);
    assert_int_equal(chmod(helper_tmp_path(&d->tmp, "open.key"), 0644), 0);
    assert_int_equal(chmod(helper_tmp_path(&d->tmp, "bad.key"), 0600), 0);
    for (i = 0; i < COUNT(names); i++) {
        acme_proof_init(&proof);
        if (files[i] != NULL) {
            (void)snprintf(path[i], sizeof(path[i]), "%s",
                helper_tmp_path(&d->tmp, files[i]));
            proof.said = 1u << ACME_PROOF_DNS_UPDATE;
            proof.dns_server = "192.0.2.53";
            proof.dns_key_file = path[i];
        }
        d->proof = &proof;
        fake_drive_lineage(d, names[i], 0, names[i], NULL);
    }
    d->proof = NULL;
    fake_drive_open(d);
    return 0;
}

static void
expect_no_tsig(struct fake_drive *d, size_t lineage, enum acme_rc rc,
    const char *text)
{
    struct acme_tsig key;
    struct acme_error err;

    acme_tsig_init(&key);
    acme_error_clear(&err);
    assert_int_equal(
        acme_vault_tsig(d->vault, acme_unit(lineage, 0), &key, &err), rc);
    if (strstr(err.what, text) == NULL)
        fail_msg("%s: no \"%s\"", err.what, text);
    assert_null(strstr(err.what, SECRET));
    assert_string_equal(key.name, "");
    acme_tsig_clear(&key);
}

/* Each lineage's own, as it was at the start; in no file of ours. */
static void
test_tsig(void **state)
{
    struct fake_drive *d = *state;
    struct acme_tsig key;
    char *listing = fake_drive_listing(d);

    helper_tmp_puts(&d->tmp, "good.key", "other:b3RoZXI=\n");
    acme_tsig_init(&key);
    assert_int_equal(acme_vault_tsig(d->vault, acme_unit(0, 0), &key, &d->err),
        ACME_OK);
    assert_string_equal(key.name, "update");
    assert_string_equal(key.alg, "hmac-sha512");
    assert_int_equal(key.secret.len, strlen(SECRET));
    assert_memory_equal(key.secret.data, SECRET, key.secret.len);
    acme_tsig_clear(&key);
    expect_no_tsig(d, 1, ACME_NOENT, "no key for the DNS is configured");
    expect_no_tsig(d, 2, ACME_CONFIG, "open.key");
    expect_no_tsig(d, 3, ACME_CONFIG, "bad.key");
    expect_no_tsig(d, 4, ACME_CONFIG, "none.key");
    assert_null(strstr(listing, ".key"));
    assert_false(fake_host_logged(&d->host, SECRET));
    free(listing);
}

#define TEST(name, setup) \
    cmocka_unit_test_setup_teardown(name, setup, fake_drive_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_garbage, setup_live),
        TEST(test_flipped, setup_live),
        TEST(test_index, setup_live),
        TEST(test_fields, setup_live),
        TEST(test_unknown_verbs, setup_live),
        TEST(test_settings_out_of_reach, setup_live),
        TEST(test_challenges, setup_live),
        TEST(test_foreign_issuer, setup_live),
        TEST(test_challenges_mixed, setup_live),
        TEST(test_trials, setup_live),
        TEST(test_challenge_counts, setup_live),
        TEST(test_account_url, setup_live),
        TEST(test_keys, setup_live),
        TEST(test_account_key_stays, setup_live),
        TEST(test_account_dead, setup_live),
        TEST(test_versions, setup_live),
        TEST(test_version_garbage, setup_live),
        TEST(test_version_subset, setup_live),
        TEST(test_trial_memory, setup_live),
        TEST(test_trial_challenges, setup_live),
        TEST(test_trial_version, setup_live),
        TEST(test_trial_refused, setup_live),
        TEST(test_trial_event, setup_live),
        TEST(test_foreign_version, setup_live),
        TEST(test_foreign_rollback, setup_live),
        TEST(test_fresh_under_lock, setup_live),
        TEST(test_foreign_order, setup_live),
        TEST(test_alpn_keys, setup_live),
        TEST(test_foreign_account, setup_live),
        TEST(test_note, setup_live),
        TEST(test_order_note, setup_live),
        TEST(test_account_url_new, setup_live),
        TEST(test_thumbprints, setup_live),
        TEST(test_declared, setup_live),
        TEST(test_withdrawn, setup_live),
        TEST(test_union, setup_live),
        TEST(test_union_while_running, setup_live),
        TEST(test_conflict, setup_live),
        TEST(test_conflict_solved, setup_live),
        TEST(test_planted, setup_live),
        TEST(test_names_unite, setup_live),
        TEST(test_names_part, setup_live),
        TEST(test_names_of_expired, setup_live),
        TEST(test_names_of_revoked, setup_live),
        TEST(test_names_damaged, setup_live),
        TEST(test_damaged, setup_live),
        TEST(test_recovered, setup_live),
        TEST(test_not_recovered, setup_live),
        TEST(test_own_key, setup_empty),
        TEST(test_own_key_bad, setup_empty),
        TEST(test_tsig, setup_tsig),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
