/* acme_challenge.h: who is answered, and with whose thumbprint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drive/acme_challenge.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PATH ACME_CHALLENGE_PATH
#define THUMB "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ"
#define OTHER_THUMB "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopq"
#define PENDING_THUMB "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg"
#define VALUE_THUMB "VVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVV"
#define FILE_THUMB "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"

struct world {
    struct acme_config *config;
    struct acme_area *area;
    struct acme_error err;
};

static void
add_issuer(struct world *w, const char *name, const char *directory,
    const char *key_file)
{
    struct acme_issuer issuer = { .name = name,
        .directory = directory,
        .key_file = key_file,
        .verify = true,
        .key_type = ACME_KEY_ECDSA_256 };
    size_t index;

    assert_int_equal(
        acme_config_add_issuer(w->config, &issuer, &index, &w->err), ACME_OK);
}

static void
add_lineage(struct world *w, size_t issuer, const char *const *names, size_t n,
    const struct acme_proof *proof)
{
    struct acme_lineage lineage = { .issuer = issuer,
        .names = names,
        .nnames = n,
        .proof = proof,
        .ntypes = 1,
        .type = { ACME_KEY_ECDSA_256 } };
    size_t index;

    assert_int_equal(
        acme_config_add_lineage(w->config, &lineage, &index, &w->err),
        ACME_OK);
}

static void
challenges(struct acme_proof *proof, const char *const *word, size_t n)
{
    struct acme_error err;

    acme_error_clear(&err);
    acme_proof_init(proof);
    assert_int_equal(
        acme_proof_set(proof, ACME_PROOF_CHALLENGE, word, n, NULL, NULL, &err),
        ACME_OK);
}

static void
add_thumbprint(struct world *w, const char *value, const char *file)
{
    struct acme_thumbprint thumbprint = { value, file };
    size_t index;

    assert_int_equal(
        acme_config_add_thumbprint(w->config, &thumbprint, &index, &w->err),
        ACME_OK);
}

static int
setup(void **state)
{
    static const char *const first[] = { "a.test", "2001:db8::1",
        "192.0.2.1" };
    static const char *const second[] = { "b.test" };
    static const char *const third[] = { "tls.test" };
    static const char *const fourth[] = { "both.test" };
    static const char *const tls[] = { "tls-alpn-01" };
    static const char *const both[] = { "tls-alpn-01", "http-01" };
    struct acme_proof proof;
    struct acme_area_token pending[] = {
        { .name = "elsewhere.test",
            .token = "pending",
            .thumbprint = PENDING_THUMB },
        { .name = "a.test", .token = "of-a", .thumbprint = PENDING_THUMB },
        { .name = "tls.test", .token = "of-tls", .thumbprint = PENDING_THUMB },
    };
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    acme_error_clear(&w->err);
    w->config = acme_config_new("/state", "nginx", "/etc/nginx/nginx.conf");
    assert_non_null(w->config);
    add_issuer(w, "one", "https://one.test/dir", NULL);
    add_issuer(w, "two", "https://two.test/dir", "/etc/acme/key");
    add_lineage(w, 0, first, COUNT(first), NULL);
    add_lineage(w, 1, second, COUNT(second), NULL);
    challenges(&proof, tls, 1);
    add_lineage(w, 0, third, COUNT(third), &proof);
    challenges(&proof, both, 2);
    add_lineage(w, 0, fourth, COUNT(fourth), &proof);
    add_thumbprint(w, VALUE_THUMB, NULL);
    add_thumbprint(w, NULL, "/etc/acme/thumbprint");
    assert_int_equal(acme_config_finish(w->config, &w->err), ACME_OK);
    assert_int_equal(acme_challenge_thumbprints(w->config), 4);
    assert_int_equal(acme_area_new(4, 4, &w->area, &w->err), ACME_OK);
    acme_area_put_thumbprint(w->area, 0, THUMB);
    acme_area_put_thumbprint(w->area, 1, OTHER_THUMB);
    acme_area_put_thumbprint(w->area, 3, FILE_THUMB);
    acme_area_put_tokens(w->area, pending, COUNT(pending));
    *state = w;
    return 0;
}

static int
teardown(void **state)
{
    struct world *w = *state;

    acme_area_free(w->area);
    acme_config_free(w->config);
    free(w);
    return 0;
}

/* ---- answers ---------------------------------------------------------- */

#define TOKEN_64 \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

static bool
answer_on(const struct world *w, const char *host, size_t host_len,
    const char *path, size_t path_len, char *answer)
{
    return acme_challenge_answer(w->config, w->area, &acme_answering_default,
        host, host_len, path, path_len, answer);
}

static void
test_answers(void **state)
{
    static const struct {
        const char *host, *path;
        const char *answer; /* NULL: declined */
    } cases[] = {
        { "a.test", PATH "token", "token." THUMB },
        { "b.test", PATH "token", "token." OTHER_THUMB },

        /* http-01 is not what the name is proved by, or may be */
        { "tls.test", PATH "token", NULL },
        { "tls.test", PATH "of-tls", "of-tls." PENDING_THUMB },
        { "both.test", PATH "token", "token." THUMB },

        /* token */
        { "a.test", PATH "t", "t." THUMB },
        { "a.test", PATH TOKEN_64 TOKEN_64, TOKEN_64 TOKEN_64 "." THUMB },
        { "a.test", PATH TOKEN_64 TOKEN_64 "a", NULL },
        { "a.test", PATH, NULL },
        { "a.test", PATH "to.ken", NULL },
        { "a.test", PATH "token/", NULL },
        { "a.test", PATH "../token", NULL },
        { "a.test", PATH "token=", NULL },
        { "a.test", PATH "token+", NULL },
        { "a.test", PATH "to ken", NULL },
        { "a.test", PATH "token\n", NULL },
        { "a.test", PATH "<b>", NULL },
        { "a.test", PATH "%74oken", NULL },
        { "a.test", PATH "tok\xc3\xa9n", NULL },

        /* path */
        { "a.test", "/.well-known/acme-challenge", NULL },
        { "a.test", "/.well-known/acme-challenge-token", NULL },
        { "a.test", "/.well-known/ACME-challenge/token", NULL },
        { "a.test", "/x" PATH "token", NULL },
        { "a.test", "/.well-known//acme-challenge/token", NULL },
        { "a.test", "/", NULL },
        { "a.test", "", NULL },

        /* host */
        { "A.TeSt", PATH "token", "token." THUMB },
        { "a.test.", PATH "token", "token." THUMB },
        { "a.test:80", PATH "token", "token." THUMB },
        { "a.test:8080", PATH "token", "token." THUMB },
        { "[2001:db8::1]", PATH "token", "token." THUMB },
        { "[2001:DB8:0::1]:80", PATH "token", "token." THUMB },
        { "192.0.2.1", PATH "token", "token." THUMB },
        { "192.0.2.1:80", PATH "token", "token." THUMB },
        { "[2001:db8::2]", PATH "token", NULL },
        { "192.0.2.2", PATH "token", NULL },
        { "c.test", PATH "token", NULL },
        { "www.a.test", PATH "token", NULL },
        { "test", PATH "token", NULL },
        { "a.test..", PATH "token", NULL },
        { "a.test:80:80", PATH "token", NULL },
        { "a.test\r\nX: y", PATH "token", NULL },
        { "", PATH "token", NULL },

        /* orders of others */
        { "elsewhere.test", PATH "pending", "pending." PENDING_THUMB },
        { "elsewhere.test", PATH "token", NULL },
        { "c.test", PATH "pending", NULL },
        { "b.test", PATH "pending", "pending." OTHER_THUMB },
    };
    struct world *w = *state;
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1];
    size_t i;
    bool got;

    for (i = 0; i < COUNT(cases); i++) {
        got = answer_on(w, cases[i].host, strlen(cases[i].host), cases[i].path,
            strlen(cases[i].path), answer);
        if (got != (cases[i].answer != NULL) ||
            (got && strcmp(answer, cases[i].answer) != 0))
            fail_msg("%s%s: %s", cases[i].host, cases[i].path,
                got ? answer : "declined");
    }
}

/* Host and path are counted, not ended by NUL. */
static void
test_counted(void **state)
{
    struct world *w = *state;
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1];

    assert_true(
        answer_on(w, "a.testX", 6, PATH "tokenX", strlen(PATH) + 5, answer));
    assert_string_equal(answer, "token." THUMB);
    assert_false(
        answer_on(w, "a.test\0x", 8, PATH "token", strlen(PATH) + 5, answer));
    assert_false(
        answer_on(w, "a.test", 6, PATH "tok\0en", strlen(PATH) + 6, answer));
}

/* No account yet: nothing to answer with. */
static void
test_no_thumbprint(void **state)
{
    struct world *w = *state;
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1];

    acme_area_put_thumbprint(w->area, 0, "");
    assert_false(
        answer_on(w, "a.test", 6, PATH "token", strlen(PATH) + 5, answer));
}

/* ---- modes ------------------------------------------------------------ */

#define ON ACME_ANSWERS_ON
#define ANY ACME_ANSWERS_ANY
#define PENDING ACME_ANSWERS_PENDING
#define OFF ACME_ANSWERS_OFF

static void
test_modes(void **state)
{
    static const struct {
        struct acme_answering how;
        const char *host, *token;
        const char *thumbprint; /* NULL: declined */
    } cases[] = {
        { { ON, -1, -1 }, "a.test", "of-a", PENDING_THUMB },
        { { ANY, 1, -1 }, "tls.test", "x", OTHER_THUMB },
        { { ON, -1, 0 }, "tls.test", "x", VALUE_THUMB },
        { { PENDING, -1, -1 }, "tls.test", "of-tls", PENDING_THUMB },
        { { ON, -1, -1 }, "b.test", "of-a", OTHER_THUMB },
        { { ON, -1, -1 }, "c.test", "of-a", NULL },

        { { PENDING, -1, -1 }, "a.test", "of-a", PENDING_THUMB },
        { { PENDING, -1, -1 }, "a.test", "foreign", NULL },
        { { PENDING, -1, -1 }, "b.test", "of-a", NULL },
        { { PENDING, -1, -1 }, "elsewhere.test", "pending", PENDING_THUMB },
        { { PENDING, 0, 0 }, "c.test", "x", NULL },

        { { OFF, -1, -1 }, "a.test", "of-a", NULL },
        { { OFF, 0, 0 }, "c.test", "x", NULL },

        { { ANY, 1, -1 }, "a.test", "x", THUMB },
        { { ANY, 1, -1 }, "a.test", "of-a", PENDING_THUMB },
        { { ANY, 1, -1 }, "c.test", "x", OTHER_THUMB },
        { { ANY, 1, -1 }, "", "x", OTHER_THUMB },
        { { ANY, 1, -1 }, "no name", "x", OTHER_THUMB },
        { { ANY, 1, -1 }, "elsewhere.test", "pending", PENDING_THUMB },
        { { ANY, -1, -1 }, "c.test", "x", NULL },
        { { ANY, 1, -1 }, "c.test", "no/token", NULL },

        /* others' keys: behind orders, then behind names of ours */
        { { ON, -1, 0 }, "c.test", "x", VALUE_THUMB },
        { { ON, -1, 0 }, "", "x", VALUE_THUMB },
        { { ON, -1, 0 }, "a.test", "x", THUMB },
        { { ON, -1, 0 }, "elsewhere.test", "pending", PENDING_THUMB },
        { { ANY, 1, 0 }, "c.test", "x", VALUE_THUMB },
        { { ON, -1, 1 }, "c.test", "x", FILE_THUMB },
        { { ON, -1, 1 }, "b.test", "x", OTHER_THUMB },
        { { ON, -1, 0 }, "c.test", "no.token", NULL },
    };
    struct world *w = *state;
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1], path[256], wanted[256];
    size_t i;
    bool got;

    for (i = 0; i < COUNT(cases); i++) {
        (void)snprintf(path, sizeof(path), PATH "%s", cases[i].token);
        (void)snprintf(wanted, sizeof(wanted), "%s.%s", cases[i].token,
            cases[i].thumbprint != NULL ? cases[i].thumbprint : "");
        got = acme_challenge_answer(w->config, w->area, &cases[i].how,
            cases[i].host, strlen(cases[i].host), path, strlen(path), answer);
        if (got != (cases[i].thumbprint != NULL) ||
            (got && strcmp(answer, wanted) != 0))
            fail_msg("case %zu, %s: %s", i, cases[i].host,
                got ? answer : "declined");
    }
}

/* A node that has nothing but a value; one whose file is not read yet. */
static void
test_no_area(void **state)
{
    struct acme_answering how = { ON, -1, 0 };
    struct world *w = *state;
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1];

    assert_true(acme_challenge_answer(w->config, NULL, &how, "c.test", 6,
        PATH "x", strlen(PATH) + 1, answer));
    assert_string_equal(answer, "x." VALUE_THUMB);
    assert_false(acme_challenge_answer(w->config, NULL, &how, "a.test", 6,
        PATH "x", strlen(PATH) + 1, answer));
    how.thumbprint = 1;
    assert_false(acme_challenge_answer(w->config, NULL, &how, "c.test", 6,
        PATH "x", strlen(PATH) + 1, answer));
    acme_area_put_thumbprint(w->area, 3, "");
    assert_false(acme_challenge_answer(w->config, w->area, &how, "c.test", 6,
        PATH "x", strlen(PATH) + 1, answer));
}

/* ---- configuration ---------------------------------------------------- */

static void
test_words(void **state)
{
    enum acme_answers mode = OFF;
    struct world *w = *state;

    assert_int_equal(acme_answering_mode("on", &mode, &w->err), ACME_OK);
    assert_int_equal(mode, ON);
    assert_int_equal(acme_answering_mode("Any", &mode, &w->err), ACME_OK);
    assert_int_equal(mode, ANY);
    assert_int_equal(acme_answering_mode("PENDING", &mode, &w->err), ACME_OK);
    assert_int_equal(mode, PENDING);
    assert_int_equal(acme_answering_mode("off", &mode, &w->err), ACME_OK);
    assert_int_equal(mode, OFF);
    assert_int_equal(acme_answering_mode("yes", &mode, &w->err), ACME_CONFIG);
    assert_non_null(strstr(w->err.what, "\"yes\" is none of"));
}

static void
test_finish(void **state)
{
    struct acme_answering how = { ON, -1, -1 };
    struct world *w = *state;

    assert_int_equal(acme_answering_finish(&how, w->config, 0, &w->err),
        ACME_OK);
    assert_int_equal(how.issuer, -1);
    assert_null(acme_answering_warning(&how, true));

    how.mode = ANY;
    assert_int_equal(acme_answering_finish(&how, w->config, 1, &w->err),
        ACME_OK);
    assert_int_equal(how.issuer, 1);
    assert_non_null(strstr(acme_answering_warning(&how, true), "every name"));

    /* the first one's key was not chosen */
    assert_int_equal(acme_answering_finish(&how, w->config, -1, &w->err),
        ACME_CONFIG);
    assert_non_null(strstr(w->err.what, "\"one\""));
    how.thumbprint = 0;
    acme_error_clear(&w->err);
    assert_int_equal(acme_answering_finish(&how, w->config, -1, &w->err),
        ACME_OK);
    assert_int_equal(how.issuer, -1);
    assert_non_null(
        strstr(acme_answering_warning(&how, true), "this thumbprint"));
    how.mode = PENDING;
    assert_non_null(strstr(acme_answering_warning(&how, true), "no effect"));
    assert_null(acme_answering_warning(&how, false));
    how.thumbprint = -1;
    assert_null(acme_answering_warning(&how, true));
}

static void
test_nobody(void **state)
{
    struct acme_config *config = acme_config_new("/state", "nginx", "/conf");
    struct acme_answering how = { ANY, -1, -1 };
    struct world *w = *state;

    assert_non_null(config);
    assert_int_equal(acme_challenge_thumbprints(config), 0);
    assert_int_equal(acme_answering_finish(&how, config, -1, &w->err),
        ACME_CONFIG);
    assert_non_null(strstr(w->err.what, "no account"));
    acme_config_free(config);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_answers),
        TEST(test_counted),
        TEST(test_no_thumbprint),
        TEST(test_modes),
        TEST(test_no_area),
        TEST(test_words),
        TEST(test_finish),
        TEST(test_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
