/*
 * acme_job.h: what an order asks for, and which of the CA's chains is taken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/x509v3.h>

#include "base/acme_base64.h"
#include "fake_job.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- profiles --------------------------------------------------------- */

/* What the CA offers, what it answers, and what becomes of it. */
static void
test_profile(void **state)
{
    static const struct {
        const char *offered, *refused, *answered;
        bool required;
        unsigned orders;
        const char *sent;   /* in the last newOrder */
        const char *warned; /* NULL: of nothing */
        enum acme_rc rc;
        const char *failed;
    } cases[] = {
        { "{\"s\":\"\"}", NULL, NULL, true, 1, "s", NULL, ACME_OK, "" },
        { "{\"s\":\"\"}", NULL, "\"s\"", true, 1, "s", NULL, ACME_OK, "" },
        { "{\"l\":\"\"}", NULL, NULL, false, 1, NULL, "it offers: \"l\"",
            ACME_OK, "" },
        { NULL, NULL, NULL, false, 1, NULL, "it offers: none", ACME_OK, "" },
        { "{\"l\":\"\",\"m\":\"\"}", NULL, NULL, true, 0, NULL, NULL,
            ACME_CONFIG, "profile \"s\", but: \"l\", \"m\"; configure" },
        { "{\"s\":\"\"}", "invalidProfile", NULL, false, 2, NULL, "not now",
            ACME_OK, "" },
        { "{\"s\":\"\"}", "invalidProfile", NULL, true, 1, "s", NULL,
            ACME_PROBLEM, "invalidProfile" },
        { "{\"s\":\"\"}", "malformed", NULL, false, 1, "s", NULL, ACME_PROBLEM,
            "malformed" },
        { "{\"s\":\"\"}", NULL, "\"l\"", false, 1, "s",
            "chose profile \"l\" instead of \"s\"", ACME_OK, "" },
        { "{\"s\":\"\"}", NULL, "\"l\"", true, 1, "s", NULL, ACME_WIRE,
            "profile \"l\" where \"s\"" },
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        struct fake_drive *d;
        struct fake_job_outcome out;
        void *own;
        const char *sent;

        fake_job_setup(&own);
        d = own;
        d->config->issuer[0].profile = "s";
        d->config->issuer[0].profile_required = cases[i].required;
        fake_ca_json(d->ca, FAKE_DIRECTORY, FAKE_ALWAYS, "meta.profiles",
            cases[i].offered);
        if (cases[i].refused != NULL)
            fake_ca_problem(d->ca, FAKE_NEW_ORDER, 1, 400, cases[i].refused,
                "not now");
        if (cases[i].answered != NULL)
            fake_ca_json(d->ca, FAKE_NEW_ORDER, 1, "profile",
                cases[i].answered);
        fake_job_run(d, 0, false, &out);
        fake_job_expect(&out, cases[i].rc, cases[i].failed);
        assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ORDER),
            cases[i].orders);
        sent = strstr(fake_ca_payload(d->ca, FAKE_NEW_ORDER), "\"profile\"");
        assert_int_equal(sent != NULL, cases[i].sent != NULL);
        assert_int_equal(fake_host_logged(&d->host, "warn: "),
            cases[i].warned != NULL);
        if (cases[i].warned != NULL)
            assert_true(fake_host_logged(&d->host, cases[i].warned));
        fake_drive_teardown(&own);
    }
}

/* An order in flight is of the profile that was configured then. */
static void
test_profile_of_order(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;

    fake_ca_json(d->ca, FAKE_DIRECTORY, FAKE_ALWAYS, "meta.profiles",
        "{\"s\":\"\",\"l\":\"\"}");
    fake_ca_fail(d->ca, FAKE_FINALIZE, 1, ACME_NET);
    fake_ca_fail(d->ca, FAKE_ORDER, 2, ACME_NET);
    d->config->issuer[0].profile = "s";
    fake_job_run(d, 0, false, &out);
    fake_job_expect(&out, ACME_NET, "");
    fake_job_run(d, 0, false, &out);
    fake_job_expect(&out, ACME_NET, "");
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ORDER), 1);
    d->config->issuer[0].profile = "l";
    fake_job_need(d, 0, false, &out);
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ORDER), 2);
    assert_non_null(
        strstr(fake_ca_payload(d->ca, FAKE_NEW_ORDER), "\"profile\":\"l\""));
    d->config->issuer[0].profile = "s"; /* is no reason to order */
    fake_job_need(d, 0, false, &out);
    assert_int_equal(fake_ca_count(d->ca, FAKE_NEW_ORDER), 2);
}

/* ---- preferred chain -------------------------------------------------- */

#define ALTERNATES                              \
    "</certificate/0/9>;rel=\"alternate\", "    \
    "<https://evil.test/x>;rel=\"alternate\", " \
    "</certificate/0/1>;rel=\"alternate\""

/* The CA's own choice ends at "Test Root", its third offer at "Old Root". */
static void
test_preferred_chain(void **state)
{
    static const struct {
        const char *wanted, *links;
        const char *second, *third; /* the bodies of these downloads */
        unsigned downloads;
        const char *ends; /* where the live one does */
        const char *warned;
    } cases[] = {
        { NULL, ALTERNATES, NULL, NULL, 1, "Test Root", NULL },
        { "Test Root", ALTERNATES, NULL, NULL, 1, "Test Root", NULL },
        { "Old Root", ALTERNATES, NULL, NULL, 3, "Old Root", NULL },
        { "Old Root", ALTERNATES, "junk", NULL, 3, "Old Root", NULL },
        { "old root", ALTERNATES, NULL, NULL, 3, "Test Root",
            "not the preferred chain \"old root\", lineage \"a.test\": none" },
        { "Old Root", NULL, NULL, NULL, 1, "Test Root", "none of those" },
        { "Old Root", ALTERNATES, NULL, "junk", 3, "Test Root",
            "no certificate found" },
        { "Old Root", ALTERNATES, NULL, "OTHER", 3, "Test Root",
            "begins with another certificate" },
        { "Old Root", ALTERNATES, NULL, "<html>", 3, "Test Root",
            "no certificate found" },
    };
    static const char *const names[] = { "a.test", "www.a.test", NULL };
    struct acme_chain *stranger = fake_job_chain(names);
    struct acme_buf other;
    size_t i;

    (void)state;
    acme_buf_init(&other, ACME_CHAIN_PEM_MAX);
    for (i = 0; i < COUNT(cases); i++) {
        struct fake_drive *d;
        struct fake_job_outcome out;
        struct acme_version live;
        struct acme_chain *chain = NULL;
        void *own;

        fake_job_setup(&own);
        d = own;
        acme_buf_reset(&other);
        acme_chain_to_pem(stranger, 0, 0, &other, &d->err);
        d->config->issuer[0].preferred_chain = cases[i].wanted;
        fake_ca_header(d->ca, FAKE_CERTIFICATE, 1, "Link", cases[i].links);
        if (cases[i].second != NULL)
            fake_ca_reply(d->ca, FAKE_CERTIFICATE, 2, 200, NULL,
                cases[i].second);
        if (cases[i].third != NULL)
            fake_ca_reply(d->ca, FAKE_CERTIFICATE, 3, 200, NULL,
                strcmp(cases[i].third, "OTHER") == 0 ? acme_buf_str(&other)
                                                     : cases[i].third);
        fake_job_need(d, 0, false, &out);
        assert_int_equal(fake_ca_count(d->ca, FAKE_CERTIFICATE),
            cases[i].downloads);
        acme_version_init(&live);
        assert_int_equal(
            acme_store_version_read(d->store, "a.test", 1, &live, &d->err),
            ACME_OK);
        assert_int_equal(acme_chain_from_der(live.pair[0].chain.data,
                             live.pair[0].chain.len, &chain, &d->err),
            ACME_OK);
        assert_true(acme_chain_ends_at(chain, cases[i].ends));
        assert_int_equal(fake_host_logged(&d->host, "warn: "),
            cases[i].warned != NULL);
        if (cases[i].warned != NULL)
            assert_true(fake_host_logged(&d->host, cases[i].warned));
        acme_chain_free(chain);
        acme_version_clear(&live);
        fake_drive_teardown(&own);
    }
    acme_buf_clear(&other);
    acme_chain_free(stranger);
}

/* ---- the signing request ---------------------------------------------- */

static X509_REQ *
last_request(struct fake_drive *d)
{
    static const char member[] = "\"csr\":\"";
    const char *payload = fake_ca_payload(d->ca, FAKE_FINALIZE);
    const char *text = strstr(payload, member);
    const unsigned char *der;
    struct acme_buf buf;
    X509_REQ *request;

    assert_non_null(text);
    text += strlen(member);
    acme_buf_init(&buf, ACME_STATE_PEM_MAX);
    assert_int_equal(
        acme_base64_decode(&buf, text, strcspn(text, "\""), &d->err), ACME_OK);
    der = buf.data;
    request = d2i_X509_REQ(NULL, &der, (long)buf.len);
    assert_non_null(request);
    acme_buf_clear(&buf);
    return request;
}

static void
test_common_name(void **state)
{
    static const char long_name[] =
        "a123456789012345678901234567890123456789012345678901234567.x.test";
    static const struct {
        bool on;
        const char *names, *cn;
    } cases[] = {
        { false, "a.test b.test", "" }, { true, "b.test a.test", "b.test" },
        { true, "192.0.2.1 2001:db8::1 b.test", "b.test" },
        { true, "192.0.2.1", "" }, { true, long_name, "" },
        { true, NULL, "b.test" }, /* behind the long one */
    };
    char both[128], cn[80];
    size_t i;

    (void)state;
    (void)snprintf(both, sizeof(both), "%s b.test", long_name);
    for (i = 0; i < COUNT(cases); i++) {
        struct fake_job_outcome out;
        struct fake_drive *d;
        X509_REQ *request;
        void *own;

        fake_drive_setup(&own);
        d = own;
        d->config->issuer[0].cn_in_csr = cases[i].on;
        fake_drive_lineage(d, "a.test", 0,
            cases[i].names != NULL ? cases[i].names : both, NULL);
        fake_drive_open(d);
        fake_job_need(d, 0, false, &out);
        request = last_request(d);
        cn[0] = '\0';
        (void)X509_NAME_get_text_by_NID(X509_REQ_get_subject_name(request),
            NID_commonName, cn, sizeof(cn));
        assert_string_equal(cn, cases[i].cn);
        X509_REQ_free(request);
        fake_drive_teardown(&own);
    }
}

/* Asked for and there; asked for and missing, which is told; not asked for
 * and there, which is refused. */
static void
test_must_staple(void **state)
{
    static const struct {
        bool asked, never, always;
        enum acme_rc rc;
        const char *warned;
    } cases[] = {
        { false, false, false, ACME_OK, NULL },
        { true, false, false, ACME_OK, NULL },
        { true, true, false, ACME_OK, "lacks the must-staple extension" },
        { false, false, true, ACME_REFUSED, NULL },
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        struct fake_job_outcome out;
        struct fake_drive *d;
        X509_REQ *request;
        STACK_OF(X509_EXTENSION) * extensions;
        void *own;

        fake_job_setup_one(&own);
        d = own;
        d->config->lineage[0].must_staple = cases[i].asked;
        d->ca->conf.certificate.no_staple = cases[i].never;
        d->ca->conf.certificate.must_staple = cases[i].always;
        fake_drive_open(d);
        fake_job_run(d, 0, false, &out);
        fake_job_expect(&out, cases[i].rc,
            cases[i].rc == ACME_OK ? "" : "must-staple extension");
        request = last_request(d);
        extensions = X509_REQ_get_extensions(request);
        assert_int_equal(
            X509v3_get_ext_by_NID(extensions, NID_tlsfeature, -1) >= 0,
            cases[i].asked);
        sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
        X509_REQ_free(request);
        assert_int_equal(fake_host_logged(&d->host, "must-staple"),
            cases[i].warned != NULL);
        assert_int_equal(fake_drive_version(d, "a.test"),
            cases[i].rc == ACME_OK ? 1 : 0);
        fake_drive_teardown(&own);
    }
}

/* ---- the key that stays ----------------------------------------------- */

static void
read_pair(struct fake_drive *d, unsigned number, struct acme_version *version)
{
    acme_version_init(version);
    assert_int_equal(
        acme_store_version_read(d->store, "a.test", number, version, &d->err),
        ACME_OK);
}

static bool
has_same_key(struct fake_drive *d, unsigned one, unsigned other, bool *noted)
{
    struct acme_version a, b;
    bool same;

    read_pair(d, one, &a);
    read_pair(d, other, &b);
    same =
        a.pair[0].key.len == b.pair[0].key.len &&
        memcmp(a.pair[0].key.data, b.pair[0].key.data, a.pair[0].key.len) == 0;
    *noted = b.pair[0].origin.key_reused;
    acme_version_clear(&a);
    acme_version_clear(&b);
    return same;
}

static void
test_reuse_key(void **state)
{
    struct fake_drive *d = *state;
    struct fake_job_outcome out;
    bool noted;

    d->config->lineage[0].reuse_key = true;
    fake_drive_open(d);
    fake_job_need(d, 0, false, &out);
    fake_job_need(d, 0, true, &out);
    assert_true(has_same_key(d, 1, 2, &noted));
    assert_true(noted);

    d->config->lineage[0].reuse_key = false;
    fake_drive_restart(d);
    fake_job_need(d, 0, true, &out);
    assert_false(has_same_key(d, 2, 3, &noted));
    assert_false(noted);

    d->config->lineage[0].reuse_key = true; /* of another type: none */
    d->config->lineage[0].type[0] = ACME_KEY_ECDSA_384;
    fake_drive_restart(d);
    fake_job_need(d, 0, true, &out);
    assert_false(has_same_key(d, 3, 4, &noted));
    assert_false(noted);
    fake_job_need(d, 0, true, &out);
    assert_true(has_same_key(d, 4, 5, &noted));
}

/* No key leaves the store but where it is to be kept, and under the lock. */
static void
test_live_key(void **state)
{
    struct fake_drive *d = *state;
    struct acme_key *key = NULL;
    struct fake_job_outcome out;

    d->config->lineage[0].reuse_key = true;
    fake_drive_open(d);
    assert_int_equal(acme_vault_lock(d->vault, 0, &d->err), ACME_OK);
    assert_int_equal(acme_vault_live_key(d->vault, 0, &key, &d->err),
        ACME_NOENT);
    acme_error_clear(&d->err);
    acme_vault_unlock(d->vault, 0);
    fake_job_need(d, 0, false, &out);
    assert_int_equal(acme_vault_live_key(d->vault, 0, &key, &d->err),
        ACME_NOENT);
    acme_error_clear(&d->err);
    assert_int_equal(acme_vault_lock(d->vault, 0, &d->err), ACME_OK);
    assert_int_equal(acme_vault_live_key(d->vault, 0, &key, &d->err), ACME_OK);
    acme_key_unref(key);
    key = NULL;
    assert_int_equal(acme_vault_live_key(d->vault, 1, &key, &d->err),
        ACME_NOENT); /* the unit of another algorithm */
    acme_error_clear(&d->err);
    acme_vault_unlock(d->vault, 0);

    d->config->lineage[0].reuse_key = false;
    fake_drive_restart(d);
    assert_int_equal(acme_vault_lock(d->vault, 0, &d->err), ACME_OK);
    assert_int_equal(acme_vault_live_key(d->vault, 0, &key, &d->err),
        ACME_NOENT);
    assert_null(key);
    acme_error_clear(&d->err);
    acme_vault_unlock(d->vault, 0);
}

#define ONE(name)                                             \
    cmocka_unit_test_setup_teardown(name, fake_job_setup_one, \
        fake_drive_teardown)
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fake_job_setup, fake_drive_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_profile),
        TEST(test_profile_of_order),
        cmocka_unit_test(test_preferred_chain),
        cmocka_unit_test(test_common_name),
        cmocka_unit_test(test_must_staple),
        ONE(test_reuse_key),
        ONE(test_live_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
