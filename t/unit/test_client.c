/*
 * RFC 8555 6 and 7.1, 7.2: directory, nonces, signed requests, problems,
 * waits; and where requests may go.
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
#include "protocol/acme_client.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A text of n characters between two others. */
static char *
long_text(const char *before, size_t n, char c, const char *after)
{
    size_t head = strlen(before);
    char *text = malloc(head + n + strlen(after) + 1);

    assert_non_null(text);
    memcpy(text, before, head);
    memset(text + head, c, n);
    strcpy(text + head + n, after);
    return text;
}

/* The plainest signed request: POST-as-GET of the account. */
static enum acme_rc
post(struct fake_client *f)
{
    struct acme_client_request request = { 0 };
    struct acme_http_response response;
    struct acme_json *root = NULL;
    enum acme_rc rc;

    acme_http_response_init(&response);
    request.url = acme_client_account(f->client);
    rc = acme_client_post_json(f->client, &request, &response, &root, &f->err);
    assert_int_equal(rc == ACME_OK, root != NULL);
    assert_int_equal(rc, f->err.rc);
    acme_json_free(root);
    acme_http_response_clear(&response);
    return rc;
}

static enum acme_rc
post_to(struct fake_client *f, const char *url)
{
    struct acme_client_request request = { 0 };
    struct acme_http_response response;
    enum acme_rc rc;

    acme_http_response_init(&response);
    request.url = url;
    rc = acme_client_post(f->client, &request, &response, &f->err);
    acme_http_response_clear(&response);
    return rc;
}

static void
forget_account(struct fake_client *f)
{
    assert_int_equal(acme_client_set_account(f->client, NULL, &f->err),
        ACME_OK);
    assert_null(acme_client_account(f->client));
}

static enum acme_rc
get_directory(struct fake_client *f)
{
    const struct acme_directory *directory = NULL;
    enum acme_rc rc;

    rc = acme_connection_directory(f->connection, &directory, &f->err);
    assert_int_equal(rc == ACME_OK, directory != NULL);
    return rc;
}

/* ---- directory ---- */

static void
test_directory(void **state)
{
    struct fake_client *f = *state;
    const struct acme_directory *directory = NULL;

    f->ca->conf.terms = "http://ca.test/terms v1";
    f->ca->conf.eab_required = true;
    acme_connection_directory(f->connection, &directory, &f->err);
    fake_client_expect(f, "directory", ACME_OK, NULL);
    assert_string_equal(directory->new_nonce, "https://ca.test/new-nonce");
    assert_string_equal(directory->new_account, "https://ca.test/new-account");
    assert_string_equal(directory->new_order, "https://ca.test/new-order");
    assert_string_equal(directory->terms, "http://ca.test/terms v1");
    assert_true(directory->eab_required);
}

static void
test_directory_plain(void **state)
{
    static const char *const metas[] = { NULL, "null", "[]", "\"x\"",
        "{\"termsOfService\":null}", "{\"termsOfService\":\"\"}",
        "{\"termsOfService\":7,\"externalAccountRequired\":\"yes\"}" };
    struct fake_client *f = *state;
    const struct acme_directory *directory = NULL;
    size_t i;

    for (i = 0; i < COUNT(metas); i++) {
        fake_client_next_case(f);
        fake_client_renew(f);
        fake_ca_json(f->ca, FAKE_DIRECTORY, 1, "meta", metas[i]);
        acme_connection_directory(f->connection, &directory, &f->err);
        fake_client_expect(f, metas[i] ? metas[i] : "none", ACME_OK, NULL);
        assert_string_equal(directory->terms, "");
        assert_false(directory->eab_required);
    }
}

/* draft-ietf-acme-profiles 3: what is not a usable name is not offered. */
static void
test_directory_profiles(void **state)
{
    static const struct {
        const char *profiles, *text;
    } cases[] = {
        { NULL, "none" },
        { "[\"a\"]", "none" },
        { "\"a\"", "none" },
        { "{}", "none" },
        { "{\"a\":\"x\",\"b c\":\"https://ca.test/b\",\"d\":7}",
            "\"a\", \"b c\", \"d\"" },
        { "{\"\":\"x\",\"a\\nb\":\"y\",\"c\":\"z\"}", "\"c\"" },
    };
    struct fake_client *f = *state;
    const struct acme_directory *directory = NULL;
    char text[64];
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        fake_client_next_case(f);
        fake_client_renew(f);
        fake_ca_json(f->ca, FAKE_DIRECTORY, 1, "meta.profiles",
            cases[i].profiles);
        acme_connection_directory(f->connection, &directory, &f->err);
        fake_client_expect(f, "profiles", ACME_OK, NULL);
        assert_string_equal(
            acme_directory_profiles(directory, text, sizeof(text)),
            cases[i].text);
    }
    assert_true(acme_directory_offers(directory, "c"));
    assert_false(acme_directory_offers(directory, "C"));
    assert_false(acme_directory_offers(directory, ""));
    assert_string_equal(acme_directory_profiles(directory, text, 3), "\"c");
}

/* As many as fit are kept, and none that is too long. */
static void
test_directory_many_profiles(void **state)
{
    struct fake_client *f = *state;
    const struct acme_directory *directory = NULL;
    char json[8192], text[8192], *end = json;
    unsigned i;

    end += sprintf(end, "{\"%0*d\":\"\",\"%0*d\":\"\"", ACME_PROFILE_MAX + 1,
        7, ACME_PROFILE_MAX, 8);
    for (i = 0; i < 2 * ACME_PROFILES_MAX; i++)
        end += sprintf(end, ",\"p%u\":\"\"", i);
    sprintf(end, "}");
    fake_ca_json(f->ca, FAKE_DIRECTORY, 1, "meta.profiles", json);
    acme_connection_directory(f->connection, &directory, &f->err);
    fake_client_expect(f, "many", ACME_OK, NULL);
    assert_int_equal(directory->nprofiles, ACME_PROFILES_MAX);
    sprintf(text, "%0*d", ACME_PROFILE_MAX, 8);
    assert_true(acme_directory_offers(directory, text));
    sprintf(text, "%0*d", ACME_PROFILE_MAX + 1, 7);
    assert_false(acme_directory_offers(directory, text));
    assert_true(acme_directory_offers(directory, "p14"));
    assert_false(acme_directory_offers(directory, "p15"));
}

static void
test_directory_age(void **state)
{
    struct fake_client *f = *state;

    get_directory(f);
    fake_host_pass(&f->host, 3599);
    get_directory(f);
    assert_string_equal(fake_ca_log(f->ca), "directory");
    fake_host_pass(&f->host, 1);
    get_directory(f);
    assert_string_equal(fake_ca_log(f->ca), "directory directory");
    f->host.now -= 10; /* a clock set back */
    get_directory(f);
    assert_int_equal(fake_ca_count(f->ca, FAKE_DIRECTORY), 3);
    fake_client_expect(f, "age", ACME_OK, NULL);
}

static void
test_directory_members(void **state)
{
    static const char *const members[] = { "newNonce", "newAccount",
        "newOrder" };
    static const struct {
        const char *json, *text;
    } cases[] = {
        { NULL, "is missing" },
        { "1", "is not a string" },
        { "null", "is not a string" },
        { "[\"https://ca.test/x\"]", "is not a string" },
        { "\"\"", "is empty" },
        { "\"http://ca.test/x\"", "directory: " },
        { "\"/x\"", "directory: " },
        { "\"https://ca.test:444/x\"", "not of the directory's origin" },
        { "\"https://foreign.test/x\"", "https://foreign.test/x" },
        { "\"https://ca.test.evil.test/x\"", "not of the directory's" },
        { "\"https://ca.test@evil.test/x\"", "directory: " },
        { "\"https://other.test/x\"", "is of another configured CA" },
        { "\"https://OTHER.test:443/x\"", "is of another configured CA" },
        { "\"file:///etc/passwd\"", "directory: " },
        { "\"https://ca.test/\\u0000\"", "directory: " },
    };
    struct fake_client *f = *state;
    char label[128];
    size_t i, m;

    for (m = 0; m < COUNT(members); m++) {
        for (i = 0; i < COUNT(cases); i++) {
            fake_client_next_case(f);
            fake_client_renew(f);
            fake_ca_json(f->ca, FAKE_DIRECTORY, 1, members[m], cases[i].json);
            get_directory(f);
            snprintf(label, sizeof(label), "%s %s", members[m],
                cases[i].json ? cases[i].json : "removed");
            fake_client_expect(f, label, ACME_WIRE, cases[i].text);
            fake_client_expect(f, label, ACME_WIRE, "directory: ");
            assert_string_equal(fake_ca_log(f->ca), "directory");
        }
    }
}

static void
test_directory_long_member(void **state)
{
    struct fake_client *f = *state;
    char *url = long_text("\"https://ca.test/", ACME_URL_MAX, 'a', "\"");

    fake_ca_json(f->ca, FAKE_DIRECTORY, 1, "newOrder", url);
    get_directory(f);
    fake_client_expect(f, "newOrder", ACME_WIRE,
        "directory: member \"newOrder\" is too long");
    fake_client_next_case(f);
    fake_ca_json(f->ca, FAKE_DIRECTORY, 1, "meta.termsOfService", url);
    f->ca->conf.terms = "x";
    get_directory(f);
    fake_client_expect(f, "terms", ACME_WIRE, "\"termsOfService\" is too");
    free(url);
}

static void
test_directory_other_answers(void **state)
{
    static const struct {
        int status;
        const char *body;
        enum acme_rc rc;
        const char *text;
    } cases[] = {
        { 200, "", ACME_WIRE, "directory: answer" },
        { 200, "<html>hello</html>", ACME_WIRE, "directory: answer" },
        { 200, "[]", ACME_WIRE, "directory: answer is not a JSON object" },
        { 200, "{}", ACME_WIRE, "directory: member \"newNonce\" is missing" },
        { 200, "{\"newNonce\":", ACME_WIRE, "directory: answer" },
        { 204, NULL, ACME_WIRE, "directory: unexpected status 204" },
        { 404, "not found", ACME_PROBLEM, "directory: the CA answered 404" },
        { 500, "{\"type\":\"urn:ietf:params:acme:error:serverInternal\"}",
            ACME_PROBLEM, "serverInternal" },
    };
    struct fake_client *f = *state;
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        fake_client_next_case(f);
        fake_ca_reply(f->ca, FAKE_DIRECTORY, 1, cases[i].status, NULL,
            cases[i].body);
        get_directory(f);
        fake_client_expect(f, cases[i].text, cases[i].rc, cases[i].text);
        if (cases[i].status != 200)
            assert_int_equal(f->err.http_status, cases[i].status);
    }
}

static void
test_directory_transport(void **state)
{
    struct fake_client *f = *state;

    fake_ca_fail(f->ca, FAKE_DIRECTORY, 1, ACME_NET);
    get_directory(f);
    fake_client_expect(f, "no answer", ACME_NET, "directory: ");
    fake_client_next_case(f);
    get_directory(f);
    fake_client_expect(f, "again", ACME_OK, NULL);
}

/* A failed refresh leaves the old directory in place. */
static void
test_directory_failed_refresh(void **state)
{
    struct fake_client *f = *state;
    const struct acme_directory *directory = NULL;

    acme_connection_directory(f->connection, &directory, &f->err);
    fake_host_pass(&f->host, 4000);
    fake_ca_json(f->ca, FAKE_DIRECTORY, 1, "newOrder", "1");
    get_directory(f);
    fake_client_expect(f, "refresh", ACME_WIRE, "newOrder");
    assert_string_equal(directory->new_order, "https://ca.test/new-order");
}

static void
test_bad_directory_url(void **state)
{
    static const char *const urls[] = { "", "http://ca.test/dir",
        "ca.test/dir", "https://user@ca.test/dir", "https://ca.test/dir#x" };
    struct fake_client *f = *state;
    size_t i;

    for (i = 0; i < COUNT(urls); i++) {
        fake_client_next_case(f);
        fake_client_renew_at(f, urls[i]);
        get_directory(f);
        fake_client_expect(f, urls[i], ACME_CONFIG, "directory: ");
        assert_string_equal(fake_ca_log(f->ca), "");
    }
}

/* ---- redirects of the directory ---- */

static const struct redirect {
    int status;
    const char *location;
    enum acme_rc rc;
    const char *text, *log;
} redirects[] = {
    { 301, "/dir", ACME_OK, NULL, "directory directory" },
    { 302, "https://ca.test/dir", ACME_OK, NULL, "directory directory" },
    { 303, "../dir", ACME_OK, NULL, "directory directory" },
    { 307, "//ca.test/dir", ACME_OK, NULL, "directory directory" },
    { 308, "https://elsewhere.test/dir", ACME_OK, NULL,
        "directory directory" },
    { 302, NULL, ACME_WIRE, "directory: redirect without a Location",
        "directory" },
    { 302, "http://ca.test/dir", ACME_WIRE,
        "directory: redirect: ", "directory" },
    { 302, "https://other.test/dir", ACME_WIRE,
        "\"https://other.test/dir\" is of another configured CA",
        "directory" },
    { 302, "https://ca.test@other.test/dir", ACME_WIRE,
        "redirect: ", "directory" },
    { 302, "ftp://ca.test/dir", ACME_WIRE, "redirect: ", "directory" },
    /* what is at an address is the transport's affair */
    { 302, "https://169.254.169.254/x", ACME_NET, "directory: nobody",
        "directory https://169.254.169.254/x" },
    { 304, "/dir", ACME_WIRE, "unexpected status 304", "directory" },
    { 300, "/dir", ACME_WIRE, "unexpected status 300", "directory" },
};

static void
test_redirects(void **state)
{
    struct fake_client *f = *state;
    const struct redirect *r;

    for (r = redirects; r < redirects + COUNT(redirects); r++) {
        fake_client_next_case(f);
        fake_client_renew(f);
        fake_ca_reply(f->ca, FAKE_DIRECTORY, 1, r->status, NULL, NULL);
        fake_ca_header(f->ca, FAKE_DIRECTORY, 1, "Location", r->location);
        get_directory(f);
        fake_client_expect(f, r->location ? r->location : "none", r->rc,
            r->text);
        assert_string_equal(fake_ca_log(f->ca), r->log);
    }
}

static void
test_redirect_loop(void **state)
{
    struct fake_client *f = *state;
    unsigned i;

    for (i = 1; i <= 3; i++) {
        fake_ca_reply(f->ca, FAKE_DIRECTORY, i, 302, NULL, NULL);
        fake_ca_header(f->ca, FAKE_DIRECTORY, i, "Location", "/dir");
    }
    get_directory(f);
    fake_client_expect(f, "three", ACME_OK, NULL);
    assert_int_equal(fake_ca_count(f->ca, FAKE_DIRECTORY), 4);

    fake_client_next_case(f);
    fake_client_renew(f);
    fake_ca_reply(f->ca, FAKE_DIRECTORY, FAKE_ALWAYS, 302, NULL, NULL);
    fake_ca_header(f->ca, FAKE_DIRECTORY, FAKE_ALWAYS, "Location", "/dir");
    get_directory(f);
    fake_client_expect(f, "always", ACME_WIRE, "more than 3 redirects");
    assert_int_equal(fake_ca_count(f->ca, FAKE_DIRECTORY), 8);
}

/* Where the redirects end is a second allowed origin. */
static void
test_redirect_moves(void **state)
{
    struct fake_client *f = *state;

    f->ca->conf.base = "https://moved.test";
    get_directory(f);
    fake_client_expect(f, "not moved", ACME_WIRE, "https://moved.test/");

    fake_client_next_case(f);
    fake_ca_reply(f->ca, FAKE_DIRECTORY, 1, 301, NULL, NULL);
    fake_ca_header(f->ca, FAKE_DIRECTORY, 1, "Location",
        "https://moved.test/dir");
    get_directory(f);
    fake_client_expect(f, "moved", ACME_OK, NULL);
    acme_connection_check_url(f->connection, "https://ca.test/order/1",
        &f->err);
    acme_connection_check_url(f->connection, "https://moved.test/order/1",
        &f->err);
    fake_client_expect(f, "both", ACME_OK, NULL);
    acme_connection_check_url(f->connection, "https://third.test/order/1",
        &f->err);
    fake_client_expect(f, "third", ACME_WIRE, "third.test");
}

/* Only the directory is redirected. */
static void
test_redirected_post(void **state)
{
    struct fake_client *f = *state;

    fake_ca_reply(f->ca, FAKE_ACCOUNT, 1, 307, NULL, NULL);
    fake_ca_header(f->ca, FAKE_ACCOUNT, 1, "Location", "/account/0");
    post(f);
    fake_client_expect(f, "post", ACME_WIRE, "unexpected status 307");
    assert_string_equal(fake_ca_log(f->ca), "account");
}

/* ---- where requests may go ---- */

static void
test_check_url(void **state)
{
    static const struct {
        const char *url;
        enum acme_rc rc;
    } cases[] = {
        { "https://ca.test/order/1", ACME_OK },
        { "https://CA.test:443/order/1?x=y", ACME_OK },
        { "https://ca.test:8443/", ACME_WIRE },
        { "http://ca.test/", ACME_WIRE },
        { "https://other.test/order/1", ACME_WIRE },
        { "https://sub.ca.test/", ACME_WIRE },
        { "https://ca.test.:443/", ACME_WIRE },
        { "https://ca.test@evil.test/", ACME_WIRE },
        { "https://evil.test/#@ca.test", ACME_WIRE },
        { "/order/1", ACME_WIRE },
        { "", ACME_WIRE },
    };
    struct fake_client *f = *state;
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        fake_client_next_case(f);
        acme_connection_check_url(f->connection, cases[i].url, &f->err);
        fake_client_expect(f, cases[i].url, cases[i].rc, NULL);
    }
}

static void
test_foreign_post(void **state)
{
    struct fake_client *f = *state;

    post_to(f, "https://evil.test/steal");
    fake_client_expect(f, "evil", ACME_WIRE, "https://evil.test/steal");
    fake_client_next_case(f);
    post_to(f, "https://other.test/new-order");
    fake_client_expect(f, "other", ACME_WIRE,
        "\"https://other.test/new-order\" is of another configured CA");
    assert_string_equal(fake_ca_log(f->ca), "");
}

/* Two issuers at one CA: its origin stays ours. */
static void
test_shared_origin(void **state)
{
    static const char *const others[] = { "https://ca.test/rsa/dir",
        "not a URL", "https://other.test/dir" };
    struct acme_connection_conf conf = { FAKE_CA_DIRECTORY, others, 3 };
    struct fake_client *f = *state;

    fake_client_connect(f, &conf);
    get_directory(f);
    fake_client_expect(f, "shared", ACME_OK, NULL);
    acme_connection_check_url(f->connection, "https://other.test/x", &f->err);
    fake_client_expect(f, "other", ACME_WIRE, "another configured CA");
}

static void
test_location(void **state)
{
    static const struct {
        const char *location, *out;
        enum acme_rc rc;
    } cases[] = {
        { "https://ca.test/order/9", "https://ca.test/order/9", ACME_OK },
        { "/order/9", "https://ca.test/order/9", ACME_OK },
        { "9", "https://ca.test/order/9", ACME_OK },
        { "", "unchanged", ACME_WIRE },
        { "https://evil.test/order/9", "unchanged", ACME_WIRE },
        { "https://other.test/order/9", "unchanged", ACME_WIRE },
        { "http://ca.test/order/9", "unchanged", ACME_WIRE },
        { "//evil.test/order/9", "unchanged", ACME_WIRE },
    };
    struct fake_client *f = *state;
    struct acme_http_response response;
    char out[ACME_URL_MAX];
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        fake_client_next_case(f);
        acme_http_response_init(&response);
        strcpy(response.location, cases[i].location);
        strcpy(out, "unchanged");
        acme_connection_location(f->connection, "https://ca.test/order/1",
            &response, out, &f->err);
        fake_client_expect(f, cases[i].location, cases[i].rc, NULL);
        assert_string_equal(out, cases[i].out);
    }
}

static void
test_set_account(void **state)
{
    struct fake_client *f = *state;
    char *url = long_text("https://ca.test/", ACME_URL_MAX, 'a', "");

    acme_client_set_account(f->client, url, &f->err);
    fake_client_expect(f, "long", ACME_WIRE, "account URL: ");
    assert_null(acme_client_account(f->client));
    fake_client_next_case(f);
    acme_client_set_account(f->client, "nonsense", &f->err);
    fake_client_expect(f, "nonsense", ACME_WIRE, "account URL: ");
    assert_null(acme_client_account(f->client));
    free(url);
}

/* ---- nonces ---- */

static void
test_bad_nonce(void **state)
{
    static const struct {
        unsigned times; /* 99: always */
        enum acme_rc rc;
        unsigned requests;
    } cases[] = {
        { 0, ACME_OK, 1 },
        { 1, ACME_OK, 2 },
        { 2, ACME_OK, 3 },
        { 4, ACME_OK, 5 },
        { ACME_NONCE_RETRIES, ACME_PROBLEM, ACME_NONCE_RETRIES },
        { 99, ACME_PROBLEM, ACME_NONCE_RETRIES },
    };
    struct fake_client *f = *state;
    unsigned before, n;
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        fake_client_next_case(f);
        for (n = 1; n <= cases[i].times; n++)
            fake_ca_problem(f->ca, FAKE_ACCOUNT, n, 400, "badNonce", "old");
        before = fake_ca_count(f->ca, FAKE_ACCOUNT);
        post(f);
        fake_client_expect(f, "badNonce", cases[i].rc,
            cases[i].rc == ACME_OK ? NULL : "badNonce");
        assert_int_equal(fake_ca_count(f->ca, FAKE_ACCOUNT) - before,
            cases[i].requests);
        /* each time the nonce of the error answer: no request for one */
        assert_null(strstr(fake_ca_log(f->ca), "new-nonce"));
    }
    assert_string_equal(f->err.type, "badNonce");
    assert_string_equal(f->err.detail, "old");
    assert_int_equal(f->err.http_status, 400);
}

/* The first result is not mixed with the second's. */
static void
test_bad_nonce_then_problem(void **state)
{
    struct fake_client *f = *state;

    fake_ca_reply(f->ca, FAKE_ACCOUNT, 1, 400, NULL,
        "{\"type\":\"badNonce\",\"subproblems\":[{\"type\":\"x\"}]}");
    fake_ca_header(f->ca, FAKE_ACCOUNT, 1, "Retry-After", "100");
    fake_ca_problem(f->ca, FAKE_ACCOUNT, 2, 403, "unauthorized", "no");
    post(f);
    fake_client_expect(f, "second", ACME_PROBLEM, "unauthorized");
    assert_int_equal(f->err.nsub_total, 0);
    assert_int_equal(f->err.retry_at, 0);
    assert_int_equal(f->err.http_status, 403);
}

static void
test_bad_nonce_without_nonce(void **state)
{
    struct fake_client *f = *state;

    fake_ca_problem(f->ca, FAKE_ACCOUNT, 1, 400, "badNonce", "old");
    fake_ca_header(f->ca, FAKE_ACCOUNT, 1, "Replay-Nonce", NULL);
    post(f);
    fake_client_expect(f, "again", ACME_OK, NULL);
    assert_string_equal(fake_ca_log(f->ca), "account new-nonce account");
}

/* A CA that forgot all nonces costs one badNonce. */
static void
test_dropped_nonces(void **state)
{
    struct fake_client *f = *state;

    fake_ca_drop_nonces(f->ca);
    post(f);
    post(f);
    fake_client_expect(f, "again", ACME_OK, NULL);
    assert_string_equal(fake_ca_log(f->ca), "account account account");
}

/* RFC 8555 6.5.1: what is not base64url must be ignored. */
static void
test_malformed_nonce(void **state)
{
    struct fake_client *f = *state;
    char *too_long = long_text("", ACME_NONCE_MAX + 1, 'a', "");
    const char *const nonces[] = { "abc+/", "abc=", "a b", "a\"b", "",
        too_long };
    size_t i;

    for (i = 0; i < COUNT(nonces); i++) {
        fake_client_next_case(f);
        fake_ca_header(f->ca, FAKE_ACCOUNT, 1, "Replay-Nonce", nonces[i]);
        post(f);
        post(f);
        fake_client_expect(f, nonces[i], ACME_OK, NULL);
        assert_string_equal(fake_ca_log(f->ca), "account new-nonce account");
    }
    free(too_long);
}

static void
test_nonce_reuse(void **state)
{
    struct fake_client *f = *state;
    int i;

    for (i = 0; i < 20; i++)
        post(f);
    fake_client_expect(f, "reuse", ACME_OK, NULL);
    assert_null(strstr(fake_ca_log(f->ca), "new-nonce"));

    /* nor do they pile up: after 20 answers just one is kept */
    fake_ca_forget_log(f->ca);
    fake_ca_header(f->ca, FAKE_ACCOUNT, 1, "Replay-Nonce", NULL);
    post(f);
    post(f);
    assert_string_equal(fake_ca_log(f->ca), "account new-nonce account");
}

/* The nonce of an error answer is as good as any. */
static void
test_nonce_of_error(void **state)
{
    struct fake_client *f = *state;

    fake_ca_problem(f->ca, FAKE_ACCOUNT, 1, 403, "unauthorized", "no");
    post(f);
    fake_client_expect(f, "no", ACME_PROBLEM, "unauthorized");
    fake_client_next_case(f);
    post(f);
    assert_string_equal(fake_ca_log(f->ca), "account");
}

static void
test_nonce_age(void **state)
{
    struct fake_client *f = *state;

    fake_host_pass(&f->host, 1799);
    post(f);
    assert_string_equal(fake_ca_log(f->ca), "account");
    fake_ca_forget_log(f->ca);
    fake_host_pass(&f->host, 1800);
    post(f);
    fake_client_expect(f, "age", ACME_OK, NULL);
    assert_string_equal(fake_ca_log(f->ca), "new-nonce account");
}

/* A nonce goes out once, even if nothing comes back. */
static void
test_nonce_lost(void **state)
{
    struct fake_client *f = *state;

    fake_ca_fail(f->ca, FAKE_ACCOUNT, 1, ACME_NET);
    post(f);
    fake_client_expect(f, "lost", ACME_NET, NULL);
    fake_client_next_case(f);
    post(f);
    fake_client_expect(f, "again", ACME_OK, NULL);
    assert_string_equal(fake_ca_log(f->ca), "new-nonce account");
}

static void
test_new_nonce_answers(void **state)
{
    static const struct {
        int status;
        const char *nonce;
        enum acme_rc rc;
        const char *text;
    } cases[] = {
        { 200, "abc-_", ACME_PROBLEM, "badNonce" }, /* it was used */
        { 204, "abc-_", ACME_PROBLEM, "badNonce" },
        { 200, NULL, ACME_WIRE, "new nonce: answer without a nonce" },
        { 200, "a+b", ACME_WIRE, "new nonce: answer without a nonce" },
        { 302, "abc", ACME_WIRE, "new nonce: unexpected status 302" },
        { 404, "abc", ACME_PROBLEM, "new nonce: the CA answered 404" },
        { 503, "abc", ACME_PROBLEM, "new nonce: the CA answered 503" },
    };
    struct fake_client *f = *state;
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        fake_client_next_case(f);
        fake_host_pass(&f->host, 1800);
        fake_ca_reply(f->ca, FAKE_NEW_NONCE, 1, cases[i].status, NULL, NULL);
        fake_ca_header(f->ca, FAKE_NEW_NONCE, 1, "Replay-Nonce",
            cases[i].nonce);
        fake_ca_header(f->ca, FAKE_NEW_NONCE, 1, "Retry-After",
            cases[i].status == 503 ? "60" : NULL);
        fake_ca_problem(f->ca, FAKE_ACCOUNT, FAKE_ALWAYS, 400, "badNonce", "");
        post(f);
        fake_client_expect(f, cases[i].text, cases[i].rc, cases[i].text);
        if (cases[i].rc == ACME_PROBLEM && cases[i].status < 300)
            assert_non_null(
                strstr(fake_ca_protected(f->ca, FAKE_ACCOUNT), "nonce-"));
    }
    assert_int_equal(f->err.retry_at, f->host.now + 60);
}

/* ---- signed requests ---- */

static void
test_needs_key(void **state)
{
    struct fake_client *f = *state;

    acme_client_set_key(f->client, NULL);
    post_to(f, "https://ca.test/order/1");
    fake_client_expect(f, "key", ACME_NOENT, "no account key");
    fake_client_next_case(f);
    acme_client_set_key(f->client, f->key);
    forget_account(f);
    post_to(f, "https://ca.test/order/1");
    fake_client_expect(f, "account", ACME_NOENT, "no account");
    assert_string_equal(fake_ca_log(f->ca), "");
}

static void
test_headers(void **state)
{
    struct fake_client *f = *state;
    struct acme_client_request request = { 0 };
    struct acme_http_response response;

    post(f);
    assert_string_equal(fake_ca_accept(f->ca, FAKE_ACCOUNT),
        "application/json");
    assert_string_equal(fake_ca_payload(f->ca, FAKE_ACCOUNT), "");
    acme_http_response_init(&response);
    fake_ca_reply(f->ca, FAKE_ACCOUNT, 1, 200, "text/plain", "hello");
    request.url = acme_client_account(f->client);
    request.accept = "text/plain";
    acme_client_post(f->client, &request, &response, &f->err);
    fake_client_expect(f, "post", ACME_OK, NULL);
    assert_string_equal(fake_ca_accept(f->ca, FAKE_ACCOUNT), "text/plain");
    assert_string_equal(acme_buf_str(&response.body), "hello");
    acme_http_response_clear(&response);
}

static void
test_max_body(void **state)
{
    struct fake_client *f = *state;
    struct acme_client_request request = { 0 };
    struct acme_http_response response;

    acme_http_response_init(&response);
    fake_ca_reply(f->ca, FAKE_ACCOUNT, FAKE_ALWAYS, 200, NULL, "12345");
    request.url = acme_client_account(f->client);
    request.max_body = 5;
    acme_client_post(f->client, &request, &response, &f->err);
    fake_client_expect(f, "five", ACME_OK, NULL);
    request.max_body = 4;
    acme_client_post(f->client, &request, &response, &f->err);
    fake_client_expect(f, "four", ACME_WIRE, NULL);
    acme_http_response_clear(&response);
}

static void
test_statuses(void **state)
{
    static const struct {
        int status;
        enum acme_rc rc;
    } cases[] = { { 200, ACME_OK }, { 201, ACME_OK }, { 202, ACME_WIRE },
        { 204, ACME_WIRE }, { 206, ACME_WIRE }, { 100, ACME_WIRE },
        { 0, ACME_WIRE }, { 304, ACME_WIRE }, { 400, ACME_PROBLEM },
        { 499, ACME_PROBLEM }, { 500, ACME_PROBLEM }, { 999, ACME_PROBLEM } };
    struct fake_client *f = *state;
    char label[16];
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        fake_client_next_case(f);
        fake_ca_status(f->ca, FAKE_ACCOUNT, 1, cases[i].status);
        post(f);
        snprintf(label, sizeof(label), "%d", cases[i].status);
        fake_client_expect(f, label, cases[i].rc,
            cases[i].rc == ACME_OK ? NULL : label);
        assert_int_equal(f->err.http_status,
            cases[i].rc == ACME_OK ? 0 : cases[i].status);
    }
}

static void
test_bodies(void **state)
{
    static const char *const bodies[] = { "", " ", "null", "[]", "\"text\"",
        "1", "{", "{}x", "{\"a\":1,\"a\":2}", "{\"a\":\"\\u0000\"}",
        "{\"a\\u0000\":1}", "{\"a\":\"\xff\"}",
        "[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]" };
    struct fake_client *f = *state;
    size_t i;

    for (i = 0; i < COUNT(bodies); i++) {
        fake_client_next_case(f);
        fake_ca_reply(f->ca, FAKE_ACCOUNT, 1, 200, "application/json",
            bodies[i]);
        post(f);
        fake_client_expect(f, bodies[i], ACME_WIRE, "answer");
    }
}

/* The CA's forgotten account: the next acme_account_ensure() looks for it. */
static void
test_account_gone(void **state)
{
    struct fake_client *f = *state;

    fake_ca_drop_accounts(f->ca);
    post(f);
    fake_client_expect(f, "gone", ACME_PROBLEM, "accountDoesNotExist");
    assert_null(acme_client_account(f->client));
    assert_string_equal(fake_ca_log(f->ca), "account");
}

/* ---- problem documents ---- */

#define URN "urn:ietf:params:acme:error:"

static const struct problem {
    int status;
    const char *content_type, *body;
    const char *type, *detail, *line;
} problems[] = {
    { 403, "application/problem+json",
        "{\"type\":\"" URN "unauthorized\",\"detail\":\"no way\"}",
        "unauthorized", "no way", "the CA answered 403" },
    { 403, "application/json",
        "{\"type\":\"" URN "unauthorized\",\"detail\":\"no way\"}",
        "unauthorized", "no way", "unauthorized" },
    { 403, NULL, "{\"type\":\"" URN "unauthorized\",\"detail\":\"no\"}",
        "unauthorized", "no", "unauthorized" },
    { 403, NULL, "{\"type\":\"unauthorized\",\"detail\":\"bare\"}",
        "unauthorized", "bare", "unauthorized" },
    { 400, NULL, "{\"type\":\"https://ca.test/errors/x\"}",
        "https://ca.test/errors/x", "", "https://ca.test/errors/x" },
    { 400, NULL, "{\"type\":7,\"detail\":[],\"instance\":{}}", "", "",
        "the CA answered 400" },
    { 400, NULL, "{\"detail\":\"only\"}", "", "only", "only" },
    { 400, NULL,
        "{\"type\":\"x\\u001b[2J\",\"detail\":\"a\\nb\\u202e\\u0007c\"}",
        "x\\x1b[2J", "a\\x0ab\\xe2\\x80\\xae\\x07c", "x\\x1b[2J" },
    { 400, NULL, "{\"type\":\"a\\u0000b\"}", "", "", "answered 400" },
    { 500, NULL, NULL, "", "", "the CA answered 500" },
    { 400, "application/problem+json", "", "", "", "answered 400" },
    { 400, "application/problem+json", "[]", "", "", "answered 400" },
    { 400, "application/problem+json", "{\"type\":", "", "", "answered 400" },
    { 502, "text/html", "<html><h1>Bad Gateway</h1>\r\n</html>", "", "",
        "the CA answered 502" },
    { 502, "application/json", "<html>lies</html>", "", "",
        "the CA answered 502" },
};

static void
test_problems(void **state)
{
    struct fake_client *f = *state;
    const struct problem *p;

    for (p = problems; p < problems + COUNT(problems); p++) {
        fake_client_next_case(f);
        fake_ca_reply(f->ca, FAKE_ACCOUNT, 1, p->status, p->content_type,
            p->body);
        post(f);
        fake_client_expect(f, p->body ? p->body : "none", ACME_PROBLEM,
            p->line);
        if (strcmp(f->err.type, p->type) != 0)
            fail_msg("type of %s: %s", p->body, f->err.type);
        if (p->detail[0] != '\0')
            assert_string_equal(f->err.detail, p->detail);
        assert_int_equal(f->err.http_status, p->status);
        assert_int_equal(f->err.retry_at, 0);
        assert_int_equal(f->err.nsub_total, 0);
    }
}

/* Controls, line breaks and bidirectional marks never get through. */
static void
test_unprintable(void **state)
{
    struct fake_client *f = *state;
    const char *p;

    fake_ca_reply(f->ca, FAKE_ACCOUNT, 1, 400, NULL,
        "{\"type\":\"t\\u001b\\n\",\"detail\":\"a\\nb\\u0007\\u001b[31m"
        "\\u202ec\\u0085\",\"instance\":\"https://x\\r\\n\",\"subproblems\":"
        "[{\"type\":\"s\\n\",\"detail\":\"\\u009b\\t\",\"identifier\":"
        "{\"type\":\"dns\",\"value\":\"\\u001bc\"}}]}");
    post(f);
    fake_client_expect(f, "unprintable", ACME_PROBLEM, "[31m");
    for (p = f->line; *p != '\0'; p++)
        assert_true((unsigned char)*p >= ' ' && (unsigned char)*p < 127);
    assert_null(strpbrk(f->err.instance, "\r\n"));
    assert_null(strchr(f->err.sub[0].identifier, '\033'));
}

static void
test_long_texts(void **state)
{
    struct fake_client *f = *state;
    char *body = long_text("{\"type\":\"" URN "rateLimited\",\"detail\":\"",
        5000, 'd', "\"}");

    fake_ca_reply(f->ca, FAKE_ACCOUNT, 1, 400, NULL, body);
    post(f);
    fake_client_expect(f, "long", ACME_PROBLEM, "rateLimited");
    assert_int_equal(strlen(f->err.detail), ACME_FOREIGN_TEXT_MAX - 1);
    free(body);
    body = long_text("{\"type\":\"", 5000, 't', "\"}");
    fake_client_next_case(f);
    fake_ca_reply(f->ca, FAKE_ACCOUNT, 1, 400, NULL, body);
    post(f);
    assert_int_equal(strlen(f->err.type), sizeof(f->err.type) - 1);
    free(body);
}

/* RFC 8555 6.7.1; more are sent than kept. */
static void
test_subproblems(void **state)
{
    struct fake_client *f = *state;
    struct acme_buf body;
    int i;

    acme_buf_init(&body, 1 << 16);
    acme_buf_add_str(&body,
        "{\"type\":\"" URN "compound\","
        "\"instance\":\"https://ca.test/help?id=5\",\"subproblems\":[");
    for (i = 0; i < 6; i++)
        acme_buf_addf(&body,
            "%s{\"type\":\"" URN "dns\",\"detail\":\"d%d\","
            "\"identifier\":{\"type\":\"dns\",\"value\":\"n%d.test\"}}",
            i > 0 ? "," : "", i, i);
    acme_buf_add_str(&body, "]}");
    fake_ca_reply(f->ca, FAKE_ACCOUNT, 1, 400, NULL, acme_buf_str(&body));
    post(f);
    fake_client_expect(f, "compound", ACME_PROBLEM, "n3.test");
    assert_int_equal(f->err.nsub_total, 6);
    assert_int_equal(f->err.nsub, ACME_SUBPROBLEMS_MAX);
    assert_string_equal(f->err.sub[0].type, "dns");
    assert_string_equal(f->err.sub[1].detail, "d1");
    assert_string_equal(f->err.sub[3].identifier, "n3.test");
    assert_string_equal(f->err.instance, "https://ca.test/help?id=5");
    acme_buf_clear(&body);
}

static void
test_odd_subproblems(void **state)
{
    struct fake_client *f = *state;

    fake_ca_reply(f->ca, FAKE_ACCOUNT, 1, 400, NULL,
        "{\"type\":\"x\",\"subproblems\":[1,null,[],{\"identifier\":\"a\"}]}");
    post(f);
    fake_client_expect(f, "odd", ACME_PROBLEM, "x");
    assert_int_equal(f->err.nsub_total, 4);
    assert_string_equal(f->err.sub[3].identifier, "");
    fake_client_next_case(f);
    fake_ca_reply(f->ca, FAKE_ACCOUNT, 1, 400, NULL,
        "{\"type\":\"x\",\"subproblems\":{\"a\":1}}");
    post(f);
    assert_int_equal(f->err.nsub_total, 0);
}

static void
test_retry_after(void **state)
{
    static const struct {
        int status;
        const char *value;
        long seconds; /* -1: none */
    } cases[] = {
        { 429, "120", 120 },
        { 503, "1", 1 },
        { 503, "0", 0 },
        { 429, NULL, -1 },
        { 503, "-5", -1 },
        { 400, "30", 30 },
        { 429, "604800", 604800 },
        { 429, "604801", 604800 },
        { 503, "1000000000000000000", 604800 },
    };
    struct fake_client *f = *state;
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        fake_client_next_case(f);
        fake_ca_problem(f->ca, FAKE_ACCOUNT, 1, cases[i].status, "rateLimited",
            "slowly");
        fake_ca_header(f->ca, FAKE_ACCOUNT, 1, "Retry-After", cases[i].value);
        post(f);
        fake_client_expect(f, "limit", ACME_PROBLEM, "rateLimited");
        assert_int_equal(f->err.retry_at,
            cases[i].seconds < 0 ? 0 : f->host.now + cases[i].seconds);
    }
}

/* A 503 without a document has its time as well. */
static void
test_retry_after_html(void **state)
{
    struct fake_client *f = *state;

    fake_ca_reply(f->ca, FAKE_ACCOUNT, 1, 503, "text/html", "<p>busy");
    fake_ca_header(f->ca, FAKE_ACCOUNT, 1, "Retry-After", "77");
    post(f);
    fake_client_expect(f, "busy", ACME_PROBLEM, "the CA answered 503");
    assert_int_equal(f->err.retry_at, f->host.now + 77);
}

/* Let's Encrypt's way of saying it; a header is surer. */
static void
test_retry_after_text(void **state)
{
    static const struct {
        const char *detail, *header;
        long seconds; /* -1: none */
    } cases[] = {
        { "too many orders (300) recently, retry after 2026-11-21 13:00:00 "
          "UTC: see https://letsencrypt.org/docs/rate-limits/",
            NULL, 3600 },
        { "retry after 2026-11-21 13:00:00 UTC", "60", 60 },
        { "retry after 2026-11-21 13:00:00 UTC", NULL, 3600 },
        { "retry after 2029-11-21 13:00:00 UTC", NULL, 604800 },
        { "retry after 2026-11-21 11:00:00 UTC", NULL, -1 },
        { "retry after 2026-11-21 13:00:00 CET", NULL, -1 },
        { "retry after 2026-11-21T13:00:00 UTC", NULL, -1 },
        { "retry after 2026-11-21 13:00", NULL, -1 },
        { "retry after 2026-13-21 13:00:00 UTC", NULL, -1 },
        { "retry after", NULL, -1 },
    };
    struct fake_client *f = *state;
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        fake_client_next_case(f);
        f->host.now = 1795262400; /* 2026-11-21T12:00:00Z */
        fake_ca_problem(f->ca, FAKE_ACCOUNT, 1, 429, "rateLimited",
            cases[i].detail);
        fake_ca_header(f->ca, FAKE_ACCOUNT, 1, "Retry-After", cases[i].header);
        post(f);
        fake_client_expect(f, "limit", ACME_PROBLEM, "rateLimited");
        if (f->err.retry_at !=
            (cases[i].seconds < 0 ? 0 : f->host.now + cases[i].seconds))
            fail_msg("%s: %ld", cases[i].detail,
                (long)(f->err.retry_at - f->host.now));
    }
}

/* The portal's URL, which may be longer than what is kept of the text. */
static void
test_portal(void **state)
{
    static const char portal[] = "https://portal.test/unpause?jwt=";
    struct fake_client *f = *state;
    char detail[1400], url[1000];

    snprintf(url, sizeof(url), "%s%0700d", portal, 7);
    snprintf(detail, sizeof(detail), "%0100d. Please visit: %s", 5, url);
    fake_ca_problem(f->ca, FAKE_ACCOUNT, 1, 429, "rateLimited", detail);
    post(f);
    assert_string_equal(f->err.instance, url);
    fake_client_next_case(f);
    snprintf(detail, sizeof(detail), "go to %sx, (or not).", portal);
    fake_ca_problem(f->ca, FAKE_ACCOUNT, 1, 429, "rateLimited", detail);
    post(f);
    assert_string_equal(f->err.instance, "https://portal.test/unpause?jwt=x");
    fake_client_next_case(f);
    snprintf(detail, sizeof(detail), "visit %s%01100d", portal, 7);
    fake_ca_problem(f->ca, FAKE_ACCOUNT, 1, 429, "rateLimited", detail);
    post(f);
    assert_string_equal(f->err.instance, "");
}

/* An error that is there already stays. */
static void
test_first_error_wins(void **state)
{
    struct fake_client *f = *state;

    acme_error_set(&f->err, ACME_IO, "before");
    fake_ca_problem(f->ca, FAKE_ACCOUNT, 1, 403, "unauthorized", "no");
    post_to(f, acme_client_account(f->client));
    fake_client_expect(f, "first", ACME_IO, "before");
    assert_string_equal(f->err.type, "");
}

/* ---- waiting ---- */

static void
test_wait(void **state)
{
    static const struct {
        unsigned nth;
        long retry_after;
        enum acme_rc rc;
        unsigned ms; /* slept, or until retry_at */
    } cases[] = {
        { 0, -1, ACME_OK, 250 },
        { 1, -1, ACME_OK, 500 },
        { 2, -1, ACME_OK, 1000 },
        { 9, -1, ACME_OK, 5000 },
        { 10, -1, ACME_LATER, 15000 },
        { 4000000000u, -1, ACME_LATER, 15000 },
        { 0, 0, ACME_OK, 1000 },
        { 0, 1, ACME_OK, 1000 },
        { 9, 3, ACME_OK, 3000 },
        { 10, 3, ACME_LATER, 15000 },
        { 10, 20, ACME_LATER, 20000 },
        { 0, 10, ACME_OK, 10000 },
        { 0, 11, ACME_LATER, 11000 },
        { 0, 60, ACME_LATER, 60000 },
        { 0, 61, ACME_LATER, 60000 },
        { 0, 2147483647, ACME_LATER, 60000 },
        { 0, LONG_MAX, ACME_LATER, 60000 },
        { 0, -7, ACME_OK, 250 },
        { 0, LONG_MIN, ACME_OK, 250 },
    };
    struct fake_client *f = *state;
    time_t before;
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        fake_client_next_case(f);
        before = f->host.now;
        f->host.waited_ms = 0;
        acme_client_wait(f->client, cases[i].nth, cases[i].retry_after,
            &f->err);
        fake_client_expect(f, "wait", cases[i].rc, NULL);
        if (cases[i].rc == ACME_OK)
            assert_int_equal(f->host.waited_ms, cases[i].ms);
        else
            assert_int_equal(f->err.retry_at - before, cases[i].ms / 1000);
    }
}

static void
test_wait_stopped(void **state)
{
    struct fake_client *f = *state;

    f->host.stop_after = 1;
    acme_client_wait(f->client, 0, -1, &f->err);
    fake_client_expect(f, "first", ACME_OK, NULL);
    acme_client_wait(f->client, 1, -1, &f->err);
    fake_client_expect(f, "second", ACME_STOPPING, NULL);
    assert_int_equal(f->host.waits, 1);
}

static void
test_transport_stopped(void **state)
{
    struct fake_client *f = *state;

    fake_ca_fail(f->ca, FAKE_ACCOUNT, 1, ACME_STOPPING);
    post(f);
    fake_client_expect(f, "stop", ACME_STOPPING, NULL);
    assert_string_equal(fake_ca_log(f->ca), "account");
}

#define KEY_TEST(test)                                       \
    cmocka_unit_test_setup_teardown(test, fake_client_setup, \
        fake_client_teardown)
#define ACCOUNT_TEST(test)                                           \
    cmocka_unit_test_setup_teardown(test, fake_client_setup_account, \
        fake_client_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        KEY_TEST(test_directory),
        KEY_TEST(test_directory_plain),
        KEY_TEST(test_directory_profiles),
        KEY_TEST(test_directory_many_profiles),
        KEY_TEST(test_directory_age),
        KEY_TEST(test_directory_members),
        KEY_TEST(test_directory_long_member),
        KEY_TEST(test_directory_other_answers),
        KEY_TEST(test_directory_transport),
        KEY_TEST(test_directory_failed_refresh),
        KEY_TEST(test_bad_directory_url),
        KEY_TEST(test_redirects),
        KEY_TEST(test_redirect_loop),
        KEY_TEST(test_redirect_moves),
        ACCOUNT_TEST(test_redirected_post),
        ACCOUNT_TEST(test_check_url),
        ACCOUNT_TEST(test_foreign_post),
        KEY_TEST(test_shared_origin),
        KEY_TEST(test_location),
        KEY_TEST(test_set_account),
        ACCOUNT_TEST(test_bad_nonce),
        ACCOUNT_TEST(test_bad_nonce_then_problem),
        ACCOUNT_TEST(test_bad_nonce_without_nonce),
        ACCOUNT_TEST(test_dropped_nonces),
        ACCOUNT_TEST(test_malformed_nonce),
        ACCOUNT_TEST(test_nonce_reuse),
        ACCOUNT_TEST(test_nonce_of_error),
        ACCOUNT_TEST(test_nonce_age),
        ACCOUNT_TEST(test_nonce_lost),
        ACCOUNT_TEST(test_new_nonce_answers),
        ACCOUNT_TEST(test_needs_key),
        ACCOUNT_TEST(test_headers),
        ACCOUNT_TEST(test_max_body),
        ACCOUNT_TEST(test_statuses),
        ACCOUNT_TEST(test_bodies),
        ACCOUNT_TEST(test_account_gone),
        ACCOUNT_TEST(test_problems),
        ACCOUNT_TEST(test_unprintable),
        ACCOUNT_TEST(test_long_texts),
        ACCOUNT_TEST(test_subproblems),
        ACCOUNT_TEST(test_odd_subproblems),
        ACCOUNT_TEST(test_retry_after),
        ACCOUNT_TEST(test_retry_after_html),
        ACCOUNT_TEST(test_retry_after_text),
        ACCOUNT_TEST(test_portal),
        ACCOUNT_TEST(test_first_error_wins),
        KEY_TEST(test_wait),
        KEY_TEST(test_wait_stopped),
        ACCOUNT_TEST(test_transport_stopped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
