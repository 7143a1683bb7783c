/*
 * How names are proved: the words of directives, JSON, merging, and which
 * challenge can prove which name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "state/acme_proof.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct acme_error err;
static struct acme_arena *arena;

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

/* The words of a text, which live as long as the arena. */
static size_t
split(const char *text, const char **word)
{
    char *copy = acme_arena_strdup(arena, text), *at;
    size_t n = 0;

    for (at = strtok(copy, " "); at != NULL; at = strtok(NULL, " "))
        word[n++] = at;
    return n;
}

static enum acme_rc
set(struct acme_proof *proof, enum acme_proof_item item, const char *text)
{
    const char *word[32];
    size_t n = split(text, word);

    acme_error_clear(&err);
    return acme_proof_set(proof, item, word, n, NULL, NULL, &err);
}

static const struct {
    enum acme_proof_item item;
    const char *text;
    const char *wrong; /* in the error; NULL: it is good */
} words[] = {
    { ACME_PROOF_CHALLENGE, "http-01", NULL },
    { ACME_PROOF_CHALLENGE, "HTTP tls-alpn dns dns-account", NULL },
    { ACME_PROOF_CHALLENGE, "dns-persist-01=draft-00", NULL },
    { ACME_PROOF_CHALLENGE, "dns-persist-01=draft-01 dns-01", NULL },
    { ACME_PROOF_CHALLENGE, "dns-persist-01=draft-02", "=draft-00\" or" },
    { ACME_PROOF_CHALLENGE, "", "too few" },
    { ACME_PROOF_CHALLENGE, "http-01 http", "\"http\": it is there twice" },
    { ACME_PROOF_CHALLENGE, "http-02", "unknown challenge \"http-02\"" },
    { ACME_PROOF_CHALLENGE, "tls-sni-01", "was withdrawn" },
    { ACME_PROOF_CHALLENGE, "dns-persist-01", "\"dns-persist-01\": it is no" },
    { ACME_PROOF_CHALLENGE, "dns-persist-01=x", "version of the draft" },
    { ACME_PROOF_COMMAND, "none", NULL },
    { ACME_PROOF_COMMAND, "certbot /bin/auth", NULL },
    { ACME_PROOF_COMMAND, "certbot /bin/auth /bin/clean timeout=30s", NULL },
    { ACME_PROOF_COMMAND, "mod_md /bin/dns a b credentials=/etc/c", NULL },
    { ACME_PROOF_COMMAND, "uacme /bin/hook", NULL },
    { ACME_PROOF_COMMAND, "acme.sh dns_cf /root/.acme.sh timeout=5m", NULL },
    { ACME_PROOF_COMMAND, "", "too few" },
    { ACME_PROOF_COMMAND, "none /bin/x", "stands alone" },
    { ACME_PROOF_COMMAND, "/bin/x", "\"/bin/x\": it must be the convention" },
    { ACME_PROOF_COMMAND, "mod_md /bin/dns version=2", NULL },
    { ACME_PROOF_COMMAND, "certbot /bin/auth version=2", "not the path" },
    { ACME_PROOF_COMMAND, "mod_md /bin/dns version=3", "version=1 or" },
    { ACME_PROOF_COMMAND, "certbot", "auth hook" },
    { ACME_PROOF_COMMAND, "certbot /a /b /c", "auth hook" },
    { ACME_PROOF_COMMAND, "certbot a", "\"a\": not the path" },
    { ACME_PROOF_COMMAND, "certbot /a b", "\"b\": not the path" },
    { ACME_PROOF_COMMAND, "mod_md", "program is missing" },
    { ACME_PROOF_COMMAND, "uacme timeout=3", "program is missing" },
    { ACME_PROOF_COMMAND, "uacme /a timeout=0", "\"0\": it must be a time" },
    { ACME_PROOF_COMMAND, "uacme /a timeout=2h", "1 to 3600 seconds" },
    { ACME_PROOF_COMMAND, "uacme /a credentials=b", "\"b\": not the path" },
    { ACME_PROOF_COMMAND, "acme.sh dns_cf", "name of a script" },
    { ACME_PROOF_COMMAND, "acme.sh ../dns_cf /x", "\"../dns_cf\": it is no" },
    { ACME_PROOF_COMMAND, "mod_md /a 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
        "\"16\": it is one word too many" },
    { ACME_PROOF_DNS_UPDATE, "none", NULL },
    { ACME_PROOF_DNS_UPDATE, "192.0.2.53:5353 /etc/tsig", NULL },
    { ACME_PROOF_DNS_UPDATE, "192.0.2.53", "TSIG key" },
    { ACME_PROOF_DNS_UPDATE, "192.0.2.53 tsig", "\"tsig\": not the path" },
    { ACME_PROOF_DNS_DELEGATION, "acme.test b.test", NULL },
    { ACME_PROOF_DNS_DELEGATION, "", "too few" },
    { ACME_PROOF_DNS_DELEGATION, "*.a.test", "\"*.a.test\": it is not" },
    { ACME_PROOF_DNS_DELEGATION, "192.0.2.1", "\"192.0.2.1\": it is not" },
    { ACME_PROOF_DNS_DELEGATION, "a..b", "\"a..b\": it is not" },
    { ACME_PROOF_DNS_PROPAGATION, "off", NULL },
    { ACME_PROOF_DNS_PROPAGATION, "60", NULL },
    { ACME_PROOF_DNS_PROPAGATION, "10m 10s", NULL },
    { ACME_PROOF_DNS_PROPAGATION, "1 2 3", "too many" },
    { ACME_PROOF_DNS_PROPAGATION, "soon", "\"soon\": it must be a time" },
    { ACME_PROOF_DNS_PROPAGATION, "-1", "\"-1\": it must be a time" },
    { ACME_PROOF_DNS_PROPAGATION, "5ms", "\"5ms\": it must be a time" },
    { ACME_PROOF_PREFLIGHT, "off", NULL },
    { ACME_PROOF_PREFLIGHT, "Require", NULL },
    { ACME_PROOF_PREFLIGHT, "on", "\"on\": it must be off, warn or require" },
    { ACME_PROOF_PREFLIGHT, "", "off, warn or require" },
};

/* Each says what it says, or what is wrong; the good survive JSON alone. */
static void
test_words(void **state)
{
    struct acme_proof proof, before, again;
    struct acme_json *json;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(words); i++) {
        acme_proof_init(&proof);
        before = proof;
        if (words[i].wrong != NULL) {
            assert_int_equal(set(&proof, words[i].item, words[i].text),
                ACME_CONFIG);
            assert_memory_equal(&proof, &before, sizeof(proof));
            if (strstr(err.what, words[i].wrong) == NULL)
                fail_msg("%s: %s", words[i].text, err.what);
            continue;
        }
        if (set(&proof, words[i].item, words[i].text) != ACME_OK)
            fail_msg("%s: %s", words[i].text, err.what);
        assert_int_equal(proof.said, 1u << words[i].item);
        json = acme_proof_render(&proof);
        assert_int_equal(acme_proof_parse(arena, json, &again, &err), ACME_OK);
        acme_json_free(json);
        if (!acme_proof_equal(&proof, &again))
            fail_msg("%s: another one from JSON", words[i].text);
        if (strcasecmp(words[i].text, "none") != 0 &&
            strcasecmp(words[i].text, "off") != 0) {
            acme_proof_init(&before);
            before.said = proof.said;
            if (i != 0 && words[i].item != ACME_PROOF_PREFLIGHT)
                assert_false(acme_proof_equal(&proof, &before));
        }
    }
}

/* What the words became. */
static void
test_values(void **state)
{
    struct acme_proof p;

    (void)state;
    acme_proof_init(&p);
    assert_int_equal(
        set(&p, ACME_PROOF_CHALLENGE, "tls-alpn dns-persist-01=DRAFT-01"),
        ACME_OK);
    assert_int_equal(p.nchallenges, 2);
    assert_int_equal(p.challenge[0], ACME_TLS_ALPN_01);
    assert_int_equal(p.challenge[1], ACME_DNS_PERSIST_01);
    assert_string_equal(p.persist, "draft-01");
    assert_int_equal(
        set(&p, ACME_PROOF_COMMAND, "certbot timeout=2m /a /b credentials=/c"),
        ACME_OK);
    assert_int_equal(p.command.kind, ACME_COMMAND_CERTBOT);
    assert_int_equal(p.command.nwords, 1);
    assert_string_equal(p.command.word[0], "/a");
    assert_string_equal(p.command.cleanup, "/b");
    assert_string_equal(p.command.credentials, "/c");
    assert_int_equal(p.command.timeout, 120);
    assert_int_equal(set(&p, ACME_PROOF_COMMAND, "mod_md /x y z"), ACME_OK);
    assert_int_equal(p.command.nwords, 3);
    assert_null(p.command.cleanup);
    assert_null(p.command.credentials);
    assert_int_equal(set(&p, ACME_PROOF_DNS_PROPAGATION, "2h 1m"), ACME_OK);
    assert_int_equal(p.propagation, 7200);
    assert_int_equal(p.interval, 60);
    assert_int_equal(set(&p, ACME_PROOF_PREFLIGHT, "require"), ACME_OK);
    assert_int_equal(p.preflight, ACME_PREFLIGHT_REQUIRE);
}

static const char *
whole(void *ctx, const char *path)
{
    (void)ctx;
    return *path == '/' ? path : acme_arena_printf(arena, "/root/%s", path);
}

static void
test_paths(void **state)
{
    const char *word[] = { "certbot", "auth", "/clean", "credentials=c" };
    struct acme_proof p;

    (void)state;
    acme_proof_init(&p);
    assert_int_equal(
        acme_proof_set(&p, ACME_PROOF_COMMAND, word, 4, whole, NULL, &err),
        ACME_OK);
    assert_string_equal(p.command.word[0], "/root/auth");
    assert_string_equal(p.command.cleanup, "/clean");
    assert_string_equal(p.command.credentials, "/root/c");
}

/* Item by item, and what was said last is not mixed with what was before. */
static void
test_merge(void **state)
{
    struct acme_proof wide, narrow;

    (void)state;
    acme_proof_init(&wide);
    acme_proof_init(&narrow);
    set(&wide, ACME_PROOF_CHALLENGE, "dns-01 http-01");
    set(&wide, ACME_PROOF_COMMAND, "uacme /wide credentials=/c");
    set(&wide, ACME_PROOF_DNS_DELEGATION, "a.test b.test");
    set(&narrow, ACME_PROOF_CHALLENGE, "http-01");
    set(&narrow, ACME_PROOF_COMMAND, "none");
    acme_proof_merge(&narrow, &wide);
    assert_int_equal(narrow.nchallenges, 1);
    assert_int_equal(narrow.challenge[0], ACME_HTTP_01);
    assert_int_equal(narrow.command.kind, ACME_COMMAND_NONE);
    assert_null(narrow.command.credentials);
    assert_int_equal(narrow.nzones, 2);
    assert_string_equal(narrow.zone[1], "b.test");
    assert_null(narrow.dns_server);
    set(&narrow, ACME_PROOF_DNS_DELEGATION, "c.test");
    assert_int_equal(narrow.nzones, 1);
}

/* A command and updates: one of them, and the one that was said nearer. */
static void
test_one_means(void **state)
{
    struct acme_proof wide, narrow;

    (void)state;
    acme_proof_init(&wide);
    set(&wide, ACME_PROOF_COMMAND, "uacme /wide");
    assert_int_equal(set(&wide, ACME_PROOF_DNS_UPDATE, "192.0.2.53 /etc/tsig"),
        ACME_CONFIG);
    assert_non_null(strstr(err.what, "acme_challenge_cmd (ACMEChallengeCmd)"));
    assert_null(wide.dns_server);
    assert_int_equal(set(&wide, ACME_PROOF_DNS_UPDATE, "none"), ACME_OK);

    acme_proof_init(&narrow);
    set(&narrow, ACME_PROOF_DNS_UPDATE, "192.0.2.53 /etc/tsig");
    assert_int_equal(set(&narrow, ACME_PROOF_COMMAND, "uacme /narrow"),
        ACME_CONFIG);
    assert_non_null(strstr(err.what, "acme_dns_update (ACMEDNSUpdate)"));
    acme_proof_merge(&narrow, &wide);
    assert_int_equal(narrow.command.kind, ACME_COMMAND_NONE);
    assert_int_equal(narrow.said, 1u << ACME_PROOF_DNS_UPDATE);
    set(&narrow, ACME_PROOF_DNS_UPDATE, "none");
    acme_proof_merge(&narrow, &wide);
    assert_int_equal(narrow.command.kind, ACME_COMMAND_UACME);

    /* the other way round, through a level that has nothing to say */
    acme_proof_init(&wide);
    set(&wide, ACME_PROOF_DNS_UPDATE, "192.0.2.53 /etc/tsig");
    acme_proof_init(&narrow);
    set(&narrow, ACME_PROOF_COMMAND, "uacme /narrow");
    acme_proof_merge(&narrow, &wide);
    assert_null(narrow.dns_server);
    set(&narrow, ACME_PROOF_COMMAND, "none");
    acme_proof_merge(&narrow, &wide);
    assert_non_null(narrow.dns_server);
}

/* Settings that somebody has edited. */
static void
test_bad_json(void **state)
{
    static const char *const texts[] = { "{\"challenge\":\"http-01\"}",
        "{\"challenge\":[1]}", "{\"command\":[\"certbot\"]}",
        "{\"preflight\":[\"a\",\"b\"]}",
        "{\"dns_delegation\":[\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\","
        "\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\"]}" };
    struct acme_json *json = NULL;
    struct acme_proof p;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(texts); i++) {
        acme_error_clear(&err);
        assert_int_equal(
            acme_json_parse(texts[i], strlen(texts[i]), "test", &json, &err),
            ACME_OK);
        assert_int_equal(acme_proof_parse(arena, json, &p, &err), ACME_WIRE);
        acme_json_free(json);
    }
    acme_error_clear(&err);
    assert_int_equal(acme_proof_parse(arena, NULL, &p, &err), ACME_OK);
    assert_int_equal(p.said, 0);
}

/* ---- choosing --------------------------------------------------------- */

#define U ACME_ARRIVAL_UNKNOWN
#define Y ACME_ARRIVAL_YES
#define N ACME_ARRIVAL_NO
#define X ACME_ARRIVAL_NEVER

static const struct {
    const char *challenges, *command; /* NULL: nothing was said */
    struct acme_reach reach;
    const char *name;
    const char *chosen;
    const char *why; /* none are */
} choices[] = {
    { NULL, NULL, { U, U }, "a.test", "http-01 tls-alpn-01 ", NULL },
    { NULL, NULL, { Y, Y }, "a.test", "http-01 tls-alpn-01 ", NULL },
    { NULL, NULL, { U, Y }, "a.test", "tls-alpn-01 http-01 ", NULL },
    { NULL, NULL, { N, Y }, "a.test", "tls-alpn-01 ", NULL },
    { NULL, NULL, { Y, N }, "a.test", "http-01 ", NULL },
    { NULL, NULL, { N, N }, "a.test", "", "nothing listens" },
    { NULL, NULL, { Y, Y }, "*.a.test", "", "acme_challenge_cmd" },
    { NULL, NULL, { Y, N }, "192.0.2.1", "http-01 ", NULL },
    { NULL, NULL, { N, N }, "192.0.2.1", "", "not proved by the DNS" },
    { NULL, "uacme /x", { Y, N }, "a.test", "http-01 dns-01 ", NULL },
    { NULL, "uacme /x", { U, N }, "a.test", "dns-01 http-01 ", NULL },
    { NULL, "uacme /x", { Y, Y }, "*.a.test", "dns-01 ", NULL },
    { NULL, "uacme /x", { N, N }, "2001:db8::1", "", "not proved by" },
    { "http-01", "uacme /x", { Y, Y }, "*.a.test", "",
        "say how to change it" },
    { "http-01", NULL, { N, Y }, "a.test", "http-01 ", NULL },
    { "http-01", NULL, { X, Y }, "a.test", "", "none of its challenges" },
    { NULL, NULL, { X, Y }, "a.test", "tls-alpn-01 ", NULL },
    { "dns-01", NULL, { Y, Y }, "a.test", "", "none of its challenges" },
    { "dns-account dns", "uacme /x", { Y, Y }, "a.test",
        "dns-account-01 dns-01 ", NULL },
    { "dns-account dns", "certbot /x", { Y, Y }, "a.test", "dns-01 ", NULL },
    { "dns-account", "mod_md /x", { Y, Y }, "*.a.test", "",
        "know dns-01 alone" },
    { "dns-account http", "mod_md /x", { Y, Y }, "a.test", "http-01 ", NULL },
    { "tls-alpn http", NULL, { Y, U }, "a.test", "tls-alpn-01 http-01 ",
        NULL },
    { "dns-persist-01=draft-01", NULL, { N, N }, "*.a.test", "dns-persist-01 ",
        NULL },
    { "dns-persist-01=draft-01 http", NULL, { Y, N }, "192.0.2.1", "http-01 ",
        NULL },
};

static void
test_choose(void **state)
{
    enum acme_challenge_type type[ACME_CHALLENGE_TYPES];
    struct acme_proof p;
    char chosen[128];
    size_t i, k, n;

    (void)state;
    for (i = 0; i < COUNT(choices); i++) {
        acme_proof_init(&p);
        if (choices[i].challenges != NULL)
            set(&p, ACME_PROOF_CHALLENGE, choices[i].challenges);
        if (choices[i].command != NULL)
            set(&p, ACME_PROOF_COMMAND, choices[i].command);
        n = acme_proof_choose(&p, &choices[i].reach, choices[i].name, type);
        chosen[0] = '\0';
        for (k = 0; k < n; k++) {
            strcat(chosen, acme_challenge_name(type[k]));
            strcat(chosen, " ");
        }
        assert_string_equal(chosen, choices[i].chosen);
        acme_error_clear(&err);
        assert_int_equal(
            acme_proof_check(&p, &choices[i].reach, choices[i].name, &err),
            n > 0 ? ACME_OK : ACME_CONFIG);
        if (choices[i].why != NULL &&
            (strstr(err.what, choices[i].why) == NULL ||
                strstr(err.what, choices[i].name) == NULL))
            fail_msg("%zu: %s", i, err.what);
    }
}

static void
test_types(void **state)
{
    enum acme_challenge_type type = ACME_HTTP_01;
    size_t i;

    (void)state;
    for (i = 0; i < ACME_CHALLENGE_TYPES; i++) {
        assert_true(acme_challenge_find(
            acme_challenge_name((enum acme_challenge_type)i), &type));
        assert_int_equal(type, i);
    }
    assert_false(acme_challenge_find("HTTP-01", &type));
    assert_false(acme_challenge_find("http", &type));
    assert_true(acme_challenge_is_dns(ACME_DNS_PERSIST_01));
    assert_false(acme_challenge_is_dns(ACME_TLS_ALPN_01));
}

int
main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_words),
        TEST(test_values),
        TEST(test_paths),
        TEST(test_merge),
        TEST(test_one_means),
        TEST(test_bad_json),
        TEST(test_choose),
        TEST(test_types),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
