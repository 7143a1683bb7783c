/*
 * The journal of events: several writers, its bound, what a crash leaves,
 * what somebody may have put in its place, and those who follow it.
 */
#define _GNU_SOURCE

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "helper_store.h"

#define JOURNAL "state/events.jsonl"

static struct helper_tmp tmp;
static struct acme_store *store;
static struct acme_error err;

static int
setup(void **state)
{
    (void)state;
    umask(0);
    acme_error_clear(&err);
    helper_tmp_init(&tmp);
    store = helper_store_open(&tmp);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    acme_store_close(store);
    helper_tmp_clear(&tmp);
    return 0;
}

static void
ok(enum acme_rc rc)
{
    if (rc != ACME_OK || err.rc != ACME_OK)
        fail_msg("rc %d: %s", (int)rc, err.what);
}

static enum acme_rc
put(struct acme_store *into, const char *lineage, unsigned number,
    struct acme_error *why)
{
    struct acme_event event;

    acme_event_init(&event, ACME_EVENT_RENEWED);
    event.at = 1795262400;
    strcpy(event.lineage, lineage);
    event.version = number;
    return acme_store_event_write(into, &event, why);
}

/* "a.test 1, b.test 2, ..." */
static enum acme_rc
list(void *ctx, const struct acme_event *event, struct acme_error *ignored)
{
    char *text = ctx;
    size_t len = strlen(text);

    (void)ignored;
    assert_true(len < 900);
    (void)snprintf(text + len, 1000 - len, "%s%s %u", len > 0 ? ", " : "",
        event->lineage, event->version);
    return ACME_OK;
}

static const char *
read_from(struct acme_events_place *place, const char *lineage, size_t most)
{
    static char text[1000];

    text[0] = '\0';
    ok(acme_store_events(store, lineage, most, place, list, text, &err));
    return text;
}

static const char *
read_all(const char *lineage, size_t most)
{
    struct acme_events_place place = { 0 };

    return read_from(&place, lineage, most);
}

static void
test_write_and_read(void **state)
{
    (void)state;
    assert_string_equal(read_all(NULL, SIZE_MAX), "");
    ok(put(store, "a.test", 1, &err));
    ok(put(store, "b.test", 2, &err));
    ok(put(store, "a.test", 3, &err));
    assert_string_equal(read_all(NULL, SIZE_MAX),
        "a.test 1, b.test 2, a.test 3");
    assert_string_equal(read_all(NULL, 2), "b.test 2, a.test 3");
    assert_string_equal(read_all("a.test", 10), "a.test 1, a.test 3");
    assert_string_equal(read_all("a.test", 1), "a.test 3");
    assert_string_equal(read_all("a.test", 0), "");
    assert_string_equal(read_all("c.test", 10), "");
    assert_int_equal(helper_tmp_mode(&tmp, JOURNAL), 0600);

    /* somebody has been careless */
    assert_int_equal(chmod(helper_tmp_path(&tmp, JOURNAL), 0644), 0);
    ok(put(store, "a.test", 4, &err));
    assert_int_equal(helper_tmp_mode(&tmp, JOURNAL), 0600);
}

static enum acme_rc
stop(void *ctx, const struct acme_event *event, struct acme_error *why)
{
    (void)event;
    (*(unsigned *)ctx)++;
    return acme_error_set(why, ACME_STOPPING, "enough");
}

static void
test_visit_fails(void **state)
{
    struct acme_events_place place = { 0 };
    unsigned n = 0;

    (void)state;
    ok(put(store, "a.test", 1, &err));
    ok(put(store, "a.test", 2, &err));
    assert_int_equal(
        acme_store_events(store, NULL, 10, &place, stop, &n, &err),
        ACME_STOPPING);
    assert_int_equal(n, 1);
}

static void
add_raw(const char *text)
{
    int fd = open(helper_tmp_path(&tmp, JOURNAL), O_WRONLY | O_APPEND);

    assert_true(fd != -1);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

/* What somebody did not finish is lost, what comes behind it is not. */
static void
test_torn(void **state)
{
    struct acme_events_place place = { 0 };

    (void)state;
    ok(put(store, "a.test", 1, &err));
    add_raw("{\"at\":\"2026-11-21T12:00:00Z\",\"event\":\"rene");
    assert_string_equal(read_from(&place, NULL, 10), "a.test 1");
    ok(put(store, "a.test", 2, &err));
    assert_string_equal(read_from(&place, NULL, 10), "a.test 2");
    assert_string_equal(read_all(NULL, 10), "a.test 1, a.test 2");

    add_raw("\n\n[]\nnot JSON\n{\"event\":\"of-tomorrow\"}\n\\");
    ok(put(store, "a.test", 3, &err));
    assert_string_equal(read_all(NULL, 10), "a.test 1, a.test 2, a.test 3");
}

static unsigned
count_in(const char *name)
{
    char *text = helper_tmp_gets(&tmp, name);
    unsigned n = 0;
    const char *at;

    for (at = text; at != NULL && *at != '\0'; at++)
        n += *at == '\n';
    free(text);
    return n;
}

static size_t
size_of(const char *name)
{
    struct stat st;

    assert_int_equal(fstatat(tmp.fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
    return (size_t)st.st_size;
}

/* So much that the file is full but for `left` bytes. */
static void
fill(size_t left)
{
    size_t n = ACME_EVENTS_FILE_MAX - left - size_of(JOURNAL);
    char *text = malloc(n + 1);

    assert_non_null(text);
    memset(text, ' ', n);
    text[n - 1] = '\n';
    text[n] = '\0';
    add_raw(text);
    free(text);
}

/* Three files, and never more; who follows misses nothing that is there. */
static void
test_rotation(void **state)
{
    struct acme_events_place place = { 0 }, old;

    (void)state;
    ok(put(store, "a.test", 1, &err));
    assert_string_equal(read_from(&place, NULL, 10), "a.test 1");
    old = place;
    fill(10);
    ok(put(store, "a.test", 2, &err));
    assert_true(helper_tmp_exists(&tmp, "state/events.1.jsonl"));
    assert_int_equal(count_in(JOURNAL), 1);
    ok(put(store, "a.test", 3, &err));
    assert_string_equal(read_from(&place, NULL, 10), "a.test 2, a.test 3");
    assert_string_equal(read_from(&place, NULL, 10), "");
    assert_string_equal(read_all(NULL, 10), "a.test 1, a.test 2, a.test 3");

    fill(10);
    ok(put(store, "a.test", 4, &err));
    assert_string_equal(read_all(NULL, 10),
        "a.test 1, a.test 2, a.test 3, a.test 4");
    assert_string_equal(read_from(&old, NULL, 10),
        "a.test 2, a.test 3, a.test 4");
    assert_string_equal(read_all(NULL, 2), "a.test 3, a.test 4");
    fill(10);
    ok(put(store, "a.test", 5, &err));
    assert_string_equal(read_all(NULL, 10),
        "a.test 2, a.test 3, a.test 4, a.test 5");
    assert_false(helper_tmp_exists(&tmp, "state/events.3.jsonl"));
    assert_true(size_of("state/events.1.jsonl") <= ACME_EVENTS_FILE_MAX);

    /* what was followed is gone by now: all there is is new */
    fill(10);
    ok(put(store, "a.test", 6, &err));
    fill(10);
    ok(put(store, "a.test", 7, &err));
    assert_string_equal(read_from(&place, NULL, 10),
        "a.test 5, a.test 6, a.test 7");
    assert_int_equal(helper_tmp_mode(&tmp, JOURNAL), 0600);
    assert_int_equal(helper_tmp_mode(&tmp, "state/events.2.jsonl"), 0600);
}

/* ---- what may be in its place ----------------------------------------- */

static void
expect_refused(enum acme_rc rc, const char *part)
{
    if (rc != ACME_IO || strstr(err.what, part) == NULL ||
        strstr(err.what, "events") == NULL)
        fail_msg("rc %d, \"%s\" (wanted \"%s\")", (int)rc, err.what, part);
    acme_error_clear(&err);
}

static enum acme_rc
read_any(void)
{
    struct acme_events_place place = { 0 };
    char text[1000] = "";

    return acme_store_events(store, NULL, 10, &place, list, text, &err);
}

static void
test_planted(void **state)
{
    char *text;

    (void)state;
    helper_tmp_puts(&tmp, "outside", "mine");
    helper_tmp_link(&tmp, "../outside", JOURNAL);
    expect_refused(put(store, "a.test", 1, &err), "symbolic link");
    expect_refused(read_any(), "symbolic link");
    helper_tmp_remove(&tmp, JOURNAL);

    helper_tmp_link(&tmp, "../new", JOURNAL); /* dangling */
    expect_refused(put(store, "a.test", 1, &err), "symbolic link");
    assert_false(helper_tmp_exists(&tmp, "new"));
    helper_tmp_remove(&tmp, JOURNAL);

    assert_int_equal(linkat(tmp.fd, "outside", tmp.fd, JOURNAL, 0), 0);
    expect_refused(put(store, "a.test", 1, &err), "no regular file");
    expect_refused(read_any(), "no regular file");
    helper_tmp_remove(&tmp, JOURNAL);

    helper_tmp_fifo(&tmp, JOURNAL);
    expect_refused(put(store, "a.test", 1, &err), "no regular file");
    expect_refused(read_any(), "no regular file");
    helper_tmp_remove(&tmp, JOURNAL);

    helper_tmp_mkdir(&tmp, JOURNAL);
    expect_refused(put(store, "a.test", 1, &err), "irectory");
    expect_refused(read_any(), "no regular file");
    helper_tmp_remove(&tmp, JOURNAL);

    text = helper_tmp_gets(&tmp, "outside");
    assert_string_equal(text, "mine");
    free(text);
    ok(put(store, "a.test", 2, &err));
    assert_string_equal(read_all(NULL, 10), "a.test 2");
}

/* What would be overwritten by a rotation is replaced, never followed; a
 * directory stays, and the journal does not grow. */
static void
test_planted_beside(void **state)
{
    char *text;

    (void)state;
    helper_tmp_puts(&tmp, "outside", "mine");
    helper_tmp_link(&tmp, "../outside", "state/events.1.jsonl");
    ok(put(store, "a.test", 1, &err));
    expect_refused(read_any(), "symbolic link");
    fill(10);
    ok(put(store, "a.test", 2, &err));
    text = helper_tmp_gets(&tmp, "outside");
    assert_string_equal(text, "mine");
    free(text);

    helper_tmp_remove(&tmp, "state/events.2.jsonl");
    helper_tmp_mkdir(&tmp, "state/events.2.jsonl");
    fill(10);
    expect_refused(put(store, "a.test", 3, &err), "irectory");
    assert_true(size_of(JOURNAL) <= ACME_EVENTS_FILE_MAX);
    helper_tmp_remove(&tmp, "state/events.2.jsonl");
    ok(put(store, "a.test", 4, &err));
    assert_string_equal(read_all(NULL, 10), "a.test 1, a.test 2, a.test 4");

    /* a lock that is none of ours */
    helper_tmp_remove(&tmp, "state/locks/events");
    helper_tmp_link(&tmp, "../../outside", "state/locks/events");
    expect_refused(put(store, "a.test", 5, &err), "locks/events");
    text = helper_tmp_gets(&tmp, "outside");
    assert_string_equal(text, "mine");
    free(text);
}

/* ---- others ----------------------------------------------------------- */

#define WRITERS 4
#define LINES 150

static void
write_many(unsigned writer)
{
    struct acme_store *own = helper_store_open(&tmp);
    char name[32];
    unsigned i;

    (void)snprintf(name, sizeof(name), "w%u.test", writer);
    for (i = 1; i <= LINES; i++) {
        struct acme_error why;

        acme_error_clear(&why);
        if (put(own, name, i, &why) != ACME_OK)
            _exit(1);
    }
    _exit(0);
}

/* Of each writer all, in order. */
static enum acme_rc
check_order(void *ctx, const struct acme_event *event, struct acme_error *why)
{
    unsigned *last = ctx;
    unsigned writer = (unsigned)(event->lineage[1] - '0');

    (void)why;
    assert_true(writer < WRITERS);
    assert_int_equal(event->version, last[writer] + 1);
    last[writer]++;
    return ACME_OK;
}

/* Somebody reads, and they rotate, while they write. */
static void
test_together(void **state)
{
    struct acme_events_place place = { 0 };
    unsigned last[WRITERS] = { 0 }, i, left = WRITERS;
    int status;

    (void)state;
    ok(put(store, "w0.test", 1, &err));
    last[0] = 1;
    helper_tmp_remove(&tmp, JOURNAL);
    last[0] = 0;
    helper_tmp_puts(&tmp, JOURNAL, "");
    fill(20000);
    for (i = 0; i < WRITERS; i++) {
        pid_t pid = fork();

        assert_true(pid != -1);
        if (pid == 0)
            write_many(i);
    }
    while (left > 0) {
        ok(acme_store_events(store, NULL, SIZE_MAX, &place, check_order, last,
            &err));
        if (waitpid(-1, &status, WNOHANG) > 0) {
            assert_int_equal(status, 0);
            left--;
        }
    }
    ok(acme_store_events(store, NULL, SIZE_MAX, &place, check_order, last,
        &err));
    for (i = 0; i < WRITERS; i++)
        assert_int_equal(last[i], LINES);
    assert_true(helper_tmp_exists(&tmp, "state/events.1.jsonl"));
}

/* Somebody who never lets go is not waited for for ever. */
static void
test_held(void **state)
{
    int fd;

    (void)state;
    ok(put(store, "a.test", 1, &err));
    fd = openat(tmp.fd, "state/locks/events", O_RDWR);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(put(store, "a.test", 2, &err), ACME_BUSY);
    close(fd);
    acme_error_clear(&err);
    ok(put(store, "a.test", 3, &err));
    assert_string_equal(read_all(NULL, 10), "a.test 1, a.test 3");
}

/* acmectl's way to look. */
static void
test_only_read(void **state)
{
    struct acme_store *reader = NULL;

    (void)state;
    ok(put(store, "a.test", 1, &err));
    ok(acme_store_open(helper_tmp_path(&tmp, "state"), ACME_STORE_READ,
        &reader, &err));
    assert_int_equal(put(reader, "a.test", 2, &err), ACME_IO);
    acme_store_close(reader);
    acme_error_clear(&err);
    assert_string_equal(read_all(NULL, 10), "a.test 1");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_write_and_read),
        TEST(test_visit_fails),
        TEST(test_torn),
        TEST(test_rotation),
        TEST(test_planted),
        TEST(test_planted_beside),
        TEST(test_together),
        TEST(test_held),
        TEST(test_only_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
