/*
 * Questions to the runner, or to who listens in a server's place, each over a
 * pair of sockets that is made for the one answer.
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drive/acme_job_private.h"

/* How often it is looked for an answer (ms): at first, and at most. */
#define LOOK_MS 20
#define LOOK_MOST_MS 500

static enum acme_rc
wait_ms(const struct acme_run *run, unsigned ms, struct acme_error *err)
{
    if (run->job->host->wait(run->job->host->ctx, ms))
        return ACME_OK;
    return acme_error_set(err, ACME_STOPPING, "stopped");
}

static enum acme_rc
send_question(const struct acme_run *run, const struct acme_runner_link *link,
    struct acme_buf *frame, int answer, struct acme_error *err)
{
    struct acme_error busy;
    enum acme_rc rc;

    for (;;) {
        acme_error_clear(&busy);
        rc = acme_frame_send_fd(link->fd, frame, answer, &busy);
        if (rc != ACME_BUSY)
            break;
        rc = wait_ms(run, LOOK_MOST_MS, err);
        if (rc != ACME_OK)
            return rc;
    }
    if (rc != ACME_OK)
        rc = acme_error_set(err, rc, "cannot ask the process that does it: %s",
            busy.what);
    return rc;
}

/* Others have the turn meanwhile. */
static enum acme_rc
await_answer(const struct acme_run *run, int fd, struct acme_error *err)
{
    struct pollfd pfd = { fd, POLLIN, 0 };
    unsigned ms = LOOK_MS;
    enum acme_rc rc = ACME_OK;

    while (rc == ACME_OK && poll(&pfd, 1, 0) != 1) {
        rc = wait_ms(run, ms, err);
        if (ms < LOOK_MOST_MS)
            ms *= 2;
    }
    return rc;
}

static enum acme_rc
take_answer(const struct acme_run *run, int fd, struct acme_buf *data,
    struct acme_error *err)
{
    struct acme_error why;
    enum acme_rc rc;

    acme_error_clear(&why);
    if (acme_frame_recv(fd, data, &why) == ACME_OK)
        return ACME_OK;
    /* Maybe with us. */
    rc = wait_ms(run, 0, err);
    if (rc == ACME_OK)
        rc =
            acme_error_set(err, ACME_IO, "the process that does it has ended");
    return rc;
}

/* Sends the question; the answer comes to *answer. */
static enum acme_rc
begin(const struct acme_run *run, const struct acme_runner_link *link,
    struct acme_buf *frame, int *answer, struct acme_error *err)
{
    int pair[2];
    enum acme_rc rc;

    if (link == NULL)
        return acme_error_set(err, ACME_CONFIG,
            "no process is here that does it");
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return acme_error_errno(err, ACME_IO, errno,
            "cannot make a socket pair");
    rc = send_question(run, link, frame, pair[1], err);
    close(pair[1]); /* or its end would never be seen */
    if (rc == ACME_OK)
        *answer = pair[0];
    else
        close(pair[0]);
    return rc;
}

static enum acme_rc
ask(const struct acme_run *run, const struct acme_runner_link *link,
    struct acme_buf *frame, struct acme_buf *answer, struct acme_error *err)
{
    int fd = -1;
    enum acme_rc rc = begin(run, link, frame, &fd, err);

    if (rc != ACME_OK)
        return rc;
    rc = await_answer(run, fd, err);
    if (rc == ACME_OK)
        rc = take_answer(run, fd, answer, err);
    close(fd);
    return rc;
}

enum acme_rc
acme_job_ask_runner(const struct acme_run *run, struct acme_buf *frame,
    struct acme_buf *answer, struct acme_error *err)
{
    return ask(run, run->job->runner, frame, answer, err);
}

enum acme_rc
acme_job_ask_standalone(const struct acme_run *run, struct acme_buf *frame,
    struct acme_buf *answer, struct acme_error *err)
{
    return ask(run, run->job->standalone, frame, answer, err);
}

enum acme_rc
acme_job_tell_runner(const struct acme_run *run, struct acme_buf *frame,
    struct acme_error *err)
{
    int fd = -1;
    enum acme_rc rc = begin(run, run->job->runner, frame, &fd, err);

    if (rc == ACME_OK)
        close(fd);
    return rc;
}
