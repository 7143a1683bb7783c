/* RFC 8555 7.3: found by key, created, refused, forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_client.h"
#include "fake_jws.h"
#include "protocol/acme_account.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ACCOUNT_0 "https://ca.test/account/0"
#define ACCOUNT_1 "https://ca.test/account/1"

/* *origin is left alone by a failure. */
static enum acme_rc
ensure(struct fake_client *f, bool accepted, enum acme_account_origin *origin)
{
    static const char *const contacts[] = { "mailto:a@a.test",
        "mailto:b@a.test" };
    struct acme_account_wish wish = { .contacts = contacts,
        .ncontacts = 2,
        .terms_accepted = accepted };
    enum acme_rc rc;

    *origin = ACME_ACCOUNT_KNOWN;
    rc = acme_account_ensure(f->client, &wish, origin, &f->err);
    assert_int_equal(rc, f->err.rc);
    assert_int_equal(rc == ACME_OK, acme_client_account(f->client) != NULL);
    if (rc != ACME_OK) {
        assert_int_equal(*origin, ACME_ACCOUNT_KNOWN);
        fake_client_expect(f, "prefix", rc, "account: ");
    }
    return rc;
}

static void
set_account(struct fake_client *f, const char *url)
{
    assert_int_equal(acme_client_set_account(f->client, url, &f->err),
        ACME_OK);
}

static void
test_create(void **state)
{
    struct fake_client *f = *state;
    enum acme_account_origin origin = ACME_ACCOUNT_KNOWN;

    f->ca->conf.terms = "https://ca.test/terms";
    ensure(f, true, &origin);
    fake_client_expect(f, "create", ACME_OK, NULL);
    assert_int_not_equal(origin, ACME_ACCOUNT_KNOWN);
    assert_string_equal(acme_client_account(f->client), ACCOUNT_0);
    assert_string_equal(fake_ca_log(f->ca),
        "directory new-nonce new-account new-account");
    assert_string_equal(fake_ca_payload(f->ca, FAKE_NEW_ACCOUNT),
        "{\"termsOfServiceAgreed\":true,"
        "\"contact\":[\"mailto:a@a.test\",\"mailto:b@a.test\"]}");
    assert_non_null(
        strstr(fake_ca_protected(f->ca, FAKE_NEW_ACCOUNT), "\"jwk\""));
}

/* No terms, no consent, no contact: nothing of it is said. */
static void
test_create_plain(void **state)
{
    struct fake_client *f = *state;
    struct acme_account_wish wish = { .contacts = NULL };
    enum acme_account_origin origin = ACME_ACCOUNT_KNOWN;

    acme_account_ensure(f->client, &wish, &origin, &f->err);
    fake_client_expect(f, "create", ACME_OK, NULL);
    assert_int_not_equal(origin, ACME_ACCOUNT_KNOWN);
    assert_string_equal(fake_ca_payload(f->ca, FAKE_NEW_ACCOUNT), "{}");
}

static void
test_found_by_key(void **state)
{
    struct fake_client *f = *state;
    enum acme_account_origin origin = ACME_ACCOUNT_KNOWN;

    f->ca->conf.terms = "https://ca.test/terms";
    f->ca->conf.eab_required = true; /* neither matters any more */
    fake_client_renew(f);
    ensure(f, false, &origin);
    fake_client_expect(f, "found", ACME_OK, NULL);
    assert_int_not_equal(origin, ACME_ACCOUNT_KNOWN);
    assert_string_equal(acme_client_account(f->client), ACCOUNT_0);
    assert_string_equal(fake_ca_log(f->ca), "directory new-nonce new-account");
    assert_string_equal(fake_ca_payload(f->ca, FAKE_NEW_ACCOUNT),
        "{\"onlyReturnExisting\":true}");
    assert_int_equal(fake_ca_accounts(f->ca), 1);
}

static void
test_stored(void **state)
{
    struct fake_client *f = *state;
    enum acme_account_origin origin = ACME_ACCOUNT_KNOWN;

    ensure(f, false, &origin);
    fake_client_expect(f, "stored", ACME_OK, NULL);
    assert_int_equal(origin, ACME_ACCOUNT_KNOWN);
    assert_string_equal(acme_client_account(f->client), ACCOUNT_0);
    assert_string_equal(fake_ca_log(f->ca), "account");
}

/* RFC 8555 6.7 accountDoesNotExist: looked for, then made, each once. */
static void
test_stored_gone(void **state)
{
    struct fake_client *f = *state;
    enum acme_account_origin origin = ACME_ACCOUNT_KNOWN;

    fake_ca_drop_accounts(f->ca);
    ensure(f, true, &origin);
    fake_client_expect(f, "gone", ACME_OK, NULL);
    assert_int_not_equal(origin, ACME_ACCOUNT_KNOWN);
    assert_string_equal(acme_client_account(f->client), ACCOUNT_1);
    assert_string_equal(fake_ca_log(f->ca), "account new-account new-account");
}

/* The CA denies an account, but finds it by its key: it is not new to us. */
static void
test_stored_found_again(void **state)
{
    struct fake_client *f = *state;
    enum acme_account_origin origin = ACME_ACCOUNT_KNOWN;

    fake_ca_problem(f->ca, FAKE_ACCOUNT, 1, 400, "accountDoesNotExist", "");
    ensure(f, false, &origin);
    fake_client_expect(f, "again", ACME_OK, NULL);
    assert_int_equal(origin, ACME_ACCOUNT_KNOWN);
    assert_string_equal(fake_ca_log(f->ca), "account new-account");
}

/* A CA that denies everything gets no third request. */
static void
test_denies_everything(void **state)
{
    struct fake_client *f = *state;
    enum acme_account_origin origin = ACME_ACCOUNT_KNOWN;

    fake_ca_problem(f->ca, FAKE_ACCOUNT, FAKE_ALWAYS, 400,
        "accountDoesNotExist", "");
    fake_ca_problem(f->ca, FAKE_NEW_ACCOUNT, FAKE_ALWAYS, 400,
        "accountDoesNotExist", "");
    ensure(f, true, &origin);
    fake_client_expect(f, "denied", ACME_PROBLEM,
        "account: new account: the CA answered 400");
    assert_string_equal(f->err.type, "accountDoesNotExist");
    assert_string_equal(fake_ca_log(f->ca), "account new-account new-account");
}

/* A CA that has moved to other hosts: the old URL is never talked to. */
static void
test_stored_foreign(void **state)
{
    static const char *const urls[] = { "https://old.test/account/0",
        "https://other.test/account/0" };
    struct fake_client *f = *state;
    enum acme_account_origin origin = ACME_ACCOUNT_KNOWN;
    size_t i;

    for (i = 0; i < COUNT(urls); i++) {
        fake_client_next_case(f);
        set_account(f, urls[i]);
        ensure(f, false, &origin);
        fake_client_expect(f, urls[i], ACME_OK, NULL);
        assert_int_not_equal(origin, ACME_ACCOUNT_KNOWN);
        assert_string_equal(acme_client_account(f->client), ACCOUNT_0);
        assert_string_equal(fake_ca_log(f->ca), "new-account");
    }
}

/* Anything else says nothing about the account. */
static void
test_stored_trouble(void **state)
{
    struct fake_client *f = *state;
    struct acme_account_wish wish = { .terms_accepted = true };
    enum acme_account_origin origin = ACME_ACCOUNT_MADE;

    fake_ca_problem(f->ca, FAKE_ACCOUNT, 1, 503, "serverInternal", "busy");
    fake_ca_header(f->ca, FAKE_ACCOUNT, 1, "Retry-After", "60");
    acme_account_ensure(f->client, &wish, &origin, &f->err);
    fake_client_expect(f, "busy", ACME_PROBLEM, "account: the CA answered");
    assert_int_equal(f->err.retry_at, f->host.now + 60);
    assert_string_equal(acme_client_account(f->client), ACCOUNT_0);
    assert_int_not_equal(origin, ACME_ACCOUNT_KNOWN);

    fake_client_next_case(f);
    fake_ca_fail(f->ca, FAKE_ACCOUNT, 1, ACME_NET);
    acme_account_ensure(f->client, &wish, &origin, &f->err);
    fake_client_expect(f, "net", ACME_NET, "account: ");
    assert_string_equal(acme_client_account(f->client), ACCOUNT_0);
    assert_string_equal(fake_ca_log(f->ca), "account");
}

static void
test_terms(void **state)
{
    struct fake_client *f = *state;
    enum acme_account_origin origin = ACME_ACCOUNT_KNOWN;

    f->ca->conf.terms = "https://ca.test/terms-v1.pdf";
    ensure(f, false, &origin);
    fake_client_expect(f, "terms", ACME_CONFIG,
        "https://ca.test/terms-v1.pdf");
    fake_client_expect(f, "nginx", ACME_CONFIG,
        "acme_accept_terms_of_service");
    fake_client_expect(f, "httpd", ACME_CONFIG,
        "ACMECertificateAgreement accepted");
    assert_string_equal(f->err.instance, "https://ca.test/terms-v1.pdf");
    assert_string_equal(fake_ca_log(f->ca), "directory new-nonce new-account");
    assert_int_equal(fake_ca_accounts(f->ca), 0);
}

/* However long the URL, the directives are in the text; whatever is in it
 * does not reach a terminal. */
static void
test_terms_odd_url(void **state)
{
    struct fake_client *f = *state;
    char url[1900];
    enum acme_account_origin origin = ACME_ACCOUNT_KNOWN;

    memset(url, 'x', sizeof(url));
    memcpy(url, "https://ca.test/\033[2J\n", 21);
    url[sizeof(url) - 1] = '\0';
    f->ca->conf.terms = url;
    ensure(f, false, &origin);
    fake_client_expect(f, "nginx", ACME_CONFIG,
        "acme_accept_terms_of_service");
    fake_client_expect(f, "httpd", ACME_CONFIG,
        "ACMECertificateAgreement accepted");
    fake_client_expect(f, "URL", ACME_CONFIG, "https://ca.test/");
    assert_null(strpbrk(f->line, "\033\n"));
    assert_null(strpbrk(f->err.instance, "\033\n"));
}

/* The CA has terms it does not tell of, or new ones. */
static void
test_user_action(void **state)
{
    struct fake_client *f = *state;
    enum acme_account_origin origin = ACME_ACCOUNT_KNOWN;

    fake_ca_reply(f->ca, FAKE_NEW_ACCOUNT, 2, 403, "application/problem+json",
        "{\"type\":\"urn:ietf:params:acme:error:userActionRequired\","
        "\"detail\":\"agree\",\"instance\":\"https://ca.test/agree?a=1\"}");
    ensure(f, true, &origin);
    fake_client_expect(f, "agree", ACME_PROBLEM, "account: new account: ");
    assert_string_equal(f->err.type, "userActionRequired");
    assert_string_equal(f->err.instance, "https://ca.test/agree?a=1");
}

static void
test_eab(void **state)
{
    struct fake_client *f = *state;
    enum acme_account_origin origin = ACME_ACCOUNT_KNOWN;

    f->ca->conf.eab_required = true;
    f->ca->conf.terms = "https://ca.test/terms";
    ensure(f, false, &origin);
    fake_client_expect(f, "eab", ACME_CONFIG, "external_account_key");
    fake_client_expect(f, "eab", ACME_CONFIG, "ACMEExternalAccountBinding");
    assert_int_equal(fake_ca_count(f->ca, FAKE_NEW_ACCOUNT), 1);

    /* some ask for it even to find an account */
    fake_client_next_case(f);
    fake_ca_problem(f->ca, FAKE_NEW_ACCOUNT, 1, 401, "externalAccountRequired",
        "");
    ensure(f, true, &origin);
    fake_client_expect(f, "find", ACME_CONFIG, "external account binding");

    /* and one that did not say so before */
    fake_client_next_case(f);
    fake_client_renew(f);
    f->ca->conf.eab_required = false;
    fake_ca_problem(f->ca, FAKE_NEW_ACCOUNT, FAKE_ALWAYS, 401,
        "externalAccountRequired", "");
    ensure(f, true, &origin);
    fake_client_expect(f, "late", ACME_CONFIG, "external_account_key");
    fake_client_expect(f, "late", ACME_CONFIG, "ACMEExternalAccountBinding");
}

#define MAC_KEY "0123456789abcdef0123456789abcdef"
#define MAC_KEY_64 "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"

/* What a test binds with, and how often it was asked for. */
struct bind {
    const char *kid, *alg, *text;
    unsigned asked;
};

static enum acme_rc
bind(void *ctx, struct acme_binding *binding, struct acme_error *err)
{
    struct bind *b = ctx;

    b->asked++;
    return acme_binding_parse(binding, b->kid, b->alg, b->text,
        strlen(b->text), err);
}

static enum acme_rc
ensure_bound(struct fake_client *f, struct bind *b)
{
    struct acme_account_wish wish = { .terms_accepted = true,
        .bind = bind,
        .ctx = b };
    enum acme_account_origin origin = ACME_ACCOUNT_KNOWN;

    return acme_account_ensure(f->client, &wish, &origin, &f->err);
}

/* RFC 8555 7.3.4: with each algorithm, and the key as people have it. */
static void
test_bound(void **state)
{
    static const struct bind binds[] = { { "kid-1", NULL, MAC_KEY_64, 0 },
        { "kid-1", "HS256", MAC_KEY_64 "\n", 0 },
        { "kid-1", "HS384", " " MAC_KEY_64 "=\r\n", 0 },
        { "kid-1", "HS512", MAC_KEY_64, 0 },
        { NULL, NULL, "{\"kid\": \"kid-1\", \"hmac\": \"" MAC_KEY_64 "\"}\n",
            0 },
        { NULL, NULL,
            "{\"kid\": \"kid-1\", \"hmac\": \"" MAC_KEY_64 "\", "
            "\"alg\": \"HS512\"}",
            0 } };
    struct fake_client *f = *state;
    struct bind b;
    size_t i;

    f->ca->conf.eab_required = true;
    f->ca->conf.eab_kid = "kid-1";
    f->ca->conf.eab_key = MAC_KEY;
    for (i = 0; i < COUNT(binds); i++) {
        b = binds[i];
        fake_client_next_case(f);
        fake_ca_drop_accounts(f->ca);
        fake_client_renew(f);
        ensure_bound(f, &b);
        fake_client_expect(f, "bound", ACME_OK, NULL);
        assert_int_equal(b.asked, 1);
        assert_int_equal(fake_ca_accounts(f->ca), i + 1);
    }
    /* the key is not asked for again while the account is there */
    fake_client_renew(f);
    ensure_bound(f, &b);
    assert_int_equal(b.asked, 1);
}

/* What the CA does not take is no reason to ask again. */
static void
test_bound_refused(void **state)
{
    static const struct bind binds[] = { { "kid-2", NULL, MAC_KEY_64, 0 },
        { "kid-1", NULL, "AAAAAAAAAAAAAAAAAAAAAAAAAAA", 0 } };
    struct fake_client *f = *state;
    struct bind b;
    size_t i;

    f->ca->conf.eab_required = true;
    f->ca->conf.eab_kid = "kid-1";
    f->ca->conf.eab_key = MAC_KEY;
    for (i = 0; i < COUNT(binds); i++) {
        b = binds[i];
        fake_client_next_case(f);
        ensure_bound(f, &b);
        fake_client_expect(f, "refused", ACME_CONFIG,
            "account: new account: refused with the external account "
            "binding");
        assert_string_equal(f->err.type, "unauthorized");
        assert_int_equal(fake_ca_accounts(f->ca), 0);
    }
    /* a CA in trouble has said nothing about it */
    fake_client_next_case(f);
    fake_ca_problem(f->ca, FAKE_NEW_ACCOUNT, 2, 503, "serverInternal", "");
    ensure_bound(f, &b);
    fake_client_expect(f, "trouble", ACME_PROBLEM, "new account: the CA");
}

/* Every fault has a text of its own, without a byte of the file. */
static void
test_bindings_malformed(void **state)
{
    static const struct {
        const char *kid, *text, *error;
    } cases[] = {
        { "k", "", "16 to 1024 bytes, not 0" },
        { "k", "c2VjcmV0Q2FuYXJ5", "16 to 1024 bytes, not 12" },
        { "k", "c2VjcmV0Q2FuYXJ5c2VjcmV0 Q2FuYXJ5", "not base64url" },
        { "k", "c2VjcmV0Q2FuYXJ5c2VjcmV0+Q2FuYXJ5", "not base64url" },
        { "", "c2VjcmV0Q2FuYXJ5c2VjcmV0Q2FuYXJ5", "key identifier" },
        { NULL, "c2VjcmV0Q2FuYXJ5c2VjcmV0Q2FuYXJ5", "line 1" },
        { NULL, "{\"kid\": \"Canary\" \"hmac\": \"Canary\"}", "line 1" },
        { NULL, "[\"Canary\"]", "\"kid\" and \"hmac\"" },
        { NULL, "{\"kid\": \"Canary\"}", "\"kid\" and \"hmac\"" },
        { NULL,
            "{\"kid\": \"x\", \"hmac\": \"" MAC_KEY_64
            "\", \"alg\": \"ES256\"}",
            "unknown MAC" },
        { NULL, "{\"kid\": 1, \"hmac\": \"Canary\"}", "\"kid\" and" },
        { NULL, "{\"kid\": \"x\", \"hmac\": \"Canary!\"}", "base64url" },
    };
    struct acme_binding binding;
    struct acme_error err;
    size_t i;

    (void)state;
    acme_binding_init(&binding);
    for (i = 0; i < COUNT(cases); i++) {
        acme_error_clear(&err);
        assert_int_equal(acme_binding_parse(&binding, cases[i].kid, NULL,
                             cases[i].text, strlen(cases[i].text), &err),
            ACME_CONFIG);
        if (strstr(err.what, cases[i].error) == NULL)
            fail_msg("case %zu: %s", i, err.what);
        assert_null(strstr(err.what, "Canary"));
        assert_null(strstr(err.what, "c2Vj"));
        assert_string_equal(binding.kid, "");
    }
    acme_binding_clear(&binding);
}

/* How newAccount may answer; `nth` 1: to the search, 2: to the creation. */
static void
test_answers(void **state)
{
    static const struct {
        int status;
        const char *location, *body;
        enum acme_rc rc;
        const char *text;
    } cases[] = {
        { 201, "/account/7", "{\"status\":\"valid\"}", ACME_OK, NULL },
        { 200, "https://ca.test/account/7", "{}", ACME_OK, NULL },
        { 201, NULL, "{\"status\":\"valid\"}", ACME_WIRE,
            "answer without a Location" },
        { 201, "https://evil.test/account/7", "{}", ACME_WIRE,
            "Location: URL \"https://evil.test/account/7\"" },
        { 201, "https://other.test/account/7", "{}", ACME_WIRE,
            "another configured CA" },
        { 201, "http://ca.test/account/7", "{}", ACME_WIRE, "Location: " },
        { 204, "/account/7", NULL, ACME_WIRE, "unexpected status 204" },
        { 201, "/account/7", "", ACME_WIRE, "answer" },
        { 201, "/account/7", "[]", ACME_WIRE, "not a JSON object" },
        { 200, "/account/7", "{\"status\":\"deactivated\"}", ACME_CONFIG,
            "deactivated" },
        { 200, "/account/7", "{\"status\":\"revoked\"}", ACME_CONFIG,
            "revoked" },
        { 200, "/account/7", "{\"status\":\"pending\"}", ACME_WIRE,
            "unknown status" },
        { 200, "/account/7", "{\"status\":\"mad\"}", ACME_WIRE,
            "unknown status" },
        { 500, NULL, "<html>", ACME_PROBLEM, "the CA answered 500" },
    };
    struct fake_client *f = *state;
    unsigned nth;
    enum acme_account_origin origin = ACME_ACCOUNT_KNOWN;
    size_t i;

    for (nth = 1; nth <= 2; nth++) {
        for (i = 0; i < COUNT(cases); i++) {
            fake_client_next_case(f);
            fake_client_renew(f);
            fake_ca_reply(f->ca, FAKE_NEW_ACCOUNT, nth, cases[i].status,
                "application/json", cases[i].body);
            fake_ca_header(f->ca, FAKE_NEW_ACCOUNT, nth, "Location",
                cases[i].location);
            ensure(f, true, &origin);
            fake_client_expect(f, cases[i].text ? cases[i].text : "ok",
                cases[i].rc, cases[i].text);
            if (cases[i].rc == ACME_OK)
                assert_string_equal(acme_client_account(f->client),
                    "https://ca.test/account/7");
        }
    }
}

static void
test_stored_deactivated(void **state)
{
    struct fake_client *f = *state;
    struct acme_account_wish wish = { .terms_accepted = true };
    enum acme_account_origin origin = ACME_ACCOUNT_KNOWN;

    fake_ca_json(f->ca, FAKE_ACCOUNT, 1, "status", "\"deactivated\"");
    acme_account_ensure(f->client, &wish, &origin, &f->err);
    fake_client_expect(f, "deactivated", ACME_CONFIG,
        "account: the account of this key is deactivated");
}

/* RFC 8555 7.3.6: every request for a deactivated account, and for its key, is
 * refused as unauthorized.  Only another key helps. */
static void
test_unauthorized(void **state)
{
    static const enum fake_step steps[] = { FAKE_ACCOUNT, FAKE_NEW_ACCOUNT };
    struct fake_client *f = *state;
    enum acme_account_origin origin;
    size_t i;

    for (i = 0; i < COUNT(steps); i++) {
        fake_client_next_case(f);
        if (steps[i] == FAKE_NEW_ACCOUNT)
            set_account(f, NULL);
        fake_ca_problem(f->ca, steps[i], FAKE_ALWAYS, 403, "unauthorized",
            "the account is deactivated");
        acme_account_ensure(f->client,
            &(struct acme_account_wish){ .terms_accepted = true }, &origin,
            &f->err);
        fake_client_expect(f, "nginx", ACME_CONFIG, "account_key");
        fake_client_expect(f, "httpd", ACME_CONFIG, "ACMEAccountKey");
        assert_int_equal(fake_ca_count(f->ca, FAKE_NEW_ACCOUNT), 2 + i);
    }
}

/* RFC 8555 7.3.2 */
static void
test_contacts(void **state)
{
    static const char *const contacts[] = { "mailto:x@a.test",
        "mailto:y@a.test" };
    struct fake_client *f = *state;

    acme_account_set_contacts(f->client, contacts, 2, &f->err);
    fake_client_expect(f, "set", ACME_OK, NULL);
    assert_string_equal(fake_ca_payload(f->ca, FAKE_ACCOUNT),
        "{\"contact\":[\"mailto:x@a.test\",\"mailto:y@a.test\"]}");
    acme_account_set_contacts(f->client, NULL, 0, &f->err);
    fake_client_expect(f, "none", ACME_OK, NULL);
    assert_string_equal(fake_ca_payload(f->ca, FAKE_ACCOUNT),
        "{\"contact\":[]}");

    fake_ca_problem(f->ca, FAKE_ACCOUNT, 1, 400, "invalidContact", "no");
    acme_account_set_contacts(f->client, contacts, 1, &f->err);
    fake_client_expect(f, "refused", ACME_PROBLEM, "contacts: ");
    assert_true(acme_account_refuses_contacts(&f->err));
    fake_client_next_case(f);
    fake_ca_problem(f->ca, FAKE_ACCOUNT, 1, 500, "serverInternal", "no");
    acme_account_set_contacts(f->client, contacts, 1, &f->err);
    assert_false(acme_account_refuses_contacts(&f->err));
    fake_client_next_case(f);
    set_account(f, NULL);
    acme_account_set_contacts(f->client, contacts, 1, &f->err);
    fake_client_expect(f, "no account", ACME_NOENT, "no account");
}

/* RFC 8555 7.3.6: only the CA's word counts. */
static void
test_deactivate(void **state)
{
    struct fake_client *f = *state;

    acme_account_deactivate(f->client, &f->err);
    fake_client_expect(f, "not said", ACME_WIRE,
        "deactivation: the CA does not say that");
    assert_string_equal(fake_ca_payload(f->ca, FAKE_ACCOUNT),
        "{\"status\":\"deactivated\"}");
    fake_client_next_case(f);
    fake_ca_problem(f->ca, FAKE_ACCOUNT, 1, 500, "serverInternal", "");
    acme_account_deactivate(f->client, &f->err);
    fake_client_expect(f, "trouble", ACME_PROBLEM, "deactivation: ");
    fake_client_next_case(f);
    fake_ca_json(f->ca, FAKE_ACCOUNT, 1, "status", "\"deactivated\"");
    acme_account_deactivate(f->client, &f->err);
    fake_client_expect(f, "done", ACME_OK, NULL);
}

/* Without a contact that the CA likes there is no account. */
static void
test_contacts_refused(void **state)
{
    static const char *const types[] = { "invalidContact",
        "unsupportedContact" };
    struct fake_client *f = *state;
    enum acme_account_origin origin;
    size_t i;

    for (i = 0; i < COUNT(types); i++) {
        fake_client_next_case(f);
        fake_ca_problem(f->ca, FAKE_NEW_ACCOUNT, 2, 400, types[i], "a@a.test");
        ensure(f, true, &origin);
        fake_client_expect(f, "nginx", ACME_CONFIG, "\"contact\" (nginx)");
        fake_client_expect(f, "httpd", ACME_CONFIG, "ACMEContactEmail");
        fake_client_expect(f, "detail", ACME_CONFIG, "a@a.test");
    }
}

/* Two keys are two accounts. */
static void
test_other_key(void **state)
{
    struct fake_client *f = *state;
    struct acme_key *key = NULL;
    enum acme_account_origin origin = ACME_ACCOUNT_KNOWN;

    assert_int_equal(acme_key_generate(ACME_KEY_RSA_2048, &key, &f->err),
        ACME_OK);
    acme_client_set_key(f->client, key);
    set_account(f, NULL);
    ensure(f, true, &origin);
    fake_client_expect(f, "second", ACME_OK, NULL);
    assert_string_equal(acme_client_account(f->client), ACCOUNT_1);
    assert_int_equal(fake_ca_accounts(f->ca), 2);
    acme_key_unref(key);
}

/* ---- another key (RFC 8555 7.3.5) ------------------------------------- */

#define KEY_CHANGE "https://ca.test/key-change"

static void
expect_jwk(const json_t *jwk, const struct acme_key *key,
    struct fake_client *f)
{
    char thumbprint[ACME_THUMBPRINT_LEN + 1], is[64];

    assert_int_equal(acme_key_thumbprint(key, thumbprint, &f->err), ACME_OK);
    assert_true(fake_jws_thumbprint(jwk, is));
    assert_string_equal(is, thumbprint);
}

/* fake_jws_verify() wants a nonce, as every request of its own has one. */
static void
verify_inner(const struct fake_jws *inner, const json_t *jwk)
{
    assert_null(json_object_get(inner->header, "nonce"));
    assert_null(json_object_get(inner->header, "kid"));
    assert_int_equal(json_object_size(inner->header), 3);
    json_object_set_new(inner->header, "nonce", json_string("x"));
    assert_null(fake_jws_verify(inner, jwk));
}

static void
test_rekey(void **state)
{
    static const enum acme_key_type types[] = { ACME_KEY_ECDSA_256,
        ACME_KEY_ECDSA_384, ACME_KEY_RSA_2048 };
    struct fake_client *f = *state;
    struct fake_jws inner;
    struct acme_key *key;
    json_t *said, *jwk;
    const char *text;
    size_t i;

    for (i = 0; i < COUNT(types); i++) {
        fake_client_next_case(f);
        acme_client_set_key(f->client, f->key);
        set_account(f, ACCOUNT_0);
        fake_ca_reply(f->ca, FAKE_ELSEWHERE, 1, 200, NULL, NULL);
        key = NULL;
        assert_int_equal(acme_key_generate(types[i], &key, &f->err), ACME_OK);
        acme_account_rekey(f->client, key, &f->err);
        fake_client_expect(f, "rekey", ACME_OK, NULL);
        assert_ptr_equal(acme_client_key(f->client), key);
        assert_string_equal(acme_client_account(f->client), ACCOUNT_0);

        text = fake_ca_protected(f->ca, FAKE_ELSEWHERE);
        assert_non_null(strstr(text, "\"kid\":\"" ACCOUNT_0 "\""));
        assert_non_null(strstr(text, "\"url\":\"" KEY_CHANGE "\""));
        assert_non_null(strstr(text, "\"nonce\":"));
        text = fake_ca_payload(f->ca, FAKE_ELSEWHERE);
        assert_true(fake_jws_parse(text, strlen(text), &inner));
        assert_string_equal(
            json_string_value(json_object_get(inner.header, "url")),
            KEY_CHANGE);
        jwk = json_object_get(inner.header, "jwk");
        expect_jwk(jwk, key, f);
        verify_inner(&inner, jwk);
        said = json_loads(inner.payload, 0, NULL);
        assert_int_equal(json_object_size(said), 2);
        assert_string_equal(
            json_string_value(json_object_get(said, "account")), ACCOUNT_0);
        expect_jwk(json_object_get(said, "oldKey"), f->key, f);
        json_decref(said);
        fake_jws_clear(&inner);
        acme_key_unref(key);
    }
}

static void
test_rekey_refused(void **state)
{
    struct fake_client *f = *state;
    struct acme_key *key = NULL;
    bool found = true;

    assert_int_equal(acme_key_generate(ACME_KEY_ECDSA_256, &key, &f->err),
        ACME_OK);
    fake_ca_problem(f->ca, FAKE_ELSEWHERE, 1, 409, "malformed", "taken");
    acme_account_rekey(f->client, key, &f->err);
    fake_client_expect(f, "in use", ACME_CONFIG, "has an account of its own");
    fake_client_expect(f, "detail", ACME_CONFIG, "taken");
    assert_ptr_equal(acme_client_key(f->client), f->key);

    fake_client_next_case(f);
    fake_ca_problem(f->ca, FAKE_ELSEWHERE, 1, 403, "unauthorized", "no");
    acme_account_rekey(f->client, key, &f->err);
    fake_client_expect(f, "refused", ACME_PROBLEM, "key change: ");
    assert_ptr_equal(acme_client_key(f->client), f->key);

    fake_client_next_case(f);
    acme_account_find(f->client, &found, &f->err);
    fake_client_expect(f, "find", ACME_OK, NULL);
    assert_true(found);
    assert_string_equal(acme_client_account(f->client), ACCOUNT_0);
    acme_client_set_key(f->client, key);
    acme_account_find(f->client, &found, &f->err);
    fake_client_expect(f, "find", ACME_OK, NULL);
    assert_false(found);
    assert_null(acme_client_account(f->client));
    acme_key_unref(key);
}

/* Nothing is sent to a place that is not there, or not this CA's. */
static void
test_rekey_elsewhere(void **state)
{
    static const struct {
        const char *json, *error;
        enum acme_rc rc;
    } cases[] = { { NULL, "no place for it (keyChange)", ACME_NOENT },
        { "\"https://other.test/key\"", "https://other.test", ACME_WIRE },
        { "\"http://ca.test/key\"", "", ACME_WIRE } };
    struct fake_client *f = *state;
    struct acme_key *key = NULL;
    size_t i;

    assert_int_equal(acme_key_generate(ACME_KEY_ECDSA_256, &key, &f->err),
        ACME_OK);
    for (i = 0; i < COUNT(cases); i++) {
        fake_client_next_case(f);
        fake_client_renew(f);
        set_account(f, ACCOUNT_0);
        fake_ca_json(f->ca, FAKE_DIRECTORY, FAKE_ALWAYS, "keyChange",
            cases[i].json);
        acme_account_rekey(f->client, key, &f->err);
        fake_client_expect(f, "nowhere", cases[i].rc, cases[i].error);
        assert_int_equal(fake_ca_count(f->ca, FAKE_ELSEWHERE), 0);
        assert_ptr_equal(acme_client_key(f->client), f->key);
    }
    acme_key_unref(key);
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
        KEY_TEST(test_create),
        KEY_TEST(test_create_plain),
        ACCOUNT_TEST(test_found_by_key),
        ACCOUNT_TEST(test_stored),
        ACCOUNT_TEST(test_stored_gone),
        ACCOUNT_TEST(test_stored_found_again),
        ACCOUNT_TEST(test_denies_everything),
        ACCOUNT_TEST(test_stored_foreign),
        ACCOUNT_TEST(test_stored_trouble),
        KEY_TEST(test_terms),
        KEY_TEST(test_terms_odd_url),
        KEY_TEST(test_user_action),
        KEY_TEST(test_eab),
        KEY_TEST(test_bound),
        KEY_TEST(test_bound_refused),
        cmocka_unit_test(test_bindings_malformed),
        KEY_TEST(test_answers),
        ACCOUNT_TEST(test_stored_deactivated),
        ACCOUNT_TEST(test_unauthorized),
        ACCOUNT_TEST(test_contacts),
        ACCOUNT_TEST(test_deactivate),
        KEY_TEST(test_contacts_refused),
        ACCOUNT_TEST(test_other_key),
        ACCOUNT_TEST(test_rekey),
        ACCOUNT_TEST(test_rekey_refused),
        ACCOUNT_TEST(test_rekey_elsewhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
