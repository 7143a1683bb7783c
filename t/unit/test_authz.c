/* RFC 8555 7.1.4, 7.5: authorizations, challenges, their polls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/acme_base64.h"
#include "fake_client.h"
#include "protocol/acme_authz.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const one[] = { "a.test" };
static const char *const wild[] = { "*.b.test" };
static const char *const two[] = { "a.test", "*.b.test" };

static const struct acme_authz untouched = { .url = "untouched" };

static void
need_order(struct fake_client *f, const char *const *names, size_t n,
    struct acme_order *order)
{
    acme_order_new(f->client, names, n, NULL, f->arena, order, &f->err);
    fake_client_expect(f, "new order", ACME_OK, NULL);
    fake_ca_forget_log(f->ca);
}

static enum acme_rc
get(struct fake_client *f, const struct acme_order *order,
    const char *const *names, size_t n, struct acme_authz *authz)
{
    enum acme_rc rc;

    *authz = untouched;
    rc = acme_authz_get(f->client, order->authz[0], names, n, f->arena, authz,
        &f->err);
    assert_int_equal(rc, f->err.rc);
    if (rc != ACME_OK)
        assert_memory_equal(authz, &untouched, sizeof(untouched));
    return rc;
}

/* An authorization of a.test that the CA has been asked to look at. */
static void
need_authz(struct fake_client *f, struct acme_authz *authz)
{
    struct acme_order order;

    need_order(f, one, 1, &order);
    get(f, &order, one, 1, authz);
    fake_client_expect(f, "get", ACME_OK, NULL);
    fake_ca_forget_log(f->ca);
}

static enum acme_rc
answer(struct fake_client *f, const struct acme_authz *authz)
{
    const struct acme_challenge *c = acme_authz_challenge(authz, "http-01");

    assert_non_null(c);
    return acme_authz_answer(f->client, c, &f->err);
}

static enum acme_rc
poll(struct fake_client *f, struct acme_authz *authz)
{
    enum acme_rc rc;

    rc = acme_authz_poll(f->client, one, 1, f->arena, authz, &f->err);
    assert_int_equal(rc, f->err.rc);
    if (rc != ACME_OK)
        fake_client_expect(f, "poll", rc, "authorization of \"a.test\": ");
    return rc;
}

/* ---- reading ---- */

static void
test_get(void **state)
{
    struct fake_client *f = *state;
    const struct acme_challenge *c;
    struct acme_order order;
    struct acme_authz authz;

    need_order(f, one, 1, &order);
    fake_ca_header(f->ca, FAKE_AUTHZ, 1, "Retry-After", "3");
    get(f, &order, one, 1, &authz);
    fake_client_expect(f, "get", ACME_OK, NULL);
    assert_string_equal(authz.url, "https://ca.test/authz/0");
    assert_ptr_equal(authz.name, one[0]);
    assert_int_equal(authz.status, ACME_STATUS_PENDING);
    assert_int_equal(authz.retry_after, 3);
    assert_int_equal(authz.nchallenges, 3);
    c = acme_authz_challenge(&authz, "tls-alpn-01");
    assert_ptr_equal(c, &authz.challenge[1]);
    assert_string_equal(c->url, "https://ca.test/challenge/0/1");
    assert_true(acme_token_ok(c->token, strlen(c->token)));
    assert_int_equal(c->status, ACME_STATUS_PENDING);
    assert_null(c->error);
    assert_null(acme_authz_challenge(&authz, "dns-persist-01"));
    assert_string_equal(fake_ca_payload(f->ca, FAKE_AUTHZ), "");
    assert_string_equal(fake_ca_log(f->ca), "authz");
}

static void
test_get_wildcard(void **state)
{
    struct fake_client *f = *state;
    struct acme_order order;
    struct acme_authz authz;

    need_order(f, wild, 1, &order);
    get(f, &order, wild, 1, &authz);
    fake_client_expect(f, "wildcard", ACME_OK, NULL);
    assert_string_equal(authz.name, "*.b.test");
    assert_int_equal(authz.nchallenges, 1);
    assert_non_null(acme_authz_challenge(&authz, "dns-01"));
    assert_null(acme_authz_challenge(&authz, "http-01"));
}

/* dns-persist-01: no token, and what the CA says of itself, as it is or not at
 * all. */
static void
test_get_persist(void **state)
{
    static const struct {
        const char *names, *account; /* as JSON; NULL: missing */
        size_t n;
        const char *kept; /* the account */
    } cases[] = {
        { "[\"ca.test\"]", NULL, 1, NULL },
        { "[\"ca.test\",\"x.test\"]", "\"https://x.test/\"", 2,
            "https://x.test/" },
        { "[\"ca.test\"]", "1", 1, "" },
        { NULL, NULL, 0, NULL },
        { "[]", NULL, 0, NULL },
        { "\"ca.test\"", NULL, 0, NULL },
        { "[\"ca.test\",1]", NULL, 0, NULL },
        { "[\"CA.test\"]", NULL, 0, NULL },
        { "[\"ca.test.\"]", NULL, 0, NULL },
        { "[\"ca.test; accounturi=x\"]", NULL, 0, NULL },
        { "[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\",\"j\"]",
            NULL, 10, NULL },
        { "[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\",\"j\","
          "\"k\"]",
            NULL, 0, NULL },
    };
    struct fake_client *f = *state;
    const struct acme_challenge *c;
    struct acme_order order;
    struct acme_authz authz;
    size_t i;

    f->ca->conf.challenges[1] = "dns-persist-01";
    need_order(f, one, 1, &order);
    for (i = 0; i < COUNT(cases); i++) {
        fake_ca_behave(f->ca);
        fake_ca_json(f->ca, FAKE_AUTHZ, 1, "challenges.1.token", NULL);
        if (cases[i].names != NULL)
            fake_ca_json(f->ca, FAKE_AUTHZ, 1,
                "challenges.1.issuer-domain-names", cases[i].names);
        if (cases[i].account != NULL)
            fake_ca_json(f->ca, FAKE_AUTHZ, 1, "challenges.1.accounturi",
                cases[i].account);
        get(f, &order, one, 1, &authz);
        fake_client_expect(f, "get", ACME_OK, NULL);
        c = acme_authz_challenge(&authz, "dns-persist-01");
        assert_non_null(c);
        assert_string_equal(c->token, "");
        assert_int_equal(c->ndomains, cases[i].n);
        if (cases[i].kept == NULL)
            assert_null(c->account);
        else
            assert_string_equal(c->account, cases[i].kept);
    }
}

static void
test_get_all(void **state)
{
    struct fake_client *f = *state;
    struct acme_authz *authz = NULL;
    struct acme_order order;

    need_order(f, two, 2, &order);
    acme_authz_get_all(f->client, &order, two, 2, f->arena, &authz, &f->err);
    fake_client_expect(f, "all", ACME_OK, NULL);
    assert_string_equal(authz[0].name, "a.test");
    assert_string_equal(authz[1].name, "*.b.test");
    assert_string_equal(fake_ca_log(f->ca), "authz authz");
}

/* A name and its wildcard share the identifier, not the authorization. */
static void
test_get_all_same_identifier(void **state)
{
    static const char *const names[] = { "b.test", "*.b.test" };
    struct fake_client *f = *state;
    struct acme_authz *authz = NULL;
    struct acme_order order;

    need_order(f, names, 2, &order);
    acme_authz_get_all(f->client, &order, names, 2, f->arena, &authz, &f->err);
    fake_client_expect(f, "both", ACME_OK, NULL);

    fake_ca_json(f->ca, FAKE_AUTHZ, 2, "wildcard", NULL);
    authz = NULL;
    acme_authz_get_all(f->client, &order, names, 2, f->arena, &authz, &f->err);
    fake_client_expect(f, "twice", ACME_WIRE,
        "authorization of \"b.test\": twice in one order");
    assert_null(authz);
}

/* The same URL twice: seen by the name in it. */
static void
test_get_all_duplicate(void **state)
{
    struct fake_client *f = *state;
    struct acme_authz *authz = NULL;
    struct acme_order order;

    fake_ca_json(f->ca, FAKE_NEW_ORDER, 1, "authorizations.1",
        "\"https://ca.test/authz/0\"");
    need_order(f, two, 2, &order);
    acme_authz_get_all(f->client, &order, two, 2, f->arena, &authz, &f->err);
    fake_client_expect(f, "duplicate", ACME_WIRE,
        "authorization of \"a.test\": twice in one order");
    assert_null(authz);
}

static void
test_get_all_second_fails(void **state)
{
    struct fake_client *f = *state;
    struct acme_authz *authz = NULL;
    struct acme_order order;

    need_order(f, two, 2, &order);
    fake_ca_json(f->ca, FAKE_AUTHZ, 2, "challenges.0.token", "\"a/b\"");
    acme_authz_get_all(f->client, &order, two, 2, f->arena, &authz, &f->err);
    fake_client_expect(f, "second", ACME_WIRE,
        "authorization of \"*.b.test\": challenge dns-01: malformed token");
    assert_null(authz);
}

/* Valid ones of an earlier order are there again; nothing is to be done. */
static void
test_reused(void **state)
{
    struct fake_client *f = *state;
    struct acme_authz authz;
    struct acme_order order;

    f->ca->conf.reuse_authz = true;
    need_authz(f, &authz);
    answer(f, &authz);
    poll(f, &authz);
    need_order(f, one, 1, &order);
    assert_int_equal(order.status, ACME_STATUS_READY);
    get(f, &order, one, 1, &authz);
    fake_client_expect(f, "reused", ACME_OK, NULL);
    assert_int_equal(authz.status, ACME_STATUS_VALID);
    fake_ca_forget_log(f->ca);
    poll(f, &authz);
    assert_string_equal(fake_ca_log(f->ca), "");
}

/* Answers about a.test that differ in one member. */
static const struct {
    const char *path, *json, *text;
} wrong_authz[] = {
    { "identifier", NULL, "authorization: identifier: " },
    { "identifier", "\"a.test\"", "authorization: identifier: " },
    { "identifier.value", "\"evil.test\"",
        "authorization: identifier \"evil.test\" was not asked for" },
    { "identifier.value", "\"b.test\"", "\"b.test\" was not asked for" },
    { "identifier.value", "\"sub.a.test\"", "was not asked for" },
    { "identifier.value", "\"*.b.test\"", "\"*.b.test\" has a wildcard" },
    { "identifier.value", "\"a.test\\n\"", "\"a.test\\x0a\" is not a name" },
    { "identifier.value", "\"../../etc\"", "is not a name" },
    { "identifier.value", "\"a.test\\u0000\"", "answer" },
    { "identifier.value", "17", "\"value\" is not a string" },
    { "identifier.type", "\"ip\"", "is not a name" },
    { "wildcard", "true", "identifier \"*.a.test\" was not asked for" },
    { "status", NULL, "authorization of \"a.test\": unknown status" },
    { "status", "\"ready\"", "unknown status" },
    { "status", "\"processing\"", "unknown status" },
    { "status", "\"PENDING\"", "unknown status" },
    { "status", "[]", "unknown status" },
    { "challenges", NULL, "authorization of \"a.test\": no challenges" },
    { "challenges", "[]", "no challenges" },
    { "challenges", "{}", "no challenges" },
    { "challenges.0", "7", "challenge: member \"type\" is missing" },
    { "challenges.0.type", NULL, "challenge: member \"type\" is missing" },
    { "challenges.0.type", "null", "\"type\" is not a string" },
    { "challenges.0.url", NULL, "challenge http-01: member \"url\" is miss" },
    { "challenges.0.url", "\"https://evil.test/c\"",
        "challenge http-01: URL \"https://evil.test/c\"" },
    { "challenges.0.url", "\"https://other.test/c\"", "another configured" },
    { "challenges.0.url", "\"http://ca.test/c\"", "challenge http-01: " },
    { "challenges.0.status", NULL, "challenge http-01: unknown status" },
    { "challenges.0.status", "\"ready\"", "unknown status" },
    { "challenges.0.status", "\"expired\"", "unknown status" },
    { "challenges.0.token", NULL, "challenge http-01: no token" },
    { "challenges.1.token", NULL, "challenge tls-alpn-01: no token" },
    { "challenges.2.token", NULL, "challenge dns-01: no token" },
    { "challenges.0.token", "null", "challenge http-01: no token" },
    { "challenges.0.token", "1", "challenge http-01: no token" },
    { "challenges.0",
        "{\"type\":\"new-01\",\"token\":7,\"status\":\"pending\","
        "\"url\":\"https://ca.test/challenge/0/0\"}",
        "challenge new-01: no token" },
    { "challenges.0.token", "\"\"", "malformed token" },
    { "challenges.0.token", "\"../../../etc/passwd\"", "malformed token" },
    { "challenges.0.token", "\"a/b\"", "malformed token" },
    { "challenges.0.token", "\"a b\"", "malformed token" },
    { "challenges.0.token", "\"abc\\n\"", "malformed token" },
    { "challenges.0.token", "\"abc=\"", "malformed token" },
    { "challenges.0.token", "\"<script>\"", "malformed token" },
    { "challenges.0.token", "\"a\\u0000b\"", "answer" },
    { "challenges.0.token", "\"\xc3\xa4\"", "malformed token" },
};

static void
test_get_wrong(void **state)
{
    struct fake_client *f = *state;
    struct acme_order order;
    struct acme_authz authz;
    char label[128];
    size_t i;

    need_order(f, two, 2, &order);
    for (i = 0; i < COUNT(wrong_authz); i++) {
        fake_client_next_case(f);
        fake_ca_json(f->ca, FAKE_AUTHZ, 1, wrong_authz[i].path,
            wrong_authz[i].json);
        get(f, &order, two, 2, &authz);
        snprintf(label, sizeof(label), "%s %s", wrong_authz[i].path,
            wrong_authz[i].json ? wrong_authz[i].json : "removed");
        fake_client_expect(f, label, ACME_WIRE, wrong_authz[i].text);
        fake_client_expect(f, label, ACME_WIRE, "authorization");
        assert_string_equal(fake_ca_log(f->ca), "authz");
    }
}

/* RFC 8555 7.1.4: for a wildcard the flag must be there and true. */
static void
test_wildcard_flag(void **state)
{
    static const char *const flags[] = { NULL, "false", "null", "1",
        "\"true\"" };
    struct fake_client *f = *state;
    struct acme_order order;
    struct acme_authz authz;
    size_t i;

    need_order(f, wild, 1, &order);
    for (i = 0; i < COUNT(flags); i++) {
        fake_client_next_case(f);
        fake_ca_json(f->ca, FAKE_AUTHZ, 1, "wildcard", flags[i]);
        get(f, &order, wild, 1, &authz);
        fake_client_expect(f, flags[i] ? flags[i] : "none", ACME_WIRE,
            "authorization: identifier \"b.test\" was not asked for");
    }
}

static void
test_token_length(void **state)
{
    static const struct {
        size_t len;
        enum acme_rc rc;
    } cases[] = { { 1, ACME_OK }, { ACME_TOKEN_MAX, ACME_OK },
        { ACME_TOKEN_MAX + 1, ACME_WIRE }, { 4000, ACME_WIRE } };
    struct fake_client *f = *state;
    struct acme_order order;
    struct acme_authz authz;
    char json[4096];
    size_t i;

    need_order(f, one, 1, &order);
    for (i = 0; i < COUNT(cases); i++) {
        fake_client_next_case(f);
        memset(json, 'x', sizeof(json));
        json[0] = '"';
        json[cases[i].len + 1] = '"';
        json[cases[i].len + 2] = '\0';
        fake_ca_json(f->ca, FAKE_AUTHZ, 1, "challenges.0.token", json);
        get(f, &order, one, 1, &authz);
        fake_client_expect(f, "token", cases[i].rc, NULL);
    }
}

/* A type we do not know may look different, and is not in the way. */
static void
test_unknown_challenge(void **state)
{
    struct fake_client *f = *state;
    const struct acme_challenge *c;
    struct acme_order order;
    struct acme_authz authz;

    need_order(f, one, 1, &order);
    fake_ca_json(f->ca, FAKE_AUTHZ, 1, "challenges.0",
        "{\"type\":\"dns-persist-01\",\"status\":\"pending\",\"url\":"
        "\"https://ca.test/challenge/0/9\",\"issuer-domain-names\":[]}");
    fake_ca_json(f->ca, FAKE_AUTHZ, 1, "challenges.2.type",
        "\"new\\u001b[2J\"");
    get(f, &order, one, 1, &authz);
    fake_client_expect(f, "unknown", ACME_OK, NULL);
    c = acme_authz_challenge(&authz, "dns-persist-01");
    assert_string_equal(c->token, "");
    assert_string_equal(authz.challenge[2].type, "new\\x1b[2J");
    assert_non_null(acme_authz_challenge(&authz, "tls-alpn-01"));
}

static void
test_many_challenges(void **state)
{
    struct fake_client *f = *state;
    struct acme_order order;
    struct acme_authz authz;
    struct acme_buf list;
    int i;

    acme_buf_init(&list, 1 << 20);
    for (i = 0; i < 1000; i++)
        acme_buf_addf(&list,
            "%s{\"type\":\"type-%d\",\"status\":\"pending\","
            "\"url\":\"https://ca.test/challenge/0/%d\",\"token\":\"x\"}",
            i > 0 ? "," : "[", i, i);
    acme_buf_add_str(&list, "]");
    need_order(f, one, 1, &order);
    fake_ca_json(f->ca, FAKE_AUTHZ, 1, "challenges", acme_buf_str(&list));
    get(f, &order, one, 1, &authz);
    fake_client_expect(f, "many", ACME_OK, NULL);
    assert_int_equal(authz.nchallenges, ACME_CHALLENGES_MAX);
    acme_buf_clear(&list);
}

/* ---- proving ---- */

static void
test_answer(void **state)
{
    struct fake_client *f = *state;
    struct acme_authz authz;

    need_authz(f, &authz);
    answer(f, &authz);
    fake_client_expect(f, "answer", ACME_OK, NULL);
    assert_string_equal(fake_ca_log(f->ca), "challenge");
    assert_string_equal(fake_ca_payload(f->ca, FAKE_CHALLENGE), "{}");

    fake_ca_problem(f->ca, FAKE_CHALLENGE, 1, 400, "malformed", "again?");
    answer(f, &authz);
    fake_client_expect(f, "refused", ACME_PROBLEM,
        "challenge http-01: the CA answered 400");
}

static void
test_deactivate(void **state)
{
    struct fake_client *f = *state;
    struct acme_authz authz;

    need_authz(f, &authz);
    (void)acme_authz_deactivate(f->client, &authz, &f->err);
    fake_client_expect(f, "deactivate", ACME_OK, NULL);
    assert_int_equal(authz.status, ACME_STATUS_DEACTIVATED);
    assert_string_equal(fake_ca_log(f->ca), "authz");
    assert_string_equal(fake_ca_payload(f->ca, FAKE_AUTHZ),
        "{\"status\":\"deactivated\"}");

    authz.status = ACME_STATUS_VALID;
    fake_ca_problem(f->ca, FAKE_AUTHZ, 1, 403, "unauthorized", "never");
    (void)acme_authz_deactivate(f->client, &authz, &f->err);
    fake_client_expect(f, "refused", ACME_PROBLEM,
        "deactivation of the authorization of \"a.test\"");
    assert_int_equal(authz.status, ACME_STATUS_VALID);
}

/* A CA that has the answer already says so; what came of it, the
 * authorization tells. */
static void
test_answer_conflict(void **state)
{
    struct fake_client *f = *state;
    struct acme_authz authz;

    need_authz(f, &authz);
    fake_ca_problem(f->ca, FAKE_CHALLENGE, 2, 409, "malformed", "again?");
    answer(f, &authz);
    answer(f, &authz);
    fake_client_expect(f, "conflict", ACME_OK, NULL);
    poll(f, &authz);
    fake_client_expect(f, "poll", ACME_OK, NULL);
    assert_int_equal(authz.status, ACME_STATUS_VALID);
}

static void
test_poll(void **state)
{
    struct fake_client *f = *state;
    struct acme_authz authz;

    f->ca->conf.validation_polls = 2;
    need_authz(f, &authz);
    answer(f, &authz);
    fake_ca_header(f->ca, FAKE_AUTHZ, 2, "Retry-After", "9");
    poll(f, &authz);
    fake_client_expect(f, "poll", ACME_OK, NULL);
    assert_int_equal(authz.status, ACME_STATUS_VALID);
    assert_string_equal(authz.name, "a.test");
    assert_string_equal(fake_ca_log(f->ca), "challenge authz authz authz");
    assert_int_equal(f->host.waited_ms, 250 + 500 + 9000);
}

static void
test_poll_later(void **state)
{
    static const struct {
        const char *value;
        unsigned seconds;
    } cases[] = { { "11", 11 }, { "59", 59 }, { "3600", 60 },
        { "1000000000000000000", 60 } };
    struct fake_client *f = *state;
    struct acme_authz authz;
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        fake_client_next_case(f);
        need_authz(f, &authz);
        fake_ca_header(f->ca, FAKE_AUTHZ, 1, "Retry-After", cases[i].value);
        poll(f, &authz);
        fake_client_expect(f, cases[i].value, ACME_LATER, NULL);
        assert_int_equal(f->err.retry_at, f->host.now + cases[i].seconds);
        assert_int_equal(authz.status, ACME_STATUS_PENDING);
    }
}

static void
test_poll_stop(void **state)
{
    struct fake_client *f = *state;
    struct acme_authz authz;
    int n;

    for (n = 0; n < 4; n++) {
        fake_client_next_case(f);
        need_authz(f, &authz);
        f->host.stopping = false;
        f->host.waits = 0;
        f->host.stop_after = n;
        poll(f, &authz);
        fake_client_expect(f, "stop", ACME_STOPPING, NULL);
        assert_int_equal(f->host.waits, n);
        f->host.stop_after = -1;
    }
}

static void
test_poll_for_ever(void **state)
{
    struct fake_client *f = *state;
    struct acme_authz authz;

    need_authz(f, &authz);
    poll(f, &authz);
    fake_client_expect(f, "for ever", ACME_LATER, NULL);
    assert_int_equal(fake_ca_count(f->ca, FAKE_AUTHZ), 1 + ACME_POLLS_INLINE);
}

static const char *
refuse_all(void *ctx, const struct fake_validation *v)
{
    (void)ctx;
    (void)v;
    return "got \033[31mgarbage\n instead";
}

static void
test_invalid(void **state)
{
    struct fake_client *f = *state;
    struct acme_authz authz;

    f->ca->conf.validate = refuse_all;
    need_authz(f, &authz);
    answer(f, &authz);
    poll(f, &authz);
    fake_client_expect(f, "invalid", ACME_PROBLEM,
        "authorization of \"a.test\": challenge http-01 failed");
    assert_string_equal(f->err.type, "incorrectResponse");
    assert_string_equal(f->err.detail, "got \\x1b[31mgarbage\\x0a instead");
    assert_int_equal(authz.status, ACME_STATUS_INVALID);

    /* one that was invalid before it was polled */
    acme_error_clear(&f->err);
    fake_ca_forget_log(f->ca);
    poll(f, &authz);
    fake_client_expect(f, "again", ACME_PROBLEM, "incorrectResponse");
    assert_string_equal(fake_ca_log(f->ca), "");
}

/* The error of a challenge that did not fail is not the reason. */
static void
test_invalid_which(void **state)
{
    struct fake_client *f = *state;
    struct acme_authz authz;

    need_authz(f, &authz);
    fake_ca_json(f->ca, FAKE_AUTHZ, 1, "status", "\"invalid\"");
    fake_ca_json(f->ca, FAKE_AUTHZ, 1, "challenges.0.error",
        "{\"type\":\"dns\"}");
    fake_ca_json(f->ca, FAKE_AUTHZ, 1, "challenges.2.status", "\"invalid\"");
    fake_ca_json(f->ca, FAKE_AUTHZ, 1, "challenges.2.error",
        "{\"type\":\"urn:ietf:params:acme:error:caa\",\"subproblems\":"
        "[{\"type\":\"caa\"},{},{},{},{},{}]}");
    poll(f, &authz);
    fake_client_expect(f, "which", ACME_PROBLEM, "challenge dns-01 failed");
    assert_string_equal(f->err.type, "caa");
    assert_int_equal(f->err.nsub_total, 6);
}

/* No challenge says why, or nothing that can be read. */
static void
test_invalid_without_error(void **state)
{
    static const char *const errors[] = { NULL, "null", "[]", "\"no\"" };
    struct fake_client *f = *state;
    struct acme_authz authz;
    size_t i;

    for (i = 0; i < COUNT(errors); i++) {
        fake_client_next_case(f);
        need_authz(f, &authz);
        fake_ca_json(f->ca, FAKE_AUTHZ, 1, "status", "\"invalid\"");
        fake_ca_json(f->ca, FAKE_AUTHZ, 1, "challenges.0.status",
            "\"invalid\"");
        fake_ca_json(f->ca, FAKE_AUTHZ, 1, "challenges.0.error", errors[i]);
        poll(f, &authz);
        fake_client_expect(f, "no error", ACME_PROBLEM, "it is invalid");
    }
}

static void
test_dead(void **state)
{
    static const char *const dead[] = { "deactivated", "expired", "revoked" };
    struct fake_client *f = *state;
    struct acme_authz authz;
    char json[32], text[64];
    size_t i;

    for (i = 0; i < COUNT(dead); i++) {
        fake_client_next_case(f);
        need_authz(f, &authz);
        snprintf(json, sizeof(json), "\"%s\"", dead[i]);
        snprintf(text, sizeof(text), "it is %s", dead[i]);
        fake_ca_json(f->ca, FAKE_AUTHZ, 1, "status", json);
        /* an old failure is not why */
        fake_ca_json(f->ca, FAKE_AUTHZ, 1, "challenges.0.status",
            "\"invalid\"");
        fake_ca_json(f->ca, FAKE_AUTHZ, 1, "challenges.0.error",
            "{\"type\":\"dns\"}");
        poll(f, &authz);
        fake_client_expect(f, dead[i], ACME_PROBLEM, text);
        assert_string_equal(f->err.type, "");
    }
}

/* An authorization may not turn into another one's while it is polled. */
static void
test_poll_other_name(void **state)
{
    struct fake_client *f = *state;
    struct acme_order order;
    struct acme_authz authz;

    need_order(f, two, 2, &order);
    get(f, &order, two, 2, &authz);
    fake_ca_json(f->ca, FAKE_AUTHZ, 1, "identifier.value", "\"b.test\"");
    fake_ca_json(f->ca, FAKE_AUTHZ, 1, "wildcard", "true");
    fake_ca_json(f->ca, FAKE_AUTHZ, 1, "status", "\"valid\"");
    acme_authz_poll(f->client, two, 2, f->arena, &authz, &f->err);
    fake_client_expect(f, "other", ACME_WIRE,
        "authorization of \"a.test\": is now of \"*.b.test\"");
    assert_string_equal(authz.name, "a.test");
    assert_int_equal(authz.status, ACME_STATUS_PENDING);
}

static void
test_poll_trouble(void **state)
{
    struct fake_client *f = *state;
    struct acme_authz authz;

    need_authz(f, &authz);
    fake_ca_fail(f->ca, FAKE_AUTHZ, 2, ACME_NET);
    acme_authz_poll(f->client, one, 1, f->arena, &authz, &f->err);
    fake_client_expect(f, "net", ACME_NET, "authorization");
    assert_string_equal(fake_ca_log(f->ca), "authz authz");
    assert_int_equal(authz.status, ACME_STATUS_PENDING);
}

#define TEST(test)                                                   \
    cmocka_unit_test_setup_teardown(test, fake_client_setup_account, \
        fake_client_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_get),
        TEST(test_get_wildcard),
        TEST(test_get_persist),
        TEST(test_get_all),
        TEST(test_get_all_same_identifier),
        TEST(test_get_all_duplicate),
        TEST(test_get_all_second_fails),
        TEST(test_reused),
        TEST(test_get_wrong),
        TEST(test_wildcard_flag),
        TEST(test_token_length),
        TEST(test_unknown_challenge),
        TEST(test_many_challenges),
        TEST(test_answer),
        TEST(test_deactivate),
        TEST(test_answer_conflict),
        TEST(test_poll),
        TEST(test_poll_later),
        TEST(test_poll_stop),
        TEST(test_poll_for_ever),
        TEST(test_invalid),
        TEST(test_invalid_which),
        TEST(test_invalid_without_error),
        TEST(test_dead),
        TEST(test_poll_other_name),
        TEST(test_poll_trouble),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
