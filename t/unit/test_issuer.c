/*
 * Issuers as values and as JSON: each field, one by one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "state/acme_issuer.h"

static struct acme_error err;
static struct acme_arena *arena;

static const struct acme_issuer full = {
    .name = "test",
    .directory = "https://ca.test/directory",
    .ncontacts = 2,
    .contact = { "mailto:a@example.com", "mailto:b@example.com" },
    .terms_accepted = true,
    .key_type = ACME_KEY_RSA_2048,
    .key_file = "/etc/acme/account.pem",
    .ca_file = "/etc/acme/ca.pem",
    .proxy = "http://proxy.test:3128",
    .proxy_ca_file = "/etc/acme/proxy.pem",
    .verify = true,
    .eab_kid = "kid-1",
    .eab_file = "/etc/acme/eab",
    .eab_key = "in the configuration",
    .eab_alg = "HS384",
    .profile = "short",
    .profile_required = true,
    .preferred_chain = "Some Root",
    .domain = "ca.test",
    .renewal_info = false,
    .resolver = { 2, { "192.0.2.1:53", "[2001:db8::1]:53" }, 30, false, true },
    .cn_in_csr = true,
    .adopt_dir = "/var/cache/elsewhere",
};

static int
setup(void **state)
{
    (void)state;
    acme_error_clear(&err);
    arena = acme_arena_new();
    return arena == NULL;
}

static int
teardown(void **state)
{
    (void)state;
    acme_arena_free(arena);
    return 0;
}

/* What the JSON form of `issuer` says. */
static void
through_json(const struct acme_issuer *issuer, struct acme_issuer *out)
{
    struct acme_json *json = acme_issuer_render(issuer);
    struct acme_buf text;

    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    assert_int_equal(acme_json_render(json, false, &text, &err), ACME_OK);
    assert_null(strstr(acme_buf_str(&text), "in the configuration"));
    assert_int_equal(acme_issuer_parse(arena, json, out, &err), ACME_OK);
    acme_json_free(json); /* nothing of it may be borrowed */
    acme_buf_clear(&text);
}

static void
differs(const struct acme_issuer *other)
{
    struct acme_issuer read;

    assert_false(acme_issuer_equal(&full, other));
    assert_false(acme_issuer_equal(other, &full));
    through_json(other, &read);
    assert_true(acme_issuer_equal(&read, other));
}

/* Each field counts, in comparing and in the JSON form. */
static void
test_fields(void **state)
{
    struct acme_issuer other;

    (void)state;
#define CHANGED(field, value) \
    do {                      \
        other = full;         \
        other.field = value;  \
        differs(&other);      \
    } while (0)
    CHANGED(name, "other");
    CHANGED(directory, "https://other.test/");
    CHANGED(ncontacts, 1);
    CHANGED(contact[1], "mailto:c@example.com");
    CHANGED(terms_accepted, false);
    CHANGED(key_type, ACME_KEY_ECDSA_256);
    CHANGED(key_file, NULL);
    CHANGED(ca_file, "/other.pem");
    CHANGED(proxy, NULL);
    CHANGED(proxy_ca_file, "/other.pem");
    CHANGED(verify, false);
    CHANGED(eab_kid, "kid-2");
    CHANGED(eab_file, NULL);
    CHANGED(eab_alg, NULL);
    CHANGED(profile, "long");
    CHANGED(profile_required, false);
    CHANGED(preferred_chain, NULL);
    CHANGED(domain, "other.test");
    CHANGED(renewal_info, true);
    CHANGED(cn_in_csr, false);
    CHANGED(resolver.n, 1);
    CHANGED(resolver.server[1], "192.0.2.3:53");
    CHANGED(resolver.timeout, 0);
    CHANGED(resolver.no_ipv4, true);
    CHANGED(resolver.no_ipv6, false);
#undef CHANGED
}

static void
test_copy(void **state)
{
    char name[] = "test", key[] = "in the configuration";
    struct acme_issuer from = full, copy;

    (void)state;
    from.name = name;
    from.eab_key = key;
    assert_true(acme_issuer_copy(arena, &copy, &from));
    memset(name, 'x', strlen(name));
    memset(key, 'x', strlen(key));
    assert_true(acme_issuer_equal(&copy, &full));
    assert_string_equal(copy.eab_key, "in the configuration");
}

/* A file that an older version wrote has what it knew. */
static void
test_defaults(void **state)
{
    static const char text[] =
        "{\"name\":\"a\",\"directory\":\"https://ca.test/\"}";
    struct acme_issuer expected, read;
    struct acme_json *json = NULL;

    (void)state;
    acme_issuer_init(&expected);
    expected.name = "a";
    expected.directory = "https://ca.test/";
    expected.key_type = ACME_KEY_NONE;
    assert_int_equal(
        acme_json_parse(text, strlen(text), "issuer", &json, &err), ACME_OK);
    assert_int_equal(acme_issuer_parse(arena, json, &read, &err), ACME_OK);
    assert_true(acme_issuer_equal(&read, &expected));
    assert_true(read.verify);
    assert_true(read.renewal_info);
    acme_json_free(json);
}

static void
test_malformed(void **state)
{
    static const struct {
        const char *text, *what;
    } cases[] = {
        { "{}", "directory" },
        { "{\"directory\":\"https://ca.test/\"}", "issuer name" },
        { "{\"name\":\"a\",\"directory\":\"http://ca.test/\"}", "directory" },
        { "{\"name\":\"a\",\"directory\":\"https://ca.test/\","
          "\"contact\":[1]}",
            "contact" },
        { "{\"name\":\"a\",\"directory\":\"https://ca.test/\","
          "\"account_key\":\"dsa\"}",
            "dsa" },
    };
    struct acme_issuer read;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct acme_json *json = NULL;

        acme_error_clear(&err);
        memset(&read, 0x55, sizeof(read));
        assert_int_equal(acme_json_parse(cases[i].text, strlen(cases[i].text),
                             "issuer", &json, &err),
            ACME_OK);
        assert_int_not_equal(acme_issuer_parse(arena, json, &read, &err),
            ACME_OK);
        assert_non_null(strstr(err.what, cases[i].what));
        assert_memory_equal(&read.ncontacts, "\x55\x55", 2); /* untouched */
        acme_json_free(json);
    }
}

/* Each short name of the message is known, in any case, and https. */
static void
test_short_names(void **state)
{
    char names[512], *name, *rest = names;

    (void)state;
    assert_true(strlen(acme_issuer_short_names) < sizeof(names));
    strcpy(names, acme_issuer_short_names);
    while ((name = strtok_r(rest, ", ", &rest)) != NULL) {
        const char *directory = acme_issuer_directory(name);
        struct acme_issuer issuer = { .directory = directory };

        assert_non_null(directory);
        assert_non_null(acme_issuer_domain(&issuer));
        assert_memory_equal(directory, "https://", 8);
        name[0] = (char)(name[0] - 'a' + 'A');
        assert_string_equal(acme_issuer_directory(name), directory);
    }
    assert_null(acme_issuer_directory("nobody"));
    assert_null(acme_issuer_directory(""));
}

static void
test_staging(void **state)
{
    static const char *const none[] = { "letsencrypt-staging", "zerossl",
        "google-staging", "sslcom" };
    size_t i;

    (void)state;
    assert_string_equal(
        acme_issuer_staging(acme_issuer_directory("letsencrypt")),
        "https://acme-staging-v02.api.letsencrypt.org/directory");
    assert_string_equal(acme_issuer_staging(acme_issuer_directory("google")),
        "https://dv.acme-v02.test-api.pki.goog/directory");
    for (i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_null(acme_issuer_staging(acme_issuer_directory(none[i])));
    assert_null(acme_issuer_staging("https://ca.test/dir"));
}

/* What the operator says goes before what is known of the host. */
static void
test_domain(void **state)
{
    struct acme_issuer issuer;

    (void)state;
    acme_issuer_init(&issuer);
    issuer.directory = acme_issuer_directory("letsencrypt-staging");
    assert_string_equal(acme_issuer_domain(&issuer), "letsencrypt.org");
    assert_false(acme_issuer_staples(&issuer));
    issuer.domain = "own.test";
    assert_string_equal(acme_issuer_domain(&issuer), "own.test");
    issuer.domain = NULL;
    issuer.directory = "https://letsencrypt.org.own.test/directory";
    assert_null(acme_issuer_domain(&issuer));
    assert_true(acme_issuer_staples(&issuer));
}

static void
test_is_test(void **state)
{
    static const struct {
        const char *directory;
        bool is;
    } cases[] = {
        { "https://acme-staging-v02.api.letsencrypt.org/directory", true },
        { "https://dv.acme-v02.test-api.pki.goog/directory", true },
        { "https://Staging.ca.example/", true },
        { "https://acme-v02.api.letsencrypt.org/directory", false },
        { "https://ca.test/dir", false },
        { "https://stagings.ca.example/", false },
        { "https://latest.ca.example/staging", false },
        { "https://staging/", false },
        { "", false },
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (acme_issuer_is_test(cases[i].directory) != cases[i].is)
            fail_msg("%s", cases[i].directory);
}

static void
test_has_account(void **state)
{
    static const struct {
        const char *url;
        bool has;
    } cases[] = {
        { "https://ca.test/acct/1", true },
        { "https://CA.test:443/acct/1", true },
        { "https://ca.test.evil.test/acct/1", false },
        { "https://evil.test/acct/1", false },
        { "https://ca.test:444/acct/1", false },
        { "http://ca.test/acct/1", false },
        { "https://ca.test@evil.test/acct/1", false },
        { "", false },
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(acme_issuer_has_account(&full, cases[i].url),
            cases[i].has);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_fields),
        TEST(test_copy),
        TEST(test_defaults),
        TEST(test_malformed),
        TEST(test_short_names),
        TEST(test_staging),
        TEST(test_domain),
        TEST(test_is_test),
        TEST(test_has_account),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
