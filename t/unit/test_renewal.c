/*
 * acme_renewal.h: RFC 9773 4.1 and 4.2, and what else a CA may answer.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_client.h"
#include "protocol/acme_renewal.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The example of RFC 9773 4.1. */
#define ID "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"

#define START ((time_t)1795500000)
#define WINDOW "\"start\":\"2026-11-24T06:00:00Z\",\"end\":"

static int
setup(void **state)
{
    struct fake_client *f;

    fake_client_setup(state);
    f = *state;
    f->ca->conf.renewal_info = true;
    f->ca->conf.renewal_start = START;
    f->ca->conf.renewal_end = START + 48L * 3600;
    return 0;
}

static enum acme_rc
get(struct fake_client *f, struct acme_renewal *renewal)
{
    enum acme_rc rc;

    memset(renewal, 0x5a, sizeof(*renewal));
    rc = acme_renewal_get(f->connection, ID, renewal, &f->err);
    assert_int_equal(rc, f->err.rc);
    return rc;
}

static void
test_window(void **state)
{
    struct fake_client *f = *state;
    struct acme_renewal renewal;

    f->ca->conf.explanation = "https://ca.test/incident?id=7";
    fake_ca_header(f->ca, FAKE_RENEWAL_INFO, 1, "Retry-After", "21600");
    get(f, &renewal);
    fake_client_expect(f, "window", ACME_OK, NULL);
    assert_int_equal(renewal.start, START);
    assert_int_equal(renewal.end, START + 48L * 3600);
    assert_string_equal(renewal.explanation, "https://ca.test/incident?id=7");
    assert_int_equal(renewal.retry_after, 21600);
    assert_string_equal(fake_ca_payload(f->ca, FAKE_RENEWAL_INFO), ID);
    assert_string_equal(fake_ca_log(f->ca), "directory renewal-info");
    assert_string_equal(fake_ca_accept(f->ca, FAKE_RENEWAL_INFO),
        "application/json");
}

static void
test_plain(void **state)
{
    struct fake_client *f = *state;
    struct acme_renewal renewal;

    get(f, &renewal);
    fake_client_expect(f, "plain", ACME_OK, NULL);
    assert_string_equal(renewal.explanation, "");
    assert_int_equal(renewal.retry_after, -1);
}

/* What a signed request will need is still there afterwards. */
static void
test_nonce_kept(void **state)
{
    struct fake_client *f = *state;
    struct acme_client_request request = { 0 };
    struct acme_http_response response;
    struct acme_renewal renewal;

    fake_client_register(f);
    get(f, &renewal);
    acme_http_response_init(&response);
    request.url = acme_client_account(f->client);
    assert_int_equal(acme_client_post(f->client, &request, &response, &f->err),
        ACME_OK);
    acme_http_response_clear(&response);
    assert_string_equal(fake_ca_log(f->ca), "renewal-info account");
}

static void
test_times(void **state)
{
    static const struct {
        const char *window;
        long start, end; /* from START; 0, 0: refused */
        const char *text;
    } rows[] = {
        { "{" WINDOW "\"2026-11-24T06:00:01Z\"}", 0, 1, NULL },
        { "{" WINDOW "\"2026-11-24T08:00:00.123456789+01:00\"}", 0, 3600,
            NULL },
        { "{" WINDOW "\"2026-11-24t06:00:00.5-00:30\"}", 0, 1800, NULL },
        { "{" WINDOW "\"9999-12-31T23:59:59Z\"}", 0, 251606800799, NULL },
        { "{" WINDOW "\"2026-11-24T06:00:00Z\"}", 0, 0, "ends before" },
        { "{" WINDOW "\"2026-11-23T06:00:00Z\"}", 0, 0, "ends before" },
        { "{" WINDOW "\"2026-11-25\"}", 0, 0, "\"end\" is not a time" },
        { "{" WINDOW "\"soon\"}", 0, 0, "\"end\" is not a time" },
        { "{" WINDOW "\"\"}", 0, 0, "\"end\" is empty" },
        { "{" WINDOW "1795600000}", 0, 0, "\"end\" is not a string" },
        { "{" WINDOW "null}", 0, 0, "\"end\"" },
        { "{\"end\":\"2026-11-25T06:00:00Z\"}", 0, 0, "\"start\" is missing" },
        { "{\"start\":\"1969-12-31T23:59:59Z\","
          "\"end\":\"2026-11-25T06:00:00Z\"}",
            0, 0, "\"start\" is not a time" },
        { "{}", 0, 0, "missing" },
        { "[]", 0, 0, "missing" },
        { "\"2026-11-25T06:00:00Z\"", 0, 0, "missing" },
        { "null", 0, 0, "missing" },
        { NULL, 0, 0, "suggestedWindow" },
    };
    struct fake_client *f = *state;
    struct acme_renewal renewal;
    size_t i;

    for (i = 0; i < COUNT(rows); i++) {
        fake_client_next_case(f);
        fake_ca_json(f->ca, FAKE_RENEWAL_INFO, 1, "suggestedWindow",
            rows[i].window);
        get(f, &renewal);
        fake_client_expect(f, rows[i].window,
            rows[i].text == NULL ? ACME_OK : ACME_WIRE, rows[i].text);
        if (rows[i].text != NULL)
            continue;
        assert_int_equal(renewal.start - START, rows[i].start);
        assert_int_equal(renewal.end - START, rows[i].end);
    }
}

/* Shown to people, or not at all. */
static void
test_explanation(void **state)
{
    static const char *const bad[] = { "http://ca.test/", "javascript:x",
        "ca.test/x", "", "https://", "https://ca.test/a b",
        "https://ca.test/\x1b[2J", "https://ca.test/\xc3\xa4",
        "https://u:p@ca.test/" };
    struct fake_client *f = *state;
    struct acme_renewal renewal;
    char text[ACME_EXPLANATION_MAX + 1];
    size_t i;

    for (i = 0; i < COUNT(bad); i++) {
        f->ca->conf.explanation = bad[i];
        get(f, &renewal);
        fake_client_expect(f, bad[i], ACME_OK, NULL);
        assert_string_equal(renewal.explanation, "");
    }
    strcpy(text, "https://ca.test/");
    memset(text + strlen(text), 'x', sizeof(text) - strlen(text) - 1);
    text[sizeof(text) - 1] = '\0';
    f->ca->conf.explanation = text;
    get(f, &renewal);
    assert_string_equal(renewal.explanation, "");
    text[sizeof(text) - 2] = '\0';
    get(f, &renewal);
    assert_string_equal(renewal.explanation, text);
    f->ca->conf.explanation = NULL;
    fake_ca_json(f->ca, FAKE_RENEWAL_INFO, 1, "explanationURL", "[7]");
    get(f, &renewal);
    fake_client_expect(f, "list", ACME_OK, NULL);
}

static void
test_answers(void **state)
{
    static const struct {
        int status;
        const char *body;
        enum acme_rc rc;
        const char *text;
    } rows[] = {
        { 200, "", ACME_WIRE, "renewal information" },
        { 200, "<html>", ACME_WIRE, "renewal information" },
        { 200, "[]", ACME_WIRE, "not a JSON object" },
        { 200, "{\"suggestedWindow\":{},\"suggestedWindow\":{}}", ACME_WIRE,
            NULL },
        { 404, "", ACME_PROBLEM, "404" },
        { 404, "{\"type\":\"urn:ietf:params:acme:error:malformed\"}",
            ACME_PROBLEM, "malformed" },
        { 409, "{\"type\":\"urn:ietf:params:acme:error:alreadyReplaced\"}",
            ACME_PROBLEM, "alreadyReplaced" },
        { 503, "busy", ACME_PROBLEM, "503" },
        { 204, "", ACME_WIRE, "204" },
        { 302, "", ACME_WIRE, "302" },
    };
    struct fake_client *f = *state;
    struct acme_renewal renewal;
    size_t i;

    for (i = 0; i < COUNT(rows); i++) {
        fake_client_next_case(f);
        fake_ca_reply(f->ca, FAKE_RENEWAL_INFO, 1, rows[i].status,
            "application/json", rows[i].body);
        fake_ca_header(f->ca, FAKE_RENEWAL_INFO, 1, "Location",
            "https://ca.test/renewal-info/elsewhere");
        fake_ca_header(f->ca, FAKE_RENEWAL_INFO, 1, "Retry-After", "77");
        get(f, &renewal);
        fake_client_expect(f, rows[i].body, rows[i].rc, rows[i].text);
        assert_int_equal(f->err.retry_at,
            rows[i].status >= 400 ? f->host.now + 77 : 0);
        assert_int_equal(fake_ca_count(f->ca, FAKE_RENEWAL_INFO), i + 1);
    }
    fake_client_next_case(f);
    fake_ca_fail(f->ca, FAKE_RENEWAL_INFO, 1, ACME_NET);
    get(f, &renewal);
    fake_client_expect(f, "net", ACME_NET, NULL);
}

/* Where it may be, and that a bad place costs nothing but itself. */
static void
test_directory(void **state)
{
    static const struct {
        const char *url; /* JSON */
        enum acme_rc rc;
        const char *text;
    } rows[] = {
        { "\"https://ca.test/renewal-info/\"", ACME_OK, NULL },
        { "\"https://ca.test:443/renewal-info\"", ACME_OK, NULL },
        { NULL, ACME_NOENT, "no renewal information" },
        { "\"\"", ACME_NOENT, "no renewal information" },
        { "{}", ACME_NOENT, "no renewal information" },
        { "7", ACME_NOENT, "no renewal information" },
        { "\"/\"", ACME_WIRE, "https" },
        { "\"https://elsewhere.test/ri\"", ACME_WIRE, "origin" },
        { "\"https://other.test/ri\"", ACME_WIRE, "another configured CA" },
        { "\"http://ca.test/ri\"", ACME_WIRE, "https" },
    };
    struct fake_client *f = *state;
    struct acme_renewal renewal;
    const struct acme_directory *directory;
    size_t i;

    for (i = 0; i < COUNT(rows); i++) {
        fake_client_next_case(f);
        fake_client_renew(f);
        fake_ca_json(f->ca, FAKE_DIRECTORY, 1, "renewalInfo", rows[i].url);
        get(f, &renewal);
        fake_client_expect(f, rows[i].url, rows[i].rc, rows[i].text);
        acme_error_clear(&f->err);
        assert_int_equal(
            acme_connection_directory(f->connection, &directory, &f->err),
            ACME_OK);
    }
    assert_string_equal(directory->new_order, "https://ca.test/new-order");
}

/* A URL that has no room for the identifier. */
static void
test_long_url(void **state)
{
    struct fake_client *f = *state;
    struct acme_renewal renewal;
    char *url = malloc(ACME_URL_MAX + 8);
    int n = sprintf(url, "\"https://ca.test/");

    memset(url + n, 'x', (size_t)(ACME_URL_MAX - n));
    strcpy(url + ACME_URL_MAX - 8, "\"");
    fake_ca_json(f->ca, FAKE_DIRECTORY, 1, "renewalInfo", url);
    get(f, &renewal);
    fake_client_expect(f, "long", ACME_WIRE, "too long");
    free(url);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, setup, fake_client_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_window),
        TEST(test_plain),
        TEST(test_nonce_kept),
        TEST(test_times),
        TEST(test_explanation),
        TEST(test_answers),
        TEST(test_directory),
        TEST(test_long_url),
    };

    return cmocka_run_group_tests_name("renewal", tests, NULL, NULL);
}
