#define _GNU_SOURCE /* MSG_CMSG_CLOEXEC */
#include "state/acme_frame.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/acme_log.h"

#define MAGIC UINT32_C(0x41434d31) /* "ACM1" */

/* What the kernel keeps of a send buffer for itself. */
#define SEND_SLACK 1024

struct header {
    uint32_t magic;
    uint32_t verb;
    uint32_t index;
    uint32_t length; /* bytes after the header */
};

/* Begins a field that carries an error; the text follows. */
struct outcome {
    uint32_t rc;
    uint32_t unused;
    int64_t retry_at;
};

/* ---- building --------------------------------------------------------- */

void
acme_frame_begin(struct acme_buf *frame, enum acme_verb verb, uint32_t index)
{
    struct header header = { MAGIC, (uint32_t)verb, index, 0 };

    frame->secret = true; /* keys travel in many of them */
    acme_buf_reset(frame);
    acme_buf_add(frame, &header, sizeof(header));
}

/* A field's length, which acme_buf's maximum keeps below 2^32. */
static void
add_length(struct acme_buf *frame, size_t len)
{
    uint32_t length = (uint32_t)len;

    acme_buf_add(frame, &length, sizeof(length));
}

void
acme_frame_add(struct acme_buf *frame, const void *data, size_t len)
{
    add_length(frame, len);
    acme_buf_add(frame, data, len);
}

void
acme_frame_add_text(struct acme_buf *frame, const char *text)
{
    acme_frame_add(frame, text, strlen(text));
}

void
acme_frame_add_u64(struct acme_buf *frame, uint64_t value)
{
    acme_frame_add(frame, &value, sizeof(value));
}

void
acme_frame_add_error(struct acme_buf *frame, const struct acme_error *err)
{
    struct outcome outcome = { (uint32_t)err->rc, 0, err->retry_at };
    size_t len = strlen(err->what);

    add_length(frame, sizeof(outcome) + len);
    acme_buf_add(frame, &outcome, sizeof(outcome));
    acme_buf_add(frame, err->what, len);
}

/* ---- reading ---------------------------------------------------------- */

static bool
verb_ok(uint32_t verb)
{
    return (verb > ACME_VERB_NONE && verb <= ACME_VERB_DONE) ||
           (verb >= ACME_VERB_RENEW && verb < ACME_VERB_LAST);
}

bool
acme_frame_open(struct acme_frame *frame, const void *data, size_t len)
{
    struct header header;

    if (len < sizeof(header) || len > ACME_FRAME_MAX)
        return false;
    memcpy(&header, data, sizeof(header));
    if (header.magic != MAGIC || !verb_ok(header.verb) ||
        header.length != len - sizeof(header))
        return false;
    frame->verb = (enum acme_verb)header.verb;
    frame->index = header.index;
    frame->at = (const unsigned char *)data + sizeof(header);
    frame->end = frame->at + header.length;
    frame->bad = false;
    return true;
}

void
acme_frame_get(struct acme_frame *frame, const void **data, size_t *len)
{
    uint32_t length;

    *data = "";
    *len = 0;
    if (frame->bad)
        return;
    frame->bad = true;
    if ((size_t)(frame->end - frame->at) < sizeof(length))
        return;
    memcpy(&length, frame->at, sizeof(length));
    if ((size_t)(frame->end - frame->at) - sizeof(length) < length)
        return;
    frame->bad = false;
    *data = frame->at + sizeof(length);
    *len = length;
    frame->at += sizeof(length) + length;
}

void
acme_frame_get_text(struct acme_frame *frame, char *out, size_t size)
{
    const void *data;
    size_t len;

    acme_frame_get(frame, &data, &len);
    if (len >= size || memchr(data, '\0', len) != NULL) {
        frame->bad = true;
        len = 0;
    }
    memcpy(out, data, len);
    out[len] = '\0';
}

uint64_t
acme_frame_get_u64(struct acme_frame *frame)
{
    uint64_t value = 0;
    const void *data;
    size_t len;

    acme_frame_get(frame, &data, &len);
    if (len == sizeof(value))
        memcpy(&value, data, sizeof(value));
    else
        frame->bad = true;
    return value;
}

enum acme_rc
acme_frame_get_error(struct acme_frame *frame, struct acme_error *err)
{
    struct outcome outcome;
    char text[sizeof(err->what)];
    const void *data;
    size_t len;
    enum acme_rc rc;

    acme_frame_get(frame, &data, &len);
    if (len >= sizeof(outcome))
        memcpy(&outcome, data, sizeof(outcome));
    if (len < sizeof(outcome) || outcome.rc > ACME_STOPPING) {
        frame->bad = true;
        return acme_error_set(err, ACME_IO, "a frame carries no result");
    }
    if (outcome.rc == ACME_OK)
        return ACME_OK;
    acme_log_clean(text, sizeof(text), (const char *)data + sizeof(outcome),
        len - sizeof(outcome));
    rc = acme_error_set(err, (enum acme_rc)outcome.rc, "%s", text);
    err->retry_at = (time_t)outcome.retry_at;
    return rc;
}

bool
acme_frame_end(const struct acme_frame *frame)
{
    return !frame->bad && frame->at == frame->end;
}

/* ---- the socket ------------------------------------------------------- */

/*
 * The kernel doubles what is asked for, up to twice net.core.wmem_max, whose
 * default (212992) is room enough.  Where an administrator has set less, root
 * may pass over it, and without it only the largest frames do not get through.
 */
static void
make_room(int fd)
{
    int size = ACME_FRAME_MAX + SEND_SLACK, room = 0;
    socklen_t len = sizeof(room);

    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
#ifdef SO_SNDBUFFORCE
    if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, &len) == 0 && room < size)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
#endif
}

enum acme_rc
acme_frame_pair(int fds[2], struct acme_error *err)
{
    int made[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, made) != 0)
        return acme_error_errno(err, ACME_IO, errno,
            "cannot make a socket pair");
    make_room(made[0]);
    make_room(made[1]);
    fds[0] = made[0];
    fds[1] = made[1];
    return ACME_OK;
}

/* Its length is put right. */
static enum acme_rc
close_frame(struct acme_buf *frame, struct acme_error *err)
{
    struct header header;

    if (!acme_buf_ok(frame) || frame->len < sizeof(header) ||
        frame->len > ACME_FRAME_MAX)
        return acme_error_set(err, ACME_IO,
            "a frame is too large, or memory "
            "for it is short");
    memcpy(&header, frame->data, sizeof(header));
    header.length = (uint32_t)(frame->len - sizeof(header));
    memcpy(frame->data, &header, sizeof(header));
    return ACME_OK;
}

/* What sendmsg() has said. */
static enum acme_rc
judge_sent(const struct acme_buf *frame, ssize_t sent, struct acme_error *err)
{
    if (sent < 0 && errno == EMSGSIZE)
        return acme_error_errno(err, ACME_IO, errno,
            "a frame of %zu bytes is "
            "too large for this system: raise net.core.wmem_max to 212992",
            frame->len);
    if (sent < 0)
        return acme_error_errno(err, ACME_IO, errno, "cannot send a frame");
    if ((size_t)sent != frame->len)
        return acme_error_set(err, ACME_IO, "a frame was sent in part");
    return ACME_OK;
}

enum acme_rc
acme_frame_send(int fd, struct acme_buf *frame, struct acme_error *err)
{
    enum acme_rc rc = close_frame(frame, err);
    ssize_t sent;

    if (rc == ACME_OK) {
        do
            sent = send(fd, frame->data, frame->len, MSG_NOSIGNAL);
        while (sent < 0 && errno == EINTR);
        rc = judge_sent(frame, sent, err);
    }
    acme_buf_reset(frame);
    return rc;
}

/* Room for one descriptor beside a message. */
union control {
    struct cmsghdr align;
    char room[CMSG_SPACE(sizeof(int))];
};

enum acme_rc
acme_frame_send_fd(int fd, struct acme_buf *frame, int passed,
    struct acme_error *err)
{
    enum acme_rc rc = close_frame(frame, err);
    struct iovec bytes = { frame->data, frame->len };
    union control control;
    struct msghdr message;
    struct cmsghdr *along;
    ssize_t sent;

    if (rc != ACME_OK) {
        acme_buf_reset(frame);
        return rc;
    }
    memset(&control, 0, sizeof(control));
    memset(&message, 0, sizeof(message));
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = &control;
    message.msg_controllen = sizeof(control.room);
    along = CMSG_FIRSTHDR(&message);
    along->cmsg_level = SOL_SOCKET;
    along->cmsg_type = SCM_RIGHTS;
    along->cmsg_len = CMSG_LEN(sizeof(passed));
    memcpy(CMSG_DATA(along), &passed, sizeof(passed));
    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    /* ETOOMANYREFS: too many descriptors are on their way. */
    if (sent < 0 && (errno == EAGAIN || errno == ETOOMANYREFS))
        return acme_error_set(err, ACME_BUSY, "the peer is busy");
    rc = judge_sent(frame, sent, err);
    acme_buf_reset(frame);
    return rc;
}

/* recv(), whose result 0 is an end here: no frame is empty. */
static enum acme_rc
receive(int fd, void *data, size_t len, int flags, size_t *got,
    struct acme_error *err)
{
    ssize_t n;

    do
        n = recv(fd, data, len, flags);
    while (n < 0 && errno == EINTR);
    if (n == 0 || (n < 0 && errno == ECONNRESET))
        return acme_error_set(err, ACME_NOENT, "the peer is gone");
    if (n < 0)
        return acme_error_errno(err, ACME_IO, errno, "cannot receive a frame");
    *got = (size_t)n;
    return ACME_OK;
}

/* Room for the frame that is there, once it is. */
static enum acme_rc
make_buffer(int fd, struct acme_buf *data, unsigned char **room, size_t *size,
    struct acme_error *err)
{
    unsigned char none, *to;
    size_t len = 0;
    enum acme_rc rc;

    data->secret = true;
    acme_buf_reset(data);
    /* Its length first: memory is taken for what is there. */
    rc = receive(fd, &none, sizeof(none), MSG_PEEK | MSG_TRUNC, &len, err);
    if (rc != ACME_OK)
        return rc;
    to = len > ACME_FRAME_MAX ? NULL : acme_buf_extend(data, len);
    if (to == NULL) {
        acme_buf_reset(data);
        /* Off the queue with it; what is cut off is gone. */
        (void)!recv(fd, &none, sizeof(none), MSG_DONTWAIT);
        return acme_error_set(err, ACME_IO,
            "a frame of %zu bytes is too "
            "large, or memory for it is short",
            len);
    }
    *room = to;
    *size = len;
    return ACME_OK;
}

enum acme_rc
acme_frame_recv(int fd, struct acme_buf *data, struct acme_error *err)
{
    unsigned char *to;
    size_t len, got = 0;
    enum acme_rc rc = make_buffer(fd, data, &to, &len, err);

    if (rc != ACME_OK)
        return rc;
    rc = receive(fd, to, len, MSG_TRUNC, &got, err);
    if (rc == ACME_OK && got != len)
        rc = acme_error_set(err, ACME_IO, "a frame was cut");
    if (rc != ACME_OK)
        acme_buf_reset(data);
    return rc;
}

/* The kernel closes those there is no room for. */
static int
descriptor_of(struct msghdr *message)
{
    const struct cmsghdr *along = CMSG_FIRSTHDR(message);
    int fd = -1;

    if (along != NULL && along->cmsg_level == SOL_SOCKET &&
        along->cmsg_type == SCM_RIGHTS &&
        along->cmsg_len == CMSG_LEN(sizeof(fd)))
        memcpy(&fd, CMSG_DATA(along), sizeof(fd));
    return fd;
}

enum acme_rc
acme_frame_recv_fd(int fd, struct acme_buf *data, int *passed,
    struct acme_error *err)
{
    unsigned char *to;
    union control control;
    struct msghdr message;
    struct iovec bytes;
    enum acme_rc rc = make_buffer(fd, data, &to, &bytes.iov_len, err);
    ssize_t n;

    if (rc != ACME_OK)
        return rc;
    memset(&message, 0, sizeof(message));
    bytes.iov_base = to;
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = &control;
    message.msg_controllen = sizeof(control.room);
    do
        n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0 || (size_t)n != bytes.iov_len) {
        acme_buf_reset(data);
        return acme_error_set(err, ACME_IO, "a frame was cut");
    }
    *passed = descriptor_of(&message);
    return ACME_OK;
}
