/*
 * Frames as bytes (honest and not) and over a real socket pair.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "state/acme_frame.h"

#define HEADER 16 /* magic, verb, index, length */

static void
put_u32(unsigned char *at, uint32_t value)
{
    memcpy(at, &value, sizeof(value));
}

static uint32_t
get_u32(const unsigned char *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

/* What acme_frame_send() would have made of it. */
static void
finish(struct acme_buf *frame)
{
    assert_true(acme_buf_ok(frame));
    put_u32(frame->data + 12, (uint32_t)(frame->len - HEADER));
}

static struct acme_buf
frame_new(enum acme_verb verb, uint32_t index)
{
    struct acme_buf frame;

    acme_buf_init_secret(&frame, ACME_FRAME_MAX);
    acme_frame_begin(&frame, verb, index);
    return frame;
}

/* ---- bytes ------------------------------------------------------------ */

static void
test_fields(void **state)
{
    struct acme_buf buf = frame_new(ACME_VERB_VERSION, 4711);
    struct acme_frame frame;
    const void *data;
    char text[6];
    size_t len;

    (void)state;
    acme_frame_add(&buf, "k\0y", 3);
    acme_frame_add(&buf, NULL, 0);
    acme_frame_add_text(&buf, "");
    acme_frame_add_text(&buf, "12345");
    acme_frame_add_u64(&buf, UINT64_C(0x8000000000000001));
    finish(&buf);
    assert_true(acme_frame_open(&frame, buf.data, buf.len));
    assert_int_equal(frame.verb, ACME_VERB_VERSION);
    assert_int_equal(frame.index, 4711);
    acme_frame_get(&frame, &data, &len);
    assert_int_equal(len, 3);
    assert_memory_equal(data, "k\0y", 3);
    acme_frame_get(&frame, &data, &len);
    assert_int_equal(len, 0);
    acme_frame_get_text(&frame, text, sizeof(text));
    assert_string_equal(text, "");
    acme_frame_get_text(&frame, text, sizeof(text));
    assert_string_equal(text, "12345");
    assert_false(acme_frame_end(&frame));
    assert_true(acme_frame_get_u64(&frame) == UINT64_C(0x8000000000000001));
    assert_true(acme_frame_end(&frame));
    /* One too many. */
    assert_true(acme_frame_get_u64(&frame) == 0);
    assert_true(frame.bad);
    assert_false(acme_frame_end(&frame));
    acme_buf_clear(&buf);
}

static void
test_begin_again(void **state)
{
    struct acme_buf buf = frame_new(ACME_VERB_LOCK, 1);
    struct acme_frame frame;

    (void)state;
    acme_frame_add_text(&buf, "left over");
    acme_frame_begin(&buf, ACME_VERB_UNLOCK, 2);
    finish(&buf);
    assert_true(acme_frame_open(&frame, buf.data, buf.len));
    assert_int_equal(frame.verb, ACME_VERB_UNLOCK);
    assert_true(acme_frame_end(&frame));
    acme_buf_clear(&buf);
}

static void
test_not_a_frame(void **state)
{
    static const struct {
        size_t at, len; /* a word of the header, the message's length */
        uint32_t value;
    } rows[] = {
        { 0, HEADER, 0 },                  /* magic */
        { 4, HEADER, ACME_VERB_NONE },     /* verbs */
        { 4, HEADER, ACME_VERB_DONE + 1 }, /* between the two kinds */
        { 4, HEADER, ACME_VERB_RENEW - 1 },
        { 4, HEADER, ACME_VERB_LAST },
        { 4, HEADER, UINT32_MAX },
        { 12, HEADER, 1 }, /* lengths that lie */
        { 12, HEADER, UINT32_MAX },
        { 12, HEADER + 4, 0 },
        { 12, HEADER + 4, 3 },
        { 12, HEADER + 4, 5 },
        { 12, HEADER - 1, 0 },
        { 12, 0, 0 },
    };
    unsigned char good[HEADER + 4];
    struct acme_buf buf = frame_new(ACME_VERB_LEDGER, 0);
    struct acme_frame frame;
    unsigned char *big;
    size_t i;

    (void)state;
    finish(&buf);
    assert_true(acme_frame_open(&frame, buf.data, buf.len));
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memset(good, 0, sizeof(good));
        memcpy(good, buf.data, HEADER);
        put_u32(good + rows[i].at, rows[i].value);
        assert_false(acme_frame_open(&frame, good, rows[i].len));
    }
    assert_false(acme_frame_open(&frame, NULL, 0));
    big = calloc(1, ACME_FRAME_MAX + 1);
    memcpy(big, buf.data, HEADER);
    put_u32(big + 12, ACME_FRAME_MAX - HEADER);
    assert_true(acme_frame_open(&frame, big, ACME_FRAME_MAX));
    put_u32(big + 12, ACME_FRAME_MAX + 1 - HEADER);
    assert_false(acme_frame_open(&frame, big, ACME_FRAME_MAX + 1));
    free(big);
    acme_buf_clear(&buf);
}

/* A frame whose one field has this count and these bytes behind it. */
static void
open_raw(struct acme_buf *buf, uint32_t count, const void *bytes, size_t len,
    struct acme_frame *frame)
{
    acme_frame_begin(buf, ACME_VERB_RECORD, 0);
    acme_buf_add(buf, &count, sizeof(count));
    acme_buf_add(buf, bytes, len);
    finish(buf);
    assert_true(acme_frame_open(frame, buf->data, buf->len));
}

static void
test_counts_that_lie(void **state)
{
    static const struct {
        uint32_t count;
        size_t len;
        bool bad;
    } rows[] = {
        { 0, 0, false },
        { 4, 4, false },
        { 5, 4, true },
        { 4, 3, true },
        { 1, 0, true },
        { UINT32_MAX, 4, true },
        { UINT32_MAX - 3, 4, true },
        { 0x80000000u, 4, true },
    };
    struct acme_buf buf = frame_new(ACME_VERB_RECORD, 0);
    struct acme_frame frame;
    const void *data;
    size_t i, len;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        open_raw(&buf, rows[i].count, "1234", rows[i].len, &frame);
        acme_frame_get(&frame, &data, &len);
        assert_int_equal(frame.bad, rows[i].bad);
        assert_int_equal(len, rows[i].bad ? 0 : rows[i].count);
        assert_non_null(data);
        assert_int_equal(acme_frame_end(&frame), !rows[i].bad);
        /* It sticks. */
        acme_frame_get(&frame, &data, &len);
        assert_true(frame.bad);
        assert_int_equal(len, 0);
    }
    /* Half a count. */
    acme_frame_begin(&buf, ACME_VERB_RECORD, 0);
    acme_buf_add(&buf, "\0\0\0", 3);
    finish(&buf);
    assert_true(acme_frame_open(&frame, buf.data, buf.len));
    acme_frame_get(&frame, &data, &len);
    assert_true(frame.bad);
    acme_buf_clear(&buf);
}

static void
test_malformed_fields(void **state)
{
    struct acme_buf buf = frame_new(ACME_VERB_RECORD, 0);
    struct acme_frame frame;
    char text[5];

    (void)state;
    open_raw(&buf, 5, "12345", 5, &frame); /* too long */
    acme_frame_get_text(&frame, text, sizeof(text));
    assert_string_equal(text, "");
    assert_true(frame.bad);
    open_raw(&buf, 4,
        "1\0"
        "34",
        4, &frame); /* NUL inside */
    acme_frame_get_text(&frame, text, sizeof(text));
    assert_string_equal(text, "");
    assert_true(frame.bad);
    open_raw(&buf, 7, "1234567", 7, &frame);
    assert_true(acme_frame_get_u64(&frame) == 0);
    assert_true(frame.bad);
    open_raw(&buf, 9, "123456789", 9, &frame);
    assert_true(acme_frame_get_u64(&frame) == 0);
    assert_true(frame.bad);
    acme_buf_clear(&buf);
}

/* ---- errors ----------------------------------------------------------- */

static void
test_error_travels(void **state)
{
    struct acme_buf buf = frame_new(ACME_VERB_LOCK, 0);
    struct acme_error sent, got;
    struct acme_frame frame;
    int rc;

    (void)state;
    for (rc = ACME_OK; rc <= ACME_STOPPING; rc++) {
        acme_error_clear(&sent);
        acme_error_clear(&got);
        if (rc != ACME_OK)
            acme_error_set(&sent, (enum acme_rc)rc, "lineage \"%s\"", "x");
        sent.retry_at = rc != ACME_OK ? 4070908800 : 0;
        acme_frame_begin(&buf, ACME_VERB_LOCK, 0);
        acme_frame_add_error(&buf, &sent);
        acme_frame_add_text(&buf, "more");
        finish(&buf);
        assert_true(acme_frame_open(&frame, buf.data, buf.len));
        assert_int_equal(acme_frame_get_error(&frame, &got), rc);
        assert_int_equal(got.rc, rc);
        assert_string_equal(got.what, sent.what);
        assert_int_equal(got.retry_at, sent.retry_at);
        assert_false(frame.bad);
        assert_false(acme_frame_end(&frame));
    }
    acme_buf_clear(&buf);
}

/* The longest text there is comes through whole; controls do not. */
static void
test_error_text(void **state)
{
    struct acme_buf buf = frame_new(ACME_VERB_LOCK, 0);
    struct acme_error sent, got;
    struct acme_frame frame;

    (void)state;
    acme_error_clear(&sent);
    acme_error_clear(&got);
    sent.rc = ACME_IO;
    memset(sent.what, 'x', sizeof(sent.what) - 1);
    acme_frame_add_error(&buf, &sent);
    finish(&buf);
    assert_true(acme_frame_open(&frame, buf.data, buf.len));
    assert_int_equal(acme_frame_get_error(&frame, &got), ACME_IO);
    assert_string_equal(got.what, sent.what);

    acme_error_clear(&got);
    strcpy(sent.what, "a\x1b[31m\nb");
    acme_frame_begin(&buf, ACME_VERB_LOCK, 0);
    acme_frame_add_error(&buf, &sent);
    finish(&buf);
    assert_true(acme_frame_open(&frame, buf.data, buf.len));
    acme_frame_get_error(&frame, &got);
    assert_null(strchr(got.what, '\x1b'));
    assert_null(strchr(got.what, '\n'));
    acme_buf_clear(&buf);
}

static void
test_error_malformed(void **state)
{
    static const unsigned char wild[16] = { 200 };
    struct acme_buf buf = frame_new(ACME_VERB_LOCK, 0);
    struct acme_frame frame;
    struct acme_error got;

    (void)state;
    acme_error_clear(&got);
    open_raw(&buf, 15, wild, 15, &frame);
    assert_int_equal(acme_frame_get_error(&frame, &got), ACME_IO);
    assert_true(frame.bad);
    acme_error_clear(&got);
    open_raw(&buf, 16, wild, 16, &frame);
    assert_int_equal(acme_frame_get_error(&frame, &got), ACME_IO);
    assert_true(frame.bad);
    /* None at all. */
    acme_error_clear(&got);
    acme_frame_begin(&buf, ACME_VERB_LOCK, 0);
    finish(&buf);
    assert_true(acme_frame_open(&frame, buf.data, buf.len));
    assert_int_equal(acme_frame_get_error(&frame, &got), ACME_IO);
    assert_int_equal(got.rc, ACME_IO);
    acme_buf_clear(&buf);
}

/* ---- mutations -------------------------------------------------------- */

static uint32_t
next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static void
read_all(struct acme_frame *frame)
{
    struct acme_error err;
    const void *data;
    char text[16];
    size_t len, i, sum = 0;

    acme_error_clear(&err);
    acme_frame_get_error(frame, &err);
    acme_frame_get_text(frame, text, sizeof(text));
    acme_frame_get_u64(frame);
    while (!frame->bad && !acme_frame_end(frame)) {
        acme_frame_get(frame, &data, &len);
        for (i = 0; i < len; i++)
            sum += ((const unsigned char *)data)[i];
    }
    assert_true(frame->at <= frame->end);
    assert_true(sum < SIZE_MAX);
}

/* In memory of the exact size, so that the sanitizer sees a byte too far. */
static void
test_mutations(void **state)
{
    struct acme_buf buf = frame_new(ACME_VERB_ORDER, 3);
    struct acme_error err;
    struct acme_frame frame;
    unsigned char *copy;
    uint32_t seed = 7, opened = 0;
    size_t len;
    int i, j;

    (void)state;
    acme_error_clear(&err);
    acme_error_set(&err, ACME_BUSY, "held by 1");
    acme_frame_add_error(&buf, &err);
    acme_frame_add_text(&buf, "text");
    acme_frame_add_u64(&buf, 1);
    acme_frame_add(&buf, "12345678", 8);
    finish(&buf);
    for (i = 0; i < 100000; i++) {
        len = buf.len - (i % 4 ? 0 : next_random(&seed) % (buf.len + 1));
        copy = malloc(len > 0 ? len : 1);
        memcpy(copy, buf.data, len);
        for (j = 0; len > 0 && j < i % 5; j++)
            copy[next_random(&seed) % len] = (unsigned char)next_random(&seed);
        if (len >= HEADER && i % 2)
            put_u32(copy + 12, (uint32_t)(len - HEADER));
        if (acme_frame_open(&frame, copy, len)) {
            opened++;
            read_all(&frame);
        }
        free(copy);
    }
    assert_true(opened > 1000);
    acme_buf_clear(&buf);
}

/* ---- the socket ------------------------------------------------------- */

static void
pair_new(int fds[2])
{
    struct acme_error err;

    acme_error_clear(&err);
    assert_int_equal(acme_frame_pair(fds, &err), ACME_OK);
}

static void
test_both_ways(void **state)
{
    struct acme_buf buf = frame_new(ACME_VERB_CHANGED, 9);
    struct acme_buf data;
    struct acme_frame frame;
    struct acme_error err;
    int fds[2], i;

    (void)state;
    acme_buf_init(&data, ACME_FRAME_MAX);
    acme_error_clear(&err);
    pair_new(fds);
    for (i = 0; i < 4; i++) {
        assert_true(fcntl(fds[i % 2], F_GETFD) & FD_CLOEXEC);
        acme_frame_begin(&buf, ACME_VERB_CHANGED, (uint32_t)i);
        acme_frame_add_u64(&buf, (uint64_t)i);
        assert_int_equal(acme_frame_send(fds[i % 2], &buf, &err), ACME_OK);
        assert_int_equal(acme_frame_recv(fds[(i + 1) % 2], &data, &err),
            ACME_OK);
        assert_true(data.secret);
        assert_true(acme_frame_open(&frame, data.data, data.len));
        assert_int_equal(frame.index, i);
        assert_int_equal(acme_frame_get_u64(&frame), i);
        assert_true(acme_frame_end(&frame));
    }
    close(fds[0]);
    close(fds[1]);
    acme_buf_clear(&data);
    acme_buf_clear(&buf);
}

static void
test_wiped_after_send(void **state)
{
    struct acme_error err;
    struct acme_buf buf;
    int fds[2];
    size_t i;

    (void)state;
    acme_buf_init(&buf, ACME_FRAME_MAX); /* not said to be secret */
    acme_frame_begin(&buf, ACME_VERB_VERSION, 0);
    acme_frame_add_text(&buf, "PRIVATE");
    acme_error_clear(&err);
    pair_new(fds);
    assert_int_equal(acme_frame_send(fds[0], &buf, &err), ACME_OK);
    assert_int_equal(buf.len, 0);
    for (i = 0; i < HEADER + 4 + 7; i++)
        assert_int_equal(buf.data[i], 0);
    /* Also when it could not be sent. */
    acme_frame_begin(&buf, ACME_VERB_VERSION, 0);
    acme_frame_add_text(&buf, "PRIVATE");
    assert_int_equal(acme_frame_send(-1, &buf, &err), ACME_IO);
    for (i = 0; i < HEADER + 4 + 7; i++)
        assert_int_equal(buf.data[i], 0);
    close(fds[0]);
    close(fds[1]);
    acme_buf_clear(&buf);
}

/* Fills a frame up to `total` bytes. */
static void
fill(struct acme_buf *buf, size_t total)
{
    unsigned char *bytes = malloc(total);

    memset(bytes, 0x5a, total);
    acme_frame_begin(buf, ACME_VERB_VERSION, 1);
    acme_frame_add(buf, bytes, total - HEADER - 4);
    free(bytes);
}

static bool
pass_largest(int fds[2])
{
    struct acme_buf buf = frame_new(ACME_VERB_VERSION, 1), got;
    struct acme_frame frame;
    struct acme_error err;
    const void *data;
    size_t len = 0;
    bool passed;

    acme_error_clear(&err);
    acme_buf_init(&got, ACME_FRAME_MAX);
    fill(&buf, ACME_FRAME_MAX);
    passed = acme_frame_send(fds[0], &buf, &err) == ACME_OK &&
             acme_frame_recv(fds[1], &got, &err) == ACME_OK &&
             acme_frame_open(&frame, got.data, got.len);
    if (passed) {
        acme_frame_get(&frame, &data, &len);
        passed = len == ACME_FRAME_MAX - HEADER - 4 &&
                 ((const unsigned char *)data)[len - 1] == 0x5a;
    } else {
        print_message("# %s\n", err.what);
    }
    acme_buf_clear(&buf);
    acme_buf_clear(&got);
    return passed;
}

static void
test_largest(void **state)
{
    int fds[2];

    (void)state;
    pair_new(fds);
    assert_true(pass_largest(fds));
    close(fds[0]);
    close(fds[1]);
}

/* As somebody without rights, and with the send buffer that Linux's default
 * net.core.wmem_max would have left. */
static void
test_largest_unprivileged(void **state)
{
    const int least = 212992;
    int fds[2], status;
    pid_t pid;

    (void)state;
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (geteuid() == 0 && setuid(65534) != 0)
            _exit(2);
        pair_new(fds);
        if (!pass_largest(fds))
            _exit(3);
        if (setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)) !=
            0)
            _exit(4);
        _exit(pass_largest(fds) ? 0 : 5);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* A system that was told to have less says what to do. */
static void
test_no_room(void **state)
{
    struct acme_buf buf = frame_new(ACME_VERB_VERSION, 1);
    const int little = 16 * 1024;
    struct acme_error err;
    int fds[2];

    (void)state;
    acme_error_clear(&err);
    pair_new(fds);
    setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &little, sizeof(little));
    fill(&buf, ACME_FRAME_MAX);
    assert_int_equal(acme_frame_send(fds[0], &buf, &err), ACME_IO);
    assert_non_null(strstr(err.what, "wmem_max"));
    close(fds[0]);
    close(fds[1]);
    acme_buf_clear(&buf);
}

static void
test_too_large(void **state)
{
    struct acme_buf buf, data;
    struct acme_error err;
    struct acme_frame frame;
    unsigned char *raw = calloc(1, ACME_FRAME_MAX + 1);
    int fds[2];

    (void)state;
    acme_error_clear(&err);
    acme_buf_init_secret(&buf, ACME_FRAME_MAX);
    acme_buf_init_secret(&data, ACME_FRAME_MAX);
    pair_new(fds);
    /* Ours never leave. */
    fill(&buf, ACME_FRAME_MAX + 1);
    assert_int_equal(acme_frame_send(fds[0], &buf, &err), ACME_IO);
    acme_error_clear(&err);
    buf.max = ACME_FRAME_MAX + 1;
    fill(&buf, ACME_FRAME_MAX + 1);
    assert_int_equal(acme_frame_send(fds[0], &buf, &err), ACME_IO);
    acme_buf_reset(&buf);
    acme_error_clear(&err);
    assert_int_equal(acme_frame_send(fds[0], &buf, &err), ACME_IO);
    acme_error_clear(&err);
    /* A stranger's are not taken, and the next one is. */
    assert_int_equal(send(fds[0], raw, ACME_FRAME_MAX + 1, MSG_NOSIGNAL),
        ACME_FRAME_MAX + 1);
    acme_frame_begin(&buf, ACME_VERB_LOCK, 5);
    assert_int_equal(acme_frame_send(fds[0], &buf, &err), ACME_OK);
    assert_int_equal(acme_frame_recv(fds[1], &data, &err), ACME_IO);
    assert_int_equal(data.len, 0);
    acme_error_clear(&err);
    assert_int_equal(acme_frame_recv(fds[1], &data, &err), ACME_OK);
    assert_true(acme_frame_open(&frame, data.data, data.len));
    assert_int_equal(frame.index, 5);
    free(raw);
    close(fds[0]);
    close(fds[1]);
    acme_buf_clear(&buf);
    acme_buf_clear(&data);
}

static void
test_peer_gone(void **state)
{
    struct acme_buf buf = frame_new(ACME_VERB_LOCK, 0), data;
    struct acme_error err;
    int fds[2];

    (void)state;
    acme_buf_init_secret(&data, ACME_FRAME_MAX);
    acme_error_clear(&err);
    pair_new(fds);
    assert_int_equal(acme_frame_send(fds[0], &buf, &err), ACME_OK);
    close(fds[0]);
    /* What was sent before is still read. */
    assert_int_equal(acme_frame_recv(fds[1], &data, &err), ACME_OK);
    assert_int_equal(acme_frame_recv(fds[1], &data, &err), ACME_NOENT);
    acme_error_clear(&err);
    acme_frame_begin(&buf, ACME_VERB_LOCK, 0);
    assert_int_equal(acme_frame_send(fds[1], &buf, &err), ACME_IO);
    close(fds[1]);
    /* With our frame unread, the kernel says reset. */
    pair_new(fds);
    acme_error_clear(&err);
    acme_frame_begin(&buf, ACME_VERB_LOCK, 0);
    assert_int_equal(acme_frame_send(fds[1], &buf, &err), ACME_OK);
    close(fds[0]);
    assert_int_equal(acme_frame_recv(fds[1], &data, &err), ACME_NOENT);
    close(fds[1]);
    acme_buf_clear(&buf);
    acme_buf_clear(&data);
}

static void
on_signal(int signal)
{
    (void)signal;
}

struct late {
    pthread_t waiting;
    int fd;
};

static void *
signal_then_send(void *arg)
{
    const struct timespec a_while = { 0, 50000000 };
    struct late *late = arg;
    struct acme_buf buf = frame_new(ACME_VERB_RENEW, 77);
    struct acme_error err;

    acme_error_clear(&err);
    nanosleep(&a_while, NULL);
    pthread_kill(late->waiting, SIGUSR1);
    nanosleep(&a_while, NULL);
    acme_frame_send(late->fd, &buf, &err);
    acme_buf_clear(&buf);
    return NULL;
}

static void
test_interrupted(void **state)
{
    struct sigaction action;
    struct acme_frame frame;
    struct acme_error err;
    struct acme_buf data;
    struct late late;
    pthread_t thread;
    int fds[2];

    (void)state;
    acme_error_clear(&err);
    acme_buf_init_secret(&data, ACME_FRAME_MAX);
    memset(&action, 0, sizeof(action));
    action.sa_handler = on_signal; /* without SA_RESTART */
    sigaction(SIGUSR1, &action, NULL);
    pair_new(fds);
    late.waiting = pthread_self();
    late.fd = fds[0];
    assert_int_equal(pthread_create(&thread, NULL, signal_then_send, &late),
        0);
    assert_int_equal(acme_frame_recv(fds[1], &data, &err), ACME_OK);
    pthread_join(thread, NULL);
    assert_true(acme_frame_open(&frame, data.data, data.len));
    assert_int_equal(frame.index, 77);
    close(fds[0]);
    close(fds[1]);
    acme_buf_clear(&data);
}

/* The length that send puts in is the one there is. */
static void
test_length_put_right(void **state)
{
    struct acme_buf buf = frame_new(ACME_VERB_LOCK, 0), data;
    struct acme_error err;
    int fds[2];

    (void)state;
    acme_buf_init_secret(&data, ACME_FRAME_MAX);
    acme_error_clear(&err);
    pair_new(fds);
    acme_frame_add_text(&buf, "abc");
    put_u32(buf.data + 12, 99);
    assert_int_equal(acme_frame_send(fds[0], &buf, &err), ACME_OK);
    assert_int_equal(acme_frame_recv(fds[1], &data, &err), ACME_OK);
    assert_int_equal(get_u32(data.data + 12), 7);
    close(fds[0]);
    close(fds[1]);
    acme_buf_clear(&buf);
    acme_buf_clear(&data);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_begin_again),
        cmocka_unit_test(test_not_a_frame),
        cmocka_unit_test(test_counts_that_lie),
        cmocka_unit_test(test_malformed_fields),
        cmocka_unit_test(test_error_travels),
        cmocka_unit_test(test_error_text),
        cmocka_unit_test(test_error_malformed),
        cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_both_ways),
        cmocka_unit_test(test_wiped_after_send),
        cmocka_unit_test(test_largest),
        cmocka_unit_test(test_largest_unprivileged),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_peer_gone),
        cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_length_put_right),
    };

    return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
