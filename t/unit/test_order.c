/* RFC 8555 7.4, 7.1.3: orders, their polls, finalize and download. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_client.h"
#include "protocol/acme_order.h"
#include "wrap/acme_csr.h"
#include "wrap/acme_x509.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const one[] = { "a.test" };
static const char *const two[] = { "a.test", "*.b.test" };

/* What a failed call must leave as it was. */
static const struct acme_order untouched = { .url = "untouched",
    .retry_after = -42 };

static enum acme_rc
new_order(struct fake_client *f, const char *const *names, size_t n,
    struct acme_order *order)
{
    enum acme_rc rc;

    *order = untouched;
    rc = acme_order_new(f->client, names, n, NULL, f->arena, order, &f->err);
    assert_int_equal(rc, f->err.rc);
    if (rc != ACME_OK) {
        assert_memory_equal(order, &untouched, sizeof(untouched));
        fake_client_expect(f, "prefix", rc, "new order: ");
    }
    return rc;
}

static void
need_order(struct fake_client *f, struct acme_order *order)
{
    new_order(f, one, 1, order);
    fake_client_expect(f, "new order", ACME_OK, NULL);
    fake_ca_forget_log(f->ca);
}

/* An order one step before its certificate. */
static void
need_ready(struct fake_client *f, struct acme_order *order)
{
    f->ca->conf.authz_valid = true;
    need_order(f, order);
    assert_int_equal(order->status, ACME_STATUS_READY);
}

static enum acme_rc
finalize(struct fake_client *f, struct acme_order *order)
{
    struct acme_key *key = NULL;
    struct acme_buf csr;
    enum acme_rc rc;

    acme_buf_init(&csr, 1 << 16);
    assert_int_equal(acme_key_generate(ACME_KEY_ECDSA_256, &key, &f->err),
        ACME_OK);
    assert_int_equal(acme_csr_new(key, one, 1, NULL, &csr, &f->err), ACME_OK);
    rc = acme_order_finalize(f->client, one, 1, csr.data, csr.len, f->arena,
        order, &f->err);
    assert_int_equal(rc, f->err.rc);
    acme_buf_clear(&csr);
    acme_key_unref(key);
    return rc;
}

static enum acme_rc
poll_while(struct fake_client *f, enum acme_status status,
    struct acme_order *order)
{
    enum acme_rc rc;

    rc = acme_order_poll_while(f->client, status, one, 1, f->arena, order,
        &f->err);
    assert_int_equal(rc, f->err.rc);
    return rc;
}

/* ---- statuses ---- */

static void
test_statuses(void **state)
{
    static const char *const known[] = { "pending", "ready", "processing",
        "valid", "invalid", "deactivated", "expired", "revoked" };
    static const char *const unknown[] = { NULL, "", "Valid", "unknown",
        "valid ", "cancelled" };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(known); i++) {
        assert_int_equal(acme_status_parse(known[i]), i + 1);
        assert_string_equal(acme_status_name((enum acme_status)(i + 1)),
            known[i]);
    }
    for (i = 0; i < COUNT(unknown); i++)
        assert_int_equal(acme_status_parse(unknown[i]), ACME_STATUS_UNKNOWN);
    assert_string_equal(acme_status_name(ACME_STATUS_UNKNOWN), "unknown");
    assert_string_equal(acme_status_name((enum acme_status)99), "unknown");
}

/* ---- new order ---- */

static void
test_new(void **state)
{
    struct fake_client *f = *state;
    static const char *const names[] = { "a.test", "*.b.test", "192.0.2.1",
        "2001:db8::1" };
    struct acme_order order;

    new_order(f, names, 4, &order);
    fake_client_expect(f, "new", ACME_OK, NULL);
    assert_string_equal(order.url, "https://ca.test/order/0");
    assert_int_equal(order.status, ACME_STATUS_PENDING);
    assert_int_equal(order.expires, FAKE_NOW + 7 * 86400);
    assert_int_equal(order.nauthz, 4);
    assert_string_equal(order.authz[3], "https://ca.test/authz/3");
    assert_string_equal(order.finalize, "https://ca.test/finalize/0");
    assert_null(order.certificate);
    assert_null(order.error);
    assert_int_equal(order.retry_after, -1);
    assert_string_equal(fake_ca_log(f->ca), "new-order");
    assert_string_equal(fake_ca_payload(f->ca, FAKE_NEW_ORDER),
        "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"a.test\"},"
        "{\"type\":\"dns\",\"value\":\"*.b.test\"},"
        "{\"type\":\"ip\",\"value\":\"192.0.2.1\"},"
        "{\"type\":\"ip\",\"value\":\"2001:db8::1\"}]}");
}

/* draft-ietf-acme-profiles 4 */
static void
test_new_profile(void **state)
{
    struct fake_client *f = *state;
    struct acme_order_terms terms = { .profile = "short" };
    struct acme_order order;

    acme_order_new(f->client, one, 1, &terms, f->arena, &order, &f->err);
    fake_client_expect(f, "asked", ACME_OK, NULL);
    assert_string_equal(fake_ca_payload(f->ca, FAKE_NEW_ORDER),
        "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"a.test\"}],"
        "\"profile\":\"short\"}");
    assert_null(order.profile);
    fake_ca_json(f->ca, FAKE_NEW_ORDER, 1, "profile", "\"long\\n\"");
    acme_order_new(f->client, one, 1, &terms, f->arena, &order, &f->err);
    fake_client_expect(f, "answered", ACME_OK, NULL);
    assert_non_null(strstr(order.profile, "long"));
    assert_null(strchr(order.profile, '\n'));
    fake_ca_json(f->ca, FAKE_NEW_ORDER, 1, "profile", "7");
    acme_order_new(f->client, one, 1, NULL, f->arena, &order, &f->err);
    fake_client_expect(f, "odd", ACME_OK, NULL);
    assert_null(order.profile);
    assert_null(strstr(fake_ca_payload(f->ca, FAKE_NEW_ORDER), "profile"));
}

/* Order, case and spelling of the CA's identifiers are its own affair. */
static void
test_new_other_spelling(void **state)
{
    struct fake_client *f = *state;
    static const char *const names[] = { "a.test", "2001:db8::1" };
    struct acme_order order;

    fake_ca_json(f->ca, FAKE_NEW_ORDER, 1, "identifiers.0",
        "{\"type\":\"ip\",\"value\":\"2001:0DB8:0:0::1\"}");
    fake_ca_json(f->ca, FAKE_NEW_ORDER, 1, "identifiers.1",
        "{\"type\":\"dns\",\"value\":\"A.Test\",\"x\":1}");
    fake_ca_json(f->ca, FAKE_NEW_ORDER, 1, "notBefore", "7");
    new_order(f, names, 2, &order);
    fake_client_expect(f, "spelling", ACME_OK, NULL);
}

static void
test_new_location(void **state)
{
    static const struct {
        const char *location;
        enum acme_rc rc;
        const char *text;
    } cases[] = {
        { "https://ca.test/order/7", ACME_OK, NULL },
        { "/order/7", ACME_OK, NULL },
        { NULL, ACME_WIRE, "new order: answer without a Location" },
        { "", ACME_WIRE, "new order: answer without a Location" },
        { "https://evil.test/order/7", ACME_WIRE,
            "new order: Location: URL \"https://evil.test/order/7\"" },
        { "https://ca.test:8443/order/7", ACME_WIRE, "https://ca.test:8443" },
        { "https://other.test/order/7", ACME_WIRE,
            "is of another configured CA" },
        { "http://ca.test/order/7", ACME_WIRE, "new order: Location: " },
    };
    struct fake_client *f = *state;
    struct acme_order order;
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        fake_client_next_case(f);
        fake_ca_header(f->ca, FAKE_NEW_ORDER, 1, "Location",
            cases[i].location);
        new_order(f, one, 1, &order);
        fake_client_expect(f, cases[i].location ? cases[i].location : "none",
            cases[i].rc, cases[i].text);
        if (cases[i].rc == ACME_OK)
            assert_string_equal(order.url, "https://ca.test/order/7");
        assert_string_equal(fake_ca_log(f->ca), "new-order");
    }
}

/* Answers to an order of two names that differ in one member. */
static const struct {
    const char *path, *json, *text;
} wrong_orders[] = {
    { "status", "\"weird\"", "unknown status" },
    { "status", "\"deactivated\"", "unknown status" },
    { "status", "\"expired\"", "unknown status" },
    { "status", "\"\"", "unknown status" },
    { "status", "1", "unknown status" },
    { "status", "null", "unknown status" },
    { "status", NULL, "unknown status" },
    { "status", "\"valid\\u0000\"", "answer" },
    { "identifiers", NULL, "0 identifiers instead of 2" },
    { "identifiers", "[]", "0 identifiers instead of 2" },
    { "identifiers", "\"a.test\"", "0 identifiers instead of 2" },
    { "identifiers", "{\"type\":\"dns\",\"value\":\"a.test\"}",
        "0 identifiers" },
    { "identifiers.1", NULL, "1 identifiers instead of 2" },
    { "identifiers.2", "{\"type\":\"dns\",\"value\":\"c.test\"}",
        "3 identifiers instead of 2" },
    { "identifiers.2", "{\"type\":\"dns\",\"value\":\"a.test\"}",
        "3 identifiers" },
    { "identifiers.1", "{\"type\":\"dns\",\"value\":\"a.test\"}",
        "identifier \"a.test\" twice" },
    { "identifiers.1", "{\"type\":\"dns\",\"value\":\"b.test\"}",
        "identifier \"b.test\" was not asked for" },
    { "identifiers.1", "{\"type\":\"dns\",\"value\":\"evil.test\"}",
        "identifier \"evil.test\" was not asked for" },
    { "identifiers.0", "{\"type\":\"ip\",\"value\":\"a.test\"}",
        "identifier \"a.test\" is not a name" },
    { "identifiers.0", "{\"type\":\"email\",\"value\":\"a.test\"}",
        "is not a name" },
    { "identifiers.0", "{\"type\":\"dns\",\"value\":\"192.0.2.1\"}",
        "is not a name" },
    { "identifiers.0", "{\"type\":\"dns\",\"value\":\"a.test\\u001b\\n\"}",
        "identifier \"a.test\\x1b\\x0a\" is not a name" },
    { "identifiers.0", "{\"type\":\"dns\",\"value\":\"a.test\\u0000\"}",
        "answer" },
    { "identifiers.0", "{\"type\":\"dns\"}", "\"value\" is missing" },
    { "identifiers.0", "{\"type\":\"dns\",\"value\":{}}",
        "\"value\" is not a string" },
    { "identifiers.0", "{\"value\":\"a.test\"}", "\"type\" is missing" },
    { "identifiers.0", "null", "\"type\" is missing" },
    { "identifiers.0", "\"a.test\"", "\"type\" is missing" },
    { "authorizations", NULL, "no authorizations" },
    { "authorizations", "[]", "no authorizations" },
    { "authorizations", "{}", "no authorizations" },
    { "authorizations", "\"https://ca.test/authz/0\"", "no authorizations" },
    { "authorizations.2", "\"https://ca.test/authz/9\"",
        "3 authorizations for 2 names" },
    { "authorizations.0", "1", "authorizations: URL is not a string" },
    { "authorizations.0", "null", "authorizations: URL is not a string" },
    { "authorizations.0", "\"\"", "authorizations: " },
    { "authorizations.1", "\"https://evil.test/authz/0\"",
        "authorizations: URL \"https://evil.test/authz/0\"" },
    { "authorizations.0", "\"https://other.test/authz/0\"",
        "another configured CA" },
    { "authorizations.0", "\"http://ca.test/authz/0\"", "authorizations: " },
    { "finalize", NULL, "\"finalize\" is missing" },
    { "finalize", "[]", "\"finalize\" is not a string" },
    { "finalize", "\"https://evil.test/f\"", "finalize: URL" },
    { "finalize", "\"https://other.test/f\"", "finalize: URL" },
    { "finalize", "\"/finalize/0\"", "finalize: URL" },
};

static void
test_new_wrong(void **state)
{
    struct fake_client *f = *state;
    struct acme_order order;
    char label[128];
    size_t i;

    for (i = 0; i < COUNT(wrong_orders); i++) {
        fake_client_next_case(f);
        fake_ca_json(f->ca, FAKE_NEW_ORDER, 1, wrong_orders[i].path,
            wrong_orders[i].json);
        new_order(f, two, 2, &order);
        snprintf(label, sizeof(label), "%s %s", wrong_orders[i].path,
            wrong_orders[i].json ? wrong_orders[i].json : "removed");
        fake_client_expect(f, label, ACME_WIRE, wrong_orders[i].text);
        assert_string_equal(fake_ca_log(f->ca), "new-order");
    }
}

/* The same answers to a poll: nothing has changed by then. */
static void
test_get_wrong(void **state)
{
    struct fake_client *f = *state;
    struct acme_order order, before;
    size_t i;

    new_order(f, two, 2, &order);
    for (i = 0; i < COUNT(wrong_orders); i++) {
        fake_client_next_case(f);
        fake_ca_json(f->ca, FAKE_ORDER, 1, wrong_orders[i].path,
            wrong_orders[i].json);
        before = order;
        acme_order_get(f->client, order.url, two, 2, f->arena, &order,
            &f->err);
        fake_client_expect(f, wrong_orders[i].path, ACME_WIRE, "order: ");
        fake_client_expect(f, wrong_orders[i].path, ACME_WIRE,
            wrong_orders[i].text);
        assert_memory_equal(&order, &before, sizeof(order));
    }
}

static void
test_new_many_authorizations(void **state)
{
    struct fake_client *f = *state;
    struct acme_order order;
    struct acme_buf list;
    int i;

    acme_buf_init(&list, 1 << 20);
    for (i = 0; i < 10000; i++)
        acme_buf_addf(&list, "%s\"https://ca.test/authz/%d\"",
            i > 0 ? "," : "[", i);
    acme_buf_add_str(&list, "]");
    fake_ca_json(f->ca, FAKE_NEW_ORDER, 1, "authorizations",
        acme_buf_str(&list));
    new_order(f, one, 1, &order);
    fake_client_expect(f, "10000", ACME_WIRE,
        "new order: 10000 authorizations for 1 names");
    acme_buf_clear(&list);
}

static void
test_new_expires(void **state)
{
    static const char *const values[] = { NULL, "null", "17", "\"tomorrow\"",
        "\"0000-00-00T00:00:00Z\"" };
    struct fake_client *f = *state;
    struct acme_order order;
    size_t i;

    for (i = 0; i < COUNT(values); i++) {
        fake_client_next_case(f);
        fake_ca_json(f->ca, FAKE_NEW_ORDER, 1, "expires", values[i]);
        new_order(f, one, 1, &order);
        fake_client_expect(f, values[i] ? values[i] : "none", ACME_OK, NULL);
        assert_int_equal(order.expires, 0);
    }
}

static void
test_new_problem(void **state)
{
    struct fake_client *f = *state;
    struct acme_order order;

    fake_ca_reply(f->ca, FAKE_NEW_ORDER, 1, 403, "application/problem+json",
        "{\"type\":\"urn:ietf:params:acme:error:rejectedIdentifier\","
        "\"detail\":\"policy\",\"subproblems\":[{\"type\":"
        "\"urn:ietf:params:acme:error:rejectedIdentifier\",\"detail\":"
        "\"forbidden\",\"identifier\":{\"type\":\"dns\",\"value\":"
        "\"a.test\"}}]}");
    new_order(f, one, 1, &order);
    fake_client_expect(f, "rejected", ACME_PROBLEM,
        "new order: the CA answered 403");
    assert_string_equal(f->err.type, "rejectedIdentifier");
    assert_string_equal(f->err.sub[0].identifier, "a.test");

    fake_client_next_case(f);
    fake_ca_problem(f->ca, FAKE_NEW_ORDER, 1, 429, "rateLimited", "slowly");
    fake_ca_header(f->ca, FAKE_NEW_ORDER, 1, "Retry-After", "3600");
    new_order(f, one, 1, &order);
    fake_client_expect(f, "limit", ACME_PROBLEM, "rateLimited");
    assert_int_equal(f->err.retry_at, f->host.now + 3600);
}

static void
test_new_status(void **state)
{
    static const struct {
        int status;
        enum acme_rc rc;
    } cases[] = { { 201, ACME_OK }, { 200, ACME_OK }, { 202, ACME_WIRE },
        { 204, ACME_WIRE }, { 303, ACME_WIRE } };
    struct fake_client *f = *state;
    struct acme_order order;
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        fake_client_next_case(f);
        fake_ca_status(f->ca, FAKE_NEW_ORDER, 1, cases[i].status);
        new_order(f, one, 1, &order);
        fake_client_expect(f, "status", cases[i].rc, NULL);
    }
}

static void
test_new_no_answer(void **state)
{
    struct fake_client *f = *state;
    struct acme_order order;

    fake_ca_fail(f->ca, FAKE_NEW_ORDER, 1, ACME_NET);
    new_order(f, one, 1, &order);
    fake_client_expect(f, "net", ACME_NET, NULL);
    fake_client_next_case(f);
    fake_client_renew(f);
    fake_ca_fail(f->ca, FAKE_DIRECTORY, 1, ACME_NET);
    new_order(f, one, 1, &order);
    fake_client_expect(f, "directory", ACME_NET, "new order: directory: ");
}

/* An order that the CA knows from before may be further on. */
static void
test_new_ready(void **state)
{
    struct fake_client *f = *state;
    struct acme_order order;

    f->ca->conf.authz_valid = true;
    new_order(f, one, 1, &order);
    fake_client_expect(f, "ready", ACME_OK, NULL);
    assert_int_equal(order.status, ACME_STATUS_READY);
    fake_ca_json(f->ca, FAKE_NEW_ORDER, 1, "authorizations", "[]");
    new_order(f, one, 1, &order);
    fake_client_expect(f, "none to do", ACME_OK, NULL);
    assert_int_equal(order.nauthz, 0);
}

/* ---- polls ---- */

static void
test_get(void **state)
{
    struct fake_client *f = *state;
    struct acme_order order, again = untouched;

    need_order(f, &order);
    fake_ca_header(f->ca, FAKE_ORDER, 1, "Retry-After", "5");
    acme_order_get(f->client, order.url, one, 1, f->arena, &again, &f->err);
    fake_client_expect(f, "get", ACME_OK, NULL);
    assert_string_equal(again.url, order.url);
    assert_int_equal(again.status, ACME_STATUS_PENDING);
    assert_int_equal(again.retry_after, 5);
    assert_string_equal(fake_ca_payload(f->ca, FAKE_ORDER), "");
}

static void
test_get_gone(void **state)
{
    struct fake_client *f = *state;
    struct acme_order order;

    acme_order_get(f->client, "https://ca.test/order/5", one, 1, f->arena,
        &order, &f->err);
    fake_client_expect(f, "gone", ACME_PROBLEM, "order: the CA answered 404");
    assert_int_equal(f->err.http_status, 404);
    fake_client_next_case(f);
    acme_order_get(f->client, "https://evil.test/order/5", one, 1, f->arena,
        &order, &f->err);
    fake_client_expect(f, "evil", ACME_WIRE, "order: URL \"https://evil");
    assert_string_equal(fake_ca_log(f->ca), "");
}

static void
test_poll_not_needed(void **state)
{
    struct fake_client *f = *state;
    struct acme_order order;

    need_ready(f, &order);
    poll_while(f, ACME_STATUS_PENDING, &order);
    fake_client_expect(f, "ready", ACME_OK, NULL);
    assert_string_equal(fake_ca_log(f->ca), "");
    assert_int_equal(f->host.waits, 0);
}

static void
test_poll(void **state)
{
    struct fake_client *f = *state;
    struct acme_order order;

    need_order(f, &order);
    fake_ca_json(f->ca, FAKE_ORDER, 3, "status", "\"ready\"");
    poll_while(f, ACME_STATUS_PENDING, &order);
    fake_client_expect(f, "ready", ACME_OK, NULL);
    assert_int_equal(order.status, ACME_STATUS_READY);
    assert_string_equal(fake_ca_log(f->ca), "order order order");
    assert_int_equal(f->host.waited_ms, 250 + 500 + 1000);
}

/* The same with what a poll says about the next one. */
static void
test_poll_retry_after(void **state)
{
    static const struct {
        const char *value;
        enum acme_rc rc;
        unsigned ms; /* waited in all, or until retry_at */
    } cases[] = {
        { "7", ACME_OK, 7250 },
        { "10", ACME_OK, 10250 },
        { "0", ACME_OK, 1250 },
        { "-9", ACME_OK, 750 },
        { "11", ACME_LATER, 11000 },
        { "60", ACME_LATER, 60000 },
        { "61", ACME_LATER, 60000 },
        { "1000000000000000000", ACME_LATER, 60000 },
    };
    struct fake_client *f = *state;
    struct acme_order order;
    unsigned long long before;
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        fake_client_next_case(f);
        need_order(f, &order);
        fake_ca_header(f->ca, FAKE_ORDER, 1, "Retry-After", cases[i].value);
        fake_ca_json(f->ca, FAKE_ORDER, 2, "status", "\"ready\"");
        before = f->host.waited_ms;
        poll_while(f, ACME_STATUS_PENDING, &order);
        fake_client_expect(f, cases[i].value, cases[i].rc,
            cases[i].rc == ACME_OK ? NULL : "order: ");
        if (cases[i].rc == ACME_OK) {
            assert_int_equal(f->host.waited_ms - before, cases[i].ms);
        } else {
            assert_int_equal(f->err.retry_at,
                f->host.now + cases[i].ms / 1000);
            assert_int_equal(order.status, ACME_STATUS_PENDING);
        }
    }
}

static void
test_poll_stop(void **state)
{
    struct fake_client *f = *state;
    struct acme_order order;
    int n;

    for (n = 0; n < 4; n++) {
        fake_client_next_case(f);
        need_order(f, &order);
        f->host.stopping = false;
        f->host.waits = 0;
        f->host.stop_after = n;
        poll_while(f, ACME_STATUS_PENDING, &order);
        fake_client_expect(f, "stop", ACME_STOPPING, "order: ");
        assert_int_equal(f->host.waits, n);
        f->host.stop_after = -1;
    }
}

/* A CA that never decides. */
static void
test_poll_for_ever(void **state)
{
    struct fake_client *f = *state;
    struct acme_order order;

    need_order(f, &order);
    poll_while(f, ACME_STATUS_PENDING, &order);
    fake_client_expect(f, "for ever", ACME_LATER, "order: ");
    assert_int_equal(fake_ca_count(f->ca, FAKE_ORDER), ACME_POLLS_INLINE);
    assert_true(f->host.waited_ms <= 30000);
}

static void
test_poll_trouble(void **state)
{
    struct fake_client *f = *state;
    struct acme_order order;

    need_order(f, &order);
    fake_ca_problem(f->ca, FAKE_ORDER, 2, 503, "serverInternal", "busy");
    fake_ca_header(f->ca, FAKE_ORDER, 2, "Retry-After", "90");
    poll_while(f, ACME_STATUS_PENDING, &order);
    fake_client_expect(f, "busy", ACME_PROBLEM, "order: the CA answered 503");
    assert_int_equal(f->err.retry_at, f->host.now + 90);
    assert_int_equal(order.status, ACME_STATUS_PENDING);
}

/* RFC 8555 7.1.6: why is in the order's error. */
static void
test_invalid(void **state)
{
    struct fake_client *f = *state;
    struct acme_order order;

    need_order(f, &order);
    fake_ca_json(f->ca, FAKE_ORDER, FAKE_ALWAYS, "status", "\"invalid\"");
    fake_ca_json(f->ca, FAKE_ORDER, FAKE_ALWAYS, "error",
        "{\"type\":\"urn:ietf:params:acme:error:caa\",\"detail\":\"CAA says\\n"
        "no\",\"subproblems\":[{\"type\":\"urn:ietf:params:acme:error:caa\","
        "\"identifier\":{\"type\":\"dns\",\"value\":\"a.test\"}},{},{},{},"
        "{}]}");
    poll_while(f, ACME_STATUS_PENDING, &order);
    fake_client_expect(f, "invalid", ACME_PROBLEM,
        "order: the CA made the order invalid");
    assert_string_equal(f->err.type, "caa");
    assert_string_equal(f->err.detail, "CAA says\\x0ano");
    assert_string_equal(f->err.sub[0].identifier, "a.test");
    assert_int_equal(f->err.nsub_total, 5);
    assert_int_equal(f->err.http_status, 0);
    assert_int_equal(order.status, ACME_STATUS_INVALID);

    /* reading it is no error, polling it again is */
    acme_error_clear(&f->err);
    acme_order_get(f->client, order.url, one, 1, f->arena, &order, &f->err);
    fake_client_expect(f, "get", ACME_OK, NULL);
    assert_string_equal(order.error->type, "caa");
    poll_while(f, ACME_STATUS_PROCESSING, &order);
    fake_client_expect(f, "poll", ACME_PROBLEM, "caa");
}

static void
test_invalid_without_error(void **state)
{
    static const char *const errors[] = { NULL, "null", "\"why not\"", "[]",
        "{}" };
    struct fake_client *f = *state;
    struct acme_order order;
    size_t i;

    for (i = 0; i < COUNT(errors); i++) {
        fake_client_next_case(f);
        need_order(f, &order);
        fake_ca_json(f->ca, FAKE_ORDER, 1, "status", "\"invalid\"");
        fake_ca_json(f->ca, FAKE_ORDER, 1, "error", errors[i]);
        poll_while(f, ACME_STATUS_PENDING, &order);
        fake_client_expect(f, "invalid", ACME_PROBLEM, "invalid");
        assert_string_equal(f->err.type, "");
    }
    /* one that was not read here */
    fake_client_next_case(f);
    order.error = NULL;
    poll_while(f, ACME_STATUS_PENDING, &order);
    fake_client_expect(f, "made up", ACME_PROBLEM, "invalid");
}

/* ---- finalize ---- */

static void
test_finalize(void **state)
{
    struct fake_client *f = *state;
    struct acme_order order;

    need_ready(f, &order);
    finalize(f, &order);
    fake_client_expect(f, "finalize", ACME_OK, NULL);
    assert_int_equal(order.status, ACME_STATUS_VALID);
    assert_string_equal(order.url, "https://ca.test/order/0");
    assert_string_equal(order.certificate, "https://ca.test/certificate/0");
    assert_string_equal(fake_ca_log(f->ca), "finalize");
    assert_int_equal(fake_ca_issued(f->ca), 1);
    assert_memory_equal(fake_ca_payload(f->ca, FAKE_FINALIZE), "{\"csr\":\"MI",
        10);
}

static void
test_finalize_processing(void **state)
{
    struct fake_client *f = *state;
    struct acme_order order;

    f->ca->conf.issuance_polls = 3;
    need_ready(f, &order);
    fake_ca_header(f->ca, FAKE_FINALIZE, 1, "Retry-After", "4");
    finalize(f, &order);
    fake_client_expect(f, "finalize", ACME_OK, NULL);
    assert_int_equal(order.status, ACME_STATUS_PROCESSING);
    assert_null(order.certificate);
    poll_while(f, ACME_STATUS_PROCESSING, &order);
    fake_client_expect(f, "poll", ACME_OK, NULL);
    assert_int_equal(order.status, ACME_STATUS_VALID);
    assert_string_equal(fake_ca_log(f->ca), "finalize order order order");
    assert_int_equal(f->host.waited_ms, 4000 + 500 + 1000);
}

static void
test_finalize_later(void **state)
{
    struct fake_client *f = *state;
    struct acme_order order;

    f->ca->conf.issuance_polls = 1;
    need_ready(f, &order);
    fake_ca_header(f->ca, FAKE_FINALIZE, 1, "Retry-After", "30");
    finalize(f, &order);
    poll_while(f, ACME_STATUS_PROCESSING, &order);
    fake_client_expect(f, "later", ACME_LATER, "order: ");
    assert_int_equal(f->err.retry_at, f->host.now + 30);
    assert_string_equal(fake_ca_log(f->ca), "finalize");
}

static void
test_finalize_refused(void **state)
{
    struct fake_client *f = *state;
    struct acme_order order;

    need_order(f, &order);
    finalize(f, &order);
    fake_client_expect(f, "not ready", ACME_PROBLEM,
        "finalize: the CA answered 403");
    assert_string_equal(f->err.type, "orderNotReady");
    assert_int_equal(order.status, ACME_STATUS_PENDING);
}

static void
test_finalize_invalid(void **state)
{
    struct fake_client *f = *state;
    struct acme_order order;

    need_ready(f, &order);
    fake_ca_json(f->ca, FAKE_FINALIZE, 1, "status", "\"invalid\"");
    fake_ca_json(f->ca, FAKE_FINALIZE, 1, "error",
        "{\"type\":\"urn:ietf:params:acme:error:serverInternal\"}");
    finalize(f, &order);
    fake_client_expect(f, "finalize", ACME_OK, NULL);
    poll_while(f, ACME_STATUS_PROCESSING, &order);
    fake_client_expect(f, "invalid", ACME_PROBLEM, "serverInternal");
    assert_int_equal(f->host.waits, 0);
}

static void
test_finalize_wrong(void **state)
{
    static const struct {
        const char *path, *json, *text;
    } cases[] = {
        { "identifiers.0", "{\"type\":\"dns\",\"value\":\"b.test\"}",
            "finalize: identifier \"b.test\"" },
        { "certificate", NULL, "finalize: member \"certificate\" is missing" },
        { "certificate", "1", "\"certificate\" is not a string" },
        { "certificate", "\"https://evil.test/c\"", "certificate: URL" },
        { "certificate", "\"https://other.test/c\"", "another configured" },
        { "status", "\"?\"", "finalize: unknown status" },
    };
    struct fake_client *f = *state;
    struct acme_order order;
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        fake_client_next_case(f);
        need_ready(f, &order);
        fake_ca_json(f->ca, FAKE_FINALIZE, 1, cases[i].path, cases[i].json);
        finalize(f, &order);
        fake_client_expect(f, cases[i].path, ACME_WIRE, cases[i].text);
        assert_int_equal(order.status, ACME_STATUS_READY);
    }
}

/* Before it is valid, what an order says of a certificate is not read. */
static void
test_early_certificate(void **state)
{
    struct fake_client *f = *state;
    struct acme_order order;

    fake_ca_json(f->ca, FAKE_NEW_ORDER, 1, "certificate",
        "\"https://evil.test/c\"");
    new_order(f, one, 1, &order);
    fake_client_expect(f, "early", ACME_OK, NULL);
    assert_null(order.certificate);
}

/* ---- download ---- */

static void
need_valid(struct fake_client *f, struct acme_order *order)
{
    need_ready(f, order);
    finalize(f, order);
    fake_client_expect(f, "valid", ACME_OK, NULL);
    fake_ca_forget_log(f->ca);
}

static enum acme_rc
download(struct fake_client *f, const struct acme_order *order,
    struct acme_buf *pem)
{
    enum acme_rc rc;

    rc = acme_order_download(f->client, order, pem, NULL, NULL, &f->err);
    assert_int_equal(rc, f->err.rc);
    return rc;
}

static void
test_download(void **state)
{
    struct fake_client *f = *state;
    struct acme_chain *chain = NULL;
    struct acme_order order;
    struct acme_buf pem;

    acme_buf_init(&pem, ACME_CHAIN_PEM_MAX);
    need_valid(f, &order);
    download(f, &order, &pem);
    fake_client_expect(f, "download", ACME_OK, NULL);
    assert_string_equal(fake_ca_log(f->ca), "certificate");
    assert_string_equal(fake_ca_accept(f->ca, FAKE_CERTIFICATE),
        "application/pem-certificate-chain");
    assert_int_equal(
        acme_chain_from_pem(acme_buf_str(&pem), pem.len, &chain, &f->err),
        ACME_OK);
    assert_true(acme_chain_count(chain) >= 2);
    assert_true(acme_chain_covers(chain, "a.test"));
    acme_chain_free(chain);
    acme_buf_clear(&pem);
}

static void
test_download_answers(void **state)
{
    static const struct {
        int status;
        const char *type, *body;
        enum acme_rc rc;
        const char *text;
    } cases[] = {
        { 200, "application/pem-certificate-chain; charset=x", "PEM", ACME_OK,
            NULL },
        { 200, NULL, "PEM", ACME_OK, NULL },
        { 200, "text/html", "<html>", ACME_WIRE,
            "certificate: content type is \"text/html\"" },
        { 200, "application/json", "{}", ACME_WIRE, "application/json" },
        { 200, "application/pkix-cert", "x", ACME_WIRE, "pkix-cert" },
        { 200, "application/pem-certificate-chain", "", ACME_WIRE,
            "certificate: answer is empty" },
        { 200, NULL, NULL, ACME_WIRE, "certificate: answer is empty" },
        { 404, NULL, "{\"type\":\"malformed\"}", ACME_PROBLEM,
            "certificate: the CA answered 404" },
        { 202, NULL, "", ACME_WIRE, "unexpected status 202" },
    };
    struct fake_client *f = *state;
    struct acme_order order;
    struct acme_buf pem;
    size_t i;

    need_valid(f, &order);
    for (i = 0; i < COUNT(cases); i++) {
        fake_client_next_case(f);
        acme_buf_init(&pem, ACME_CHAIN_PEM_MAX);
        fake_ca_reply(f->ca, FAKE_CERTIFICATE, 1, cases[i].status,
            cases[i].type, cases[i].body);
        download(f, &order, &pem);
        fake_client_expect(f, cases[i].text ? cases[i].text : "ok",
            cases[i].rc, cases[i].text);
        assert_string_equal(acme_buf_str(&pem),
            cases[i].rc == ACME_OK ? cases[i].body : "");
        acme_buf_clear(&pem);
    }
}

/* RFC 8555 7.4.2: relative or not, no more than fit, none of elsewhere. */
static void
test_download_alternates(void **state)
{
    static const struct {
        const char *links;
        size_t n;
        const char *last;
    } cases[] = {
        { NULL, 0, NULL },
        { "<https://ca.test/dir>;rel=\"index\"", 0, NULL },
        { "<https://ca.test/certificate/0/1>;rel=\"alternate\"", 1,
            "https://ca.test/certificate/0/1" },
        { "</x>;rel=alternate, <y>;rel=\"Alternate\"", 2,
            "https://ca.test/certificate/y" },
        { "<https://evil.test/x>;rel=\"alternate\"", 0, NULL },
        { "<https://other.test/x>;rel=\"alternate\", </z>;rel=\"alternate\"",
            1, "https://ca.test/z" },
        { "<http://ca.test/x>;rel=\"alternate\"", 0, NULL },
        { "</1>;rel=\"alternate\", </2>;rel=\"alternate\", "
          "</3>;rel=\"alternate\", </4>;rel=\"alternate\", "
          "</5>;rel=\"alternate\", </6>;rel=\"alternate\"",
            ACME_ALTERNATES_MAX, "https://ca.test/4" },
    };
    struct fake_client *f = *state;
    struct acme_alternates found;
    struct acme_order order;
    struct acme_buf pem;
    size_t i;

    need_valid(f, &order);
    for (i = 0; i < COUNT(cases); i++) {
        fake_client_next_case(f);
        acme_buf_init(&pem, ACME_CHAIN_PEM_MAX);
        fake_ca_header(f->ca, FAKE_CERTIFICATE, 1, "Link", cases[i].links);
        acme_order_download(f->client, &order, &pem, f->arena, &found,
            &f->err);
        fake_client_expect(f, "alternates", ACME_OK, NULL);
        assert_int_equal(found.n, cases[i].n);
        if (found.n > 0)
            assert_string_equal(found.url[found.n - 1], cases[i].last);
        acme_buf_clear(&pem);
    }
    acme_buf_init(&pem, ACME_CHAIN_PEM_MAX);
    acme_order_download_alternate(f->client, "https://evil.test/x", &pem,
        &f->err);
    fake_client_expect(f, "elsewhere", ACME_WIRE, "alternate certificate: ");
    acme_buf_clear(&pem);
}

static void
test_download_sizes(void **state)
{
    static const struct {
        size_t len;
        enum acme_rc rc;
    } cases[] = { { ACME_CHAIN_PEM_MAX, ACME_OK },
        { ACME_CHAIN_PEM_MAX + 1, ACME_WIRE } };
    struct fake_client *f = *state;
    struct acme_order order;
    struct acme_buf pem;
    char *body;
    size_t i;

    need_valid(f, &order);
    for (i = 0; i < COUNT(cases); i++) {
        fake_client_next_case(f);
        acme_buf_init(&pem, ACME_CHAIN_PEM_MAX);
        body = calloc(1, cases[i].len + 1);
        assert_non_null(body);
        memset(body, 'x', cases[i].len);
        fake_ca_reply(f->ca, FAKE_CERTIFICATE, 1, 200, NULL, body);
        download(f, &order, &pem);
        fake_client_expect(f, "size", cases[i].rc,
            cases[i].rc == ACME_OK ? NULL : "certificate: ");
        assert_int_equal(pem.len, cases[i].rc == ACME_OK ? cases[i].len : 0);
        acme_buf_clear(&pem);
        free(body);
    }
}

static void
test_download_too_early(void **state)
{
    struct fake_client *f = *state;
    struct acme_order order;
    struct acme_buf pem;

    acme_buf_init(&pem, ACME_CHAIN_PEM_MAX);
    need_ready(f, &order);
    download(f, &order, &pem);
    fake_client_expect(f, "early", ACME_NOENT, "certificate: ");
    assert_string_equal(fake_ca_log(f->ca), "");
    acme_buf_clear(&pem);
}

#define TEST(test)                                                   \
    cmocka_unit_test_setup_teardown(test, fake_client_setup_account, \
        fake_client_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statuses),
        TEST(test_new),
        TEST(test_new_profile),
        TEST(test_new_other_spelling),
        TEST(test_new_location),
        TEST(test_new_wrong),
        TEST(test_new_many_authorizations),
        TEST(test_new_expires),
        TEST(test_new_problem),
        TEST(test_new_status),
        TEST(test_new_no_answer),
        TEST(test_new_ready),
        TEST(test_get),
        TEST(test_get_wrong),
        TEST(test_get_gone),
        TEST(test_poll_not_needed),
        TEST(test_poll),
        TEST(test_poll_retry_after),
        TEST(test_poll_stop),
        TEST(test_poll_for_ever),
        TEST(test_poll_trouble),
        TEST(test_invalid),
        TEST(test_invalid_without_error),
        TEST(test_finalize),
        TEST(test_finalize_processing),
        TEST(test_finalize_later),
        TEST(test_finalize_refused),
        TEST(test_finalize_invalid),
        TEST(test_finalize_wrong),
        TEST(test_early_certificate),
        TEST(test_download),
        TEST(test_download_answers),
        TEST(test_download_alternates),
        TEST(test_download_sizes),
        TEST(test_download_too_early),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
