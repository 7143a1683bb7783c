/*
 * The key area from both sides.  Its .c file is included: to scribble over
 * it and to die in the middle of a write one must know where things are.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "helper_skip.h"
#include "state/acme_area.c"

#define PRINT_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define PRINT_B "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
#define PRINT_C "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC"

static struct acme_area *
area_new(size_t nlineages, size_t nissuers)
{
    struct acme_area *area = NULL;
    struct acme_error err;

    acme_error_clear(&err);
    assert_int_equal(acme_area_new(nlineages, nissuers, &area, &err), ACME_OK);
    return area;
}

/* One pair of these lengths, filled with these bytes. */
static enum acme_rc
put_filled(struct acme_area *area, size_t lineage, size_t key_len,
    size_t chain_len, int fill, unsigned version)
{
    struct acme_area_pair pair = { .type = ACME_KEY_ECDSA_256 };
    unsigned char *bytes = malloc(key_len + chain_len + 1);
    struct acme_error err;
    enum acme_rc rc;

    acme_error_clear(&err);
    memset(bytes, fill, key_len + chain_len);
    pair.key = bytes;
    pair.key_len = key_len;
    pair.chain = bytes + key_len;
    pair.chain_len = chain_len;
    rc = acme_area_put(area, lineage, &pair, 1, version, &err);
    free(bytes);
    return rc;
}

/* How often a byte is in a slot. */
static size_t
count_bytes(const struct acme_area *area, size_t lineage, int byte)
{
    const unsigned char *at = area->slots + lineage * ACME_SLOT_BYTES;
    size_t i, n = 0;

    for (i = 0; i < ACME_SLOT_BYTES; i++)
        n += at[i] == byte;
    return n;
}

struct got {
    struct acme_buf copy;
    struct acme_area_pair pair[ACME_SLOT_PAIRS_MAX];
    size_t npairs;
    uint32_t generation;
};

static void
got_init(struct got *got)
{
    memset(got, 0, sizeof(*got));
    acme_buf_init_secret(&got->copy, ACME_SLOT_BYTES);
}

static bool
get(const struct acme_area *area, size_t lineage, struct got *got)
{
    return acme_area_get(area, lineage, &got->copy, got->pair, &got->npairs,
        &got->generation);
}

/* ---- one process ------------------------------------------------------ */

static void
test_new_is_empty(void **state)
{
    struct acme_area *area = area_new(3, 2);
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1];
    struct got got;
    size_t i;

    (void)state;
    got_init(&got);
    for (i = 0; i < 4; i++) {
        assert_int_equal(acme_area_generation(area, i), 0);
        assert_int_equal(acme_area_version(area, i), 0);
        assert_false(get(area, i, &got));
    }
    assert_int_equal(acme_area_last_beat(area), 0);
    assert_false(acme_area_answer(area, "a.test", 0, "tok", 3, answer));
    acme_area_beat(area, 1795262400);
    assert_int_equal(acme_area_last_beat(area), 1795262400);
    acme_area_free(area);
    acme_area_free(NULL);
    area = area_new(0, 0);
    assert_int_equal(acme_area_generation(area, 0), 0);
    acme_area_put_thumbprint(area, 0, PRINT_A);
    acme_area_free(area);
}

static void
test_put_get(void **state)
{
    struct acme_area *area = area_new(2, 0);
    struct acme_area_pair pairs[2] = {
        { ACME_KEY_ECDSA_256, false, "ecdsa key", 9, "leaf+issuer", 11,
            "it is good", 10, 1795262400 },
        { ACME_KEY_RSA_2048, false, "rsa", 3, "12345678", 8, NULL, 0, 0 },
    };
    struct acme_error err;
    struct got got;

    (void)state;
    got_init(&got);
    acme_error_clear(&err);
    assert_int_equal(acme_area_put(area, 1, pairs, 2, 7, &err), ACME_OK);
    assert_int_equal(acme_area_generation(area, 0), 0);
    assert_int_equal(acme_area_generation(area, 1), 1);
    assert_int_equal(acme_area_version(area, 1), 7);
    assert_true(get(area, 1, &got));
    assert_int_equal(got.generation, 1);
    assert_int_equal(got.npairs, 2);
    assert_int_equal(got.pair[0].type, ACME_KEY_ECDSA_256);
    assert_int_equal(got.pair[0].key_len, 9);
    assert_memory_equal(got.pair[0].key, "ecdsa key", 9);
    assert_int_equal(got.pair[0].chain_len, 11);
    assert_memory_equal(got.pair[0].chain, "leaf+issuer", 11);
    assert_int_equal(got.pair[0].staple_len, 10);
    assert_memory_equal(got.pair[0].staple, "it is good", 10);
    assert_int_equal(got.pair[0].staple_until, 1795262400);
    assert_int_equal(got.pair[1].type, ACME_KEY_RSA_2048);
    assert_memory_equal(got.pair[1].key, "rsa", 3);
    assert_int_equal(got.pair[1].key_len, 3);
    assert_memory_equal(got.pair[1].chain, "12345678", 8);
    assert_int_equal(got.pair[1].chain_len, 8);
    assert_int_equal(got.pair[1].staple_len, 0);
    assert_false(get(area, 0, &got));
    acme_buf_clear(&got.copy);
    acme_area_free(area);
}

static void
test_smaller_wipes(void **state)
{
    struct acme_area *area = area_new(1, 0);
    struct acme_error err;
    struct got got;

    (void)state;
    got_init(&got);
    acme_error_clear(&err);
    assert_int_equal(put_filled(area, 0, 2400, 20000, 0xEE, 1), ACME_OK);
    assert_true(count_bytes(area, 0, 0xEE) >= 22400);
    assert_int_equal(put_filled(area, 0, 100, 900, 0xDD, 2), ACME_OK);
    assert_int_equal(count_bytes(area, 0, 0xEE), 0);
    assert_true(count_bytes(area, 0, 0xDD) >= 1000);
    assert_int_equal(acme_area_put(area, 0, NULL, 0, 3, &err), ACME_OK);
    assert_int_equal(count_bytes(area, 0, 0xDD), 0);
    assert_int_equal(acme_area_generation(area, 0), 3);
    assert_int_equal(acme_area_version(area, 0), 0);
    assert_false(get(area, 0, &got));
    acme_buf_clear(&got.copy);
    acme_area_free(area);
}

static void
test_refuses(void **state)
{
    static const struct {
        size_t npairs, key_len, chain_len, staple_len;
    } rows[] = {
        { 1, 0, 100, 0 },
        { 1, 100, 0, 0 },
        { 1, ACME_SLOT_BYTES + 1, 100, 0 },
        { 1, SIZE_MAX, 100, 0 },
        { 1, 100, ACME_CHAIN_DER_MAX + 1, 0 },
        { 1, 100, SIZE_MAX - 50, 0 },
        { 1, 100, 100, ACME_STAPLE_MAX + 1 },
        { 1, 100, 100, SIZE_MAX },
        { 3, 2400, ACME_CHAIN_DER_MAX, 0 },
        { 2, 2400, ACME_CHAIN_DER_MAX, ACME_STAPLE_MAX },
        { 2, 20 * 1024, ACME_CHAIN_DER_MAX, 0 },
        { ACME_SLOT_PAIRS_MAX + 1, 1, 1, 0 },
    };
    static const unsigned char bytes[ACME_SLOT_BYTES] = { 1 };
    struct acme_area *area = area_new(1, 0);
    struct acme_area_pair pairs[ACME_SLOT_PAIRS_MAX + 1];
    struct acme_error err;
    struct got got;
    size_t i, j;

    (void)state;
    got_init(&got);
    assert_int_equal(put_filled(area, 0, 10, 10, 'x', 1), ACME_OK);
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (j = 0; j < rows[i].npairs; j++)
            pairs[j] = (struct acme_area_pair){ ACME_KEY_RSA_2048, false,
                bytes, rows[i].key_len, bytes, rows[i].chain_len, bytes,
                rows[i].staple_len, 1 };
        acme_error_clear(&err);
        assert_int_equal(
            acme_area_put(area, 0, pairs, rows[i].npairs, 2, &err),
            ACME_REFUSED);
        assert_true(err.what[0] != '\0');
    }
    acme_error_clear(&err);
    assert_int_equal(acme_area_put(area, 1, pairs, 1, 2, &err), ACME_REFUSED);
    /* And what was there still is. */
    assert_int_equal(acme_area_generation(area, 0), 1);
    assert_true(get(area, 0, &got));
    acme_buf_clear(&got.copy);
    acme_area_free(area);
}

/* Two types of the largest kind we make do fit. */
static void
test_largest_fits(void **state)
{
    static const unsigned char bytes[ACME_CHAIN_DER_MAX] = { 1 };
    struct acme_area_pair pairs[2] = {
        { ACME_KEY_RSA_4096, false, bytes, 2500, bytes, ACME_CHAIN_DER_MAX,
            bytes, ACME_STAPLE_MAX, 1 },
        { ACME_KEY_ECDSA_521, false, bytes, 250, bytes, ACME_CHAIN_DER_MAX,
            bytes, 2048, 1 },
    };
    struct acme_area *area = area_new(1, 0);
    struct acme_error err;
    struct got got;

    (void)state;
    got_init(&got);
    acme_error_clear(&err);
    assert_int_equal(acme_area_put(area, 0, pairs, 2, 1, &err), ACME_OK);
    assert_true(get(area, 0, &got));
    assert_int_equal(got.pair[1].chain_len, ACME_CHAIN_DER_MAX);
    acme_buf_clear(&got.copy);
    acme_area_free(area);
}

static void
test_generation_wraps(void **state)
{
    struct acme_area *area = area_new(1, 0);
    struct got got;

    (void)state;
    got_init(&got);
    atomic_store(&area->state[0].sequence, UINT32_MAX - 1);
    assert_int_equal(put_filled(area, 0, 10, 10, 'x', 1), ACME_OK);
    assert_int_equal(acme_area_generation(area, 0), 1);
    assert_true(get(area, 0, &got));
    acme_buf_clear(&got.copy);
    acme_area_free(area);
}

/* ---- challenges ------------------------------------------------------- */

static struct acme_area_token
token_of(const char *name, const char *token, const char *thumbprint)
{
    struct acme_area_token made;

    memset(&made, 0, sizeof(made));
    snprintf(made.name, sizeof(made.name), "%s", name);
    snprintf(made.token, sizeof(made.token), "%s", token);
    snprintf(made.thumbprint, sizeof(made.thumbprint), "%s", thumbprint);
    return made;
}

static void
check_answer(const struct acme_area *area, const char *name, int issuer,
    const char *token, const char *expected)
{
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1] = "untouched";
    bool answered =
        acme_area_answer(area, name, issuer, token, strlen(token), answer);

    assert_int_equal(answered, expected != NULL);
    assert_string_equal(answer, expected != NULL ? expected : "untouched");
}

static void
test_answers(void **state)
{
    struct acme_area *area = area_new(1, 3);
    struct acme_area_token tokens[3] = {
        token_of("b.test", "pending", PRINT_C),
        token_of("a.test", "pending", PRINT_B),
        token_of("a.test", "older", PRINT_A),
    };
    char longest[ACME_TOKEN_MAX + 2];

    (void)state;
    acme_area_put_thumbprint(area, 0, PRINT_A);
    acme_area_put_thumbprint(area, 1, PRINT_B);
    acme_area_put_thumbprint(area, 3, PRINT_B); /* no such issuer */
    check_answer(area, "a.test", 0, "any", "any." PRINT_A);
    check_answer(area, "a.test", 1, "any", "any." PRINT_B);
    check_answer(area, "a.test", 2, "any", NULL); /* no thumbprint yet */
    check_answer(area, "a.test", 3, "any", NULL);
    check_answer(area, "a.test", INT_MAX, "any", NULL);
    check_answer(area, "a.test", -1, "any", NULL);
    check_answer(area, "a.test", 0, "", NULL);
    check_answer(area, "a.test", 0, "no/slash", NULL);

    acme_area_put_tokens(area, tokens, 3);
    check_answer(area, "a.test", 0, "pending", "pending." PRINT_B);
    check_answer(area, "a.test", -1, "pending", "pending." PRINT_B);
    check_answer(area, "b.test", -1, "pending", "pending." PRINT_C);
    check_answer(area, "a.test", -1, "older", "older." PRINT_A);
    /* S37: pending elsewhere is not pending here. */
    check_answer(area, "b.test", 0, "older", "older." PRINT_A);
    check_answer(area, "b.test", 1, "older", "older." PRINT_B);
    check_answer(area, "b.test", -1, "older", NULL);
    check_answer(area, "c.test", -1, "pending", NULL);

    memset(longest, 'x', sizeof(longest));
    longest[ACME_TOKEN_MAX + 1] = '\0';
    check_answer(area, "a.test", 0, longest, NULL);

    acme_area_put_tokens(area, NULL, 0);
    acme_area_put_thumbprint(area, 0, "");
    check_answer(area, "a.test", -1, "pending", NULL);
    check_answer(area, "a.test", 0, "any", NULL);
    acme_area_free(area);
}

static struct acme_area_token
alpn_token_of(const char *name, const char *token, const char *thumbprint,
    int64_t presented)
{
    struct acme_area_token made = token_of(name, token, thumbprint);

    made.type = ACME_TLS_ALPN_01;
    made.presented = presented;
    return made;
}

static void
check_alpn(const struct acme_area *area, const char *name,
    const char *identifier, const char *expected)
{
    char found[ACME_NAME_MAX + 1] = "untouched";
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1] = "untouched";
    bool answered = acme_area_alpn_answer(area, name, found, answer);

    assert_int_equal(answered, expected != NULL);
    assert_string_equal(found, expected != NULL ? identifier : "untouched");
    assert_string_equal(answer, expected != NULL ? expected : "untouched");
}

/* Each type of challenge is of use for itself only. */
static void
test_alpn_answers(void **state)
{
    struct acme_area *area = area_new(1, 1);
    struct acme_area_token tokens[] = {
        alpn_token_of("b.test", "only", PRINT_C, 5),
        token_of("a.test", "http", PRINT_A),
        alpn_token_of("a.test", "zz-older", PRINT_A, 1),
        alpn_token_of("a.test", "newest", PRINT_B, 3),
        alpn_token_of("a.test", "aa-old", PRINT_A, 2),
        alpn_token_of("192.0.2.7", "four", PRINT_A, 1),
        token_of("c.test", "http", PRINT_A),
    };
    struct acme_area_token both = alpn_token_of("a.test", "http", PRINT_C, 9);

    (void)state;
    assert_false(acme_area_alpn_is_pending(area));
    check_alpn(area, "a.test", NULL, NULL);
    acme_area_put_tokens(area, tokens + 6, 1);
    assert_false(acme_area_alpn_is_pending(area));

    acme_area_put_tokens(area, tokens, 7);
    assert_true(acme_area_alpn_is_pending(area));
    check_alpn(area, "b.test", "b.test", "only." PRINT_C);
    check_alpn(area, "a.test", "a.test", "newest." PRINT_B);
    check_alpn(area, "c.test", NULL, NULL);
    check_alpn(area, "d.test", NULL, NULL);
    check_alpn(area, "7.2.0.192.in-addr.arpa", "192.0.2.7", "four." PRINT_A);
    check_alpn(area, "8.2.0.192.in-addr.arpa", NULL, NULL);
    check_answer(area, "a.test", -1, "http", "http." PRINT_A);
    check_answer(area, "a.test", -1, "newest", NULL);
    check_answer(area, "b.test", -1, "only", NULL);

    /* whatever a CA calls its tokens */
    tokens[0] = both;
    acme_area_put_tokens(area, tokens, 2);
    check_alpn(area, "a.test", "a.test", "http." PRINT_C);
    check_answer(area, "a.test", -1, "http", "http." PRINT_A);

    acme_area_put_tokens(area, tokens + 1, 1);
    assert_false(acme_area_alpn_is_pending(area));
    check_alpn(area, "a.test", NULL, NULL);
    acme_area_free(area);
}

static void
test_alpn_keys(void **state)
{
    struct acme_area *area = area_new(1, 1);
    char long_key[ACME_ALPN_KEY_MAX];
    struct acme_error err;
    struct acme_buf der;

    (void)state;
    acme_error_clear(&err);
    acme_buf_init_secret(&der, 2 * ACME_ALPN_KEY_MAX);
    assert_false(acme_area_alpn_key(area, 0, &der));
    assert_int_equal(acme_area_put_alpn_key(area, 1, "key", 3, &err), ACME_OK);
    assert_false(acme_area_alpn_key(area, 0, &der));
    assert_false(acme_area_alpn_key(area, ACME_ALGORITHMS, &der));
    assert_true(acme_area_alpn_key(area, 1, &der));
    assert_string_equal(acme_buf_str(&der), "key");
    memset(long_key, 'x', sizeof(long_key));
    assert_int_equal(
        acme_area_put_alpn_key(area, 1, long_key, sizeof(long_key), &err),
        ACME_OK);
    acme_buf_reset(&der);
    assert_true(acme_area_alpn_key(area, 1, &der));
    assert_int_equal(der.len, sizeof(long_key));
    assert_memory_equal(der.data, long_key, der.len);

    /* a writer that died, and a length that cannot be */
    write_begin(&area->head->alpn_key[1].sequence);
    assert_false(acme_area_alpn_key(area, 1, &der));
    assert_int_equal(acme_area_put_alpn_key(area, 1, "new", 3, &err), ACME_OK);
    acme_buf_reset(&der);
    assert_true(acme_area_alpn_key(area, 1, &der));
    assert_string_equal(acme_buf_str(&der), "new");
    atomic_store(&area->head->alpn_key[1].len, ACME_ALPN_KEY_MAX + 1);
    assert_false(acme_area_alpn_key(area, 1, &der));
    acme_buf_clear(&der);
    acme_area_free(area);
}

/* No NUL need follow the token: it is a piece of a request line. */
static void
test_token_length(void **state)
{
    struct acme_area *area = area_new(1, 1);
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1];
    char longest[ACME_TOKEN_MAX];

    (void)state;
    acme_area_put_thumbprint(area, 0, PRINT_A);
    assert_true(acme_area_answer(area, "a.test", 0, "token/more", 5, answer));
    assert_string_equal(answer, "token." PRINT_A);
    memset(longest, 'x', sizeof(longest));
    assert_true(
        acme_area_answer(area, "a.test", 0, longest, sizeof(longest), answer));
    assert_int_equal(strlen(answer), ACME_KEY_AUTHORIZATION_MAX);
    acme_area_free(area);
}

static void
test_many_tokens(void **state)
{
    const size_t n = ACME_TOKENS_MAX + 5;
    struct acme_area *area = area_new(1, 1);
    struct acme_area_token *tokens = calloc(n, sizeof(*tokens));
    char name[32], token[32], expected[128];
    size_t i;

    (void)state;
    for (i = 0; i < n; i++) {
        snprintf(name, sizeof(name), "n%zu.test", i * 7919 % 1009);
        snprintf(token, sizeof(token), "t%zu", i);
        tokens[i] = token_of(name, token, i % 2 ? PRINT_A : PRINT_B);
    }
    acme_area_put_tokens(area, tokens, n);
    for (i = 0; i < n; i++) {
        snprintf(expected, sizeof(expected), "t%zu.%s", i,
            i % 2 ? PRINT_A : PRINT_B);
        check_answer(area, tokens[i].name, -1, tokens[i].token,
            i < ACME_TOKENS_MAX ? expected : NULL);
    }
    acme_area_put_tokens(area, tokens + 1, 1);
    check_answer(area, tokens[0].name, -1, tokens[0].token, NULL);
    check_answer(area, tokens[1].name, -1, "t1", "t1." PRINT_A);
    free(tokens);
    acme_area_free(area);
}

/* ---- writers that die ------------------------------------------------- */

static void
test_dead_writer(void **state)
{
    struct acme_area *area = area_new(1, 1);
    struct got got;

    (void)state;
    got_init(&got);
    assert_int_equal(put_filled(area, 0, 100, 100, 'x', 1), ACME_OK);
    write_begin(&area->state[0].sequence);
    write_begin(&area->thumbprint[0].sequence);
    write_begin(&area->head->token_sequence);
    assert_int_equal(acme_area_generation(area, 0), 1);
    assert_false(get(area, 0, &got));
    check_answer(area, "a.test", 0, "any", NULL);
    assert_int_equal(put_filled(area, 0, 50, 50, 'y', 2), ACME_OK);
    acme_area_put_thumbprint(area, 0, PRINT_A);
    acme_area_put_tokens(area, NULL, 0);
    assert_int_equal(acme_area_generation(area, 0), 2);
    assert_true(get(area, 0, &got));
    assert_int_equal(got.pair[0].key_len, 50);
    check_answer(area, "a.test", 0, "any", "any." PRINT_A);
    acme_buf_clear(&got.copy);
    acme_area_free(area);
}

/* A real one, killed wherever it was; its successor's slot is right and none
 * of its bytes stay. */
static void
test_killed_writer(void **state)
{
    struct acme_area *area = area_new(1, 0);
    const struct timespec a_while = { 0, 3000000 };
    uint32_t generation;
    struct got got;
    int round, status;
    pid_t pid;

    (void)state;
    got_init(&got);
    for (round = 0; round < 20; round++) {
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            alarm(20); /* should nobody be left to end it */
            for (;;) {
                put_filled(area, 0, 2400, 22000, 0xEE, 1);
                put_filled(area, 0, 30, 300, 0xEE, 2);
            }
        }
        nanosleep(&a_while, NULL);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        generation = acme_area_generation(area, 0);
        assert_int_equal(put_filled(area, 0, 100, 900, 0xDD, 3), ACME_OK);
        assert_int_equal(acme_area_generation(area, 0), generation + 1);
        assert_true(get(area, 0, &got));
        assert_int_equal(got.pair[0].key_len, 100);
        assert_int_equal(count_bytes(area, 0, 0xEE), 0);
    }
    acme_buf_clear(&got.copy);
    acme_area_free(area);
}

/* ---- a writer against readers ----------------------------------------- */

static uint32_t
next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

struct race {
    struct acme_area *area;
    atomic_bool stop;
    atomic_uint wrong;
    atomic_uint accepted;
    atomic_uint answered;
    atomic_uint told;
};

/* A text whose length says what its bytes are. */
static enum acme_rc
put_status(struct acme_area *area, size_t lineage, size_t len)
{
    char text[ACME_STATUS_BYTES + 1];
    struct acme_error err;

    acme_error_clear(&err);
    memset(text, 'a' + (int)(len % 26), sizeof(text));
    return acme_area_put_status(area, lineage, text, len, &err);
}

/* Each write says by its lengths what its bytes must be. */
static void
write_round(struct acme_area *area, uint32_t round)
{
    char thumbprint[ACME_THUMBPRINT_LEN + 1];
    struct acme_area_token tokens[3];
    int letter = 'A' + (int)(round % 26);

    put_filled(area, 0, 1 + round % 2400, 1 + round * 31 % 20000,
        (int)(round % 2400 % 251), round);
    memset(thumbprint, letter, ACME_THUMBPRINT_LEN);
    thumbprint[ACME_THUMBPRINT_LEN] = '\0';
    acme_area_put_thumbprint(area, 0, thumbprint);
    tokens[0] = token_of("a.test", "token", thumbprint);
    tokens[1] = token_of("b.test", round % 2 ? "odd" : "even", thumbprint);
    tokens[2] = token_of("c.test", "token", thumbprint);
    acme_area_put_tokens(area, tokens + round % 2, 2);
    (void)put_status(area, ACME_AREA_SERVER,
        1 + round * 7919 % ACME_STATUS_BYTES);
}

static bool
filled(const void *data, size_t len, int byte)
{
    const unsigned char *at = data;
    size_t i;

    for (i = 0; i < len; i++)
        if (at[i] != byte)
            return false;
    return true;
}

static void
read_slot(struct race *race, struct got *got)
{
    const struct acme_area_pair *pair = &got->pair[0];
    int byte;

    if (!get(race->area, 0, got))
        return;
    byte = (int)((pair->key_len - 1) % 251);
    if (got->npairs != 1 || !filled(pair->key, pair->key_len, byte) ||
        !filled(pair->chain, pair->chain_len, byte))
        race->wrong++;
    race->accepted++;
}

static void
read_answer(struct race *race, const char *name, int issuer, const char *token)
{
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1];
    size_t len = strlen(token);

    if (!acme_area_answer(race->area, name, issuer, token, len, answer))
        return;
    if (strncmp(answer, token, len) != 0 || answer[len] != '.' ||
        strlen(answer) != len + 1 + ACME_THUMBPRINT_LEN ||
        !filled(answer + len + 1, ACME_THUMBPRINT_LEN, answer[len + 1]))
        race->wrong++;
    race->answered++;
}

/* Behind what is there already, which stays. */
static void
read_status(struct race *race)
{
    struct acme_buf out;
    size_t len;

    acme_buf_init(&out, (size_t)2 * ACME_STATUS_BYTES);
    acme_buf_add_str(&out, "so ");
    if (acme_area_status(race->area, ACME_AREA_SERVER, &out)) {
        len = out.len - 3;
        if (strncmp(acme_buf_str(&out), "so ", 3) != 0 ||
            strlen(acme_buf_str(&out)) != out.len ||
            !filled(out.data + 3, len, 'a' + (int)(len % 26)))
            race->wrong++;
        race->told++;
    } else if (strcmp(acme_buf_str(&out), "so ") != 0) {
        race->wrong++;
    }
    acme_buf_clear(&out);
}

static void *
reader(void *arg)
{
    struct race *race = arg;
    struct got got;

    got_init(&got);
    while (!race->stop) {
        read_status(race);
        read_slot(race, &got);
        read_answer(race, "any.test", 0, "x");
        read_answer(race, "a.test", -1, "token");
        read_answer(race, "b.test", -1, "odd");
        read_answer(race, "c.test", -1, "token");
    }
    acme_buf_clear(&got.copy);
    return NULL;
}

static void *
writer(void *arg)
{
    struct race *race = arg;
    uint32_t round;

    for (round = 1; !race->stop; round++)
        write_round(race->area, round);
    return NULL;
}

static void
let_them_race(struct race *race, void *(*first)(void *))
{
    const struct timespec a_while = { 0, 600000000 };
    pthread_t thread[3];
    size_t i;

    for (i = 0; i < 3; i++)
        assert_int_equal(
            pthread_create(&thread[i], NULL, i == 0 ? first : reader, race),
            0);
    nanosleep(&a_while, NULL);
    race->stop = true;
    for (i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(race->wrong, 0);
    assert_true(race->accepted > 100);
    assert_true(race->answered > 100);
    assert_true(race->told > 100);
}

static void
test_race_threads(void **state)
{
    struct race race = { area_new(1, 1), false, 0, 0, 0, 0 };

    (void)state;
    write_round(race.area, 1);
    let_them_race(&race, writer);
    acme_area_free(race.area);
}

static void
test_race_processes(void **state)
{
    struct race race = { area_new(1, 1), false, 0, 0, 0, 0 };
    pid_t pid;

    (void)state;
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(20);
        writer(&race);
    }
    let_them_race(&race, reader);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    acme_area_free(race.area);
}

/* ---- status ----------------------------------------------------------- */

/* Whether the text of that length is there. */
static bool
has_status(struct acme_area *area, size_t lineage, size_t len)
{
    struct acme_buf out;
    bool has;

    acme_buf_init(&out, (size_t)2 * ACME_STATUS_BYTES);
    has = acme_area_status(area, lineage, &out) && out.len == len &&
          filled(out.data, len, 'a' + (int)(len % 26));
    acme_buf_clear(&out);
    return has;
}

static void
test_status(void **state)
{
    static const size_t lengths[] = { 1, 7, 8, NEAR_BYTES - 1, NEAR_BYTES,
        NEAR_BYTES + 1, NEAR_BYTES + 8, ACME_STATUS_BYTES - 1,
        ACME_STATUS_BYTES, 3 };
    struct acme_area *area = area_new(3, 1);
    struct acme_buf out;
    size_t i;

    (void)state;
    acme_buf_init(&out, 100);
    assert_false(acme_area_status(area, 1, &out));
    assert_false(acme_area_status(area, ACME_AREA_SERVER, &out));
    assert_int_equal(put_status(area, 0, 5), ACME_OK);
    assert_int_equal(put_status(area, 2, ACME_STATUS_BYTES), ACME_OK);
    assert_int_equal(put_status(area, ACME_AREA_SERVER, 4000), ACME_OK);
    for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        assert_int_equal(put_status(area, 1, lengths[i]), ACME_OK);
        assert_true(has_status(area, 1, lengths[i]));
    }
    /* what does not fit changes nothing, nor do neighbours */
    assert_int_equal(put_status(area, 1, ACME_STATUS_BYTES + 1), ACME_REFUSED);
    assert_int_equal(put_status(area, 3, 1), ACME_REFUSED);
    assert_true(has_status(area, 1, 3));
    assert_true(has_status(area, 0, 5));
    assert_true(has_status(area, 2, ACME_STATUS_BYTES));
    assert_true(has_status(area, ACME_AREA_SERVER, 4000));
    assert_false(has_status(area, 3, 1));
    assert_false(acme_area_status(area, 2, &out)); /* `out` is too short */
    assert_false(acme_buf_ok(&out));
    acme_buf_clear(&out);
    acme_area_free(area);
}

/* A writer that died, and lengths that cannot be. */
static void
test_torn_status(void **state)
{
    struct acme_area *area = area_new(1, 1);
    struct acme_buf out;

    (void)state;
    acme_buf_init(&out, (size_t)2 * ACME_STATUS_BYTES);
    assert_int_equal(put_status(area, 0, 3000), ACME_OK);
    write_begin(&area->status[0].sequence);
    assert_false(has_status(area, 0, 3000));
    assert_int_equal(put_status(area, 0, 30), ACME_OK);
    assert_true(has_status(area, 0, 30));
    atomic_store(&area->status[0].len, ACME_STATUS_BYTES + 1);
    assert_false(acme_area_status(area, 0, &out));
    atomic_store(&area->status[0].len, 0);
    assert_false(acme_area_status(area, 0, &out));
    assert_int_equal(out.len, 0);
    acme_buf_clear(&out);
    acme_area_free(area);
}

/* ---- scribblers ------------------------------------------------------- */

/* Whatever a reader takes lies within its own copy. */
static void
check_bounds(const struct got *got)
{
    const unsigned char *from = got->copy.data;
    const unsigned char *end = from + got->copy.len;
    size_t i;

    assert_in_range(got->npairs, 1, ACME_SLOT_PAIRS_MAX);
    for (i = 0; i < got->npairs; i++) {
        const unsigned char *key = got->pair[i].key;
        const unsigned char *chain = got->pair[i].chain;

        assert_true(
            key >= from && got->pair[i].key_len <= (size_t)(end - key));
        assert_true(
            chain >= from && got->pair[i].chain_len <= (size_t)(end - chain));
    }
}

static word
hostile_word(uint32_t *seed)
{
    static const word some[] = { 0, 1, 2, 4, 5, 2400, ACME_SLOT_BYTES,
        ACME_SLOT_BYTES - 100, ACME_CHAIN_DER_MAX, UINT32_MAX, (word)-1,
        (word)-8, ~(word)0 / 2 };
    uint32_t which = next_random(seed);

    return which % 16 < sizeof(some) / sizeof(some[0])
               ? some[which % 16]
               : (word)which * 0x9E3779B9u;
}

static void
test_scribbled_slots(void **state)
{
    struct acme_area *area = area_new(2, 0);
    _Atomic word *words = slot(area, 1);
    uint32_t seed = 20261121;
    unsigned taken = 0;
    struct got got;
    int i, j;

    (void)state;
    got_init(&got);
    for (i = 0; i < 200000; i++) {
        if (i % 8 == 0)
            put_filled(area, 1, 1 + (size_t)i % 1000, 1000, 'x', 1);
        for (j = 0; j < 3; j++)
            words[next_random(&seed) % HEAD_WORDS] = hostile_word(&seed);
        if (get(area, 1, &got)) {
            taken++;
            check_bounds(&got);
        }
    }
    assert_true(taken > 100);
    /* The writer is not led astray by what it finds there either. */
    for (i = 0; i < 1000; i++) {
        area->state[1].sequence = (uint32_t)hostile_word(&seed);
        area->state[1].used = (uint32_t)hostile_word(&seed);
        assert_int_equal(put_filled(area, 1, 100, 100, 'y', 1), ACME_OK);
        assert_true(get(area, 1, &got));
        assert_true(got.generation != 0);
    }
    acme_buf_clear(&got.copy);
    acme_area_free(area);
}

static void
test_scribbled_tokens(void **state)
{
    struct acme_area *area = area_new(1, 1);
    struct acme_area_token tokens[3] = {
        token_of("a.test", "token", PRINT_A),
        token_of("b.test", "token", PRINT_A),
        token_of("c.test", "token", PRINT_A),
    };
    _Atomic word *words = (void *)area->head->token;
    char name[2000];
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1];
    uint32_t seed = 1, taken = 0;
    int i, j;

    (void)state;
    for (i = 0; i < 100000; i++) {
        if (i % 8 == 0) {
            acme_area_put_tokens(area, tokens, 3);
            acme_area_put_thumbprint(area, 0, PRINT_A);
        }
        for (j = 0; j < 8; j++)
            words[next_random(&seed) % (3 * TOKEN_WORDS)] =
                hostile_word(&seed);
        if (i % 3 == 0)
            area->head->ntokens = (uint32_t)hostile_word(&seed);
        if (i % 4 == 0)
            area->thumbprint[0].text[i % THUMBPRINT_WORDS] =
                hostile_word(&seed);
        if (acme_area_answer(area, "b.test", i % 2 - 1, "token", 5, answer)) {
            taken++;
            assert_int_equal(strlen(answer), 6 + ACME_THUMBPRINT_LEN);
            assert_true(acme_base64_is(answer + 6, ACME_THUMBPRINT_LEN));
        }
    }
    assert_true(taken > 100);

    /* No end of a name anywhere, and whoever asks knows no bound either. */
    memset(area->head->token, 'b', sizeof(area->head->token));
    area->head->ntokens = ACME_TOKENS_MAX;
    memset(name, 'b', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_false(acme_area_answer(area, name, -1, "token", 5, answer));
    acme_area_free(area);
}

/* ---- the mapping ------------------------------------------------------ */

static void
on_fault(int signal)
{
    (void)signal;
    _exit(42);
}

static void
test_protect(void **state)
{
    struct acme_area *area = area_new(1, 1);
    struct got got;
    int status;
    pid_t pid;

    (void)state;
    got_init(&got);
    assert_int_equal(put_filled(area, 0, 10, 10, 'x', 1), ACME_OK);
    acme_area_put_thumbprint(area, 0, PRINT_A);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char answer[ACME_KEY_AUTHORIZATION_MAX + 1];

        acme_area_protect(area);
        if (!get(area, 0, &got) ||
            !acme_area_answer(area, "a.test", 0, "x", 1, answer))
            _exit(1);
        signal(SIGSEGV, on_fault);
        acme_area_beat(area, 1);
        _exit(2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 42);
    assert_int_equal(acme_area_last_beat(area), 0);
    /* The others still write. */
    assert_int_equal(put_filled(area, 0, 10, 10, 'y', 1), ACME_OK);
    acme_area_free(area);
}

/* A protected worker's word for it is heard. */
static void
test_traffic(void **state)
{
    struct acme_area *area = area_new(3, 1);
    int status;
    pid_t pid;

    (void)state;
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        acme_area_protect(area);
        acme_area_note_traffic(area, 1);
        acme_area_note_traffic(area, 1);
        acme_area_note_traffic(area, 3);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_false(acme_area_has_traffic(area, 0));
    assert_true(acme_area_has_traffic(area, 1));
    assert_false(acme_area_has_traffic(area, 2));
    assert_false(acme_area_has_traffic(area, 3));
    acme_area_free(area);
}

/* ---- who has it ------------------------------------------------------- */

/* What `act` returns in a forked process, or minus the signal it died of. */
static int
forked(struct acme_area *area, int (*act)(struct acme_area *area))
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(20);
        signal(SIGSEGV, SIG_DFL);
        _exit(act(area));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int
reads(struct acme_area *area)
{
    return (int)acme_area_version(area, 0);
}

static int
opens_and_reads(struct acme_area *area)
{
    struct acme_error why;

    acme_error_clear(&why);
    return acme_area_open(area, &why) == ACME_OK ? reads(area) : 100;
}

static int
opens_and_writes(struct acme_area *area)
{
    if (opens_and_reads(area) != 7)
        return 100;
    if (mprotect(area->map, area->size, PROT_READ | PROT_WRITE) == 0)
        return 101;
    acme_area_beat(area, 1);
    return 102;
}

static int
opens_as_another(struct acme_area *area)
{
    return setgid(65534) == 0 && setuid(65534) == 0 ? opens_and_reads(area)
                                                    : 101;
}

static void
test_not_inherited(void **state)
{
    struct acme_area *area = area_new(1, 1);

    (void)state;
    if (area->handle == -1) {
        acme_area_free(area);
        SKIP(); /* not here */
    }
    assert_int_equal(put_filled(area, 0, 10, 10, 'x', 7), ACME_OK);
    assert_int_equal(forked(area, reads), 7);
    assert_int_equal(forked(area, opens_and_reads), 7);

    acme_area_inherit(area, false);
    assert_int_equal(reads(area), 7);
    assert_int_equal(forked(area, reads), -SIGSEGV);
    assert_int_equal(forked(area, opens_and_reads), 7);
    assert_int_equal(forked(area, opens_and_writes), -SIGSEGV);
    if (geteuid() == 0)
        assert_int_equal(forked(area, opens_as_another), 100);

    acme_area_inherit(area, true);
    assert_int_equal(forked(area, reads), 7);
    acme_area_free(area);
}

/* What the kernel says about the area's mapping. */
static bool
read_smaps(const struct acme_area *area, long *rss, bool *dont_dump)
{
    FILE *file = fopen("/proc/self/smaps", "r");
    char line[512], start[32];
    bool inside = false, found = false;

    if (file == NULL)
        return false;
    snprintf(start, sizeof(start), "%lx-", (unsigned long)area->map);
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, start, strlen(start)) == 0)
            inside = true;
        if (inside && sscanf(line, "Rss: %ld kB", rss) == 1)
            found = true;
        if (inside && strncmp(line, "VmFlags:", 8) == 0) {
            *dont_dump = strstr(line, " dd") != NULL;
            break;
        }
    }
    fclose(file);
    return found;
}

static void
test_mapping(void **state)
{
    struct acme_area *area = area_new(10000, 64);
    bool dont_dump = false, known;
    uint32_t sum = 0;
    long rss = -1;
    size_t i;

    (void)state;
    assert_int_equal(put_filled(area, 5000, 2400, 6000, 'x', 1), ACME_OK);
    for (i = 0; i < 10000; i++)
        sum += acme_area_generation(area, i);
    assert_int_equal(sum, 1);
    assert_int_equal((uintptr_t)slot(area, 5000) % 4096, 0);
    known = read_smaps(area, &rss, &dont_dump);
    acme_area_free(area);
    if (!known)
        SKIP();
    assert_true(dont_dump);
    assert_in_range(rss, 1, 1024);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_is_empty),
        cmocka_unit_test(test_put_get),
        cmocka_unit_test(test_smaller_wipes),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_largest_fits),
        cmocka_unit_test(test_generation_wraps),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_alpn_answers),
        cmocka_unit_test(test_alpn_keys),
        cmocka_unit_test(test_token_length),
        cmocka_unit_test(test_many_tokens),
        cmocka_unit_test(test_dead_writer),
        cmocka_unit_test(test_killed_writer),
        cmocka_unit_test(test_race_threads),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_torn_status),
        cmocka_unit_test(test_race_processes),
        cmocka_unit_test(test_scribbled_slots),
        cmocka_unit_test(test_scribbled_tokens),
        cmocka_unit_test(test_protect),
        cmocka_unit_test(test_traffic),
        cmocka_unit_test(test_not_inherited),
        cmocka_unit_test(test_mapping),
    };

    return cmocka_run_group_tests_name("area", tests, NULL, NULL);
}
