/*
 * Who answers a CA: words and JSON, which directory is whose, and which
 * challenge can prove which name then.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "state/acme_proof.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct acme_arena *arena;
static struct acme_error err;

static int
setup(void **state)
{
    (void)state;
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

/* The array lives as long as the arena, as it is borrowed. */
static enum acme_rc
set(struct acme_proof *proof, enum acme_proof_item item, const char *text)
{
    char *copy = acme_arena_strdup(arena, text), *at;
    const char **word = acme_arena_alloc(arena, 300 * sizeof(*word));
    size_t n = 0;

    for (at = strtok(copy, " "); at != NULL; at = strtok(NULL, " "))
        word[n++] = at;
    acme_error_clear(&err);
    return acme_proof_set(proof, item, word, n, NULL, NULL, &err);
}

static struct acme_proof
answered(const char *text)
{
    struct acme_proof proof;

    acme_proof_init(&proof);
    assert_int_equal(set(&proof, ACME_PROOF_ANSWER, text), ACME_OK);
    return proof;
}

static void
test_words(void **state)
{
    static const char *const good[] = { "server", "manual", "standalone",
        "standalone http=8080 http-address=192.0.2.1 tls=65535 "
        "tls-address=2001:db8::1",
        "webroot /a", "webroot /a a.test www.a.test /b b.test /c" };
    struct acme_proof proof, again;
    struct acme_json *json;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(good); i++) {
        proof = answered(good[i]);
        json = acme_proof_render(&proof);
        assert_int_equal(acme_proof_parse(arena, json, &again, &err), ACME_OK);
        acme_json_free(json);
        assert_true(acme_proof_equal(&proof, &again));
        proof = answered("webroot /other");
        assert_false(acme_proof_equal(&proof, &again));
    }
}

static void
test_bad_words(void **state)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        { "", "must begin with" },
        { "nginx", "must begin with" },
        { "manual now", "\"now\"" },
        { "standalone http=0", "between 1 and 65535" },
        { "standalone http=65536", "between 1 and 65535" },
        { "standalone tls=80x", "between 1 and 65535" },
        { "standalone http-address=[::1]", "without brackets" },
        { "standalone tls-address=localhost", "without brackets" },
        { "standalone udp=1", "none of http=PORT" },
        { "webroot", "needs a directory" },
        { "webroot a.test", "needs a directory" },
    };
    struct acme_proof proof;
    size_t i;

    (void)state;
    acme_proof_init(&proof);
    for (i = 0; i < COUNT(bad); i++) {
        assert_int_equal(set(&proof, ACME_PROOF_ANSWER, bad[i].text),
            ACME_CONFIG);
        if (strstr(err.what, bad[i].why) == NULL)
            fail_msg("%s: %s", bad[i].text, err.what);
    }
    assert_int_equal(proof.said, 0);
}

static void
test_webroot(void **state)
{
    static const struct {
        const char *words, *name, *dir;
    } cases[] = {
        { "webroot /a", "a.test", "/a" },
        { "webroot /a a.test", "a.test", "/a" },
        { "webroot /a a.test", "b.test", NULL },
        { "webroot /a a.test www.a.test /b b.test", "www.a.test", "/a" },
        { "webroot /a a.test www.a.test /b b.test", "b.test", "/b" },
        { "webroot /a a.test /b", "c.test", "/b" },
        { "webroot /a a.test /b a.test /c", "a.test", "/a" },
    };
    struct acme_proof proof;
    const char *dir;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        proof = answered(cases[i].words);
        dir = acme_answer_webroot(&proof.answer, cases[i].name);
        assert_int_equal(dir == NULL, cases[i].dir == NULL);
        if (dir != NULL)
            assert_string_equal(dir, cases[i].dir);
    }
}

static void
test_choose(void **state)
{
    static const struct {
        const char *answer, *challenge, *command, *name, *types;
    } cases[] = {
        { "standalone", NULL, NULL, "a.test", "http-01 tls-alpn-01 " },
        { "standalone", "tls-alpn-01", NULL, "a.test", "tls-alpn-01 " },
        { "standalone", NULL, NULL, "*.a.test", "" },
        { "standalone", NULL, NULL, "192.0.2.1", "http-01 tls-alpn-01 " },
        { "webroot /a", NULL, NULL, "a.test", "http-01 " },
        { "webroot /a a.test", NULL, NULL, "b.test", "" },
        { "webroot /a", "tls-alpn-01", NULL, "a.test", "" },
        { "webroot /a", NULL, "certbot /x", "*.a.test", "dns-01 " },
        { "manual", NULL, NULL, "a.test", "http-01 dns-01 " },
        { "manual", "dns http", NULL, "a.test", "dns-01 http-01 " },
        { "manual", NULL, NULL, "*.a.test", "dns-01 " },
        { "manual", NULL, NULL, "192.0.2.1", "http-01 " },
        { "manual", NULL, "certbot /x", "a.test", "http-01 dns-01 " },
        { "manual", NULL, "uacme /x", "a.test", "http-01 dns-01 " },
        { "manual", NULL, "mod_md /x", "a.test", "dns-01 " },
        { "manual", "tls-alpn-01", NULL, "a.test", "" },
        { "server", NULL, "certbot /x", "a.test", "dns-01 " },
    };
    static const struct acme_reach nowhere = { ACME_ARRIVAL_NO,
        ACME_ARRIVAL_NO };
    enum acme_challenge_type type[ACME_CHALLENGE_TYPES];
    struct acme_proof proof;
    char types[128];
    size_t i, k, n;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        proof = answered(cases[i].answer);
        if (cases[i].challenge != NULL)
            assert_int_equal(
                set(&proof, ACME_PROOF_CHALLENGE, cases[i].challenge),
                ACME_OK);
        if (cases[i].command != NULL)
            assert_int_equal(set(&proof, ACME_PROOF_COMMAND, cases[i].command),
                ACME_OK);
        n = acme_proof_choose(&proof, &nowhere, cases[i].name, type);
        types[0] = '\0';
        for (k = 0; k < n; k++)
            (void)strcat(strcat(types, acme_challenge_name(type[k])), " ");
        if (strcmp(types, cases[i].types) != 0)
            fail_msg("%zu: %s", i, types);
        acme_error_clear(&err);
        assert_int_equal(
            acme_proof_check(&proof, &nowhere, cases[i].name, &err),
            n > 0 ? ACME_OK : ACME_CONFIG);
    }
}

static void
test_by_hand(void **state)
{
    struct acme_proof proof = answered("manual");

    (void)state;
    assert_true(acme_proof_is_by_hand(&proof));
    assert_int_equal(set(&proof, ACME_PROOF_COMMAND, "certbot /x"), ACME_OK);
    assert_false(acme_proof_is_by_hand(&proof));
    proof = answered("standalone");
    assert_false(acme_proof_is_by_hand(&proof));
}

int
main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_words),
        TEST(test_bad_words),
        TEST(test_webroot),
        TEST(test_choose),
        TEST(test_by_hand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
