/*
 * Tracking records, as the store asks a runner for them: what is done to the
 * record that an engine has had opened, and what a directory's file has of it.
 */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "drive/acme_stage_ask.h"
#include "drive/acme_track.h"
#include "fake_asked.h"
#include "helper_tmp.h"

/* Names of a signing request that is too large for a record. */
#define MANY 230

struct fixture {
    struct fake_drive *d;
    struct acme_hooks hooks;
    int runner; /* our end: the runner's */
};

static struct fixture f;

static int
setup(void **state)
{
    static const char *const directory = "file:/nowhere";
    struct fake_drive *d;

    fake_drive_setup(state);
    d = *state;
    memset(&f, 0, sizeof(f));
    f.d = d;
    acme_hooks_init(&f.hooks);
    assert_int_equal(
        acme_hooks_set(&f.hooks, ACME_HOOKS_TRACKING, &directory, 1, &d->err),
        ACME_OK);
    fake_drive_lineage(d, "a.test", 0, "a.test", NULL);
    d->config->lineage[0].hooks = &f.hooks;
    fake_drive_open(d);
    f.runner = fake_asked_open(d);
    return 0;
}

static int
teardown(void **state)
{
    close(f.runner);
    return fake_drive_teardown(state);
}

/* As the runner: an answer to what the store (or, id 0, the engine) asks. */
static void
answer(const struct acme_stage_ask *ask, const char *error, const char *output)
{
    struct acme_stage_outcome outcome = { .text = "hook" };

    (void)snprintf(outcome.tail, sizeof(outcome.tail), "%s", output);
    (void)snprintf(outcome.error, sizeof(outcome.error), "%s",
        error != NULL ? error : "");
    fake_asked_answer(f.d, f.runner, ask, error, &outcome);
}

/* The next question: "ACTION RECORD CONTENT", the last to its first end of
 * line; of deploy hooks, which are answered with `deploy`, "deploy"; or "". */
static const char *
next(const char *deploy)
{
    static char text[512];
    struct acme_stage_ask ask;
    struct acme_buf data;

    if (!fake_asked_take(f.d, f.runner, &ask, &data))
        return "";
    (void)snprintf(text, sizeof(text), "%s %s %.*s", ask.event, ask.track,
        (int)(ask.json_len < 200 ? ask.json_len : 200), ask.json);
    text[strcspn(text, "\n")] = '\0';
    if (ask.stage == ACME_HOOKS_DEPLOY)
        (void)snprintf(text, sizeof(text), "deploy");
    acme_buf_clear(&data);
    answer(&ask, ask.stage == ACME_HOOKS_DEPLOY ? deploy : NULL, "");
    return text;
}

/* The engine has had a record opened. */
static void
opened(const char *id)
{
    const struct acme_stage_ask ask = { .stage = ACME_HOOKS_TRACKING };

    answer(&ask, NULL, id);
}

static void
expect(const char *text, const char *want)
{
    if (strncmp(text, want, strlen(want)) != 0)
        fail_msg("\"%s\" does not begin with \"%s\"", text, want);
}

static void
a_renewal(void **state)
{
    (void)state;
    opened("one");
    fake_drive_run(f.d);
    assert_int_equal(fake_drive_version(f.d, "a.test"), 1);
    expect(next(NULL), "save:crt one -----BEGIN CERTIFICATE-----");
    expect(next(NULL), "update one certificate obtained: version 1, serial ");
    assert_string_equal(next(NULL), "deploy");
    assert_string_equal(next(NULL), "close-success one deployed; run: hook");
    assert_string_equal(next(NULL), "");
}

/* Whole, or a word about it. */
static void
signing_requests(void **state)
{
    static char long_name[MANY][ACME_NAME_MAX + 1];
    const char *names[MANY];
    struct acme_key *key = NULL;
    struct acme_buf der;
    size_t i, n;

    (void)state;
    opened("one");
    assert_int_equal(acme_key_generate(ACME_KEY_ECDSA_256, &key, &f.d->err),
        ACME_OK);
    for (i = 0; i < MANY; i++) {
        (void)snprintf(long_name[i], sizeof(long_name[i]),
            "n%03zu.%060d.%060d.%060d.%050d.test", i, 1, 2, 3, 4);
        names[i] = long_name[i];
    }
    for (n = 1; n <= MANY; n += MANY - 1) {
        acme_buf_init(&der, ACME_FRAME_MAX);
        assert_int_equal(acme_csr_new(key, names, n, NULL, &der, &f.d->err),
            ACME_OK);
        acme_vault_request(f.d->vault, 0, &der);
        acme_buf_clear(&der);
        expect(next(NULL),
            n == 1 ? "save:csr one -----BEGIN CERTIFICATE REQUEST-----"
                   : "update one not saved (save:csr): ");
    }
    assert_string_equal(next(NULL), "");
    acme_key_unref(key);
}

static void
a_deployment_that_fails_leaves_it_open(void **state)
{
    (void)state;
    f.hooks.tracking_data = 0;
    opened("one");
    fake_drive_run(f.d);
    expect(next(NULL), "update one certificate obtained");
    assert_string_equal(next("status 1"), "deploy");
    assert_string_equal(next(NULL),
        "update one deployed; failed: hook (status 1)");
    assert_string_equal(next(NULL), "");
    opened("two");
    assert_string_equal(next(NULL),
        "close-failure one another attempt has begun");
    fake_drive_ask(f.d, 0, ACME_RENEW_FORCE, 1);
    fake_drive_run(f.d);
    expect(next(NULL), "update two certificate renewed: version 2");
    assert_string_equal(next(NULL), "deploy");
    assert_string_equal(next(NULL), "close-success two deployed; run: hook");
}

static void
a_failure(void **state)
{
    (void)state;
    opened("one");
    fake_ca_problem(f.d->ca, FAKE_NEW_ORDER, 1, 400, "rejectedIdentifier",
        "not ours");
    fake_drive_run(f.d);
    assert_int_equal(fake_drive_version(f.d, "a.test"), 0);
    expect(next(NULL), "close-failure one ");
    assert_string_equal(next(NULL), "");
}

/* Of a version that has no record of its own. */
static void
a_deployment_alone(void **state)
{
    (void)state;
    fake_drive_run(f.d);
    assert_string_equal(next(NULL), "deploy");
    assert_string_equal(next(NULL), "close-success  deployed; run: hook");
}

static void
a_lineage_without(void **state)
{
    (void)state;
    f.hooks.n[ACME_HOOKS_TRACKING] = 0;
    fake_drive_run(f.d);
    assert_string_equal(next(NULL), "deploy");
    assert_string_equal(next(NULL), "");
}

/* A record is open after a start, too. */
static void
it_is_remembered(void **state)
{
    struct acme_told told;

    (void)state;
    opened("one");
    acme_store_told_read(f.d->store, "a.test", &told);
    assert_string_equal(told.track[0].id, "one");
    assert_false(told.track[0].ready);
    assert_string_equal(told.track[1].id, "");
    fake_drive_run(f.d);
    acme_store_told_read(f.d->store, "a.test", &told);
    assert_true(told.track[0].ready);
}

/* ---- what programs call their records --------------------------------- */

static void
identifiers(void **state)
{
    static const char *const bad[] = { "", "\nREC-1", "REC 1", "-rf", ".x",
        "REC/1", "\x1b[31m", "R\xc3\xa9" };
    char id[ACME_TRACK_ID_MAX], text[128];
    size_t i;

    (void)state;
    acme_error_clear(&f.d->err);
    assert_int_equal(acme_track_read_id("REC-1.a_b:2\r\nmore", id, &f.d->err),
        ACME_OK);
    assert_string_equal(id, "REC-1.a_b:2");
    memset(text, 'x', sizeof(text));
    text[ACME_TRACK_ID_MAX - 1] = '\n';
    assert_int_equal(acme_track_read_id(text, id, &f.d->err), ACME_OK);
    text[ACME_TRACK_ID_MAX - 1] = 'x';
    text[ACME_TRACK_ID_MAX] = '\0';
    assert_int_equal(acme_track_read_id(text, id, &f.d->err), ACME_IO);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(acme_track_read_id(bad[i], id, &f.d->err), ACME_IO);
    acme_track_new_id(text);
    assert_int_equal(acme_track_read_id(text, id, &f.d->err), ACME_OK);
}

/* ---- files ------------------------------------------------------------ */

static enum acme_rc
write_one(const char *directory, const char *content, struct acme_error *err)
{
    const struct acme_track_line line = { .id = "id",
        .lineage = "a.test",
        .action = ACME_TRACK_UPDATE,
        .content = content,
        .content_len = strlen(content) };

    acme_error_clear(err);
    return acme_track_write(directory, &line, err);
}

static void
directories(void **state)
{
    struct helper_tmp tmp;
    struct acme_error err;
    const char *dir;
    char *text;

    (void)state;
    helper_tmp_init(&tmp);
    dir = helper_tmp_path(&tmp, "records");
    assert_int_equal(write_one(dir, "line\n\x01\"two\"", &err), ACME_OK);
    assert_int_equal(helper_tmp_mode(&tmp, "records"), 0700);
    text = helper_tmp_gets(&tmp, "records/a.test.log");
    assert_non_null(
        strstr(text, "\"content\":\"line\\n\\u0001\\\"two\\\"\"}\n"));
    free(text);
    /* not at another's, nor over a planted file */
    assert_int_equal(fchmodat(tmp.fd, "records", 0777, 0), 0);
    assert_int_equal(write_one(dir, "x", &err), ACME_IO);
    assert_non_null(strstr(err.what, "records\": others can write to it"));
    assert_int_equal(fchmodat(tmp.fd, "records", 0700, 0), 0);
    helper_tmp_puts(&tmp, "victim", "mine\n");
    helper_tmp_remove(&tmp, "records/a.test.log");
    helper_tmp_link(&tmp, "../victim", "records/a.test.log");
    assert_int_equal(write_one(dir, "x", &err), ACME_IO);
    text = helper_tmp_gets(&tmp, "victim");
    assert_string_equal(text, "mine\n");
    free(text);
    assert_int_equal(
        write_one(helper_tmp_path(&tmp, "none/records"), "x", &err), ACME_IO);
    helper_tmp_clear(&tmp);
}

/* Told, and the next line is a line again. */
static void
a_full_disk(void **state)
{
    struct rlimit was, little;
    struct helper_tmp tmp;
    struct acme_error err;
    const char *dir;
    char *text;

    (void)state;
    helper_tmp_init(&tmp);
    dir = helper_tmp_path(&tmp, "records");
    assert_int_equal(write_one(dir, "first", &err), ACME_OK);
    text = helper_tmp_gets(&tmp, "records/a.test.log");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    little = was;
    little.rlim_cur = strlen(text) + 10;
    free(text);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    assert_int_equal(write_one(dir, "torn", &err), ACME_IO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    assert_non_null(strstr(err.what, "tracking directory \""));
    assert_non_null(strstr(err.what, "a.test.log"));
    assert_int_equal(write_one(dir, "last", &err), ACME_OK);
    text = helper_tmp_gets(&tmp, "records/a.test.log");
    assert_non_null(strstr(text, "\n{\"timestam\n{\"timestamp\""));
    assert_non_null(strstr(text, "\"last\"}\n"));
    free(text);
    helper_tmp_clear(&tmp);
}

static void
files_are_bounded(void **state)
{
    static char content[100 * 1024];
    struct helper_tmp tmp;
    struct acme_error err;
    struct stat st;
    const char *dir;
    size_t i;

    (void)state;
    helper_tmp_init(&tmp);
    dir = helper_tmp_path(&tmp, "records");
    memset(content, 'x', sizeof(content) - 1);
    for (i = 0; i < 100; i++)
        assert_int_equal(write_one(dir, content, &err), ACME_OK);
    assert_int_equal(helper_tmp_count(&tmp, "records"), 2);
    assert_int_equal(fstatat(tmp.fd, "records/a.test.log.1", &st, 0), 0);
    assert_true((size_t)st.st_size <= ACME_TRACK_FILE_MAX);
    assert_true((size_t)st.st_size > ACME_TRACK_FILE_MAX / 2);
    helper_tmp_clear(&tmp);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_renewal),
        TEST(signing_requests),
        TEST(a_deployment_that_fails_leaves_it_open),
        TEST(a_failure),
        TEST(a_deployment_alone),
        TEST(a_lineage_without),
        TEST(it_is_remembered),
        TEST(identifiers),
        TEST(directories),
        TEST(a_full_disk),
        TEST(files_are_bounded),
    };

    return cmocka_run_group_tests_name("tracking", tests, NULL, NULL);
}
