/*
 * acme_revoke.h and what the drive does with it: who signs, what is sent,
 * what is made of the answer and kept of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drive/acme_revoker.h"
#include "fake_client.h"
#include "fake_drive.h"
#include "protocol/acme_revoke.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define PLACE "https://ca.test/revoke"

static void
offer(struct fake_ca *ca)
{
    fake_ca_json(ca, FAKE_DIRECTORY, FAKE_ALWAYS, "revokeCert",
        "\"" PLACE "\"");
}

static void
accept_at(struct fake_ca *ca, unsigned nth)
{
    fake_ca_reply(ca, FAKE_ELSEWHERE, nth, 200, NULL, NULL);
}

/* ---- words ------------------------------------------------------------ */

/* RFC 5280 5.3.1; only those that a subscriber may give. */
static void
test_reasons(void **state)
{
    static const struct {
        const char *text;
        int number;
    } cases[] = { { "unspecified", 0 }, { "keycompromise", 1 },
        { "keyCompromise", 1 }, { "affiliationchanged", 3 },
        { "superseded", 4 }, { "CESSATIONOFOPERATION", 5 },
        { "caCompromise", -1 }, { "certificateHold", -1 }, { "", -1 },
        { "1", -1 }, { "keycompromise ", -1 } };
    enum acme_reason reason;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        reason = ACME_REASON_UNSPECIFIED;
        assert_int_equal(acme_reason_parse(cases[i].text, &reason),
            cases[i].number >= 0);
        if (cases[i].number >= 0)
            assert_int_equal(reason, cases[i].number);
    }
    assert_string_equal(acme_reason_name(ACME_REASON_KEY_COMPROMISE),
        "keycompromise");
    assert_string_equal(acme_reason_name((enum acme_reason)2), "");
}

/* ---- the request ------------------------------------------------------ */

static enum acme_rc
revoke(struct fake_client *f, enum acme_reason reason, bool by_key,
    bool *already)
{
    *already = false;
    return acme_revoke(f->client, "\x30\x03\x02\x01\x07", 5, reason, by_key,
        already, &f->err);
}

static void
test_by_account(void **state)
{
    struct fake_client *f = *state;
    bool already;

    offer(f->ca);
    accept_at(f->ca, 1);
    fake_client_register(f);
    revoke(f, ACME_REASON_SUPERSEDED, false, &already);
    fake_client_expect(f, "revoked", ACME_OK, NULL);
    assert_false(already);
    assert_string_equal(fake_ca_payload(f->ca, FAKE_ELSEWHERE),
        "{\"certificate\":\"MAMCAQc\",\"reason\":4}");
    assert_non_null(strstr(fake_ca_protected(f->ca, FAKE_ELSEWHERE),
        acme_client_account(f->client)));
    assert_null(strstr(fake_ca_protected(f->ca, FAKE_ELSEWHERE), "jwk"));
}

/* Without an account: the key itself says who signs. */
static void
test_by_key(void **state)
{
    struct fake_client *f = *state;
    bool already;

    offer(f->ca);
    accept_at(f->ca, 1);
    revoke(f, ACME_REASON_UNSPECIFIED, true, &already);
    fake_client_expect(f, "revoked", ACME_OK, NULL);
    assert_string_equal(fake_ca_payload(f->ca, FAKE_ELSEWHERE),
        "{\"certificate\":\"MAMCAQc\"}");
    assert_non_null(
        strstr(fake_ca_protected(f->ca, FAKE_ELSEWHERE), "\"jwk\""));
    assert_null(strstr(fake_ca_protected(f->ca, FAKE_ELSEWHERE), "kid"));
    assert_string_equal(fake_ca_log(f->ca), "directory new-nonce " PLACE);
}

static void
test_answers(void **state)
{
    static const struct {
        int status;
        const char *type;
        enum acme_rc rc;
        bool already;
    } cases[] = { { 400, "alreadyRevoked", ACME_OK, true },
        { 403, "unauthorized", ACME_PROBLEM, false },
        { 400, "badRevocationReason", ACME_PROBLEM, false },
        { 500, "serverInternal", ACME_PROBLEM, false } };
    struct fake_client *f = *state;
    bool already;
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        fake_client_next_case(f);
        offer(f->ca);
        fake_ca_problem(f->ca, FAKE_ELSEWHERE, 1, cases[i].status,
            cases[i].type, "so");
        revoke(f, ACME_REASON_SUPERSEDED, true, &already);
        fake_client_expect(f, cases[i].type, cases[i].rc,
            cases[i].rc != ACME_OK ? "revocation: " : NULL);
        assert_int_equal(already, cases[i].already);
    }
}

/* Where it may go is asked as of any other URL. */
static void
test_where(void **state)
{
    static const struct {
        const char *json;
        enum acme_rc rc;
    } cases[] = { { NULL, ACME_NOENT }, { "7", ACME_NOENT },
        { "\"https://other.test/revoke\"", ACME_WIRE },
        { "\"https://169.254.169.254/\"", ACME_WIRE },
        { "\"http://ca.test/revoke\"", ACME_WIRE }, { "\"\"", ACME_NOENT } };
    struct fake_client *f = *state;
    bool already;
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        fake_client_next_case(f);
        fake_client_renew(f);
        fake_ca_json(f->ca, FAKE_DIRECTORY, FAKE_ALWAYS, "revokeCert",
            cases[i].json);
        revoke(f, ACME_REASON_SUPERSEDED, true, &already);
        fake_client_expect(f, cases[i].json != NULL ? cases[i].json : "none",
            cases[i].rc, "revocation: ");
        assert_int_equal(fake_ca_count(f->ca, FAKE_ELSEWHERE), 0);
    }
}

/* ---- the drive -------------------------------------------------------- */

static enum acme_rc
open_line(void *ctx, size_t issuer, struct acme_transport *transport,
    struct acme_error *err)
{
    (void)err;
    *transport = fake_drive_transport(ctx, issuer);
    return ACME_OK;
}

/* A lineage with a certificate, and the keeper as acmectl has it. */
static struct acme_revocation
prepare(struct fake_drive *d, enum acme_reason reason)
{
    struct acme_revocation what = { .reason = reason };
    char *pem;

    fake_drive_lineage(d, "a.test", 0, "a.test", NULL);
    fake_drive_open(d);
    fake_drive_run(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    pem = helper_tmp_gets(&d->tmp, "state/live/a.test/fullchain.pem");
    assert_int_equal(
        acme_chain_from_pem(pem, strlen(pem), &what.chain, &d->err), ACME_OK);
    free(pem);
    pem = helper_tmp_gets(&d->tmp, "state/live/a.test/privkey.pem");
    assert_int_equal(acme_key_from_pem(pem, strlen(pem), &what.key, &d->err),
        ACME_OK);
    free(pem);
    acme_keeper_start(d->keeper, ACME_KEEPER_OBEYS);
    offer(d->ca);
    fake_ca_forget_log(d->ca);
    return what;
}

static void
clear(struct acme_revocation *what)
{
    acme_chain_free(what->chain);
    acme_key_unref(what->key);
}

static void
carry_out(struct fake_drive *d, const struct acme_revocation *what, bool ok,
    const char *text)
{
    struct acme_revoker revoker = { d->config, &d->host.host, d->vault,
        { d, open_line } };
    unsigned before = d->ndone;

    assert_int_equal(acme_revoker_run(&revoker, what, 1, &d->err), ACME_OK);
    assert_int_equal(d->ndone, before + 1);
    assert_int_equal(d->done_id, 1);
    if (d->done_ok != ok || strstr(d->done_text, text) == NULL)
        fail_msg("\"%s\"", d->done_text);
}

/* It is served until its successor is there, which comes at once, and the
 * key that was given away never comes back. */
static void
test_key_compromise(void **state)
{
    struct fake_drive *d = *state;
    struct acme_revocation what = prepare(d, ACME_REASON_KEY_COMPROMISE);
    struct acme_key *key = NULL;
    char *pem;

    accept_at(d->ca, 1);
    carry_out(d, &what, true, "revoked");
    assert_int_equal(fake_drive_served(d, "a.test"), 1);
    assert_true(acme_store_is_barred(d->store, what.key));
    assert_int_equal(acme_key_generate(ACME_KEY_ECDSA_256, &key, &d->err),
        ACME_OK);
    assert_false(acme_store_is_barred(d->store, key));

    fake_drive_restart(d);
    assert_int_equal(fake_drive_run(d), 1);
    assert_int_equal(fake_drive_version(d, "a.test"), 2);
    pem = helper_tmp_gets(&d->tmp, "state/live/a.test/privkey.pem");
    acme_key_unref(key);
    assert_int_equal(acme_key_from_pem(pem, strlen(pem), &key, &d->err),
        ACME_OK);
    assert_false(acme_store_is_barred(d->store, key));
    free(pem);
    /* and that is all: nothing is due any more */
    fake_drive_restart(d);
    assert_int_equal(fake_drive_run(d), 0);
    acme_key_unref(key);
    clear(&what);
}

/* Also where renewals keep the key; then that of the next is kept. */
static void
test_key_kept(void **state)
{
    struct fake_drive *d = *state;
    struct acme_revocation what;
    char *first, *second, *third;

    what = prepare(d, ACME_REASON_SUPERSEDED);
    first = helper_tmp_gets(&d->tmp, "state/live/a.test/privkey.pem");
    accept_at(d->ca, 1);
    carry_out(d, &what, true, "revoked");
    fake_drive_close(d);
    d->config->lineage[0].reuse_key = true;
    fake_drive_open(d);
    fake_drive_run(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 2);
    second = helper_tmp_gets(&d->tmp, "state/live/a.test/privkey.pem");
    assert_string_not_equal(first, second);
    fake_drive_until(d, "a.test", 3, 1);
    third = helper_tmp_gets(&d->tmp, "state/live/a.test/privkey.pem");
    assert_string_equal(second, third);
    free(first);
    free(second);
    free(third);
    clear(&what);
}

/* A later certificate for the same key goes with it. */
static void
test_same_key(void **state)
{
    struct fake_drive *d = *state;
    struct acme_revocation what;

    what = prepare(d, ACME_REASON_KEY_COMPROMISE);
    fake_drive_close(d);
    d->config->lineage[0].reuse_key = true;
    fake_drive_open(d);
    fake_drive_until(d, "a.test", 2, 1);
    acme_keeper_start(d->keeper, ACME_KEEPER_OBEYS);
    accept_at(d->ca, 1);
    carry_out(d, &what, true, "revoked"); /* version 1 */
    fake_drive_restart(d);
    assert_int_equal(fake_drive_run(d), 1);
    assert_int_equal(fake_drive_version(d, "a.test"), 3);
    assert_int_equal(fake_drive_served(d, "a.test"), 3);
    clear(&what);
}

/* Whoever offers a certificate for a barred key is refused. */
static void
test_barred(void **state)
{
    struct fake_drive *d = *state;
    struct acme_revocation what = prepare(d, ACME_REASON_KEY_COMPROMISE);
    struct acme_buf staple;
    unsigned version = 0;

    acme_buf_init(&staple, 1);
    accept_at(d->ca, 1);
    carry_out(d, &what, true, "revoked");
    assert_int_equal(acme_vault_version(d->vault, 0, 0, what.key, what.chain,
                         "https://ca.test/order/1", &staple, NULL, &version,
                         &d->err),
        ACME_REFUSED);
    assert_non_null(strstr(d->err.what, "must not be used again"));
    assert_int_equal(fake_drive_version(d, "a.test"), 1);
    acme_error_clear(&d->err);
    clear(&what);
}

static void
test_superseded(void **state)
{
    struct fake_drive *d = *state;
    struct acme_revocation what = prepare(d, ACME_REASON_SUPERSEDED);

    fake_ca_problem(d->ca, FAKE_ELSEWHERE, 1, 400, "alreadyRevoked", "so");
    carry_out(d, &what, true, "was revoked already");
    assert_false(acme_store_is_barred(d->store, what.key));
    fake_drive_restart(d);
    fake_drive_run(d);
    assert_int_equal(fake_drive_version(d, "a.test"), 2);
    clear(&what);
}

/* A CA that does not take the account's word takes the key's. */
static void
test_account_refused(void **state)
{
    struct fake_drive *d = *state;
    struct acme_revocation what = prepare(d, ACME_REASON_SUPERSEDED);

    fake_ca_problem(d->ca, FAKE_ELSEWHERE, 1, 403, "unauthorized", "who?");
    accept_at(d->ca, 2);
    carry_out(d, &what, true, "revoked");
    assert_int_equal(fake_ca_count(d->ca, FAKE_ELSEWHERE), 2);
    assert_non_null(
        strstr(fake_ca_protected(d->ca, FAKE_ELSEWHERE), "\"jwk\""));
    clear(&what);
}

/* Nothing is noted of what failed. */
static void
test_fails(void **state)
{
    struct fake_drive *d = *state;
    struct acme_revocation what = prepare(d, ACME_REASON_KEY_COMPROMISE);

    fake_ca_problem(d->ca, FAKE_ELSEWHERE, 1, 500, "serverInternal", "oops");
    carry_out(d, &what, false, "oops");
    assert_false(acme_store_is_barred(d->store, what.key));
    fake_drive_restart(d);
    assert_int_equal(fake_drive_run(d), 0);
    clear(&what);
}

/* A server's engine has no word in it. */
static void
test_server(void **state)
{
    struct fake_drive *d = *state;
    struct acme_revocation what = prepare(d, ACME_REASON_SUPERSEDED);

    acme_keeper_start(d->keeper, ACME_KEEPER_DECLARES);
    assert_int_equal(acme_vault_revoked(d->vault, 0, what.chain, "superseded",
                         true, &d->err),
        ACME_IO);
    assert_true(d->killed);
    assert_false(acme_store_is_barred(d->store, what.key));
    acme_error_clear(&d->err);
    clear(&what);
}

#define CLIENT(test)                                         \
    cmocka_unit_test_setup_teardown(test, fake_client_setup, \
        fake_client_teardown)
#define DRIVE(test)                                         \
    cmocka_unit_test_setup_teardown(test, fake_drive_setup, \
        fake_drive_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reasons),
        CLIENT(test_by_account),
        CLIENT(test_by_key),
        CLIENT(test_answers),
        CLIENT(test_where),
        DRIVE(test_key_compromise),
        DRIVE(test_key_kept),
        DRIVE(test_same_key),
        DRIVE(test_barred),
        DRIVE(test_superseded),
        DRIVE(test_account_refused),
        DRIVE(test_fails),
        DRIVE(test_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
