/*
 * Questions to the runner and their answers: what an engine may ask, and what
 * no frame can do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drive/acme_stage_ask.h"

static struct acme_config *config;
static struct acme_error err;
static struct acme_buf data;

static int
setup(void **state)
{
    const struct acme_issuer issuer = { .name = "none",
        .directory = "https://127.0.0.1:1/dir",
        .verify = true };
    static const char *const names[] = { "a.test", "www.a.test" };
    const struct acme_lineage lineage = { .name = "a.test",
        .names = names,
        .nnames = 2,
        .ntypes = 1,
        .type = { ACME_KEY_ECDSA_256 } };
    size_t index;

    (void)state;
    acme_error_clear(&err);
    acme_buf_init(&data, ACME_FRAME_MAX);
    config = acme_config_new("/var/x", "nginx", "/etc/nginx/nginx.conf");
    assert_non_null(config);
    assert_int_equal(acme_config_add_issuer(config, &issuer, &index, &err),
        ACME_OK);
    assert_int_equal(acme_config_add_lineage(config, &lineage, &index, &err),
        ACME_OK);
    return acme_config_finish(config, &err) != ACME_OK;
}

static int
teardown(void **state)
{
    (void)state;
    acme_buf_clear(&data);
    acme_config_free(config);
    return 0;
}

/* What sending does: the length in the header. */
static void
seal(size_t len)
{
    const uint32_t length = (uint32_t)(len - 16);

    memcpy((char *)data.data + 12, &length, sizeof(length));
}

static bool
parse(const struct acme_stage_ask *ask, bool of_engine,
    struct acme_stage_ask *back)
{
    struct acme_frame frame;

    acme_buf_reset(&data);
    acme_stage_ask_render(ask, &data);
    assert_true(acme_buf_ok(&data));
    seal(data.len);
    return acme_frame_open(&frame, data.data, data.len) &&
           acme_stage_ask_parse(&frame, config, of_engine, back);
}

static void
test_of_store(void **state)
{
    struct acme_stage_ask ask = { .stage = ACME_HOOKS_DEPLOY,
        .renews = true,
        .version = 7,
        .id = 99,
        .domains = "a.test www.a.test",
        .domains_len = 17,
        .json = "{}\n",
        .json_len = 3 };
    struct acme_stage_ask back;

    (void)state;
    strcpy(ask.event, "renewed");
    assert_true(parse(&ask, false, &back));
    assert_int_equal(back.stage, ACME_HOOKS_DEPLOY);
    assert_true(back.renews);
    assert_false(back.failed);
    assert_int_equal(back.version, 7);
    assert_int_equal(back.id, 99);
    assert_string_equal(back.event, "renewed");
    assert_int_equal(back.domains_len, 17);
    assert_memory_equal(back.domains, "a.test www.a.test", 17);
    assert_memory_equal(back.json, "{}\n", 3);
    ask.unit = ACME_STAGE_ALL;
    assert_true(parse(&ask, false, &back));
    ask.unit = (uint32_t)acme_unit(1, 0);
    assert_false(parse(&ask, false, &back));
}

static void
test_of_engine(void **state)
{
    static const struct {
        enum acme_hooks_item stage;
        const char *event;
        bool good;
    } cases[] = {
        { ACME_HOOKS_PRE, "", true },
        { ACME_HOOKS_POST, "", true },
        { ACME_HOOKS_DEPLOY, "", false },
        { ACME_HOOKS_PRE, "renewing", false },
        { ACME_HOOKS_EVENT, "renewing", true },
        { ACME_HOOKS_EVENT, "challenge-setup:http-01:www.a.test", true },
        { ACME_HOOKS_EVENT, "", false },
        { ACME_HOOKS_EVENT, "renewed", false },
        { ACME_HOOKS_EVENT, "renewing x", false },
        { ACME_HOOKS_EVENT, "challenge-setup:http-01:b.test", false },
        { ACME_HOOKS_EVENT, "challenge-setup:http-01:", false },
        { ACME_HOOKS_EVENT, "challenge-setup:http-01", false },
        { ACME_HOOKS_EVENT, "challenge-setup:http-02:a.test", false },
        { ACME_HOOKS_EVENT, "challenge-setup:http-01:a.test;id", false },
        { ACME_HOOKS_EVENT, "challenge-setup:http-01:a.test\n", false },
    };
    struct acme_stage_ask back;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct acme_stage_ask ask = { .stage = cases[i].stage };

        strcpy(ask.event, cases[i].event);
        if (parse(&ask, true, &back) != cases[i].good)
            fail_msg("%zu: \"%s\"", i, cases[i].event);
    }
}

/* Each of these is the store's to say. */
static void
test_engine_says_too_much(void **state)
{
    const struct acme_stage_ask bad[] = {
        { .stage = ACME_HOOKS_POST, .unit = ACME_STAGE_ALL },
        { .stage = ACME_HOOKS_PRE, .unit = (uint32_t)acme_unit(1, 0) },
        { .stage = ACME_HOOKS_PRE, .version = 1 },
        { .stage = ACME_HOOKS_PRE, .id = 1 },
        { .stage = ACME_HOOKS_PRE, .domains = "x", .domains_len = 1 },
        { .stage = ACME_HOOKS_PRE, .json = "{}", .json_len = 2 },
        { .stage = ACME_HOOKS_COMMANDS },
    };
    struct acme_stage_ask back;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (parse(&bad[i], true, &back))
            fail_msg("%zu is taken", i);
}

/* Cut anywhere, or with more behind it, it is none. */
static void
test_malformed(void **state)
{
    const struct acme_stage_ask ask = { .stage = ACME_HOOKS_PRE };
    struct acme_stage_ask back;
    struct acme_frame frame;
    size_t len;

    (void)state;
    assert_true(parse(&ask, true, &back));
    for (len = 16; len < data.len; len++) {
        seal(len);
        assert_true(acme_frame_open(&frame, data.data, len));
        assert_false(acme_stage_ask_parse(&frame, config, true, &back));
    }
    acme_frame_add_u64(&data, 0);
    seal(data.len);
    assert_true(acme_frame_open(&frame, data.data, data.len));
    assert_false(acme_stage_ask_parse(&frame, config, true, &back));
}

static void
test_answer(void **state)
{
    const struct acme_stage_ask ask = { .stage = ACME_HOOKS_POST,
        .unit = 3,
        .id = 5 };
    struct acme_stage_outcome outcome, back;
    struct acme_stage_answer answer;
    struct acme_frame frame;
    size_t i, n = 0;

    (void)state;
    memset(&outcome, 0, sizeof(outcome));
    strcpy(outcome.text, "echo");
    strcpy(outcome.error, "no");
    strcpy(outcome.tail, "out");
    outcome.ms = 12;
    (void)acme_error_set(&err, ACME_IO, "the first");
    acme_stage_answer_begin(&ask, &err, &data);
    /* as many as fit, and no more */
    for (i = 0; i < 100000; i++)
        acme_stage_answer_add(&outcome, &data);
    assert_true(acme_buf_ok(&data));
    seal(data.len);
    assert_true(acme_stage_answer_open(&frame, &data, &answer));
    assert_int_equal(answer.unit, 3);
    assert_int_equal(answer.stage, ACME_HOOKS_POST);
    assert_int_equal(answer.id, 5);
    assert_int_equal(answer.err.rc, ACME_IO);
    assert_string_equal(answer.err.what, "the first");
    assert_true(answer.has_outcomes);
    for (; acme_stage_answer_next(&frame, &back); n++) {
        assert_string_equal(back.text, "echo");
        assert_string_equal(back.error, "no");
        assert_string_equal(back.tail, "out");
        assert_int_equal(back.ms, 12);
    }
    assert_true(n > 10 && n < 100000);
    assert_false(frame.bad);
    data.len = 7;
    assert_false(acme_stage_answer_open(&frame, &data, &answer));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_of_store, setup, teardown),
        cmocka_unit_test_setup_teardown(test_of_engine, setup, teardown),
        cmocka_unit_test_setup_teardown(test_engine_says_too_much, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answer, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
