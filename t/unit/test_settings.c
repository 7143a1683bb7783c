/*
 * What lineages are meant to be: declared, stored, united.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "state/acme_settings.h"

#define CA "https://ca.test/directory"
#define OTHER_CA "https://other.test/directory"

static struct acme_error err;

static int
setup(void **state)
{
    (void)state;
    acme_error_clear(&err);
    return 0;
}

static const struct acme_issuer issuer = {
    .name = "test",
    .directory = CA,
    .ncontacts = 2,
    .contact = { "mailto:a@example.com", "mailto:b@example.com" },
    .terms_accepted = true,
    .key_type = ACME_KEY_RSA_2048,
    .key_file = "/etc/acme/account.pem",
    .ca_file = "/etc/acme/ca.pem",
    .verify = true,
};

/* A configuration of one issuer and one lineage, on the stack: nothing of it
 * may be borrowed. */
struct wish {
    struct acme_proof proof;
    struct acme_config config;
    struct acme_issuer issuer;
    struct acme_lineage lineage;
    const char *names[4];
};

static void
wish_init(struct wish *wish, const char *directory, enum acme_key_type type,
    const char *one, const char *two)
{
    memset(wish, 0, sizeof(*wish));
    wish->issuer = issuer;
    wish->issuer.directory = directory;
    wish->names[0] = one;
    wish->names[1] = two;
    wish->lineage.name = "example.com";
    wish->lineage.nnames = two != NULL ? 2 : 1;
    wish->lineage.names = wish->names;
    acme_proof_init(&wish->proof);
    wish->proof.said = 1u << ACME_PROOF_DNS_UPDATE;
    wish->proof.dns_server = "192.0.2.53";
    wish->proof.dns_key_file = "/etc/acme/tsig";
    wish->lineage.proof = &wish->proof;
    wish->lineage.ntypes = 1;
    wish->lineage.type[0] = type;
    wish->config.nissuers = 1;
    wish->config.issuer = &wish->issuer;
    wish->config.nlineages = 1;
    wish->config.lineage = &wish->lineage;
}

static bool
declare(struct acme_settings *settings, const char *by,
    const struct wish *wish, time_t now)
{
    bool changed = false;

    assert_int_equal(acme_settings_declare(settings, by, &wish->config, 0, now,
                         &changed, &err),
        ACME_OK);
    return changed;
}

static struct acme_settings *
parse(const char *text)
{
    struct acme_settings *settings = NULL;

    if (acme_settings_parse(text, strlen(text), &settings, &err) != ACME_OK)
        fail_msg("%s", err.what);
    return settings;
}

static void
render(const struct acme_settings *settings, struct acme_buf *out)
{
    acme_buf_init(out, 100000);
    assert_int_equal(acme_settings_render(settings, out, &err), ACME_OK);
}

static void
test_empty(void **state)
{
    struct acme_settings *settings = acme_settings_new();
    struct acme_arena *arena = acme_arena_new();
    struct acme_lineage wanted;
    const char *conflict = "x";
    struct acme_buf text;

    (void)state;
    assert_int_equal(settings->ndeclared, 0);
    render(settings, &text);
    acme_settings_free(settings);
    settings = parse(acme_buf_str(&text));
    assert_int_equal(settings->ndeclared, 0);
    assert_int_equal(
        acme_settings_wanted(settings, arena, &wanted, &conflict, &err),
        ACME_OK);
    assert_int_equal(wanted.nnames, 0);
    assert_int_equal(wanted.ntypes, 0);
    assert_null(conflict);
    acme_settings_free(settings);
    acme_settings_free(NULL);
    acme_buf_clear(&text);
    acme_arena_free(arena);
}

static void
assert_declaration(const struct acme_declaration *one)
{
    assert_string_equal(one->by, "nginx:/etc/nginx/nginx.conf");
    assert_int_equal(one->since, 1700000000);
    assert_string_equal(one->issuer.name, "test");
    assert_string_equal(one->issuer.directory, CA);
    assert_int_equal(one->issuer.ncontacts, 2);
    assert_string_equal(one->issuer.contact[1], "mailto:b@example.com");
    assert_true(one->issuer.terms_accepted);
    assert_true(one->issuer.verify);
    assert_int_equal(one->issuer.key_type, ACME_KEY_RSA_2048);
    assert_string_equal(one->issuer.key_file, "/etc/acme/account.pem");
    assert_string_equal(one->issuer.ca_file, "/etc/acme/ca.pem");
    assert_int_equal(one->nnames, 2);
    assert_string_equal(one->names[0], "example.com");
    assert_string_equal(one->names[1], "*.example.com");
    assert_string_equal(one->proof.dns_server, "192.0.2.53");
    assert_string_equal(one->proof.dns_key_file, "/etc/acme/tsig");
    assert_int_equal(one->ntypes, 1);
    assert_int_equal(one->type[0], ACME_KEY_ECDSA_384);
}

static void
test_round_trip(void **state)
{
    struct acme_settings *settings = acme_settings_new();
    struct acme_buf text, again;
    struct wish wish;

    (void)state;
    wish_init(&wish, CA, ACME_KEY_ECDSA_384, "example.com", "*.example.com");
    assert_true(
        declare(settings, "nginx:/etc/nginx/nginx.conf", &wish, 1700000000));
    memset(&wish, 0, sizeof(wish));
    assert_declaration(&settings->declared[0]);
    render(settings, &text);
    acme_settings_free(settings);
    settings = parse(acme_buf_str(&text));
    assert_int_equal(settings->ndeclared, 1);
    assert_declaration(&settings->declared[0]);
    render(settings, &again);
    assert_string_equal(acme_buf_str(&text), acme_buf_str(&again));
    acme_settings_free(settings);
    acme_buf_clear(&text);
    acme_buf_clear(&again);
}

static void
test_absent_members(void **state)
{
    struct acme_settings *settings;
    const struct acme_issuer *read;

    (void)state;
    settings = parse("{\"new\": 1, \"declared\": [{\"by\": \"x\", \"keys\": "
                     "[\"rsa:2048\"], \"names\": [\"A.test\"], \"issuer\": "
                     "{\"name\": \"n\", \"directory\": \"" CA "\"}}]}");
    read = &settings->declared[0].issuer;
    assert_null(read->key_file);
    assert_null(read->ca_file);
    assert_false(read->terms_accepted); /* never by default */
    assert_true(read->verify);          /* always by default */
    assert_int_equal(read->ncontacts, 0);
    assert_int_equal(read->key_type, ACME_KEY_NONE);
    assert_string_equal(settings->declared[0].names[0], "a.test");
    acme_settings_free(settings);
}

#define ISSUER "\"issuer\": {\"name\": \"n\", \"directory\": \"" CA "\"}"
#define NAMES "\"names\": [\"a.test\"]"
#define KEYS "\"keys\": [\"rsa\"]"
#define WITH(members) "{\"declared\": [{" members "}]}"

static void
test_malformed(void **state)
{
    static const char *const bad[] = { "", "[]", "1", "{", "{\"declared\":[",
        WITH(""), WITH(ISSUER "," NAMES "," KEYS),
        WITH("\"by\": 1," ISSUER "," NAMES "," KEYS),
        WITH("\"by\": \"x\"," NAMES "," KEYS),
        WITH("\"by\": \"x\"," ISSUER "," KEYS),
        WITH("\"by\": \"x\"," ISSUER "," NAMES),
        WITH("\"by\": \"x\"," ISSUER ", \"names\": []," KEYS),
        WITH("\"by\": \"x\"," ISSUER ", \"names\": [\"../x\"]," KEYS),
        WITH("\"by\": \"x\"," ISSUER ", \"names\": [1]," KEYS),
        WITH("\"by\": \"x\"," ISSUER "," NAMES ", \"keys\": [\"dsa\"]"),
        WITH("\"by\": \"x\"," ISSUER "," NAMES ", \"keys\": [\"rsa\", "
             "\"rsa\", \"rsa\", \"rsa\", \"rsa\"]"),
        WITH("\"by\": \"x\", \"issuer\": {\"name\": \"n\", \"directory\": "
             "\"http://ca.test/\"}," NAMES "," KEYS),
        WITH("\"by\": \"x\", \"issuer\": {\"name\": \"n\", \"directory\": "
             "\"file:///etc/passwd\"}," NAMES "," KEYS),
        WITH("\"by\": \"x\", \"issuer\": {\"directory\": \"" CA "\"}," NAMES
             "," KEYS),
        WITH("\"by\": \"x\", \"issuer\": {\"name\": \"n\", \"directory\": "
             "\"" CA "\", \"contact\": [1]}," NAMES "," KEYS) };
    struct acme_settings *settings = NULL;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        acme_error_clear(&err);
        if (acme_settings_parse(bad[i], strlen(bad[i]), &settings, &err) !=
                ACME_WIRE ||
            err.what[0] == '\0')
            fail_msg("taken: %s", bad[i]);
        assert_null(settings);
    }
}

static void
test_changed(void **state)
{
    struct acme_settings *settings = acme_settings_new();
    struct wish wish;

    (void)state;
    wish_init(&wish, CA, ACME_KEY_ECDSA_256, "a.test", "b.test");
    assert_true(declare(settings, "nginx", &wish, 100));
    assert_false(declare(settings, "nginx", &wish, 200));
    assert_int_equal(settings->declared[0].since, 100);

    wish.names[1] = "c.test";
    assert_true(declare(settings, "nginx", &wish, 200));
    assert_int_equal(settings->declared[0].since, 100);
    assert_false(declare(settings, "nginx", &wish, 200));
    wish.lineage.nnames = 1;
    assert_true(declare(settings, "nginx", &wish, 200));
    wish.lineage.type[0] = ACME_KEY_RSA_2048;
    assert_true(declare(settings, "nginx", &wish, 200));
    wish.lineage.ntypes = 2;
    wish.lineage.type[1] = ACME_KEY_ECDSA_256;
    assert_true(declare(settings, "nginx", &wish, 200));
    wish.issuer.directory = OTHER_CA;
    assert_true(declare(settings, "nginx", &wish, 200));
    wish.issuer.terms_accepted = false;
    assert_true(declare(settings, "nginx", &wish, 200));
    wish.issuer.verify = false;
    assert_true(declare(settings, "nginx", &wish, 200));
    wish.issuer.key_file = NULL;
    assert_true(declare(settings, "nginx", &wish, 200));
    wish.issuer.ca_file = "/x";
    assert_true(declare(settings, "nginx", &wish, 200));
    wish.issuer.contact[0] = "mailto:c@example.com";
    assert_true(declare(settings, "nginx", &wish, 200));
    wish.issuer.ncontacts = 0;
    assert_true(declare(settings, "nginx", &wish, 200));
    wish.issuer.key_type = ACME_KEY_ECDSA_256;
    assert_true(declare(settings, "nginx", &wish, 200));
    assert_false(declare(settings, "nginx", &wish, 200));
    assert_int_equal(settings->ndeclared, 1);

    assert_false(acme_settings_withdraw(settings, "httpd"));
    assert_true(acme_settings_withdraw(settings, "nginx"));
    assert_false(acme_settings_withdraw(settings, "nginx"));
    assert_int_equal(settings->ndeclared, 0);
    acme_settings_free(settings);
}

/* Since when HSTS grows: kept while anybody wants that. */
static void
test_enhance(void **state)
{
    struct acme_enhance enhance = { .redirect = ACME_REDIRECT_PERMANENT };
    struct acme_settings *settings = acme_settings_new();
    struct acme_buf text;
    struct wish wish;

    (void)state;
    wish_init(&wish, CA, ACME_KEY_ECDSA_256, "a.test", NULL);
    assert_true(declare(settings, "nginx", &wish, 100));
    assert_int_equal(settings->hsts_since, 0);
    wish.lineage.auto_hsts = true;
    assert_true(declare(settings, "nginx", &wish, 200));
    assert_false(declare(settings, "nginx", &wish, 300));
    assert_int_equal(settings->hsts_since, 200);
    enhance.hsts.mode = ACME_HSTS_AUTO;
    assert_true(acme_settings_enhance(settings, &enhance, 400));
    assert_false(acme_settings_enhance(settings, &enhance, 500));
    assert_true(acme_settings_withdraw(settings, "nginx"));
    assert_int_equal(settings->hsts_since, 200);

    render(settings, &text);
    acme_settings_free(settings);
    settings = parse(acme_buf_str(&text));
    acme_buf_clear(&text);
    assert_int_equal(settings->hsts_since, 200);
    assert_true(acme_enhance_equal(&settings->enhance, &enhance));

    enhance.hsts.mode = ACME_HSTS_OFF;
    assert_true(acme_settings_enhance(settings, &enhance, 600));
    assert_int_equal(settings->hsts_since, 0);
    assert_true(declare(settings, "nginx", &wish, 700));
    assert_int_equal(settings->hsts_since, 700);
    assert_true(acme_settings_withdraw(settings, "nginx"));
    assert_int_equal(settings->hsts_since, 0);
    acme_settings_free(settings);
}

/* "state_path off" of one server is not that of another, and is remembered. */
static void
test_forgets(void **state)
{
    struct acme_settings *settings = acme_settings_new();
    struct acme_buf text;
    struct wish wish;

    (void)state;
    wish_init(&wish, CA, ACME_KEY_ECDSA_256, "a.test", NULL);
    declare(settings, "httpd:b", &wish, 1);
    declare(settings, "nginx:a", &wish, 1);
    assert_false(acme_settings_forgets(settings, "nginx:a"));
    wish.issuer.forgets = true;
    assert_true(declare(settings, "nginx:a", &wish, 2));
    assert_false(declare(settings, "nginx:a", &wish, 2));
    render(settings, &text);
    acme_settings_free(settings);
    settings = parse(acme_buf_str(&text));
    assert_true(acme_settings_forgets(settings, "nginx:a"));
    assert_false(acme_settings_forgets(settings, "httpd:b"));
    assert_false(acme_settings_forgets(settings, "nginx:c"));
    acme_buf_clear(&text);
    acme_settings_free(settings);
}

static void
test_order(void **state)
{
    struct acme_settings *settings = acme_settings_new();
    struct acme_buf text;
    struct wish wish;

    (void)state;
    wish_init(&wish, CA, ACME_KEY_ECDSA_256, "a.test", NULL);
    declare(settings, "three", &wish, 300);
    declare(settings, "one", &wish, 100); /* a clock that went back */
    declare(settings, "two", &wish, 200);
    declare(settings, "twin", &wish, 200);
    acme_settings_withdraw(settings, "twin");
    declare(settings, "last", &wish, 300);
    render(settings, &text);
    acme_settings_free(settings);
    settings = parse(acme_buf_str(&text));
    assert_int_equal(settings->ndeclared, 4);
    assert_string_equal(settings->declared[0].by, "one");
    assert_string_equal(settings->declared[1].by, "two");
    assert_string_equal(settings->declared[2].by, "three");
    assert_string_equal(settings->declared[3].by, "last");
    acme_settings_free(settings);
    acme_buf_clear(&text);
}

static void
test_wanted(void **state)
{
    struct acme_settings *settings = acme_settings_new();
    struct acme_arena *arena = acme_arena_new();
    struct acme_lineage wanted;
    const char *conflict = "x";
    struct wish wish;

    (void)state;
    wish_init(&wish, CA, ACME_KEY_ECDSA_256, "a.test", "b.test");
    declare(settings, "nginx", &wish, 200);
    wish_init(&wish, CA, ACME_KEY_RSA_2048, "c.test", "a.test");
    declare(settings, "httpd", &wish, 100);
    assert_int_equal(
        acme_settings_wanted(settings, arena, &wanted, &conflict, &err),
        ACME_OK);
    acme_settings_free(settings); /* nothing is borrowed */
    assert_null(conflict);
    assert_int_equal(wanted.nnames, 3);
    assert_string_equal(wanted.names[0], "c.test");
    assert_string_equal(wanted.names[1], "a.test");
    assert_string_equal(wanted.names[2], "b.test");
    assert_int_equal(wanted.ntypes, 2);
    assert_int_equal(wanted.type[0], ACME_KEY_RSA_2048);
    assert_int_equal(wanted.type[1], ACME_KEY_ECDSA_256);
    acme_arena_free(arena);
}

static void
conflict_of(const char *directory, enum acme_key_type type, const char *want)
{
    struct acme_settings *settings = acme_settings_new();
    struct acme_arena *arena = acme_arena_new();
    struct acme_lineage wanted;
    const char *conflict = NULL;
    struct wish wish;

    wish_init(&wish, CA, ACME_KEY_ECDSA_256, "a.test", NULL);
    declare(settings, "nginx:/n", &wish, 100);
    wish_init(&wish, directory, type, "b.test", NULL);
    declare(settings, "httpd:/h\n", &wish, 200);
    assert_int_equal(
        acme_settings_wanted(settings, arena, &wanted, &conflict, &err),
        ACME_OK);
    if (want == NULL)
        assert_null(conflict);
    else
        assert_string_equal(conflict, want);
    assert_int_equal(wanted.type[0], ACME_KEY_ECDSA_256);
    acme_arena_free(arena);
    acme_settings_free(settings);
}

static void
test_conflict(void **state)
{
    (void)state;
    conflict_of(CA, ACME_KEY_RSA_4096, NULL);
    conflict_of(OTHER_CA, ACME_KEY_ECDSA_256,
        "declared differently by nginx:/n and httpd:/h\\x0a: CA " CA
        " and " OTHER_CA);
    conflict_of(CA, ACME_KEY_ECDSA_384,
        "declared differently by nginx:/n and httpd:/h\\x0a: key ecdsa:256 "
        "and ecdsa:384");
}

static void
test_too_many(void **state)
{
    struct acme_settings *settings = acme_settings_new();
    struct acme_arena *arena = acme_arena_new();
    static char text[1002][32];
    static const char *names[1002];
    const char *conflict = NULL;
    struct acme_lineage wanted;
    struct wish wish;
    size_t i;

    (void)state;
    for (i = 0; i < 1002; i++) {
        (void)snprintf(text[i], sizeof(text[i]), "n%zu.test", i);
        names[i] = text[i];
    }
    wish_init(&wish, CA, ACME_KEY_ECDSA_256, "a.test", NULL);
    wish.lineage.names = names;
    wish.lineage.nnames = 1000;
    declare(settings, "nginx", &wish, 100);
    assert_int_equal(
        acme_settings_wanted(settings, arena, &wanted, &conflict, &err),
        ACME_OK);
    assert_int_equal(wanted.nnames, 1000);
    wish.lineage.names = names + 1;
    declare(settings, "httpd", &wish, 100);
    assert_int_equal(
        acme_settings_wanted(settings, arena, &wanted, &conflict, &err),
        ACME_CONFIG);
    acme_arena_free(arena);
    acme_settings_free(settings);
}

/* As long as one of them wants it. */
static void
test_staples(void **state)
{
    struct acme_settings *settings = acme_settings_new();
    struct acme_buf text;
    struct wish wish;

    (void)state;
    wish_init(&wish, CA, ACME_KEY_ECDSA_256, "a.test", NULL);
    assert_true(declare(settings, "nginx", &wish, 100));
    assert_false(acme_settings_staples(settings));
    wish.lineage.stapling = true;
    assert_true(declare(settings, "httpd", &wish, 200));
    assert_true(acme_settings_staples(settings));

    render(settings, &text);
    acme_settings_free(settings);
    settings = parse(acme_buf_str(&text));
    acme_buf_clear(&text);
    assert_true(acme_settings_staples(settings));
    assert_false(declare(settings, "httpd", &wish, 300));
    wish.lineage.stapling = false;
    assert_true(declare(settings, "httpd", &wish, 400));
    assert_false(acme_settings_staples(settings));
    acme_settings_free(settings);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_empty, setup),
        cmocka_unit_test_setup(test_round_trip, setup),
        cmocka_unit_test_setup(test_absent_members, setup),
        cmocka_unit_test_setup(test_malformed, setup),
        cmocka_unit_test_setup(test_changed, setup),
        cmocka_unit_test_setup(test_enhance, setup),
        cmocka_unit_test_setup(test_staples, setup),
        cmocka_unit_test_setup(test_forgets, setup),
        cmocka_unit_test_setup(test_order, setup),
        cmocka_unit_test_setup(test_wanted, setup),
        cmocka_unit_test_setup(test_conflict, setup),
        cmocka_unit_test_setup(test_too_many, setup),
    };

    return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
