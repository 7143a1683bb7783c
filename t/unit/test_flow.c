/*
 * The whole of RFC 8555: directory, account, order, authorizations,
 * challenges, finalize, download, and the certificate is good.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_client.h"
#include "protocol/acme_account.h"
#include "protocol/acme_authz.h"
#include "wrap/acme_csr.h"
#include "wrap/acme_x509.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What is presented for whom, as a solver would keep it. */
struct stage {
    struct fake_client *f;
    const char *const *names;
    size_t nnames;
    enum acme_key_type type;
    struct acme_order order;
    struct acme_key *key;
    struct acme_buf pem;
    char shown[4][256]; /* key authorizations presented */
    size_t nshown;
};

/* The CA's side: is what it wants to see among what we present? */
static const char *
look(void *ctx, const struct fake_validation *v)
{
    struct stage *s = ctx;
    size_t i;

    assert_string_equal(v->type, v->name[0] == '*' ? "dns-01" : "http-01");
    for (i = 0; i < s->nshown; i++) {
        if (strcmp(s->shown[i], v->key_authorization) == 0)
            return NULL;
    }
    return "not presented";
}

static void
present(struct stage *s, const struct acme_challenge *challenge)
{
    char thumbprint[ACME_THUMBPRINT_LEN + 1];

    assert_true(s->nshown < COUNT(s->shown));
    assert_int_equal(acme_key_thumbprint(s->f->key, thumbprint, &s->f->err),
        ACME_OK);
    snprintf(s->shown[s->nshown++], sizeof(s->shown[0]), "%s.%s",
        challenge->token, thumbprint);
}

static enum acme_rc
prove_one(struct stage *s, struct acme_authz *authz, bool presented)
{
    const struct acme_challenge *challenge;
    enum acme_rc rc;

    if (authz->status == ACME_STATUS_VALID)
        return ACME_OK;
    challenge = acme_authz_challenge(authz,
        authz->name[0] == '*' ? "dns-01" : "http-01");
    assert_non_null(challenge);
    if (presented)
        present(s, challenge);
    rc = acme_authz_answer(s->f->client, challenge, &s->f->err);
    if (rc == ACME_OK)
        rc = acme_authz_poll(s->f->client, s->names, s->nnames, s->f->arena,
            authz, &s->f->err);
    return rc;
}

static enum acme_rc
prove_all(struct stage *s, bool presented)
{
    struct acme_authz *authz = NULL;
    enum acme_rc rc;
    size_t i;

    rc = acme_authz_get_all(s->f->client, &s->order, s->names, s->nnames,
        s->f->arena, &authz, &s->f->err);
    for (i = 0; rc == ACME_OK && i < s->order.nauthz; i++)
        rc = prove_one(s, &authz[i], presented);
    return rc;
}

static enum acme_rc
finish(struct stage *s)
{
    struct fake_client *f = s->f;
    struct acme_buf csr;
    enum acme_rc rc;

    acme_buf_init(&csr, 1 << 16);
    rc = acme_key_generate(s->type, &s->key, &f->err);
    if (rc == ACME_OK)
        rc = acme_csr_new(s->key, s->names, s->nnames, NULL, &csr, &f->err);
    if (rc == ACME_OK)
        rc = acme_order_finalize(f->client, s->names, s->nnames, csr.data,
            csr.len, f->arena, &s->order, &f->err);
    if (rc == ACME_OK)
        rc = acme_order_poll_while(f->client, ACME_STATUS_PROCESSING, s->names,
            s->nnames, f->arena, &s->order, &f->err);
    if (rc == ACME_OK)
        rc = acme_order_download(f->client, &s->order, &s->pem, NULL, NULL,
            &f->err);
    acme_buf_clear(&csr);
    return rc;
}

static void
begin(struct stage *s, struct fake_client *f, const char *const *names,
    size_t nnames)
{
    memset(s, 0, sizeof(*s));
    s->f = f;
    s->names = names;
    s->nnames = nnames;
    s->type = ACME_KEY_ECDSA_256;
    acme_buf_init(&s->pem, ACME_CHAIN_PEM_MAX);
    f->ca->conf.validate = look;
    f->ca->conf.validate_ctx = s;
}

static void
end(struct stage *s)
{
    s->f->ca->conf.validate = NULL;
    acme_buf_clear(&s->pem);
    acme_key_unref(s->key);
}

static enum acme_rc
run(struct stage *s)
{
    struct acme_account_wish wish = { .terms_accepted = true };
    struct fake_client *f = s->f;
    enum acme_account_origin origin = ACME_ACCOUNT_KNOWN;
    enum acme_rc rc;

    rc = acme_account_ensure(f->client, &wish, &origin, &f->err);
    if (rc == ACME_OK)
        rc = acme_order_new(f->client, s->names, s->nnames, NULL, f->arena,
            &s->order, &f->err);
    if (rc == ACME_OK && s->order.status == ACME_STATUS_PENDING)
        rc = prove_all(s, true);
    if (rc == ACME_OK)
        rc = acme_order_poll_while(f->client, ACME_STATUS_PENDING, s->names,
            s->nnames, f->arena, &s->order, &f->err);
    if (rc == ACME_OK)
        rc = finish(s);
    assert_int_equal(rc, f->err.rc);
    return rc;
}

/* The acceptance check that the store makes. */
static void
check_certificate(struct stage *s)
{
    struct acme_chain *chain = NULL;
    struct acme_leaf leaf;
    unsigned surplus = 99;

    acme_chain_from_pem(acme_buf_str(&s->pem), s->pem.len, &chain, &s->f->err);
    acme_chain_check(chain, s->key, s->names, s->nnames, s->f->host.now,
        &surplus, &s->f->err);
    acme_chain_leaf(chain, &leaf, &s->f->err);
    fake_client_expect(s->f, "certificate", ACME_OK, NULL);
    assert_int_equal(surplus, 0);
    /* the CA's clock is the test's */
    assert_in_range(leaf.not_before, s->f->host.now - 7200, s->f->host.now);
    assert_in_range(leaf.not_after, s->f->host.now + 89 * 86400,
        s->f->host.now + 91 * 86400);
    acme_chain_free(chain);
}

static void
test_first(void **state)
{
    static const char *const names[] = { "a.test", "www.a.test" };
    struct fake_client *f = *state;
    struct stage s;

    begin(&s, f, names, 2);
    f->ca->conf.terms = "https://ca.test/terms";
    f->ca->conf.validation_polls = 1;
    f->ca->conf.issuance_polls = 2;
    run(&s);
    fake_client_expect(f, "flow", ACME_OK, NULL);
    check_certificate(&s);
    assert_string_equal(fake_ca_log(f->ca),
        "directory new-nonce new-account new-account new-order "
        "authz authz challenge authz authz challenge authz authz order "
        "finalize order order certificate");
    assert_int_equal(fake_ca_issued(f->ca), 1);
    end(&s);
}

/* With an account and a reused authorization there is little left. */
static void
test_second(void **state)
{
    static const char *const names[] = { "a.test" };
    struct fake_client *f = *state;
    struct stage s;

    begin(&s, f, names, 1);
    f->ca->conf.reuse_authz = true;
    run(&s);
    end(&s);
    fake_ca_forget_log(f->ca);
    begin(&s, f, names, 1);
    run(&s);
    fake_client_expect(f, "flow", ACME_OK, NULL);
    check_certificate(&s);
    assert_string_equal(fake_ca_log(f->ca),
        "account new-order finalize certificate");
    end(&s);
}

static void
test_names_and_keys(void **state)
{
    static const char *const names[] = { "b.test", "*.b.test", "192.0.2.7",
        "2001:db8::7" };
    static const enum acme_key_type types[] = { ACME_KEY_ECDSA_256,
        ACME_KEY_ECDSA_384, ACME_KEY_RSA_2048 };
    struct fake_client *f = *state;
    struct stage s;
    size_t i;

    for (i = 0; i < COUNT(types); i++) {
        begin(&s, f, names, 4);
        s.type = types[i];
        run(&s);
        fake_client_expect(f, "flow", ACME_OK, NULL);
        check_certificate(&s);
        end(&s);
    }
}

/* Each request meets a badNonce first; nobody above the client notices. */
static void
test_bad_nonces(void **state)
{
    static const char *const names[] = { "a.test" };
    struct fake_client *f = *state;
    enum fake_step step;
    struct stage s;

    begin(&s, f, names, 1);
    for (step = FAKE_NEW_ACCOUNT; step < FAKE_ELSEWHERE; step++)
        fake_ca_problem(f->ca, step, 1, 400, "badNonce", "");
    run(&s);
    fake_client_expect(f, "flow", ACME_OK, NULL);
    check_certificate(&s);
    assert_int_equal(fake_ca_count(f->ca, FAKE_NEW_NONCE), 1);
    end(&s);
}

/* Whatever step fails, and however, the error says which and how. */
static void
test_each_failure(void **state)
{
    static const char *const names[] = { "a.test" };
    static const struct {
        enum fake_step step;
        const char *prefix;
    } steps[] = {
        { FAKE_DIRECTORY, "account: directory: " },
        { FAKE_NEW_NONCE, "account: new nonce: " },
        { FAKE_NEW_ACCOUNT, "account: " },
        { FAKE_NEW_ORDER, "new order: " },
        { FAKE_AUTHZ, "authorization" },
        { FAKE_CHALLENGE, "challenge http-01: " },
        { FAKE_ORDER, "order: " },
        { FAKE_FINALIZE, "finalize: " },
        { FAKE_CERTIFICATE, "certificate: " },
    };
    struct fake_client *f = *state;
    struct stage s;
    size_t i;
    int how;

    for (i = 0; i < COUNT(steps); i++) {
        for (how = 0; how < 4; how++) {
            fake_client_next_case(f);
            fake_client_renew(f);
            begin(&s, f, names, 1);
            if (how == 0)
                fake_ca_fail(f->ca, steps[i].step, FAKE_ALWAYS, ACME_NET);
            else if (how == 1)
                fake_ca_problem(f->ca, steps[i].step, FAKE_ALWAYS, 500,
                    "serverInternal", "oops");
            else if (how == 2)
                fake_ca_reply(f->ca, steps[i].step, FAKE_ALWAYS, 204, NULL,
                    NULL);
            else
                fake_ca_fail(f->ca, steps[i].step, FAKE_ALWAYS, ACME_STOPPING);
            if (how == 2)
                fake_ca_header(f->ca, steps[i].step, FAKE_ALWAYS,
                    "Replay-Nonce", NULL);
            run(&s);
            fake_client_expect(f, steps[i].prefix,
                how == 0   ? ACME_NET
                : how == 1 ? ACME_PROBLEM
                : how == 2 ? ACME_WIRE
                           : ACME_STOPPING,
                steps[i].prefix);
            end(&s);
        }
    }
}

/* What was not presented is not believed, and one failure ends an order. */
static void
test_not_presented(void **state)
{
    static const char *const names[] = { "a.test", "b.test" };
    struct fake_client *f = *state;
    struct stage s;

    fake_client_register(f);
    begin(&s, f, names, 2);
    acme_order_new(f->client, names, 2, NULL, f->arena, &s.order, &f->err);
    prove_all(&s, false);
    fake_client_expect(f, "authz", ACME_PROBLEM,
        "authorization of \"a.test\": challenge http-01 failed");
    assert_string_equal(f->err.detail, "not presented");
    acme_error_clear(&f->err);
    acme_order_poll_while(f->client, ACME_STATUS_PENDING, names, 2, f->arena,
        &s.order, &f->err);
    fake_client_expect(f, "order", ACME_PROBLEM, "order: the CA made the");
    assert_string_equal(f->err.sub[0].identifier, "a.test");
    end(&s);
}

/* A process that died after newOrder: another one goes on at the URL. */
static void
test_resume(void **state)
{
    static const char *const names[] = { "a.test" };
    struct fake_client *f = *state;
    char account[ACME_URL_MAX], url[ACME_URL_MAX];
    struct stage s;

    fake_client_register(f);
    begin(&s, f, names, 1);
    acme_order_new(f->client, names, 1, NULL, f->arena, &s.order, &f->err);
    strcpy(account, acme_client_account(f->client));
    strcpy(url, s.order.url);
    fake_client_renew(f);
    fake_ca_forget_log(f->ca);

    acme_client_set_account(f->client, account, &f->err);
    acme_order_get(f->client, url, names, 1, f->arena, &s.order, &f->err);
    prove_all(&s, true);
    acme_order_poll_while(f->client, ACME_STATUS_PENDING, names, 1, f->arena,
        &s.order, &f->err);
    finish(&s);
    fake_client_expect(f, "resumed", ACME_OK, NULL);
    check_certificate(&s);
    assert_string_equal(fake_ca_log(f->ca),
        "directory new-nonce order authz "
        "challenge authz order finalize certificate");
    end(&s);
}

/* The account vanishes in the middle: forgotten, found the next time. */
static void
test_account_vanishes(void **state)
{
    static const char *const names[] = { "a.test" };
    struct fake_client *f = *state;
    struct stage s;

    fake_client_register(f);
    begin(&s, f, names, 1);
    fake_ca_drop_accounts(f->ca);
    acme_order_new(f->client, names, 1, NULL, f->arena, &s.order, &f->err);
    fake_client_expect(f, "vanished", ACME_PROBLEM, "accountDoesNotExist");
    acme_error_clear(&f->err);
    run(&s);
    fake_client_expect(f, "flow", ACME_OK, NULL);
    check_certificate(&s);
    assert_int_equal(fake_ca_accounts(f->ca), 2);
    end(&s);
}

/* Nothing of all this is logged by the protocol. */
static void
test_silent(void **state)
{
    static const char *const names[] = { "a.test" };
    struct fake_client *f = *state;
    struct stage s;

    begin(&s, f, names, 1);
    fake_ca_problem(f->ca, FAKE_NEW_ORDER, 1, 400, "badNonce", "");
    run(&s);
    fake_client_expect(f, "flow", ACME_OK, NULL);
    fake_ca_fail(f->ca, FAKE_DIRECTORY, FAKE_ALWAYS, ACME_NET);
    fake_client_renew(f);
    run(&s);
    fake_client_expect(f, "failed", ACME_NET, NULL);
    assert_string_equal(fake_host_lines(&f->host), "");
    end(&s);
}

#define TEST(test)                                           \
    cmocka_unit_test_setup_teardown(test, fake_client_setup, \
        fake_client_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_first),
        TEST(test_second),
        TEST(test_names_and_keys),
        TEST(test_bad_nonces),
        TEST(test_each_failure),
        TEST(test_not_presented),
        TEST(test_resume),
        TEST(test_account_vanishes),
        TEST(test_silent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
