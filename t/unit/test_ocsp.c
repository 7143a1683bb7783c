/*
 * acme_ocsp.h: what is asked, which answers are believed, and what they say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/ocsp.h>

#include "helper_ca.h"
#include "helper_errors.h"
#include "wrap/acme_ocsp.h"

#define URL "http://ocsp.test/r1"
#define SERIAL "0a0b0c0d0e"
#define OTHER "0a0b0c0d0f"
#define DAY 86400
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define GOOD V_OCSP_CERTSTATUS_GOOD
#define REVOKED V_OCSP_CERTSTATUS_REVOKED

static struct helper_ca *ca, *other;
static struct acme_key *key;
static struct acme_chain *leaf;
static struct acme_error err;
static time_t now;

static struct acme_chain *
new_leaf(struct helper_ca *issuer, const struct helper_ca_options *options)
{
    static const char *const names[] = { "a.test", NULL };
    return helper_ca_chain(issuer, key, names, options);
}

static int
before_all(void **state)
{
    struct helper_ca_options options = { .serial = SERIAL,
        .ocsp_url = "OCSP;URI:" URL };

    (void)state;
    now = time(NULL);
    ca = helper_ca_new();
    other = helper_ca_new();
    if (acme_key_generate(ACME_KEY_ECDSA_256, &key, &err) != ACME_OK)
        return -1;
    leaf = new_leaf(ca, &options);
    return 0;
}

static int
after_all(void **state)
{
    (void)state;
    acme_chain_free(leaf);
    acme_key_unref(key);
    helper_ca_free(ca);
    helper_ca_free(other);
    return 0;
}

static int
before_each(void **state)
{
    (void)state;
    acme_error_clear(&err);
    helper_errors_begin();
    return 0;
}

static int
after_each(void **state)
{
    (void)state;
    helper_errors_end();
    return 0;
}

static struct helper_ca_ocsp
good(void)
{
    return (struct helper_ca_ocsp){ .this_update = now - DAY,
        .next_update = now + DAY,
        .serial = SERIAL,
        .reason = -1 };
}

static enum acme_rc
read_answer(struct helper_ca *by, const struct helper_ca_ocsp *options,
    struct acme_ocsp_answer *answer)
{
    struct acme_buf der;
    enum acme_rc rc;

    acme_error_clear(&err);
    memset(answer, 0xa5, sizeof(*answer));
    acme_buf_init(&der, 1 << 20);
    helper_ca_ocsp(by, options, &der);
    rc = acme_ocsp_read(der.data, der.len, leaf, now, answer, &err);
    assert_int_equal(rc, err.rc);
    acme_buf_clear(&der);
    return rc;
}

static void
test_url(void **state)
{
    static const struct {
        const char *access;
        const char *url;
    } rows[] = {
        { "OCSP;URI:" URL, URL },
        { "caIssuers;URI:http://ca.test/1.cer,OCSP;URI:" URL, URL },
        { "OCSP;URI:ldap://ocsp.test/,OCSP;URI:HTTP://ocsp.test",
            "HTTP://ocsp.test" },
        { "OCSP;URI:https://ocsp.test/", NULL },
        { "OCSP;URI:http://ocsp.test/?a", NULL },
        { "OCSP;DNS:ocsp.test", NULL },
        { "caIssuers;URI:http://ca.test/1.cer", NULL },
        { NULL, NULL },
    };
    char url[ACME_URL_MAX];
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        struct helper_ca_options options = { .ocsp_url = rows[i].access };
        struct acme_chain *chain = new_leaf(ca, &options);

        assert_int_equal(acme_ocsp_url(chain, url), rows[i].url != NULL);
        if (rows[i].url != NULL)
            assert_string_equal(url, rows[i].url);
        acme_chain_free(chain);
    }
}

/* Takes a question out of its URL. */
static OCSP_REQUEST *
parse_question(const char *base64)
{
    unsigned char text[512], der[512];
    const unsigned char *p = der;
    size_t n = 0;
    int len;

    for (; *base64 != '\0'; base64++) {
        unsigned char c = (unsigned char)*base64;

        assert_true(n < sizeof(text));
        assert_null(strchr("+/=", c));
        if (c == '%') {
            char hex[3] = { base64[1], base64[2], '\0' };

            c = (unsigned char)strtoul(hex, NULL, 16);
            base64 += 2;
        }
        text[n++] = c;
    }
    len = EVP_DecodeBlock(der, text, (int)n);
    assert_true(len > 0);
    return d2i_OCSP_REQUEST(NULL, &p, len);
}

static void
test_question(void **state)
{
    static const char *const responders[] = { URL, URL "/" };
    OCSP_CERTID *id = OCSP_cert_to_id(NULL, acme_chain_x509(leaf, 0),
        acme_chain_x509(leaf, 1));
    char url[ACME_URL_MAX];
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(responders); i++) {
        OCSP_REQUEST *request;

        assert_int_equal(acme_ocsp_question(leaf, responders[i], url, &err),
            ACME_OK);
        assert_memory_equal(url, URL "/", strlen(URL) + 1);
        assert_in_range(strlen(url), 60, 255); /* caches: RFC 5019 5 */
        request = parse_question(url + strlen(URL) + 1);
        assert_non_null(request);
        assert_int_equal(OCSP_request_onereq_count(request), 1);
        assert_int_equal(
            OCSP_id_cmp(id,
                OCSP_onereq_get0_id(OCSP_request_onereq_get0(request, 0))),
            0);
        assert_int_equal(OCSP_REQUEST_get_ext_count(request), 0);
        OCSP_REQUEST_free(request);
    }
    OCSP_CERTID_free(id);
}

/* Base 64 of any length and with each character gets through. */
static void
test_question_serials(void **state)
{
    static const char *const serials[] = { "01", "7f",
        "0102030405060708090a0b0c0d0e0f1011121314", "3ffbefbefbefbefbef",
        "00ffffffffffffffff", "1fc0ffee" };
    char url[ACME_URL_MAX];
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(serials); i++) {
        struct helper_ca_options options = { .serial = serials[i] };
        struct acme_chain *chain = new_leaf(ca, &options);
        OCSP_CERTID *id = OCSP_cert_to_id(NULL, acme_chain_x509(chain, 0),
            acme_chain_x509(chain, 1));
        OCSP_REQUEST *request;

        assert_int_equal(acme_ocsp_question(chain, URL, url, &err), ACME_OK);
        request = parse_question(url + strlen(URL) + 1);
        assert_non_null(request);
        assert_int_equal(
            OCSP_id_cmp(id,
                OCSP_onereq_get0_id(OCSP_request_onereq_get0(request, 0))),
            0);
        OCSP_REQUEST_free(request);
        OCSP_CERTID_free(id);
        acme_chain_free(chain);
    }
}

static void
test_question_refused(void **state)
{
    struct helper_ca_options options = { .leaf_only = true };
    struct acme_chain *alone = new_leaf(ca, &options);
    char url[ACME_URL_MAX], responder[ACME_URL_MAX];
    size_t room;

    (void)state;
    assert_int_equal(acme_ocsp_question(alone, URL, url, &err), ACME_WIRE);
    acme_chain_free(alone);
    acme_error_clear(&err);
    assert_int_equal(acme_ocsp_question(leaf, URL, url, &err), ACME_OK);
    /* The longest one that has room for it, and one more. */
    room = sizeof(url) - (strlen(url) - strlen(URL));
    memset(responder, 'a', sizeof(responder));
    responder[room - 4] = '\0';
    assert_int_equal(acme_ocsp_question(leaf, responder, url, &err), ACME_OK);
    assert_true(strlen(url) < sizeof(url));
    responder[room - 4] = 'a';
    responder[room + 1] = '\0';
    assert_int_equal(acme_ocsp_question(leaf, responder, url, &err),
        ACME_WIRE);
    assert_non_null(strstr(err.what, "too long"));
    responder[room + 1] = 'a';
    responder[sizeof(responder) - 1] = '\0';
    acme_error_clear(&err);
    assert_int_equal(acme_ocsp_question(leaf, responder, url, &err),
        ACME_WIRE);
}

static void
test_good(void **state)
{
    static const enum helper_ca_signer signers[] = { HELPER_CA_ISSUER,
        HELPER_CA_DELEGATE };
    struct acme_ocsp_answer answer;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(signers); i++) {
        struct helper_ca_ocsp options = good();

        options.signer = signers[i];
        assert_int_equal(read_answer(ca, &options, &answer), ACME_OK);
        assert_false(answer.revoked);
        assert_string_equal(answer.reason, "");
        assert_int_equal(answer.next_update, now + DAY);
    }
}

static void
test_revoked(void **state)
{
    static const struct {
        int code;
        const char *reason;
    } rows[] = {
        { -1, "" },
        { 0, "unspecified" },
        { 1, "keyCompromise" },
        { 4, "superseded" },
        { 10, "aACompromise" },
        { 7, "" },
        { 99, "" },
    };
    struct acme_ocsp_answer answer;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        struct helper_ca_ocsp options = good();

        options.status = REVOKED;
        options.reason = rows[i].code;
        assert_int_equal(read_answer(ca, &options, &answer), ACME_OK);
        assert_true(answer.revoked);
        assert_string_equal(answer.reason, rows[i].reason);
    }
}

static void
test_refused(void **state)
{
    static const char not_signed[] = "not signed for the certificate's issuer";
    static const char not_about[] = "not about this certificate";
    const struct {
        struct helper_ca_ocsp answer;
        const char *what; /* NULL: taken */
    } rows[] = {
        /* times */
        { { -DAY, -299, SERIAL, GOOD, -1, 0, 0, 0, 0 }, NULL },
        { { -DAY, -302, SERIAL, GOOD, -1, 0, 0, 0, 0 }, "out of date" },
        { { 299, DAY, SERIAL, GOOD, -1, 0, 0, 0, 0 }, NULL },
        { { 302, DAY, SERIAL, GOOD, -1, 0, 0, 0, 0 }, "not valid yet" },
        { { -DAY, 0, SERIAL, GOOD, -1, 0, 0, 0, 0 }, NULL },
        { { -DAY - 302, 0, SERIAL, GOOD, -1, 0, 0, 0, 0 }, "out of date" },
        /* what it is about */
        { { -DAY, DAY, OTHER, GOOD, -1, 0, 0, 0, 0 }, not_about },
        { { -DAY, DAY, OTHER, REVOKED, 1, 0, 0, 0, 0 }, not_about },
        { { -DAY, DAY, SERIAL, REVOKED, 1, 0, 0, 1, 0 }, not_about },
        { { -DAY, DAY, SERIAL, V_OCSP_CERTSTATUS_UNKNOWN, -1, 0, 0, 0, 0 },
            "does not know the certificate" },
        { { -DAY, DAY, SERIAL, GOOD, -1, 0, 0, 0, 1 },
            "unknown critical extension" },
        /* who signed it */
        { { -DAY, DAY, SERIAL, REVOKED, 1, 0, HELPER_CA_DELEGATE_NOT, 0, 0 },
            not_signed },
        { { -DAY, DAY, SERIAL, REVOKED, 1, 0, HELPER_CA_DELEGATE_EXPIRED, 0,
              0 },
            not_signed },
        { { -DAY, DAY, SERIAL, REVOKED, 1, 0, HELPER_CA_DELEGATE_OF_ROOT, 0,
              0 },
            not_signed },
        { { -DAY, DAY, SERIAL, REVOKED, 1, 0, HELPER_CA_NAMESAKE, 0, 0 },
            not_signed },
        /* errors */
        { { -DAY, DAY, SERIAL, GOOD, -1, OCSP_RESPONSE_STATUS_TRYLATER, 0, 0,
              0 },
            "the responder says \"trylater\"" },
        { { -DAY, DAY, SERIAL, GOOD, -1, OCSP_RESPONSE_STATUS_UNAUTHORIZED, 0,
              0, 0 },
            "the responder says \"unauthorized\"" },
    };
    struct acme_ocsp_answer answer;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        struct helper_ca_ocsp options = rows[i].answer;

        options.this_update += now;
        if (options.next_update != 0)
            options.next_update += now;
        (void)read_answer(ca, &options, &answer);
        if (rows[i].what == NULL) {
            assert_int_equal(err.rc, ACME_OK);
            assert_true(answer.next_update > now - 300);
        } else {
            unsigned char untouched = 0xa5;

            assert_int_equal(err.rc, ACME_WIRE);
            assert_non_null(strstr(err.what, rows[i].what));
            assert_memory_equal(&answer, &untouched, 1);
        }
    }
}

/* What clients are sent is good, and not over. */
static void
test_staple(void **state)
{
    const struct {
        long until; /* from now */
        int status;
        const char *what; /* NULL: taken */
    } rows[] = {
        { DAY, GOOD, NULL },
        { 1, GOOD, NULL },
        { 0, GOOD, "the answer is over" },
        { -200, GOOD, "the answer is over" },
        { -DAY, GOOD, "out of date" },
        { DAY, REVOKED, "the certificate is revoked" },
        { DAY, V_OCSP_CERTSTATUS_UNKNOWN, "does not know the certificate" },
    };
    struct acme_ocsp_answer answer;
    struct acme_buf der;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        struct helper_ca_ocsp options = good();
        unsigned char untouched = 0xa5;

        options.this_update = now - 2L * DAY;
        options.next_update = now + rows[i].until;
        options.status = rows[i].status;
        acme_error_clear(&err);
        memset(&answer, untouched, sizeof(answer));
        acme_buf_init(&der, 1 << 20);
        helper_ca_ocsp(ca, &options, &der);
        if (acme_ocsp_read_staple(der.data, der.len, leaf, now, &answer,
                &err) == ACME_OK) {
            assert_null(rows[i].what);
            assert_int_equal(answer.this_update, options.this_update);
            assert_int_equal(answer.next_update, options.next_update);
        } else {
            assert_non_null(rows[i].what);
            assert_non_null(strstr(err.what, rows[i].what));
            assert_memory_equal(&answer, &untouched, 1);
        }
        acme_buf_clear(&der);
    }
}

/* Of a CA of the same names with other keys, whoever signs it there. */
static void
test_other_ca(void **state)
{
    struct helper_ca_ocsp options = good();
    struct acme_ocsp_answer answer;

    (void)state;
    assert_int_equal(read_answer(other, &options, &answer), ACME_WIRE);
    options.signer = HELPER_CA_DELEGATE;
    assert_int_equal(read_answer(other, &options, &answer), ACME_WIRE);
}

/* Certificates count as the clock that we are given says. */
static void
test_clock(void **state)
{
    struct helper_ca_ocsp options = good();
    struct acme_ocsp_answer answer;
    const time_t today = now;

    (void)state;
    now += 25L * 365 * DAY; /* no certificate lives that long */
    options.this_update = now - DAY;
    options.next_update = now + DAY;
    options.signer = HELPER_CA_DELEGATE;
    (void)read_answer(ca, &options, &answer);
    now = today;
    assert_int_equal(err.rc, ACME_WIRE);
    assert_non_null(strstr(err.what, "certificate verify error"));
}

static void
test_alone(void **state)
{
    struct helper_ca_options options = { .serial = SERIAL, .leaf_only = true };
    struct helper_ca_ocsp is = good();
    struct acme_chain *chain = new_leaf(ca, &options);
    struct acme_ocsp_answer answer;
    struct acme_buf der;

    (void)state;
    acme_buf_init(&der, 1 << 20);
    helper_ca_ocsp(ca, &is, &der);
    assert_int_equal(
        acme_ocsp_read(der.data, der.len, chain, now, &answer, &err),
        ACME_WIRE);
    acme_buf_clear(&der);
    acme_chain_free(chain);
}

/* Only what nobody signed may be another: the certificate of a delegate that
 * comes with it is signed by itself. */
static void
check_damaged(enum helper_ca_signer signer)
{
    struct helper_ca_ocsp options = good();
    struct acme_ocsp_answer answer;
    struct acme_buf der;
    size_t i;

    options.status = REVOKED;
    options.signer = signer;
    acme_buf_init(&der, 1 << 20);
    helper_ca_ocsp(ca, &options, &der);
    for (i = 0; i < der.len; i++) {
        acme_error_clear(&err);
        assert_int_equal(acme_ocsp_read(der.data, i, leaf, now, &answer, &err),
            ACME_WIRE);
    }
    for (i = 0; i < der.len; i++) {
        unsigned char *byte = (unsigned char *)der.data + i;

        acme_error_clear(&err);
        *byte ^= 0x40;
        if (acme_ocsp_read(der.data, der.len, leaf, now, &answer, &err) ==
            ACME_OK)
            assert_true(answer.revoked);
        else
            assert_int_equal(err.rc, ACME_WIRE);
        *byte ^= 0x40;
    }
    acme_buf_add(&der, "", 1);
    acme_error_clear(&err);
    assert_int_equal(
        acme_ocsp_read(der.data, der.len, leaf, now, &answer, &err),
        ACME_WIRE);
    assert_non_null(strstr(err.what, "something follows"));
    acme_buf_clear(&der);
}

static void
test_damaged(void **state)
{
    struct acme_ocsp_answer answer;

    (void)state;
    check_damaged(HELPER_CA_ISSUER);
    check_damaged(HELPER_CA_DELEGATE);
    acme_error_clear(&err);
    assert_int_equal(acme_ocsp_read("<html>", 6, leaf, now, &answer, &err),
        ACME_WIRE);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, before_each, after_each)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_url),
        TEST(test_question),
        TEST(test_question_serials),
        TEST(test_question_refused),
        TEST(test_good),
        TEST(test_revoked),
        TEST(test_refused),
        TEST(test_staple),
        TEST(test_other_ca),
        TEST(test_clock),
        TEST(test_alone),
        TEST(test_damaged),
    };

    return cmocka_run_group_tests_name("ocsp", tests, before_all, after_all);
}
